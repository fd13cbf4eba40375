"""The offer to take the app's own ``MAIL_*`` server over, on a list that has no server yet."""

from __future__ import annotations

from collections.abc import Sequence

from flask import abort, current_app, redirect
from flask.typing import ResponseReturnValue

from .. import mail as hook
from ..errors import InvalidServer
from ..i18n import gettext as _
from ..permissions import APP, Action
from ..policy import Mode
from ..sending.adoption import adopt, can_adopt
from ..sending.builtin import BuiltIn
from ..servers.profile import ServerProfile
from ..state import state_of
from . import presenting
from .access import actor, allowed_quietly, protected, scope_of_request
from .links import link, place_in_list
from .rendering import tell
from .ways import offered

#: Whoever takes it over stores the operator's password, and sees the settings.
_ACTIONS = (Action.VIEW_SERVERS, Action.EDIT_SERVERS, Action.CHANGE_SECRETS)


def adoptable(profiles: Sequence[ServerProfile]) -> str:
    """Name the app's own server, host and port, if it can be taken over by the person of this request; else nothing.

    :param profiles: the stored servers: once there is one, nobody has to be told how to begin.
    """
    own = _own()
    if profiles or own is None or scope_of_request() != APP or not all(map(allowed_quietly, _ACTIONS)):
        return ""
    return presenting.place_of(own.host, own.port) if can_adopt(state_of(), own) else ""


@protected(*_ACTIONS)
@offered(Mode.OWN)
def adopt_builtin() -> ResponseReturnValue:
    """Store the app's own server as a draft, and go on to its test. A tenant cannot have the operator's password."""
    own, store = _own(), state_of().store
    if scope_of_request() != APP or own is None:
        abort(404)
    if store.servers():
        tell("warning", _("There is a server already, so nothing was taken over."))
        return redirect(link("list_servers"), 303)
    try:
        profile = adopt(state_of(), own, actor=actor())
    except InvalidServer as error:
        tell(
            "warning",
            _("The app's own server cannot be taken over."),
            *(s for said in error.fields.values() for s in said),
        )
        return redirect(link("list_servers"), 303)
    store.commit()
    text = _("“%(name)s” was taken over, with its password, as a draft. Test it, then activate it.", name=profile.name)
    tell("success", text)
    tell("notice", _("Until then mail goes out as before."))
    if not allowed_quietly(Action.TEST_SERVERS):
        return redirect(place_in_list(profile.public_id), 303)
    return redirect(link("test_server", server_id=profile.public_id), 303)


def _own() -> BuiltIn | None:
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    if hook.hook_status(app).state in (hook.HookState.NO_MAIL, hook.HookState.TEST_DOUBLE):
        return None
    return hook.builtin_of(app)
