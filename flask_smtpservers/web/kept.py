"""Secrets that were typed but not saved yet: kept encrypted for a few minutes, so that nobody types them twice.

They come back only for the same server, or for another of the same provider: whoever sits down at an open page
must not be able to send somebody's password to a server of his own.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from ..errors import StoreUnavailable
from ..providers import catalog
from ..secret import Secret
from ..smtp.endpoint import Security
from ..state import state_of
from .access import binding
from .forms import ServerForm

logger = logging.getLogger("flask_smtpservers")

_NAMES = ("password", "client_key")


def keep(form: ServerForm, secrets: Mapping[str, Secret]) -> None:
    """Keep ``secrets`` for the next request of this form; its hidden field gets the ticket for them."""
    if not secrets:
        form.set("draft", "")
        return
    place = {"host": _host(form), "security": form.security, "provider": form.text("provider")}
    state = state_of()
    try:
        form.set("draft", state.drafts.keep({**secrets, **place}, binding=binding()))
        state.store.commit()
    except StoreUnavailable as error:
        logger.warning("a typed password could not be kept for the next page: %s", error)
        form.set("draft", "")


def recall(form: ServerForm) -> dict[str, Secret]:
    """Return what the form's draft holds, as far as it may be used for what the form says now."""
    draft = form.text("draft")
    if not draft:
        return {}
    try:
        values = state_of().drafts.take(draft, binding=binding())
    except StoreUnavailable as error:
        logger.warning("a kept password could not be read: %s", error)
        return {}
    if values is None or not _same_place(values, form):
        return {}
    found = {name: values.get(name) for name in _NAMES}
    return {name: value for name, value in found.items() if isinstance(value, Secret)}


def forget(form: ServerForm) -> None:
    """Throw the draft away once its values are saved."""
    draft = form.text("draft")
    state = state_of()
    if draft:
        try:
            state.drafts.forget(draft)
            state.store.commit()
        except StoreUnavailable as error:
            logger.warning("a kept password could not be removed; it expires by itself: %s", error)


def _same_place(values: Mapping[str, object], form: ServerForm) -> bool:
    host, was = _host(form), str(values.get("host", ""))
    if form.security == Security.NONE and values.get("security") != Security.NONE:
        return False
    if host == was:
        return bool(host)
    provider = catalog.provider(str(values.get("provider", "")))
    return provider is not None and {host, was} <= set(provider.hosts)


def _host(form: ServerForm) -> str:
    return form.text("host").strip().lower()
