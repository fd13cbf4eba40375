"""The tables, on a ``MetaData`` of our own; :func:`attach` copies them into the host's, where migrations see them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakSet

from flask import Flask
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    DateTime,
    Double,
    Engine,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    event,
    false,
    true,
)
from sqlalchemy.dialects.mysql import DATETIME, LONGTEXT, VARCHAR

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from flask_sqlalchemy import SQLAlchemy

metadata = MetaData()

# MariaDB's own default collation ignores case and accents: "Müller@x" would equal "muller@x".
_COLLATION = {"charset": "utf8mb4", "collation": "utf8mb4_bin"}
_MARIADB = ("mysql", "mariadb")
#: How MariaDB is to keep our tables.
TABLE: dict[str, Any] = {
    f"{name}_{key}": value for name in _MARIADB for key, value in {"engine": "InnoDB", "charset": "utf8mb4"}.items()
}

_INFO_KEY = "smtpservers_tables"


def exact(length: int) -> Any:
    """Text that is compared byte for byte on every database."""
    return String(length).with_variant(VARCHAR(length, **_COLLATION), *_MARIADB)


def long() -> Any:
    """Text without a practical limit; MariaDB's TEXT ends at 64 KB."""
    return Text().with_variant(LONGTEXT(**_COLLATION), *_MARIADB)


def _time() -> Any:
    """Store a time in UTC without a zone; MariaDB's plain DATETIME would drop the fraction of a second."""
    return DateTime().with_variant(DATETIME(fsp=6), *_MARIADB)


