"""SMTP servers of a Flask app, set up and tested in the browser; ``mail.send()`` goes out through the right one."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import (
        AuthenticationFailed,
        ConfigurationError,
        InDoubt,
        InvalidServer,
        MessageRefused,
        PasswordRequired,
        SendError,
        ServerNotFound,
        SMTPServersError,
    )
    from .extension import SMTPServers
    from .findings import Diagnosis, Step
    from .outbox.enqueue import Queued
    from .permissions import Action, Scope
    from .sending.delivery import Delivery
    from .sending.routing import Route
    from .servers.profile import ServerProfile

_HOMES = {
    "Action": "permissions",
    "AuthenticationFailed": "errors",
    "ConfigurationError": "errors",
    "Delivery": "sending.delivery",
    "Diagnosis": "findings",
    "InDoubt": "errors",
    "InvalidServer": "errors",
    "MessageRefused": "errors",
    "PasswordRequired": "errors",
    "Queued": "outbox.enqueue",
    "Route": "sending.routing",
    "SMTPServers": "extension",
    "SMTPServersError": "errors",
    "Scope": "permissions",
    "SendError": "errors",
    "ServerNotFound": "errors",
    "ServerProfile": "servers.profile",
    "Step": "findings",
}

__all__ = [
    "Action",
    "AuthenticationFailed",
    "ConfigurationError",
    "Delivery",
    "Diagnosis",
    "InDoubt",
    "InvalidServer",
    "MessageRefused",
    "PasswordRequired",
    "Queued",
    "Route",
    "SMTPServers",
    "SMTPServersError",
    "Scope",
    "SendError",
    "ServerNotFound",
    "ServerProfile",
    "Step",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: ``smtp`` or ``diagnosis`` alone never load Flask (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
