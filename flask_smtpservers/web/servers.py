"""The list of servers, and the buttons on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from flask import Response, abort, redirect, request
from flask.typing import ResponseReturnValue

from ..errors import InvalidServer, ServerChanged
from ..i18n import gettext as _
from ..permissions import Action
from ..secret import Secret
from ..servers.profile import ServerProfile
from ..state import state_of
from . import adopting, builtin, dates, presenting, ways
from .access import actor, allowed_quietly, protected, scope_of_request
from .forms import whole
from .links import link, place_in_list
from .rendering import page, tell
from .status import smtp_status

#: From how many servers on the list has a filter, and how many stand on one page of it.
FILTER_FROM, PAGE = 9, 100


@protected(Action.VIEW_SERVERS)
def list_servers() -> ResponseReturnValue:
    """Show all servers, in the order in which they are tried."""
    store, scope = state_of().store, scope_of_request()
    profiles = store.servers(scope=scope)
    if not profiles and store.missing_tables():
        return page("list.html", heading=_("SMTP Servers"), tables_missing=True, servers_exist=False)
    sending = store.sending_enabled(scope=scope)
    sought = request.args.get("find", "").strip()[:100]
    found = presenting.matching(profiles, sought)
    paging = _paging(found, sought)
    rows = presenting.rows(
        found[paging.first : paging.first + PAGE],
        among=profiles,
        now=datetime.now(UTC),
        waiting=store.waiting_ids(scope=scope),
    )
    from_app = ways.inherited(scope)
    own = builtin.of(profiles, from_app)
    return page(
        "list.html",
        heading=_("SMTP Servers"),
        tables_missing=False,
        sending=sending,
        all_off=smtp_status().off not in (None, scope),
        servers_exist=bool(profiles),
        total=len(profiles),
        filterable=len(profiles) >= FILTER_FROM,
        sought=sought,
        found=len(found),
        rows=rows,
        paging=paging,
        builtin=own,
        destination=ways.destination(own, from_app),
        adoptable=adopting.adoptable(profiles),
        ways=ways.ways(profiles, own),
        shared=ways.shared(from_app),
        asks_network=state_of().finder.asks_network,
        asks_service=state_of().finder.asks_service,
    )


@dataclass(frozen=True, slots=True)
class _Paging:
    """Which part of a long list is shown.

    :param first: the index of its first server.
    :param before: the address of the part before it, or empty; ``after`` alike.
    """

    first: int
    before: str
    after: str


def _paging(found: Sequence[ServerProfile], sought: str) -> _Paging:
    """Choose the part that the address asks for: by its number, or by a server that must be on it (``at``)."""
    at = request.args.get("at", "")
    place = next((place for place, one in enumerate(found) if at and one.public_id == at), None)
    last = max(0, (len(found) - 1) // PAGE)
    number = place // PAGE if place is not None else (whole(request.args.get("page", ""), 6) or 1) - 1
    number = min(max(0, number), last)

    def address(of: int) -> str:
        return link("list_servers", page=of + 1, find=sought or None)

    return _Paging(number * PAGE, address(number - 1) if number else "", address(number + 1) if number < last else "")


@protected(Action.EDIT_SERVERS)
def enable_server(server_id: str) -> ResponseReturnValue:
    """Let mail go through a server."""
    profile = state_of().store.get(server_id, scope=scope_of_request())
    state_of().store.set_enabled(server_id, True, scope=scope_of_request(), actor=actor())
    if profile.draft:
        return _done(_("“%(name)s” is active: it is used for sending now.", name=profile.name), server_id)
    return _done(_("“%(name)s” is used for sending again.", name=profile.name), server_id)


@protected(Action.EDIT_SERVERS)
def pause_server(server_id: str) -> ResponseReturnValue:
    """Let no mail go through a server."""
    profile = state_of().store.get(server_id, scope=scope_of_request())
    state_of().store.set_enabled(server_id, False, scope=scope_of_request(), actor=actor())
    return _done(_("“%(name)s” is paused: no mail goes through it.", name=profile.name), server_id)


@protected(Action.EDIT_SERVERS)
def default_server(server_id: str) -> ResponseReturnValue:
    """Make a server the default."""
    profile = state_of().store.get(server_id, scope=scope_of_request())
    try:
        state_of().store.make_default(server_id, scope=scope_of_request(), actor=actor())
    except InvalidServer as error:  # the list is older than somebody's "Pause"
        tell("warning", *(sentence for found in error.fields.values() for sentence in found))
        return redirect(place_in_list(server_id), 303)
    return _done(_("“%(name)s” is the default server now.", name=profile.name), server_id)


@protected(Action.EDIT_SERVERS)
def move_server(server_id: str) -> ResponseReturnValue:
    """Move a server one place up or down."""
    if request.form.get("direction") not in ("up", "down"):
        abort(400)
    profile = state_of().store.get(server_id, scope=scope_of_request())
    up = request.form["direction"] == "up"
    state_of().store.move(server_id, -1 if up else 1, scope=scope_of_request(), actor=actor())
    moved = _("“%(name)s” was moved up.") if up else _("“%(name)s” was moved down.")
    return _done(moved % {"name": profile.name}, server_id)


@protected(Action.SWITCH_SENDING)
def switch_sending() -> ResponseReturnValue:
    """Turn sending on or off for the whole app."""
    if request.form.get("on") not in ("0", "1"):
        abort(400)
    on = request.form["on"] == "1"
    state_of().store.switch_sending(on, scope=scope_of_request(), actor=actor())
    return _done(_("Sending is switched on.") if on else _("Sending is switched off: no mail leaves this app."))


@protected(Action.EDIT_SERVERS)
def remove_server(server_id: str) -> ResponseReturnValue:
    """Ask before a server is removed, saying what used it; then remove it."""
    store = state_of().store
    profiles = store.servers(scope=scope_of_request())
    profile = store.get(server_id, scope=scope_of_request())
    if profile.owner and profile.suspended:  # its user would add it again, and go on
        tell("warning", _("“%(name)s” is suspended by an administrator, so it cannot be removed.", name=profile.name))
        return redirect(place_in_list(server_id), 303)
    if request.method == "POST":
        store.remove(server_id, scope=scope_of_request(), actor=actor())
        return _done(_("“%(name)s” was removed.", name=profile.name))
    others = [one for one in profiles if one.public_id != profile.public_id]
    own = builtin.of(profiles)
    return page(
        "remove.html",
        heading=_("Remove “%(name)s”?", name=profile.name),
        row=presenting.row(profile, now=datetime.now(UTC)),
        uses=presenting.uses(profile, others, builtin=own.place if own is not None else ""),
    )


@protected(Action.EDIT_SERVERS, Action.CHANGE_SECRETS)
def change_password(server_id: str) -> ResponseReturnValue:
    """Set or remove the password of a server; nothing else is touched."""
    profile = state_of().store.latest(server_id, scope=scope_of_request())
    if request.method != "POST":
        return _password_page(profile)
    remove = "remove" in request.form
    typed = request.form.get("smtp_secret", "")
    if not remove and not typed:
        return _password_page(profile, errors=[_("Enter the new password.")], status=422)
    changes: dict[str, object] = {"password": None if remove else Secret(typed)}
    if request.form.get("keep_blanks"):
        changes["keep_password_blanks"] = True
    version = request.form.get("version", "")
    try:
        saved = state_of().store.propose(
            server_id,
            changes,
            version=(whole(version, 9) or 0) if version else None,
            scope=scope_of_request(),
            actor=actor(),
        )
    except InvalidServer as error:
        sentences = [sentence for found in error.fields.values() for sentence in found]
        return _password_page(profile, errors=sentences, status=422)
    except ServerChanged:
        changed = _("Somebody else saved this server meanwhile. Nothing was changed; enter the password again.")
        latest = state_of().store.latest(server_id, scope=scope_of_request())
        return _password_page(latest, errors=[changed], status=409)
    state_of().store.commit()
    if saved.waiting is not None:
        tell("success", _("This is saved, and waits for a test: until it has passed, mail goes out as before."))
    else:
        tell("success", _("The password was removed.") if remove else _("The password was changed."))
    tell("notice", *saved.notices)
    return redirect(link("edit_server", server_id=server_id), 303)


def _password_page(profile: ServerProfile, *, errors: list[str] | None = None, status: int = 200) -> Response:
    at = profile.password_changed_at
    return page(
        "password.html",
        status,
        heading=_("Change password") if profile.has_password else _("Set password"),
        profile=profile,
        errors=errors or [],
        provider=presenting.provider_of(profile),
        saved=_("Saved %(day)s", day=dates.day(at)) if at is not None else "",
    )


def _done(text: str, server_id: str = "") -> ResponseReturnValue:
    """Commit, say what was done, and go back to where it was done."""
    state_of().store.commit()
    tell("success", text)
    shown = server_id and allowed_quietly(Action.VIEW_SERVERS)
    return redirect(place_in_list(server_id) if shown else link("list_servers"), 303)
