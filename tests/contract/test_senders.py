"""Who a message comes from, at the wire: header and envelope."""

from __future__ import annotations

from typing import Any

import pytest
from flask_mail import Message

from ..apps import Host, server_fields
from ..peers.mailbox import Mailbox


def send(host: Host, envelope_from: Any = None, **fields: Any) -> None:
    message = Message(**{"subject": "Hello", "recipients": ["ann@example.test"], "body": "Hi", **fields})
    with host.mail.connect() as connection:
        connection.send(message, envelope_from)


@pytest.mark.parametrize(
    ("sender", "header", "envelope"),
    [
        (("Doe, John", "j@example.test"), '"Doe, John" <j@example.test>', "j@example.test"),
        (("CEO <ceo@victim.test>", "me@example.test"), '"CEO <ceo@victim.test>" <me@example.test>', "me@example.test"),
        ("CEO <ceo@victim.test> <me@example.test>", '"CEO <ceo@victim.test>" <me@example.test>', "me@example.test"),
        (("a@victim.test, B", "me@example.test"), '"a@victim.test, B" <me@example.test>', "me@example.test"),
        (("Jörg, M.", "j@example.test"), '"Jörg, M." <j@example.test>', "j@example.test"),
        ('"Doe, John" <j@example.test>', '"Doe, John" <j@example.test>', "j@example.test"),
        ("j@Bücher.example", "j@xn--bcher-kva.example", "j@xn--bcher-kva.example"),
    ],
)
@pytest.mark.parametrize("kind", ["stored", "built-in"])
def test_a_display_name_decides_nothing(
    request: pytest.FixtureRequest, mailbox: Mailbox, kind: str, sender: Any, header: str, envelope: str
) -> None:
    """In Flask-Mail ("Doe, John", …) becomes MAIL FROM:<Doe>, and a name with an address in it becomes the sender."""
    send(request.getfixturevalue("shop" if kind == "stored" else "bare"), sender=sender)
    (letter,) = mailbox.letters
    assert letter.message["From"] == header
    assert letter.sender == envelope


@pytest.mark.parametrize("default", ["app@example.test", ("The App, Ltd", "app@example.test"), None])
def test_mail_without_a_sender_of_its_own_is_from_the_server(shop: Host, mailbox: Mailbox, default: Any) -> None:
    """MAIL_DEFAULT_SENDER as a text, as a pair, or not set."""
    shop.app.config["MAIL_DEFAULT_SENDER"] = default
    shop.mail.init_app(shop.app)
    send(shop)
    (letter,) = mailbox.letters
    assert letter.message["From"] == "Corner Shop <shop@example.test>"
    assert letter.sender == "shop@example.test"


@pytest.mark.parametrize(
    ("default", "header"),
    [
        ("app@example.test", "app@example.test"),
        (("The App, Ltd", "app@example.test"), '"The App, Ltd" <app@example.test>'),
    ],
)
def test_the_built_in_server_sends_as_the_apps_default(bare: Host, mailbox: Mailbox, default: Any, header: str) -> None:
    bare.app.config["MAIL_DEFAULT_SENDER"] = default
    bare.mail.init_app(bare.app)
    send(bare)
    (letter,) = mailbox.letters
    assert letter.message["From"] == header
    assert letter.sender == "app@example.test"


def test_a_callable_default_sender(bare: Host, mailbox: Mailbox) -> None:
    bare.app.extensions["mail"].default_sender = lambda: ("Asked", "asked@example.test")
    send(bare)
    assert mailbox.letters[0].message["From"] == "Asked <asked@example.test>"


@pytest.mark.parametrize("sender", ["None", "no-reply@localhost"])
def test_what_flask_security_sends_as_without_a_default(shop: Host, mailbox: Mailbox, sender: str) -> None:
    """It makes such a text where MAIL_DEFAULT_SENDER is not set; no provider would take mail from there."""
    shop.app.extensions["mail"].default_sender = None
    send(shop, sender=sender)
    assert mailbox.letters[0].sender == "shop@example.test"


def test_the_apps_default_sender_chooses_no_server(shop: Host, mailbox: Mailbox) -> None:
    """The admin's default server sends the app's ordinary mail, also if another one has the domain of that setting."""
    shop.smtp.add_server(**server_fields(mailbox, name="Bills", address="bills@acme.test", sender_name="Bills"))
    shop.app.extensions["mail"].default_sender = ("App", "bills@acme.test")
    send(shop)
    assert mailbox.letters[0].sender == "shop@example.test"


def test_a_sender_that_was_taken_away(bare: Host, mailbox: Mailbox) -> None:
    """The app's default steps in."""
    message = Message("Hello", recipients=["ann@example.test"])
    message.sender = None  # type: ignore[assignment]
    bare.mail.send(message)
    assert mailbox.letters[0].sender == "app@example.test"


