"""Reading the stored servers, and opening their secrets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, or_, select

from ..config import Settings
from ..errors import SecretUnreadable, ServerNotFound
from ..i18n import gettext as _
from ..permissions import APP, Scope
from ..policy import Mode, ModeState
from ..providers.catalog import Catalog
from ..safe_text import has_controls, printable
from ..secret import Secret
from ..smtp.endpoint import Endpoint
from .cleaning import name_key
from .configured import Configured, with_results
from .connections import Connections, Reading
from .endpoints import endpoint_from
from .history import read_events, read_kind_events, values_before
from .keyring import Keyring
from .lookup import OFF, ON, SENDING, Candidates, Lookup, mode_option
from .models import attach
from .modes import mode_state
from .profile import ServerEvent, ServerProfile
from .results import read_results
from .rows import profiles_of
from .schema import Schema
from .scoping import columns_of, within
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
        catalog: Catalog | None = None,
    ) -> None:
        self.configured = Configured(settings, catalog, environment)
        self._settings = settings
        self._clock = clock
        self._tables = attach(db)
        self._schema = Schema(self._tables)
        self._lookup = Lookup(self._tables, self._schema)
        self._vault = Vault(keyring, environment)
        self._connections = Connections(db, self._tables)

    def servers(self, *, scope: Scope = APP) -> list[ServerProfile]:
        """Return all servers of a scope in the order of the list; while the tables do not exist, none of them.

        Those of the configuration come first among the app's.
        """
        return [*(self.configured_servers() if scope == APP else []), *self._servers(scope)]

    def configured_servers(self) -> list[ServerProfile]:
        """Return the servers of the app's configuration, with how their last tests ended."""
        servers = self.configured.servers
        if not servers:
            return []
        with self._connections.reading() as reading:
            columns = self._readable(reading)
            if columns is None:
                return servers
            tenants = "tenant" in columns[self._tables.option.name]
            return with_results(servers, read_results(reading.connection, self._tables, tenants=tenants))

    def personal_servers(self, *, tenant: str | None = None) -> list[ServerProfile]:
        """Return the servers that users of a tenant, or of the app, have of their own: for whoever may suspend them."""
        server = self._tables.server
        return self._select(server.c.tenant == columns_of(Scope(tenant))["tenant"], server.c.owner != "")

    def every_server(self) -> list[ServerProfile]:
        """Return the stored servers of all scopes, for the care of their keys; nobody's page may show them together."""
        return self._select()

    def get(self, public_id: str, *, scope: Scope = APP) -> ServerProfile:
        """Return the server with this public id.

        :raises ServerNotFound: there is none in this scope.
        """
        if scope == APP and public_id in self.configured:
            return next(one for one in self.configured_servers() if one.public_id == public_id)
        found = self._servers(scope, public_id=public_id)
        if not found:
            raise ServerNotFound(_("There is no server with this id."))
        return found[0]

    def find(self, name_or_id: str, *, scope: Scope = APP) -> ServerProfile:
        """Return the server with this public id, or else this name in any case.

        :raises ServerNotFound: there is none in this scope.
        """
        own = self.configured.find(public_id=name_or_id, key=name_key(name_or_id)) if scope == APP else []
        if own:
            return self.get(own[0].public_id)
        found = self._servers(scope, public_id=name_or_id, name_key=name_key(name_or_id))
        if not found:
            raise ServerNotFound(_("There is no server “%(name)s”.", name=printable(name_or_id, 100)))
        return max(found, key=lambda profile: profile.public_id == name_or_id)

    def candidates(self, *, using: str | None, address: str, kind: str | None = None, scope: Scope = APP) -> Candidates:
        """Read, with one SELECT, what decides through which server a message goes.

        :param using: the name or public id of the server that was asked for.
        :param address: the address in the message's From.
        :param kind: the id of its kind of mail.
        :param scope: the tenant whose mail it is, and the user whose own servers may be meant.
        """
        with self._connections.reading() as reading:
            found = self._lookup.find(reading, using=using, address=address, kind=kind, scope=scope)
        if not self.configured.servers:
            return found
        return replace(found, servers=(*self.configured.servers, *self.configured.over(found.servers)))

    def sending_enabled(self, *, scope: Scope = APP) -> bool:
        """Return the master switch of the app, or that of a tenant."""
        return self._options(scope).get(SENDING) != OFF

    def sending_off(self, *, scope: Scope = APP) -> Scope | None:
        """Tell whose master switch keeps a scope's mail back: the app's, that of its tenant, or nobody's (None)."""
        whose = [APP, Scope(scope.tenant)] if scope.tenant else [APP]
        return next((one for one in whose if not self.sending_enabled(scope=one)), None)

    def modes(self, *, scope: Scope = APP) -> dict[Mode, ModeState]:
        """Tell which ways to send a tenant, or the app itself, can use; see ``SMTPSERVERS_MODES``."""
        stored = self._options(scope)
        switches = {mode: stored.get(mode_option(mode)) for mode in Mode}
        return {
            mode: mode_state(self._settings, mode, None if switch is None else switch == ON)
            for mode, switch in switches.items()
        }

    def mode_switches(self, *, scope: Scope = APP) -> dict[Mode, bool]:
        """Tell which ways to send were switched on or off for a tenant, or the app itself; the others are as usual."""
        stored = self._options(scope)
        return {mode: stored[mode_option(mode)] == ON for mode in Mode if mode_option(mode) in stored}

    def kinds(self, *, scope: Scope = APP) -> dict[str, str]:
        """Tell which server (public id) each kind of mail is assigned to in a scope; a kind without one is left out.

        A kind that a tenant has not assigned goes the way of the app's.
        """
        table = self._tables.kind
        with self._connections.reading() as reading:
            columns = self._readable(reading)
            if columns is None or not columns[table.name]:
                return {}
            statement = select(table.c.kind, table.c.server_id).where(table.c.tenant == columns_of(scope)["tenant"])
            return {row.kind: row.server_id for row in reading.connection.execute(statement)}

    def kind_events(self, *, scope: Scope = APP) -> dict[str, ServerEvent]:
        """Tell who assigned each kind of mail of a scope last, by the id of the kind."""
        with self._connections.reading() as reading:
            columns = self._readable(reading)
            if columns is None or "new_values" not in columns[self._tables.event.name]:
                return {}
            return read_kind_events(reading.connection, self._tables, scope)

    def events(self, public_id: str, limit: int = 20, *, scope: Scope = APP) -> list[ServerEvent]:
        """Return the latest changes of a server, the newest first; also of one that was removed."""
        return self.history(public_id, limit=limit, scope=scope)

    def history(
        self, public_id: str | None = None, *, limit: int, offset: int = 0, scope: Scope = APP
    ) -> list[ServerEvent]:
        """Return the changes of a scope, the newest first.

        :param public_id: only those of this server, which may have been removed.
        :param offset: how many of the newest are left out.
        """
        with self._connections.reading() as reading:
            columns = self._readable(reading)
            if columns is None or "new_values" not in columns[self._tables.event.name]:
                return []
            return read_events(reading.connection, self._tables, scope, server_id=public_id, limit=limit, offset=offset)

    def values_before(self, public_id: str, entry: int, *, scope: Scope = APP) -> dict[str, Any] | None:
        """Return the fields that a server had before an entry of its history, as JSON has them, without secrets.

        :param entry: the number of the entry.
        :returns: None if there is no such entry, or not all of what happened since is known.
        """
        found = self._servers(scope, public_id=public_id)
        with self._connections.reading() as reading:
            columns = self._readable(reading)
            if columns is None or "new_values" not in columns[self._tables.event.name]:
                return None
            now = found[0] if found else None
            return values_before(reading.connection, self._tables, scope, entry, now, public_id)

    # -- secrets

    def password_of(self, profile: ServerProfile) -> Secret | None:
        """Decrypt the password of a server, or look up its environment variable; None if it has none.

        :raises SecretUnreadable: the text says why.
        """
        return (self.configured if profile.origin else self._vault).password_of(profile)

    def client_key_of(self, profile: ServerProfile) -> Secret | None:
        """Decrypt the private key of the client certificate; None if there is none.

        :raises SecretUnreadable: the text says why.
        """
        return (self.configured if profile.origin else self._vault).client_key_of(profile)

    def endpoint_of(self, profile: ServerProfile) -> Endpoint:
        """Make the endpoint that a session connects to, with the secrets decrypted.

        :raises SecretUnreadable: the text says why.
        """
        password, client_key = self.password_of(profile), self.client_key_of(profile)
        return endpoint_from(profile, self._settings, password=password, client_key=client_key)

    def unreadable(self) -> list[ServerProfile]:
        """Return the servers, of all scopes, with a secret that cannot be opened."""
        return [profile for profile in (*self.configured.servers, *self.every_server()) if not self._opens(profile)]

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

    def _servers(self, scope: Scope, **wanted: str) -> list[ServerProfile]:
        if any(has_controls(value) for value in wanted.values()):  # PostgreSQL refuses to compare NUL
            return []
        server = self._tables.server
        either = [or_(*(server.c[name] == value for name, value in wanted.items()))] if wanted else []
        return self.configured.over(
            self._select(within(server, scope), *either, shared=scope == APP, other=either), scope
        )

    def _select(
        self, *conditions: ColumnElement[bool], shared: bool = False, other: Sequence[ColumnElement[bool]] = ()
    ) -> list[ServerProfile]:
        """Read the servers that meet all conditions, in the order of the list.

        :param shared: whether they are the app's own: in a table from before there were others, that is all of them.
        :param other: the conditions for such a table.
        """
        server = self._tables.server
        with self._connections.reading() as reading:
            columns = self._readable(reading)
            if columns is None:
                return []
            there = columns[server.name]
            if not {"tenant", "owner"} <= there:
                if conditions and not shared:
                    return []
                conditions = tuple(other)
            statement = select(*(column for column in server.columns if column.name in there)).where(*conditions)
            rows = reading.connection.execute(statement.order_by(server.c.position, server.c.id))
            return profiles_of(dict(row) for row in rows.mappings())

    def _options(self, scope: Scope) -> dict[str, str]:
        """Read the switches of a tenant, or of the app; none while there are no tables."""
        option = self._tables.option
        with self._connections.reading() as reading:
            columns = self._readable(reading)
            if columns is None:
                return {}
            statement = select(option.c.name, option.c.value)
            if "tenant" in columns[option.name]:
                statement = statement.where(option.c.tenant == columns_of(scope)["tenant"])
            elif scope.tenant:
                return {}
            return {row.name: row.value for row in reading.connection.execute(statement)}

    def _readable(self, reading: Reading) -> Mapping[str, frozenset[str]] | None:
        if self._schema.known_complete(reading.connection):
            return self._schema.known()
        return self._schema.readable(reading.connection)

    def _opens(self, profile: ServerProfile) -> bool:
        try:
            self.password_of(profile)
            self.client_key_of(profile)
        except SecretUnreadable:
            return False
        return True
