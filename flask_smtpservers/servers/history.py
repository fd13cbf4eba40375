"""Who changed what and when: one entry for each change, secrets by name only."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from ..safe_text import printable
from .models import Tables
from .profile import ServerEvent
from .rows import aware, naive


def write_event(connection: Connection, tables: Tables, event: ServerEvent) -> None:
    """Add an entry, in the transaction of the change itself."""
    connection.execute(
        tables.event.insert().values(
            at=naive(event.at),
            actor=printable(event.actor, 255),
            action=event.action,
            server_id=event.server_id,
            server_name=event.server_name,
            fields=",".join(event.fields),
        )
    )


def read_events(connection: Connection, tables: Tables, server_id: str, limit: int) -> list[ServerEvent]:
    """Read the latest entries of one server, the newest first."""
    table = tables.event
    statement = select(table).where(table.c.server_id == server_id).order_by(table.c.id.desc()).limit(limit)
    return [_event_of(row) for row in connection.execute(statement).mappings()]


def _event_of(row: Any) -> ServerEvent:
    at = aware(row["at"])
    if at is None:
        raise ValueError("an entry of the history has no time")
    return ServerEvent(
        at=at,
        actor=row["actor"],
        action=row["action"],
        server_id=row["server_id"],
        server_name=row["server_name"],
        fields=tuple(name for name in row["fields"].split(",") if name),
    )
