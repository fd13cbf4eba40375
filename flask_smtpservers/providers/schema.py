"""The form of an entry in the list of providers: every key, and what its value must be."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ..smtp.endpoint import Security
from .guidance import EVIDENCE, LIMITS
from .provider import PASSWORD_WORDS, UsernameRule

KINDS = ("mailbox", "hosting", "relay", "test", "local", "custom")
STATUSES = ("legacy", "retired", "unmaintained", "no-smtp")
PASSWORD_LOGINS = ("yes", "app-password-only", "admin-enabled", "no", "not-applicable")
#: Kinds of which the server is the reader's to name, so that an entry may have none.
WITHOUT_SERVER = ("no-smtp", "custom")

_LABEL = r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?|\{[a-z-]+\})"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*|\d+(?:\.\d+){{3}}|[0-9a-f:]+")
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")
_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


class Rule(NamedTuple):
    """What a value must be, in words, and how that is told."""

    words: str
    fits: Callable[[Any], bool]


def _one_of(*values: str) -> Rule:
    return Rule(f"must be one of {', '.join(values)}", lambda value: value in values)


def _matching(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and len(value) <= 253 and pattern.fullmatch(value) is not None


def _list_of(rule: Rule, words: str) -> Rule:
    def fits(value: Any) -> bool:
        return isinstance(value, list | tuple) and all(map(rule.fits, value))

    return Rule(f"must be a list of {words}", fits)


def _is_pattern(value: Any) -> bool:
    try:
        re.compile(value)
    except (re.error, TypeError):
        return False
    return True


def _is_date(value: Any) -> bool:
    if isinstance(value, date):
        return True
    try:
        date.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return True


def _is_https(value: Any) -> bool:
    try:
        parts = urlsplit(value)
    except (ValueError, AttributeError):
        return False
    return isinstance(value, str) and parts.scheme == "https" and bool(parts.hostname)


def _has_amounts(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(amount, str) if key == "note" else key in LIMITS and type(amount) is int and amount > 0
        for key, amount in value.items()
    )


_TEXT = Rule("must be a text", lambda value: isinstance(value, str))
_FLAG = Rule("must be true or false", lambda value: isinstance(value, bool))
_NAME = Rule("must be a text that is not empty", lambda value: isinstance(value, str) and bool(value.strip()))
_TEXTS = _list_of(_NAME, "texts")
_HOSTNAME = Rule("must be a host name in lower case, as it stands in the DNS", _matching(_HOST))
_DOMAINS = _list_of(Rule("", _matching(_DOMAIN)), "domains in lower case, as they stand in the DNS")
_PORT = Rule("must be a port from 1 to 65535", lambda value: type(value) is int and 1 <= value <= 65535)
_SECURITY = _one_of(*Security)
_LINK = Rule("must be an address that begins with https://", _is_https)
_DATE = Rule("must be a date such as 2026-11-20", _is_date)
_IDENTIFIER = Rule("must have small letters, digits and hyphens only", _matching(_ID))

_SERVER = {"host": _HOSTNAME, "port": _PORT, "security": _SECURITY, "domains": _DOMAINS, "note": _TEXT}
_WAY = {"port": _PORT, "security": _SECURITY}
_REGION = {
    "id": _IDENTIFIER,
    "name": _NAME,
    "host": _HOSTNAME,
    "ports": _list_of(Rule("", lambda value: isinstance(value, Mapping)), "ports"),
    "domains": _DOMAINS,
    "mx": _DOMAINS,
    "note": _TEXT,
}
_TABLES = _list_of(Rule("", lambda value: isinstance(value, Mapping)), "tables")

#: Every key of an entry.
KEYS: Mapping[str, Rule] = {
    "id": _IDENTIFIER,
    "name": _NAME,
    "kind": _one_of(*KINDS),
    "status": _one_of(*STATUSES),
    "aliases": _TEXTS,
    "domains": _DOMAINS,
    "mx": _DOMAINS,
    "mx_ambiguous": _FLAG,
    "generic_smtp": _FLAG,
    "servers": _TABLES,
    "regions": _TABLES,
    "username": _one_of(*UsernameRule),
    "username_value": _NAME,
    "username_example": _NAME,
    "username_note": _NAME,
    "password": _one_of(*PASSWORD_WORDS),
    "password_pattern": Rule("must be a regular expression", _is_pattern),
    "password_note": _NAME,
    "password_login": _one_of(*PASSWORD_LOGINS),
    "password_login_since": _DATE,
    "password_login_note": _NAME,
    "auth": _TEXTS,
    "sender": _NAME,
    "help": _NAME,
    "note": _NAME,
    "steps": _TEXTS,
    "see_also": _list_of(_IDENTIFIER, "ids"),
    "docs_title": _NAME,
    "docs_url": _LINK,
    "docs_seen": _FLAG,
    "evidence": _list_of(_one_of(*EVIDENCE), f"{', '.join(EVIDENCE)}"),
    "source": _NAME,
    "checked": _DATE,
    "legacy_hosts": _list_of(_HOSTNAME, "host names"),
    "relay_zone": _NAME,
    "no_ssl": _FLAG,
    "limits": Rule(f"takes whole numbers for {', '.join(LIMITS)}, and a text as note", _has_amounts),
    "dns": Rule("must be a table", lambda value: isinstance(value, Mapping)),
    "oauth2": Rule("must be a table", lambda value: isinstance(value, Mapping)),
}

_DNS = {
    "spf_include": Rule("must be a domain", _matching(re.compile(r"[a-z0-9_.-]+"))),
    "spf_note": _NAME,
    "dkim": _NAME,
}
_OAUTH2 = {
    "mechanism": _NAME,
    "authorize_url": _LINK,
    "token_url": _LINK,
    "device_url": _LINK,
    "scopes": _TEXTS,
    "tenant": _NAME,
    "app_scope": _NAME,
    "app_permission": _NAME,
    "resource": _NAME,
    "pkce": _FLAG,
    "note": _NAME,
}


def problem_of(entry: Any) -> str:
    """Say what is wrong with an entry, beginning with its key; empty if it is right."""
    if not isinstance(entry, Mapping):
        return "it must be a table of keys and values"
    return (
        _table(entry, KEYS, required=("id", "name", "kind"))
        or _tables(entry, "servers", _SERVER, required=("host", "port", "security"))
        or _tables(entry, "regions", _REGION, required=("id", "name", "host"))
        or next((text for region in entry.get("regions", ()) if (text := _ports(region))), "")
        or _table(entry.get("dns", {}), _DNS, place="dns.")
        or _table(
            entry.get("oauth2", {}), _OAUTH2, place="oauth2.", required=("mechanism",) if "oauth2" in entry else ()
        )
        or _together(entry)
    )


def _table(
    entry: Mapping[str, Any], rules: Mapping[str, Rule], *, place: str = "", required: tuple[str, ...] = ()
) -> str:
    for key in required:
        if key not in entry:
            return f"{place}{key}: is missing"
    for key, value in entry.items():
        if key not in rules:
            return f"{place}{key}: is no key of an entry; check its spelling"
        if not rules[key].fits(value):
            return f"{place}{key}: {rules[key].words}, not {value!r}"
    return ""


def _tables(entry: Mapping[str, Any], key: str, rules: Mapping[str, Rule], *, required: tuple[str, ...]) -> str:
    places = ((f"{key}[{number}].", table) for number, table in enumerate(entry.get(key, ()), 1))
    return next((text for place, table in places if (text := _table(table, rules, place=place, required=required))), "")


def _ports(region: Mapping[str, Any]) -> str:
    place = f"regions, {region['id']}, "
    return _tables({f"{place}ports": region.get("ports", ())}, f"{place}ports", _WAY, required=tuple(_WAY))


def _together(entry: Mapping[str, Any]) -> str:
    """Check what one key demands of another."""
    kind, status = entry["kind"], entry.get("status", "")
    if not entry.get("servers") and kind not in WITHOUT_SERVER and status not in WITHOUT_SERVER:
        return "servers: is missing"
    if entry.get("regions") and not entry.get("servers"):
        return "regions: need servers, for the ports"
    if (entry.get("username") == UsernameRule.LITERAL) != bool(entry.get("username_value")):
        return "username_value: belongs to username = 'literal', and only to it"
    names = [region["id"] for region in entry.get("regions", ())]
    if len(set(names)) != len(names):
        return "regions: two have the same id"
    if entry.get("no_ssl") and any(server["security"] == Security.SSL for server in entry.get("servers", ())):
        return "no_ssl: a server of this entry has security = 'ssl'"
    return ""
