"""The way to one server for one message, over the app's pool of sessions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..smtp.deadline import Deadline
from ..smtp.pool import Loan, Pool
from ..smtp.session import Session


class Line:
    """Borrows a session for each transaction of one message, and gives it back at once.

    ``session`` is the last one, for the diagnosis of a failure; None before.

    :param key: a digest of all that a session depends on; another key, another session.
    :param make: makes a session that is not open yet; called only if one must be opened.
    :param deadline: the end of the message.
    :param messages: the most messages over one session, if fewer than the pool allows.
    :param sessions: the most sessions at once, if the server has a number of its own; 0 for the pool's.
    """

    def __init__(
        self,
        pool: Pool,
        key: str,
        make: Callable[[], Session],
        deadline: Deadline,
        *,
        messages: int | None = None,
        sessions: int = 0,
    ) -> None:
        self.deadline = deadline
        self.session: Session | None = None
        self._pool = pool
        self._key = key
        self._make = make
        self._messages = messages
        self._sessions = sessions

    @contextmanager
    def loan(self, *, fresh: bool = False) -> Iterator[Loan]:
        """Borrow a session for one transaction.

        :param fresh: True for a new one, after another turned out to be dead.
        :raises SendError: none could be opened.
        """
        limits = {"messages": self._messages, "sessions": self._sessions}
        with self._pool.loan(self._key, self._made, self.deadline, fresh=fresh, **limits) as loan:
            self.session = loan.session
            yield loan

    def _made(self) -> Session:
        self.session = self._make()
        return self.session
