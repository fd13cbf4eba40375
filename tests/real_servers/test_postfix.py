"""Mail through a real Postfix: STARTTLS, SMTPS, SASL, refusals, and the check of a server."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from flask_mail import Message

from flask_smtpservers.errors import (
    AuthenticationFailed,
    CertificateRefused,
    MessageTooLarge,
    NotOffered,
    RecipientsRefused,
    SenderRefused,
    TLSFailed,
)
from flask_smtpservers.findings import Stage, Step, StepState
from flask_smtpservers.secret import Secret
from flask_smtpservers.smtp.deadline import Deadline
from flask_smtpservers.smtp.endpoint import Endpoint, Security
from flask_smtpservers.smtp.guard import Guard
from flask_smtpservers.smtp.network import SystemNetwork
from flask_smtpservers.smtp.session import Envelope, Session

from ..apps import Host, hosting
from .postfix import PASSWORD, USERNAME, Postfix

#: What SMTP must carry unharmed: dots at the start of lines, 8 bits, a line of 998, blanks at ends, an empty end.
CONTENT = b"\r\n".join(
    [
        b"From: Shop <shop@example.test>",
        b"To: ann@example.test",
        b"Subject: Unharmed",
        b"Date: Fri, 20 Nov 2026 09:00:00 +0000",
        b"Message-ID: <1@example.test>",
        b"MIME-Version: 1.0",
        b"Content-Type: text/plain; charset=utf-8",
        b"Content-Transfer-Encoding: 8bit",
        b"",
        b".",
        b"..",
        b".dot",
        "Grüße, 世界".encode(),
        b"x" * 998,
        b"blanks at the end  \t",
        b"",
        b"",
        b"",
    ]
)


@pytest.fixture
def host(ca_file: Path) -> Iterator[Host]:
    """A host that trusts the test's authority, with no server yet."""
    with hosting(ca_file=ca_file) as host, host.app.app_context():
        yield host


def fields(postfix: Postfix, **changes: Any) -> dict[str, Any]:
    """The fields of a working server: Postfix's submission port."""
    return {
        "name": "Postfix",
        "host": postfix.host,
        "port": postfix.submission,
        "security": "starttls",
        "username": USERNAME,
        "password": PASSWORD,
        "address": "shop@example.test",
        "sender_name": "Corner Shop",
        **changes,
    }


def endpoint(postfix: Postfix, ca_file: Path) -> Endpoint:
    return Endpoint(
        name="Postfix",
        host=postfix.host,
        port=postfix.submission,
        security=Security.STARTTLS,
        username=USERNAME,
        password=Secret(PASSWORD),
        ca_file=str(ca_file),
        guarded=False,
    )


def session(endpoint: Endpoint) -> Session:
    return Session(endpoint, network=SystemNetwork(), guard=Guard(), deadline=Deadline(30))


WAYS = pytest.mark.parametrize(("security", "port"), [("starttls", "submission"), ("ssl", "smtps")])


@WAYS
def test_mail_arrives(host: Host, postfix: Postfix, security: str, port: str) -> None:
    """A mail goes through a stored server over STARTTLS and over SSL, signed in, and arrives as it was meant."""
    host.smtp.add_server(**fields(postfix, security=security, port=getattr(postfix, port)))
    message = Message(
        "Quittung für Zoë",
        recipients=[("Doe, John", "john@example.test")],
        bcc=["audit@example.test"],
        body="Brot 4,20 €\n.Butter\n",
        html="<p>Brot 4,20 €</p>",
    )
    message.attach("Übersicht.csv", "text/csv", "a;b\r\n1;2\r\n")
    host.mail.send(message)

    delivered = {one.recipient: one for one in postfix.wait(2)}
    assert set(delivered) == {"john@example.test", "audit@example.test"}
    one = delivered["john@example.test"]
    assert one.sender == "shop@example.test"
    assert "with ESMTPSA" in one.received  # Postfix saw both TLS and the login
    assert one.message["From"] == "Corner Shop <shop@example.test>"
    assert one.message["To"] == '"Doe, John" <john@example.test>'
    assert one.message["Subject"] == "Quittung für Zoë"
    assert one.message["Bcc"] is None
    body = one.message.get_body(("plain",))
    assert body is not None
    assert body.get_content() == "Brot 4,20 €\r\n.Butter\r\n"
    (attachment,) = one.message.iter_attachments()
    assert attachment.get_filename() == "Übersicht.csv"
    assert one.content == delivered["audit@example.test"].content


