"""Whose turn it is: few tests at once, few within an hour, counted in the database by all processes together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from flask_smtpservers.errors import StoreUnavailable
from flask_smtpservers.servers.turns import Begun, Limits, Turns, Wait, Wanted, obstacle

from .conftest import Clock, Host, host_app

NOW = Clock.now
LIMITS = Limits(at_once=3, per_hour=4, per_minute=2, per_hour_tenant=5, per_hour_app=6)


def wanted(person: str = "ann", **values: Any) -> Wanted:
    return Wanted(**{"kind": "test", "person": person, "budget": person, "seconds": 20, **values})


def begun(person: str = "ann", *, ago: float, lasts: float = 10, **values: str) -> Begun:
    at = NOW - timedelta(seconds=ago)
    until = at + timedelta(seconds=lasts)
    return Begun(**{"person": person, "budget": person, "tenant": "", "target": "", **values}, begun_at=at, until=until)


# name: what began before, what is wanted, what it must wait for
CASES: dict[str, tuple[list[Begun], Wanted, Wait | None]] = {
    "nothing began": ([], wanted(), None),
    "one of the person runs": ([begun(ago=5)], wanted(), Wait.OWN),
    "it has just ended": ([begun(ago=10)], wanted(), None),
    "one of somebody else runs": ([begun("ben", ago=5)], wanted(), None),
    "somebody is at the same server": ([begun("ben", ago=5, target="x")], wanted(target="x"), Wait.TARGET),
    "somebody was at the same server": ([begun("ben", ago=50, target="x")], wanted(target="x"), None),
    "somebody is at another server": ([begun("ben", ago=5, target="y")], wanted(target="x"), None),
    "servers that bear several": ([begun("ben", ago=5)], wanted(target=""), None),
    "as many as may": ([begun(name, ago=5) for name in ("ben", "cem", "dan")], wanted(), Wait.OTHERS),
    "too many within a minute": ([begun(ago=59), begun(ago=30)], wanted(), Wait.MINUTE),
    "not within a minute": ([begun(ago=60), begun(ago=30)], wanted(), None),
    "too many within an hour": ([begun(ago=ago) for ago in (3599, 300, 200, 100)], wanted(), Wait.HOUR),
    "the first an hour ago": ([begun(ago=ago) for ago in (3600, 300, 200, 100)], wanted(), None),
    "another person has a budget of his own": ([begun(ago=ago) for ago in (400, 300, 200, 100)], wanted("ben"), None),
    "one budget for several": (
        [begun(f"session {number}", ago=100 * number, budget="") for number in range(1, 5)],
        wanted("another session", budget=""),
        Wait.HOUR,
    ),
    "too many of a tenant": (
        [begun(name, ago=100, tenant="acme") for name in "abcde"],
        wanted(tenant="acme"),
        Wait.TENANT,
    ),
    "too many of another tenant": ([begun(name, ago=100, tenant="acme") for name in "abcde"], wanted(tenant="b"), None),
    "too many of everybody": ([begun(name, ago=100) for name in "abcdef"], wanted(), Wait.APP),
    "clocks that differ a little": ([begun(ago=-30, lasts=60)], wanted(), Wait.OWN),
    "from before the clock was set back": ([begun(ago=-86400, lasts=60)], wanted(), None),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_turn_must_wait_for(case: str) -> None:
    before, sought, expected = CASES[case]
    assert obstacle(sought, before, LIMITS, NOW) is expected


def turns_of(host: Host) -> Turns:
    return Turns(host.db, host.clock)


def test_a_turn_is_had_until_it_is_given_back(host: Host) -> None:
    turns = turns_of(host)
    first = turns.take(wanted(), LIMITS)
    assert isinstance(first, str)
    assert first not in list(Wait)
    assert turns.take(wanted(), LIMITS) is Wait.OWN
    turns.give_back(first)
    turns.give_back(first)
    assert len(str(turns.take(wanted(), LIMITS))) == 32
    assert turns.take(wanted(kind="search"), LIMITS) is not Wait.OWN


def test_whoever_dies_gives_his_turn_back_by_being_late(host: Host) -> None:
    """After the deadline of the test and a minute; a late word then ends nobody else's turn."""
    turns = turns_of(host)
    lost = str(turns.take(wanted(), LIMITS))
    host.clock.pass_by(seconds=79)
    assert turns.take(wanted(), LIMITS) is Wait.OWN
    host.clock.pass_by(seconds=2)
    assert len(str(turns.take(wanted(), LIMITS))) == 32
    turns.give_back(lost)
    assert turns.take(wanted(), LIMITS) is Wait.OWN


def test_old_turns_are_deleted_and_nobody_is_named_in_them(host: Host) -> None:
    turns, table = turns_of(host), host.db.metadata.tables["smtpservers_turn"]
    turns.give_back(str(turns.take(wanted("ann@example.test", target="mail.example.test:587"), LIMITS)))
    with host.db.engine.connect() as connection:
        (row,) = connection.execute(table.select())
    assert "example.test" not in repr(row)
    host.clock.pass_by(hours=1)
    turns.take(wanted("ben"), LIMITS)
    with host.db.engine.connect() as connection:
        assert len(connection.execute(table.select()).all()) == 1


def test_what_the_host_has_open_is_no_hindrance(host: Host) -> None:
    """MariaDB would show the host's transaction the turns as they were when it began."""
    host.db.session.execute(host.db.select(host.Note)).all()
    if host.kind != "sqlite-memory":  # all its threads have one connection
        with ThreadPoolExecutor(1) as pool:
            pool.submit(_in_context, host, "ann").result()
    else:
        turns_of(host).take(wanted(), LIMITS)
    assert turns_of(host).take(wanted(), LIMITS) is Wait.OWN


def _in_context(host: Host, person: str) -> str | Wait:
    with host.app.app_context():
        try:
            return turns_of(host).take(wanted(person), LIMITS)
        except StoreUnavailable as error:  # so that it is seen as what it is
            return repr(error.__cause__)


def test_of_fifty_at_once_one_has_his_turn(host: Host) -> None:
    """D01: on each database, whatever the threads and processes do in between."""
    if host.kind == "sqlite-memory":
        return  # all threads would have one connection
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _number: _in_context(host, "ann"), range(50)))
    assert answers.count(Wait.OWN) == 49, answers


def test_without_its_table_nothing_begins(fresh_host: Host) -> None:
    fresh_host.db.drop_all()
    with pytest.raises(StoreUnavailable):
        turns_of(fresh_host).take(wanted(), LIMITS)


def test_processes_count_together(tmp_path: Any) -> None:
    """Two hosts that share nothing but the database."""
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    with host_app(url) as one, host_app(url) as other:
        with one.app.app_context():
            turns_of(one).take(wanted(), LIMITS)
        with other.app.app_context():
            assert turns_of(other).take(wanted(), LIMITS) is Wait.OWN
