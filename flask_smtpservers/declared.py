"""Servers as the operator declares them in ``SMTPSERVERS_SERVERS``: each with the place where it stands."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import ConfigurationError
from .secret import Secret

#: What may hold a password.
_SECRETS = ("password", "client_key", "url", "MAIL_PASSWORD")


@dataclass(frozen=True, slots=True)
class Declared:
    """One server.

    :param origin: where it stands, such as ``app.config SMTPSERVERS_SERVERS[0]``.
    :param entry: a mapping of fields, or a URL; what may hold a password is a Secret.
    """

    origin: str
    entry: Any = field(repr=False)


def read_declared(key: str, value: Any) -> tuple[Declared, ...]:
    """Read the setting: a list of mappings and URLs, one URL, or the path of a TOML file with ``[[server]]`` tables.

    :raises ConfigurationError: it is none of these.
    """
    if isinstance(value, (list, tuple)):
        return tuple(Declared(f"app.config {key}[{place}]", _guarded(one)) for place, one in enumerate(value))
    if isinstance(value, str) and "://" in value:
        return (Declared(f"app.config {key}", _guarded(value)),)
    if not isinstance(value, (str, Path)):
        raise ConfigurationError(f"{key} must be a list of servers, a URL, or the path of a TOML file")
    path = Path(value)
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8")).get("server", [])
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{key}: {str(path)!r} cannot be read: {error}") from None
    if not isinstance(found, list):
        raise ConfigurationError(f"{key}: {str(path)!r}: write [[server]] before the fields of each server")
    return tuple(Declared(f"{path.name}, [[server]] {number}", _guarded(one)) for number, one in enumerate(found, 1))


def _guarded(entry: Any) -> Any:
    """Hide what may be a password from whoever prints the settings."""
    if isinstance(entry, str):
        return Secret(entry)
    if isinstance(entry, Mapping):
        return {
            name: Secret(value) if name in _SECRETS and isinstance(value, str) else value
            for name, value in entry.items()
        }
    return entry
