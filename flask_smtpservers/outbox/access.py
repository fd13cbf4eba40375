"""How the outbox reaches its tables: in the host's transaction to write a message, else in short ones of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from ..servers.connections import Connections
from ..servers.models import attach
from ..servers.schema import Schema
from .tables import OutboxTables, outbox_tables

if TYPE_CHECKING:
    from flask_sqlalchemy import SQLAlchemy

Clock = Callable[[], int]


def system_clock() -> int:
    """Give the time now, in milliseconds since 1970 in UTC."""
    return time.time_ns() // 1_000_000


class Access:
    """Connections to the outbox's tables, within the caller's app context.

    Whatever fails in the database is a :class:`~flask_smtpservers.errors.StoreUnavailable`.

    :param clock: the time now, in milliseconds since 1970.
    """

    def __init__(self, db: SQLAlchemy, clock: Clock = system_clock) -> None:
        attached = attach(db)
        self.clock = clock
        self.tables: OutboxTables = outbox_tables(attached)
        self._schema = Schema(attached)
        self._connections = Connections(db, attached)

    @contextmanager
    def joining(self) -> Iterator[Connection]:
        """Lend the connection of the host's session, whose commit or roll-back decides about what is written.

        :raises StoreUnavailable: the database failed, or the tables are not there yet.
        """
        with self._connections.reading() as reading:
            # Before, for on SQLite a transaction that begins with reading may be refused to write.
            self._schema.require(reading.connection)
        with self._connections.joining() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Lend a connection for one short transaction.

        Let its first statement write: on SQLite a transaction that begins with reading may be refused to write.
        """
        with self._connections.writing() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Lend a connection to read from."""
        with self._connections.reading() as reading:
            yield reading.connection
