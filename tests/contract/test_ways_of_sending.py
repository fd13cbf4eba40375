"""Every way in which hosts send with Flask-Mail ends at the stored server, over TLS and signed in."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import flask_mail
import pytest
from flask import Flask, current_app
from flask_mail import Mail, Message, email_dispatched

from ..apps import Host
from ..peers.mailbox import USERNAME, Mailbox


def receipt(**fields: Any) -> Message:
    return Message(**{"subject": "Receipt", "recipients": ["ann@example.test"], "body": "Thanks", **fields})


def by_mail_send(host: Host) -> None:
    host.mail.send(receipt())


def by_mail_send_message(host: Host) -> None:
    host.mail.send_message(subject="Receipt", recipients=["ann@example.test"], body="Thanks")


def by_extension(host: Host) -> None:
    current_app.extensions["mail"].send(receipt())


def by_extension_send_message(host: Host) -> None:
    current_app.extensions["mail"].send_message("Receipt", recipients=["ann@example.test"], body="Thanks")


def by_new_mail(host: Host) -> None:
    Mail(current_app).send(receipt())


def by_new_mail_of_the_real_app(host: Host) -> None:
    Mail(host.app).send(receipt())


def by_unbound_mail(host: Host) -> None:
    Mail().send(receipt())


def by_subclass(host: Host) -> None:
    class HostMail(Mail):
        pass

    HostMail(host.app).send(receipt())


def by_connection(host: Host) -> None:
    with host.mail.connect() as connection:
        connection.send(receipt())


def by_connection_send_message(host: Host) -> None:
    with host.mail.connect() as connection:
        connection.send_message("Receipt", recipients=["ann@example.test"], body="Thanks")


def by_message_send(host: Host) -> None:
    with host.mail.connect() as connection:
        receipt().send(connection)


def by_connection_without_with(host: Host) -> None:
    host.mail.connect().send(receipt())


def by_state_connection(host: Host) -> None:
    with current_app.extensions["mail"].connect() as connection:
        connection.send(receipt())


def by_thread(host: Host) -> None:
    errors: list[BaseException] = []

    def work() -> None:
        try:
            with host.app.app_context():
                host.mail.send(receipt())
        except BaseException as error:  # noqa: BLE001 - any would be wrong
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(20)
    assert not errors


def by_thread_with_a_message_made_before(host: Host) -> None:
    message = receipt()

    def work(app: Flask) -> None:
        with app.app_context():
            host.mail.send(message)

    thread = threading.Thread(target=work, args=(current_app._get_current_object(),))  # type: ignore[attr-defined]
    thread.start()
    thread.join(20)


def by_smtp_send(host: Host) -> None:
    host.smtp.send(receipt())


WAYS = [value for name, value in sorted(globals().items()) if name.startswith("by_")]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_every_way_ends_at_the_stored_server(way: Callable[[Host], None], shop: Host, mailbox: Mailbox) -> None:
    way(shop)
    (letter,) = mailbox.letters
    assert (letter.username, letter.encrypted) == (USERNAME, True)
    assert (letter.sender, letter.recipients) == ("shop@example.test", ["ann@example.test"])
    assert letter.message["From"] == "Corner Shop <shop@example.test>"
    assert letter.message["Subject"] == "Receipt"
    assert letter.message.get_content().strip() == "Thanks"


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_every_way_is_suppressed_when_testing(way: Callable[[Host], None], shop: Host, mailbox: Mailbox) -> None:
    """MAIL_SUPPRESS_SEND: nothing goes out, the signal comes, the recorded message is the host's own."""
    shop.app.config["MAIL_SUPPRESS_SEND"] = True
    shop.mail.init_app(shop.app)
    with shop.mail.record_messages() as outbox:
        way(shop)
    assert mailbox.connections == 0
    assert [(message.subject, message.recipients) for message in outbox] == [("Receipt", ["ann@example.test"])]