def test_an_envelope_sender_on_the_message(bare: Host, mailbox: Mailbox) -> None:
    """For those who send with mail.send(), which has no argument for it."""
    message = Message("Hello", recipients=["ann@example.test"])
    message.envelope_from = "bounces@example.test"  # type: ignore[attr-defined]
    bare.mail.send(message)
    assert mailbox.letters[0].sender == "bounces@example.test"


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize(
    ("envelope_from", "expected"),
    [
        ("bounces@example.test", "bounces@example.test"),
        (("Bounces", "bounces@example.test"), "bounces@example.test"),
        ("Bounces <bounces@example.test>", "bounces@example.test"),
        ("<>", "<>"),
    ],
)
def test_envelope_from(
    request: pytest.FixtureRequest, mailbox: Mailbox, stored: bool, envelope_from: Any, expected: str
) -> None:
    """The envelope follows it, the From header does not."""
    send(request.getfixturevalue("shop" if stored else "bare"), envelope_from, sender="me@example.test")
    (letter,) = mailbox.letters
    assert letter.sender == expected
    assert letter.message["From"] == "me@example.test"


def test_the_policies_at_the_wire(shop: Host, mailbox: Mailbox) -> None:
    """Keep, fill the name, force with the author in Reply-To; the server's Reply-To otherwise."""
    (server,) = shop.smtp.servers()
    shop.smtp.edit_server(server.public_id, reply_to="help@example.test")
    for policy in ("keep", "fill_name", "force"):
        shop.smtp.edit_server(server.public_id, sender_policy=policy)
        send(shop, sender="jane@elsewhere.test")
    send(shop, sender=("Jane", "jane@elsewhere.test"), reply_to="mine@elsewhere.test")
    assert [(letter.message["From"], letter.sender, letter.message["Reply-To"]) for letter in mailbox.letters] == [
        ("jane@elsewhere.test", "jane@elsewhere.test", "help@example.test"),
        ("Corner Shop <jane@elsewhere.test>", "jane@elsewhere.test", "help@example.test"),
        ("Corner Shop <shop@example.test>", "shop@example.test", "jane@elsewhere.test"),
        ("Corner Shop <shop@example.test>", "shop@example.test", "mine@elsewhere.test"),
    ]


def test_a_stored_sender_that_needs_quotes(shop: Host, mailbox: Mailbox) -> None:
    """One field takes ``"sender name" <address>`` and it arrives correctly quoted (product.md B5)."""
    shop.smtp.add_server(**server_fields(mailbox, name="Other", address='"Doe, John" <j@d.test>', sender_name=""))
    with shop.smtp.using("Other"):
        send(shop)
    assert mailbox.letters[0].message["From"] == '"Doe, John" <j@d.test>'


def test_which_server_sends(shop: Host, mailbox: Mailbox) -> None:
    """By name, by From address, by From domain, else the default (product.md A14)."""
    shop.smtp.add_server(**server_fields(mailbox, name="Bills", address="bills@acme.test", sender_name="Bills"))
    shop.smtp.add_server(**server_fields(mailbox, name="News", address="news@letters.test", sender_name="News"))
    send(shop)
    send(shop, sender="bills@acme.test")
    send(shop, sender="ann@letters.test")
    send(shop, sender="ann@elsewhere.test")
    with shop.smtp.using("news"):
        send(shop)
        with shop.smtp.using("bills"):
            send(shop)
        with shop.smtp.using(None):
            send(shop)
        send(shop)
    send(shop)
    delivered = [letter.message["From"] for letter in mailbox.letters]
    shop_, bills, news = "Corner Shop <shop@example.test>", "Bills <bills@acme.test>", "News <news@letters.test>"
    assert delivered == [shop_, bills, "ann@letters.test", "ann@elsewhere.test", news, bills, shop_, news, shop_]
    deliveries = [
        shop.smtp.send(Message("x", recipients=["ann@example.test"], sender=sender))
        for sender in (None, "bills@acme.test", "ann@letters.test", "ann@elsewhere.test")
    ]
    assert [delivery.server_name for delivery in deliveries] == ["Shop", "Bills", "News", "Shop"]


def test_a_using_block_holds_for_its_own_thread_only(shop: Host, mailbox: Mailbox) -> None:
    import threading

    shop.smtp.add_server(**server_fields(mailbox, name="Bills", address="bills@acme.test", sender_name="Bills"))
    shop.db.session.commit()
    senders: list[str] = []

    def work() -> None:
        with shop.app.app_context():
            senders.append(shop.smtp.send(Message("x", recipients=["a@example.test"])).server_name)

    with shop.smtp.using("Bills"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(20)
    assert senders == ["Shop"]


def test_a_server_asked_for_that_is_not_there(shop: Host, mailbox: Mailbox) -> None:
    from flask_smtpservers import ServerNotFound

    (server,) = shop.smtp.servers()
    with shop.smtp.using("nobody"), pytest.raises(ServerNotFound, match="No SMTP server is called “nobody”"):
        send(shop)
    shop.smtp.edit_server(server.public_id, enabled=False)
    with shop.smtp.using("Shop"), pytest.raises(ServerNotFound, match="is paused"):
        send(shop)
    assert mailbox.connections == 0


def test_explaining(shop: Host, mailbox: Mailbox) -> None:
    """The same rules, in words, and nothing is sent."""
    route = shop.smtp.explain(Message("x", recipients=["ann@example.test"], sender="ann@elsewhere.test"))
    assert route.server_name == "Shop"
    assert [tried.reason for tried in route.tried] == [
        "The program asked for no server by name.",
        "Users have no servers of their own here.",
        "The message is of no kind in particular.",
        "No server sends as ann@elsewhere.test.",
        "No server sends for the domain elsewhere.test.",
        "The mail belongs to no tenant.",
        "“Shop” is the default server.",
    ]
    assert mailbox.connections == 0
