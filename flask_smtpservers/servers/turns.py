"""Whose turn it is: how many tests and searches run at once, and how many began lately; the same for all processes.

Each takes a worker for many seconds and asks hosts that an outsider named. A turn is a row with an end: a process that
dies gives its turns back by being late.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, select

from .connections import Connections
from .models import attach
from .rows import naive
from .schema import Schema
from .upsert import upsert

if TYPE_CHECKING:
    from flask_sqlalchemy import SQLAlchemy

#: The option whose row serves as the lock: those who come at once are counted one after the other.
LOCK = "turns_at"

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)

#: How long after its deadline a turn counts as over although nobody gave it back, and how far clocks may differ.
GRACE = timedelta(minutes=1)


class Wait(StrEnum):
    """Why a turn cannot be had now."""

    OWN = "own"
    """The person has one already."""
    TARGET = "target"
    """Somebody else is at the same server."""
    OTHERS = "others"
    """As many as may run at once are running."""
    MINUTE = "minute"
    """The person has begun too many within a minute."""
    HOUR = "hour"
    """The person has begun too many within an hour."""
    TENANT = "tenant"
    """The tenant has begun too many within an hour."""
    APP = "app"
    """All people together have begun too many within an hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many turns there may be.

    :param at_once: those that run at the same time, of everybody.
    :param per_minute: those of one person; 0 for no limit of its own.
    :param per_hour: likewise within an hour.
    :param per_hour_tenant: those of one tenant.
    :param per_hour_app: those of everybody.
    """

    at_once: int
    per_hour: int
    per_hour_tenant: int
    per_hour_app: int
    per_minute: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A turn that somebody wants.

    :param kind: what it is for; each kind is counted by itself.
    :param person: of whom only one runs at a time.
    :param budget: whose turns of the last hour are counted; usually the person as well.
    :param tenant: the tenant, or empty.
    :param target: of which only one runs at a time; empty for one that bears several.
    :param seconds: how long it takes at most.
    """

    kind: str
    person: str
    budget: str
    tenant: str = ""
    target: str = ""
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A turn that was taken within the last hour, or still runs."""

    person: str
    budget: str
    tenant: str
    target: str
    begun_at: datetime
    until: datetime


def obstacle(wanted: Wanted, begun: Iterable[Begun], limits: Limits, now: datetime) -> Wait | None:
    """Say what stands in the way of a turn; None if nothing does."""
    begun = [one for one in begun if one.begun_at <= now + GRACE]  # later ones are from before a clock was set back
    running = [one for one in begun if one.until > now]
    if any(one.person == wanted.person for one in running):
        return Wait.OWN
    if wanted.target and any(one.target == wanted.target for one in running):
        return Wait.TARGET
    if len(running) >= limits.at_once:
        return Wait.OTHERS
    lately = [one for one in begun if one.begun_at > now - HOUR]
    own = [one for one in lately if one.budget == wanted.budget]
    if len(own) >= limits.per_hour:
        return Wait.HOUR
    if limits.per_minute and sum(one.begun_at > now - MINUTE for one in own) >= limits.per_minute:
        return Wait.MINUTE
    if wanted.tenant and sum(one.tenant == wanted.tenant for one in lately) >= limits.per_hour_tenant:
        return Wait.TENANT
    if len(lately) >= limits.per_hour_app:
        return Wait.APP
    return None


class Turns:
    """Gives turns out, within the caller's app context.

    Every method raises :class:`~flask_smtpservers.errors.StoreUnavailable` if the database fails. Each is lasting when
    it returns.

    :param clock: the time now, in UTC.
    """

    def __init__(self, db: SQLAlchemy, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._tables = attach(db)
        self._schema = Schema(self._tables)
        self._connections = Connections(db, self._tables)

    def take(self, wanted: Wanted, limits: Limits) -> str | Wait:
        """Begin a turn, if it may begin now; return its id, or else what it must wait for."""
        now, table = self._clock(), self._tables.turn
        hashed = {name: _digest(getattr(wanted, name)) for name in ("person", "budget", "target")}
        with self._connections.writing() as connection:
            self._schema.require(connection)
            lock = {"tenant": "", "name": LOCK, "value": now.isoformat()}
            connection.execute(upsert(connection.dialect.name, self._tables.option, lock))
            over = and_(table.c.begun_at <= naive(now - HOUR), table.c.until <= naive(now))
            connection.execute(table.delete().where(over))
            # As they are now, not as an older snapshot of the host's transaction shows them (MariaDB).
            rows = connection.execute(select(table).where(table.c.kind == wanted.kind).with_for_update()).mappings()
            begun = [_begun(dict(row)) for row in rows]
            sought = Wanted(kind=wanted.kind, tenant=wanted.tenant, seconds=wanted.seconds, **hashed)
            answer: str | Wait | None = obstacle(sought, begun, limits, now)
            if answer is None:
                answer = secrets.token_hex(16)
                until = now + timedelta(seconds=wanted.seconds) + GRACE
                times = {"begun_at": naive(now), "until": naive(until)}
                row = {"id": answer, "kind": wanted.kind, "tenant": wanted.tenant, **hashed, **times}
                connection.execute(table.insert().values(row))
        self._connections.commit()
        return answer

    def give_back(self, turn_id: str) -> None:
        """End a turn; one that has ended already stays as it is."""
        now, table = naive(self._clock()), self._tables.turn
        with self._connections.writing() as connection:
            connection.execute(table.update().where(table.c.id == turn_id, table.c.until > now).values(until=now))
        self._connections.commit()


def _begun(row: Mapping[str, Any]) -> Begun:
    values = {name: row[name] for name in ("person", "budget", "tenant", "target")}
    times = {name: row[name].replace(tzinfo=UTC) for name in ("begun_at", "until")}
    return Begun(**values, **times)


def _digest(text: str) -> str:
    """Make a key of a fixed length of a name or a host; nobody can read who it was. An empty one stays empty."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest() if text else ""
