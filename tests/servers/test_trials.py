"""The history of tests, and what is remembered with the server."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from flask_smtpservers.permissions import Scope
from flask_smtpservers.servers.profile import ServerProfile
from flask_smtpservers.servers.trials import KEPT, Confirmation, Trial, Trials, covered

from .conftest import FIELDS, Host


@pytest.fixture
def trials(host: Host) -> Trials:
    return Trials(host.db, host.clock)


def trial_of(host: Host, server: ServerProfile | None, number: int = 1, **more: Any) -> Trial:
    return Trial(
        public_id=f"{number:032x}",
        server_id=server.public_id if server else "",
        server_name=server.name if server else "New",
        settings=covered(server) if server else "",
        actor="ann",
        recipient="a…@example.com",
        started_at=host.clock(),
        **more,
    )


def test_an_arrival_counts_once_and_is_remembered_with_the_server(host: Host, trials: Trials) -> None:
    """Also where it comes before the test itself has ended; a second opening changes nothing."""
    server = host.store.add(FIELDS).profile
    trial = trial_of(host, server)
    trials.begin(trial, "ticket")
    host.clock.pass_by(seconds=6)
    confirmation, found = trials.confirm("ticket")
    assert (confirmation, found and found.arrived_at) == (Confirmation.CONFIRMED, host.clock())
    trials.finish(replace(trial, passed=True, sent_at=trial.started_at, queue_id="Q1"))
    assert host.store.get(server.public_id).arrived_at == host.clock()
    arrived_at = host.clock()
    host.clock.pass_by(hours=1)
    again, found = trials.confirm("ticket")
    assert again is Confirmation.ALREADY
    kept = trials.find(trial.public_id)
    assert kept == found
    assert kept is not None
    assert (kept.arrived_at, kept.seconds, kept.passed, kept.queue_id) == (arrived_at, 6, True, "Q1")
    assert host.store.get(server.public_id).arrived_at == arrived_at


@pytest.mark.parametrize("ticket", ["", "other", "t\0icket", "\ud800"])
def test_an_unknown_ticket_changes_nothing(host: Host, trials: Trials, ticket: str) -> None:
    trials.begin(trial_of(host, None), "ticket")
    assert trials.confirm(ticket) == (Confirmation.UNKNOWN, None)
    assert trials.find("x\0") is None


def test_a_ticket_expires(host: Host, trials: Trials) -> None:
    trial = trial_of(host, None)
    trials.begin(trial, "ticket")
    host.clock.pass_by(days=7)
    assert trials.confirm("ticket") == (Confirmation.EXPIRED, trial)


def test_an_arrival_says_nothing_of_other_settings(host: Host, trials: Trials) -> None:
    """The server was changed between the test and the opening of its message."""
    server = host.store.add(FIELDS).profile
    trials.begin(trial_of(host, server), "ticket")
    host.store.edit(server.public_id, {"address": "other@example.com"})
    assert trials.confirm("ticket")[0] is Confirmation.CONFIRMED
    assert host.store.get(server.public_id).arrived_at is None


@pytest.mark.parametrize("opened", ["before it is saved", "after it is saved"])
def test_a_test_of_unsaved_settings_counts_once_they_are_saved(host: Host, trials: Trials, opened: str) -> None:
    trial = trial_of(host, None)
    trials.begin(trial, "ticket")
    if opened == "before it is saved":
        trials.confirm("ticket")
    server = host.store.add(FIELDS).profile
    trials.adopt(trial.public_id, server)
    if opened == "after it is saved":
        trials.confirm("ticket")
    assert host.store.get(server.public_id).arrived_at == host.clock()
    assert [one.public_id for one in trials.recent(server.public_id)] == [trial.public_id]


def test_old_tests_are_deleted(host: Host, trials: Trials) -> None:
    """So many are kept of each server, and none for longer than 90 days."""
    server = host.store.add(FIELDS).profile
    trials.finish(trial_of(host, None, number=10_000))
    for number in range(KEPT + 3):
        trials.finish(trial_of(host, server, number=number, passed=True))
    assert [int(one.public_id, 16) for one in trials.recent(server.public_id, KEPT * 2)] == [*range(KEPT + 2, 2, -1)]
    assert trials.find(f"{10_000:032x}") is not None, "another server's"
    host.clock.now += timedelta(days=90)
    trials.finish(trial_of(host, server, number=20_000))
    assert len(trials.recent(server.public_id, KEPT)) == 1


def test_only_one_is_told_that_a_server_fails(host: Host, trials: Trials) -> None:
    server = host.store.add(FIELDS).profile
    assert [trials.note_health(server, failing=failing) for failing in (False, True, True, False, False, True)] == [
        False,
        True,
        False,
        True,
        False,
        True,
    ]
    assert host.store.get(server.public_id).failing_since == host.clock()


def test_a_change_of_what_was_tested_asks_for_a_new_test(host: Host) -> None:
    """Since when, is known until it is tested again; a server that never was tested needs no new test."""
    server = host.store.add(FIELDS).profile
    changed = host.store.edit(server.public_id, {"address": "a@example.com"}).profile
    assert changed.retest_since is None
    host.store.record_test(changed, True, "", tested_by="ann")
    assert host.store.get(server.public_id).tested_by == "ann"
    host.clock.pass_by(hours=1)
    first = host.store.edit(server.public_id, {"address": "b@example.com"}).profile
    assert (first.retest_since, first.tested_by, first.tested_at) == (host.clock(), "", None)
    host.clock.pass_by(hours=1)
    second = host.store.edit(server.public_id, {"address": "c@example.com"}).profile
    assert second.retest_since == first.retest_since
    host.store.record_test(second, False, "x")
    assert host.store.get(server.public_id).retest_since is None


def test_many_tests_of_one_person_leave_those_of_others(host: Host, trials: Trials) -> None:
    """Tests of unsaved settings have no server in common; each scope has its own share."""
    trials.finish(trial_of(host, None, number=10_000, passed=True, scope=Scope("acme")))
    for number in range(KEPT + 3):
        trials.finish(trial_of(host, None, number=number, passed=True, scope=Scope("bolt", "ben")))
    assert trials.find(f"{10_000:032x}", scope=Scope("acme")) is not None
    assert len(trials.recent("", KEPT * 2, scope=Scope("bolt", "ben"))) == KEPT
