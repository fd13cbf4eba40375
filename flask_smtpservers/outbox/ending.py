"""Messages that are given up: taken back by somebody, or older than they may become."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, and_, select, update

from ..i18n import gettext as _
from .access import Access
from .settling import Settling
from .states import WAITING, RecipientState, State

#: What can be taken back. A message that is being sent cannot: the server may have it.
CANCELLABLE = (State.QUEUED, State.LEASED, State.UNKNOWN, State.QUARANTINED)

_LOOK = 40


class Ending:
    """Ends messages."""

    def __init__(self, access: Access, settling: Settling) -> None:
        self._access = access
        self._settling = settling

    def cancel(self, public_id: str) -> bool:
        """Take a message back; False if it is too late for that, or there is none.

        Of recipients who are in doubt, that remains.
        """
        message, now = self._access.tables.message, self._access.clock()
        which = and_(message.c.public_id == public_id, message.c.state.in_(CANCELLABLE))
        with self._access.writing() as connection:
            row = self._settling.locked(connection, which)
            if row is None:
                return False
            self._settling.close(connection, row["id"], now)
            self._give_up(connection, row["id"], RecipientState.CANCELLED, now)
            values = {"state": State.CANCELLED, "lease_token": None, "lease_until": None}
            self._settling.finish(connection, row["id"], values, now)
        return True

    def expire(self) -> int:
        """Give up messages whose time is over; return how many."""
        message, now = self._access.tables.message, self._access.clock()
        over = and_(message.c.state == State.QUEUED, message.c.expires_at <= now)
        with self._access.reading() as connection:
            found: Sequence[int] = connection.execute(select(message.c.id).where(over).limit(_LOOK)).scalars().all()
        return sum(self._expire(and_(message.c.id == number, over), now) for number in found)

    def _expire(self, which: ColumnElement[bool], now: int) -> bool:
        with self._access.writing() as connection:
            row = self._settling.locked(connection, which)
            if row is None:
                return False
            self._give_up(connection, row["id"], RecipientState.EXPIRED, now)
            final = {**row, "at_most_once": True}  # nobody is sent another copy now
            reason = row["reason"] or _("Its time was over before a server took it.")
            self._settling.conclude(connection, final, now, doubted=False, server_id="", reason=reason)
        return True

    def _give_up(self, connection: Connection, message: int, state: RecipientState, now: int) -> None:
        table = self._access.tables.recipient
        left = update(table).where(table.c.message == message, table.c.state.in_(WAITING))
        connection.execute(left.values(state=state, at=now))
