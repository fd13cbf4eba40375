"""What a user's own server may be: the operator's policy, when it is saved and each time that it is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from ..config import Settings
from ..i18n import gettext as _
from ..i18n import ngettext
from ..providers.catalog import Catalog
from ..providers.provider import Provider
from ..smtp.guard import Guard
from ..smtp.hostname import LOCALHOST, host_error
from .cleaning import FieldRules
from .profile import ServerProfile

#: The fields that a user fills in on his page; all others of his server are as usual.
FIELDS = frozenset({"name", "provider", "host", "port", "security", "username", "password", "keep_password_blanks"})
FIELDS |= {"address", "sender_name", "enabled", "draft"}

#: The ports at which servers take mail from users, whoever runs them.
USUAL_PORTS = frozenset({25, 465, 587, 2525})


def rules(usual: FieldRules, settings: Settings) -> FieldRules:
    """Give the rules for a user's fields: local names only where the operator names them for users."""
    names = [host for host, _port in settings.personal_hosts]
    error = partial(host_error, allowed_hosts=names, allow_localhost=LOCALHOST in names)
    return replace(usual, host_error=error)


def refused(
    values: Mapping[str, Any], base: ServerProfile | None, count: int, settings: Settings, catalog: Catalog
) -> dict[str, tuple[str, ...]]:
    """Say what of a user's server the operator does not want, by the name of the field.

    :param values: the fields as they are to be; fields that were found wrong may be missing or odd.
    :param base: the server that is edited; None for a new one.
    :param count: how many servers the user has already.
    """
    if not settings.personal:
        return {"name": (_("Users cannot have servers of their own here."),)}
    errors: dict[str, tuple[str, ...]] = {}
    most = settings.personal_maximum
    if base is None and count >= most:
        errors["name"] = (ngettext("You can have one server.", "You can have %(number)s servers.", most, number=most),)
    host, port = values.get("host"), values.get("port")
    if isinstance(host, str) and isinstance(port, int):
        if not _host_permitted(host, settings, catalog):
            errors["host"] = (_("This server is not one of those that may be used here."),)
        elif not permits(host, port, settings, catalog):
            errors["port"] = (_("This port is not one of those that may be used here."),)
    if values.get("allowed_senders"):
        errors["allowed_senders"] = (_("A user's own server sends for its own address only."),)
    return errors


def permits(host: str, port: int, settings: Settings, catalog: Catalog) -> bool:
    """Whether a user's own server may be at this host and port."""
    if not settings.personal:
        return False
    if (host.lower(), port) in settings.personal_hosts:
        return True
    whole = (host.lower(), None) in settings.personal_hosts or _provider_permitted(host, settings, catalog)
    return whole and port in USUAL_PORTS | _preset_ports(host, catalog)


def guard(usual: Guard, host: str, port: int, settings: Settings) -> Guard:
    """Give what a user's own server may connect to: only public addresses, unless the operator names it.

    Where he names ports, a test tries no others either.
    """
    if not _named(host, port, settings):
        return Guard()
    if (host.lower(), None) in settings.personal_hosts:
        return usual
    ports = {one for name, one in settings.personal_hosts if name == host.lower() and one is not None}
    return Guard(usual.allowed_networks, usual.allowed_hosts, ports)


def offers(provider: Provider, settings: Settings) -> bool:
    """Whether a provider stands in the list that a user chooses from."""
    if provider.kind == "local":
        return False
    if not settings.personal_hosts and not settings.personal_providers:
        return True
    named = {name for name, _port in settings.personal_hosts}
    return provider.id in settings.personal_providers or not named.isdisjoint(provider.hosts)


def known_host(host: str, port: int, settings: Settings, catalog: Catalog) -> bool:
    """Whether the operator names a server for users, or it is a preset's: then they may know why it fails."""
    # The presets for programs on this machine are nobody's servers elsewhere.
    return _named(host, port, settings) or any(one.kind != "local" for one in catalog.providers_of_host(host))


def _host_permitted(host: str, settings: Settings, catalog: Catalog) -> bool:
    named = any(host.lower() == name for name, _port in settings.personal_hosts)
    return named or _provider_permitted(host, settings, catalog)


def _provider_permitted(host: str, settings: Settings, catalog: Catalog) -> bool:
    if not settings.personal_hosts and not settings.personal_providers:
        return True
    return any(one.id in settings.personal_providers for one in catalog.providers_of_host(host))


def _named(host: str, port: int, settings: Settings) -> bool:
    return not {(host.lower(), port), (host.lower(), None)}.isdisjoint(settings.personal_hosts)


def _preset_ports(host: str, catalog: Catalog) -> frozenset[int]:
    return frozenset(
        server.port for one in catalog.providers_of_host(host) for server in one.servers if server.host == host.lower()
    )
