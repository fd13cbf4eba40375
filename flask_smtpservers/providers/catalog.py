"""The list of providers: read once from ``providers.toml``, found by address, by host or by a few typed letters."""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from ..smtp.endpoint import Security
from .provider import OAuth2, Provider, ProviderServer, Region, UsernameRule


@cache
def catalog() -> tuple[Provider, ...]:
    """Return every provider, in the order of the file; read at the first call."""
    text = files("flask_smtpservers.providers").joinpath("providers.toml").read_text(encoding="utf-8")
    return tuple(_provider(entry) for entry in tomllib.loads(text)["provider"])


def provider(provider_id: str) -> Provider | None:
    """Return the provider with this id."""
    return _by_id().get(provider_id)


def provider_of_address(address: str) -> Provider | None:
    """Find the provider that answers for a mail address or a domain; sub-domains belong to it (x.onmicrosoft.com)."""
    domain = _host(address.rpartition("@")[2])
    return next((_by_domain()[suffix] for suffix in _suffixes(domain) if suffix in _by_domain()), None)


def providers_of_host(host: str) -> tuple[Provider, ...]:
    """Return every provider whose server this is, those that use it today before those that once did."""
    return _by_host().get(_host(host), ())


def provider_of_host(host: str, address: str = "") -> Provider | None:
    """Find the provider whose server this is, now or formerly; of several, the one that answers for ``address``."""
    found = providers_of_host(host)
    owner = provider_of_address(address) if address else None
    if owner in found:
        return owner
    return found[0] if found else None


def provider_of_mx(host: str) -> Provider | None:
    """Find the provider whose *incoming* mail this host takes, by the longest suffix; None if that is ambiguous."""
    return next((_by_mx()[suffix] for suffix in _suffixes(_host(host)) if suffix in _by_mx()), None)


def search(text: str) -> list[Provider]:
    """Find the providers that match typed text, the best first; all of them for blank text.

    Names count most, then aliases and domains, then hosts; the beginning of a word counts more than its middle.
    """
    wanted = _fold(text)
    if not wanted:
        return list(catalog())
    ranked = [(score, place, one) for place, one in enumerate(catalog()) if (score := _score(one, wanted))]
    # Among equals, those that cannot be used here come last.
    ranked.sort(key=lambda entry: (-entry[0], bool(entry[2].unsupported), entry[1]))
    return [one for _, _, one in ranked]


def suggest_host(text: str) -> str | None:
    """Guess the server that a person meant with ``text`` in the host field; None if nothing better is known.

    ``gmail.com`` or ``imap.gmail.com`` gives ``smtp.gmail.com``, an address gives its provider's server, a retired
    name the current one, a near miss (``smpt.gmail.com``) the right spelling.
    """
    host = _host(text.rpartition("@")[2])
    if not host or (host in _by_host() and host not in _retired()):
        return None
    if host in _retired():
        return _usable(_retired()[host].servers)
    # imap.gmail.com, smtp.google.com and the like: the domain behind the first label is the provider's
    for domain in (host, host.partition(".")[2]):
        owner = _by_domain().get(domain)
        if owner is not None:
            return _usable(owner.servers_for(domain))
    inbound = provider_of_mx(host)
    if inbound is not None:
        return _usable(inbound.servers)
    if "@" in text:
        return None
    close = get_close_matches(host, [name for name in _by_host() if "{" not in name], n=1, cutoff=0.88)
    return close[0] if close and close[0] not in _retired() else None


def sentences() -> Iterator[str]:
    """Yield every text of the list that people read, for the extraction of translations."""
    for one in catalog():
        texts = (one.username_note, one.password_note, one.password_login_note, one.sender, one.help, one.note)
        yield from dict.fromkeys(text for text in (*texts, *one.steps) if text)


def _usable(servers: Iterable[ProviderServer]) -> str | None:
    return next((server.host for server in servers if not server.is_pattern), None)


# -- indexes


@cache
def _by_id() -> Mapping[str, Provider]:
    return MappingProxyType({one.id: one for one in catalog()})


