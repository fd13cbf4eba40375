"""Open sessions that wait for the next message: bounded, thread-safe, the warmest first."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ..errors import TimedOut
from ..findings import Stage
from ..i18n import gettext as _
from .deadline import Deadline
from .session import Session

Make = Callable[[], Session]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLimits:
    """How many sessions there may be, and for how long.

    :param per_server: the most sessions with one server at once; a further message waits for one of them.
    :param idle_seconds: a session that has rested longer is not used again. Servers hang up after minutes.
    :param age_seconds: a session that is older is not used again, so that a changed address is noticed.
    :param messages: the most messages over one session (SendGrid ends at 100).
    :param idle_total: the most sessions that rest, of all servers together.
    """

    per_server: int = 8
    idle_seconds: float = 45.0
    age_seconds: float = 300.0
    messages: int = 100
    idle_total: int = 32


@dataclass(slots=True, eq=False)
class Loan:
    """A session that is open, and lent to somebody for one message.

    :param reused: whether it carried other messages before, so that it may turn out to be dead.
    :param messages: how many it has carried before this one.
    """

    session: Session
    reused: bool = False
    messages: int = 0
    _server: _Server = field(kw_only=True, repr=False)
    _born: float = field(kw_only=True, repr=False)
    _rested: float = field(default=0.0, kw_only=True, repr=False)


@dataclass(slots=True, eq=False)
class _Place:
    """Somebody's place in the queue for a session; when called, ``loan`` is it, or None for the right to open one."""

    # The name is looked up when it is needed: gevent may have put its own there by then.
    called: threading.Event = field(default_factory=lambda: threading.Event())
    loan: Loan | None = None


@dataclass(slots=True, eq=False)
class _Server:
    """The sessions with one server.

    :param sessions: how many there are: at rest, lent, or being opened.
    :param most: how many there may be.
    :param resting: the last one was used last.
    :param queue: those who wait for one, in the order in which they came.
    """

    key: str
    sessions: int = 0
    most: int = 1
    resting: list[Loan] = field(default_factory=list)
    queue: deque[_Place] = field(default_factory=deque)


