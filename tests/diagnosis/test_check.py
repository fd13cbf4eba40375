"""The check, stage by stage, over a session that does as it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import pytest

from flask_smtpservers.diagnosis.check import check, headline, label, not_started, stages
from flask_smtpservers.diagnosis.context import Context
from flask_smtpservers.errors import (
    AuthenticationFailed,
    CertificateRefused,
    HeloRefused,
    MessageRefused,
    NotOffered,
    ProtocolError,
    SecretUnreadable,
    SenderRefused,
    SendError,
    TimedOut,
)
from flask_smtpservers.findings import Stage, Step, StepState
from flask_smtpservers.smtp.certificates import CertificateFacts
from flask_smtpservers.smtp.endpoint import Security
from flask_smtpservers.smtp.reply import Reply

from .conftest import HOST, FakeSession, FakeSessions

ME = "shop@example.test"
CONTEXT = Context(host=HOST, port=465, security=Security.SSL, username="me")


def run(session: FakeSession, recipient: str | None = None, content: bytes | None = None) -> list[Step]:
    return list(check(session, sender=ME, recipient=recipient, content=content, context=CONTEXT))


def ticking(seconds: float) -> Callable[[], float]:
    """A clock that goes on by so many seconds with each look."""
    ticks: Iterator[int] = count()
    return lambda: next(ticks) * seconds


@pytest.mark.parametrize(
    ("security", "login", "send", "order"),
    [
        ("ssl", True, True, "settings resolve connect tls certificate greeting ehlo auth mail_from rcpt_to data"),
        ("starttls", False, False, "settings resolve connect greeting ehlo starttls tls certificate mail_from rcpt_to"),
        ("none", False, True, "settings resolve connect greeting ehlo mail_from rcpt_to data"),
    ],
)
def test_the_stages_of_a_run(security: str, login: bool, send: bool, order: str) -> None:
    """The list is known before the run, so that the page can count; a good run goes through exactly these."""
    assert " ".join(stages(Security(security), login=login, send=send)) == order


@pytest.mark.parametrize("security", ["ssl", "starttls", "none"])
@pytest.mark.parametrize("login", [True, False])
@pytest.mark.parametrize("send", [True, False])
def test_a_good_run_is_the_plan(fake: FakeSessions, security: str, login: bool, send: bool) -> None:
    """Every planned stage is reported once, in order, as done."""
    session = fake(security, login=login)
    steps = run(session, "guest@example.net" if send else None, b"x" if send else None)
    assert tuple(step.stage for step in steps) == stages(Security(security), login=login, send=send)
    assert {step.state for step in steps} == {StepState.OK}
    assert session.closed >= 1


def test_without_a_recipient_nothing_is_sent(fake: FakeSessions) -> None:
    """The server is only asked whether it would take mail for the sending address."""
    session = fake()
    steps = run(session)
    assert session.calls == [f"MAIL {ME} None", f"RCPT {ME}", "RSET"]
    assert headline(steps) == f"{ME} is accepted as recipient."


def test_with_a_recipient_the_message_goes_out(fake: FakeSessions) -> None:
    """The size is declared, and the queue id of the server's answer is told."""
    session = fake(login=True)
    steps = run(session, "guest@example.net", b"Subject: x\r\n\r\nx\r\n")
    assert session.calls == [f"MAIL {ME} 17", "RCPT guest@example.net", "DATA"]
    assert steps[-1].seen == "The server accepted the test message (queue id Q77)"
    assert steps[-1].raw == "250 2.0.0 OK queued as Q77"
    assert headline(steps) == "The server accepted the test message (queue id Q77)."


def test_a_reply_without_a_queue_id(fake: FakeSessions) -> None:
    """No id is made up."""
    steps = run(fake(data_reply=Reply(250, ("thanks",))), "guest@example.net", b"x")
    assert steps[-1].seen == "The server accepted the test message"


