"""Addresses that are not ASCII: as they are where SMTPUTF8 is offered, elsewhere shown but never as an address."""

from __future__ import annotations

import email
import email.policy
import pickle
import re
from email.errors import NonASCIILocalPartDefect
from email.headerregistry import Group
from typing import Any

import pytest
from flask import Flask
from flask_mail import Mail, Message
from hypothesis import given
from hypothesis import strategies as st

from flask_smtpservers.errors import MessageRefused, SenderRefused
from flask_smtpservers.findings import Stage
from flask_smtpservers.mailbox import Mailbox, addr_spec
from flask_smtpservers.sending.content import Content, gate, seven_bit, utf8_header
from flask_smtpservers.sending.headers import mailboxes, split_head
from flask_smtpservers.sending.recipients import recipients_of
from flask_smtpservers.sending.sender import Sender
from flask_smtpservers.sending.transmit import Shipment, transmit
from flask_smtpservers.sending.trial_message import trial_message
from flask_smtpservers.sending.wire import render

from .profiles import server
from .test_transmit import Bench, accept

pytestmark = pytest.mark.usefixtures("context")

JORG = "jörg@example.test"
SHOP = Mailbox("Corner Shop", "shop@example.test")
EVERYTHING = {"8BITMIME": "", "SMTPUTF8": ""}


def content(sender: Mailbox = SHOP, **fields: Any) -> Content:
    letter = Message(**{"subject": "Grüße", "recipients": [JORG, "ann@example.test"], "body": "Grüße", **fields})
    return render(letter, Sender(sender, sender.address), recipients_of(letter, 1000), max_bytes=1_000_000)


def groups(data: bytes, name: str) -> list[tuple[str | None, list[tuple[str, str]]]]:
    """A header as the email package reads it: groups with their members; None is the name of no group."""
    head = data.partition(b"\r\n\r\n")[0].decode()  # from bytes, the email package reads no header that is UTF-8
    (value,) = email.message_from_string(head, policy=email.policy.SMTPUTF8).get_all(name)
    assert not [defect for defect in value.defects if not isinstance(defect, NonASCIILocalPartDefect)]
    read: list[Group] = list(value.groups)
    return [(one.display_name, [(each.display_name, each.addr_spec) for each in one.addresses]) for one in read]


def one(name: str, address: str) -> tuple[None, list[tuple[str, str]]]:
    return None, [(name, address)]


def test_with_smtputf8_addresses_stand_as_they_are() -> None:
    """In every header of mailboxes, behind the same names, as UTF-8 (RFC 6532)."""
    sent = content(
        Mailbox("Jörg, M.", JORG),
        recipients=[("用", "用户@例え.jp"), "ann@example.test"],
        cc=[("Doe, John", "ö@x.test")],
        reply_to="ü@x.test",
        extra_headers={"Sender": "Ä <ä@x.test>"},
    ).fit_for(EVERYTHING)
    assert groups(sent.data, "From") == [one("Jörg, M.", JORG)]
    assert sorted(groups(sent.data, "To")) == [one("", "ann@example.test"), one("用", "用户@xn--r8jz45g.jp")]
    assert groups(sent.data, "Cc") == [one("Doe, John", "ö@x.test")]
    assert groups(sent.data, "Reply-To") == [one("", "ü@x.test")]
    assert groups(sent.data, "Sender") == [one("Ä", "ä@x.test")]
    assert "用户@xn--r8jz45g.jp>".encode() in sent.data


@pytest.mark.parametrize("features", [{"8BITMIME": ""}, {}])
def test_without_smtputf8_no_address_is_made_up(features: dict[str, str]) -> None:
    """The address is the name of a group without members (RFC 6857): readable, and no other address."""
    sent = content(
        recipients=[JORG, ("Ann", "ann@example.test"), ("Jörg, M.", "JÖRG@example.test")],
        cc=["ö@x.test"],
        reply_to=JORG,
    ).fit_for(features)
    head, _blank, _body = sent.data.partition(b"\r\n\r\n")
    assert head.isascii()
    assert sorted(groups(sent.data, "To"), key=str) == sorted(
        [(JORG, []), one("Ann", "ann@example.test"), ("Jörg, M. JÖRG@example.test", [])], key=str
    )
    assert groups(sent.data, "Cc") == [("ö@x.test", [])]
    assert groups(sent.data, "Reply-To") == [(JORG, [])]
    assert not re.search(rb"\?=@|<=\?", head)
    assert sent.data.isascii() is ("8BITMIME" not in features)


