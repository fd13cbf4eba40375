"""The tests that were run: how each ended, and whether its message is known to have arrived."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, and_, select

from ..permissions import APP, Scope
from ..safe_text import has_controls, printable
from .connections import Connections
from .models import attach
from .profile import ServerProfile
from .rows import aware, naive, profile_of
from .schema import Schema
from .scoping import columns_of, within

if TYPE_CHECKING:
    from flask_sqlalchemy import SQLAlchemy

#: How long the arrival of a test message can be confirmed.
CONFIRMABLE = timedelta(days=7)

#: How many tests of one server are kept, and how long. Those of settings that were never saved count as one server.
KEPT, KEPT_FOR = 100, timedelta(days=90)


class Confirmation(StrEnum):
    """What became of a word from somebody who got a test message; ``foreign`` is a link that this app did not make."""

    CONFIRMED = "confirmed"
    ALREADY = "already"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One test of a server.

    :param public_id: random id, for URLs.
    :param server_id: the server, or empty while its settings are not saved.
    :param settings: :func:`covered` of the server as it was tested; empty while it is not saved.
    :param actor: who tested it, as the host's ``owner`` callable named him, or the command that did.
    :param recipient: who got the test message, without most of the name; empty if none was to be sent.
    :param scope: whose server was tested.
    :param passed: how it ended; None while it runs.
    :param title: the headline of the failure, or empty.
    :param cause: the id of its cause, or empty.
    :param sent_at: when the server took the test message, UTC.
    :param arrived_at: when its arrival was confirmed, UTC.
    """

    public_id: str
    server_id: str
    server_name: str
    settings: str
    actor: str
    recipient: str
    started_at: datetime
    passed: bool | None = None
    title: str = ""
    cause: str = ""
    queue_id: str = ""
    sent_at: datetime | None = None
    arrived_at: datetime | None = None
    scope: Scope = APP

    @property
    def seconds(self) -> float | None:
        """How long the message took from the server to the one who opened it; None while that is not known."""
        if self.arrived_at is None or self.sent_at is None:
            return None
        return max(0.0, (self.arrived_at - self.sent_at).total_seconds())


def covered(profile: ServerProfile) -> str:
    """Digest what a test covers: another digest, and the test says nothing of the server any more."""
    return sha256(f"{profile.digest}\0{profile.address}".encode()).hexdigest()


