"""A pool over fakes: sessions that count what is done with them, and a clock that stands still."""

from __future__ import annotations

import threading
from typing import Any

from flask_smtpservers.smtp import Deadline
from flask_smtpservers.smtp.pool import Pool, PoolLimits

from .test_small_parts import Clock


class Interrupted(BaseException):
    """What gevent's timeouts and KeyboardInterrupt are like."""


class FakeSession:
    """A session that counts what is done with it, and objects to being used by two at once."""

    def __init__(self, number: int = 0, fails: BaseException | None = None) -> None:
        self.number = number
        self.fails = fails
        self.usable = False
        self.quiet = True
        self.asked = self.closed = self.abandoned = 0
        self.deadline: Deadline | None = None
        self.busy = threading.Lock()

    def __repr__(self) -> str:
        return f"<session {self.number}>"

    def open(self) -> FakeSession:
        if self.fails is not None:
            raise self.fails
        self.usable = True
        return self

    def alive(self) -> bool:
        self.asked += 1
        self.usable = self.usable and self.quiet
        return self.usable

    def close(self) -> None:
        self.usable = False
        self.closed += 1

    def abandon(self) -> None:
        self.usable = False
        self.abandoned += 1


class Bench:
    """A pool of fakes, with a clock that stands still."""

    def __init__(self, **limits: Any) -> None:
        self.clock = Clock()
        self.pool = Pool(PoolLimits(**limits), self.clock)
        self.made: list[FakeSession] = []
        self.fails: list[BaseException] = []

    def make(self) -> Any:
        self.made.append(FakeSession(len(self.made), self.fails.pop(0) if self.fails else None))
        return self.made[-1]

    def loan(self, key: str = "one", seconds: float = 5.0, **options: Any) -> Any:
        return self.pool.loan(key, self.make, Deadline(seconds), **options)

    def use(self, key: str = "one", **options: Any) -> int:
        """Borrow a session, give it back, and return its number."""
        with self.loan(key, **options) as loan:
            return loan.session.number  # type: ignore[no-any-return]
