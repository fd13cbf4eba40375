"""What each server is used for: the server of each kind of mail, and by which rules all other mail finds its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue

from ..errors import ServerNotFound
from ..i18n import gettext as _
from ..permissions import APP, Action
from ..policy import Kind
from ..sending.matching import Question, fault_of
from ..servers.profile import ServerEvent, ServerProfile
from ..state import state_of
from . import dates
from .access import actor, allowed_quietly, protected, scope_of_request
from .rendering import page, tell
from .rules import Known, known_servers, rules

#: How a developer names kinds of mail and says them.
_EXAMPLE = """\
SMTPSERVERS_KINDS = {"receipts": "Receipts", "news": {"label": "Newsletters", "bulk": True}}

with smtp.using(kind="receipts"):
    mail.send(message)"""


@dataclass(frozen=True, slots=True)
class Option:
    """A server to choose.

    :param note: why it would take no mail now; empty if it would.
    """

    id: str
    name: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class KindRow:
    """A kind of mail and its server.

    :param chosen: the id of the server; empty if the other rules decide.
    :param was: what was assigned when the page was made.
    :param absent: what stands for a chosen server of the whole app that cannot send now, and so is not named.
    :param else_words: what happens where none is chosen here.
    """

    id: str
    label: str
    note: str
    chosen: str
    was: str
    server: str
    absent: str
    else_words: str
    changed: str
    warning: str
    url: str


@protected(Action.VIEW_SERVERS)
def used_for() -> ResponseReturnValue:
    """Show which mail goes through which server, and why."""
    return _show(known_servers())


@protected(Action.VIEW_SERVERS, Action.ASSIGN_KINDS)
def assign_kinds() -> ResponseReturnValue:
    """Assign the kinds of mail whose server was changed on the page; the others are left alone."""
    store, scope = state_of().store, scope_of_request()
    now = store.kinds(scope=scope)
    wanted: dict[str, str] = {}
    for kind in state_of().settings.kinds:
        chosen, was = request.form.get(f"kind-{kind}"), request.form.get(f"was-{kind}")
        if chosen is not None and chosen != was and chosen != now.get(kind, ""):
            wanted[kind] = chosen
    overtaken = [kind for kind in wanted if request.form.get(f"was-{kind}") != now.get(kind, "")]
    known = known_servers()
    if overtaken:
        return _show(known, chosen=wanted, overtaken=overtaken, status=409)
    if any(chosen and chosen not in known.names for chosen in wanted.values()):
        return _show(known, gone=True, status=422)
    try:
        for kind, chosen in wanted.items():
            store.assign_kind(kind, chosen or None, scope=scope, actor=actor())
    except ServerNotFound:
        return _show(known_servers(), gone=True, status=422)
    store.commit()
    tell("success", *(_done(kind, wanted[kind], known) for kind in wanted))
    if not wanted:
        tell("notice", _("Nothing was changed."))
    return redirect(url_for("smtpservers.used_for"), 303)


def _done(kind: str, chosen: str, known: Known) -> str:
    label = state_of().settings.kinds[kind].label
    if not chosen:
        return _("“%(kind)s” goes by the other rules.", kind=label)
    return _("“%(kind)s” goes through “%(name)s”.", kind=label, name=known.names[chosen].name)


def _show(
    known: Known,
    *,
    chosen: Mapping[str, str] | None = None,
    overtaken: Iterable[str] = (),
    gone: bool = False,
    status: int = 200,
) -> ResponseReturnValue:
    kinds = state_of().settings.kinds
    scope = scope_of_request()
    events = state_of().store.kind_events(scope=scope) if kinds else {}
    now = state_of().store.kinds(scope=scope) if kinds else {}
    apps = state_of().store.kinds(scope=APP) if kinds and scope.tenant is not None else {}
    notices = [_overtaken(kinds[one], now.get(one, ""), events.get(one), known) for one in overtaken]
    if gone:
        notices.append(_("The server that you chose does not exist any more. Nothing was changed."))
    return page(
        "used_for.html",
        status,
        heading=_("What each server is used for"),
        notices=notices,
        may_assign=allowed_quietly(Action.ASSIGN_KINDS),
        kinds=[
            _kind_row(kind, now.get(kind.id, ""), (chosen or {}).get(kind.id), apps, events.get(kind.id), known)
            for kind in kinds.values()
        ],
        options=_options(known.own),
        inherited=_options(known.inherited),
        rules=list(rules(known)),
        example=_EXAMPLE,
        servers_exist=bool(known.own or known.inherited),
    )


def _options(servers: Iterable[ServerProfile]) -> list[Option]:
    return [Option(server.public_id, server.name, "" if server.usable else _state(server)) for server in servers]


def _state(server: ServerProfile) -> str:
    if server.draft:
        return _("draft")
    return _("suspended") if server.suspended else _("paused")


def _kind_row(
    kind: Kind, now: str, chosen: str | None, apps: Mapping[str, str], event: ServerEvent | None, known: Known
) -> KindRow:
    chosen = now if chosen is None else chosen
    server = known.names.get(chosen)
    note, warning = "", ""
    if kind.bulk:
        note = _("Mail to many: it never goes through a user's own server.")
    elif kind.personal and state_of().settings.personal:
        note = _("Users write it: it goes through the user's own server, where there is one.")
    if server is not None and not server.usable:
        fault = fault_of(server, Question())
        warning = _(
            "“%(name)s” cannot send. %(fault)s Meanwhile the rules below decide.", name=server.name, fault=fault
        )
    absent = ""
    if chosen and server is None:
        absent = _("A server of the whole app that cannot send now")
        warning = _("The rules below decide meanwhile.")
    inherited = known.names.get(apps.get(kind.id, ""))
    otherwise = _("Chosen by the rules below")
    if inherited is not None:
        otherwise = _("As for the whole app: “%(name)s”", name=inherited.name)
    return KindRow(
        id=kind.id,
        label=kind.label,
        note=note,
        chosen=chosen,
        was=now,
        server=server.name if server is not None else absent or otherwise,
        absent=absent,
        else_words=otherwise,
        changed=_changed(event),
        warning=warning,
        url=url_for("smtpservers.which_server", kind=kind.id),
    )


def _changed(event: ServerEvent | None) -> str:
    if event is None:
        return ""
    when = dates.ago(event.at, now=datetime.now(UTC))
    return (
        _("Changed %(when)s by %(name)s", when=when, name=event.actor)
        if event.actor
        else _("Changed %(when)s", when=when)
    )


def _overtaken(kind: Kind, now: str, event: ServerEvent | None, known: Known) -> str:
    server = known.names.get(now)
    who = event.actor if event is not None and event.actor else _("somebody else")
    if server is None:
        text = _("Meanwhile %(who)s left “%(kind)s” to the other rules.", who=who, kind=kind.label)
    else:
        text = _("Meanwhile %(who)s chose “%(name)s” for “%(kind)s”.", who=who, name=server.name, kind=kind.label)
    return text + " " + _("Nothing was saved yet: press Save again to replace that with your choice.")
