"""The entries of the list of providers: what may stand in one, and the merging of the operator's with the packaged.

The packaged ``providers.toml`` and what ``SMTPSERVERS_PROVIDERS`` names have the same form.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from ..errors import ConfigurationError
from ..smtp.endpoint import Security
from .provider import OAuth2, Provider, ProviderServer, Region, UsernameRule
from .schema import problem_of

#: What an entry of the operator rests on, unless it says so itself.
OPERATOR = "operator"

_SETTING = "SMTPSERVERS_PROVIDERS"
_KEYS = ("provider", "hide", "first")


@dataclass(frozen=True, slots=True)
class Listing:
    """The list as one app has it.

    :param first: ids of those that are offered before all others, in this order.
    :param hidden: ids of those that are not offered.
    """

    providers: tuple[Provider, ...]
    first: tuple[str, ...]
    hidden: frozenset[str]


@cache
def packaged() -> Mapping[str, Any]:
    """Return the content of ``providers.toml``."""
    text = files("flask_smtpservers.providers").joinpath("providers.toml").read_text(encoding="utf-8")
    return MappingProxyType(tomllib.loads(text))


def listing(own: Mapping[str, Any] | None = None) -> Listing:
    """Make the list, with what the operator added, changed, hid and put first.

    :param own: ``provider``: entries; one with a packaged id changes only the keys that it gives. ``hide``, ``first``:
        ids.
    :raises ConfigurationError: with the entry and the key that is wrong.
    """
    own = own or {}
    unknown = [key for key in own if key not in _KEYS]
    if unknown:
        raise ConfigurationError(f"{_SETTING}: {unknown[0]!r} is none of {', '.join(_KEYS)}")
    entries = {entry["id"]: entry for entry in packaged()["provider"]}
    added = _own_entries(own.get("provider", ()), entries)
    # Before the packaged ones: of several that answer for a domain, the first one counts.
    merged = {**added, **{one: entry for one, entry in entries.items() if one not in added}}
    providers = tuple(_provider(entry) for entry in merged.values())
    return Listing(
        providers=providers,
        first=_ids("first", own.get("first", packaged()["first"]), merged),
        hidden=frozenset(_ids("hide", own.get("hide", ()), merged)),
    )


def _own_entries(given: Any, entries: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Check the operator's entries and complete those that change a packaged one."""
    if not isinstance(given, Iterable) or isinstance(given, str | Mapping):
        raise ConfigurationError(f"{_SETTING}: 'provider' must be a list of entries")
    found: dict[str, Mapping[str, Any]] = {}
    owners: dict[str, str] = {}
    for place, entry in enumerate(given, 1):
        one = entry.get("id") if isinstance(entry, Mapping) else None
        name = repr(one) if one is not None else f"number {place}"
        known = entries.get(one, {}) if isinstance(one, str) else {}
        complete = {**known, "evidence": (OPERATOR,), **entry} if isinstance(entry, Mapping) else entry
        problem = problem_of(complete)
        if not problem and complete["id"] in found:
            problem = "id: another entry has it"
        twice = [domain for domain in complete.get("domains", ()) if domain in owners] if not problem else []
        if twice:
            problem = f"domains: {twice[0]!r} belongs to {owners[twice[0]]!r} as well"
        if problem:
            raise ConfigurationError(f"{_SETTING}: entry {name}, {problem}")
        owners.update(dict.fromkeys(complete.get("domains", ()), complete["id"]))
        found[complete["id"]] = complete
    return found


def _ids(key: str, given: Any, known: Mapping[str, Any]) -> tuple[str, ...]:
    if not isinstance(given, Iterable) or isinstance(given, str):
        raise ConfigurationError(f"{_SETTING}: {key!r} must be a list of ids")
    ids = tuple(given)
    for one in ids:
        if not isinstance(one, str) or one not in known:
            raise ConfigurationError(f"{_SETTING}: {key!r} names {one!r}, which is no provider's id")
    return tuple(dict.fromkeys(ids))


# -- from an entry to its value


def _provider(entry: Mapping[str, Any]) -> Provider:
    plain = {name: _frozen(value) for name, value in entry.items() if name not in _STRUCTURED}
    servers = tuple(_server(one) for one in entry.get("servers", ()))
    checked = entry.get("checked")
    return Provider(
        **plain,
        username=UsernameRule(entry.get("username", "email")),
        checked=date.fromisoformat(checked) if isinstance(checked, str) else checked,
        servers=servers,
        regions=tuple(_region(one, servers) for one in entry.get("regions", ())),
        oauth2=OAuth2(**{name: _frozen(value) for name, value in entry["oauth2"].items()})
        if "oauth2" in entry
        else None,
    )


_STRUCTURED = frozenset({"username", "checked", "servers", "regions", "oauth2"})


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
