"""Each way in which Flask-Mail 0.10 lets a message write more than it should, tried at a real server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flask_mail
import pytest
from flask_mail import Attachment, Message

from flask_smtpservers.errors import MessageRefused, NotOffered

from ..apps import Host
from ..peers.hostile import answer, hostile, listen, say
from ..peers.mailbox import Mailbox

EVIL = "\r\nBcc: eve@example.test\r\nX-Injected: yes"

INJECTIONS: dict[str, Callable[[], dict[str, Any]]] = {
    "subject": lambda: {"subject": "Hello" + EVIL},
    "sender name": lambda: {"sender": ("A" + EVIL, "a@example.test")},
    "sender address": lambda: {"sender": ("A", "a@example.test" + EVIL)},
    "recipient": lambda: {"recipients": ["a@example.test" + EVIL]},
    "recipient address": lambda: {"recipients": [("A", "a@example.test" + EVIL)]},
    "recipient command": lambda: {"recipients": [("A", "a@example.test>\r\nRCPT TO:<eve@example.test")]},
    "cc address": lambda: {"cc": [("A", "a@example.test" + EVIL)]},
    "cc name": lambda: {"cc": [("A" + EVIL, "a@example.test")]},
    "bcc": lambda: {"bcc": ["a@example.test" + EVIL]},
    "reply_to": lambda: {"reply_to": ("A", "a@example.test" + EVIL)},
    "extra header value": lambda: {"extra_headers": {"X-A": "b" + EVIL}},
    "extra header name": lambda: {"extra_headers": {"X-A: b\r\nX-Injected": "yes"}},
    "bcc as extra header": lambda: {"extra_headers": {"Bcc": "eve@example.test"}},
    "second From": lambda: {"extra_headers": {"From": "ceo@victim.test"}},
    "filename": lambda: {"attachments": [Attachment("a" + EVIL, "text/plain", b"x")]},
    "content type": lambda: {"attachments": [Attachment("a", "text/plain" + EVIL, b"x")]},
    "disposition": lambda: {"attachments": [Attachment("a", "text/plain", b"x", "attachment" + EVIL)]},
    "attachment header": lambda: {"attachments": [Attachment("a", "text/plain", b"x", headers={"X-A": "b" + EVIL})]},
    "alternative": lambda: {"alts": {"html" + EVIL: "x"}},
    "charset": lambda: {"charset": "utf-8" + EVIL},
    "mail option": lambda: {"mail_options": ["SIZE=1 AUTH=<>"]},
    "mail option command": lambda: {"mail_options": ["RET=FULL\r\nRCPT TO:<eve@example.test>"]},
    "recipient option": lambda: {"rcpt_options": ["NOTIFY=NEVER ORCPT=x"]},
}


@pytest.mark.parametrize("what", INJECTIONS)
def test_nothing_is_sent(shop: Host, mailbox: Mailbox, what: str) -> None:
    """Flask-Mail's error for hosts that catch it, ours for the others; not even a connection is made."""
    message = Message(**{"subject": "Hello", "recipients": ["ann@example.test"], "body": "Hi", **INJECTIONS[what]()})
    with pytest.raises(flask_mail.BadHeaderError) as caught:
        shop.mail.send(message)
    assert isinstance(caught.value, MessageRefused)
    assert mailbox.connections == 0


@pytest.mark.parametrize(
    "recipient",
    [
        "a@example.test, eve@example.test",
        "alice@example.test)eve@evil.test",
        "@relay.test:a@example.test",
        "friends: a@example.test;",
        "a%example.test@relay.test",
        "a@example.test (comment)",
    ],
)
def test_a_recipient_that_readers_disagree_about(shop: Host, mailbox: Mailbox, recipient: str) -> None:
    """Flask-Mail silently sends to one of the addresses in it."""
    with pytest.raises(MessageRefused):
        shop.mail.send(Message("Hello", recipients=["ann@example.test", recipient], body="Hi"))
    assert mailbox.connections == 0


def test_an_envelope_sender_cannot_add_a_command(shop: Host, mailbox: Mailbox) -> None:
    with shop.mail.connect() as connection, pytest.raises(MessageRefused):
        connection.send(
            Message("Hello", recipients=["ann@example.test"]), "a@example.test>\r\nRCPT TO:<eve@example.test"
        )
    assert mailbox.letters == []


def test_starttls_that_was_stripped_sends_no_password(bare: Host) -> None:
    """No downgrade, for stored servers and for the app's own."""
    with hostile([say("220 hi"), answer("250-hi\n250 AUTH PLAIN LOGIN"), listen()]) as server:
        own = bare.app.extensions["mail"]
        own.server, own.port, own.use_tls, own.username, own.password = "127.0.0.1", server.port, True, "u", "p"
        with pytest.raises(NotOffered):
            bare.mail.send(Message("Hello", recipients=["ann@example.test"]))
        bare.smtp.add_server(
            name="Raw",
            host="127.0.0.1",
            port=server.port,
            security="starttls",
            username="u",
            password="p",
            address="x@example.test",
        )
        with pytest.raises(NotOffered):
            bare.mail.send(Message("Hello", recipients=["ann@example.test"]))
    assert set(server.verbs) == {"EHLO", "QUIT"}


def test_lines_end_where_they_should(shop: Host, mailbox: Mailbox) -> None:
    """Bare CR or LF, lone dots and lines of 3,000 octets in a body: one message, the same text, no line too long."""
    body = "one\r.\rtwo\n.\nthree\r\n.\r\nMAIL FROM:<x@example.test>\n" + "x" * 3000
    shop.mail.send(Message("Hello", recipients=["ann@example.test"], body=body, html=f"<p>{body}</p>"))
    (letter,) = mailbox.letters
    plain = letter.message.get_body(("plain",))
    assert plain is not None
    assert plain.get_content().splitlines() == body.splitlines()
    assert max(len(line) for line in letter.content.split(b"\r\n")) <= 998
