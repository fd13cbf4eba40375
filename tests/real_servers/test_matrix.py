"""Every server, every way into it, every case: sent as a host app sends, and judged by what arrived.

What a server answers differently from the others is in :mod:`.kinds`; the tests are the same for all.
"""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from flask_mail import Message

from flask_smtpservers.errors import (
    AuthenticationFailed,
    MessageTooLarge,
    RecipientsRefused,
    SenderRefused,
    SendError,
)
from flask_smtpservers.findings import Stage
from flask_smtpservers.sending.delivery import Delivery, Outcome

from ..apps import hosting
from .conftest import Servers
from .kinds import KINDS
from .place import Place

PLACES = [f"{name}-{way}" for name, kind in KINDS.items() for way in kind.ways]


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, servers: Servers, ca_file: Path) -> Iterator[Place]:
    """Each server and way in turn, with the server stored."""
    name, way = request.param.split("-")
    running = servers.running(name)
    with hosting(ca_file=ca_file) as host, host.app.app_context():
        place = Place(KINDS[name], way, running, host)
        place.add_server()
        yield place


def outcomes(delivery: Delivery) -> dict[str, tuple[Outcome, int | None]]:
    return {one.address: (one.outcome, one.code) for one in delivery.recipients}


def text_of(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return part.get_content().replace("\r\n", "\n")


#: Dots at the beginnings of lines, 8 bits, a line beyond SMTP's 998 octets, blanks at the end of one.
BODY = ".\n..\n.hidden\nGrüße, 世界 🎉\n" + "x" * 1500 + "\n" + "ü" * 800 + "\nFrom here on\nblanks  \t\n\nend\n"
HTML = "<p>Grüße, 世界</p>\n.<br>\n<p>" + "y" * 2000 + "</p>\n"
BINARY = bytes(range(256)) * 8 + b"\r\n.\r\nQUIT\r\n\0\r\r\n\n."


def test_content_arrives_as_it_was_meant(place: Place) -> None:
    """Text, HTML and attachments come out of the other end's parser equal to what went in."""
    message = Message("Quittung für Zoë 🎉", recipients=["ann@example.test", "ben@example.test"], body=BODY, html=HTML)
    message.attach("Übersicht, «2026».csv", "text/csv", "Käse;4,20 €\r\n.;1\r\n")
    message.attach("日本.bin", "application/octet-stream", BINARY)
    delivery = place.host.smtp.send(message)

    assert outcomes(delivery) == dict.fromkeys(message.recipients, (Outcome.ACCEPTED, 250))
    one, other = place.arrivals(2)
    assert (one.sender, one.recipient, other.recipient) == ("shop@example.test", *message.recipients)
    assert one.content == other.content
    read = one.message
    assert read["Subject"] == message.subject
    assert read["Message-ID"] == delivery.message_id
    assert text_of(read, "plain") == BODY
    assert text_of(read, "html") == HTML
    table, binary = read.iter_attachments()
    assert (table.get_filename(), table.get_content_type()) == ("Übersicht, «2026».csv", "text/csv")
    assert table.get_content().replace("\r\n", "\n") == "Käse;4,20 €\n.;1\n"
    assert (binary.get_filename(), binary.get_content()) == ("日本.bin", BINARY)
    assert not read.defects
    assert max(map(len, one.content.split(b"\r\n"))) <= 998


def test_display_names_arrive(place: Place) -> None:
    """Names with commas, quotes, dots and letters of other alphabets stay names; the addresses stay whole."""
    names = ['Doe, "Johnny" John', "Zoë Müller, M.D.", 'a@b.test, <x@y.test>; "', "山田 太郎"]
    recipients = [(name, f"r{number}@example.test") for number, name in enumerate(names)]
    sender = ('Corner Shop, "The" Best', "owner@example.test")
    place.host.mail.send(Message("Hello", sender=sender, recipients=recipients, body="Hello"))
    read = place.arrivals(len(names))[0].message
    assert [(one.display_name, one.addr_spec) for one in read["From"].addresses] == [sender]
    assert [(one.display_name, one.addr_spec) for one in read["To"].addresses] == recipients


def test_one_recipient_refused(place: Place) -> None:
    """Of three recipients two get the mail; of each the outcome is told, and the id under which the server has it."""
    recipients = ["ann@example.test", "bad@example.test", "ben@example.test"]
    delivery = place.host.smtp.send(Message("Hello", recipients=recipients, body="Hello"))
    assert outcomes(delivery) == {
        "ann@example.test": (Outcome.ACCEPTED, 250),
        "bad@example.test": (Outcome.REFUSED, 550),
        "ben@example.test": (Outcome.ACCEPTED, 250),
    }
    assert [one.recipient for one in place.arrivals(2)] == ["ann@example.test", "ben@example.test"]
    assert place.ids == [delivery.queue_id]


@pytest.mark.parametrize("later", [False, True], ids=["for-good", "for-now"])
def test_all_recipients_refused(place: Place, later: bool) -> None:
    """If nobody is left nothing is sent, each refusal is told, and whether a later attempt may help."""
    name, code = ("temp", place.kind.temporary) if later else ("bad", 550)
    recipients = [f"{name}{number}@example.test" for number in range(3)]
    with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        place.host.mail.send(Message("Hello", recipients=recipients, body="Hello"))
    error = caught.value
    assert isinstance(error, RecipientsRefused)
    assert {address: each[0] for address, each in error.recipients.items()} == dict.fromkeys(recipients, code)
    assert (error.code, error.permanent) == (code, not later)
    place.nothing_arrived()


def test_one_recipient_for_later(place: Place) -> None:
    """A recipient whom the server defers is refused for now; the other has the mail."""
    recipients = ["temp@example.test", "ann@example.test"]
    delivery = place.host.smtp.send(Message("Hello", recipients=recipients, body="Hello"))
    assert outcomes(delivery) == {
        "temp@example.test": (Outcome.REFUSED, place.kind.temporary),
        "ann@example.test": (Outcome.ACCEPTED, 250),
    }
    assert [one.recipient for one in place.arrivals(1)] == ["ann@example.test"]


def test_sender_refused(place: Place) -> None:
    """A refused sender ends it, with the server's words, whether it says so at MAIL FROM or at the first recipient."""
    message = Message("Hello", sender="badsender@example.test", recipients=["ann@example.test"], body="Hello")
    with pytest.raises((SenderRefused, RecipientsRefused)) as caught:
        place.host.mail.send(message)
    error = caught.value
    assert error.stage is place.kind.sender_refused_at
    assert (isinstance(error, SenderRefused), error.permanent) == (error.stage is Stage.MAIL_FROM, True)
    assert error.code in (550, 554)
    assert error.reply
    place.nothing_arrived()


@pytest.mark.parametrize("place", [name for name in PLACES if not name.endswith("-plain")], indirect=True)
def test_wrong_password(place: Place) -> None:
    """A wrong password is tried exactly once, and raises the error that Flask-Mail raised."""
    (server,) = place.host.smtp.servers()
    place.host.smtp.edit_server(server.public_id, password="wrong-CANARY")
    with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
        place.host.mail.send(Message("Hello", recipients=["ann@example.test"], body="Hello"))
    error = caught.value
    assert isinstance(error, AuthenticationFailed)
    assert (error.stage, error.code, error.permanent) == (Stage.AUTH, 535, True)
    assert place.refused_logins == 1
    assert "CANARY" not in repr(vars(error)) + str(error)


def test_too_large(place: Place) -> None:
    """A message beyond the size that the server announces is refused before it is transmitted."""
    line = "y" * 998 + "\n"
    message = Message("Large", recipients=["ann@example.test"], body=line * (place.kind.size // 1000 + 1))
    with pytest.raises(MessageTooLarge) as caught:
        place.host.mail.send(message)
    assert (caught.value.code, caught.value.enhanced, caught.value.permanent) == (552, "5.3.4", True)
    place.nothing_arrived()


def test_recipient_outside_ascii(place: Place) -> None:
    """A recipient whose local part is not ASCII gets the mail where SMTPUTF8 is offered; elsewhere only he does not."""
    recipients = ["jürgen@example.test", "ann@example.test"]
    delivery = place.host.smtp.send(Message("Grüße", recipients=recipients, body="Grüße"))
    jurgen = (Outcome.ACCEPTED, 250) if place.kind.utf8 else (Outcome.REFUSED, 553)
    assert outcomes(delivery) == {"jürgen@example.test": jurgen, "ann@example.test": (Outcome.ACCEPTED, 250)}
    expected = sorted(recipients) if place.kind.utf8 else ["ann@example.test"]
    assert [one.recipient for one in place.arrivals(len(expected))] == expected


def test_domain_outside_ascii(place: Place) -> None:
    """A domain that is not ASCII travels as its A-label, in the envelope and in the header."""
    place.host.mail.send(Message("Hello", recipients=[("Ann", "ann@BÜCHER.example.test")], body="Hello"))
    (one,) = place.arrivals(1)
    assert one.recipient == "ann@xn--bcher-kva.example.test"
    assert one.message["To"] == "Ann <ann@xn--bcher-kva.example.test>"


def test_120_recipients(place: Place) -> None:
    """More recipients than one transaction takes go in two: everybody gets the mail once, and the refused are told."""
    recipients = [f"r{number:03}@example.test" for number in range(120)]
    recipients[7], recipients[113] = "bad@example.test", "temp@example.test"
    delivery = place.host.smtp.send(Message("News", recipients=recipients, body="Hello"))
    good = [address for address in recipients if address.startswith("r")]
    assert [one.address for one in delivery.recipients] == recipients
    assert [one.address for one in delivery.accepted] == good
    assert [(one.address, one.code) for one in delivery.refused] == [
        ("bad@example.test", 550),
        ("temp@example.test", place.kind.temporary),
    ]
    arrivals = place.arrivals(118)
    assert [one.recipient for one in arrivals] == good
    assert len({one.content for one in arrivals}) == 1
    assert len(place.ids) == 2
    assert place.ids[1] == delivery.queue_id


def test_two_messages_over_one_connection(place: Place) -> None:
    """A batch takes one connection; a refusal between two messages harms neither."""
    with place.host.mail.connect() as connection:
        connection.send(Message("One", recipients=["ann@example.test"], body="Hello"))
        with pytest.raises(SendError):
            connection.send(Message("Refused", recipients=["bad@example.test"], body="Hello"))
        connection.send(Message("Two", recipients=["ben@example.test"], body="Hello"))
    assert [one.message["Subject"] for one in place.arrivals(2)] == ["One", "Two"]
    assert place.connections == 1
