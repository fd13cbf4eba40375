"""Stored servers for tests of the pure decisions."""

from __future__ import annotations

from typing import Any

from flask_smtpservers.servers.profile import ServerProfile
from flask_smtpservers.smtp.endpoint import Security


def server(name: str, address: str, **changes: Any) -> ServerProfile:
    """A server called ``name`` that sends as ``address``."""
    fields: dict[str, Any] = {
        "public_id": f"id-{name.lower()}",
        "name": name,
        "host": "smtp.example.test",
        "port": 465,
        "security": Security.SSL,
        "address": address,
        **changes,
    }
    return ServerProfile(**fields)
