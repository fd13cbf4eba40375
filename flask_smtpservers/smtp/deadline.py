"""A point in time after which an attempt is over, on a clock that never jumps."""

from __future__ import annotations

import time
from collections.abc import Callable


class Deadline:
    """The end of an attempt.

    :param seconds: how long the attempt may take from now.
    :param clock: a monotonic clock in seconds; tests pass their own.
    """

    __slots__ = ("_clock", "_end")

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def __repr__(self) -> str:
        return f"<Deadline in {self.remaining():.3f} s>"

    def remaining(self) -> float:
        """Return the seconds that are left, 0.0 if none."""
        return max(0.0, self._end - self._clock())

    @property
    def expired(self) -> bool:
        """Whether the time is up."""
        return self.remaining() <= 0.0

    def limit(self, seconds: float) -> float:
        """Return ``seconds``, or what is left if that is less."""
        return min(seconds, self.remaining())

    def within(self, seconds: float) -> Deadline:
        """Return a deadline of its own for one step: ``seconds`` from now, but never later than this one."""
        return Deadline(self.limit(seconds), self._clock)
