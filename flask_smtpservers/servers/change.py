"""One change of the stored servers: everything in it happens behind a lock, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select, true
from sqlalchemy.exc import IntegrityError

from ..errors import InvalidServer, ServerChanged, ServerNotFound
from ..i18n import gettext as _
from .cleaning import name_key
from .history import write_event
from .models import Tables
from .profile import ServerEvent, ServerProfile
from .rows import profile_of, row_of
from .texts import BLANKS, has_controls

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
        option = self._tables.option
        if self._connection.execute(option.update().where(option.c.name == name).values(value=value)).rowcount == 0:
            self._connection.execute(option.insert().values(name=name, value=value))

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
        option = self._tables.option
        update = option.update().where(option.c.name == LOCK).values(value=self._now.isoformat())
        if self._connection.execute(update).rowcount == 0:
            try:
                with self._connection.begin_nested():
                    self._connection.execute(option.insert().values(name=LOCK, value=self._now.isoformat()))
            except IntegrityError:  # somebody else made the row in this very moment
                self._connection.execute(update)


def name_taken() -> str:
    """Return what is said of a name that another server has."""
    return _("Another server has this name already.")
