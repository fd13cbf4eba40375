"""Who changed what and when: one entry for each change, with the old and the new values, secrets by name only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from ..permissions import Scope
from ..safe_text import has_controls, printable
from ..smtp.endpoint import Security
from .models import Tables
from .profile import FIELDS, ForeignSender, SenderPolicy, ServerEvent, ServerProfile
from .rows import aware, naive
from .scoping import within

#: Fields of which the history only knows whether there is a value.
SECRETS = ("password", "client_key")
#: How a server stands, as opposed to its settings.
_STANDING = ("enabled", "draft", "is_default", "position")


def values_of(profile: ServerProfile, names: Iterable[str] = FIELDS) -> dict[str, Any]:
    """Return fields of a server as JSON can hold them; of a secret only whether there is one."""
    return {name: _plain(name, getattr(profile, name)) for name in names}


def _plain(name: str, value: Any) -> Any:
    if name in SECRETS:
        return value is not None
    return list(value) if isinstance(value, tuple) else value


def restored(values: Mapping[str, Any], base: ServerProfile | None) -> ServerProfile:
    """Make a server with older settings. Its secrets, its place in the list and its use stay as they are.

    :param values: as :func:`values_of` gives them.
    :param base: the server as it is; None if it was removed: then it has no secrets.
    """
    older = {name: value for name, value in values.items() if name not in (*SECRETS, *_STANDING)}
    older["security"] = Security(older["security"])
    older["sender_policy"] = SenderPolicy(older["sender_policy"])
    older["foreign_sender"] = ForeignSender(older["foreign_sender"])
    older["allowed_senders"] = tuple(older["allowed_senders"])
    return replace(base, **older) if base is not None else ServerProfile(public_id="", **older)


def write_event(connection: Connection, tables: Tables, event: ServerEvent, *, keep_days: int) -> None:
    """Add an entry, in the transaction of the change itself, and delete the entries that are too old."""
    table = tables.event
    connection.execute(table.delete().where(table.c.at < naive(event.at - timedelta(days=keep_days))))
    connection.execute(
        table.insert().values(
            at=naive(event.at),
            tenant=event.tenant,
            owner=event.owner,
            actor=printable(event.actor, 255),
            action=event.action,
            server_id=event.server_id,
            server_name=event.server_name,
            fields=",".join(event.fields),
            old_values=json.dumps(event.before),
            new_values=json.dumps(event.after),
        )
    )


def read_events(
    connection: Connection,
    tables: Tables,
    scope: Scope,
    *,
    server_id: str | None = None,
    limit: int,
    offset: int = 0,
) -> list[ServerEvent]:
    """Read the latest entries of a scope, the newest first.

    :param server_id: only those of one server.
    """
    table = tables.event
    statement = select(table).where(within(table, scope))
    if server_id is not None:
        if has_controls(server_id):  # PostgreSQL refuses to compare NUL
            return []
        statement = statement.where(table.c.server_id == server_id)
    statement = statement.order_by(table.c.id.desc()).limit(limit).offset(offset)
    return [_event_of(row) for row in connection.execute(statement).mappings()]


def read_kind_events(connection: Connection, tables: Tables, scope: Scope) -> dict[str, ServerEvent]:
    """Read the latest assignment of each kind of mail in a scope."""
    table = tables.event
    ours = (within(table, scope), table.c.action == "kind")
    latest = select(func.max(table.c.id)).where(*ours).group_by(table.c.fields)
    found = connection.execute(select(table).where(table.c.id.in_(latest))).mappings()
    events = [_event_of(row) for row in found]
    return {event.fields[0]: event for event in events if event.fields}


def values_before(
    connection: Connection, tables: Tables, scope: Scope, entry: int, now: ServerProfile | None, server_id: str
) -> dict[str, Any] | None:
    """Return the values that a server had before an entry of its history; None if nobody knows them.

    The entries hold what each of them changed, so the way leads back from the newest one.

    :param now: the server as it is; None if it was removed.
    """
    table = tables.event
    if has_controls(server_id):
        return None
    statement = select(table).where(within(table, scope), table.c.server_id == server_id, table.c.id >= entry)
    events = [_event_of(row) for row in connection.execute(statement.order_by(table.c.id.desc())).mappings()]
    if not events or events[-1].id != entry or events[-1].action == "added":
        return None
    values = values_of(now) if now is not None else {}
    for event in events:
        if event.action == "kind":
            continue
        if not event.before.keys() >= set(event.fields):
            return None
        values.update(event.before)
    return values or None


def _event_of(row: Mapping[Any, Any]) -> ServerEvent:
    at = aware(row["at"])
    if at is None:
        raise ValueError("an entry of the history has no time")
    return ServerEvent(
        id=row["id"],
        at=at,
        actor=row["actor"],
        action=row["action"],
        server_id=row["server_id"],
        server_name=row["server_name"],
        fields=tuple(name for name in row["fields"].split(",") if name),
        before=json.loads(row.get("old_values") or "{}"),
        after=json.loads(row.get("new_values") or "{}"),
        tenant=row["tenant"],
        owner=row["owner"],
    )
