"""The ways to send that are offered: the app's own server, one's own domain through it, servers of one's own.

What ``SMTPSERVERS_MODES`` hides is not to be reached by its address either; what must be asked for says whom to ask.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import ParamSpec

from flask import Response, abort, redirect, url_for
from flask.typing import ResponseReturnValue

from ..i18n import gettext as _
from ..permissions import APP, Action, Scope
from ..policy import Mode, ModeState
from ..servers.profile import ServerProfile
from ..state import state_of
from . import presenting
from .access import actor, allowed_quietly, protected, scope_of_request
from .builtin import Own
from .rendering import page, tell

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Way:
    """One way to send, as a choice.

    :param used: whether mail goes this way today.
    :param ask: whom to ask for it, as a sentence; empty if it can be had.
    :param button: what the button is called that chooses it; empty if there is nothing to press.
    :param post: whether the button changes something; otherwise it leads to a page.
    """

    label: str
    text: str
    used: bool
    ask: str
    button: str = ""
    url: str = ""
    post: bool = False


@dataclass(frozen=True, slots=True)
class Shared:
    """A server of the app that a tenant's mail may go through.

    :param place: host and port; empty for those who may not see the app's settings.
    """

    name: str
    is_default: bool
    place: str


def offered(mode: Mode) -> Callable[[Callable[P, ResponseReturnValue]], Callable[P, ResponseReturnValue]]:
    """Let a view run only while a way to send can be had in the scope of the request."""

    def decorate(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
            return refused(mode) or view(*args, **kwargs)

        return guarded

    return decorate


def refused(mode: Mode) -> Response | None:
    """Return the page that says whom to ask for a way to send; None if it can be had. A hidden one does not exist."""
    scope = scope_of_request()
    state = ModeState.ON if scope.owner else state_of().store.modes(scope=scope)[mode]
    if state is ModeState.ON:
        return None
    if state is ModeState.OFF:
        abort(404)
    return page(
        "problem.html",
        403,
        heading=_("This way to send is not enabled"),
        text=_whom_to_ask(),
        reason="",
        advice=_("Nothing was changed. Your servers and the other ways to send are on the list."),
    )


@protected(Action.EDIT_SERVERS)
@offered(Mode.BUILTIN)
def use_builtin() -> ResponseReturnValue:
    """Let mail that no server is for go through the app's own server: none of the scope's is the default then."""
    store, scope = state_of().store, scope_of_request()
    for profile in store.servers(scope=scope):
        if profile.is_default:
            store.edit(profile.public_id, {"is_default": False}, scope=scope, actor=actor())
    store.commit()
    tell("success", _("Mail that no other server is for goes out through the app's own server now."))
    return redirect(url_for("smtpservers.list_servers"), 303)


def ways(profiles: Sequence[ServerProfile], builtin: Own | None) -> list[Way]:
    """Return the choices; none if there is only one way, so nothing to choose.

    :param profiles: the scope's own servers.
    :param builtin: the app's own server, if mail may go through it.
    """
    scope = scope_of_request()
    states = state_of().store.modes(scope=scope)
    if scope == APP and states[Mode.DOMAIN] is ModeState.ASK:
        states[Mode.DOMAIN] = ModeState.OFF  # whoever looks after the app has nobody to ask
    found = [
        way
        for mode, make in ((Mode.BUILTIN, _builtin), (Mode.DOMAIN, _domain), (Mode.OWN, _own))
        if states[mode] is not ModeState.OFF
        for way in [make(profiles, builtin, _whom_to_ask() if states[mode] is ModeState.ASK else "")]
    ]
    return found if len(found) > 1 else []


def inherited(scope: Scope) -> list[ServerProfile]:
    """Return the app's servers that a tenant's mail may go through; none for the app itself."""
    return [one for one in state_of().store.servers(scope=APP) if one.usable] if scope.tenant else []


def shared(profiles: Sequence[ServerProfile]) -> list[Shared]:
    """Show the app's servers to a tenant: by name, and no more than the host allows."""
    seen = allowed_quietly(Action.VIEW_SERVERS, APP)
    places = [presenting.place_of(one.host, one.port) if seen else "" for one in profiles]
    return [Shared(one.name, one.is_default, place) for one, place in zip(profiles, places, strict=True)]


def destination(builtin: Own | None, from_app: Sequence[ServerProfile]) -> str:
    """Say where mail goes while the scope has no server of its own.

    :param from_app: the app's servers that a tenant's mail may go through.
    """
    for one in from_app:
        if one.is_default:
            return _("Mail goes out through the app's server “%(name)s”.", name=one.name)
    if builtin is None:
        return _("Mail is not being sent: there is no mail server yet.")
    if builtin.place:
        return _("Mail goes out through the app's own server %(server)s.", server=builtin.place)
    return _("Mail goes out through the app's own server.")


def _builtin(profiles: Sequence[ServerProfile], builtin: Own | None, ask: str) -> Way:
    text = _("Through the app's own server. There is nothing to set up.")
    if not state_of().settings.builtin_replies_read:
        text = _("%(text)s Replies are not read.", text=text)
    chosen = any(one.is_default for one in profiles)
    used = not ask and builtin is not None and not any(one.usable and one.is_default for one in profiles)
    button = _("Use it") if chosen and not ask and builtin is not None else ""
    return Way(_("Built-in"), text, used, ask, button, url_for("smtpservers.use_builtin"), post=True)


def _domain(profiles: Sequence[ServerProfile], builtin: Own | None, ask: str) -> Way:  # noqa: ARG001 - as the others
    text = _("From addresses at your own domain, through the app's own server.")
    return Way(_("Your own domain"), text, used=False, ask=ask or _ask_for_domain())


def _own(profiles: Sequence[ServerProfile], builtin: Own | None, ask: str) -> Way:  # noqa: ARG001 - as the others
    text = _("Through your own mail account, mail server or sending service.")
    used = any(one.usable for one in profiles)
    button = "" if ask else _("+ Add")
    return Way(_("Your own server"), text, used, ask, button, url_for("smtpservers.add_server"))


def _whom_to_ask() -> str:
    contact = state_of().settings.contact
    if contact:
        return _("Ask %(contact)s to enable it for you.", contact=contact)
    return _("Ask your administrator to enable it for you.")


def _ask_for_domain() -> str:
    contact = state_of().settings.contact
    if contact:
        return _("Ask %(contact)s to set up your domain.", contact=contact)
    return _("Ask your administrator to set up your domain.")
