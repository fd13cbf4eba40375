"""Who changed what and when: for one server and for all, and the way back to what stood before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from flask import abort, request
from flask.typing import ResponseReturnValue

from ..errors import ServerNotFound
from ..i18n import N_
from ..i18n import gettext as _
from ..permissions import Action
from ..policy import Mode
from ..servers.history import SECRETS, restored
from ..servers.profile import DESTINATION_FIELDS, FIELDS, ServerEvent, ServerProfile
from ..state import state_of
from . import dates
from .access import allowed_quietly, protected, scope_of_request
from .changes import FieldChange, difference, field_changes, told
from .form_page import show
from .forms import whole
from .links import link
from .rendering import page
from .sheet import Sheet, stored

#: How many entries a page has.
PAGE = 30

#: What was done, for a server.
_SERVER = {
    "added": N_("“%(name)s” was added"),
    "edited": N_("“%(name)s” was changed"),
    "password": N_("“%(name)s” got another password"),
    "removed": N_("“%(name)s” was removed"),
    "enabled": N_("“%(name)s” was put to use"),
    "paused": N_("“%(name)s” was paused"),
    "default": N_("“%(name)s” became the default server"),
    "moved": N_("“%(name)s” was moved in the list"),
    "suspended": N_("“%(name)s” was suspended"),
    "resumed": N_("“%(name)s” may send again"),
    "verified": N_("The sending address of “%(name)s” was proved"),
    "waiting": N_("A change of “%(name)s” was saved; it waits for its test"),
    "activated": N_("The change of “%(name)s” passed its test and is used"),
    "forced": N_("The change of “%(name)s” is used without having passed a test"),
    "discarded": N_("The change of “%(name)s” that waited was dropped"),
}
#: What was done for the whole scope.
_SCOPE = {
    "sending_on": N_("Sending was switched on"),
    "sending_off": N_("Sending was switched off"),
}
_MODE = {
    "mode_on": N_("The way to send “%(way)s” was switched on"),
    "mode_off": N_("The way to send “%(way)s” was switched off"),
    "mode_usual": N_("The way to send “%(way)s” is as usual again"),
}
_WAYS = {
    Mode.BUILTIN: N_("the app's own server"),
    Mode.DOMAIN: N_("own domain through the app's server"),
    Mode.OWN: N_("own server"),
}

#: After these there are older settings to go back to.
_BACK = ("edited", "activated", "forced")


@dataclass(frozen=True, slots=True)
class Entry:
    """One change.

    :param actor: who made it; empty if the app names nobody, or it came from a program.
    :param folded: whether the fields are shown on request only: all of a server, and no change.
    :param back_url: where the settings from before it are put into the form; empty if there are none.
    :param back: what the link says.
    """

    clock: str
    stamp: str
    title: str
    actor: str
    changes: tuple[FieldChange, ...]
    folded: bool
    back_url: str = ""
    back: str = ""


@dataclass(frozen=True, slots=True)
class Day:
    """The changes of one day, the newest first."""

    title: str
    entries: tuple[Entry, ...]


@protected(Action.VIEW_HISTORY)
def show_history() -> ResponseReturnValue:
    """Show the changes of all servers, and of what is switched for all."""
    return _show(None, _("History"))


@protected(Action.VIEW_HISTORY)
def server_history(server_id: str) -> ResponseReturnValue:
    """Show the changes of one server, also of one that was removed."""
    newest = state_of().store.history(server_id, limit=1, scope=scope_of_request())
    if not newest:
        state_of().store.get(server_id, scope=scope_of_request())  # else there is none, and never was
    live = _live(server_id)
    name = live.name if live is not None else newest[0].server_name
    return _show(server_id, _("History of “%(name)s”", name=name))


@protected(Action.EDIT_SERVERS, Action.VIEW_HISTORY)
def restore_server(server_id: str, entry: int) -> ResponseReturnValue:
    """Put the settings from before a change into the form; nothing is saved, and no secret comes back."""
    store, scope = state_of().store, scope_of_request()
    values = store.values_before(server_id, entry, scope=scope)
    if values is None:
        abort(404)
    try:
        base = store.latest(server_id, scope=scope)
    except ServerNotFound:
        return show(_added_again(values))
    return show(_brought_back(base, restored(values, base)))


def _added_again(values: Mapping[str, Any]) -> Sheet:
    sheet = stored(restored(values, None))
    sheet.profile = None
    sheet.notices.append(_("These are the settings of the server that was removed. Nothing is saved yet."))
    if any(values.get(name) for name in SECRETS):
        sheet.notices.append(_("Its secrets were deleted with it, so enter them again."))
    return sheet


def _brought_back(base: ServerProfile, wanted: ServerProfile) -> Sheet:
    """Fill the form with older settings; the password goes along only if it stays at its destination."""
    sheet = stored(wanted)
    sheet.profile = base
    names = [name for name in FIELDS if getattr(base, name) != getattr(wanted, name)]
    sheet.coming_back = difference(base, wanted, names)
    if not names:
        sheet.notices.append(_("The settings are as they were then already."))
    if base.has_password and wanted.username and not set(DESTINATION_FIELDS).isdisjoint(names):
        sheet.password_demanded = True
        sheet.notices.append(_("The stored password was given for another place: enter the one that belongs here."))
    return sheet


def _show(server_id: str | None, heading: str) -> ResponseReturnValue:
    number = whole(request.args.get("page", "1"), 4) or 1
    found = state_of().store.history(server_id, limit=PAGE + 1, offset=(number - 1) * PAGE, scope=scope_of_request())
    live = {profile.public_id for profile in state_of().store.servers(scope=scope_of_request())}
    return page(
        "history.html",
        heading=heading,
        days=list(_days(found[:PAGE], live)),
        kept_days=state_of().settings.history_days,
        all_url=link("show_history") if server_id is not None else "",
        newer=_url(server_id, number - 1) if number > 1 else "",
        older=_url(server_id, number + 1) if len(found) > PAGE else "",
    )


def _url(server_id: str | None, number: int) -> str:
    if server_id is None:
        return link("show_history", page=number)
    return link("server_history", server_id=server_id, page=number)


def _days(events: Sequence[ServerEvent], live: set[str]) -> Iterator[Day]:
    now = datetime.now(UTC)
    may_edit = allowed_quietly(Action.EDIT_SERVERS)
    for day, found in groupby(events, key=lambda event: event.at.date()):
        title = dates.full_day(day)
        if day == now.date():
            title = _("Today, %(day)s", day=title)
        yield Day(title, tuple(_entry(event, event.server_id in live, may_edit) for event in found))


def _entry(event: ServerEvent, exists: bool, may_edit: bool) -> Entry:
    url = back = ""
    known = event.before.keys() >= set(event.fields)
    if may_edit and known and exists and event.action in _BACK:
        back = _("Restore what stood before")
    elif may_edit and event.action == "removed" and event.before and not exists:
        back = _("Add it again")
    if back:
        url = link("restore_server", server_id=event.server_id, entry=event.id)
    return Entry(
        clock=_("%(time)s UTC", time=f"{event.at:%H:%M}"),
        stamp=f"{event.at:%Y-%m-%dT%H:%M:%SZ}",
        title=title_of(event),
        actor=event.actor,
        changes=tuple(changes_of(event)),
        folded=event.action in ("added", "removed"),
        back_url=url,
        back=back,
    )


def title_of(event: ServerEvent) -> str:
    """Say what an entry is about, in one sentence."""
    first = event.fields[0] if event.fields else ""
    if event.action == "kind":
        kind = state_of().settings.kinds.get(first)
        label = kind.label if kind is not None else first
        if event.server_id:
            return _("“%(kind)s” goes through “%(name)s”", kind=label, name=event.server_name)
        return _("“%(kind)s” goes through no server in particular", kind=label)
    if event.action in _MODE:
        way = next((_(words) for mode, words in _WAYS.items() if mode == first), first)
        return _(_MODE[event.action], way=way)
    if event.action in _SCOPE:
        return _(_SCOPE[event.action])
    return _(_SERVER.get(event.action, _SERVER["edited"]), name=event.server_name)


def changes_of(event: ServerEvent) -> list[FieldChange]:
    """Say what became of each field; of a server that was added or removed, what it was like."""
    if event.action in ("added", "removed"):
        return told(event.after or event.before)
    if event.action in _SERVER and event.action not in ("default", "enabled", "paused", "password"):
        return field_changes(event.fields, event.before, event.after)
    rest = [name for name in event.fields if name not in ("is_default", "enabled", "draft", "password")]
    return field_changes(rest, event.before, event.after) if event.action in _SERVER else []


def _live(server_id: str) -> ServerProfile | None:
    try:
        return state_of().store.get(server_id, scope=scope_of_request())
    except ServerNotFound:
        return None
