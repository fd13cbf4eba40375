"""Taking the app's own ``MAIL_*`` server over into the stored ones, where it can be managed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import InvalidServer, MessageRefused
from ..mailbox import Mailbox
from ..servers.profile import ServerProfile
from .builtin import BuiltIn
from .sender import read_sender

if TYPE_CHECKING:
    from ..state import AppState


def adopted_fields(own: BuiltIn, name: str = "") -> dict[str, Any]:
    """Make the fields of a server of what the ``MAIL_*`` settings say, as a draft that sends nothing yet.

    :param name: what it is called; the host if empty.
    """
    sender = _sender(own)
    signs_in = own.username and own.password  # as in Flask-Mail: one without the other is not used
    fields: dict[str, Any] = {
        "name": name,
        "host": own.host,
        "port": own.port,
        "security": own.security.value,
        "username": own.username if signs_in else "",
        "address": sender.address if sender is not None else own.username if "@" in own.username else "",
        "sender_name": sender.name if sender is not None else "",
        "draft": True,
    }
    if signs_in:
        fields |= {"password": own.password, "keep_password_blanks": True}
    return fields


def can_adopt(state: AppState, own: BuiltIn) -> bool:
    """Say whether a server can be made of the ``MAIL_*`` settings under the rules for stored ones."""
    try:
        state.store.cleaned(adopted_fields(own))
    except InvalidServer:
        return False
    return True


def adopt(state: AppState, own: BuiltIn, *, name: str = "", actor: str = "") -> ServerProfile:
    """Store the server of the ``MAIL_*`` settings, with its password, as a draft.

    :raises InvalidServer: it breaks the rules for stored servers; nothing was written.
    """
    return state.store.add(adopted_fields(own, name), actor=actor).profile


def _sender(own: BuiltIn) -> Mailbox | None:
    """Read the app's default sender; one that is computed may want a request, so it is not asked."""
    if callable(own.default_sender):
        return None
    try:
        return read_sender(own.default_sender)
    except MessageRefused:
        return None