def test_every_byte_arrives(postfix: Postfix, ca_file: Path) -> None:
    """The content arrives byte for byte, and the receipt has the queue id under which Postfix logged it."""
    with session(endpoint(postfix, ca_file)).open() as opened:
        receipt = opened.send(Envelope(sender="shop@example.test", recipients=("ann@example.test",)), CONTENT)
    (one,) = postfix.wait()
    assert one.content == CONTENT
    assert receipt.queue_id
    assert f"{receipt.queue_id}: from=<shop@example.test>" in postfix.log()


def test_batch(host: Host, postfix: Postfix) -> None:
    """A batch of mail.connect() arrives whole."""
    host.smtp.add_server(**fields(postfix))
    with host.mail.connect() as connection:
        for number in range(3):
            connection.send(Message(f"News {number}", recipients=[f"reader{number}@example.test"], body="Hello"))
    assert sorted(one.message["Subject"] for one in postfix.wait(3)) == ["News 0", "News 1", "News 2"]


@WAYS
def test_wrong_password(host: Host, postfix: Postfix, security: str, port: str) -> None:
    """A wrong password raises Flask-Mail's own type of error too, after one attempt, and shows no password."""
    wrong = fields(postfix, security=security, port=getattr(postfix, port), password="wrong-CANARY")
    host.smtp.add_server(**wrong)
    before = postfix.log().count("authentication failed:")
    with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
        host.mail.send(Message("Hello", recipients=["ann@example.test"], body="Hello"))
    error = caught.value
    assert isinstance(error, AuthenticationFailed)
    assert (error.stage, error.code, error.enhanced, error.server) == (Stage.AUTH, 535, "5.7.8", "Postfix")
    assert "CANARY" not in repr(vars(error)) + str(error)
    assert postfix.log().count("authentication failed:") == before + 1


def test_one_recipient_refused(host: Host, postfix: Postfix) -> None:
    """Of three recipients the good one gets the mail; what Postfix said of the others is told."""
    host.smtp.add_server(**fields(postfix))
    recipients = ["ann@example.test", "bad@example.test", "temp@example.test"]
    delivery = host.smtp.send(Message("Hello", recipients=recipients, body="Hello"))
    assert [one.recipient for one in postfix.wait()] == ["ann@example.test"]
    assert [one.address for one in delivery.accepted] == ["ann@example.test"]
    assert {one.address: (one.code, one.enhanced) for one in delivery.refused} == {
        "bad@example.test": (550, "5.1.1"),
        "temp@example.test": (450, "4.2.0"),
    }


@pytest.mark.parametrize(
    ("recipient", "code", "permanent"), [("bad@example.test", 550, True), ("temp@example.test", 450, False)]
)
def test_all_recipients_refused(host: Host, postfix: Postfix, recipient: str, code: int, permanent: bool) -> None:
    """If nobody is left, the mail is not sent, and whether trying later may help is told."""
    host.smtp.add_server(**fields(postfix))
    with pytest.raises(RecipientsRefused) as caught:
        host.mail.send(Message("Hello", recipients=[recipient], body="Hello"))
    assert caught.value.recipients[recipient][0] == code
    assert caught.value.permanent is permanent


def test_sender_refused(postfix: Postfix, ca_file: Path) -> None:
    """Postfix refuses a sender with the reply to the first recipient; its words come through."""
    with (
        session(endpoint(postfix, ca_file)).open() as opened,
        pytest.raises((SenderRefused, RecipientsRefused)) as caught,
    ):
        opened.send(Envelope(sender="badsender@example.test", recipients=("ann@example.test",)), CONTENT)
    assert caught.value.code == 554
    assert "Sender address rejected: Access denied" in caught.value.reply


def test_too_large(host: Host, postfix: Postfix) -> None:
    """A message beyond the size that Postfix announces is not transmitted."""
    host.smtp.add_server(**fields(postfix))
    with pytest.raises(MessageTooLarge):
        host.mail.send(
            Message("Large", recipients=["ann@example.test"], body="x" * 76 + "\n" + ("y" * 76 + "\n") * 20_000)
        )


