"""The check against real servers on loopback: a good one, and rude ones."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trustme

from flask_smtpservers.diagnosis.check import check, headline
from flask_smtpservers.diagnosis.context import context_of
from flask_smtpservers.findings import Stage, Step, StepState
from flask_smtpservers.secret import Secret
from flask_smtpservers.smtp.deadline import Deadline
from flask_smtpservers.smtp.guard import Guard
from flask_smtpservers.smtp.inspection import peer_certificate
from flask_smtpservers.smtp.session import Session

from ..peers.hostile import answer, close, drip, hang, hear, hear_bytes, hostile, say, server_context, start_tls, stream
from ..peers.mailbox import PASSWORD, USERNAME, Mailbox
from .conftest import Detour, MakeSession

# aiosmtpd knows nothing of the TLS in front of its SMTPS port, and warns at every connection there.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")

SENDER = "shop@example.test"
GOOD = {"username": USERNAME, "password": Secret(PASSWORD)}


def run(session: Session, recipient: str | None = None, content: bytes | None = None, **more: Any) -> list[Step]:
    context = context_of(session.endpoint, sender=SENDER, recipient=recipient or SENDER)
    return list(check(session, sender=SENDER, recipient=recipient, content=content, context=context, **more))


def cause(steps: list[Step]) -> tuple[Stage, str]:
    """The stage that failed and why."""
    failed = next(step for step in steps if step.state is StepState.FAILED)
    assert failed.diagnosis is not None
    return failed.stage, failed.diagnosis.cause


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_a_good_server(mailbox: Mailbox, session_to: MakeSession) -> None:
    """Signed in, accepted, and really there; the whole way is shown with what was seen."""
    session = session_to(mailbox.submission, **GOOD)
    content = b"Subject: test\r\n\r\nhello\r\n"
    steps = run(session, "guest@example.net", content)
    assert {step.state for step in steps} == {StepState.OK}
    seen = {step.stage: step.seen for step in steps}
    assert seen[Stage.AUTH] == f"Signed in to mail.example.test as {USERNAME}"
    assert seen[Stage.DATA] == "The server accepted the test message (queue id Q1)"
    assert "TLS" in seen[Stage.TLS]
    assert "mail.example.test" in seen[Stage.CERTIFICATE]
    assert [(letter.sender, letter.recipients) for letter in mailbox.letters] == [(SENDER, ["guest@example.net"])]
    assert not any(PASSWORD in f"{step}" for step in steps)


def test_a_good_server_with_ssl_and_no_message(mailbox: Mailbox, session_to: MakeSession) -> None:
    """Without a recipient the run ends before anything is sent."""
    steps = run(session_to(mailbox.smtps, port=465, security="ssl", **GOOD))
    assert headline(steps) == f"Signed in to mail.example.test as {USERNAME}."
    assert mailbox.letters == []


@pytest.mark.parametrize(
    ("fields", "recipient", "expected"),
    [
        ({"username": USERNAME}, None, (Stage.AUTH, "bad_credentials")),
        ({}, None, (Stage.MAIL_FROM, "auth_required")),
        (GOOD, "bad@example.net", (Stage.RCPT_TO, "recipient_rejected")),
        (GOOD, "temp@example.net", (Stage.RCPT_TO, "greylisted")),
        ({**GOOD, "ca_certificate": None}, None, (Stage.CERTIFICATE, "cert_chain_incomplete")),
        ({**GOOD, "host": "other.example.test"}, None, (Stage.CERTIFICATE, "cert_hostname_mismatch")),
        ({**GOOD, "security": "none"}, None, (Stage.AUTH, "starttls_required")),
        ({**GOOD, "security": "ssl"}, None, (Stage.TLS, "starttls_mode_needed")),
    ],
)
def test_a_good_server_with_wrong_settings(
    mailbox: Mailbox, session_to: MakeSession, fields: dict[str, Any], recipient: str | None, expected: object
) -> None:
    """Each wrong setting is found at its step and has its cause."""
    steps = run(session_to(mailbox.submission, **fields), recipient, b"Subject: x\r\n\r\nx\r\n" if recipient else None)
    assert cause(steps) == expected
    assert mailbox.letters == []


def test_starttls_on_the_ssl_port(mailbox: Mailbox, session_to: MakeSession) -> None:
    """The port that is encrypted from the start is recognised, by 465 and the silence there."""
    assert cause(run(session_to(mailbox.smtps, port=465, **GOOD))) == (Stage.GREETING, "implicit_tls_needed")


def test_nothing_listens(session_to: MakeSession) -> None:
    """A closed port is told as one."""
    assert cause(run(session_to(closed_port()))) == (Stage.CONNECT, "connection_refused")


def test_the_names_of_a_foreign_certificate(mailbox: Mailbox, session_to: MakeSession) -> None:
    """The explanation tells what the certificate is made out to; looking there sends no login."""
    session = session_to(mailbox.submission, host="other.example.test", **GOOD)

    def look() -> Any:
        return peer_certificate(
            session.endpoint, network=Detour(mailbox.submission), guard=Guard(["127.0.0.0/8"]), deadline=Deadline(3.0)
        )

    failed = next(step for step in run(session, inspect=look) if step.diagnosis)
    assert failed.diagnosis is not None
    assert "mail.example.test" in failed.diagnosis.explanation
    assert mailbox.logins == []


def test_an_expired_certificate(ca: trustme.CA, session_to: MakeSession) -> None:
    """A certificate that has run out is told as such."""
    context = server_context(ca)
    past = datetime.now(UTC) - timedelta(days=2)
    ca.issue_cert("mail.example.test", not_before=past, not_after=past + timedelta(days=1)).configure_cert(context)
    with hostile([start_tls(), say("220 hi"), hang()], context=context) as server:
        steps = run(session_to(server.port, port=465, security="ssl"))
    assert cause(steps) == (Stage.CERTIFICATE, "cert_expired")


HELLO = [say("220 mail.example.test ESMTP"), hear()]
RUDE = [
    ([say("* OK [CAPABILITY IMAP4rev1] ready"), hang()], Stage.GREETING, "wrong_endpoint"),
    ([say("+OK POP3 ready"), hang()], Stage.GREETING, "wrong_endpoint"),
    ([say("SSH-2.0-OpenSSH_9.9"), hang()], Stage.GREETING, "wrong_endpoint"),
    ([say("HTTP/1.1 400 Bad Request", "", "<html>"), hang()], Stage.GREETING, "wrong_endpoint"),
    ([say("554 5.7.1 blocked using zen.spamhaus.org")], Stage.GREETING, "ip_blocked"),
    ([say("421 4.3.2 Too many connections")], Stage.GREETING, "rate_limited"),
    ([hang()], Stage.GREETING, "server_temporary_failure"),
    ([drip(b"220 " + b"x" * 500, every=0.05)], Stage.GREETING, "server_temporary_failure"),
    ([*HELLO, stream(b"250-x\r\n" for _ in range(100_000))], Stage.EHLO, "server_misconfigured"),
    ([*HELLO, close()], Stage.EHLO, "helo_rejected"),
    ([*HELLO, say("501 Syntactically invalid EHLO argument(s)"), hang()], Stage.EHLO, "helo_rejected"),
    ([*HELLO, say("250 mail.example.test"), hang()], Stage.STARTTLS, "starttls_not_offered"),
    ([*HELLO, say("250-mail.example.test", "250 STARTTLS"), answer("454 4.7.0 TLS not available")],
     Stage.STARTTLS, "server_misconfigured"),
    ([*HELLO, say("250-mail.example.test", "250 STARTTLS"), answer("220 go"), hear_bytes(1), close()],
     Stage.TLS, "server_misconfigured"),
    ([*HELLO, say("250-mail.example.test", "250 STARTTLS"), answer("220 go\n250 what?"), hang()],
     Stage.STARTTLS, "server_misconfigured"),
]  # fmt: skip


@pytest.mark.parametrize(("script", "stage", "why"), RUDE)
def test_a_rude_server(session_to: MakeSession, script: list[Any], stage: Stage, why: str) -> None:
    """Whatever a server does, the check ends in time, at the right step, with one cause."""
    with hostile(script) as server:
        steps = run(session_to(server.port))
    assert cause(steps) == (stage, why)
