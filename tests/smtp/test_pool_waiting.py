"""The pool of sessions, when all are busy: who waits, for how long, and who is next."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from flask_smtpservers.errors import ConnectionRefused, TimedOut
from flask_smtpservers.findings import Stage
from flask_smtpservers.smtp import Deadline
from flask_smtpservers.smtp.pool import Loan

from ..peers.hostile import void
from .bench import Bench, Interrupted


@pytest.fixture
def bench() -> Bench:
    return Bench(per_server=2)


# -- how many
def test_all_are_busy(bench: Bench) -> None:
    """Who waits until the deadline gets a time-out that says so, and leaves no trace."""
    with bench.loan(), bench.loan():
        with (
            pytest.raises(TimedOut, match="All 2 connections to this server were busy") as caught,
            bench.loan("one", 0.05),
        ):
            raise AssertionError("not reached")
        assert bench.use("other") == 2
    assert (caught.value.stage, caught.value.permanent) == (Stage.CONNECT, False)
    with bench.loan(), bench.loan():
        assert bench.pool.lent == 2
    assert len(bench.made) == 3


def test_a_server_may_have_a_number_of_its_own(bench: Bench) -> None:
    """Some providers count connections: Microsoft 365 takes three. Others keep the pool's number."""
    with bench.loan(sessions=1):
        with pytest.raises(TimedOut, match="All 1 connections"), bench.loan("one", 0.05, sessions=1):
            raise AssertionError("not reached")
        with bench.loan("other"), bench.loan("other"):
            assert bench.pool.lent == 3
    with bench.loan(sessions=3), bench.loan(sessions=3), bench.loan(sessions=3):
        assert bench.pool.lent == 3


class Waiting:
    """Threads that borrow, in the order in which they are started; ``served`` are those who got a session."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.served: list[tuple[str, int, bool]] = []
        self.threads: list[threading.Thread] = []

    def start(self, name: str, then: Callable[[Loan], None] = lambda loan: None, **options: Any) -> None:
        """Start a thread and return when it waits."""
        waits = threading.Event()

        class Told(Deadline):
            def remaining(self) -> float:
                waits.set()
                return super().remaining()

        def borrow() -> None:
            with self.bench.pool.loan("one", self.bench.make, Told(5), **options) as loan:
                self.served.append((name, loan.session.number, loan.reused))  # type: ignore[attr-defined]
                then(loan)

        self.threads.append(threading.Thread(target=borrow, name=name))
        self.threads[-1].start()
        assert waits.wait(5)

    def finish(self) -> None:
        for thread in self.threads:
            thread.join(5)
            assert not thread.is_alive()


@pytest.fixture
def waiting(bench: Bench) -> Iterator[Waiting]:
    made = Waiting(bench)
    yield made
    made.finish()


def test_who_waits_gets_the_next(bench: Bench, waiting: Waiting) -> None:
    """In the order in which they came; the session that was given back is the one that they get."""
    with bench.loan():
        with bench.loan():
            for name in "abc":
                waiting.start(name)
        waiting.finish()
    assert waiting.served == [("a", 1, True), ("b", 1, True), ("c", 1, True)]


def test_nobody_overtakes(bench: Bench, waiting: Waiting) -> None:
    """Who has just given a session back, and wants one again at once, stands behind those who wait already."""
    with bench.loan():
        stack = ExitStack()
        stack.enter_context(bench.loan())
        again = threading.Event()
        waiting.start("patient", lambda loan: void(again.wait(5)))
        stack.close()
        with pytest.raises(TimedOut), bench.loan("one", 0.05):
            raise AssertionError("overtook")
        again.set()


def test_who_waits_for_a_new_one_gets_a_new_one(bench: Bench, waiting: Waiting) -> None:
    """And not the one that was given back, which takes its leave."""
    with bench.loan():
        with bench.loan():
            waiting.start("a", fresh=True)
        waiting.finish()
    assert waiting.served == [("a", 2, False)]
    assert bench.made[1].closed == 1


def test_the_place_of_a_session_that_dies_is_taken(bench: Bench, waiting: Waiting) -> None:
    """Who waits may open one in the place of another that is closed."""
    with bench.loan():
        with bench.loan() as loan:
            waiting.start("a")
            loan.session.usable = False
        waiting.finish()
    assert waiting.served == [("a", 2, False)]


def test_the_place_of_a_session_that_does_not_open_is_taken(bench: Bench, waiting: Waiting) -> None:
    """The same for one that never came to be."""
    begun, opening = threading.Event(), threading.Event()

    def make() -> Any:
        begun.set()
        assert opening.wait(5)
        raise ConnectionRefused("no", stage=Stage.CONNECT)

    def fail() -> None:
        with pytest.raises(ConnectionRefused), bench.pool.loan("one", make, Deadline(5)):
            raise AssertionError("not reached")

    opener = threading.Thread(target=fail)
    with bench.loan():
        opener.start()
        assert begun.wait(5)
        waiting.start("a")
        opening.set()
        opener.join(5)
        waiting.finish()
    assert waiting.served == [("a", 1, False)]


class Fatal(Deadline):
    """A deadline that kills who asks it how long to wait; ``before`` is done first."""

    def __init__(self, before: Callable[[], None] = lambda: None) -> None:
        super().__init__(5)
        self.before = before

    def remaining(self) -> float:
        self.before()
        raise Interrupted


def test_a_waiter_that_dies_leaves_the_queue(bench: Bench, waiting: Waiting) -> None:
    """Its turn is not waited for."""
    with bench.loan():
        with bench.loan():
            with pytest.raises(Interrupted), bench.pool.loan("one", bench.make, Fatal()):
                raise AssertionError("not reached")
            waiting.start("a")
        waiting.finish()
    assert waiting.served == [("a", 1, True)]


@pytest.mark.parametrize("dies", [False, True])
def test_a_waiter_that_dies_when_it_is_called(bench: Bench, dies: bool) -> None:
    """If a session, or the right to open one, came in the same moment, its place goes to the next."""
    with bench.loan():
        stack = ExitStack()
        loan = stack.enter_context(bench.loan())
        loan.session.usable = not dies
        with pytest.raises(Interrupted), bench.pool.loan("one", bench.make, Fatal(stack.close)):
            raise AssertionError("not reached")
        with bench.loan("one", 1) as other:
            assert not other.reused
    assert bench.pool.lent == 0


def test_many_threads() -> None:
    """However many there are: never more sessions than allowed, none used by two at once, and everybody is served."""
    bench = Bench(per_server=4, messages=7)
    problems: list[str] = []
    most: list[int] = []

    def work(number: int) -> None:
        for turn in range(40):
            with bench.loan("one", 20) as loan:
                if not loan.session.busy.acquire(blocking=False):
                    problems.append(f"{loan.session} is used twice")
                most.append(bench.pool.lent)
                if (number + turn) % 13 == 0:
                    loan.session.usable = False
                if (number + turn) % 11 == 0:
                    loan.session.quiet = False
                loan.session.busy.release()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert problems == []
    assert (len(most), max(most) <= 4) == (24 * 40, True)
    assert bench.pool.lent == 0
    assert sum(not session.closed for session in bench.made) == bench.pool.resting <= 4