class Pool:
    """Sessions by key. The key is a digest of all that a session depends on: an edited server has another key.

    What has rested too long is closed when the pool is next used, or at exit: there is no thread. Sessions are opened
    and closed outside the lock. A child process begins with an empty pool and leaves its parent's connections alone.
    Works under gevent as well, which puts its own ``threading`` and ``socket`` in the place of the system's.

    :param clock: seconds, monotonic.
    """

    def __init__(self, limits: PoolLimits | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits or PoolLimits()
        self._clock = clock
        self._lock = threading.Lock()
        self._servers: dict[str, _Server] = {}
        self._lent: set[Loan] = set()
        #: All that rest, of whatever server; those that have rested longest come first.
        self._resting: OrderedDict[Loan, None] = OrderedDict()
        self._finalizer = weakref.finalize(self, _close, self._resting)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_renewal(weakref.ref(self)))

    def __repr__(self) -> str:
        return f"<Pool of {len(self._servers)} servers: {len(self._lent)} sessions lent, {len(self._resting)} resting>"

    @property
    def resting(self) -> int:
        """How many sessions wait for a message."""
        return len(self._resting)

    @property
    def lent(self) -> int:
        """How many sessions are in use."""
        return len(self._lent)

    @contextmanager
    def loan(
        self,
        key: str,
        make: Make,
        deadline: Deadline,
        *,
        fresh: bool = False,
        messages: int | None = None,
        sessions: int | None = None,
    ) -> Iterator[Loan]:
        """Lend an open session for one message: the one that was used last, or a new one.

        Afterwards it is kept for the next message if it is still :attr:`~.session.Session.usable`.

        :param key: what the session depends on; see above.
        :param make: makes a session that is not open yet; called only if one must be opened.
        :param deadline: the end of this message; a session that is used again gets it.
        :param fresh: True for a new session whatever there is. Those that rest are closed: they have rested longer
            than the one that made the caller suspicious.
        :param messages: the most messages over this session, if fewer than usual.
        :param sessions: the most sessions at once with this server, if it has a number of its own.
        :raises SendError: none could be opened; :class:`TimedOut` if all stayed busy until the deadline.
        """
        most = min(self._limits.messages, messages or self._limits.messages)
        if fresh:
            self.discard(key)
        loan = self._lend(key, make, deadline, 0 if fresh else most, sessions or self._limits.per_server)
        try:
            yield loan
        finally:
            self._take_back(loan, most)

    def discard(self, key: str) -> None:
        """Close the sessions with one server that rest; those that are lent are not touched."""
        with self._lock:
            server = self._servers.get(key)
            spent = list(server.resting) if server is not None else []
            for loan in spent:
                self._remove(loan)
        _close(spent)

    def close(self) -> None:
        """Close all sessions that rest. The pool goes on working."""
        with self._lock:
            spent = list(self._resting)
            for loan in spent:
                self._remove(loan)
        _close(spent)

    # -- lending
    def _lend(self, key: str, make: Make, deadline: Deadline, most: int, sessions: int) -> Loan:
        """Return a session that has carried fewer than ``most`` messages; a new one has carried none."""
        server, loan = self._claim(key, deadline, sessions)
        try:
            while loan is not None:
                if self._is_fit(loan, most):
                    loan.session.deadline = deadline
                    return loan
                loan = self._exchange(loan)
            loan = Loan(make(), _server=server, _born=self._clock())
            self._lent.add(loan)
            loan.session.open()
        except BaseException:
            self._give_up(server, loan)
            raise
        return loan

    def _is_fit(self, loan: Loan, most: int) -> bool:
        young = self._clock() - loan._born < self._limits.age_seconds
        return young and loan.messages < most and loan.session.alive()

    def _claim(self, key: str, deadline: Deadline, sessions: int) -> tuple[_Server, Loan | None]:
        """Return a session that rests, or the right to open one; wait for it if need be."""
        spent: list[Loan] = []
        loan = place = None
        with self._lock:
            self._sweep(spent)
            server = self._servers.get(key)
            if server is None:
                server = self._servers[key] = _Server(key)
            server.most = sessions
            if self._is_free(server):
                loan = self._grab(server)
            else:
                server.queue.append(place := _Place())
        _close(spent)
        if place is not None:
            loan = self._wait(server, place, deadline)
        return server, loan

    def _is_free(self, server: _Server) -> bool:
        return bool(server.resting) or server.sessions < server.most

    def _grab(self, server: _Server) -> Loan | None:
        """Take the warmest session, or count one more, which the caller opens."""
        if not server.resting:
            server.sessions += 1
            return None
        loan = server.resting.pop()
        del self._resting[loan]
        self._lent.add(loan)
        loan.reused = True
        return loan

    def _wait(self, server: _Server, place: _Place, deadline: Deadline) -> Loan | None:
        try:
            place.called.wait(deadline.remaining())
        except BaseException:
            # An interrupt, or gevent's Timeout. If one's turn came meanwhile, the next in the queue has it.
            if not self._leaves(server, place):
                self._give_up(server, place.loan)
            raise
        if self._leaves(server, place):
            text = _("All %(count)s connections to this server were busy.", count=server.most)
            raise TimedOut(text, stage=Stage.CONNECT)
        return place.loan

    def _leaves(self, server: _Server, place: _Place) -> bool:
        """Leave the queue; return False if one's turn has come meanwhile."""
        with self._lock:
            if place.called.is_set():
                return False
            server.queue.remove(place)
            return True

    def _call_next(self, server: _Server) -> None:
        """Give what is free to those who have waited longest, at once: then nobody can overtake them."""
        while server.queue and self._is_free(server):
            place = server.queue.popleft()
            place.loan = self._grab(server)
            place.called.set()
        if not server.sessions and not server.queue and self._servers.get(server.key) is server:
            del self._servers[server.key]

    def _exchange(self, loan: Loan) -> Loan | None:
        """Close a session that is not fit for use; return another one, or None for the right to open one."""
        loan.session.close()
        server = loan._server
        with self._lock:
            self._lent.discard(loan)
            if not server.resting:
                return None
            other = self._grab(server)
            server.sessions -= 1  # nobody waits for this place: one session at least was at rest
            return other

    def _give_up(self, server: _Server, loan: Loan | None) -> None:
        """Close a session that came to nothing, and let another take its place."""
        if loan is not None:
            loan.session.close()
        with self._lock:
            if loan is not None:
                self._lent.discard(loan)
            server.sessions -= 1
            self._call_next(server)

    # -- taking back
    def _take_back(self, loan: Loan, most: int) -> None:
        loan.messages += 1
        now = self._clock()
        spent: list[Loan] = []
        keep = loan.session.usable and loan.messages < most and now - loan._born < self._limits.age_seconds
        with self._lock:
            self._lent.discard(loan)
            self._sweep(spent)
            if keep:
                loan._rested = now
                loan._server.resting.append(loan)
                self._resting[loan] = None
            else:
                loan._server.sessions -= 1
                spent.append(loan)
            self._call_next(loan._server)
            while len(self._resting) > self._limits.idle_total:
                spent.append(self._remove(next(iter(self._resting))))
        _close(spent)

    def _sweep(self, spent: list[Loan]) -> None:
        """Take out what has rested too long."""
        now = self._clock()
        while self._resting:
            oldest = next(iter(self._resting))
            if now - oldest._rested <= self._limits.idle_seconds:
                return
            spent.append(self._remove(oldest))

    def _remove(self, loan: Loan) -> Loan:
        del self._resting[loan]
        loan._server.resting.remove(loan)
        loan._server.sessions -= 1
        self._call_next(loan._server)
        return loan

    # -- after a fork
    def _start_anew(self) -> None:
        """Forget everything, in a child process.

        The lock may have been held by a thread that does not exist here, so it is not asked for, but replaced. The
        connections belong to the parent, which goes on using them: not a byte may be sent over them.
        """
        self._lock = threading.Lock()
        for loan in [*self._resting, *self._lent]:
            loan.session.abandon()
        for server in self._servers.values():
            server.queue.clear()  # for the sake of a loan that this thread holds, and will give back
        self._servers.clear()
        self._resting.clear()
        self._lent.clear()


def _renewal(reference: weakref.ref[Pool]) -> Callable[[], None]:
    def renew() -> None:
        pool = reference()
        if pool is not None:
            pool._start_anew()

    return renew


def _close(loans: Iterable[Loan]) -> None:
    for loan in list(loans):
        loan.session.close()
