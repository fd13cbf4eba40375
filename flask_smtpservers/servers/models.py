"""The tables, on a ``MetaData`` of our own; :func:`attach` copies them into the host's, where migrations see them."""

from __future__ import annotations

from collections.abc import Iterator
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
_TABLE: dict[str, Any] = {
    f"{name}_{key}": value for name in _MARIADB for key, value in {"engine": "InnoDB", "charset": "utf8mb4"}.items()
}

_INFO_KEY = "smtpservers_tables"


def _exact(length: int) -> Any:
    """Text that is compared byte for byte on every database."""
    return String(length).with_variant(VARCHAR(length, **_COLLATION), *_MARIADB)


def _long() -> Any:
    """Text without a practical limit; MariaDB's TEXT ends at 64 KB."""
    return Text().with_variant(LONGTEXT(**_COLLATION), *_MARIADB)


def _time() -> Any:
    """Store a time in UTC without a zone; MariaDB's plain DATETIME would drop the fraction of a second."""
    return DateTime().with_variant(DATETIME(fsp=6), *_MARIADB)


_server = Table(
    "smtpservers_server",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("public_id", _exact(32), nullable=False),
    Column("name", _exact(100), nullable=False),
    Column("name_key", _exact(255), nullable=False),
    Column("host", _exact(255), nullable=False),
    Column("port", Integer, nullable=False),
    Column("security", _exact(16), nullable=False),
    Column("username", _exact(512), nullable=False),
    Column("password_token", _long()),
    Column("password_environment", _exact(255)),
    Column("auth_mechanism", _exact(32), nullable=False, server_default=""),
    Column("address", _exact(320), nullable=False),
    Column("address_key", _exact(320), nullable=False),
    Column("domain", _exact(255), nullable=False),
    Column("sender_name", _exact(255), nullable=False),
    Column("sender_format", _exact(255), nullable=False),
    Column("sender_policy", _exact(16), nullable=False),
    Column("reply_to", _exact(320), nullable=False),
    Column("timeout_seconds", Double, nullable=False),
    Column("max_connections", Integer, nullable=False, server_default="0"),
    Column("pipelining", Boolean, nullable=False, server_default=true()),
    Column("ca_certificate", _long(), nullable=False),
    Column("client_certificate", _long(), nullable=False),
    Column("client_key_token", _long()),
    Column("provider", _exact(64), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("is_default", Boolean, nullable=False),
    Column("position", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("password_changed_at", _time()),
    Column("tested_at", _time()),
    Column("test_passed", Boolean),
    Column("test_title", _exact(255), nullable=False),
    # Named here, so that no naming convention of a host is needed; PostgreSQL wants the names unique in the schema.
    Index("smtpservers_server_public_id", "public_id", unique=True),
    Index("smtpservers_server_name_key", "name_key", unique=True),
    Index("smtpservers_server_address_key", "address_key"),
    Index("smtpservers_server_domain", "domain"),
    Index("smtpservers_server_is_default", "is_default"),
    **_TABLE,
)

_option = Table(
    "smtpservers_option",
    metadata,
    Column("name", _exact(64), primary_key=True),
    Column("value", _exact(255), nullable=False),
    **_TABLE,
)

_event = Table(
    "smtpservers_event",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", _time(), nullable=False),
    Column("actor", _exact(255), nullable=False),
    Column("action", _exact(32), nullable=False),
    Column("server_id", _exact(32), nullable=False),
    Column("server_name", _exact(100), nullable=False),
    Column("fields", _exact(512), nullable=False),
    Index("smtpservers_event_server_id", "server_id", "id"),
    **_TABLE,
)

_draft = Table(
    "smtpservers_draft",
    metadata,
    Column("id", _exact(64), primary_key=True),
    Column("binding", _exact(64), nullable=False),
    Column("payload", _long(), nullable=False),
    Column("expires_at", _time(), nullable=False),
    Index("smtpservers_draft_expires_at", "expires_at"),
    **_TABLE,
)


@dataclass(frozen=True, eq=False)
class Tables:
    """The tables as they stand in one host's metadata.

    ``complete`` holds the engines on whose database all tables and columns have been seen.
    """

    server: Table
    option: Table
    event: Table
    draft: Table
    complete: WeakSet[Engine] = field(default_factory=WeakSet)

    def __iter__(self) -> Iterator[Table]:
        return iter((self.server, self.option, self.event, self.draft))


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
    server, option, history, draft = (_copy(table, host) for table in (_server, _option, _event, _draft))
    tables = Tables(server, option, history, draft)

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
