"""``with mail.connect()``: what stays open, when it is opened anew, and what a caller may put in its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import flask_mail
import pytest
from flask_mail import Connection, Message

from flask_smtpservers import SendError
from flask_smtpservers.mail import ServerConnection

from ..apps import Host, server_fields
from ..peers.hostile import answer, hear, hear_content, hostile, say
from ..peers.mailbox import Mailbox

# The mailbox's SMTPS port takes logins inside the TLS of the port, of which aiosmtpd does not know.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


def letter_to(name: str, **fields: Any) -> Message:
    return Message("Hello", recipients=[f"{name}@example.test"], body="Hi", **fields)


def test_a_batch_uses_one_connection(shop: Host, mailbox: Mailbox) -> None:
    with shop.mail.connect() as connection:
        assert isinstance(connection, Connection)
        assert mailbox.connections == 0
        for number in range(5):
            connection.send(letter_to(f"u{number}"))
    assert [letter.recipients for letter in mailbox.letters] == [[f"u{number}@example.test"] for number in range(5)]
    assert mailbox.connections == 1
    assert len(mailbox.logins) == 1


def test_single_sends_and_batches_share_connections(shop: Host, mailbox: Mailbox) -> None:
    """A connection belongs to the app; the end of a block is no reason to close it."""
    shop.mail.send(letter_to("a"))
    with shop.mail.connect() as connection:
        connection.send(letter_to("b"))
    with shop.mail.connect() as connection:
        connection.send(letter_to("c"))
    shop.smtp.send(letter_to("d"))
    assert len(mailbox.letters) == 4
    assert (mailbox.connections, len(mailbox.logins)) == (1, 1)


def test_the_host_attribute_stays_none(shop: Host, mailbox: Mailbox) -> None:
    with shop.mail.connect() as connection:
        connection.send(letter_to("a"))
        assert connection.host is None


def test_max_emails_begins_a_new_connection(shop: Host, mailbox: Mailbox) -> None:
    """MAIL_MAX_EMAILS: after so many messages sign in anew."""
    shop.app.extensions["mail"].max_emails = 2
    with shop.mail.connect() as connection:
        for number in range(5):
            connection.send(letter_to(f"u{number}"))
            assert connection.num_emails == (number + 1) % 2
    assert mailbox.connections == 3
    assert len(mailbox.letters) == 5


def test_connecting_anew_by_hand(shop: Host, mailbox: Mailbox) -> None:
    """Hosts with long batches do ``connection.host = connection.configure_host()``."""
    with shop.mail.connect() as connection:
        connection.send(letter_to("a"))
        connection.host = connection.configure_host()  # type: ignore[func-returns-value]
        connection.send(letter_to("b"))
    assert mailbox.connections == 2
    assert len(mailbox.letters) == 2


def test_one_batch_for_two_servers(shop: Host, mailbox: Mailbox) -> None:
    """Each message is routed by itself; each server has its session."""
    shop.smtp.add_server(
        **server_fields(mailbox, name="News", port=mailbox.plain, username="", password="", address="news@letters.test")
    )
    with shop.mail.connect() as connection:
        for number in range(2):
            connection.send(letter_to(f"u{number}"))
            connection.send(letter_to(f"n{number}", sender="news@letters.test"))
    assert [(letter.sender, letter.username is not None) for letter in mailbox.letters] == [
        ("shop@example.test", True),
        ("news@letters.test", False),
    ] * 2
    assert mailbox.connections == 2


def test_an_edit_takes_effect_within_a_batch(shop: Host, mailbox: Mailbox) -> None:
    """What was edited never travels over the old connection, and a password never goes to another server."""
    (server,) = shop.smtp.servers()
    with shop.mail.connect() as connection:
        connection.send(letter_to("a"))
        shop.smtp.edit_server(server.public_id, port=mailbox.smtps, security="ssl", password="s3cret-CANARY")
        connection.send(letter_to("b"))
        shop.smtp.edit_server(server.public_id, sender_name="Renamed")
        connection.send(letter_to("c"))
    assert len(mailbox.letters) == 3
    assert mailbox.connections == 2
    assert mailbox.letters[-1].message["From"] == "Renamed <shop@example.test>"


def test_a_failed_message_does_not_spoil_the_batch(shop: Host, mailbox: Mailbox) -> None:
    with shop.mail.connect() as connection:
        connection.send(letter_to("a"))
        with pytest.raises(SendError):
            connection.send(letter_to("bad"))
        with pytest.raises(AssertionError):
            connection.send(Message("Hello", recipients=[]))
        connection.send(letter_to("c"))
    assert [letter.recipients for letter in mailbox.letters] == [["a@example.test"], ["c@example.test"]]
    assert mailbox.connections == 1


def test_an_error_in_the_block_comes_through(shop: Host, mailbox: Mailbox) -> None:
    with pytest.raises(KeyError, match="mine"), shop.mail.connect() as connection:
        connection.send(letter_to("a"))
        raise KeyError("mine")


ACCEPT = [say("220 mail.example.test"), answer("250 mail.example.test", "250 OK", "250 OK", "354 go"), hear_content()]


def raw_server(host: Host, port: int, **fields: Any) -> None:
    host.smtp.add_server(name="Raw", host="127.0.0.1", port=port, security="none", address="raw@example.test", **fields)


def test_a_server_that_hangs_up_after_accepting_has_accepted(bare: Host) -> None:
    """Flask-Mail raises at QUIT; the caller sends again; the recipient gets five copies."""
    with hostile([*ACCEPT, say("250 OK queued as 1")]) as server:
        raw_server(bare, server.port)
        bare.mail.send(letter_to("a"))
        server.settle()
    assert server.connections == 1


def test_a_server_that_drops_the_session_within_a_batch(bare: Host) -> None:
    """The kept session died before the next message began: a new one takes its place, and each arrives once."""
    with hostile([*ACCEPT, say("250 OK")]) as server:
        raw_server(bare, server.port)
        with bare.mail.connect() as connection:
            connection.send(letter_to("a"))
            server.settle()
            connection.send(letter_to("b"))
        server.settle()
    assert server.connections == 2
    assert [line for line in server.lines if line.startswith("RCPT")] == [
        "RCPT TO:<a@example.test>",
        "RCPT TO:<b@example.test>",
    ]


def test_a_permanent_error_is_not_hidden_by_a_hang_up(bare: Host) -> None:
    """In Flask-Mail, 550 at MAIL FROM and a close become "please run connect() first", which looks transient."""
    with hostile([say("220 hi"), answer("250 hi", "550 5.7.1 not you")]) as server:
        raw_server(bare, server.port)
        with pytest.raises(SendError) as caught:
            bare.mail.send(letter_to("a"))
    assert (caught.value.code, caught.value.permanent) == (550, True)


def test_no_verdict_is_a_doubt_and_is_not_repeated(bare: Host) -> None:
    from flask_smtpservers import InDoubt

    with hostile(ACCEPT) as server:
        raw_server(bare, server.port)
        with pytest.raises(InDoubt):
            bare.mail.send(letter_to("a"))
        server.settle()
    assert server.connections == 1


def test_a_server_that_says_nothing_is_given_up(bare: Host) -> None:
    """Flask-Mail waits for ever."""
    with hostile([hear()]) as server:
        raw_server(bare, server.port, timeout_seconds=1)
        with pytest.raises(TimeoutError) as caught:
            bare.mail.send(letter_to("a"))
    assert isinstance(caught.value, SendError)


def test_the_whole_attempt_ends_at_its_deadline(bare: Host) -> None:
    """A server that drips a reply resets every limit for one read; the deadline it cannot reset."""
    import dataclasses
    import time

    from ..peers.hostile import drip

    state = bare.app.extensions["smtpservers"]
    state.settings = dataclasses.replace(state.settings, deadline_seconds=0.5)
    with hostile([drip(b"220-" + b"x" * 500, every=0.05)]) as server:
        raw_server(bare, server.port, timeout_seconds=20)
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            bare.mail.send(letter_to("a"))
    assert time.monotonic() - began < 3


# -- what a caller may put there


def test_an_object_in_host_is_used_as_flask_mail_does(shop: Host, mailbox: Mailbox) -> None:
    """Flask-Mail's own tests do this, and hosts' tests after them."""
    message = letter_to("a", cc=["Jörg <j@example.test>"])
    with shop.mail.connect() as connection, mock.patch.object(connection, "host") as double:
        connection.send(message)
    double.sendmail.assert_called_once()
    sender, recipients, content, mail_options, rcpt_options = double.sendmail.call_args.args
    assert sender == "app@example.test"
    assert sorted(recipients) == ["=?utf-8?b?SsO2cmc=?= <j@example.test>", "a@example.test"]
    assert content == message.as_bytes()
    assert (mail_options, rcpt_options) == ([], [])
    assert mailbox.connections == 0


def test_an_object_in_host_is_told_to_quit_and_may_fail(shop: Host) -> None:
    connection = shop.mail.connect()
    with connection:
        connection.host = double = mock.Mock()
        double.quit.side_effect = OSError("gone")
    double.quit.assert_called_once_with()


def test_a_double_in_the_extensions_is_left_alone(shop: Host, mailbox: Mailbox) -> None:
    """A host's test puts its own object where Flask-Mail's was; not even its ``connect`` is looked at."""
    double = shop.app.extensions["mail"] = mock.Mock(spec=flask_mail.Mail)
    double.suppress = True
    shop.app.extensions["mail"].send(letter_to("a", sender="x@example.test"))
    double.send.assert_called_once()
    connection = shop.mail.connect()
    assert type(connection) is Connection
    shop.smtp.send(letter_to("b", sender="x@example.test"))
    assert double.send.call_count == 2
    assert mailbox.connections == 0


def test_a_connection_class_of_the_hosts_own_is_left_alone(
    shop: Host, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Own(Connection):
        pass

    monkeypatch.setattr(flask_mail, "Connection", Own)
    assert type(shop.mail.connect()) is Own
    monkeypatch.undo()
    assert type(shop.mail.connect()) is ServerConnection


def test_debugging_shows_the_dialogue_without_credentials(
    shop: Host, mailbox: Mailbox, ca_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """MAIL_DEBUG, which Flask's debug mode switches on, prints the password in base64 in Flask-Mail."""
    import base64

    shop.app.extensions["mail"].debug = 1
    shop.mail.send(letter_to("a"))
    shown = capsys.readouterr()
    assert "RCPT TO:<a@example.test>" in shown.err
    assert "AUTH PLAIN ***" in shown.err
    assert "CANARY" not in shown.err + shown.out
    token = base64.b64encode(b"\0u@example.test\0s3cret-CANARY").decode()
    assert token not in shown.err + shown.out
    assert "Hi" not in shown.err.split()
