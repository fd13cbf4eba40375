"""Secrets that were typed but not saved yet: kept encrypted for a few minutes, so that nobody types them twice.

Each comes back only for the place that it was typed for: whoever sits down at an open page must not be able to send
somebody's password to a server of his own.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import Any

from ..errors import StoreUnavailable
from ..secret import Secret
from ..servers.credentials import PASSWORD_LENGTH, PEM_LENGTH
from ..servers.pasted import split_host
from ..smtp.endpoint import Security
from ..state import state_of
from .access import binding
from .forms import ServerForm, whole

logger = logging.getLogger("flask_smtpservers")

#: What is kept, and how long it can be: nothing longer is ever right.
_LIMITS = {"password": PASSWORD_LENGTH, "client_key": PEM_LENGTH}

#: Ports of outgoing mail; an empty one is the usual one of the encryption.
_MAIL_PORTS = ("", "25", "465", "587", "2525")

#: A text of the form that is longer is none: no field of a server allows it.
_TEXT_LENGTH = 1000


def _bounded(text: str) -> str:
    return text if len(text) <= _TEXT_LENGTH else ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a secret goes, as the form says it; an empty host is no place.

    :param authority: digest of what vouches for the host, an authority or a fingerprint; empty if nothing of its own.
    :param address: the sending address, which is a user name that the form itself proposes.
    """

    host: str
    port: str
    security: str
    username: str
    provider: str
    authority: str
    address: str

    @classmethod
    def of(cls, form: ServerForm) -> Place:
        """Read it from the form."""
        host, port = form.plain_host().strip().lower(), form.text("port").strip()
        try:
            pasted = split_host(host)
        except ValueError:
            pass  # what was typed is no host; then it is no place for a secret either
        else:
            host, port = pasted.host, pasted.port or port
        authority = "" if form.holds_private_key("ca_certificate") else form.text("ca_certificate")
        lines = "\n".join([*authority.split(), *form.text("certificate_fingerprint").upper().split()])
        return cls(
            host=_bounded(host),
            port=_bounded(port),
            security=_bounded(form.security),
            username=_bounded(form.text("username").strip()),
            provider=_bounded(form.text("provider")),
            authority=sha256(lines.encode("utf-8", "surrogatepass")).hexdigest() if lines else "",
            address=form.address,
        )

    def leads_to(self, now: Place, *, corrected: bool = False) -> bool:
        """Say whether a secret that was typed for this place may be used for ``now``.

        It may for the same host under the same authority, or for another host of the same provider; at one of their
        ports for mail; never without encryption if there was one; and for the same user.

        :param corrected: whether one of our own buttons changed the user name, not a hand.
        """
        if not self.host or now.authority != self.authority:
            return False
        if now.security == Security.NONE and self.security != Security.NONE:
            return False
        preset = state_of().catalog.provider(self.provider)
        if now.host != self.host and (preset is None or not {now.host, self.host} <= set(preset.hosts)):
            return False
        if not self._allows_port(now):
            return False
        return corrected or not self.username or now.username in (self.username, now.address)

    def _allows_port(self, now: Place) -> bool:
        if now.port in (self.port, *_MAIL_PORTS) or whole(self.port, 5) is None:
            return True
        preset, port = state_of().catalog.provider(self.provider), whole(now.port, 5)
        return preset is not None and port is not None and preset.server_at(now.host, port) is not None

    def corrected_to(self, now: Place) -> Place:
        """Return ``now``, with the provider that was chosen when the secret was typed."""
        return replace(now, provider=self.provider)


def keep(form: ServerForm, secrets: Mapping[str, Secret], places: Mapping[str, Place]) -> dict[str, Secret]:
    """Keep ``secrets`` for the next request of this form; its hidden field gets the ticket for them.

    What was kept for this form before is thrown away.

    :param places: the place that each was typed for.
    :returns: what was kept.
    """
    forget(form)
    form.set("draft", "")
    fitting = {name: secret for name, secret in secrets.items() if len(secret.reveal()) <= _LIMITS[name]}
    if not fitting:
        return {}
    state = state_of()
    values = {**fitting, "places": {name: asdict(places[name]) for name in fitting}}
    try:
        form.set("draft", state.drafts.keep(values, binding=binding()))
        state.store.commit()
    except StoreUnavailable as error:
        logger.warning("a typed password could not be kept for the next page: %s", error)
        form.set("draft", "")
        return {}
    return fitting


def recall(form: ServerForm) -> dict[str, tuple[Secret, Place]]:
    """Return what the form's draft holds, as far as it may be used for what the form says now."""
    draft = form.text("draft")
    if not draft:
        return {}
    try:
        values = state_of().drafts.take(draft, binding=binding())
    except StoreUnavailable as error:
        logger.warning("a kept password could not be read: %s", error)
        return {}
    now = Place.of(form)
    found = ((name, *_kept(values or {}, name)) for name in _LIMITS)
    return {
        name: (secret, place)
        for name, secret, place in found
        if secret is not None and place is not None and place.leads_to(now)
    }


def _kept(values: Mapping[str, Any], name: str) -> tuple[Secret | None, Place | None]:
    secret, place = values.get(name), values.get("places", {}).get(name)
    return (secret, Place(**place)) if isinstance(secret, Secret) and place else (None, None)


def forget(form: ServerForm) -> None:
    """Throw the draft away once its values are saved, or replaced."""
    draft = form.text("draft")
    state = state_of()
    if draft:
        try:
            state.drafts.forget(draft)
            state.store.commit()
        except StoreUnavailable as error:
            logger.warning("a kept password could not be removed; it expires by itself: %s", error)
