"""The interface of all peers, and what the blocking ones share: threads that each send one message after another."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass


class UnavailableError(Exception):
    """A peer cannot run here; the text is one line that says why."""


@dataclass(frozen=True)
class Job:
    """What a peer sends, where, and by how many threads at a time.

    :param security: ``none``, ``starttls`` or ``ssl``; with the latter two there is a login.
    :param size: one of the sizes of :mod:`benchmarks.letters`.
    """

    port: int
    security: str
    username: str
    password: str
    ca_file: str
    size: str
    recipients: int
    threads: int = 1
    host: str = "127.0.0.1"

    @property
    def secure(self) -> bool:
        return self.security != "none"


class Peer(ABC):
    """One way of sending. Connections are made by the first ``send`` after ``open``, as an application's are."""

    @abstractmethod
    def open(self, job: Job) -> None:
        """Prepare for ``job``; nothing goes over the network yet."""

    @abstractmethod
    def send(self, count: int) -> None:
        """Send ``count`` messages, ``job.threads`` at a time; each is made anew. Return when the server has them all.

        :raises Exception: one was not accepted.
        """

    @abstractmethod
    def close(self) -> None:
        """Close connections and threads."""

    def cpu_seconds(self) -> float:
        """Return the CPU time that this peer has used so far."""
        return time.process_time()

    def statements(self) -> int | None:
        """Return how many SQL statements it has run so far, or None for a peer without a database."""
        return None


#: Makes one message and sends it.
Send = Callable[[], None]


class BlockingPeer(Peer):
    """A peer whose ``send`` blocks: each of its threads has a lane of its own, from the first message to ``close``."""

    job: Job

    def open(self, job: Job) -> None:
        self.job = job
        self.prepare()
        self._threads = [_Thread(self) for _ in range(job.threads)]

    def send(self, count: int) -> None:
        shares = [
            count // len(self._threads) + (index < count % len(self._threads)) for index in range(len(self._threads))
        ]
        waiting = [thread.submit(share) for thread, share in zip(self._threads, shares, strict=True) if share]
        for result in waiting:
            result.result()

    def close(self) -> None:
        for thread in self._threads:
            thread.close()
        self.finish()

    def prepare(self) -> None:
        """Make what all lanes share."""

    def finish(self) -> None:
        """Give up what all lanes share."""

    @abstractmethod
    def lane(self) -> AbstractContextManager[Send]:
        """Return what one thread sends with; it is entered and left in that thread."""


class _Thread:
    """One thread with its lane. A pool of one for each, because a shared pool could give one thread the work of two."""

    def __init__(self, peer: BlockingPeer) -> None:
        self._peer = peer
        self._pool = ThreadPoolExecutor(1)
        self._lane = ExitStack()
        self._send: Send | None = None

    def submit(self, count: int) -> Future[None]:
        return self._pool.submit(self._work, count)

    def close(self) -> None:
        self._pool.submit(self._lane.close).result()
        self._pool.shutdown()

    def _work(self, count: int) -> None:
        if self._send is None:
            self._send = self._lane.enter_context(self._peer.lane())
        for _ in range(count):
            self._send()
