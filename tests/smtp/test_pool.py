"""The pool of sessions: who gets which, what is kept and for how long, and what a failure leaves."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from flask_smtpservers.errors import ConnectionRefused
from flask_smtpservers.findings import Stage
from flask_smtpservers.smtp import Deadline

from .bench import Bench, Interrupted


@pytest.fixture
def bench() -> Bench:
    return Bench(per_server=2)


# -- who gets which
def test_a_session_is_used_again(bench: Bench) -> None:
    """The first message opens one, the others find it; the loan says so, and how many there were before."""
    seen = []
    for _ in range(3):
        with bench.loan() as loan:
            seen.append((loan.session.number, loan.reused, loan.messages))
            assert (bench.pool.lent, bench.pool.resting) == (1, 0)
    assert seen == [(0, False, 0), (0, True, 1), (0, True, 2)]
    assert (bench.pool.lent, bench.pool.resting) == (0, 1)


def test_the_warmest_comes_first(bench: Bench) -> None:
    with bench.loan() as first, bench.loan() as second:
        assert (first.session.number, second.session.number) == (0, 1)
        # the second is given back first
    assert bench.use() == 0
    with bench.loan() as warmest, bench.loan() as other:
        assert (warmest.session.number, other.session.number) == (0, 1)


def test_another_key_is_another_session(bench: Bench) -> None:
    """What was edited has another key: nothing travels over an old connection."""
    assert (bench.use("before"), bench.use("after"), bench.use("before")) == (0, 1, 0)


def test_a_session_that_is_used_again_gets_the_deadline(bench: Bench) -> None:
    bench.use()
    with bench.pool.loan("one", bench.make, deadline := Deadline(3)) as loan:
        assert loan.session.deadline is deadline


def test_stale_sessions_are_passed_over(bench: Bench) -> None:
    """One that is dead is closed, and the next one tried; if all are, one is opened."""
    with bench.loan(), bench.loan():
        pass
    bench.made[0].quiet = False
    assert bench.use() == 1
    bench.made[1].quiet = False
    assert bench.use() == 2
    assert [session.closed for session in bench.made] == [1, 1, 0]
    with bench.loan(), bench.loan():
        assert bench.pool.lent == 2
    assert len(bench.made) == 4


def test_a_new_session_is_not_asked_whether_it_lives(bench: Bench) -> None:
    bench.use()
    assert bench.made[0].asked == 0
    bench.use()
    assert bench.made[0].asked == 1


def test_fresh(bench: Bench) -> None:
    """Who met a dead session gets a new one; those that have rested still longer are closed, of this server only."""
    bench.use("other")
    with bench.loan(), bench.loan():
        pass
    assert bench.use(fresh=True) == 3
    assert [session.closed for session in bench.made] == [0, 1, 1, 0]
    assert bench.use("unknown", fresh=True) == 4


# -- what is kept
def test_a_session_that_is_of_no_more_use_is_closed(bench: Bench) -> None:
    with bench.loan() as loan:
        loan.session.usable = False
    assert bench.made[0].closed == 1
    assert bench.use() == 1


def test_an_error_in_the_block(bench: Bench) -> None:
    """It passes; the session says itself whether it is still of use."""
    with pytest.raises(KeyError), bench.loan():
        raise KeyError
    with pytest.raises(Interrupted), bench.loan() as loan:
        assert loan.reused
        loan.session.usable = False
        raise Interrupted
    assert (bench.pool.lent, bench.pool.resting, bench.made[0].closed) == (0, 0, 1)


def test_messages_per_session() -> None:
    """After so many it is closed; a caller may want fewer."""
    bench = Bench(messages=3)
    assert [bench.use() for _ in range(3)] == [0, 0, 0]
    assert bench.made[0].closed == 1
    assert [bench.use() for _ in range(4)] == [1, 1, 1, 2]
    assert [session.closed for session in bench.made] == [1, 1, 0]
    assert [bench.use(messages=2) for _ in range(4)] == [2, 3, 3, 4]
    assert [bench.use(messages=9) for _ in range(3)] == [4, 4, 5]
    assert bench.use(messages=1) == 6


def test_age() -> None:
    """A session that is too old is closed when it comes back, or when it would be lent."""
    bench = Bench(age_seconds=100, idle_seconds=1000)
    with bench.loan():
        bench.clock.now += 99.9
    assert bench.use() == 0
    bench.clock.now += 0.1
    assert bench.use() == 1
    with bench.loan():
        bench.clock.now += 100
    assert [session.closed for session in bench.made] == [1, 1]
    assert bench.pool.resting == 0


def test_idle() -> None:
    """What has rested too long is closed at the next use of the pool, whatever the server; not what was just used."""
    bench = Bench(idle_seconds=10, age_seconds=1000)
    bench.use("a")
    bench.use("b")
    bench.clock.now += 10
    bench.use("b")
    assert bench.pool.resting == 2
    bench.clock.now += 0.1
    bench.use("c")
    assert [session.closed for session in bench.made] == [1, 0, 0]
    with bench.loan("c"):
        bench.clock.now += 10
    assert [session.closed for session in bench.made] == [1, 1, 0]


def test_idle_total() -> None:
    """Of all that rest, those that have rested longest go first."""
    bench = Bench(idle_total=3)
    for key in "abcd":
        bench.use(key)
    assert [session.closed for session in bench.made] == [1, 0, 0, 0]
    bench.use("b")
    bench.use("e")
    assert [session.closed for session in bench.made] == [1, 0, 1, 0, 0]
    assert bench.pool.resting == 3


def test_ten_thousand_servers() -> None:
    """Nothing is left of a server without a session."""
    bench = Bench()
    for number in range(10_000):
        bench.use(str(number))
    assert repr(bench.pool) == "<Pool of 32 servers: 0 sessions lent, 32 resting>"
    assert sum(session.closed for session in bench.made) == 10_000 - 32


def test_close_and_discard(bench: Bench) -> None:
    """What rests is closed, what is lent is not; the pool goes on working."""
    bench.use("a")
    bench.use("b")
    with bench.loan("b") as loan:
        bench.pool.discard("a")
        bench.pool.discard("unknown")
        assert [session.closed for session in bench.made] == [1, 0]
        bench.pool.close()
        assert loan.session.closed == 0
    assert bench.pool.resting == 1
    bench.pool.close()
    assert bench.made[1].closed == 1
    assert bench.use("b") == 2


def test_a_pool_that_is_dropped_closes_its_sessions(bench: Bench) -> None:
    """So that no socket is left to the garbage collector, which would complain."""
    bench.use()
    (session,) = bench.made
    del bench.pool
    gc.collect()
    assert session.closed == 1


# -- failures
@pytest.mark.parametrize("error", [ConnectionRefused("no", stage=Stage.CONNECT), KeyError("secret"), Interrupted()])
def test_a_session_that_cannot_be_opened(bench: Bench, error: BaseException) -> None:
    """The error passes, the session is closed, and its place is free again."""
    for _ in range(5):
        bench.fails = [error]
        with pytest.raises(type(error)), bench.loan():
            raise AssertionError("not reached")
    assert [session.closed for session in bench.made] == [1] * 5
    with bench.loan(), bench.loan():
        assert bench.pool.lent == 2


def test_a_session_that_cannot_even_be_made(bench: Bench) -> None:
    """An unreadable password, say."""

    def make() -> Any:
        raise LookupError("unreadable")

    for _ in range(5):
        with pytest.raises(LookupError), bench.pool.loan("one", make, Deadline(1)):
            raise AssertionError("not reached")
    assert repr(bench.pool) == "<Pool of 0 servers: 0 sessions lent, 0 resting>"


def test_an_interrupt_while_a_session_is_looked_at(bench: Bench) -> None:
    """Its place is free again too."""
    for _ in range(5):
        bench.use()

        def alive() -> bool:
            raise Interrupted

        bench.made[-1].alive = alive  # type: ignore[method-assign]
        with pytest.raises(Interrupted):
            bench.use()
    assert (bench.pool.lent, bench.pool.resting) == (0, 0)
