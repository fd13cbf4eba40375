"""One change of the stored servers: everything in it happens behind a lock, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, select, true
from sqlalchemy.exc import IntegrityError

from ..errors import InvalidServer, ServerChanged, ServerNotFound
from ..i18n import gettext as _
from ..permissions import APP, Scope
from ..safe_text import BLANKS, has_controls
from .cleaning import name_key
from .configured import Configured
from .history import values_of, write_event
from .models import Tables
from .profile import FIELDS, ServerEvent, ServerProfile
from .rows import profile_of, row_of
from .scoping import columns_of, usable_in, within
from .upsert import upsert
from .waiting import Waiting, delete_waiting, read_waiting, write_waiting

#: The option whose row serves as the lock.
LOCK = "changed_at"


class Change:
    """What can be done to the servers within one transaction.

    Making it takes the lock. Rows are then read as they are now, not as an older snapshot of the host's transaction
    shows them (MariaDB), hence ``FOR UPDATE``.

    :param now: the time of the change, UTC.
    :param actor: who makes it.
    :param scope: whose servers and settings are changed; those of others are not even found.
    :param history_days: how long entries of the history are kept.
    :param configured: the servers of the app's configuration, which cannot be changed.
    """

    def __init__(
        self,
        connection: Connection,
        tables: Tables,
        *,
        now: datetime,
        actor: str,
        scope: Scope = APP,
        history_days: int,
        configured: Configured,
    ) -> None:
        self._connection = connection
        self._tables = tables
        self._now = now
        self._actor = actor
        self._owned = columns_of(scope)
        self._scope = scope
        self._history_days = history_days
        self._configured = configured
        self.events: list[ServerEvent] = []
        self._lock()

    @property
    def scope(self) -> Scope:
        """Whose servers and settings are changed."""
        return self._scope

    @property
    def connection(self) -> Connection:
        """Where the change is written, for what concerns no row of a server."""
        return self._connection

    def server(self, public_id: str, version: int | None = None) -> ServerProfile:
        """Read the server that is to be changed.

        :raises ServerNotFound: there is none with this id.
        :raises ServerChanged: it does not have this version any more.
        :raises ServerLocked: it is one of the app's configuration.
        """
        if self._scope == APP:
            self._configured.refuse_change(public_id)
        server = self._tables.server
        row = None
        if not has_controls(public_id):
            statement = select(server).where(server.c.public_id == public_id, self._ours)
            row = self._connection.execute(statement.with_for_update()).mappings().first()
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
            select(server.c.public_id).where(self._ours).order_by(server.c.position, server.c.id).with_for_update()
        )
        return list(rows.scalars())

    def names(self) -> dict[str, str]:
        """Read the public ids by the keys of the names (:func:`~.cleaning.name_key`)."""
        server = self._tables.server
        rows = self._connection.execute(
            select(server.c.name_key, server.c.public_id).where(self._ours).with_for_update()
        )
        return {row.name_key: row.public_id for row in rows}

    def name_taken(self, name: str, *, but: str = "") -> bool:
        """Say whether another server, not ``but``, has this name."""
        if self._scope == APP and self._configured.named(name.strip(BLANKS)):
            return True
        key = name_key(name.strip(BLANKS))
        if has_controls(key):
            return False
        server = self._tables.server
        named = select(server.c.public_id).where(self._ours, server.c.name_key == key, server.c.public_id != but)
        return self._connection.execute(named.with_for_update()).first() is not None

    def free_name(self, name: str, *, limit: int) -> str:
        """Return ``name``, or ``name (2)`` and so on if it is taken."""
        number, free = 1, name
        while self.name_taken(free):
            number += 1
            suffix = f" ({number})"
            free = name[: limit - len(suffix)] + suffix
        return free

    def insert(self, profile: ServerProfile) -> None:
        """Add a server; it must belong to the scope."""
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
            .where(server.c.public_id == before.public_id, self._ours, server.c.version == before.version)
            .values({name: value for name, value in new.items() if value != old[name]})
        )
        if self._write(statement) != 1:
            raise ServerChanged(_("Somebody else changed this server meanwhile; nothing was saved."))
        return after

    def delete(self, profile: ServerProfile) -> None:
        """Remove a server; the kinds of mail that it was for are for none then."""
        server, kind = self._tables.server, self._tables.kind
        removed = self._connection.execute(server.delete().where(server.c.public_id == profile.public_id, self._ours))
        if removed.rowcount:
            self._connection.execute(kind.delete().where(kind.c.server_id == profile.public_id))
            delete_waiting(self._connection, self._tables, profile.public_id)

    def waiting(self, live: ServerProfile) -> Waiting | None:
        """Read the change of a server that waits for its test."""
        return read_waiting(self._connection, self._tables, live)

    def wait(self, live: ServerProfile, profile: ServerProfile) -> Waiting | None:
        """Let a change of a server wait for its test."""
        write_waiting(self._connection, self._tables, live, profile, now=self._now, actor=self._actor)
        return self.waiting(live)

    def stop_waiting(self, public_id: str) -> None:
        """Throw the change of a server that waits away, if there is one."""
        delete_waiting(self._connection, self._tables, public_id)

    def clear_default(self, *, but: str) -> None:
        """Take the default from every server other than ``but``."""
        server = self._tables.server
        self._connection.execute(
            server.update()
            .where(self._ours, server.c.is_default == true(), server.c.public_id != but)
            .values(is_default=False, version=server.c.version + 1)
        )

    def arrange(self, order: Sequence[str]) -> None:
        """Give the servers the positions from 0 in this order; writes only those that move."""
        server = self._tables.server
        statement = select(server.c.public_id, server.c.position).where(self._ours)
        rows = self._connection.execute(statement.with_for_update())
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
        """Write an option of the app or the tenant, whether it was there or not."""
        row = {"tenant": self._owned["tenant"], "name": name, "value": value}
        self._connection.execute(upsert(self._connection.dialect.name, self._tables.option, row))

    def clear_option(self, name: str) -> None:
        """Remove an option of the app or the tenant, so that what is usual holds."""
        option = self._tables.option
        same = (option.c.tenant == self._owned["tenant"], option.c.name == name)
        self._connection.execute(option.delete().where(*same))

    def assign(self, kind: str, public_id: str | None) -> ServerProfile | None:
        """Let mail of a kind go through a server: one of the tenant's, or of the app's; None for none in particular.

        :raises ServerNotFound: there is none with this id that the mail may go through.
        """
        table = self._tables.kind
        owned = {"tenant": self._owned["tenant"], "kind": kind}
        chosen = None
        if public_id is not None:
            chosen = self._usable(public_id)
            row = {**owned, "server_id": chosen.public_id}
            self._connection.execute(upsert(self._connection.dialect.name, table, row))
        else:
            self._connection.execute(table.delete().where(*(table.c[name] == value for name, value in owned.items())))
        return chosen

    def _usable(self, public_id: str) -> ServerProfile:
        if public_id in self._configured:
            return self._configured.find(public_id=public_id)[0]
        server = self._tables.server
        row = None
        if not has_controls(public_id):
            statement = select(server).where(server.c.public_id == public_id, usable_in(server, self._scope))
            row = self._connection.execute(statement.with_for_update()).mappings().first()
        if row is None:
            raise ServerNotFound(_("This server does not exist any more."))
        return profile_of(dict(row))

    def record(
        self,
        action: str,
        profile: ServerProfile | None,
        fields: Sequence[str] = (),
        *,
        before: ServerProfile | None = None,
    ) -> None:
        """Enter the change into the history.

        :param profile: the server as it is now, or was when it was removed; None for what concerns no single server.
        :param before: the server before these fields were changed.
        """
        old = values_of(before, fields) if before is not None else {}
        new = values_of(profile, fields) if profile is not None and before is not None else {}
        if profile is not None and action in ("added", "removed"):
            old, new = ({}, values_of(profile, FIELDS)) if action == "added" else (values_of(profile, FIELDS), {})
        event = ServerEvent(
            at=self._now,
            actor=self._actor,
            action=action,
            server_id=profile.public_id if profile else "",
            server_name=profile.name if profile else "",
            fields=tuple(fields),
            before=old,
            after=new,
            tenant=self._owned["tenant"],
            owner=self._owned["owner"],
        )
        write_event(self._connection, self._tables, event, keep_days=self._history_days)
        self.events.append(event)

    def forget_values(self) -> None:
        """Leave of the scope's history what was done and by whom, but no settings."""
        event = self._tables.event
        nothing = {"old_values": None, "new_values": None}
        self._connection.execute(event.update().where(within(event, self._scope)).values(nothing))

    def _write(self, statement: Any) -> int:
        try:
            return int(self._connection.execute(statement).rowcount)
        except IntegrityError:
            raise InvalidServer({"name": (name_taken(),)}) from None

    def _lock(self) -> None:
        """Let changes happen one after the other: "exactly one default" and the dense order need it."""
        row = {"tenant": "", "name": LOCK, "value": self._now.isoformat()}
        self._connection.execute(upsert(self._connection.dialect.name, self._tables.option, row))

    @property
    def _ours(self) -> ColumnElement[bool]:
        return within(self._tables.server, self._scope)


def name_taken() -> str:
    """Return what is said of a name that another server has."""
    return _("Another server has this name already.")
