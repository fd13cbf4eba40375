"""Who may work on a message: claims by compare-and-set, leases with a token, and the word before the final dot."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Update, and_, or_, select, update

from ..i18n import gettext as _
from .access import Access
from .pace import CLAIMS, FARTHEST, Pace
from .settling import Settling
from .states import State

#: How many due messages are looked at at once: workers that look together find enough for each.
_LOOK = 40


class LostClaim(Exception):
    """The message is not this worker's any more, so the final dot must not be sent."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A message that belongs to this worker, until its lease ends.

    :param id: the key of its row.
    """

    id: int
    token: str


class Claims:
    """Hands messages to workers, each to one at a time."""

    def __init__(self, access: Access, settling: Settling, pace: Pace) -> None:
        self._access = access
        self._settling = settling
        self._pace = pace

    def take(self) -> Claim | None:
        """Claim the message that is due first; None if none is.

        One that has been claimed too often without an attempt that ended is put aside: it is what workers die of.
        """
        message, now = self._access.tables.message, self._access.clock()
        due = (
            select(message.c.id, message.c.version, message.c.claims, message.c.priority)
            .where(message.c.state == State.QUEUED, _past(message.c.next_at, now), message.c.expires_at > now)
            .order_by(message.c.priority.desc(), message.c.next_at, message.c.id)
            .limit(_LOOK)
        )
        with self._access.reading() as connection:
            found = connection.execute(due).all()
        # Workers that look at the same moment begin at different places among those that come first.
        first = sum(row.priority == found[0].priority for row in found)
        start = secrets.randbelow(first) if len(found) == _LOOK else 0
        for row in (*found[start:first], *found[:start], *found[first:]):
            if row.claims >= CLAIMS:
                self._put_aside(row.id, row.version)
            elif (claim := self._claim(row.id, row.version, now)) is not None:
                return claim
        return None

    def _claim(self, number: int, version: int, now: int) -> Claim | None:
        message = self._access.tables.message
        token = secrets.token_hex(16)
        taken = self._unchanged(number, version).values(
            state=State.LEASED,
            version=version + 1,
            lease_token=token,
            lease_until=now + self._pace.lease,
            claims=message.c.claims + 1,
        )
        with self._access.writing() as connection:
            return Claim(number, token) if connection.execute(taken).rowcount == 1 else None

    def _put_aside(self, number: int, version: int) -> None:
        text = _("It was begun %(number)s times, and never came to an end: workers may die of it.", number=CLAIMS)
        aside = self._unchanged(number, version).values(state=State.QUARANTINED, version=version + 1, reason=text)
        with self._access.writing() as connection:
            connection.execute(aside)

    def _unchanged(self, number: int, version: int) -> Update:
        message = self._access.tables.message
        same = (message.c.id == number, message.c.version == version, message.c.state == State.QUEUED)
        return update(message).where(*same)

    def intend(self, claim: Claim, attempt: int) -> None:
        """Write down that the final dot is about to be sent; only then may it be.

        :raises LostClaim: the message was taken back, or its lease is over.
        :raises StoreUnavailable: it could not be written.
        """
        tables, now = self._access.tables, self._access.clock()
        mine = (
            tables.message.c.id == claim.id,
            tables.message.c.lease_token == claim.token,
            tables.message.c.state == State.LEASED,
            tables.message.c.lease_until > now,
        )
        sending = update(tables.message).where(*mine)
        dot = update(tables.attempt).where(tables.attempt.c.id == attempt, tables.attempt.c.settled.is_(False))
        with self._access.writing() as connection:
            values = {"state": State.SENDING, "lease_until": now + self._pace.dot_lease}
            if connection.execute(sending.values(**values)).rowcount != 1:
                raise LostClaim
            if connection.execute(dot.values(dot=True)).rowcount != 1:
                raise LostClaim

    def recover(self) -> int:
        """Take back messages whose worker has not been heard of in time; return how many.

        One whose dot cannot have been sent is due again at once; of any other nobody knows whether it was delivered.
        """
        message, now = self._access.tables.message, self._access.clock()
        over = (
            select(message.c.id, message.c.lease_token, message.c.lease_until, message.c.state)
            .where(message.c.state.in_((State.LEASED, State.SENDING)), _past(message.c.lease_until, now))
            .limit(_LOOK)
        )
        with self._access.reading() as connection:
            found = connection.execute(over).all()
        return sum(self._take_back(row.id, State(row.state), row.lease_until, now) for row in found)

    def _take_back(self, number: int, state: State, lease_until: int, now: int) -> bool:
        message = self._access.tables.message
        same = and_(message.c.id == number, message.c.state == state, message.c.lease_until == lease_until)
        with self._access.writing() as connection:
            if state is State.SENDING:
                return self._settling.doubt(connection, number, same, now)
            values = {"state": State.QUEUED, "version": message.c.version + 1, "lease_token": None, "next_at": now}
            if connection.execute(update(message).where(same).values(**values)).rowcount != 1:
                return False
            self._settling.close(connection, number, now)
        return True

    def release(self, claim: Claim, *, wait: int, reason: str) -> None:
        """Give a message back without an attempt: nothing can be done for it within so many milliseconds."""
        message, now = self._access.tables.message, self._access.clock()
        mine = (message.c.id == claim.id, message.c.lease_token == claim.token, message.c.state == State.LEASED)
        values = {
            "state": State.QUEUED,
            "version": message.c.version + 1,
            "lease_token": None,
            "claims": 0,
            "next_at": now + wait,
            "reason": reason[:500],
        }
        with self._access.writing() as connection:
            connection.execute(update(message).where(*mine).values(**values))

    def quarantine(self, claim: Claim, reason: str) -> None:
        """Put a message aside that cannot be worked on."""
        message = self._access.tables.message
        mine = (message.c.id == claim.id, message.c.lease_token == claim.token, message.c.state == State.LEASED)
        values = {
            "state": State.QUARANTINED,
            "version": message.c.version + 1,
            "lease_token": None,
            "reason": reason[:500],
        }
        with self._access.writing() as connection:
            connection.execute(update(message).where(*mine).values(**values))


def _past(column: ColumnElement[int], now: int) -> ColumnElement[bool]:
    """Say that a time has come; one that is absurdly far away was written by a clock that was wrong."""
    return or_(column <= now, column > now + FARTHEST)
