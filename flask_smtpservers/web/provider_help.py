"""The help pages: what each provider wants, its settings, its limits, and how sending through it usually fails."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from flask import abort, request
from flask.typing import ResponseReturnValue

from ..diagnosis.usual import usual_failures
from ..i18n import gettext as _
from ..permissions import Action
from ..providers import guidance
from ..providers.provider import Provider, ProviderServer, UsernameRule
from ..smtp.endpoint import Security
from ..state import state_of
from . import dates, presets
from .access import protected
from .links import link
from .rendering import page

#: The longest text that is looked for.
_SOUGHT_LENGTH = 100

#: More regions than this are folded.
_FEW_REGIONS = 8


@dataclass(frozen=True, slots=True)
class Entry:
    """One provider in the index.

    :param text: everything that the box looks through, in lower case.
    """

    name: str
    need: str
    url: str
    possible: bool
    text: str


class Group(NamedTuple):
    """Providers of one kind."""

    title: str
    entries: list[Entry]


class Line(NamedTuple):
    """One host in the table of settings."""

    region: str
    host: str
    ways: list[str]
    note: str


@protected(Action.VIEW_SERVERS)
def help_index() -> ResponseReturnValue:
    """List the providers by kind, or those that match what is looked for."""
    catalog = state_of().catalog
    sought = request.args.get("find", "").strip()[:_SOUGHT_LENGTH]
    every = [one for one in catalog.offered if one.id != presets.OTHER]
    found = [one for one in catalog.search(sought) if one in every] if sought else every
    return page(
        "help.html",
        heading=_("Help with mail providers"),
        sought=sought,
        groups=[Group(_("Found"), _entries(found))] if sought else list(_groups(every)),
        shown=len(found),
        total=len(every),
    )


@protected(Action.VIEW_SERVERS)
def help_page(provider_id: str) -> ResponseReturnValue:
    """Show everything about one provider."""
    catalog = state_of().catalog
    provider = catalog.provider(provider_id)
    if provider is None or provider.id == presets.OTHER:
        abort(404)
    related = (catalog.provider(one) for one in provider.see_also)
    return page(
        "provider.html",
        heading=provider.name,
        provider=provider,
        need=guidance.need(provider),
        password_login=_(provider.password_login_note) if provider.password_login_note else "",
        lines=[_line(way) for way in guidance.usual_ways(provider)],
        regions=[_line(way) for way in guidance.region_ways(provider)],
        few_regions=len(provider.regions) <= _FEW_REGIONS,
        username=_username(provider),
        limits=guidance.limits(provider),
        dns={name: text if name == "spf_include" else _(text) for name, text in provider.dns.items()},
        failures=usual_failures(provider, catalog),
        related=_entries(one for one in related if one is not None and one in catalog.offered),
        evidence=guidance.evidence(provider),
        checked=dates.full_day(provider.checked) if provider.checked is not None else "",
        add_url="" if provider.unsupported else link("add_server", provider=provider.id),
    )


def _groups(providers: Iterable[Provider]) -> Iterator[Group]:
    first = state_of().catalog.first
    if first:
        yield Group(_("Used most"), _entries(first))
    for title, members in presets.by_kind(one for one in providers if one not in first):
        yield Group(title, _entries(members))


def _entries(providers: Iterable[Provider]) -> list[Entry]:
    return [_entry(one) for one in providers]


def _entry(provider: Provider) -> Entry:
    return Entry(
        provider.name,
        guidance.need(provider),
        link("help_page", provider_id=provider.id),
        not provider.unsupported,
        presets.words_of(provider),
    )


def _line(way: guidance.Way) -> Line:
    return Line(way.region, way.host, [_way_words(server) for server in way.servers], way.note)


def _way_words(server: ProviderServer) -> str:
    match server.security:
        case Security.SSL:
            return _("%(port)s with SSL", port=server.port)
        case Security.STARTTLS:
            return _("%(port)s with STARTTLS", port=server.port)
        case _:
            return _("%(port)s without encryption", port=server.port)


def _username(provider: Provider) -> str:
    """Say the user name itself where it is the same for everybody, else which one is wanted."""
    if provider.username is UsernameRule.LITERAL:
        return provider.username_value
    return provider.username_hint
