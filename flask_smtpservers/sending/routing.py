"""Which server sends a message: one pure function, which also says why, and why not another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ..errors import ServerNotFound
from ..i18n import gettext as _
from ..servers.profile import ServerProfile

#: How the app's own ``MAIL_*`` server is called.
BUILT_IN = "Built-in"


class Rule(StrEnum):
    """The rules in the order in which they are tried."""

    USING = "using"
    """The program asked for a server by name."""
    ADDRESS = "address"
    """A server whose sending address is the message's From address."""
    DOMAIN = "domain"
    """A server whose sending address has the same domain."""
    DEFAULT = "default"
    """The default server."""
    BUILT_IN = "built_in"
    """The app's own ``MAIL_*`` settings."""


@dataclass(frozen=True, slots=True)
class Question:
    """What the choice depends on.

    :param using: the name or public id that the program asked for, or None.
    :param address: the address of the message's own sender; empty if it has none, or only the app's default sender,
        for which the default server answers.
    """

    using: str | None = None
    address: str = ""


@dataclass(frozen=True, slots=True)
class Tried:
    """One rule that was tried, and how it went in words."""

    rule: Rule
    reason: str


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


def route(question: Question, candidates: Sequence[ServerProfile], builtin: bool = True) -> Route:
    """Choose a server for a message.

    Names, ids and addresses are compared without case (so is a local part: two servers that differ in its case only
    would be a trap). Of several that fit, the default server comes first, then the order of the list.

    :param candidates: the stored servers, paused ones included (they are named in the reasons and never chosen).
    :param builtin: whether the app's own ``MAIL_*`` server may be used.
    :raises ServerNotFound: the server asked for does not exist or is paused, or no rule found one.
    """
    servers = sorted(candidates, key=lambda server: (not server.is_default, server.position, server.name))
    if question.using is not None:
        return _asked_for(question.using, servers, builtin)
    tried: list[Tried] = []
    for rule, search in _RULES:
        server, reason = search(question, servers)
        tried.append(Tried(rule, reason))
        if server is not None:
            return Route(server, rule, reason, tuple(tried))
    if not builtin:
        raise ServerNotFound(_("No server fits this message: make one of the servers the default."))
    reason = _("The app's own MAIL_* settings are used.")
    return Route(None, Rule.BUILT_IN, reason, (*tried, Tried(Rule.BUILT_IN, reason)))


def _asked_for(name: str, servers: Sequence[ServerProfile], builtin: bool) -> Route:
    wanted = name.casefold()
    named = [server for server in servers if wanted in (server.name.casefold(), server.public_id.casefold())]
    for server in _enabled(named):
        reason = _('The program asked for "%(name)s".', name=server.name)
        return Route(server, Rule.USING, reason, (Tried(Rule.USING, reason),))
    if named:
        raise ServerNotFound(_('The server "%(name)s" is paused: enable it, or ask for another.', name=named[0].name))
    if builtin and wanted == BUILT_IN.casefold():
        reason = _("The program asked for the app's own MAIL_* settings.")
        return Route(None, Rule.USING, reason, (Tried(Rule.USING, reason),))
    raise ServerNotFound(_('No SMTP server is called "%(name)s".', name=name))


Found = tuple[ServerProfile | None, str]


def _by_address(question: Question, servers: Sequence[ServerProfile]) -> Found:
    if not question.address:
        return None, _("The message has no sender of its own.")
    wanted = question.address.casefold()
    same = [server for server in servers if server.address.casefold() == wanted]
    for server in _enabled(same):
        return server, _('"%(name)s" sends as %(address)s.', name=server.name, address=server.address)
    if same:
        return None, _('"%(name)s" sends as %(address)s but is paused.', name=same[0].name, address=same[0].address)
    return None, _("No server sends as %(address)s.", address=question.address)


def _by_domain(question: Question, servers: Sequence[ServerProfile]) -> Found:
    domain = question.address.rpartition("@")[2].casefold()
    if not domain:
        return None, _("The message has no sender of its own.")
    same = [server for server in servers if server.domain.casefold() == domain]
    for server in _enabled(same):
        return server, _('"%(name)s" sends for the domain %(domain)s.', name=server.name, domain=domain)
    if same:
        return None, _('"%(name)s" sends for the domain %(domain)s but is paused.', name=same[0].name, domain=domain)
    return None, _("No server sends for the domain %(domain)s.", domain=domain)


def _by_default(question: Question, servers: Sequence[ServerProfile]) -> Found:  # noqa: ARG001 - the rules look alike
    marked = [server for server in servers if server.is_default]
    for server in _enabled(marked):
        return server, _('"%(name)s" is the default server.', name=server.name)
    if marked:
        return None, _('The default server "%(name)s" is paused.', name=marked[0].name)
    return None, _("No server is the default.")


def _enabled(servers: Iterable[ServerProfile]) -> Iterable[ServerProfile]:
    return (server for server in servers if server.enabled)


_RULES: tuple[tuple[Rule, Callable[[Question, Sequence[ServerProfile]], Found]], ...] = (
    (Rule.ADDRESS, _by_address),
    (Rule.DOMAIN, _by_domain),
    (Rule.DEFAULT, _by_default),
)