class Trials:
    """Keeps the tests, within the caller's app context.

    Every method raises :class:`~flask_smtpservers.errors.StoreUnavailable` if the database fails. On the host's open
    transaction, what is written becomes lasting with the host's commit or ``ServerStore.commit()``.

    :param clock: the time now, in UTC.
    """

    def __init__(self, db: SQLAlchemy, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.clock = clock
        self._tables = attach(db)
        self._schema = Schema(self._tables)
        self._connections = Connections(db, self._tables)

    def begin(self, trial: Trial, ticket: str) -> None:
        """Keep a test that is about to send a message, so that its arrival can be confirmed however soon it comes.

        :param ticket: what the message carries; only its digest is kept.
        """
        with self._connections.writing() as connection:
            self._schema.require(connection)
            connection.execute(self._tables.trial.insert().values(**_row(trial), ticket=_digest(ticket)))

    def finish(self, trial: Trial) -> None:
        """Keep how a test ended, whether it was begun here or not; old ones are deleted."""
        table = self._tables.trial
        row = _row(trial)
        del row["arrived_at"]  # it may have arrived meanwhile
        with self._connections.writing() as connection:
            self._schema.require(connection)
            done = connection.execute(table.update().where(table.c.public_id == trial.public_id).values(row))
            if not done.rowcount:
                connection.execute(table.insert().values(row))
            self._prune(connection, trial)

    def find(self, public_id: str, *, scope: Scope = APP) -> Trial | None:
        """Return a test, or None if there is none with this id in this scope, or not any more."""
        found = self._read(scope, public_id=public_id)
        return found[0] if found else None

    def recent(self, server_id: str, limit: int = 10, *, scope: Scope = APP) -> list[Trial]:
        """Return the latest tests of a server, the newest first."""
        return self._read(scope, limit, server_id=server_id)

    def confirm(self, ticket: str) -> tuple[Confirmation, Trial | None]:
        """Note that the message with ``ticket`` arrived. Only the first time counts."""
        table = self._tables.trial
        now = self.clock()
        with self._connections.writing() as connection:
            self._schema.require(connection)
            this = table.c.ticket == _digest(ticket)
            fresh = table.c.started_at > naive(now - CONFIRMABLE)
            done = connection.execute(
                table.update().where(this, fresh, table.c.arrived_at.is_(None)).values(arrived_at=naive(now))
            )
            row = connection.execute(select(table).where(this)).mappings().first()
            if row is None:
                return Confirmation.UNKNOWN, None
            trial = _trial(row)
            if done.rowcount:
                self._note(connection, trial)
                return Confirmation.CONFIRMED, trial
        return (Confirmation.EXPIRED if trial.arrived_at is None else Confirmation.ALREADY), trial

    def adopt(self, public_id: str, profile: ServerProfile) -> None:
        """Count a test of unsaved settings as one of the server that they were saved as."""
        table = self._tables.trial
        values = {"server_id": profile.public_id, "server_name": profile.name, "settings": covered(profile)}
        with self._connections.writing() as connection:
            self._schema.require(connection)
            this = and_(table.c.public_id == public_id, within(table, profile.scope))
            connection.execute(table.update().where(this).values(values))
            row = connection.execute(select(table).where(this)).mappings().first()
            if row is not None and row["arrived_at"] is not None:
                self._note(connection, _trial(row))

    def note_health(self, server: ServerProfile, *, failing: bool) -> bool:
        """Remember since when the scheduled check finds a server failing.

        :return: whether it starts or stops failing with this; of several who find that at once, one is told.
        """
        table = self._tables.server
        before = table.c.failing_since.is_(None) if failing else table.c.failing_since.is_not(None)
        values = {"failing_since": naive(self.clock()) if failing else None}
        with self._connections.writing() as connection:
            self._schema.require(connection)
            same = table.c.public_id == server.public_id
            return bool(connection.execute(table.update().where(same, before).values(values)).rowcount)

    # -- parts

    def _read(self, scope: Scope, limit: int = 1, **wanted: str) -> list[Trial]:
        if any(has_controls(value) for value in wanted.values()):  # PostgreSQL refuses to compare NUL
            return []
        table = self._tables.trial
        with self._connections.reading() as reading:
            if not self._schema.known_complete(reading.connection) and self._schema.missing_columns(reading.connection):
                return []
            same = (table.c[name] == value for name, value in wanted.items())
            statement = select(table).where(within(table, scope), *same)
            rows = reading.connection.execute(statement.order_by(table.c.id.desc()).limit(limit)).mappings()
            return [_trial(row) for row in rows]

    def _note(self, connection: Connection, trial: Trial) -> None:
        """Remember an arrival with the server, if it is still the one that was tested."""
        server = self._tables.server
        row = connection.execute(select(server).where(server.c.public_id == trial.server_id)).mappings().first()
        if row is None or covered(profile_of(dict(row))) != trial.settings:
            return
        same = (server.c.public_id == trial.server_id, server.c.version == row["version"])
        connection.execute(server.update().where(*same).values(arrived_at=naive(trial.arrived_at)))

    def _prune(self, connection: Connection, trial: Trial) -> None:
        table = self._tables.trial
        same = (table.c.server_id == trial.server_id, within(table, trial.scope))
        connection.execute(table.delete().where(table.c.started_at <= naive(self.clock() - KEPT_FOR)))
        newest = select(table.c.id).where(*same).order_by(table.c.id.desc())
        beyond = connection.execute(newest.offset(KEPT).limit(1)).scalar()
        if beyond is not None:
            connection.execute(table.delete().where(*same, table.c.id <= beyond))


def _row(trial: Trial) -> dict[str, Any]:
    return {
        "public_id": trial.public_id,
        **columns_of(trial.scope),
        "server_id": trial.server_id,
        "server_name": printable(trial.server_name, 100),
        "settings": trial.settings,
        "actor": printable(trial.actor, 255),
        "recipient": printable(trial.recipient, 320),
        "started_at": naive(trial.started_at),
        "passed": trial.passed,
        "title": printable(trial.title, 255),
        "cause": trial.cause,
        "queue_id": printable(trial.queue_id, 255),
        "sent_at": naive(trial.sent_at),
        "arrived_at": naive(trial.arrived_at),
    }


def _trial(row: Any) -> Trial:
    started = aware(row["started_at"])
    if started is None:
        raise ValueError("a test has no time")
    plain = ("public_id", "server_id", "server_name", "settings", "actor", "recipient", "passed", "title", "cause")
    return Trial(
        **{name: row[name] for name in plain},
        queue_id=row["queue_id"],
        scope=Scope(row["tenant"] or None, row["owner"] or None),
        started_at=started,
        sent_at=aware(row["sent_at"]),
        arrived_at=aware(row["arrived_at"]),
    )


def _digest(ticket: str) -> str:
    return sha256(ticket.encode("utf-8", "surrogatepass")).hexdigest()
