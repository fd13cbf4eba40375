"""What was changed, field by field, in words: for the history, and for a change that waits for its test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..i18n import N_, ngettext
from ..i18n import gettext as _
from ..servers.history import SECRETS, values_of
from ..servers.profile import FIELDS, ServerProfile
from ..smtp.certificates import bundle_facts
from ..smtp.endpoint import Security
from ..smtp.pinning import canonical_fingerprint
from ..state import state_of
from .seen import foreign_senders, policies

#: What the fields are called here: as in the form, but each stands for itself.
LABELS = {
    "name": N_("Name"),
    "provider": N_("Mail provider"),
    "host": N_("Server"),
    "port": N_("Port"),
    "security": N_("Encryption"),
    "username": N_("User name"),
    "password": N_("Password"),
    "auth_mechanism": N_("Sign-in method"),
    "address": N_("Sending address"),
    "sender_name": N_("Sender name"),
    "sender_format": N_("Sender name format"),
    "sender_policy": N_("When a mail names another sender"),
    "foreign_sender": N_("When a sender is none of its own"),
    "allowed_senders": N_("May also send as"),
    "reply_to": N_("Replies go to"),
    "timeout_seconds": N_("Time-out in seconds"),
    "max_connections": N_("Connections at once"),
    "pipelining": N_("Send several commands at once"),
    "ca_certificate": N_("Certificate of your own authority"),
    "certificate_fingerprint": N_("Fingerprint of the server's certificate"),
    "client_certificate": N_("Client certificate"),
    "client_key": N_("SSL key"),
    "enabled": N_("Used for sending"),
    "draft": N_("Draft"),
    "is_default": N_("Default server"),
    "position": N_("Place in the list"),
}

_CERTIFICATES = ("ca_certificate", "client_certificate")
#: The longest value that is shown whole.
_LENGTH = 300


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that was changed.

    :param old: what it was, in words; empty if only ``new`` is to be said.
    :param new: what it became, in words; for a secret, what was done with it.
    """

    label: str
    old: str
    new: str

    @property
    def text(self) -> str:
        """The change as one line."""
        if not self.old:
            return _("%(field)s: %(value)s", field=self.label, value=self.new)
        return _("%(field)s: %(old)s → %(new)s", field=self.label, old=self.old, new=self.new)


def field_changes(fields: Iterable[str], before: Mapping[str, Any], after: Mapping[str, Any]) -> list[FieldChange]:
    """Say what became of each field.

    :param before: the values that they had, as the history keeps them; a field that is missing is only named.
    """
    changed = set(fields)
    return [_change(name, before, after) for name in LABELS if name in changed]


def difference(before: ServerProfile, after: ServerProfile, fields: Iterable[str]) -> list[FieldChange]:
    """Say in which of some fields two versions of a server differ."""
    return field_changes(fields, values_of(before, fields), values_of(after, fields))


def told(values: Mapping[str, Any]) -> list[FieldChange]:
    """Say what a server that was added or removed was like: only what is not usual."""
    usual = values_of(ServerProfile(public_id="", name="", host="", port=0, security=Security.SSL, address=""))
    silent = {name for name in FIELDS if values.get(name, usual[name]) == usual[name]}
    # The encryption is always said, the name stands elsewhere, and a place in the list means nothing alone.
    silent = (silent | {"name", "position"}) - {"security"}
    shown = [name for name in LABELS if name in values and name not in silent]
    return [FieldChange(_(LABELS[name]), "", _told(name, values[name])) for name in shown]


def _told(name: str, value: Any) -> str:
    return _("stored") if name in SECRETS else value_words(name, value)


def _change(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> FieldChange:
    label = _(LABELS[name])
    if name in SECRETS or name not in before or name not in after:
        had, has = before.get(name, True), after.get(name, True)
        return FieldChange(label, "", _("changed") if had and has else _("set") if has else _("removed"))
    return FieldChange(label, value_words(name, before[name]), value_words(name, after[name]))


def value_words(name: str, value: Any) -> str:
    """Say the value of a field, as :func:`~..servers.history.values_of` gives it."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if name in _CERTIFICATES:
        return _certificates(str(value))
    if name == "position":
        return str(int(value) + 1)
    if name == "timeout_seconds":
        return f"{float(value):g}"
    if name == "security":
        return {"ssl": _("SSL"), "starttls": _("STARTTLS"), "none": _("not encrypted")}.get(str(value), str(value))
    if name in ("sender_policy", "foreign_sender"):
        options = policies() if name == "sender_policy" else foreign_senders()
        choices = {option.value: option.words for option in options}
        return choices.get(str(value), str(value))
    if name == "auth_mechanism" and not value:
        return _("automatic")
    if name == "max_connections" and not value:
        return _("as usual")
    if name == "provider":
        provider = state_of().catalog.provider(str(value))
        return provider.name if provider is not None else str(value) or "–"
    text = ", ".join(str(one) for one in value) if isinstance(value, list) else str(value)
    return (text if len(text) <= _LENGTH else f"{text[:_LENGTH]}…") or "–"


def _certificates(pem: str) -> str:
    facts = bundle_facts(pem) if pem else []
    if not facts:
        return "–" if not pem else _("one that cannot be read")
    first = facts[0]
    words = _(
        "%(subject)s (%(fingerprint)s)", subject=first.subject, fingerprint=canonical_fingerprint(first.fingerprint)
    )
    more = len(facts) - 1
    if not more:
        return words
    return ngettext("%(first)s and %(number)s more", "%(first)s and %(number)s more", more, first=words)