@cache
def _by_domain() -> Mapping[str, Provider]:
    return MappingProxyType({domain: one for one in reversed(catalog()) for domain in one.domains})


@cache
def _by_mx() -> Mapping[str, Provider]:
    clear = [one for one in catalog() if not one.mx_ambiguous]
    return MappingProxyType({suffix: one for one in reversed(clear) for suffix in one.mx})


@cache
def _by_host() -> Mapping[str, tuple[Provider, ...]]:
    found: dict[str, list[Provider]] = {}
    current = [(host, one) for one in catalog() for host in one.hosts]
    former = [(host, one) for one in catalog() for host in one.legacy_hosts]
    for host, one in current + former:
        if "{" not in host and one not in found.setdefault(host, []):
            found[host].append(one)
    return MappingProxyType({host: tuple(owners) for host, owners in found.items()})


@cache
def _retired() -> Mapping[str, Provider]:
    current = {host for one in catalog() for host in one.hosts}
    return MappingProxyType(
        {host: one for one in reversed(catalog()) for host in one.legacy_hosts if host not in current}
    )


def _suffixes(name: str) -> Iterator[str]:
    """``a.b.c`` → ``a.b.c``, ``b.c``, ``c``."""
    while name:
        yield name
        name = name.partition(".")[2]


def _host(text: str) -> str:
    """Bring a typed host or domain into the form of the list: A-labels, lower case, no blanks, no final dot."""
    name = text.strip().rstrip(".").lower()
    try:
        return name.encode("idna").decode("ascii") if not name.isascii() else name
    except UnicodeError:
        return name


# -- search


def _fold(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _score(one: Provider, wanted: str) -> int:
    """Say how well a provider matches; 0 is not at all."""
    host_names = [*one.hosts, *one.legacy_hosts]
    return max(
        _match(wanted, [one.name, one.id], whole=100, start=80, word=70, inside=40),
        _match(wanted, one.aliases, whole=95, start=80, word=70, inside=35),
        _match(wanted, one.domains, whole=90, start=60, word=0, inside=20),
        _match(wanted, host_names, whole=85, start=30, word=25, inside=15),
    )


def _match(wanted: str, names: Iterable[str], *, whole: int, start: int, word: int, inside: int) -> int:
    best = 0
    for name in map(_fold, names):
        if name == wanted:
            return whole
        if name.startswith(wanted):
            best = max(best, start)
        elif word and any(part.startswith(wanted) for part in name.replace("(", " ").replace(".", " ").split()):
            best = max(best, word)
        elif wanted in name:
            best = max(best, inside)
    return best


# -- reading the file


def _provider(entry: Mapping[str, Any]) -> Provider:
    plain = {name: _frozen(value) for name, value in entry.items() if name not in _STRUCTURED}
    servers = tuple(_server(one) for one in entry.get("servers", ()))
    return Provider(
        **plain,
        username=UsernameRule(entry["username"]),
        servers=servers,
        regions=tuple(_region(one, servers) for one in entry.get("regions", ())),
        oauth2=OAuth2(**{name: _frozen(value) for name, value in entry["oauth2"].items()})
        if "oauth2" in entry
        else None,
    )


_STRUCTURED = frozenset({"username", "servers", "regions", "oauth2"})


def _server(entry: Mapping[str, Any]) -> ProviderServer:
    values = {**entry, "security": Security(entry["security"]), "domains": tuple(entry.get("domains", ()))}
    return ProviderServer(**values)


def _region(entry: Mapping[str, Any], usual: tuple[ProviderServer, ...]) -> Region:
    if "ports" in entry:
        ways = [(way["port"], Security(way["security"])) for way in entry["ports"]]
    else:
        ways = [(server.port, server.security) for server in usual if server.host == usual[0].host]
    plain = {name: _frozen(value) for name, value in entry.items() if name not in ("host", "ports")}
    return Region(**plain, servers=tuple(ProviderServer(entry["host"], port, security) for port, security in ways))


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, dict):
        return MappingProxyType(value)
    return value
