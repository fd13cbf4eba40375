"""The rules by which mail finds its server, as sentences, with what each of them finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ..i18n import gettext as _
from ..permissions import APP, Action
from ..policy import Mode, ModeState
from ..sending.explanation import rule_words
from ..sending.matching import Question, fault_of
from ..sending.routing import Rule, precedence
from ..servers.mailboxes import address_key
from ..servers.profile import ForeignSender, ServerProfile
from ..state import state_of
from . import builtin
from .access import allowed_quietly, scope_of_request
from .links import link
from .ways import inherited


@dataclass(frozen=True, slots=True)
class Claim:
    """What a rule finds of one server.

    :param items: addresses or domains that go through it.
    :param others: those that do not, each with the reason in words.
    """

    server: str
    url: str
    items: tuple[str, ...]
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule as a sentence, and the servers that it finds."""

    title: str
    text: str
    claims: tuple[Claim, ...] = ()


@dataclass(slots=True)
class Known:
    """The servers that mail of this scope may go through.

    :param own: those of the scope.
    :param inherited: for a tenant, those of the app.
    :param open: whether their addresses may be shown as well, and not only their names.
    """

    own: Sequence[ServerProfile]
    inherited: Sequence[ServerProfile] = ()
    open: bool = True
    names: dict[str, ServerProfile] = field(init=False)

    def __post_init__(self) -> None:
        self.names = {server.public_id: server for server in (*self.own, *self.inherited)}

    @property
    def shown(self) -> list[ServerProfile]:
        """Those whose addresses are shown, in the order in which they are tried."""
        return sorted((*self.own, *(self.inherited if self.open else ())), key=precedence)


def known_servers() -> Known:
    """Read the servers that mail of this request's scope may go through."""
    store, scope = state_of().store, scope_of_request()
    if scope.tenant is None:
        return Known(store.servers(scope=scope))
    return Known(store.servers(scope=scope), inherited(scope), allowed_quietly(Action.VIEW_SERVERS, APP))


def rules(known: Known) -> Iterator[RuleRow]:
    """Give the rules in their order."""
    settings, scope = state_of().settings, scope_of_request()
    yield RuleRow(
        rule_words(Rule.USING), _("A program may ask for a server by its name. Then only that one sends the mail.")
    )
    if settings.personal:
        yield RuleRow(
            rule_words(Rule.PERSONAL),
            _("A user's own mail goes through his own server, once its address is proved to be the user's."),
        )
    if settings.kinds:
        yield RuleRow(rule_words(Rule.KIND), _("Mail of a kind goes through the server that is chosen for it above."))
    yield _senders_rule(
        Rule.ADDRESS, known, _addresses, _("Mail from one of these addresses goes through the server beside it."),
        _("No server has a sending address."),
    )  # fmt: skip
    yield _senders_rule(
        Rule.DOMAIN, known, _domains, _("So does mail from any other address of these domains."),
        _("No server sends for a whole domain."),
    )  # fmt: skip
    if scope.tenant is not None:
        yield _default_rule(Rule.TENANT_DEFAULT, known.own)
        yield _default_rule(Rule.DEFAULT, known.inherited, linked=False)
    else:
        yield _default_rule(Rule.DEFAULT, known.own)
    yield RuleRow(rule_words(Rule.BUILT_IN), _builtin_words(known))


def _senders_rule(
    rule: Rule, known: Known, of: Callable[[ServerProfile], Iterable[str]], text: str, none: str
) -> RuleRow:
    claims = tuple(_claims(known, of))
    if known.inherited and not known.open:
        text = _("%(sentence)s After these come the servers of the whole app.", sentence=text)
    return RuleRow(rule_words(rule), text if claims or known.inherited else none, claims)


def _claims(known: Known, of: Callable[[ServerProfile], Iterable[str]]) -> Iterator[Claim]:
    """Give each address, or domain, to the first server that can send for it, as the rules do."""
    taken: dict[str, str] = {}
    for server in known.shown:
        fault = fault_of(server, Question())
        items: list[str] = []
        others: list[str] = []
        for item in of(server):
            if fault:
                others.append(f"{item}: {fault}")
            elif item in taken:
                others.append(_("%(item)s: “%(name)s” comes first.", item=item, name=taken[item]))
            else:
                taken[item] = server.name
                items.append(item)
        if items or others:
            yield Claim(server.name, _url(server), tuple(items), tuple(others))


def _addresses(server: ServerProfile) -> list[str]:
    own = address_key(server.address)[0]
    return list(dict.fromkeys([own, *(one for one in server.allowed_senders if "@" in one)]))


def _domains(server: ServerProfile) -> list[str]:
    allowed = [one for one in server.allowed_senders if "@" not in one]
    own = address_key(server.address)[1]
    strict = server.foreign_sender is ForeignSender.REFUSE
    return list(dict.fromkeys([*([] if strict else [own]), *allowed]))


def _default_rule(rule: Rule, servers: Iterable[ServerProfile], *, linked: bool = True) -> RuleRow:
    default = next((server for server in servers if server.is_default), None)
    if default is None:
        return RuleRow(rule_words(rule), _("No server is the default."))
    fault = fault_of(default, Question())
    if fault:
        words = _("“%(name)s” is the default. %(fault)s", name=default.name, fault=fault)
        return RuleRow(rule_words(rule), words)
    words = _("All other mail goes through this server.")
    return RuleRow(rule_words(rule), words, (Claim(default.name, _url(default) if linked else "", ()),))


def _builtin_words(known: Known) -> str:
    if state_of().store.modes(scope=scope_of_request())[Mode.BUILTIN] is not ModeState.ON:
        return _("The app's own server may not be used here: mail that no rule above fits is not sent.")
    own = builtin.of(known.own, known.inherited)
    if own is None:
        return _("The app has no server of its own: mail that no rule above fits is not sent.")
    return _("What is left goes through the app's own server %(server)s.", server=own.place)


def _url(server: ServerProfile) -> str:
    if server.scope != scope_of_request() or not allowed_quietly(Action.EDIT_SERVERS):
        return ""
    return link("edit_server", server_id=server.public_id)
