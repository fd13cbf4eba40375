"""What of our tables the database really has: migrations may not have been run yet, or be older than this program."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from weakref import WeakSet

from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.exc import NoSuchTableError

from ..errors import StoreUnavailable
from ..i18n import gettext as _
from .models import Tables
from .rows import ESSENTIAL

logger = logging.getLogger("flask_smtpservers")


class Schema:
    """Compares the tables in the database with those that this program knows; once complete, it asks no more."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._complained: WeakSet[Engine] = WeakSet()

    def known_complete(self, connection: Connection) -> bool:
        """Say whether everything was there when it was last looked at."""
        return connection.engine in self._tables.complete

    def columns(self, connection: Connection) -> Mapping[str, frozenset[str]]:
        """Look up which of our columns exist, by the name of the table; a missing table has none.

        It reads catalogues only, so that it cannot fail a transaction.
        """
        inspector = inspect(connection)
        found: dict[str, frozenset[str]] = {}
        for table in self._tables:
            try:
                columns = inspector.get_columns(table.name, schema=table.schema)
            except NoSuchTableError:
                columns = []
            found[table.name] = frozenset(column["name"] for column in columns)
        if all(column.name in found[table.name] for table in self._tables for column in table.columns):
            self._tables.complete.add(connection.engine)
        else:
            self._tables.complete.discard(connection.engine)
        return found

    def missing_tables(self, connection: Connection) -> list[str]:
        """Name the tables that do not exist."""
        found = self.columns(connection)
        return [table.name for table in self._tables if not found[table.name]]

    def missing_columns(self, connection: Connection) -> list[str]:
        """Name the columns, as ``table.column``, that existing tables lack."""
        found = self.columns(connection)
        return [
            f"{table.name}.{column.name}"
            for table in self._tables
            if found[table.name]
            for column in table.columns
            if column.name not in found[table.name]
        ]

    def known(self) -> Mapping[str, frozenset[str]]:
        """Tell which columns there are, by the name of the table, where nothing is missing."""
        return {table.name: frozenset(column.name for column in table.columns) for table in self._tables}

    def readable(self, connection: Connection) -> Mapping[str, frozenset[str]] | None:
        """Tell which columns can be read, by the name of the table; None if there is no use in it. Complains once."""
        found = self.columns(connection)
        servers, options = found[self._tables.server.name], found[self._tables.option.name]
        if self.known_complete(connection):
            return found
        usable = servers >= ESSENTIAL and bool(options)
        if connection.engine not in self._complained:
            self._complained.add(connection.engine)
            logger.error(
                "The tables of Flask-SMTPServers are %s; run the migrations (flask db migrate, flask db upgrade) "
                "or db.create_all(). Meanwhile %s",
                "older than this program" if servers else "missing",
                "new columns have their defaults." if usable else "mail goes through the app's own MAIL_* settings.",
            )
        return found if usable else None

    def require(self, connection: Connection) -> None:
        """Refuse to write before the tables are as this program needs them.

        :raises StoreUnavailable: the text says what to do.
        """
        if self.known_complete(connection):
            return
        self.columns(connection)
        if not self.known_complete(connection):
            raise StoreUnavailable(
                _(
                    "The tables for SMTP servers are missing in the database or older than this program, so nothing "
                    "was written. Run the migrations of the app (flask db migrate, then flask db upgrade)."
                )
            )
