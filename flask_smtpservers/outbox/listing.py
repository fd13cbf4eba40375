"""What is in the outbox, for those who look after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, func, select

from .access import Access
from .states import State

#: What is still to be done, by workers or by a person.
UNFINISHED = (State.SENDING, State.LEASED, State.QUEUED, State.UNKNOWN, State.QUARANTINED)

#: How long, in milliseconds, a message may wait for a worker after it is due before that tells that something is wrong.
_OVERDUE = 600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """One recipient of a message, and what became of it for him."""

    address: str
    state: str
    code: int | None
    enhanced: str | None
    reply: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One message of the outbox. Times are milliseconds since 1970.

    :param next_at: when it is tried next.
    :param reason: why it is not delivered yet, or never will be.
    """

    id: str
    state: State
    message_id: str
    header_from: str
    server_name: str
    tenant: str
    kind: str
    size: int
    created_at: int
    expires_at: int
    next_at: int
    tries: int
    reason: str
    recipients: tuple[Recipient, ...]


class Listing:
    """Reads the outbox."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def entries(self, states: Sequence[State] = UNFINISHED, *, limit: int = 100) -> list[Entry]:
        """Return the newest messages in these states."""
        message, recipient = self._access.tables.message, self._access.tables.recipient
        chosen = select(message).where(message.c.state.in_(states)).order_by(message.c.id.desc()).limit(limit)
        with self._access.reading() as connection:
            rows = connection.execute(chosen).mappings().all()
            whose = select(recipient).where(recipient.c.message.in_([row["id"] for row in rows]))
            people = connection.execute(whose.order_by(recipient.c.id)).mappings().all()
        return [_entry(row, [one for one in people if one["message"] == row["id"]]) for row in rows]

    def overdue(self) -> int:
        """Return how many messages have waited for longer than workers need to find them."""
        message, now = self._access.tables.message, self._access.clock()
        late = (message.c.state == State.QUEUED, message.c.next_at < now - _OVERDUE)
        with self._access.reading() as connection:
            return int(connection.execute(select(func.count()).select_from(message).where(*late)).scalar_one())

    def counts(self) -> dict[State, int]:
        """Return how many messages are in each state; states without any are left out."""
        message = self._access.tables.message
        with self._access.reading() as connection:
            found = connection.execute(select(message.c.state, func.count()).group_by(message.c.state)).all()
        return {State(state): number for state, number in found}


def _entry(row: RowMapping, people: Sequence[RowMapping]) -> Entry:
    names = ("message_id", "header_from", "server_name", "tenant", "kind", "size")
    plain: dict[str, Any] = {name: row[name] for name in (*names, *_TIMES, "tries", "reason")}
    recipients = tuple(
        Recipient(**{name: one[name] for name in ("address", "state", "code", "enhanced", "reply")}) for one in people
    )
    return Entry(id=row["public_id"], state=State(row["state"]), recipients=recipients, **plain)


_TIMES = ("created_at", "expires_at", "next_at")
