"""Which server would send this? One describes a mail, and reads what would become of it. Nothing is sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from flask import request
from flask.typing import ResponseReturnValue

from .. import mail as hook
from ..errors import MessageRefused
from ..i18n import gettext as _
from ..permissions import Action, Scope
from ..sending.choice import Choice
from ..sending.explanation import Explanation, rule_words
from ..sending.routing import Rule
from ..sending.sender import read_recipient, read_sender
from ..servers.profile import ServerProfile
from ..state import state_of
from .access import allowed_quietly, protected, scope_of_request
from .links import link
from .rendering import page
from .seen import Seen, seen_as

#: Longer than anything that can be meant.
_MOST = 1000


@dataclass(slots=True)
class Entry:
    """A field of the form."""

    name: str
    data: str = ""
    errors: list[str] = field(default_factory=list)


class Inquiry:
    """What was asked: a mail, described."""

    def __init__(self) -> None:
        self.entries = {name: Entry(name) for name in ("sender", "to", "kind", "owner", "tenant", "using")}

    def __getitem__(self, name: str) -> Entry:
        return self.entries[name]

    def text(self, name: str) -> str:
        """Return what stands in a field."""
        return self[name].data

    @property
    def faulty(self) -> bool:
        """Whether a field has a message."""
        return any(entry.errors for entry in self.entries.values())

    @property
    def unusual(self) -> bool:
        """Whether a field is used that is seldom needed."""
        return any(self[name].data or self[name].errors for name in ("owner", "tenant", "using"))


@dataclass(frozen=True, slots=True)
class Line:
    """One rule, and how it went.

    :param state: ``decided``, ``passed`` or ``idle`` (not reached).
    :param others: why the other servers that it fits were not taken.
    """

    state: str
    title: str
    text: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What would become of the mail.

    :param kind: ``success``, or ``warning`` if it would not be sent.
    :param text: why this server.
    :param obstacle: why it would not be sent; empty if it would.
    :param url: where the server can be changed; empty if it may not be, or is the app's own.
    """

    kind: str
    title: str
    text: str
    obstacle: str
    lines: tuple[Line, ...]
    seen: Seen | None
    url: str = ""


@protected(Action.EXPLAIN_ROUTES)
def which_server() -> ResponseReturnValue:
    """Answer for the mail that is described; at first for one that says nothing of its own."""
    asked = _posted() if request.method == "POST" else _linked()
    found = None if asked.faulty else _explanation(asked)
    settings, scope = state_of().settings, scope_of_request()
    return page(
        "which_server.html",
        422 if asked.faulty else 200,
        heading=_("Which server would send this?"),
        asked=asked,
        kinds=[("", _("None in particular")), *((kind.id, kind.label) for kind in settings.kinds.values())],
        personal=settings.personal,
        tenants=(state_of().has_tenants and scope.tenant is None) or bool(asked["tenant"].errors),
        answer=_answer(found) if found is not None else None,
    )


def _posted() -> Inquiry:
    asked = Inquiry()
    for name, entry in asked.entries.items():
        entry.data = request.form.get(name, "").strip()
        if len(entry.data) > _MOST:
            entry.data = entry.data[:_MOST]
            entry.errors.append(_("This is too long."))
    _check(asked)
    return asked


def _linked() -> Inquiry:
    """Fill in what a link names: a kind of mail, or a server, whose sending address is then asked about."""
    asked = Inquiry()
    if request.args.get("kind") in state_of().settings.kinds:
        asked["kind"].data = request.args["kind"]
    if "server" in request.args:
        asked["sender"].data = state_of().store.get(request.args["server"], scope=scope_of_request()).address
    return asked


def _check(asked: Inquiry) -> None:
    for name, read in (("sender", read_sender), ("to", read_recipient)):
        try:
            if asked.text(name):
                read(asked.text(name))
        except MessageRefused as error:
            asked[name].errors.append(str(error))
    if asked.text("kind") and asked.text("kind") not in state_of().settings.kinds:
        asked["kind"].errors.append(_("There is no such kind of mail."))
    tenant = asked.text("tenant")
    if tenant and not (
        scope_of_request().tenant is None and allowed_quietly(Action.EXPLAIN_ROUTES, Scope(tenant=tenant))
    ):
        asked["tenant"].errors.append(_("You cannot ask about this tenant."))


def _explanation(asked: Inquiry) -> Explanation | None:
    """Ask as a program would. It names user and tenant, or says that there is none: the person here does not count."""
    recipients = [asked.text("to")] if asked.text("to") else []
    said = Choice(
        name=asked.text("using") or None,
        kind=asked.text("kind") or None,
        owner=asked.text("owner") or None,
        tenant=scope_of_request().tenant or asked.text("tenant") or None,
    )
    try:
        return hook.explanation(asked.text("sender") or None, recipients, said)
    except MessageRefused as error:
        asked["sender"].errors.append(str(error))
        return None


def _answer(found: Explanation) -> Answer:
    route = found.route
    title, text = _("No server would send it"), ""
    if route is not None:
        server, text = route.server, route.reason
        if found.obstacle:
            title = _("It would not be sent")
            text = _("The server for it is “%(name)s”: %(reason)s", name=route.server_name, reason=route.reason)
        elif server is not None:
            title = _("“%(name)s” would send it", name=server.name)
        else:
            title = _("The app's own server would send it")
    return Answer(
        kind="warning" if found.obstacle else "success",
        title=title,
        text=text,
        obstacle=found.obstacle,
        lines=tuple(_lines(found)),
        seen=seen_as(found.sender) if found.sender is not None else None,
        url=_url(route.server) if route is not None and route.server is not None else "",
    )


def _url(server: ServerProfile) -> str:
    if server.scope != scope_of_request() or not allowed_quietly(Action.EDIT_SERVERS):
        return ""
    return link("edit_server", server_id=server.public_id)


def _lines(found: Explanation) -> Iterator[Line]:
    for tried in found.tried:
        decided = found.route is not None and tried is found.tried[-1]
        others = tuple(other.reason for other in tried.others)
        yield Line("decided" if decided else "passed", rule_words(tried.rule), tried.reason, others)
    for rule in _rest(found):
        yield Line("idle", rule_words(rule), _("Not looked at any more."))


def _rest(found: Explanation) -> Sequence[Rule]:
    """Give the rules after the one that decided, as far as this app has them."""
    if found.route is None or not found.tried:
        return ()
    state = state_of()
    without = [Rule.PERSONAL] if not state.settings.personal else []
    without += [Rule.KIND] if not state.settings.kinds else []
    without += [Rule.TENANT_DEFAULT] if not state.has_tenants else []
    rules = list(Rule)
    return [rule for rule in rules[rules.index(found.tried[-1].rule) + 1 :] if rule not in without]