FAILURES = [
    ("starttls", TimedOut("slow", stage=Stage.CONNECT), 3, 10, "port_blocked"),
    ("starttls", ProtocolError("no", stage=Stage.GREETING, code=554, reply="go away"), 4, 10, "ip_blocked"),
    ("starttls", NotOffered("no", stage=Stage.STARTTLS), 6, 10, "starttls_not_offered"),
    ("ssl", CertificateRefused("no", stage=Stage.CERTIFICATE), 5, 9, "cert_self_signed"),
    ("ssl", HeloRefused("no", stage=Stage.EHLO, code=501, reply="bad name"), 7, 9, "helo_rejected"),
]


@pytest.mark.parametrize(("security", "error", "number", "total", "cause"), FAILURES)
def test_the_first_failure_ends_the_run(
    fake: FakeSessions, security: str, error: SendError, number: int, total: int, cause: str
) -> None:
    """One step failed, with its diagnosis; those before are done, those after were not reached."""
    session = fake(security, stop=error)
    steps = run(session)
    states = [step.state for step in steps]
    assert states == [StepState.OK] * (number - 1) + [StepState.FAILED] + [StepState.NOT_REACHED] * (total - number)
    failed = steps[number - 1]
    assert failed.stage is error.stage
    assert failed.diagnosis is not None
    assert failed.diagnosis.cause == cause
    assert headline(steps) == f"Stopped at step {number} of {total}: {failed.diagnosis.title}."
    assert session.closed >= 1


def test_a_refused_login(fake: FakeSessions) -> None:
    """The headline tells the step and the cause, the step quotes the server."""
    error = AuthenticationFailed("no", stage=Stage.AUTH, code=535, enhanced="5.7.8", reply="5.7.8 no")
    steps = run(fake(login=True, stop=error))
    assert headline(steps) == "Stopped at step 8 of 10: The server refused user name or password."
    assert steps[7].raw == "535 5.7.8 no"


def test_a_refused_sender(fake: FakeSessions) -> None:
    """A sender that the server refuses ends the run at that step."""
    refused = SenderRefused("no", stage=Stage.MAIL_FROM, code=553, reply="5.7.1 not owned by user")
    steps = run(fake(refusals={"MAIL": refused}))
    assert [step.stage for step in steps if step.state is StepState.FAILED] == [Stage.MAIL_FROM]
    assert steps[-2].diagnosis is not None
    assert steps[-2].diagnosis.cause == "sender_not_owned"


def test_a_refused_recipient(fake: FakeSessions) -> None:
    """A recipient's refusal is a reply, not an exception, and ends the run all the same; nothing is sent."""
    session = fake(recipient_reply=Reply(550, ("5.1.1 no such user",)))
    steps = run(session, "guest@example.net", b"x")
    assert "DATA" not in session.calls
    assert [step.state for step in steps[-2:]] == [StepState.FAILED, StepState.NOT_REACHED]
    assert steps[-2].diagnosis is not None
    assert steps[-2].diagnosis.cause == "recipient_rejected"


def test_an_address_that_cannot_be_sent(fake: FakeSessions) -> None:
    """What we refuse ourselves fails at the step that needed it."""
    steps = run(fake(refusals={"RCPT": MessageRefused("no address")}))
    assert steps[-1].stage is Stage.RCPT_TO
    assert steps[-1].diagnosis is not None
    assert steps[-1].diagnosis.cause == "recipient_rejected"


def test_trouble_at_rset_changes_nothing(fake: FakeSessions) -> None:
    """The question is answered before."""
    steps = run(fake(refusals={"RSET": ProtocolError("gone", stage=Stage.MAIL_FROM)}))
    assert {step.state for step in steps} == {StepState.OK}


def test_a_failure_of_a_stage_that_had_passed(fake: FakeSessions) -> None:
    """If an error names a stage that was done, the next one is to blame."""
    late = SenderRefused("no", stage=Stage.EHLO, code=550, reply="no")
    steps = run(fake(refusals={"MAIL": late}))
    assert [step.stage for step in steps if step.state is StepState.FAILED] == [Stage.MAIL_FROM]


