"""Several waits at the same time, each result as it comes, and never longer than somebody is willing to wait."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Raised:
    error: BaseException


class Crew(Generic[T]):
    """Runs jobs in threads of their own, at most ``size`` at once, the others in turn.

    The threads are daemons and nobody waits for those that are left over: every job must have its own end in time.
    To be used by one thread.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._waiting: deque[Callable[[], T]] = deque()
        self._results: SimpleQueue[T | _Raised] = SimpleQueue()
        self._running = 0

    def start(self, job: Callable[[], T]) -> None:
        """Run ``job`` as soon as there is room; what it returns comes out of :meth:`next`."""
        self._waiting.append(job)
        self._fill()

    def next(self, seconds: float) -> T | None:
        """Return the next result, or None if there is none within ``seconds``.

        :raises BaseException: whatever a job raised.
        """
        try:
            result = self._results.get(timeout=max(seconds, 0.0))
        except Empty:
            return None
        self._running -= 1
        self._fill()
        if isinstance(result, _Raised):
            raise result.error
        return result

    def stop(self) -> None:
        """Start no more of the jobs that wait."""
        self._waiting.clear()

    def _fill(self) -> None:
        while self._waiting and self._running < self._size:
            # The context carries the language that is being spoken.
            job = partial(copy_context().run, self._waiting.popleft())
            self._running += 1
            threading.Thread(target=self._work, args=(job,), name="smtpservers-discovery", daemon=True).start()

    def _work(self, job: Callable[[], T]) -> None:
        try:
            self._results.put(job())
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits for it
            self._results.put(_Raised(error))
