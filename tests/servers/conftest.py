"""A small host app with a table of its own, the store in front of it, and a clock that stands still."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine, Integer, MetaData, String, create_engine, event, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from flask_smtpservers.config import Settings
from flask_smtpservers.secret import Secret
from flask_smtpservers.servers.drafts import Drafts
from flask_smtpservers.servers.keyring import Keyring, generate_key
from flask_smtpservers.servers.profile import ServerEvent
from flask_smtpservers.servers.store import ServerStore

from ..databases import Database, databases

FIELDS = {
    "name": "Invoices",
    "host": "smtp.example.com",
    "port": 587,
    "security": "starttls",
    "username": "billing@example.com",
    "password": "s3cret-CANARY",
    "address": "billing@example.com",
}


@dataclass
class Clock:
    """A clock that moves only when it is told to."""

    now: datetime = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **duration: float) -> None:
        self.now += timedelta(**duration)


@dataclass
class Host:
    """A host app, and what of ours works in it."""

    app: Flask
    db: SQLAlchemy
    Note: Any
    store: ServerStore
    drafts: Drafts
    clock: Clock
    events: list[ServerEvent] = field(default_factory=list)
    kind: str = ""

    def with_store(self, settings: Settings, **options: Any) -> ServerStore:
        """Another store for the same database, as after a restart with other settings."""
        return ServerStore(self.db, settings, Keyring(settings), self.clock, **options)

    @contextmanager
    def statements(self) -> Iterator[list[str]]:
        """Collect the statements that reach the database."""
        seen: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            seen.append(statement)

        event.listen(self.db.engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            event.remove(self.db.engine, "before_cursor_execute", note)


def a_key() -> Secret:
    return Secret(generate_key())


def settings(**values: Any) -> Settings:
    return Settings(**{"encryption_keys": (a_key(),), **values})


@contextmanager
def host_app(
    url: str,
    *,
    create: bool = True,
    metadata: MetaData | None = None,
    engine_options: dict[str, Any] | None = None,
    **values: Any,
) -> Iterator[Host]:
    """Build a host on a database."""

    class Base(DeclarativeBase):
        pass

    if metadata is not None:
        Base.metadata = metadata
    db = SQLAlchemy(model_class=Base)
    app = Flask("host")
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options or {}
    db.init_app(app)

    class Note(db.Model):  # type: ignore[name-defined, misc]
        __tablename__ = "note"
        id: Mapped[int] = mapped_column(Integer, primary_key=True)
        text: Mapped[str] = mapped_column(String(50), nullable=False)

    chosen, clock, events = settings(**values), Clock(), []
    keyring = Keyring(chosen)
    store = ServerStore(db, chosen, keyring, clock, on_event=events.append, environment={"SMTP_PASSWORD": "from-env"})
    with app.app_context():
        if create:
            db.create_all()
        engine: Engine = db.engine
    try:
        yield Host(app, db, Note, store, Drafts(db, keyring, clock), clock, events)
    finally:
        engine.dispose()


def _made(request: pytest.FixtureRequest, directory: Path, purpose: str) -> AbstractContextManager[Database]:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    made: AbstractContextManager[Database] = request.param(directory, f"{worker}_{purpose}")
    return made


@pytest.fixture(scope="session", params=databases())
def _scratch_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with _made(request, tmp_path_factory.mktemp("scratch"), "scratch") as made:
        yield made


@pytest.fixture
def database(_scratch_database: Database) -> Iterator[Database]:
    """An empty database of each kind in turn. Emptying one takes a hundredth of the time of making one."""
    yield _scratch_database
    engine = create_engine(_scratch_database.url)
    with engine.begin() as connection:
        if _scratch_database.kind == "postgresql":
            for schema in ("public", "mail"):
                connection.execute(text(f"DROP SCHEMA IF EXISTS {schema} CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        else:
            left = MetaData()
            left.reflect(connection)
            left.drop_all(connection)
    engine.dispose()


@pytest.fixture(scope="session", params=databases())
def _standing_host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with _made(request, tmp_path_factory.mktemp("standing"), "standing") as made, host_app(made.url) as standing:
        standing.kind = made.kind
        yield standing


@pytest.fixture
def host(_standing_host: Host) -> Iterator[Host]:
    """A host on each kind of database, inside its app context, with empty tables. Tests leave the tables alone."""
    standing = _standing_host
    standing.clock.now = Clock.now
    standing.events.clear()
    with standing.app.app_context():
        with standing.db.engine.begin() as connection:
            for table in standing.db.metadata.sorted_tables:
                connection.execute(table.delete())
        yield standing


@pytest.fixture
def fresh_host(database: Database) -> Iterator[Host]:
    """A host with a database of its own, for tests that change or drop tables."""
    with host_app(database.url) as made, made.app.app_context():
        yield made


@pytest.fixture
def sqlite_host() -> Iterator[Host]:
    """A host on in-memory SQLite, for what has nothing to do with the kind of database."""
    with host_app("sqlite://") as made, made.app.app_context():
        yield made


@pytest.fixture
def add(host: Host) -> Callable[..., Any]:
    """Add a server with some fields other than usual."""

    def adding(**fields: Any) -> Any:
        return host.store.add({**FIELDS, **fields}).profile

    return adding