def test_headers_of_plain_addresses_are_the_same_everywhere() -> None:
    """Nothing depends on SMTPUTF8 in a message without such addresses, also if one gets a blind copy."""
    plain = content(recipients=["ann@example.test"], bcc=[JORG])
    assert plain.fit_for(EVERYTHING).data == plain.data == plain.fit_for({"8BITMIME": ""}).data
    assert (plain.wide, plain.wide_sender) == ((), "")


def test_only_the_headers_with_such_addresses_change() -> None:
    made = content()
    narrow, wide = split_head(made.data), split_head(utf8_header(made).data)
    assert wide[1] == narrow[1]
    assert [(a.name, a == b) for a, b in zip(narrow[0], wide[0], strict=True) if a != b] == [("To", False)]
    assert utf8_header(seven_bit(made)).data.partition(b"\r\n\r\n")[2].isascii()


def test_many_addresses_are_folded() -> None:
    letters = [(f"Nämé {n}", f"üser{n}@example.test") for n in range(150)]
    made = content(recipients=letters)
    for features in (EVERYTHING, {}):
        data = made.fit_for(features).data
        assert all(len(line) <= 998 for line in data.split(b"\r\n"))
    assert sorted(groups(utf8_header(made).data, "To")) == sorted(one(*letter) for letter in letters)
    assert sorted(str(name) for name, _members in groups(made.data, "To")) == sorted(map(" ".join, letters))


@pytest.mark.parametrize("charset", ["iso-8859-1", "us-ascii", "shift_jis"])
def test_a_messages_charset_has_no_say_in_its_addresses(charset: str) -> None:
    """Flask-Mail writes addresses in the charset of the message, and fails if they do not fit."""
    made = content(recipients=["用户@x.test"], subject="x", body="x", charset=charset)
    assert groups(utf8_header(made).data, "To") == [one("", "用户@x.test")]


def test_content_can_be_pickled() -> None:
    made = content()
    assert pickle.loads(pickle.dumps(made)) == made


LOCAL = st.text(st.one_of(st.sampled_from("abc.öü用'+="), st.characters(codec="utf-8")), min_size=1, max_size=20)


def is_address(text: str) -> bool:
    try:
        return addr_spec(text) == text
    except ValueError:
        return False


@given(
    st.lists(
        st.tuples(st.sampled_from(["", "Ann", "Doe, J", "Jörg", "x <y@z.test>", "a:;"]), LOCAL).filter(
            lambda item: is_address(f"{item[1]}@d.test")
        ),
        min_size=1,
        max_size=4,
        unique_by=lambda item: item[1],
    )
)
def test_readers_find_exactly_the_addresses_that_were_meant(people: list[tuple[str, str]]) -> None:
    """Whatever the addresses: with SMTPUTF8 each of them, without it each that is ASCII and no other."""
    app = Flask("bare")
    Mail(app)
    everybody = [(name, f"{local}@d.test") for name, local in people]
    with app.app_context():
        made = content(recipients=everybody)
    data = utf8_header(made).data
    assert sorted(groups(data, "To")) == sorted(one(*each) for each in everybody)
    narrow = [member for _name, members in groups(made.data, "To") for member in members]
    assert sorted(narrow) == sorted(each for each in everybody if each[1].isascii())


# -- the gate


def test_the_gate_knows_both_variants() -> None:
    """Raw UTF-8 passes only in the headers that are meant so, and only with what was meant."""
    narrow, wide = mailboxes("To", [Mailbox("J", JORG)]), mailboxes("To", [Mailbox("J", JORG)], utf8=True)
    gate(narrow.write() + b"\r\n", [narrow])
    gate(wide.write() + b"\r\n", [wide])
    for data, meant in [
        (wide.write(), narrow),
        (narrow.write(), wide),
        (wide.write().replace("ö".encode(), b"\xf6"), wide),
        (wide.write().replace("ö".encode(), "ä".encode()), wide),
        (b"To: =?utf-8?q?j=C3=B6rg?=@example.test\r\n", narrow),
        (b"To: =?utf-8?q?j=C3=B6rg?=@example.test\r\n", wide),
        (f"To: J{' ' * 998} <{JORG}>\r\n".encode(), wide),
    ]:
        with pytest.raises(MessageRefused, match="came out wrong"):
            gate(data + b"\r\n", [meant])
    gate(wide.write() + b"X-Other: o\r\n\r\n", [wide], own_serialiser=True)
    with pytest.raises(MessageRefused, match="X-Other"):
        gate(wide.write() + "X-Other: ö\r\n\r\n".encode(), [wide], own_serialiser=True)


