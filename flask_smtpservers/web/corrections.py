"""Corrections on their way through a page: a button carries the fields and values, a form takes them over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import abort

from ..i18n import gettext as _
from ..smtp.endpoint import Security
from .forms import LABELS, place_of, whole

#: What a correction may change. ``keep_password_blanks`` is only ever taken back.
CORRECTABLE = ("host", "port", "security", "username", "address", "keep_password_blanks")


def proposal(correction: Mapping[str, Any]) -> tuple[str, str]:
    """Return the value and the words of the button that applies a correction; both empty if there is none."""
    fix = urlencode({name: str(value) for name, value in correction.items() if name in CORRECTABLE})
    return fix, _button(correction) if fix else ""


def _button(correction: Mapping[str, Any]) -> str:
    """Name the button of a correction after what it does."""
    host, port, security = (correction.get(name) for name in ("host", "port", "security"))
    if "keep_password_blanks" in correction:
        return _("Take the blanks off the password")
    if host and port and security:
        words = encryption_words(security)
        return _("Use %(host)s, port %(port)s with %(encryption)s", host=host, port=port, encryption=words)
    if host and port:
        return _("Use %(host)s, port %(port)s", host=host, port=port)
    if host and security:
        return _("Use %(host)s with %(encryption)s", host=host, encryption=encryption_words(security))
    if port and security:
        return _("Use port %(port)s with %(encryption)s", port=port, encryption=encryption_words(security))
    if port:
        return _("Use port %(port)s", port=port)
    if security:
        return _("Use %(encryption)s", encryption=encryption_words(security))
    if correction.get("address"):
        return _("Send as %(address)s", address=correction["address"])
    if correction.get("username"):
        return _("Sign in as %(username)s", username=correction["username"])
    return _("Use %(value)s", value=host or "")


def encryption_words(security: object) -> str:
    """Name an encryption as people know it."""
    return {"ssl": _("SSL"), "starttls": _("STARTTLS")}.get(str(security), _("no encryption"))


def correction_of(text: str) -> dict[str, str]:
    """Read the value of a correction's button.

    :raises HTTPException: 400, it is not one of ours.
    """
    try:
        found = {name: value for name, value in parse_qsl(text, max_num_fields=8) if name in CORRECTABLE}
    except ValueError:
        abort(400)
    port = whole(found.get("port", "1"), 5)
    if not found or port is None or found.get("security", "ssl") not in list(Security):
        abort(400)
    if found.get("keep_password_blanks", "0") != "0":
        abort(400)
    return found


def changes(correction: Mapping[str, str]) -> str:
    """Say what a correction changed: the fields as the page calls them, and their new values."""
    return ", ".join(_change(name, value) for name, value in correction.items())


def _change(name: str, value: str) -> str:
    if name == "security":
        return _("Encryption: %(value)s", value=encryption_words(value))
    if name == "keep_password_blanks":
        return _("the blanks around the password are taken off")
    return _("%(field)s: %(value)s", field=_(LABELS[place_of(name)]), value=value)