def test_the_session_is_closed_when_the_reader_leaves(fake: FakeSessions) -> None:
    """Whoever stops reading half-way leaves no connection behind."""
    session = fake()
    reading = check(session, sender=ME, context=CONTEXT)
    next(reading)
    next(reading)
    reading.close()
    assert session.closed == 1


def test_the_session_is_closed_after_a_surprise(fake: FakeSessions) -> None:
    """An error that nobody foresaw goes on, and the connection is closed."""
    session = fake(refusals={"MAIL": RuntimeError("bug")})
    with pytest.raises(RuntimeError, match="bug"):
        run(session)
    assert session.closed == 1


def test_milliseconds(fake: FakeSessions) -> None:
    """Each step has its own time."""
    steps = list(check(fake("none"), sender=ME, context=CONTEXT, clock=ticking(0.25)))
    assert [step.milliseconds for step in steps] == [250] * 7


def test_a_refused_certificate_is_looked_at(fake: FakeSessions) -> None:
    """The names in a refused certificate are fetched for the explanation; nothing depends on them."""
    refused = CertificateRefused("no", stage=Stage.CERTIFICATE)
    refused.verify_code = 62
    facts = CertificateFacts(
        subject_names=("*.hoster.example",),
        issuer="x",
        not_before=None,
        not_after=None,
        self_signed=False,
        fingerprint="",
    )

    def unreachable() -> None:
        raise TimedOut("slow", stage=Stage.CONNECT)

    for inspect, words in ((lambda: facts, "*.hoster.example"), (unreachable, "another name")):
        steps = list(check(fake(stop=refused), sender=ME, context=CONTEXT, inspect=inspect))
        failed = next(step for step in steps if step.diagnosis)
        assert failed.diagnosis is not None
        assert words in failed.diagnosis.explanation


def test_what_the_session_found_helps(fake: FakeSessions) -> None:
    """The server's own list of features decides between two causes."""
    error = NotOffered("no", stage=Stage.AUTH)
    steps = run(fake("none", login=True, stop=error, features={"STARTTLS": ""}))
    failed = next(step for step in steps if step.diagnosis)
    assert failed.diagnosis is not None
    # The context says SSL: then a missing login has another cause than without encryption.
    assert failed.diagnosis.cause == "auth_not_offered"
    plain = Context(host=HOST, port=25, security=Security.NONE, username="me")
    session = fake("none", login=True, stop=error, features={"STARTTLS": ""})
    failed = next(step for step in check(session, sender=ME, context=plain) if step.diagnosis)
    assert failed.diagnosis is not None
    assert failed.diagnosis.cause == "starttls_required"


def test_a_run_that_never_started() -> None:
    """An unreadable secret fails the first step, and the others were not reached."""
    steps = list(not_started(SecretUnreadable("gone"), security=Security.SSL, login=True, send=False, context=CONTEXT))
    assert headline(steps) == "Stopped at step 1 of 10: The stored password cannot be read."
    assert [step.state for step in steps[1:]] == [StepState.NOT_REACHED] * 9


def test_headline_of_an_unfinished_run() -> None:
    """A run that was left early claims no success."""
    assert headline([]) == "The test was not finished."
    sent = Step(Stage.DATA, StepState.OK, seen="The server accepted the test message")
    waiting = Step(Stage.ARRIVAL, StepState.WAITING)
    assert headline([sent, waiting]) == "The server accepted the test message."
    assert headline([Step(Stage.SETTINGS, StepState.OK), Step(Stage.RESOLVE, StepState.NOT_REACHED)]) == (
        "The test was not finished."
    )


@pytest.mark.parametrize("stage", Stage)
def test_every_stage_has_a_label(stage: Stage) -> None:
    """Each stage has a name for people."""
    assert label(stage)[0].isupper()
