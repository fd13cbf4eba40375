"""Against a real server: aiosmtpd with and without encryption, with logins and refusals."""

from __future__ import annotations

import pytest

from flask_smtpservers.errors import (
    AuthenticationFailed,
    CertificateRefused,
    MessageTooLarge,
    RecipientsRefused,
    SenderRefused,
    TimedOut,
    TLSFailed,
)
from flask_smtpservers.findings import Stage
from flask_smtpservers.secret import Secret
from flask_smtpservers.smtp import (
    Deadline,
    Endpoint,
    Envelope,
    Guard,
    Security,
    Session,
    SystemNetwork,
    peer_certificate,
)

from ..peers.mailbox import PASSWORD, USERNAME, Mailbox
from .conftest import Connect

# aiosmtpd knows nothing of the TLS in front of its SMTPS port, and warns at every connection there.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")

CONTENT = b"Subject: hi\r\nFrom: a@example.test\r\n\r\n.dot\r\n..\r\nbye\r\n"
LOGIN = {"username": USERNAME, "password": Secret(PASSWORD)}


def envelope(*recipients: str, sender: str = "a@example.test") -> Envelope:
    return Envelope(sender=sender, recipients=recipients or ("b@example.test",))


def port(mailbox: Mailbox, kind: str) -> int:
    return int(getattr(mailbox, {"none": "plain", "starttls": "submission", "ssl": "smtps"}[kind]))


@pytest.mark.parametrize("security", ["none", "starttls", "ssl"])
def test_delivery(connect: Connect, mailbox: Mailbox, security: str) -> None:
    """A message arrives as it was, over each kind of connection, two over one session."""
    with connect(port(mailbox, security), security, **({} if security == "none" else LOGIN)) as session:
        session.open()
        receipt = session.send(envelope("b@example.test", "c@example.test"), CONTENT)
        assert session.send(envelope(sender=""), CONTENT).queue_id == "Q2"
    assert (receipt.accepted, receipt.queue_id) == (("b@example.test", "c@example.test"), "Q1")
    first, second = mailbox.letters
    assert (first.sender, first.recipients, first.content) == ("a@example.test", list(receipt.accepted), CONTENT)
    assert first.username == (None if security == "none" else USERNAME)
    assert first.encrypted is (security != "none")
    assert second.sender == "<>"  # as aiosmtpd hands on the null sender
    assert mailbox.connections == 1


def test_delivery_by_address(mailbox: Mailbox, connect: Connect) -> None:
    """With the system's own network: localhost by name, 127.0.0.1 by address, verified as what was typed."""
    for host in ("localhost", "127.0.0.1"):
        endpoint = Endpoint(
            host=host,
            port=mailbox.smtps,
            security=Security.SSL,
            ca_certificate=mailbox.ca_pem,
            **LOGIN,  # type: ignore[arg-type]
        )
        guard = Guard(["127.0.0.0/8", "::1/128"])
        with Session(endpoint, network=SystemNetwork(), guard=guard, deadline=Deadline(5)).open() as session:
            session.send(envelope(), CONTENT)
    assert len(mailbox.letters) == 2


@pytest.mark.parametrize("security", ["starttls", "ssl"])
def test_a_wrong_password(connect: Connect, mailbox: Mailbox, security: str) -> None:
    """One attempt, one refusal."""
    with pytest.raises(AuthenticationFailed) as caught:
        connect(port(mailbox, security), security, username=USERNAME, password=Secret("wrong")).open()
    assert (caught.value.code, caught.value.stage, caught.value.permanent) == (535, Stage.AUTH, True)
    assert mailbox.logins == [(USERNAME, "wrong")]


@pytest.mark.parametrize("security", ["starttls", "ssl"])
def test_a_stranger_of_an_authority(connect: Connect, mailbox: Mailbox, security: str) -> None:
    """Without the authority no password is sent; the certificate can be looked at."""
    with pytest.raises(CertificateRefused) as caught:
        connect(port(mailbox, security), security, ca_certificate=None, **LOGIN).open()
    assert caught.value.verify_code in (19, 20)
    assert mailbox.logins == []
    endpoint = Endpoint(host="127.0.0.1", port=port(mailbox, security), security=Security(security))
    facts = peer_certificate(endpoint, network=SystemNetwork(), guard=Guard(["127.0.0.0/8"]), deadline=Deadline(3))
    assert facts is not None
    assert "mail.example.test" in facts.subject_names


def test_refusals(connect: Connect, mailbox: Mailbox) -> None:
    """Recipients and senders that the server does not take, on one session that goes on."""
    with connect(mailbox.plain).open() as session:
        receipt = session.send(envelope("bad@example.test", "b@example.test", "temp@example.test"), CONTENT)
        assert receipt.accepted == ("b@example.test",)
        assert {address: reply.code for address, reply in receipt.refused.items()} == {
            "bad@example.test": 550,
            "temp@example.test": 450,
        }
        with pytest.raises(RecipientsRefused) as caught:
            session.send(envelope("bad@example.test", "temp@example.test"), CONTENT)
        assert not caught.value.permanent
        with pytest.raises(SenderRefused, match="badsender"):
            session.send(envelope(sender="badsender@example.test"), CONTENT)
        with pytest.raises(MessageTooLarge):
            session.send(envelope(), b"x" * 20_971_521)
        assert session.send(envelope("jörg@bücher.example"), CONTENT).queue_id == "Q2"
    assert mailbox.letters[1].recipients == ["jörg@xn--bcher-kva.example"]


def test_a_large_message(connect: Connect, mailbox: Mailbox) -> None:
    """A message of several megabytes arrives whole."""
    content = b"Subject: x\r\n\r\n" + (b"." * 70 + b"\r\n") * 40_000
    with connect(mailbox.submission, "starttls", timeout_seconds=5, **LOGIN).open() as session:
        session.send(envelope(), content)
    assert mailbox.letters[0].content == content


def test_the_wrong_kind_of_port(connect: Connect, mailbox: Mailbox) -> None:
    """SSL on the STARTTLS port, and STARTTLS on the SSL port: no password is sent."""
    with pytest.raises(TLSFailed) as wrong:
        connect(mailbox.submission, "ssl", **LOGIN).open()
    assert wrong.value.tls_reason == "WRONG_VERSION_NUMBER"
    with pytest.raises(TimedOut) as silent:
        connect(mailbox.smtps, "starttls", timeout_seconds=0.3, **LOGIN).open()
    assert silent.value.stage is Stage.GREETING
    assert mailbox.logins == []
