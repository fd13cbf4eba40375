"""What mail.send() says of what the server said; accepted mail is never reported as failed."""

from __future__ import annotations

import logging
import smtplib
from typing import Any

import pytest
from flask import Flask
from flask_mail import Message, email_dispatched

from flask_smtpservers import AuthenticationFailed, InDoubt, SendError, signals
from flask_smtpservers.sending.delivery import Outcome

from ..apps import Host, server_fields
from ..peers.hostile import hang, hear, hostile, say
from ..peers.mailbox import Mailbox


def letter_to(*names: str, **fields: Any) -> Message:
    return Message("Hello", recipients=[f"{name}@example.test" for name in names], body="Hi", **fields)


class Ears:
    """Listens to every signal of ours."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Any, dict[str, Any]]] = []
        for name in ("mail_delivered", "recipients_refused", "mail_failed", "mail_suppressed"):
            self._listen(name)

    def _listen(self, name: str) -> None:
        def listener(app: Flask, **values: Any) -> None:
            self.heard.append((name, app, values))

        setattr(self, f"on_{name}", listener)
        getattr(signals, name).connect(listener)

    @property
    def names(self) -> list[str]:
        return [name for name, _app, _values in self.heard]


def test_accepted_by_all(shop: Host, mailbox: Mailbox) -> None:
    ears, message = Ears(), letter_to("a", "b")
    delivery = shop.smtp.send(message)
    assert ears.heard == [("mail_delivered", shop.app, {"delivery": delivery, "message": message})]
    (server,) = shop.smtp.servers()
    assert (delivery.server_name, delivery.server_id) == ("Shop", server.public_id)
    assert delivery.message_id == mailbox.letters[0].message["Message-ID"]
    assert delivery.reply == "2.0.0 OK queued as Q1"
    assert delivery.route is not None
    assert delivery.route.server == server


def test_refused_by_some(shop: Host, mailbox: Mailbox, caplog: pytest.LogCaptureFixture) -> None:
    """No exception, for the others have it; but a warning and a signal, where Flask-Mail drops it without a word."""
    ears, message = Ears(), letter_to("a", "bad", "temp")
    with caplog.at_level(logging.WARNING, "flask_smtpservers"):
        shop.mail.send(message)
    assert mailbox.letters[0].recipients == ["a@example.test"]
    assert ears.names == ["mail_delivered", "recipients_refused"]
    delivery = ears.heard[1][2]["delivery"]
    assert [(item.address, item.code, item.enhanced) for item in delivery.refused] == [
        ("bad@example.test", 550, "5.1.1"),
        ("temp@example.test", 450, "4.2.0"),
    ]
    (record,) = [
        record for record in caplog.records if record.levelno == logging.WARNING and record.name == "flask_smtpservers"
    ]
    assert "for 2 of 3 recipients: bad@example.test (refused: 550 5.1.1 no such user)" in record.getMessage()


def test_refused_by_all(shop: Host) -> None:
    """The kin of smtplib's error, with the diagnosis."""
    ears, message = Ears(), letter_to("bad", "temp")
    with email_dispatched.connected_to(lambda app, message: ears.heard.append(("dispatched", app, {}))):  # noqa: SIM117
        with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
            shop.mail.send(message)
    assert caught.value.recipients == {
        "bad@example.test": (550, b"5.1.1 no such user"),
        "temp@example.test": (450, b"4.2.0 greylisted"),
    }
    assert isinstance(caught.value, SendError)
    assert caught.value.diagnosis is not None
    assert ears.heard == [("mail_failed", shop.app, {"error": caught.value, "message": message})]


def test_the_sender_is_refused(shop: Host) -> None:
    with pytest.raises(smtplib.SMTPSenderRefused) as caught:
        shop.mail.send(letter_to("a", sender="badsender@example.test"))
    assert isinstance(caught.value, SendError)
    assert (caught.value.server, caught.value.code, caught.value.enhanced) == ("Shop", 550, "5.7.1")


def test_a_wrong_password(shop: Host, mailbox: Mailbox) -> None:
    """One attempt (Flask-Mail makes up to three), smtplib's kind of error, a cause in words, and no secret anywhere."""
    (server,) = shop.smtp.servers()
    shop.smtp.edit_server(server.public_id, password="wr0ng-CANARY")
    with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
        shop.mail.send(letter_to("a"))
    assert isinstance(caught.value, AuthenticationFailed)
    assert len(mailbox.logins) == 1
    assert caught.value.diagnosis is not None
    assert caught.value.diagnosis.title
    assert "CANARY" not in repr(caught.value) + str(caught.value) + repr(vars(caught.value))
    assert mailbox.letters == []


def test_nothing_listens(bare: Host) -> None:
    bare.smtp.add_server(name="Off", host="127.0.0.1", port=1, security="none", address="x@example.test")
    with pytest.raises(ConnectionRefusedError) as caught:
        bare.mail.send(letter_to("a"))
    assert isinstance(caught.value, SendError)
    assert caught.value.diagnosis is not None


def test_the_guard_stands_before_stored_servers(shop: Host, mailbox: Mailbox) -> None:
    """A stored server that leads into a forbidden network is not connected to, however it came into the table."""
    from flask_smtpservers.smtp.guard import Guard

    shop.state.guard = Guard()
    with pytest.raises(SendError, match=r"."):
        shop.mail.send(letter_to("a"))
    assert mailbox.connections == 0


def test_in_doubt_is_told_apart(bare: Host) -> None:
    """The docs tell hosts not to send that again."""
    from ..peers.hostile import answer, hear_content

    script = [say("220 hi"), answer("250 hi", "250 ok", "250 ok", "354 go"), hear_content()]
    with hostile(script) as server:
        bare.smtp.add_server(name="Raw", host="127.0.0.1", port=server.port, security="none", address="x@example.test")
        with pytest.raises(InDoubt) as caught:
            bare.mail.send(letter_to("a"))
    assert caught.value.diagnosis is not None
    assert isinstance(caught.value, smtplib.SMTPServerDisconnected)


