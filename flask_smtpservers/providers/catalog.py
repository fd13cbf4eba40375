"""The list of providers, found by address, by host or by a few typed letters."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache, cached_property
from typing import Any

from .entries import Listing, listing
from .provider import Provider, ProviderServer


class Catalog:
    """The providers as one app knows them.

    :param own: what the operator added, changed, hid and put first (:func:`.entries.listing`). Without it nothing is
        read before it is needed.
    :raises ConfigurationError: something in ``own`` is wrong.
    """

    def __init__(self, own: Mapping[str, Any] | None = None) -> None:
        self._own = own
        if own:
            _ = self._listing  # what is wrong is told now, not on the first page that needs it

    @cached_property
    def _listing(self) -> Listing:
        return listing(self._own)

    @property
    def providers(self) -> tuple[Provider, ...]:
        """Every provider, also those that are not offered: servers in use are still explained."""
        return self._listing.providers

    @cached_property
    def offered(self) -> tuple[Provider, ...]:
        """Those that people may choose from, the ones that come first at the beginning."""
        shown = [one for one in self.providers if one.id not in self._listing.hidden]
        first = self.first
        return (*first, *(one for one in shown if one not in first))

    @cached_property
    def first(self) -> tuple[Provider, ...]:
        """Those that are offered before all others."""
        ids = (one for one in self._listing.first if one not in self._listing.hidden)
        return tuple(self._by_id[one] for one in ids)

    # -- finding
    def provider(self, provider_id: str) -> Provider | None:
        """Return the provider with this id."""
        return self._by_id.get(provider_id)

    def provider_of_address(self, address: str) -> Provider | None:
        """Find the provider that answers for an address or a domain; sub-domains belong to it (x.onmicrosoft.com)."""
        domain = _host(address.rpartition("@")[2])
        return next((self._by_domain[suffix] for suffix in _suffixes(domain) if suffix in self._by_domain), None)

    def providers_of_host(self, host: str) -> tuple[Provider, ...]:
        """Return every provider whose server this is, those that use it today before those that once did."""
        return self._by_host.get(_host(host), ())

    def provider_of_host(self, host: str, address: str = "") -> Provider | None:
        """Find the provider whose server this is, now or formerly; of several, the one that answers for ``address``."""
        found = self.providers_of_host(host)
        owner = self.provider_of_address(address) if address else None
        if owner in found:
            return owner
        return found[0] if found else None

    def provider_of_mx(self, host: str) -> Provider | None:
        """Find the provider whose *incoming* mail this host takes, by the longest suffix; None if that is ambiguous."""
        return next((self._by_mx[suffix] for suffix in _suffixes(_host(host)) if suffix in self._by_mx), None)

    def search(self, text: str) -> list[Provider]:
        """Find the offered providers that match typed text, the best first; all of them for blank text.

        Names count most, then aliases and domains, then hosts; the beginning of a word counts more than its middle.
        """
        wanted = _fold(text)
        if not wanted:
            return list(self.offered)
        ranked = [(score, place, one) for place, one in enumerate(self.offered) if (score := _score(one, wanted))]
        # Among equals, those that cannot be used here come last.
        ranked.sort(key=lambda entry: (-entry[0], bool(entry[2].unsupported), entry[1]))
        return [one for _, _, one in ranked]

    def suggest_host(self, text: str) -> str | None:
        """Guess the server that a person meant with ``text`` in the host field; None if nothing better is known.

        ``gmail.com`` or ``imap.gmail.com`` gives ``smtp.gmail.com``, an address gives its provider's server, a retired
        name the current one, a near miss (``smpt.gmail.com``) the right spelling.
        """
        host = _host(text.rpartition("@")[2])
        if not host or (host in self._by_host and host not in self._retired):
            return None
        if host in self._retired:
            return _usable(self._retired[host].servers)
        # imap.gmail.com, smtp.google.com and the like: the domain behind the first label is the provider's
        for domain in (host, host.partition(".")[2]):
            owner = self._by_domain.get(domain)
            if owner is not None:
                return _usable(owner.servers_for(domain))
        inbound = self.provider_of_mx(host)
        if inbound is not None:
            return _usable(inbound.servers)
        if "@" in text:
            return None
        close = get_close_matches(host, [name for name in self._by_host if "{" not in name], n=1, cutoff=0.88)
        return close[0] if close and close[0] not in self._retired else None

    # -- indexes
    @cached_property
    def _by_id(self) -> Mapping[str, Provider]:
        return {one.id: one for one in self.providers}

    @cached_property
    def _by_domain(self) -> Mapping[str, Provider]:
        return {domain: one for one in reversed(self.providers) for domain in one.domains}

    @cached_property
    def _by_mx(self) -> Mapping[str, Provider]:
        clear = [one for one in self.providers if not one.mx_ambiguous]
        return {suffix: one for one in reversed(clear) for suffix in one.mx}

    @cached_property
    def _by_host(self) -> Mapping[str, tuple[Provider, ...]]:
        found: dict[str, list[Provider]] = {}
        current = [(host, one) for one in self.providers for host in one.hosts]
        former = [(host, one) for one in self.providers for host in one.legacy_hosts]
        for host, one in current + former:
            if "{" not in host and one not in found.setdefault(host, []):
                found[host].append(one)
        return {host: tuple(owners) for host, owners in found.items()}

    @cached_property
    def _retired(self) -> Mapping[str, Provider]:
        current = {host for one in self.providers for host in one.hosts}
        return {host: one for one in reversed(self.providers) for host in one.legacy_hosts if host not in current}


@cache
def packaged() -> Catalog:
    """Return the packaged list, as every app has it whose operator changed nothing."""
    return Catalog()


def sentences() -> Iterator[str]:
    """Yield every text of the packaged list that people read, for the extraction of translations."""
    for one in packaged().providers:
        texts = (one.username_note, one.password_note, one.password_login_note, one.sender, one.help, one.note)
        more = (*one.steps, *map(str, (one.limits.get("note", ""), *one.dns.values())))
        notes = (*(server.note for server in one.servers), *(region.note for region in one.regions))
        names = (region.name for region in one.regions)
        yield from dict.fromkeys(text for text in (*texts, *more, *notes, *names) if text)


def _usable(servers: Iterable[ProviderServer]) -> str | None:
    return next((server.host for server in servers if not server.is_pattern), None)


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