def test_the_signal_comes_after_delivery_with_app_and_message(shop: Host, mailbox: Mailbox) -> None:
    heard: list[tuple[Any, Message, int]] = []

    def listener(app: Flask, message: Message, **_: Any) -> None:
        heard.append((app, message, len(mailbox.letters)))

    message = receipt()
    with email_dispatched.connected_to(listener):
        shop.mail.send(message)
    assert heard == [(shop.app, message, 1)]


def test_recorded_messages_are_also_delivered(shop: Host, mailbox: Mailbox) -> None:
    with shop.mail.record_messages() as outbox:
        shop.mail.send(receipt())
    assert len(outbox) == len(mailbox.letters) == 1


def test_the_message_keeps_what_the_host_set(shop: Host, mailbox: Mailbox) -> None:
    """Only what sending decides is written to it: the date, as in Flask-Mail, and the Message-ID that went out."""
    message = receipt(cc=["bob@example.test"], extra_headers={"X-A": "1"})
    before = {name: value for name, value in vars(message).items() if name not in ("date", "msgId")}
    shop.mail.send(message)
    assert {name: value for name, value in vars(message).items() if name not in ("date", "msgId")} == before
    assert message.date is not None
    assert mailbox.letters[0].message["Message-ID"] == message.msgId


def test_sent_again_the_message_keeps_its_id(shop: Host, mailbox: Mailbox) -> None:
    """A receiver can tell that it is the same message."""
    message = receipt()
    shop.mail.send(message)
    shop.mail.send(message)
    first, second = (letter.message["Message-ID"] for letter in mailbox.letters)
    assert first == second


def test_everything_of_a_message_arrives(shop: Host, mailbox: Mailbox) -> None:
    """Body, HTML, alternatives, attachments, copies, headers, options."""
    message = Message(
        "Überschrift",
        recipients=["ann@example.test", ("Bob", "bob@example.test")],
        cc=["cid@example.test"],
        bcc=["eve@example.test"],
        reply_to="help@example.test",
        body="Grüße",
        html="<p>Grüße</p>",
        alts={"calendar": "BEGIN:VCALENDAR"},
        extra_headers={"X-Extra": "yes"},
        mail_options=["BODY=8BITMIME"],
    )
    message.attach("übung.txt", "text/plain", "Anhang", headers={"Content-ID": "<a1>"})
    shop.mail.send(message)
    (letter,) = mailbox.letters
    assert sorted(letter.recipients) == [f"{name}@example.test" for name in ("ann", "bob", "cid", "eve")]
    got = letter.message
    assert got["Subject"] == "Überschrift"
    assert got["Cc"] == "cid@example.test"
    assert got["Reply-To"] == "help@example.test"
    assert got["X-Extra"] == "yes"
    assert b"eve@" not in letter.content
    parts = {part.get_content_type(): part.get_content() for part in got.walk() if not part.is_multipart()}
    assert parts["text/html"].strip() == "<p>Grüße</p>"
    assert parts["text/calendar"].strip() == "BEGIN:VCALENDAR"
    (attachment,) = got.iter_attachments()
    assert (attachment.get_filename(), attachment["Content-ID"], attachment.get_content()) == (
        "übung.txt",
        "<a1>",
        "Anhang",
    )


def test_ascii_attachment_names(shop: Host, mailbox: Mailbox) -> None:
    """MAIL_ASCII_ATTACHMENTS."""
    shop.app.config["MAIL_ASCII_ATTACHMENTS"] = True
    shop.mail.init_app(shop.app)
    message = receipt()
    message.attach("ünïcode.txt", "text/plain", "x")
    shop.mail.send(message)
    (attachment,) = mailbox.letters[0].message.iter_attachments()
    assert attachment.get_filename() == "unicode.txt"


def test_a_message_class_that_writes_itself(shop: Host, mailbox: Mailbox) -> None:
    """Hosts add headers in ``as_bytes``, sign in it, or build another structure."""

    class Tagged(Message):
        def as_bytes(self) -> bytes:
            return b"X-Tag: yes\r\n" + super().as_bytes()

    class Built(Message):
        def _message(self) -> Any:
            built = super()._message()
            built["X-Tag"] = "yes"
            return built

    for kind in (Tagged, Built):
        shop.mail.send(kind("Receipt", recipients=["ann@example.test"], body="Thanks"))
    assert [letter.message["X-Tag"] for letter in mailbox.letters] == ["yes", "yes"]
    assert [letter.message["From"] for letter in mailbox.letters] == ["Corner Shop <shop@example.test>"] * 2


