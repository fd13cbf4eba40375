"""The providers as the form shows them: a list to choose from, and what is said about the chosen one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from ..i18n import N_
from ..i18n import gettext as _
from ..providers.guidance import need
from ..providers.provider import Provider, ProviderServer, UsernameRule
from ..servers import personal
from ..smtp.endpoint import Security
from ..state import state_of
from .access import scope_of_request
from .forms import ServerForm

#: The id of "Other server".
OTHER = "custom"

#: The longest host name (RFC 1035 §2.3.4); nothing longer is looked up.
_HOST_LENGTH = 253

_KINDS = (
    ("mailbox", N_("Mail accounts")),
    ("hosting", N_("Web hosts and own domains")),
    ("relay", N_("Sending services")),
    ("test", N_("For trying out")),
)


@dataclass(frozen=True, slots=True)
class Choice:
    """One provider in the list.

    :param need: what one must have before starting, in a few words.
    :param words: everything that the search box looks through, in lower case.
    """

    id: str
    name: str
    need: str
    words: str
    possible: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Providers of one kind."""

    title: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Way:
    """One port that the provider offers, as a button.

    :param fix: the value of the button, see :func:`.corrections.correction_of`.
    """

    text: str
    fix: str
    taken: bool


def popular() -> tuple[Choice, ...]:
    """Return the providers that come first, and "Other server" as the last."""
    return (*(_choice(one) for one in state_of().catalog.first if _offered(one)), other())


def other() -> Choice:
    """Return the choice for a server that no preset knows."""
    words = _("You need: its name, a user name and a password")
    return Choice(OTHER, _("Other server"), words, "other smtp", possible=True)


def groups() -> Iterator[Group]:
    """Yield all further providers by kind, each kind in the order of the alphabet."""
    catalog = state_of().catalog
    for title, members in by_kind(one for one in catalog.offered if one not in catalog.first and _offered(one)):
        yield Group(title, tuple(_choice(one) for one in members))


def _offered(provider: Provider) -> bool:
    """Whether a provider may be chosen here: users may have those that the operator permits."""
    return not scope_of_request().owner or personal.offers(provider, state_of().settings)


def by_kind(providers: Iterable[Provider]) -> Iterator[tuple[str, list[Provider]]]:
    """Sort providers by kind, each kind in the order of the alphabet; yield the kinds that have some."""
    every = sorted(providers, key=lambda one: one.name.casefold())
    for kind, title in _KINDS:
        members = [one for one in every if _kind(one) == kind]
        if members:
            yield _(title), members


def chosen(form: ServerForm) -> Provider | None:
    """Return the provider that the form names; None for "Other server" and before any choice."""
    name = form.text("provider")
    return None if name == OTHER else state_of().catalog.provider(name)


def meant(form: ServerForm) -> Provider | None:
    """Return the provider whose words and steps help: the chosen one, unless the server is known to be another's."""
    host = form.text("host").strip().lower()
    if len(host) > _HOST_LENGTH:
        host = ""
    choice = chosen(form)
    if choice is not None and (not host or host in choice.hosts):
        return choice
    return state_of().catalog.provider_of_host(host, form.address) or choice


def chosen_name(form: ServerForm) -> str:
    """Return what the folded list says of the choice."""
    provider = chosen(form)
    if provider is not None:
        return provider.name
    return _("Other server") if form.text("provider") == OTHER else ""


def ways(provider: Provider | None, form: ServerForm) -> list[Way]:
    """Return the ports that the provider offers at the server in the form, or at its own."""
    if provider is None or not provider.servers:
        return []
    host = form.text("host").strip().lower()
    here = [one for one in provider.all_servers if one.host == host] or list(provider.servers)
    return [_way(one, form) for one in here if not one.is_pattern]


def fill(form: ServerForm, provider: Provider, *, address: str) -> None:
    """Fill in what the chosen provider prescribes; what a person typed of his own stays.

    :param address: the sending address in the form, or empty.
    """
    if provider.id == OTHER:
        return
    domain = address.rpartition("@")[2]
    region = next((one for one in provider.regions if one.id == form.text("region")), None)
    servers = region.servers if region is not None else provider.servers_for(domain) or provider.servers
    if servers:
        first = servers[0]
        form.set("host", first.host)
        form.secure_with(str(first.security))
        form.use_port(first.port)
    if not form.text("name").strip() or form.text("name") in _names():
        form.set("name", provider.name)
    username = _username(provider, address)
    if username is not None and (not form.text("username").strip() or form.text("username") in _literals()):
        form.set("username", username)


def _way(server: ProviderServer, form: ServerForm) -> Way:
    words = {
        Security.SSL: N_("%(port)s – SSL"),
        Security.STARTTLS: N_("%(port)s – STARTTLS"),
        Security.NONE: N_("%(port)s – no encryption"),
    }
    fix = urlencode({"host": server.host, "security": str(server.security), "port": server.port})
    taken = form.text("port").strip() == str(server.port) and form.security == server.security
    return Way(_(words[server.security], port=server.port), fix, taken)


def _username(provider: Provider, address: str) -> str | None:
    """Return the user name that follows from the provider and the address; None if only the person knows it."""
    match provider.username:
        case UsernameRule.LITERAL:
            return provider.username_value
        case UsernameRule.EMAIL | UsernameRule.SENDER_ADDRESS:
            return address
        case UsernameRule.LOCALPART:
            return address.rpartition("@")[0]
        case UsernameRule.NONE:
            return ""
        case _:
            return None


def _literals() -> set[str]:
    return {one.username_value for one in state_of().catalog.providers if one.username_value}


def _names() -> set[str]:
    return {one.name for one in state_of().catalog.providers}


def _kind(provider: Provider) -> str:
    return "test" if provider.kind == "local" else provider.kind


def _choice(provider: Provider) -> Choice:
    possible = not provider.unsupported
    return Choice(provider.id, provider.name, need(provider), words_of(provider), possible=possible)


def words_of(provider: Provider) -> str:
    """Return everything by which a provider may be looked for, in lower case."""
    words = (provider.name, *provider.aliases, *provider.domains, *provider.hosts, *provider.legacy_hosts)
    return " ".join(words).lower()
