"""When what is done: how long a worker may hold a message, and when a message is tried again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

_SECOND = 1000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE

#: The waits between attempts; the last one is repeated until the message expires.
WAITS = tuple(minutes * _MINUTE for minutes in (1, 5, 15, 30, 60, 120, 240, 480))

#: How far a wait is changed by chance, so that what failed together does not come back together.
SPREAD = 0.2

#: The least wait before a copy may arrive twice: by then the first one has usually arrived, or has been refused.
DOUBT_WAIT = 15 * _MINUTE

#: How often a message in doubt is sent again by itself.
DOUBTS = 2

#: How often a message may be claimed without an attempt that ended: more, and it is what the workers die of.
CLAIMS = 5

#: A time further away than this was written by a clock that was wrong, and counts as past.
FARTHEST = 10 * _HOUR

#: How long a message is tried, unless it says otherwise.
LIFETIME = 48 * _HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long a worker may take, in seconds.

    A lease is longer than what may happen within it; correctness does not depend on that, for a worker asks before it
    sends the dot whether the message is still its own.

    :param attempt_seconds: up to the final dot.
    :param verdict_seconds: from there to the server's reply (RFC 5321 §4.5.3.2.6).
    :param margin_seconds: how much longer a lease is.
    """

    attempt_seconds: float = 300.0
    verdict_seconds: float = 600.0
    margin_seconds: float = 60.0

    @property
    def lease(self) -> int:
        """How long a message belongs to the worker that claimed it, in milliseconds."""
        return round((self.attempt_seconds + self.margin_seconds) * _SECOND)

    @property
    def dot_lease(self) -> int:
        """The same from the final dot on."""
        return round((self.verdict_seconds + self.margin_seconds) * _SECOND)


def wait_after(tries: int, chance: Callable[[], float], *, doubt: bool = False) -> int:
    """Return how long a message waits for its next attempt, in milliseconds.

    :param tries: how many attempts have ended.
    :param chance: gives a number from 0 to 1.
    :param doubt: whether a copy may have been delivered.
    """
    wait = WAITS[min(max(tries, 1), len(WAITS)) - 1]
    wait = round(wait * (1 - SPREAD + 2 * SPREAD * chance()))
    return max(wait, DOUBT_WAIT) if doubt else wait
