"""Which server sends a message: one pure function, which also says why, and why not another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ..errors import ServerNotFound
from ..i18n import gettext as _
from ..servers.cleaning import BUILT_IN, name_key
from ..servers.profile import ServerProfile
from .matching import (
    Fit,
    Found,
    Question,
    by_address,
    by_default,
    by_domain,
    by_kind,
    by_name,
    by_owner,
    by_tenant,
    fault_of,
)

__all__ = ["BUILT_IN", "NoRoute", "Passed", "Question", "Route", "Rule", "Tried", "precedence", "route"]


class Rule(StrEnum):
    """The rules in the order in which they are tried."""

    USING = "using"
    """The program asked for a server by name."""
    PERSONAL = "personal"
    """The mail is a user's own, and so is the server."""
    KIND = "kind"
    """The server that mail of this kind was assigned to."""
    ADDRESS = "address"
    """A server whose sending address, or one of whose allowed senders, is the message's From address."""
    DOMAIN = "domain"
    """A server whose sending address has the same domain, or that may send for the domain."""
    TENANT_DEFAULT = "tenant_default"
    """The tenant's default server."""
    DEFAULT = "default"
    """The app's default server."""
    BUILT_IN = "built_in"
    """The app's own ``MAIL_*`` settings."""


@dataclass(frozen=True, slots=True)
class Passed:
    """A server that a rule passed over, and why."""

    server_id: str
    server_name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Tried:
    """One rule that was tried, and how it went in words.

    :param others: the servers that this rule fits as well, and why it did not take them.
    """

    rule: Rule
    reason: str
    others: tuple[Passed, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """The answer.

    :param server: the server to use; None for the app's own.
    :param rule: the rule that decided.
    :param reason: why this server, as a sentence.
    :param tried: every rule that was tried, in order; the last one decided.
    """

    server: ServerProfile | None
    rule: Rule
    reason: str
    tried: tuple[Tried, ...]

    @property
    def server_name(self) -> str:
        """The server's name, ``Built-in`` for the app's own."""
        return self.server.name if self.server is not None else BUILT_IN


class NoRoute(ServerNotFound):
    """No server may send the message.

    :param tried: the rules that were tried, in order.
    """

    def __init__(self, text: str, tried: Sequence[Tried] = ()) -> None:
        super().__init__(text)
        self.tried = tuple(tried)


def precedence(server: ServerProfile) -> tuple[bool, bool, int]:
    """Give the place of a server among those that a rule fits: a tenant's, then the default, then as in the list."""
    return (not server.tenant, not server.is_default, server.position)


def route(question: Question, candidates: Sequence[ServerProfile], builtin: bool = True) -> Route:
    """Choose a server for a message.

    Names, ids and addresses are compared without case (so is a local part: two servers that differ in its case only
    would be a trap). Of several that fit, the tenant's come before the app's, then the default server, then the order
    of the list.

    :param candidates: the stored servers, those that cannot send included (they are named in the reasons and never
        chosen). Servers of other tenants and users are not looked at.
    :param builtin: whether the app's own ``MAIL_*`` server may be used.
    :raises NoRoute: the server asked for does not exist or cannot send, a user's own server cannot and no other
        may in its place, or no rule found one.
    """
    servers = [server for server in candidates if question.concerns(server)]
    servers.sort(key=precedence)
    shared = [server for server in servers if not server.owner]
    own = [server for server in servers if server.owner]
    if question.using is not None:
        return _asked_for(question.using, question, shared, own, builtin)
    tried: list[Tried] = []
    for rule, search in _RULES:
        fitting, none = search(question, own if rule is Rule.PERSONAL else shared)
        chosen, step = _first(rule, question, fitting, none)
        tried.append(step)
        if chosen is not None:
            return Route(chosen, rule, step.reason, tuple(tried))
        if rule is Rule.PERSONAL and not question.fallback and question.is_users_own(own):
            raise NoRoute(_("%(reason)s No other server sends a user's mail in its place.", reason=step.reason), tried)
    if not builtin:
        raise NoRoute(_("No server fits this message: make one of the servers the default."), tried)
    reason = _("The app's own MAIL_* settings are used.")
    return Route(None, Rule.BUILT_IN, reason, (*tried, Tried(Rule.BUILT_IN, reason)))


def _first(rule: Rule, question: Question, fitting: Sequence[Fit], none: str) -> tuple[ServerProfile | None, Tried]:
    """Take the first server that can send; say of the others why it is not them."""
    chosen: Fit | None = None
    passed: list[Passed] = []
    for fit in fitting:
        fault = fit.fault or fault_of(fit.server, question)
        if not fault and chosen is None:
            chosen = fit
            continue
        why = fault or _("“%(name)s” comes first.", name=chosen.server.name if chosen else "")
        passed.append(Passed(fit.server.public_id, fit.server.name, f"{fit.reason} {why}"))
    if chosen is not None:
        return chosen.server, Tried(rule, chosen.reason, tuple(passed))
    if passed:
        return None, Tried(rule, passed[0].reason, tuple(passed[1:]))
    return None, Tried(rule, none)


def _asked_for(
    name: str, question: Question, shared: Sequence[ServerProfile], own: Sequence[ServerProfile], builtin: bool
) -> Route:
    """Find the server that the program named. A user cannot put his own in the place of one of the app's.

    His own is found by its public id; by its name only if the program says that the mail is his, and no shared server
    has that name, be it paused.
    """
    wanted = name_key(name)
    if wanted == name_key(BUILT_IN):
        if not builtin:
            raise NoRoute(_("The app's own MAIL_* settings were asked for, and must not be used here."))
        reason = _("The program asked for the app's own MAIL_* settings.")
        return Route(None, Rule.USING, reason, (Tried(Rule.USING, reason),))
    mine = own if question.is_users_own(own) else ()
    named = [server for server in (*shared, *mine) if name == server.public_id]
    named = named or [server for server in shared if wanted == name_key(server.name)]
    if not named and question.owner_named:
        named = [server for server in mine if wanted == name_key(server.name)]
    fitting = [Fit(server, _("The program asked for “%(name)s”.", name=server.name)) for server in named]
    chosen, step = _first(Rule.USING, question, fitting, "")
    if chosen is not None:
        return Route(chosen, Rule.USING, step.reason, (step,))
    if named:
        fault = fault_of(named[0], question)
        text = _("The server “%(name)s” was asked for, but it cannot send. %(fault)s", name=named[0].name, fault=fault)
        raise NoRoute(text, [step])
    raise NoRoute(_("No SMTP server is called “%(name)s”.", name=name))


_RULES: tuple[tuple[Rule, Callable[[Question, Sequence[ServerProfile]], Found]], ...] = (
    (Rule.USING, by_name),
    (Rule.PERSONAL, by_owner),
    (Rule.KIND, by_kind),
    (Rule.ADDRESS, by_address),
    (Rule.DOMAIN, by_domain),
    (Rule.TENANT_DEFAULT, by_tenant),
    (Rule.DEFAULT, by_default),
)
