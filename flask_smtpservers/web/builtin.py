"""The app's own ``MAIL_*`` server, as the list shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import current_app

from .. import mail as hook
from ..errors import MessageRefused
from ..i18n import gettext as _
from ..permissions import APP, Action
from ..policy import Mode, ModeState
from ..sending.sender import read_sender
from ..servers.profile import ServerProfile
from ..smtp.endpoint import Security
from ..state import state_of
from . import presenting
from .access import allowed_quietly, scope_of_request


@dataclass(frozen=True, slots=True)
class Own:
    """The read-only row.

    :param place: host and port; empty for those who may not see the app's settings.
    :param use: when it is used, as a sentence.
    :param replies_read: whether anybody reads what is sent back to it.
    """

    place: str
    security: str
    encrypted: bool
    sender: str
    use: str
    replies_read: bool


def of(profiles: Sequence[ServerProfile], from_app: Sequence[ServerProfile] = ()) -> Own | None:
    """Return the app's own server; None if it may not be used, or if something else stands in Flask-Mail's place.

    :param profiles: the stored servers of the scope, which decide what is left for it.
    :param from_app: the app's servers that a tenant's mail may go through as well.
    """
    scope = scope_of_request()
    if state_of().store.modes(scope=scope)[Mode.BUILTIN] is not ModeState.ON:
        return None
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    if hook.hook_status(app).state in (hook.HookState.NO_MAIL, hook.HookState.TEST_DOUBLE):
        return None
    own = hook.builtin_of(app)
    return Own(
        place=presenting.place_of(own.host, own.port) if allowed_quietly(Action.VIEW_SERVERS, APP) else "",
        security=presenting.security_words(own.security),
        encrypted=own.security is not Security.NONE,
        sender=_sender(own.default_sender),
        use=_use([*profiles, *from_app]),
        replies_read=state_of().settings.builtin_replies_read,
    )


def _use(profiles: Sequence[ServerProfile]) -> str:
    if any(one.usable and one.is_default for one in profiles):
        return _("Not used at the moment: the default server takes all mail that no other one claims.")
    if any(one.usable for one in profiles):
        return _("Used for mail from addresses and domains that no server above has, because none is the default.")
    return _("Used for all mail, because no other server is in use.")


def _sender(sender: object) -> str:
    """Write the app's default sender; one that is computed is not asked for here."""
    if callable(sender):
        return ""
    try:
        return str(read_sender(sender) or "")
    except MessageRefused:
        return str(sender)