_server = Table(
    "smtpservers_server",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("public_id", exact(32), nullable=False),
    Column("tenant", exact(128), nullable=False, server_default=""),
    Column("owner", exact(255), nullable=False, server_default=""),
    Column("name", exact(100), nullable=False),
    Column("name_key", exact(255), nullable=False),
    Column("host", exact(255), nullable=False),
    Column("port", Integer, nullable=False),
    Column("security", exact(16), nullable=False),
    Column("username", exact(512), nullable=False),
    Column("password_token", long()),
    Column("password_environment", exact(255)),
    Column("auth_mechanism", exact(32), nullable=False, server_default=""),
    Column("address", exact(320), nullable=False),
    Column("address_key", exact(320), nullable=False),
    Column("domain", exact(255), nullable=False),
    Column("sender_name", exact(255), nullable=False),
    Column("sender_format", exact(255), nullable=False),
    Column("sender_policy", exact(16), nullable=False),
    Column("foreign_sender", exact(16), nullable=False, server_default="keep"),
    Column("allowed_senders", long()),
    Column("reply_to", exact(320), nullable=False),
    Column("timeout_seconds", Double, nullable=False),
    Column("max_connections", Integer, nullable=False, server_default="0"),
    Column("pipelining", Boolean, nullable=False, server_default=true()),
    Column("ca_certificate", long(), nullable=False),
    Column("certificate_fingerprint", exact(128), nullable=False, server_default=""),
    Column("client_certificate", long(), nullable=False),
    Column("client_key_token", long()),
    Column("provider", exact(64), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("draft", Boolean, nullable=False, server_default=false()),
    Column("is_default", Boolean, nullable=False),
    Column("position", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("password_changed_at", _time()),
    Column("certificate_expires_at", _time()),
    Column("tested_at", _time()),
    Column("test_passed", Boolean),
    Column("test_title", exact(255), nullable=False),
    Column("suspended_at", _time()),
    Column("suspended_reason", exact(255), nullable=False, server_default=""),
    Column("address_verified_at", _time()),
    Column("tested_by", exact(255), nullable=False, server_default=""),
    Column("retest_since", _time()),
    Column("arrived_at", _time()),
    Column("failing_since", _time()),
    # Named here, so that no naming convention of a host is needed; PostgreSQL wants the names unique in the schema.
    Index("smtpservers_server_public_id", "public_id", unique=True),
    Index("smtpservers_server_name_key", "tenant", "owner", "name_key", unique=True),
    Index("smtpservers_server_address_key", "address_key"),
    Index("smtpservers_server_domain", "domain"),
    Index("smtpservers_server_is_default", "is_default"),
    **TABLE,
)

_option = Table(
    "smtpservers_option",
    metadata,
    Column("tenant", exact(128), primary_key=True, server_default=""),
    Column("name", exact(64), primary_key=True),
    Column("value", exact(255), nullable=False),
    **TABLE,
)

_event = Table(
    "smtpservers_event",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", _time(), nullable=False),
    Column("tenant", exact(128), nullable=False, server_default=""),
    Column("owner", exact(255), nullable=False, server_default=""),
    Column("actor", exact(255), nullable=False),
    Column("action", exact(32), nullable=False),
    Column("server_id", exact(32), nullable=False),
    Column("server_name", exact(100), nullable=False),
    Column("fields", exact(512), nullable=False),
    Column("old_values", long()),
    Column("new_values", long()),
    Index("smtpservers_event_server_id", "server_id", "id"),
    Index("smtpservers_event_at", "at"),
    **TABLE,
)

_waiting = Table(
    "smtpservers_waiting",
    metadata,
    Column("server_id", exact(32), primary_key=True),
    Column("tenant", exact(128), nullable=False, server_default=""),
    Column("owner", exact(255), nullable=False, server_default=""),
    Column("mark", exact(32), nullable=False),
    Column("made_at", _time(), nullable=False),
    Column("actor", exact(255), nullable=False),
    Column("settings", long(), nullable=False),
    Column("password_token", long()),
    Column("password_environment", exact(255)),
    Column("client_key_token", long()),
    **TABLE,
)

_kind = Table(
    "smtpservers_kind",
    metadata,
    Column("tenant", exact(128), primary_key=True),
    Column("kind", exact(64), primary_key=True),
    Column("server_id", exact(32), nullable=False),
    Index("smtpservers_kind_server_id", "server_id"),
    **TABLE,
)

_draft = Table(
    "smtpservers_draft",
    metadata,
    Column("id", exact(64), primary_key=True),
    Column("binding", exact(64), nullable=False),
    Column("payload", long(), nullable=False),
    Column("expires_at", _time(), nullable=False),
    Index("smtpservers_draft_expires_at", "expires_at"),
    **TABLE,
)

_trial = Table(
    "smtpservers_trial",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("public_id", exact(32), nullable=False),
    Column("tenant", exact(128), nullable=False, server_default=""),
    Column("owner", exact(255), nullable=False, server_default=""),
    Column("server_id", exact(32), nullable=False),
    Column("server_name", exact(100), nullable=False),
    Column("settings", exact(64), nullable=False),
    Column("actor", exact(255), nullable=False),
    Column("recipient", exact(320), nullable=False),
    Column("ticket", exact(64)),
    Column("started_at", _time(), nullable=False),
    Column("passed", Boolean),
    Column("title", exact(255), nullable=False),
    Column("cause", exact(64), nullable=False),
    Column("queue_id", exact(255), nullable=False),
    Column("sent_at", _time()),
    Column("arrived_at", _time()),
    Index("smtpservers_trial_public_id", "public_id", unique=True),
    Index("smtpservers_trial_ticket", "ticket", unique=True),
    Index("smtpservers_trial_server_id", "server_id", "id"),
    Index("smtpservers_trial_started_at", "started_at"),
    **TABLE,
)

_proof = Table(
    "smtpservers_proof",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant", exact(128), nullable=False, server_default=""),
    Column("owner", exact(255), nullable=False),
    Column("server_id", exact(32), nullable=False),
    Column("address_key", exact(320), nullable=False),
    Column("ticket", exact(64), nullable=False),
    Column("asked_at", _time(), nullable=False),
    Column("used_at", _time()),
    Index("smtpservers_proof_ticket", "ticket", unique=True),
    Index("smtpservers_proof_server_id", "server_id", "id"),
    Index("smtpservers_proof_address_key", "address_key"),
    Index("smtpservers_proof_asked_at", "asked_at"),
    **TABLE,
)


_turn = Table(
    "smtpservers_turn",
    metadata,
    Column("id", exact(32), primary_key=True),
    Column("kind", exact(16), nullable=False),
    Column("person", exact(64), nullable=False),
    Column("budget", exact(64), nullable=False),
    Column("tenant", exact(128), nullable=False),
    Column("target", exact(64), nullable=False),
    Column("begun_at", _time(), nullable=False),
    Column("until", _time(), nullable=False),
    Index("smtpservers_turn_begun_at", "begun_at"),
    **TABLE,
)


@dataclass(frozen=True, eq=False)
class Tables:
    """The tables as they stand in one host's metadata.

    ``others`` are those that other rooms have declared on our metadata, by their names; ``complete`` holds the engines
    on whose database all tables and columns have been seen.
    """

    server: Table
    option: Table
    event: Table
    draft: Table
    trial: Table
    kind: Table
    waiting: Table
    proof: Table
    turn: Table
    others: Mapping[str, Table] = field(default_factory=dict, kw_only=True)
    complete: WeakSet[Engine] = field(default_factory=WeakSet, kw_only=True)

    def __iter__(self) -> Iterator[Table]:
        first = (self.server, self.option, self.event, self.draft)
        rest = (self.trial, self.kind, self.waiting, self.proof, self.turn)
        return iter((*first, *rest, *self.others.values()))


def attach(db: SQLAlchemy, app: Flask | None = None) -> Tables:
    """Copy the tables into the default metadata of ``db``; a second call returns the same copies.

    :param app: an app to check: it must have a default database.
    :raises ConfigurationError: the host has a table of the same name, or ``app`` has no default database.
    """
    if app is not None:
        _check_engine(db, app)
    host = db.metadatas[None]
    known = host.info.get(_INFO_KEY)
    if isinstance(known, Tables):
        return known
    ours = (_server, _option, _event, _draft, _trial, _kind, _waiting, _proof, _turn)
    others = [table for table in metadata.sorted_tables if table not in ours]
    tables = Tables(
        *(_copy(table, host) for table in ours), others={table.name: _copy(table, host) for table in others}
    )

    def forget(_target: Table, connection: Connection, **_kwargs: Any) -> None:
        tables.complete.discard(connection.engine)

    for table in tables:
        event.listen(table, "after_drop", forget)  # test suites drop and create tables on one engine
    host.info[_INFO_KEY] = tables
    return tables


def _copy(table: Table, host: MetaData) -> Table:
    if any(existing.name == table.name and existing.schema == host.schema for existing in host.tables.values()):
        raise ConfigurationError(
            f"The app has a table {table.name} of its own; such names belong to Flask-SMTPServers, so rename it"
        )
    # None means: the schema of the metadata that it is copied into. The annotation of SQLAlchemy leaves it out.
    return table.to_metadata(host, schema=cast("str", None))


def _check_engine(db: SQLAlchemy, app: Flask) -> None:
    if app.extensions.get("sqlalchemy") is not db:
        raise ConfigurationError("Call db.init_app(app) with this db before SMTPServers.init_app(app, db=db, ...)")
    with app.app_context():
        if None not in db.engines:
            raise ConfigurationError(
                "Flask-SMTPServers keeps its tables in the app's default database, but only SQLALCHEMY_BINDS is set. "
                "Set SQLALCHEMY_DATABASE_URI as well; it may be the URL of one of the binds"
            )
