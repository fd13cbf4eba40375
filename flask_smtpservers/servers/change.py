"""One change of the stored servers: everything in it happens behind a lock, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Executable, Table, bindparam, select, true
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from ..errors import InvalidServer, ServerChanged, ServerNotFound
from ..i18n import gettext as _
from ..safe_text import BLANKS, has_controls
from .cleaning import name_key
from .history import write_event
from .models import Tables
from .profile import ServerEvent, ServerProfile
from .rows import profile_of, row_of

#: The option whose row serves as the lock.
LOCK = "changed_at"


class Change:
    """What can be done to the servers within one transaction.

    Making it takes the lock. Rows are then read as they are now, not as an older snapshot of the host's transaction
    shows them (MariaDB), hence ``FOR UPDATE``.

    :param now: the time of the change, UTC.
    :param actor: who makes it.
    """

    def __init__(self, connection: Connection, tables: Tables, *, now: datetime, actor: str) -> None:
        self._connection = connection
        self._tables = tables
        self._now = now
        self._actor = actor
        self.events: list[ServerEvent] = []
        self._lock()

    def server(self, public_id: str, version: int | None = None) -> ServerProfile:
        """Read the server that is to be changed.

        :raises ServerNotFound: there is none with this id.
        :raises ServerChanged: it does not have this version any more.
        """
        server = self._tables.server
        row = None
        if not has_controls(public_id):
            found = self._connection.execute(select(server).where(server.c.public_id == public_id).with_for_update())
            row = found.mappings().first()
        if row is None:
            raise ServerNotFound(_("This server does not exist any more."))
        profile = profile_of(dict(row))
        if version is not None and version != profile.version:
            raise ServerChanged(_("Somebody else changed this server meanwhile; nothing was saved."))
        return profile

    def order(self) -> list[str]:
        """Read the public ids in the order of the list."""
        server = self._tables.server
        rows = self._connection.execute(
            select(server.c.public_id).order_by(server.c.position, server.c.id).with_for_update()
        )
        return list(rows.scalars())

    def name_taken(self, name: str, *, but: str = "") -> bool:
        """Say whether another server, not ``but``, has this name."""
        key = name_key(name.strip(BLANKS))
        if has_controls(key):
            return False
        server = self._tables.server
        row = self._connection.execute(
            select(server.c.public_id).where(server.c.name_key == key, server.c.public_id != but).with_for_update()
        ).first()
        return row is not None

    def free_name(self, name: str, *, limit: int) -> str:
        """Return ``name``, or ``name (2)`` and so on if it is taken."""
        number, free = 1, name
        while self.name_taken(free):
            number += 1
            suffix = f" ({number})"
            free = name[: limit - len(suffix)] + suffix
        return free

    def insert(self, profile: ServerProfile) -> None:
        """Add a server."""
        self._write(self._tables.server.insert().values(row_of(profile)))

    def update(self, before: ServerProfile, after: ServerProfile) -> ServerProfile:
        """Write what differs, with the next version.

        :raises ServerChanged: the row is not the one that was read.
        """
        after = replace(after, version=before.version + 1)
        old, new = row_of(before), row_of(after)
        server = self._tables.server
        statement = (
            server.update()
            .where(server.c.public_id == before.public_id, server.c.version == before.version)
            .values({name: value for name, value in new.items() if value != old[name]})
        )
        if self._write(statement) != 1:
            raise ServerChanged(_("Somebody else changed this server meanwhile; nothing was saved."))
        return after

    def delete(self, profile: ServerProfile) -> None:
        """Remove a server."""
        server = self._tables.server
        self._connection.execute(server.delete().where(server.c.public_id == profile.public_id))

    def clear_default(self, *, but: str) -> None:
        """Take the default from every server other than ``but``."""
        server = self._tables.server
        self._connection.execute(
            server.update()
            .where(server.c.is_default == true(), server.c.public_id != but)
            .values(is_default=False, version=server.c.version + 1)
        )

    def arrange(self, order: Sequence[str]) -> None:
        """Give the servers the positions from 0 in this order; writes only those that move."""
        server = self._tables.server
        rows = self._connection.execute(select(server.c.public_id, server.c.position).with_for_update())
        positions: dict[str, int] = {row.public_id: row.position for row in rows}
        moves = [
            {"moved": public_id, "place": place}
            for place, public_id in enumerate(order)
            if positions.get(public_id) != place
        ]
        if moves:
            update = server.update().where(server.c.public_id == bindparam("moved")).values(position=bindparam("place"))
            self._connection.execute(update, moves)

    def set_option(self, name: str, value: str) -> None:
        """Write an option, whether it was there or not."""
        self._connection.execute(_upsert(self._connection.dialect.name, self._tables.option, name, value))

    def record(self, action: str, profile: ServerProfile | None, fields: Sequence[str] = ()) -> None:
        """Enter the change into the history; None for a change that concerns no single server."""
        event = ServerEvent(
            at=self._now,
            actor=self._actor,
            action=action,
            server_id=profile.public_id if profile else "",
            server_name=profile.name if profile else "",
            fields=tuple(fields),
        )
        write_event(self._connection, self._tables, event)
        self.events.append(event)

    def _write(self, statement: Any) -> int:
        try:
            return int(self._connection.execute(statement).rowcount)
        except IntegrityError:
            raise InvalidServer({"name": (name_taken(),)}) from None

    def _lock(self) -> None:
        """Let changes happen one after the other: "exactly one default" and the dense order need it."""
        self.set_option(LOCK, self._now.isoformat())


def _upsert(dialect: str, option: Table, name: str, value: str) -> Executable:
    """Write an option in one statement.

    MariaDB locks the gap where a missing row would stand if it is looked for first, and then two that make the row
    at the same time end in a deadlock.
    """
    row = {"name": name, "value": value}
    if dialect in ("mysql", "mariadb"):
        return mysql.insert(option).values(row).on_duplicate_key_update(value=value)
    insert = postgresql.insert(option) if dialect == "postgresql" else sqlite.insert(option)
    return insert.values(row).on_conflict_do_update(index_elements=[option.c.name], set_={"value": value})


def name_taken() -> str:
    """Return what is said of a name that another server has."""
    return _("Another server has this name already.")
