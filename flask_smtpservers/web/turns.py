"""Whose turn it is to test a server: a test holds a worker for up to its deadline, so there may be few at a time.

The counters are this process's own; several processes allow as much each.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Lock

from flask import current_app

from ..findings import Step
from ..i18n import gettext as _
from ..state import state_of
from .access import actor, binding, login_id

#: The key in ``app.extensions``.
_KEY = "smtpservers_turns"

#: The most tests that run at once in this process, and that one person may begin within an hour.
AT_ONCE, PER_HOUR = 4, 60

_HOUR = 3600.0

#: Seconds after its deadline when a turn counts as over although nobody gave it back: its response was thrown away.
_GRACE = 60.0


class NoTurn(Exception):
    """The test may not begin now; the text says why, and what to wait for."""


@dataclass(eq=False, slots=True)
class Turn:
    """The leave to run one test; :meth:`during` or :meth:`end` gives it back."""

    turns: Turns
    person: str
    until: float

    def during(self, steps: Iterator[Step]) -> Iterator[Step]:
        """Pass the steps of the test on, and end the turn with them, also if the reader leaves half-way."""
        try:
            yield from steps
        finally:
            self.end()

    def end(self) -> None:
        """Let the next one begin. Calling it again does nothing."""
        self.turns.give_back(self)


@dataclass(eq=False)
class Turns:
    """Counts the running tests, and everybody's tests of the last hour; safe with threads.

    :param clock: seconds.
    """

    at_once: int = AT_ONCE
    per_hour: int = PER_HOUR
    clock: Callable[[], float] = time.monotonic
    _running: set[Turn] = field(default_factory=set, init=False)
    _begun: dict[str, deque[float]] = field(default_factory=dict, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def take(self, person: str, *, budget: str, seconds: float) -> Turn:
        """Begin a test.

        :param person: of whom only one test runs at a time.
        :param budget: whose tests of the last hour are counted; usually the person as well.
        :param seconds: how long the test can take at most.
        :raises NoTurn: it must wait.
        """
        with self._lock:
            now = self.clock()
            self._running = {turn for turn in self._running if turn.until > now}
            self._forget_before(now - _HOUR)
            if any(turn.person == person for turn in self._running):
                raise NoTurn(_("A test is already running. Wait until it ends."))
            if len(self._running) >= self.at_once:
                raise NoTurn(_("Other people are testing right now. Wait until one of their tests ends."))
            begun = self._begun.setdefault(budget, deque())
            if len(begun) >= self.per_hour:
                raise NoTurn(
                    _(
                        "%(number)s tests were run within an hour, and more are not allowed. Try again later.",
                        number=self.per_hour,
                    )
                )
            begun.append(now)
            turn = Turn(self, person, now + seconds + _GRACE)
            self._running.add(turn)
            return turn

    def give_back(self, turn: Turn) -> None:
        """End a turn; one that has ended already is left alone."""
        with self._lock:
            self._running.discard(turn)

    def _forget_before(self, then: float) -> None:
        for budget, begun in list(self._begun.items()):
            while begun and begun[0] <= then:
                begun.popleft()
            if not begun:
                del self._begun[budget]


def turns_of_app() -> Turns:
    """Return the turns of the current app."""
    turns: Turns = current_app.extensions.setdefault(_KEY, Turns())
    return turns


def take_turn() -> Turn:
    """Begin a test for the person of this request.

    Whoever the host does not name is told apart by the browser session. A session is quickly thrown away, so the
    tests of all of them are counted together.

    :raises NoTurn: it must wait.
    """
    name = actor() or login_id()
    return turns_of_app().take(
        f"person:{name}" if name else f"session:{binding()}",
        budget=name,
        seconds=state_of().settings.test_deadline_seconds,
    )