def test_over_100_recipients(shop: Host, mailbox: Mailbox) -> None:
    names = [f"u{number}" for number in range(150)]
    delivery = shop.smtp.send(letter_to(*names))
    assert [len(letter.recipients) for letter in mailbox.letters] == [100, 50]
    assert len(delivery.accepted) == 150
    assert mailbox.connections == 1


def test_the_limit_of_recipients(shop: Host, mailbox: Mailbox) -> None:
    from flask_smtpservers import MessageRefused

    with pytest.raises(MessageRefused, match="SMTPSERVERS_MAX_RECIPIENTS"):
        shop.mail.send(letter_to(*(f"u{number}" for number in range(1001))))
    assert mailbox.connections == 0


def test_the_same_recipient_gets_it_once(shop: Host, mailbox: Mailbox) -> None:
    message = Message(
        "x", recipients=["a@example.test", "A <a@EXAMPLE.test>", ("A", "a@example.test")], bcc=["a@Example.test"]
    )
    shop.mail.send(message)
    assert mailbox.letters[0].recipients == ["a@example.test"]


def test_sending_switched_off(shop: Host, mailbox: Mailbox, caplog: pytest.LogCaptureFixture) -> None:
    """The global switch (product.md B1): dropped, logged, told by a signal; no error."""
    shop.state.store.switch_sending(False)
    ears, message = Ears(), letter_to("a")
    with caplog.at_level(logging.WARNING, "flask_smtpservers"), shop.mail.record_messages() as outbox:
        shop.mail.send(message)
        delivery = shop.smtp.send(message)
    assert mailbox.connections == 0
    assert ears.heard == [("mail_suppressed", shop.app, {"message": message})] * 2
    assert outbox == []
    assert "Sending is switched off" in caplog.text
    assert delivery.suppressed
    assert [item.outcome for item in delivery.recipients] == [Outcome.SUPPRESSED]
    shop.state.store.switch_sending(True)
    shop.mail.send(message)
    assert len(mailbox.letters) == 1


def test_the_switch_also_stops_the_built_in_server(bare: Host, mailbox: Mailbox) -> None:
    bare.state.store.switch_sending(False)
    bare.mail.send(letter_to("a"))
    assert mailbox.connections == 0


def test_a_listener_that_fails_does_not_turn_success_into_failure(
    shop: Host, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    def listener(app: Flask, **_: Any) -> None:
        raise RuntimeError("the host's own bug")

    with signals.mail_delivered.connected_to(listener):
        shop.mail.send(letter_to("a"))
    assert len(mailbox.letters) == 1
    assert "the host's own bug" in caplog.text


def test_a_silent_server_is_given_up_with_a_cause(bare: Host) -> None:
    with hostile([say("220 hi"), hear(), hang()]) as server:
        bare.smtp.add_server(
            name="Raw", host="127.0.0.1", port=server.port, security="none", address="x@example.test", timeout_seconds=1
        )
        with pytest.raises(TimeoutError) as caught:
            bare.mail.send(letter_to("a"))
    assert isinstance(caught.value, SendError)
    assert caught.value.diagnosis is not None
    assert caught.value.diagnosis.transient


def test_an_unreadable_password_sends_nothing(shop: Host, mailbox: Mailbox) -> None:
    """A row changed by SQL: the password does not open for another host, and no mail goes out without it."""
    from sqlalchemy import text

    from flask_smtpservers.errors import SecretUnreadable

    shop.db.session.execute(text("UPDATE smtpservers_server SET host = '127.0.0.1'"))
    shop.db.session.commit()
    with pytest.raises(SecretUnreadable):
        shop.mail.send(letter_to("a"))
    assert mailbox.connections == 0


def test_the_message_that_is_too_large(shop: Host, mailbox: Mailbox) -> None:
    from flask_smtpservers import MessageRefused

    message = letter_to("a")
    message.attach("big.bin", "application/octet-stream", b"x" * 20 * 1024 * 1024)
    with pytest.raises(MessageRefused, match="SMTPSERVERS_MAX_MESSAGE_BYTES"):
        shop.mail.send(message)
    assert mailbox.connections == 0


def test_seven_bits_where_8bitmime_is_not_offered(bare: Host) -> None:
    from ..peers.hostile import answer, hear_content

    script = [say("220 hi"), answer("250 hi", "250 ok", "250 ok", "354 go"), hear_content(), say("250 ok")]
    with hostile(script) as server:
        bare.smtp.add_server(name="Raw", host="127.0.0.1", port=server.port, security="none", address="x@example.test")
        bare.mail.send(Message("Grüße", recipients=["a@example.test"], body="Grüße"))
        server.settle()
    assert server.received.isascii()
    assert b"Gr=C3=BC=C3=9Fe" in server.received


def test_one_server_for_each_of_two_apps(shop: Host, mailbox: Mailbox, ca_file: Any) -> None:
    """The app that the Mail belongs to decides, whichever app's context is current, as in Flask-Mail."""
    from ..apps import hosting

    with hosting(ca_file=ca_file) as other:
        with other.app.app_context():
            other.smtp.add_server(**server_fields(mailbox, name="Other", address="other@example.test", sender_name=""))
            other.db.session.commit()
            other.mail.app = other.app
        shop.mail.send(letter_to("a"))
        other.mail.send(letter_to("b"))
    assert [letter.sender for letter in mailbox.letters] == ["shop@example.test", "other@example.test"]