def test_a_lazy_subject(shop: Host, mailbox: Mailbox) -> None:
    """flask_babel.lazy_gettext and LocalProxy are texts that are not str."""
    from werkzeug.local import LocalProxy

    shop.mail.send(receipt(subject=LocalProxy(lambda: "Später"), extra_headers={"X-Lazy": LocalProxy(lambda: "ja")}))
    assert mailbox.letters[0].message["Subject"] == "Später"
    assert mailbox.letters[0].message["X-Lazy"] == "ja"


# -- the contract's errors


@pytest.mark.parametrize("suppressed", [True, False])
@pytest.mark.parametrize(
    ("fields", "error", "text"),
    [
        ({"recipients": []}, AssertionError, "No recipients have been added"),
        ({"subject": "a\nb"}, flask_mail.BadHeaderError, "subject"),
        ({"recipients": ["a@example.test\r\nX: y"]}, flask_mail.BadHeaderError, "recipients"),
        ({"sender": "a@example.test\n"}, flask_mail.BadHeaderError, "sender"),
        ({"reply_to": "a@example.test\r"}, flask_mail.BadHeaderError, "reply_to"),
        ({"cc": [("A", "a@example.test\nBcc: x@y.test")]}, flask_mail.BadHeaderError, "cc"),
        ({"extra_headers": {"Bcc": "x@y.test"}}, flask_mail.BadHeaderError, "Bcc"),
    ],
)
def test_errors_are_flask_mails_own_and_ours(
    shop: Host, mailbox: Mailbox, fields: dict[str, Any], error: type[Exception], text: str, suppressed: bool
) -> None:
    """The same with and without MAIL_SUPPRESS_SEND, so that a host's tests show them."""
    from flask_smtpservers import MessageRefused

    shop.app.extensions["mail"].suppress = suppressed
    message = receipt(**fields)
    with shop.mail.record_messages() as outbox, pytest.raises(error, match=text) as caught:
        shop.mail.send(message)
    assert isinstance(caught.value, MessageRefused)
    assert not outbox
    assert mailbox.connections == 0


def test_a_subclass_that_looks_at_more_headers_is_asked(shop: Host) -> None:
    class Strict(Message):
        def has_bad_headers(self) -> bool:
            return "!" in self.subject

    with pytest.raises(flask_mail.BadHeaderError):
        shop.mail.send(Strict("Wow!", recipients=["ann@example.test"]))


@pytest.mark.parametrize("suppressed", [True, False])
def test_without_any_sender_flask_mails_assertion(bare: Host, suppressed: bool) -> None:
    bare.app.extensions["mail"].default_sender = None
    bare.app.extensions["mail"].suppress = suppressed
    with pytest.raises(AssertionError, match="does not specify a sender and a default sender has not been configured"):
        bare.mail.send(receipt())


@pytest.mark.parametrize("suppressed", [True, False])
def test_a_stored_server_is_sender_enough(shop: Host, mailbox: Mailbox, suppressed: bool) -> None:
    """No MAIL_DEFAULT_SENDER: the address that the admin entered is the sender."""
    shop.app.extensions["mail"].default_sender = None
    shop.app.extensions["mail"].suppress = suppressed
    message = receipt()
    assert message.sender is None
    shop.mail.send(message)
    assert [letter.message["From"] for letter in mailbox.letters] == ["Corner Shop <shop@example.test>"] * (
        not suppressed
    )


def test_outside_of_any_app_flask_mails_error() -> None:
    with pytest.raises(RuntimeError, match="outside of application context"):
        Mail().connect()


def test_an_app_without_flask_mail_gets_its_error() -> None:
    """Flask-Mail's own sentence, also with the hook in place."""
    with Flask("other").app_context(), pytest.raises(RuntimeError, match="not configured with Flask-Mail"):
        Mail().connect()