def test_unknown_authority(postfix: Postfix, tmp_path: Path) -> None:
    """A certificate of an authority that is not trusted ends it before the password travels."""
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    with pytest.raises(CertificateRefused) as caught:
        session(endpoint(postfix, other)).open()
    assert caught.value.stage is Stage.CERTIFICATE
    assert "auth=" not in postfix.log().splitlines()[-1]


def test_ssl_on_the_starttls_port(postfix: Postfix, ca_file: Path) -> None:
    """TLS from the first byte on a port that greets in the clear fails as TLS."""
    with pytest.raises(TLSFailed):
        session(replace(endpoint(postfix, ca_file), security=Security.SSL)).open()


def test_login_is_not_offered(postfix: Postfix, ca_file: Path) -> None:
    """A port without login says so at that step."""
    with pytest.raises(NotOffered) as caught:
        session(replace(endpoint(postfix, ca_file), port=postfix.plain)).open()
    assert caught.value.stage is Stage.AUTH


STARTTLS = [
    "resolve",
    "connect",
    "greeting",
    "ehlo",
    "starttls",
    "tls",
    "certificate",
    "auth",
    "mail_from",
    "rcpt_to",
    "data",
]
SSL = ["resolve", "connect", "tls", "certificate", "greeting", "ehlo", "auth", "mail_from", "rcpt_to", "data"]


def stages(steps: list[Step], *states: StepState) -> list[str]:
    return [str(step.stage) for step in steps if step.state in states and step.stage is not Stage.SETTINGS]


@pytest.mark.parametrize(
    ("security", "port", "expected"), [("starttls", "submission", STARTTLS), ("ssl", "smtps", SSL)]
)
def test_check(host: Host, postfix: Postfix, security: str, port: str, expected: list[str]) -> None:
    """The check of a good server passes every stage in its order, and its message arrives."""
    server = host.smtp.add_server(**fields(postfix, security=security, port=getattr(postfix, port)))
    steps = list(host.smtp.check(server, recipient="ann@example.test"))
    assert stages(steps, StepState.OK) == expected
    assert stages(steps, StepState.FAILED, StepState.NOT_REACHED) == []
    (one,) = postfix.wait()
    assert one.recipient == "ann@example.test"
    assert one.message["From"].addresses[0].addr_spec == "shop@example.test"


def test_check_without_recipient(host: Host, postfix: Postfix) -> None:
    """Without a recipient the check ends after RCPT, and nothing arrives."""
    server = host.smtp.add_server(**fields(postfix))
    steps = list(host.smtp.check(server))
    assert stages(steps, StepState.OK)[-1] == "rcpt_to"
    host.mail.send(Message("Marker", recipients=["ann@example.test"], body="Hello"))
    assert [one.message["Subject"] for one in postfix.wait()] == ["Marker"]


@pytest.mark.parametrize(
    ("changes", "recipient", "stage", "cause"),
    [
        ({"password": "wrong-CANARY"}, "", "auth", "bad_credentials"),
        ({}, "bad@example.test", "rcpt_to", "recipient_rejected"),
        ({"address": "boss@example.test"}, "ann@example.test", "rcpt_to", "sender_not_owned"),
        ({"security": "ssl"}, "", "tls", "starttls_mode_needed"),
        ({"port": "plain"}, "", "auth", "auth_not_offered"),
    ],
    ids=["password", "recipient", "sender", "ssl-on-starttls-port", "no-login"],
)
def test_check_finds_the_cause(
    host: Host, postfix: Postfix, changes: dict[str, Any], recipient: str, stage: str, cause: str
) -> None:
    """Each kind of fault stops the check at its stage with its one cause; later stages are listed as not reached."""
    if "port" in changes:
        changes = {**changes, "port": getattr(postfix, changes["port"])}
    steps = list(host.smtp.check(fields(postfix, **changes), recipient=recipient))
    (failed,) = [step for step in steps if step.state is StepState.FAILED]
    assert failed.diagnosis is not None
    assert (str(failed.stage), failed.diagnosis.cause) == (stage, cause)
    assert failed.diagnosis.steps
    after = steps[steps.index(failed) + 1 :]
    assert all(step.state is StepState.NOT_REACHED for step in after)
    assert "CANARY" not in repr(steps)
