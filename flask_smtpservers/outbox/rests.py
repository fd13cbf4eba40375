"""Servers that this process leaves alone for a while, so that only the first message pays for one that is down."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from ..sending.consequence import Blame

#: How long a server rests after the first failure, and at most; each further failure doubles it.
FIRST, LONGEST = 30.0, 600.0

#: How long it rests after a failure that will not go away by itself soon, and after one that takes a person. The latter
#: ends at once when its settings are edited, for then it is known by another digest.
FIXED = {Blame.OPEN: 300.0, Blame.STOP: 3600.0}


@dataclass(slots=True)
class _Rest:
    failures: int = 0
    until: float = 0.0


class Rests:
    """What is known of servers that failed, by the digest of their settings.

    :param clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._rests: dict[str, _Rest] = {}

    def left(self, key: str) -> float:
        """Return for how many seconds a server is still to be left alone; 0 if it may be used."""
        with self._lock:
            rest = self._rests.get(key)
            return max(0.0, rest.until - self._clock()) if rest is not None else 0.0

    def note(self, key: str, blame: Blame) -> None:
        """Take note of how an attempt went. Without blame, the server has shown that it works."""
        with self._lock:
            if blame is Blame.NONE:
                self._rests.pop(key, None)
                return
            rest = self._rests.setdefault(key, _Rest())
            seconds: float = FIXED.get(blame) or min(FIRST * 2**rest.failures, LONGEST)
            rest.failures = min(rest.failures + 1, 16)
            rest.until = max(rest.until, self._clock() + seconds)
