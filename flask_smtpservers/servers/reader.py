"""Reading the stored servers, and opening their secrets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import or_, select

from ..config import Settings
from ..errors import SecretUnreadable, ServerNotFound
from ..i18n import gettext as _
from ..safe_text import has_controls, printable
from ..secret import Secret
from ..smtp.endpoint import Endpoint
from .cleaning import name_key
from .connections import Connections, Reading
from .endpoints import endpoint_from
from .history import read_events
from .keyring import Keyring
from .lookup import OFF, SENDING, Candidates, Lookup
from .models import attach
from .profile import ServerEvent, ServerProfile
from .rows import profiles_of
from .schema import Schema
from .vault import Vault

if TYPE_CHECKING:
    from flask_sqlalchemy import SQLAlchemy


class ServerReader:
    """What :class:`~.store.ServerStore` can do without changing anything.

    Every method raises :class:`~flask_smtpservers.errors.StoreUnavailable` if the database fails. Reading never
    flushes, commits or rolls back anything of the host's.
    """

    def __init__(
        self,
        db: SQLAlchemy,
        settings: Settings,
        keyring: Keyring,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._tables = attach(db)
        self._schema = Schema(self._tables)
        self._lookup = Lookup(self._tables, self._schema)
        self._vault = Vault(keyring, environment)
        self._connections = Connections(db, self._tables)

    def servers(self) -> list[ServerProfile]:
        """Return all servers in the order of the list; none while the tables do not exist."""
        return self._servers()

    def get(self, public_id: str) -> ServerProfile:
        """Return the server with this public id.

        :raises ServerNotFound: there is none.
        """
        found = self._servers(public_id=public_id)
        if not found:
            raise ServerNotFound(_("There is no server with this id."))
        return found[0]

    def find(self, name_or_id: str) -> ServerProfile:
        """Return the server with this public id, or else this name in any case.

        :raises ServerNotFound: there is none.
        """
        found = self._servers(public_id=name_or_id, name_key=name_key(name_or_id))
        if not found:
            raise ServerNotFound(_("There is no server “%(name)s”.", name=printable(name_or_id, 100)))
        return max(found, key=lambda profile: profile.public_id == name_or_id)

    def candidates(self, *, using: str | None, address: str) -> Candidates:
        """Read, with one SELECT, what decides through which server a message goes.

        :param using: the name or public id of the server that was asked for.
        :param address: the address in the message's From.
        """
        with self._connections.reading() as reading:
            return self._lookup.find(reading, using=using, address=address)

    def sending_enabled(self) -> bool:
        """Return the master switch."""
        with self._connections.reading() as reading:
            if self._readable(reading) is None:
                return True
            option = self._tables.option
            value = reading.connection.execute(select(option.c.value).where(option.c.name == SENDING)).scalar()
            return value != OFF

    def events(self, public_id: str, limit: int = 20) -> list[ServerEvent]:
        """Return the latest changes of a server, the newest first; also of one that was removed."""
        with self._connections.reading() as reading:
            if has_controls(public_id) or self._readable(reading) is None:
                return []
            return read_events(reading.connection, self._tables, public_id, limit)

    # -- secrets

    def password_of(self, profile: ServerProfile) -> Secret | None:
        """Decrypt the password of a server, or look up its environment variable; None if it has none.

        :raises SecretUnreadable: the text says why.
        """
        return self._vault.password_of(profile)

    def client_key_of(self, profile: ServerProfile) -> Secret | None:
        """Decrypt the private key of the client certificate; None if there is none.

        :raises SecretUnreadable: the text says why.
        """
        return self._vault.client_key_of(profile)

    def endpoint_of(self, profile: ServerProfile) -> Endpoint:
        """Make the endpoint that a session connects to, with the secrets decrypted.

        :raises SecretUnreadable: the text says why.
        """
        password, client_key = self.password_of(profile), self.client_key_of(profile)
        return endpoint_from(profile, self._settings, password=password, client_key=client_key)

    def unreadable(self) -> list[ServerProfile]:
        """Return the servers with a secret that cannot be opened."""
        return [profile for profile in self.servers() if not self._opens(profile)]

    # -- self-checks

    def missing_tables(self) -> list[str]:
        """Name the tables that do not exist."""
        with self._connections.reading() as reading:
            return self._schema.missing_tables(reading.connection)

    def missing_columns(self) -> list[str]:
        """Name the columns, as ``table.column``, that existing tables lack."""
        with self._connections.reading() as reading:
            return self._schema.missing_columns(reading.connection)

    # -- parts

    def _servers(self, **wanted: str) -> list[ServerProfile]:
        if any(has_controls(value) for value in wanted.values()):  # PostgreSQL refuses to compare NUL
            return []
        with self._connections.reading() as reading:
            columns = self._readable(reading)
            if columns is None:
                return []
            server = self._tables.server
            statement = select(*(column for column in server.columns if column.name in columns))
            if wanted:
                statement = statement.where(or_(*(server.c[name] == value for name, value in wanted.items())))
            rows = reading.connection.execute(statement.order_by(server.c.position, server.c.id))
            return profiles_of(dict(row) for row in rows.mappings())

    def _readable(self, reading: Reading) -> frozenset[str] | None:
        if self._schema.known_complete(reading.connection):
            return frozenset(column.name for column in self._tables.server.columns)
        return self._schema.readable(reading.connection)

    def _opens(self, profile: ServerProfile) -> bool:
        try:
            self._vault.password_of(profile)
            self._vault.client_key_of(profile)
        except SecretUnreadable:
            return False
        return True
