"""A change that waits for its test: the server goes on as it was until the new settings have passed."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from ..permissions import Scope
from ..safe_text import printable
from ..smtp.endpoint import Security
from .models import Tables
from .profile import COVERED_FIELDS, ServerProfile, StoredSecret
from .retesting import needing_test
from .rows import aware, naive
from .scoping import columns_of, within

_SECRETS = ("password", "client_key")
_PLAIN = tuple(name for name in COVERED_FIELDS if name not in _SECRETS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A change of a server that is not in use yet.

    :param live: the server as it is used.
    :param profile: the same server with the change; its secrets are sealed for where they would go.
    :param fields: the names of the fields that differ.
    :param mark: names this change; another one, even with the same values, has another.
    :param made_at: when it was saved, UTC.
    :param actor: who did, as the host's ``owner`` callable named him.
    """

    live: ServerProfile
    profile: ServerProfile
    fields: tuple[str, ...]
    mark: str
    made_at: datetime
    actor: str


def differing(live: ServerProfile, other: ServerProfile) -> tuple[str, ...]:
    """Name the fields that a test covers and that differ."""
    return tuple(name for name in COVERED_FIELDS if getattr(live, name) != getattr(other, name))


def write_waiting(
    connection: Connection, tables: Tables, live: ServerProfile, profile: ServerProfile, *, now: datetime, actor: str
) -> None:
    """Keep a change of a server, in the place of one that waited before."""
    kept = [name for name in _SECRETS if getattr(profile, name) == getattr(live, name)]
    since = profile.password_changed_at
    settings = {
        "values": {name: getattr(profile, name) for name in _PLAIN},
        "kept": kept,
        "password_changed_at": since.isoformat() if since is not None else None,
    }
    password = None if "password" in kept else profile.password
    client_key = None if "client_key" in kept else profile.client_key
    delete_waiting(connection, tables, live.public_id)
    connection.execute(
        tables.waiting.insert().values(
            **columns_of(live.scope),
            server_id=live.public_id,
            mark=secrets.token_hex(16),
            made_at=naive(now),
            actor=printable(actor, 255),
            settings=json.dumps(settings),
            password_token=password.token if password else None,
            password_environment=(password.environment or None) if password else None,
            client_key_token=client_key.token if client_key else None,
        )
    )


def read_waiting(connection: Connection, tables: Tables, live: ServerProfile) -> Waiting | None:
    """Read the change of a server that waits; None if there is none."""
    table = tables.waiting
    row = connection.execute(select(table).where(table.c.server_id == live.public_id)).mappings().first()
    return waiting_of(dict(row), live) if row is not None else None


def waiting_ids(connection: Connection, tables: Tables, scope: Scope) -> set[str]:
    """Name the servers of a scope for which a change waits."""
    table = tables.waiting
    return set(connection.execute(select(table.c.server_id).where(within(table, scope))).scalars())


def delete_waiting(connection: Connection, tables: Tables, server_id: str) -> bool:
    """Throw the change of a server away; False if there was none."""
    table = tables.waiting
    return bool(connection.execute(table.delete().where(table.c.server_id == server_id)).rowcount)


def waiting_of(row: Mapping[str, Any], live: ServerProfile) -> Waiting:
    """Make a waiting change of its row."""
    settings, made_at = json.loads(row["settings"]), aware(row["made_at"])
    if made_at is None:
        raise ValueError("a waiting change has no time")
    values = {name: settings["values"][name] for name in _PLAIN}
    values["security"] = Security(values["security"])
    if "password" not in settings["kept"]:
        values["password"] = _secret(row["password_token"], row["password_environment"])
        since = settings["password_changed_at"]
        values["password_changed_at"] = datetime.fromisoformat(since) if since else None
    if "client_key" not in settings["kept"]:
        values["client_key"] = _secret(row["client_key_token"], None)
    profile = replace(live, **values)
    fields = differing(live, profile)
    profile = needing_test(live, profile, fields, now=made_at)
    return Waiting(live=live, profile=profile, fields=fields, mark=row["mark"], made_at=made_at, actor=row["actor"])


def _secret(token: str | None, environment: str | None) -> StoredSecret | None:
    return StoredSecret(token, environment or "") if token else None
