"""A shop with one server on each database that outlives a process, a clock that can be moved, and workers to kill."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask_mail import Message
from sqlalchemy import create_engine, inspect, text

from flask_smtpservers.mail import builtin_of
from flask_smtpservers.outbox.listing import Entry
from flask_smtpservers.outbox.outbox import Outbox
from flask_smtpservers.outbox.states import State
from flask_smtpservers.outbox.worker import Worker

from ..apps import Host, hosting, server_fields
from ..databases import Database, databases
from ..peers.mailbox import Mailbox

MINUTE = 60_000
HOUR = 60 * MINUTE


@dataclass
class Clock:
    """The system's time in milliseconds, moved."""

    moved: int = 0

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000 + self.moved

    def move(self, milliseconds: int) -> None:
        self.moved += milliseconds


@dataclass
class Shop:
    """A host whose mail waits in the outbox."""

    host: Host
    database: Database
    clock: Clock
    ca_file: Path

    @property
    def outbox(self) -> Outbox:
        return self.host.state.outbox

    def enqueue(self, *recipients: str, **terms: Any) -> str:
        """Write a message into the outbox and commit."""
        message = Message("Order", recipients=list(recipients or ("ann@example.test",)), body="Thanks")
        queued = self.host.smtp.enqueue(message, **terms)
        self.host.db.session.commit()
        return queued.id

    def worker(self) -> Worker:
        return Worker(self.host.app, lambda: builtin_of(self.host.app), nap_seconds=0.05)

    def work(self) -> int:
        """Do all that is due now."""
        return self.worker().run_once()

    def entry(self, public_id: str) -> Entry:
        return next(entry for entry in self.outbox.listing.entries([*State], limit=1000) if entry.id == public_id)

    def states(self, public_id: str) -> list[str]:
        """The state of a message, then those of its recipients."""
        entry = self.entry(public_id)
        return [entry.state, *(one.state for one in entry.recipients)]

    def rows(self, table: str) -> list[Any]:
        with self.outbox.access.reading() as connection:
            return list(connection.execute(getattr(self.outbox.access.tables, table).select()).mappings())


@pytest.fixture(scope="session", params=[one for one in databases() if one.id != "sqlite-memory"])
def _database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    with request.param(tmp_path_factory.mktemp("outbox"), f"{worker}_outbox") as made:
        with hosting(made.url):
            pass
        yield made


@pytest.fixture
def database(_database: Database) -> Database:
    """A database that several processes can use, with empty tables: to make them anew takes seconds."""
    engine = create_engine(_database.url)
    with engine.begin() as connection:
        for table in inspect(connection).get_table_names():
            connection.execute(text(f"DELETE FROM {table}"))
    engine.dispose()
    return _database


@pytest.fixture
def shop(database: Database, mailbox: Mailbox, ca_file: Path) -> Iterator[Shop]:
    """One stored server that works, and an outbox whose clock can be moved."""
    with hosting(database.url, ca_file=ca_file, create_tables=False) as host, host.app.app_context():
        clock = Clock()
        host.state.outbox = Outbox(host.db, host.state.keyring, clock=clock)
        host.smtp.add_server(**server_fields(mailbox))
        host.db.session.commit()
        yield Shop(host, database, clock, ca_file)


@dataclass
class Victims:
    """Processes that work on an outbox, and kill themselves at a named point."""

    process: subprocess.Popen[str]

    def die_at(self, point: str, shop: Shop) -> None:
        """Let a worker work until it reaches the point, where it is killed as by ``kill -9``."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{point} {shop.database.url} {shop.ca_file}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline().strip() == "killed"


@pytest.fixture(scope="session")
def victims() -> Iterator[Victims]:
    """The parent of the processes that are killed: it has imported everything, and only forks."""
    command = [sys.executable, "-m", "tests.outbox.victim"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent.parent
    ) as process:
        yield Victims(process)
        assert process.stdin is not None
        process.stdin.close()
