"""Addresses with letters beyond ASCII before the @, end to end: with a server that offers SMTPUTF8, and with others."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
import trustme
from flask_mail import Message

from flask_smtpservers.errors import MessageRefused, RecipientsRefused, SenderRefused
from flask_smtpservers.findings import Stage, StepState
from flask_smtpservers.sending.delivery import Delivery, Outcome
from flask_smtpservers.sending.trial import try_server

from ..apps import Host, hosting, server_fields
from ..peers.mailbox import Letter, Mailbox

JORG, ANN = "jörg@example.test", "ann@example.test"


@pytest.fixture(scope="module")
def _running_ascii_only(ca: trustme.CA) -> Iterator[Mailbox]:
    running = Mailbox(ca, smtputf8=False).start()
    yield running
    running.stop()


@pytest.fixture
def ascii_only(_running_ascii_only: Mailbox) -> Mailbox:
    """An SMTP server that does not offer SMTPUTF8."""
    _running_ascii_only.forget()
    return _running_ascii_only


@pytest.fixture
def old(ascii_only: Mailbox, ca_file: Path) -> Iterator[Host]:
    """Like ``shop``, but its server does not offer SMTPUTF8."""
    with hosting(ca_file=ca_file, MAIL_SERVER="localhost", MAIL_PORT=1) as made, made.app.app_context():
        made.smtp.add_server(**server_fields(ascii_only))
        made.db.session.commit()
        yield made


def head(letter: Letter) -> EmailMessage:
    """The header as a reader of RFC 6532 sees it; from bytes, the email package reads none that is UTF-8."""
    text = letter.content.partition(b"\r\n\r\n")[0].decode()
    return email.message_from_string(text, policy=email.policy.SMTPUTF8)  # type: ignore[return-value]


def outcomes(delivery: Delivery) -> dict[str, tuple[Outcome, int | None, str | None]]:
    return {item.address: (item.outcome, item.code, item.enhanced) for item in delivery.recipients}


def test_with_smtputf8_everybody_gets_it(shop: Host, mailbox: Mailbox) -> None:
    """One letter for both; its header holds the address as UTF-8."""
    delivery = shop.smtp.send(Message("Grüße", recipients=[("Jörg", JORG), ANN], cc=[JORG], body="Grüße"))
    taken = (Outcome.ACCEPTED, 250, "2.0.0")
    assert outcomes(delivery) == {JORG: taken, ANN: taken}
    (letter,) = mailbox.letters
    assert sorted(letter.recipients) == sorted([JORG, ANN])
    people = {item.addr_spec: item.display_name for item in head(letter)["To"].addresses}
    assert people == {JORG: "Jörg", ANN: ""}
    assert [item.addr_spec for item in head(letter)["Cc"].addresses] == [JORG]
    assert JORG.encode() in letter.content.partition(b"\r\n\r\n")[0]
    assert letter.message.get_content().rstrip() == "Grüße"


def test_without_smtputf8_the_others_get_it(old: Host, ascii_only: Mailbox) -> None:
    """That recipient alone is refused, in our words; the header shows him without giving his address (P12)."""
    delivery = old.smtp.send(Message("Grüße", recipients=[("Jörg", JORG), ANN], body="Grüße"))
    assert outcomes(delivery) == {JORG: (Outcome.REFUSED, 553, "5.6.7"), ANN: (Outcome.ACCEPTED, 250, "2.0.0")}
    assert "not ASCII (SMTPUTF8)" in next(iter(delivery.refused)).text
    (letter,) = ascii_only.letters
    assert letter.recipients == [ANN]
    raw = letter.content.partition(b"\r\n\r\n")[0]
    assert raw.isascii()
    assert b"j=C3=B6rg?=@" not in raw
    assert [item.addr_spec for item in head(letter)["To"].addresses] == [ANN]
    assert [item.display_name for item in head(letter)["To"].groups if not item.addresses] == [f"Jörg {JORG}"]
    assert letter.message.get_content().rstrip() == "Grüße"


def test_without_smtputf8_nobody_is_left(old: Host, ascii_only: Mailbox) -> None:
    """A message for such recipients only fails, with the reason and what can be done."""
    with pytest.raises(RecipientsRefused) as caught:
        old.mail.send(Message("Hello", recipients=[JORG], body="Hi"))
    assert caught.value.recipients[JORG][0] == 553
    assert caught.value.diagnosis is not None
    assert caught.value.diagnosis.cause == "recipient_rejected"
    assert JORG in caught.value.diagnosis.explanation
    assert ascii_only.letters == []


def test_a_server_with_such_a_sender(shop: Host, mailbox: Mailbox) -> None:
    """A server whose form took the address sends with it: From and envelope."""
    (profile,) = shop.smtp.servers()
    shop.smtp.edit_server(profile.public_id, address="用户@例え.jp", sender_name="例え, 株", reply_to=JORG)
    shop.db.session.commit()
    shop.mail.send(Message("Hello", recipients=[ANN], body="Hi"))
    (letter,) = mailbox.letters
    assert letter.sender == "用户@xn--r8jz45g.jp"
    (author,) = head(letter)["From"].addresses
    assert (author.display_name, author.addr_spec) == ("例え, 株", "用户@xn--r8jz45g.jp")
    assert head(letter)["Reply-To"] == JORG


@pytest.mark.parametrize("envelope_from", [None, "bounce@example.test"])
def test_such_a_sender_without_smtputf8(old: Host, ascii_only: Mailbox, envelope_from: str | None) -> None:
    """Nothing is sent, whatever the address for bounces."""
    with old.mail.connect() as connection, pytest.raises(SenderRefused) as caught:
        connection.send(Message("Hello", sender=JORG, recipients=[ANN], body="Hi"), envelope_from)
    assert (caught.value.code, caught.value.enhanced, caught.value.sender) == (553, "5.6.7", JORG)
    assert caught.value.diagnosis is not None
    assert caught.value.diagnosis.cause == "sender_address_invalid"
    assert ascii_only.letters == []


def test_a_reply_address_without_smtputf8(old: Host, ascii_only: Mailbox) -> None:
    """The mail goes out; the reply address is shown, for nobody could write to it over this server."""
    old.mail.send(Message("Hello", recipients=[ANN], reply_to=("Jörg", JORG), body="Hi"))
    (letter,) = ascii_only.letters
    assert head(letter)["Reply-To"].addresses == ()
    assert head(letter)["Reply-To"].groups[0].display_name == f"Jörg {JORG}"


def test_a_test_message_to_such_a_recipient(shop: Host, mailbox: Mailbox) -> None:
    """The test declares SMTPUTF8 before it names him."""
    (profile,) = shop.smtp.servers()
    steps = list(try_server(shop.state, profile, recipient=JORG))
    assert {step.state for step in steps} == {StepState.OK}
    (letter,) = mailbox.letters
    assert letter.recipients == [JORG]
    assert head(letter)["To"] == JORG


def test_a_test_message_to_such_a_recipient_without_smtputf8(old: Host, ascii_only: Mailbox) -> None:
    """The test says at which step, and why."""
    (profile,) = old.smtp.servers()
    (failed,) = [step for step in try_server(old.state, profile, recipient=JORG) if step.state is StepState.FAILED]
    assert failed.stage is Stage.RCPT_TO
    assert failed.diagnosis is not None
    assert failed.diagnosis.cause == "recipient_rejected"
    assert ascii_only.letters == []


@pytest.mark.parametrize("recipient", ["ann@example.test\r\nBcc: x@y.test", "a@x.test, b@y.test", "ann"])
def test_a_test_message_to_no_single_address(shop: Host, mailbox: Mailbox, recipient: str) -> None:
    """It is refused before anything is dialled."""
    (profile,) = shop.smtp.servers()
    with pytest.raises(MessageRefused):
        try_server(shop.state, profile, recipient=recipient)
    assert mailbox.connections == 0