def test_a_message_that_signs_itself_is_not_rewritten() -> None:
    """Its own header with such an address cannot be put right without breaking the signature: it is refused."""

    class Signed(Message):  # type: ignore[misc]
        def as_bytes(self) -> bytes:
            return b"DKIM-Signature: v=1\r\n" + bytes(super().as_bytes())

    letter = Signed(subject="x", recipients=[JORG], body="x")
    with pytest.raises(MessageRefused, match="To of the message came out wrong"):
        render(letter, Sender(SHOP, SHOP.address), recipients_of(letter, 9), max_bytes=9999, own_serialiser=True)


# -- choosing at the server


def ship(bench: Bench, made: Content, *recipients: str, sender: str = SHOP.address) -> Any:
    return transmit(Shipment(content=made, sender=sender, recipients=recipients or (JORG,)), bench.line())


def test_the_transaction_declares_what_the_header_needs() -> None:
    """A header with raw UTF-8 takes SMTPUTF8 even if nobody in the envelope does (RFC 6531 §3.4)."""
    bench = Bench([accept], features=EVERYTHING)
    ship(bench, content(), "ann@example.test")
    ((envelope, data),) = bench.made[0].sent
    assert envelope.mail_options == ("SMTPUTF8",)
    assert JORG.encode() in data


def test_nothing_is_declared_that_is_not_needed() -> None:
    bench = Bench([accept], features=EVERYTHING)
    ship(bench, content(recipients=["ann@example.test"]), "ann@example.test")
    assert bench.made[0].sent[0][0].mail_options == ()


def test_without_smtputf8_the_header_is_ascii() -> None:
    bench = Bench([accept], features={"8BITMIME": ""})
    ship(bench, content(), "ann@example.test")
    ((envelope, data),) = bench.made[0].sent
    assert envelope.mail_options == ()
    assert data.partition(b"\r\n\r\n")[0].isascii()


def test_smtputf8_without_8bitmime() -> None:
    """Against RFC 6531, but seen: only the header is UTF-8."""
    bench = Bench([accept], features={"SMTPUTF8": ""})
    ship(bench, content())
    head, _blank, body = bench.made[0].sent[0][1].partition(b"\r\n\r\n")
    assert JORG.encode() in head
    assert body.isascii()


def test_a_sender_that_the_server_does_not_take() -> None:
    """Nothing is sent: neither From nor replies would reach anybody. The bounce address alone changes nothing."""
    bench = Bench([accept], features={"8BITMIME": ""})
    with pytest.raises(SenderRefused, match="the address is not ASCII") as caught:
        ship(bench, content(Mailbox("", JORG)), "ann@example.test", sender="bounce@example.test")
    assert bench.made[0].sent == []
    error = caught.value
    assert (error.code, error.enhanced, error.stage, error.sender) == (553, "5.6.7", Stage.MAIL_FROM, JORG)
    assert error.permanent
    assert not error.content_sent


# -- the test message


@pytest.mark.parametrize(
    ("sender", "recipient", "reply_to"),
    [(JORG, "ann@x.test", ""), ("a@x.test", JORG, JORG), ("a@x.test", "b@x.test", JORG)],
)
def test_the_test_message(sender: str, recipient: str, reply_to: str) -> None:
    """UTF-8 where its own envelope takes SMTPUTF8 anyhow; else a reply address of this kind is only shown."""
    data = trial_message(
        sender=Mailbox("Jörg, M", sender),
        recipient=recipient,
        reply_to=reply_to,
        app_name="Ä",
        server=server("Shöp", sender),
    )
    assert groups(data, "From") == [one("Jörg, M", sender)]
    assert groups(data, "To") == [one("", recipient)]
    head, _blank, body = data.partition(b"\r\n\r\n")
    wide = not (sender + recipient).isascii()
    assert head.isascii() is not wide
    assert body.isascii()
    if reply_to:
        assert groups(data, "Reply-To") == [one("", JORG) if wide else (JORG, [])]
