"""A provider as the browser's form needs it: plain values that become JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..i18n import gettext as _
from .provider import Provider, ProviderServer, UsernameRule


def as_form_data(provider: Provider) -> dict[str, Any]:
    """Return what the form's script fills in and shows when ``provider`` is chosen, in the language being spoken.

    Keys: ``id``, ``name``, ``kind``, ``keywords`` (lower case, for the search box), ``unsupported`` (a sentence or
    empty), ``servers`` and ``regions`` (each server ``host``, ``port``, ``security``; a host with braces is a pattern
    to show, not a value to fill in: then ``pattern`` is true), ``domains`` (region by mail domain), ``no_ssl`` (why
    SSL cannot be chosen, or empty), ``username`` (``rule``, ``value``, ``example``, ``hint``, ``fixed``), ``password``
    (``label``, ``hint``, ``wanted``), ``help``, ``steps``, ``note``, ``sender``, ``docs`` (``title``, ``url``).
    """
    return {
        "id": provider.id,
        "name": provider.name,
        "kind": provider.kind,
        "keywords": _keywords(provider),
        "unsupported": provider.unsupported,
        "servers": _servers(provider.servers),
        "regions": [
            {
                "id": region.id,
                "name": region.name,
                "domains": list(region.domains),
                "note": region.note,
                "servers": _servers(region.servers),
            }
            for region in provider.regions
        ],
        "no_ssl": provider.no_ssl_reason,
        "username": {
            "rule": str(provider.username),
            "value": provider.username_value,
            "example": provider.username_example,
            "hint": provider.username_hint,
            "fixed": provider.username is UsernameRule.LITERAL,
        },
        "password": {
            "label": provider.password_label,
            "hint": provider.password_hint,
            "wanted": provider.needs_login and not provider.unsupported,
        },
        "help": _(provider.help) if provider.help else "",
        "steps": list(provider.guide),
        "note": _(provider.note) if provider.note else "",
        "sender": _(provider.sender) if provider.sender else "",
        "docs": {"title": provider.docs_title, "url": provider.docs_url},
    }


def _servers(servers: Iterable[ProviderServer]) -> list[dict[str, Any]]:
    return [
        {
            "host": server.host,
            "port": server.port,
            "security": str(server.security),
            "domains": list(server.domains),
            "pattern": server.is_pattern,
        }
        for server in servers
    ]


def _keywords(provider: Provider) -> str:
    """Join everything that the search box looks through."""
    words = (provider.id, provider.name, *provider.aliases, *provider.domains, *provider.hosts, *provider.legacy_hosts)
    return " ".join(dict.fromkeys(word.lower() for word in words))
