"""A person's word that a message is to be sent again, or at once."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, update

from .access import Access
from .settling import Settling
from .states import STUCK, RecipientState, State


class Reviving:
    """Sends messages on their way again."""

    def __init__(self, access: Access, settling: Settling) -> None:
        self._access = access
        self._settling = settling

    def retry(self, public_id: str) -> bool:
        """Make a message due now; False if it is on its way, at its end, or there is none.

        Those in doubt are sent another copy, which may be their second one. If its time was over it gets as much again.
        """
        message, now = self._access.tables.message, self._access.clock()
        which = and_(message.c.public_id == public_id, message.c.state.in_((State.QUEUED, *STUCK)))
        with self._access.writing() as connection:
            row = self._settling.locked(connection, which)
            if row is None:
                return False
            recipients = self._access.tables.recipient
            doubted = (recipients.c.message == row["id"], recipients.c.state == RecipientState.IN_DOUBT)
            connection.execute(update(recipients).where(*doubted).values(state=RecipientState.PENDING))
            values: dict[str, Any] = {"state": State.QUEUED, "next_at": now, "claims": 0, "tries": 0, "doubts": 0}
            if row["expires_at"] <= now:
                values["expires_at"] = now + row["expires_at"] - row["created_at"]
            self._settling.finish(connection, row["id"], values, now)
        return True
