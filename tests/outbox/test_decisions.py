"""The pure parts: what follows from replies, when a message is tried again, and when a server is left alone."""

from __future__ import annotations

import pytest

from flask_smtpservers.errors import (
    AuthenticationFailed,
    ConnectionRefused,
    DataRefused,
    InDoubt,
    RecipientsRefused,
    SenderRefused,
    SMTPServersError,
    TLSFailed,
)
from flask_smtpservers.findings import Stage
from flask_smtpservers.outbox.pace import DOUBT_WAIT, WAITS, wait_after
from flask_smtpservers.outbox.rests import FIRST, FIXED, LONGEST, Rests
from flask_smtpservers.outbox.states import RecipientState as R
from flask_smtpservers.outbox.states import State, state_after
from flask_smtpservers.outbox.verdict import verdict_of_delivery, verdict_of_error
from flask_smtpservers.sending.consequence import Blame
from flask_smtpservers.sending.delivery import Delivery, Outcome, RecipientOutcome

A, B = "a@x.test", "b@x.test"


@pytest.mark.parametrize(
    ("recipients", "state", "asked"),
    [
        ([R.ACCEPTED], State.DONE, State.DONE),
        ([R.ACCEPTED, R.REFUSED], State.DONE, State.DONE),
        ([R.ACCEPTED, R.DEFERRED], State.QUEUED, State.QUEUED),
        ([R.PENDING], State.QUEUED, State.QUEUED),
        ([R.REFUSED], State.FAILED, State.FAILED),
        ([R.IN_DOUBT], State.QUEUED, State.UNKNOWN),
        ([R.IN_DOUBT, R.ACCEPTED], State.QUEUED, State.UNKNOWN),
        ([R.IN_DOUBT, R.DEFERRED], State.QUEUED, State.QUEUED),
        ([R.EXPIRED, R.REFUSED], State.EXPIRED, State.EXPIRED),
        ([R.EXPIRED, R.ACCEPTED], State.DONE, State.DONE),
        ([R.CANCELLED, R.REFUSED], State.CANCELLED, State.CANCELLED),
    ],
)
def test_what_a_message_comes_to(recipients: list[R], state: State, asked: State) -> None:
    """By its recipients; one in doubt is sent again, or left to a person."""
    assert state_after(recipients, ask_a_person=False) is state
    assert state_after(recipients, ask_a_person=True) is asked


def refused(**replies: tuple[int, bytes]) -> RecipientsRefused:
    error = RecipientsRefused("all", stage=Stage.RCPT_TO, code=550)
    error.recipients = {f"{name}@x.test": reply for name, reply in replies.items()}
    return error


@pytest.mark.parametrize(
    ("error", "states", "blame"),
    [
        (ConnectionRefused("no", stage=Stage.CONNECT), [R.DEFERRED, R.DEFERRED], Blame.COUNT),
        (TLSFailed("no", stage=Stage.TLS), [R.DEFERRED, R.DEFERRED], Blame.OPEN),
        (AuthenticationFailed("no", stage=Stage.AUTH, code=535), [R.DEFERRED, R.DEFERRED], Blame.STOP),
        (AuthenticationFailed("no", stage=Stage.AUTH, code=454), [R.DEFERRED, R.DEFERRED], Blame.COUNT),
        (SenderRefused("no", stage=Stage.MAIL_FROM, code=451), [R.DEFERRED, R.DEFERRED], Blame.NONE),
        (SenderRefused("no", stage=Stage.MAIL_FROM, code=553), [R.REFUSED, R.REFUSED], Blame.NONE),
        (DataRefused("no", stage=Stage.DATA, code=554), [R.REFUSED, R.REFUSED], Blame.NONE),
        (DataRefused("no", stage=Stage.DATA, code=451), [R.DEFERRED, R.DEFERRED], Blame.NONE),
        (InDoubt("no", stage=Stage.DATA), [R.IN_DOUBT, R.IN_DOUBT], Blame.COUNT),
        (refused(a=(550, b"5.1.1 no"), b=(450, b"4.2.0 later")), [R.REFUSED, R.DEFERRED], None),
    ],
)
def test_an_attempt_that_failed(error: SMTPServersError, states: list[R], blame: Blame | None) -> None:
    """Each recipient has his own end where the server spoke of each, and otherwise that of all."""
    verdict = verdict_of_error([A, B], error)
    assert [finding.state for finding in verdict.findings] == states
    assert blame is None or verdict.blame is blame
    assert verdict.text


def test_an_attempt_that_succeeded_in_part() -> None:
    """One has it, one is refused, one is to be tried again, and one had no room in the transaction."""
    outcomes = (
        RecipientOutcome(A, Outcome.ACCEPTED, 250, "2.0.0", "taken"),
        RecipientOutcome(B, Outcome.REFUSED, 550, "5.1.1", "nobody"),
        RecipientOutcome("c@x.test", Outcome.REFUSED, 451, "4.7.1", "later"),
        RecipientOutcome("d@x.test", Outcome.REFUSED, 452, "4.5.3", "too many"),
    )
    verdict = verdict_of_delivery(Delivery(server_name="x", server_id=None, recipients=outcomes, queue_id="Q1"))
    assert [finding.state for finding in verdict.findings] == [R.ACCEPTED, R.REFUSED, R.DEFERRED, R.DEFERRED]
    assert [finding.at_once for finding in verdict.findings] == [False, False, False, True]
    assert (verdict.outcome, verdict.reply, verdict.blame) == (R.ACCEPTED, "taken", Blame.NONE)


@pytest.mark.parametrize(("tries", "wait"), [(0, WAITS[0]), *enumerate(WAITS, 1), (99, WAITS[-1])])
def test_waits_grow_and_spread(tries: int, wait: int) -> None:
    """By a fifth to either side; twice the same copy is never sent within a quarter of an hour."""
    assert wait_after(tries, lambda: 0.0) == wait * 0.8
    assert wait_after(tries, lambda: 0.5) == wait
    assert wait_after(tries, lambda: 1.0) == wait * 1.2
    assert wait_after(tries, lambda: 0.5, doubt=True) == max(wait, DOUBT_WAIT)


def test_servers_rest() -> None:
    """Longer with each failure; a server that works is used at once; others are not concerned."""
    now = [1000.0]
    rests = Rests(lambda: now[0])
    assert rests.left("one") == 0
    for failure in range(8):
        rests.note("one", Blame.COUNT)
        assert rests.left("one") == min(FIRST * 2**failure, LONGEST)
        now[0] += rests.left("one")
    assert rests.left("two") == 0
    for blame in (Blame.OPEN, Blame.STOP):
        rests.note("two", blame)
        assert rests.left("two") == FIXED[blame]
    rests.note("two", Blame.NONE)
    assert rests.left("two") == 0
