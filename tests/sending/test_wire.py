"""From a message to bytes: nothing gets into a header that was not meant, and everything meant arrives as it was."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Callable
from email.header import decode_header, make_header
from email.message import Message as Parsed
from email.utils import getaddresses
from typing import Any

import pytest
from flask_mail import Attachment, Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flask_smtpservers.errors import MessageRefused
from flask_smtpservers.sending.checks import mail_options, rcpt_options
from flask_smtpservers.sending.recipients import recipients_of
from flask_smtpservers.sending.sender import Mailbox, Sender, mailbox
from flask_smtpservers.sending.wire import Content, gate, render, seven_bit

pytestmark = pytest.mark.usefixtures("context")

FROM = Sender(Mailbox("Corner Shop", "shop@example.test"), "shop@example.test")


def message(**fields: Any) -> Message:
    return Message(**{"subject": "Hello", "recipients": ["ann@example.test"], "body": "Hi", **fields})


def wire(letter: Message, sender: Sender = FROM, **options: Any) -> Content:
    options = {"max_bytes": 1_000_000, **options}
    return render(letter, sender, recipients_of(letter, 1000), **options)


def parsed(content: Content) -> Parsed:
    return email.message_from_bytes(content.data)


def read(value: object) -> str:
    """A header value as a reader shows it: unfolded and decoded."""
    return re.sub(r"[ \t]+", " ", str(make_header(decode_header(re.sub(r"\r?\n", "", str(value))))))


def people(head: Parsed, name: str) -> list[tuple[str, str]]:
    return [
        (read(display), address)
        for display, address in getaddresses([re.sub(r"\r?\n", "", v) for v in head.get_all(name, [])])
    ]


# -- what arrives


def test_a_plain_message() -> None:
    """Each header once, no Bcc, the body as it was."""
    content = wire(message(cc=[("Bob", "bob@example.test")], bcc=["eve@example.test"], reply_to="help@example.test"))
    head = parsed(content)
    assert sorted(head.keys()) == sorted(
        [
            "Content-Type",
            "MIME-Version",
            "Content-Transfer-Encoding",
            "Subject",
            "From",
            "To",
            "Date",
            "Message-ID",
            "Cc",
            "Reply-To",
        ]
    )
    assert people(head, "From") == [("Corner Shop", "shop@example.test")]
    assert people(head, "To") == [("", "ann@example.test")]
    assert people(head, "Cc") == [("Bob", "bob@example.test")]
    assert head["Reply-To"] == "help@example.test"
    assert b"eve@" not in content.data
    assert head.get_payload() == "Hi"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Doe, John",
        "CEO <ceo@victim.test>",
        "a@victim.test",
        'quote " backslash \\ end',
        "(comment)",
        "semi;colon: [x]",
        "dot. dot.",
        "Jörg Müller",
        "名前" * 40,
        "😀 smile",
        "=?utf-8?q?literal",
        "x" * 1000,
        "long name " * 30,
        ", ".join(["Doe"] * 40),
        "ümlaut, comma " * 20,
    ],
)
def test_the_from_header_is_exactly_name_and_address(name: str) -> None:
    """Whatever a display name looks like, every reader finds our address behind it (security table I03)."""
    sender = Sender(mailbox(name, "shop@example.test"), "shop@example.test")
    content = wire(message(), sender)
    assert people(parsed(content), "From") == [(name.strip(), "shop@example.test")]
    assert (b"From: =?" in content.data) is (not name.isascii() or len(name) > 39 or "=?" in name)
    assert content.data.lower().count(b"\nfrom:") == 1
    assert all(len(line) <= 998 for line in content.data.split(b"\r\n"))


def test_the_message_id_names_the_senders_domain() -> None:
    """Not this machine's internal name, which Flask-Mail looks up and tells everybody."""
    content = wire(message())
    assert re.fullmatch(r"<\d+\.\d+\.\d+@example\.test>", content.message_id)
    assert parsed(content)["Message-ID"] == content.message_id


def test_a_hosts_own_message_id_stays() -> None:
    """As an attribute or an extra header; there is one in any case."""
    letter = message(extra_headers={"Message-Id": "<order-7@shop.test>"})
    assert parsed(wire(letter)).get_all("message-id") == ["<order-7@shop.test>"]
    letter = message()
    letter.msgId = "<order-8@shop.test>"
    assert parsed(wire(letter)).get_all("message-id") == ["<order-8@shop.test>"]


def test_only_hidden_recipients() -> None:
    letter = message(recipients=[], bcc=["eve@example.test"])
    assert parsed(wire(letter)).get_all("To") == ["undisclosed-recipients:;"]


def test_only_copies() -> None:
    """An empty To header is no header (RFC 5322 §3.6.3 wants an address in it)."""
    letter = message(recipients=[], cc=["bob@example.test"])
    assert parsed(wire(letter)).get_all("To") is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Extra", "Yes"),
        ("X-Number", 7),
        ("X-Umlaut", "grün & gut"),
        ("X-Encoded", "=?utf-8?q?gr=C3=BCn?="),
        ("X-Long", "word " * 300 + "end"),
        ("References", " ".join(f"<{n}@{'d' * 60}.test>" for n in range(30))),
        ("List-Unsubscribe", f"<https://shop.test/{'u' * 400}>, <mailto:leave@shop.test>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ("Sender", '"Doe, John" <j@shop.test>'),
        ("Reply-To", '"Doe, John" <j@shop.test>, help@shop.test'),
        ("In-Reply-To", f"<{'x' * 200}@shop.test>"),
        ("Auto-Submitted", "auto-generated"),
        ("X-Tab", "a\tb"),
        ("X-Empty", ""),
    ],
)
def test_extra_headers_arrive_as_they_are(name: str, value: object) -> None:
    """Also long ones, which the email package would turn into encoded-words that no unsubscribe link survives."""
    head = parsed(wire(message(extra_headers={name: value})))
    (found,) = head.get_all(name)
    if str(value).isascii():
        assert re.sub(r"\s+", " ", found.strip()) == re.sub(r"\s+", " ", str(value).strip())
    else:
        assert read(found) == value


def test_a_subject_that_is_folded_is_unfolded() -> None:
    """Flask-Mail allows "CRLF blank" in a subject (its own tests do); it goes out as one subject."""
    head = parsed(wire(message(subject="one\r\n two\r\n\tthree")))
    assert read(head["Subject"]).split() == ["one", "two", "three"]


@pytest.mark.parametrize(
    "subject", ["", "x" * 2000, "word " * 200, "Grüße " * 50, "=?utf-8?q?G=C3=BC?=", "\tx", "名" * 300]
)
def test_subjects_arrive(subject: str) -> None:
    content = wire(message(subject=subject))
    found = parsed(content).get_all("Subject", [])
    assert [read(value).strip() for value in found] == ([read(subject).strip()] if subject else [])
    assert all(len(line) <= 998 for line in content.data.split(b"\r\n"))


def test_many_recipients_are_folded() -> None:
    letter = message(recipients=[(f"Nämé, {n}", f"user{n}@example.test") for n in range(200)])
    content = wire(letter)
    assert sorted(people(parsed(content), "To")) == sorted((f"Nämé, {n}", f"user{n}@example.test") for n in range(200))
    assert all(len(line) <= 998 for line in content.data.split(b"\r\n"))


@pytest.mark.parametrize("filename", ["a.txt", "übung ←.txt", 'quo"te.txt', "semi;colon.txt", "ü" * 255, "n" * 255])
def test_attachment_names_arrive(filename: str) -> None:
    letter = message()
    letter.attach(filename, "text/plain", b"data")
    whole = email.message_from_bytes(wire(letter).data, policy=email.policy.default)
    (part,) = whole.iter_attachments()  # type: ignore[attr-defined]
    assert part.get_filename() == filename
    assert part.get_payload(decode=True) == b"data"


def test_text_attachments_arrive() -> None:
    """Flask-Mail makes "\\u5185" of a character that is not in Latin-1."""
    letter = message()
    letter.attach("a.csv", "text/csv", "Größe,内容\n")
    letter.attach("b.txt", "text/plain; charset=utf-8", "é")
    letter.attach("c.json", "application/json", '"é"')
    whole = email.message_from_bytes(wire(letter).data, policy=email.policy.default)
    parts = list(whole.iter_attachments())  # type: ignore[attr-defined]
    assert [part.get_content_type() for part in parts] == ["text/csv", "text/plain", "application/json"]
    assert [part.get_payload(decode=True).decode() for part in parts] == ["Größe,内容\n", "é", '"é"']
    assert parts[0].get_content_charset() == "utf-8"
    assert letter.attachments[0].data == "Größe,内容\n"


# -- bodies


ENDINGS = ["\r", "\n", "\r\n", ".", "..", "\r\n.\r\n", "\n.\n", "\r.\r", "\r\r\n", "\n\r"]


@pytest.mark.parametrize("first", ENDINGS)
@pytest.mark.parametrize("second", ENDINGS)
def test_bodies_have_canonical_line_ends(first: str, second: str) -> None:
    """No bare CR or LF can end the message early; the text is the same but for its line ends (I06)."""
    body = f"a{first}b{second}c{first}{second}"
    content = wire(message(body=body, html=f"<p>{body}</p>"))
    assert content.data.count(b"\r\n") == content.data.count(b"\n") == content.data.count(b"\r")
    plain = next(part for part in parsed(content).walk() if part.get_content_type() == "text/plain")
    got = plain.get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert got.splitlines() == re.sub(r"\r\n|\r|\n", "\n", body).splitlines()


@pytest.mark.parametrize("length", [997, 998, 999, 3000, 1_000_00])
@pytest.mark.parametrize("kind", ["body", "html", "both"])
def test_long_lines_are_encoded(length: int, kind: str) -> None:
    """At most 998 octets in a line, with equal content (I07)."""
    text = "é" * (length // 2) + "." * (length % 2)
    fields = {"body": {"body": text}, "html": {"html": text}, "both": {"body": text, "html": text}}[kind]
    content = wire(message(**fields))
    assert max(len(line) for line in content.data.split(b"\r\n")) <= 998
    wanted = {"body": ["text/plain"], "html": ["text/html"], "both": ["text/plain", "text/html"]}[kind]
    for part in parsed(content).walk():
        if part.get_content_type() in wanted:
            assert part.get_payload(decode=True).decode().rstrip("\r\n") == text  # type: ignore[union-attr]


def test_a_fit_body_is_left_alone() -> None:
    """998 octets are allowed: nothing is encoded that need not be."""
    content = wire(message(body="x" * 998))
    assert b"quoted-printable" not in content.data
    assert b"x" * 998 in content.data


def test_a_nul_in_the_text_is_encoded() -> None:
    content = wire(message(body="a\0b"))
    assert b"\0" not in content.data
    assert parsed(content).get_payload(decode=True) == b"a\0b"


def test_seven_bits_for_a_server_without_8bitmime() -> None:
    letter = message(body="Grüße\r\nzwei", html="<p>Grüße</p>")
    letter.attach("ü.bin", "application/octet-stream", bytes(range(256)))
    content = wire(letter)
    assert content.eight_bit
    ascii_only = seven_bit(content)
    assert not ascii_only.eight_bit
    assert ascii_only.message_id == content.message_id
    assert not wire(letter, need_seven_bit=True).eight_bit
    texts = [part.get_payload(decode=True) for part in parsed(ascii_only).walk() if not part.is_multipart()]
    assert texts == ["Grüße\r\nzwei".encode(), "<p>Grüße</p>".encode(), bytes(range(256))]
    assert seven_bit(ascii_only) is ascii_only


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "shift_jis", "us-ascii"])
def test_charsets(charset: str) -> None:
    text = {"shift_jis": "内容", "us-ascii": "plain"}.get(charset, "Grüße")
    content = wire(message(subject=text, body=text, charset=charset), need_seven_bit=True)
    head = parsed(content)
    assert read(head["Subject"]) == text
    charset_sent = head.get_content_charset()
    assert charset_sent
    assert head.get_payload(decode=True).decode(charset_sent) == text  # type: ignore[union-attr]


def test_a_charset_that_cannot_hold_the_text() -> None:
    with pytest.raises(MessageRefused, match="cannot be written"):
        wire(message(body="Grüße", charset="us-ascii"))


def test_an_attached_message_survives() -> None:
    inner = b"Subject: inner\r\n\r\n" + b"y" * 2000 + b"\r\n"
    letter = message(body="x" * 2000)
    letter.attach("mail.eml", "application/octet-stream", inner)
    letter.attach("mail2.eml", "message/rfc822", inner)
    content = wire(letter, need_seven_bit=True)
    assert max(len(line) for line in content.data.split(b"\r\n")) <= 998
    parts = list(parsed(content).walk())
    assert parts[1].get_payload(decode=True).rstrip() == b"x" * 2000  # type: ignore[union-attr]
    assert parts[2].get_payload(decode=True) == inner


# -- what is refused


CONTROLS = [
    "\r",
    "\n",
    "\r\n",
    "\r\n ",
    "\0",
    "\x0b",
    "\x0c",
    "\x1b",
    "\x7f",
    "\x85",
    "\x9b",
    "\u2028",
    "\u2029",
    "\ud800",
]

PLACES: dict[str, Callable[[str], dict[str, Any]]] = {
    "recipients": lambda c: {"recipients": [f"ann{c}@example.test"]},
    "recipient name": lambda c: {"recipients": [(f"An{c}n", "ann@example.test")]},
    "recipient address": lambda c: {"recipients": [("Ann", f"ann@example.test{c}x")]},
    "cc": lambda c: {"cc": [f"ann{c}@example.test"]},
    "cc name": lambda c: {"cc": [(f"An{c}n", "ann@example.test")]},
    "cc address": lambda c: {"cc": [("Ann", f"ann@example.test{c}Bcc: x@y.test")]},
    "bcc": lambda c: {"bcc": [f"ann@example.test{c}"]},
    "bcc address": lambda c: {"bcc": [("Ann", f"ann@example.test{c}")]},
    "reply_to": lambda c: {"reply_to": f"ann@example.test{c}"},
    "reply_to name": lambda c: {"reply_to": (f"An{c}n", "ann@example.test")},
    "reply_to address": lambda c: {"reply_to": ("Ann", f"ann@example.test{c}Bcc: x@y.test")},
    "header name": lambda c: {"extra_headers": {f"X-A{c}Bcc": "x"}},
    "header value": lambda c: {"extra_headers": {"X-A": f"x{c}Bcc: x@y.test"}},
    "message id": lambda c: {"extra_headers": {"Message-ID": f"<x{c}@y.test>"}},
    "sender header": lambda c: {"extra_headers": {"Sender": f"x@y.test{c}z"}},
    "reply-to header": lambda c: {"extra_headers": {"Reply-To": f"x@y.test{c}z"}},
    "mail_options": lambda c: {"mail_options": [f"RET=FULL{c}"]},
    "rcpt_options": lambda c: {"rcpt_options": [f"NOTIFY=NEVER{c}"]},
    "alts": lambda c: {"alts": {f"html{c}X: y": "x"}},
    "charset": lambda c: {"charset": f"utf-8{c}"},
    "sender": lambda c: {"sender": f"Ann{c} <ann@example.test>"},
    "filename": lambda c: {"attachments": [Attachment(f"a{c}.txt", "text/plain", b"x")]},
    "content_type": lambda c: {"attachments": [Attachment("a", f"text/plain{c}X: y", b"x")]},
    "disposition": lambda c: {"attachments": [Attachment("a", "text/plain", b"x", f"inline{c}X: y")]},
    "part header name": lambda c: {"attachments": [Attachment("a", "text/plain", b"x", headers={f"X{c}Y": "y"})]},
    "part header value": lambda c: {"attachments": [Attachment("a", "text/plain", b"x", headers={"X-Y": f"y{c}Z: z"})]},
}


@pytest.mark.parametrize("control", CONTROLS, ids=ascii)
@pytest.mark.parametrize("place", PLACES)
def test_control_characters_are_refused_everywhere(place: str, control: str) -> None:
    """The table I01, and each way in which Flask-Mail lets headers be injected."""
    letter = message(**PLACES[place](control))
    with pytest.raises(MessageRefused) as caught:
        wire(letter)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("control", [c for c in CONTROLS if c != "\r\n "], ids=ascii)
def test_control_characters_in_the_subject_are_refused(control: str) -> None:
    """But for the fold that Flask-Mail allows."""
    with pytest.raises(MessageRefused):
        wire(message(subject=f"Hello{control}Bcc: x@y.test"))


@pytest.mark.parametrize("subject", ["a\r\n", "a\r\n ", "a\r\n \r\n b", "\r\n a", "a\r\n\tb\n", "a\r\nb"])
def test_a_fold_without_text_is_refused(subject: str) -> None:
    with pytest.raises(MessageRefused):
        wire(message(subject=subject))


def test_a_message_id_set_by_the_host_is_checked() -> None:
    letter = message()
    letter.msgId = "<a@b>\r\nBcc: x@y.test"
    with pytest.raises(MessageRefused):
        wire(letter)


@pytest.mark.parametrize(
    "headers",
    [
        {"From": "x@y.test"},
        {"To": "x@y.test"},
        {"Cc": "x@y.test"},
        {"Bcc": "x@y.test"},
        {"bCc": "x@y.test"},
        {"Date": "Mon, 1 Jan 2024 00:00:00 +0000"},
        {"Return-Path": "<x@y.test>"},
        {"Received": "from x"},
        {"DKIM-Signature": "v=1"},
        {"Content-Type": "text/html"},
        {"content-transfer-encoding": "8bit"},
        {"Content-Whatever": "x"},
        {"MIME-Version": "2.0"},
        {"Resent-From": "x@y.test"},
        {"Resent-Bcc": "x@y.test"},
        {"Subject": "Another"},
        {"Reply-To": "x@y.test, "},
        {"Reply-To": "a@b.test", "reply-to": "x@y.test"},
        {"Message-ID": "<a@b>", "Message-Id": "<c@d>"},
        {"Message-ID": "nothing"},
        {"Message-ID": "<a@b> <c@d>"},
        {"Sender": "a@b.test, c@d.test"},
        {"Sender": "nobody"},
        {"List-Id": "Grüße <list.x.test>"},
        {"X A": "x"},
        {"X-A:": "x"},
        {"": "x"},
        {"X-Ä": "x"},
        {"X-Word": "x" * 1000},
    ],
    ids=str,
)
def test_headers_that_are_not_the_hosts_to_set(headers: dict[str, str]) -> None:
    """The table I02: who wrote to whom, how it is built, which way it went; and single headers only once."""
    letter = message(extra_headers=headers)
    if headers == {"Reply-To": "x@y.test, "}:
        letter.reply_to = "help@example.test"
    with pytest.raises(MessageRefused):
        wire(letter)


def test_a_subject_among_the_extra_headers_is_taken_if_there_is_no_other() -> None:
    assert parsed(wire(message(subject="", extra_headers={"Subject": "Hi"}))).get_all("Subject") == ["Hi"]


@pytest.mark.parametrize(
    "fields",
    [
        {"mail_options": ["SIZE=1 AUTH=<>"]},
        {"mail_options": ["AUTH=<>"]},
        {"mail_options": ["XFOO"]},
        {"mail_options": ["RET=ALL"]},
        {"rcpt_options": ["NOTIFY=NEVER,SUCCESS"]},
        {"rcpt_options": ["NOTIFY="]},
        {"rcpt_options": ["RET=FULL"]},
        {"rcpt_options": ["NOTIFY=SUCCESS ORCPT=x"]},
        {"charset": "no-such-charset"},
        {"alts": {"text/html": "x"}},
        {"attachments": [Attachment("a", "nothing", b"x")]},
        {"attachments": [Attachment("a", "a/b/c", b"x")]},
        {"attachments": [Attachment("n" * 256, "text/plain", b"x")]},
        {"attachments": [Attachment("a", "text/plain", b"x", headers={"Content-Type": "text/html"})]},
        {"attachments": [Attachment("a", "text/plain", b"x", headers={"Content-Transfer-Encoding": "8bit"})]},
        {"recipients": ["a@x.test, b@y.test"]},
        {"body": "lone \ud800 surrogate"},
        {"date": float("nan")},
        {"date": 1e300},
    ],
    ids=lambda fields: (
        str({k: getattr(v[0], "__dict__", v) if isinstance(v, list) else v for k, v in fields.items()})[:70]
        .encode("ascii", "replace")
        .decode()
    ),
)
def test_other_things_that_cannot_be_sent(fields: dict[str, Any]) -> None:
    with pytest.raises(MessageRefused):
        wire(message(**fields))


def test_options_that_can_do_no_harm_pass() -> None:
    """Those of delivery reports are the host's; what describes the transport is ours to say, and is dropped."""
    letter = message(
        mail_options=["BODY=8BITMIME", "SIZE=7", "RET=HDRS", "ENVID=a+2Bb"],
        rcpt_options=["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;ann@example.test"],
    )
    assert wire(letter).data
    assert mail_options(letter) == ("RET=HDRS", "ENVID=a+2Bb")
    assert rcpt_options(letter) == ("NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;ann@example.test")


def test_too_large_a_message_names_the_limit() -> None:
    with pytest.raises(MessageRefused, match=r"the limit is 5,000 \(SMTPSERVERS_MAX_MESSAGE_BYTES\)"):
        wire(message(body="x\n" * 5000), max_bytes=5000)


# -- recipients


def test_each_recipient_once_in_order() -> None:
    """The domain is compared without case, the local part exactly; the first spelling counts."""
    letter = message(
        recipients=[("Ann", "ann@X.test"), "bob@x.test", "ANN@x.test"],
        cc=["Ann Two <ann@x.TEST>", "cid@x.test"],
        bcc=["bob@X.test", "eve@Bücher.example"],
    )
    assert recipients_of(letter, 10).envelope == (
        "ann@X.test",
        "bob@x.test",
        "ANN@x.test",
        "cid@x.test",
        "eve@xn--bcher-kva.example",
    )


def test_too_many_recipients_names_the_limit() -> None:
    letter = message(recipients=[f"u{n}@x.test" for n in range(11)])
    with pytest.raises(MessageRefused, match=r"more than 10 recipients \(SMTPSERVERS_MAX_RECIPIENTS\)"):
        recipients_of(letter, 10)
    recipients_of(letter, 11)


def test_a_subclass_may_redirect_the_envelope() -> None:
    """Hosts override ``send_to`` to send all mail of a staging system to one address."""

    class Redirected(Message):
        @property
        def send_to(self) -> set[Any]:
            return {"catch@all.test"}

    read_out = recipients_of(Redirected("Hi", recipients=["ann@x.test"]), 10)
    assert read_out.envelope == ("catch@all.test",)
    assert [item.address for item in read_out.to] == ["ann@x.test"]


# -- subclasses that write themselves


class Tagged(Message):
    """Adds a header, and writes Unix line ends."""

    tag = b"X-Tag: yes\n"

    def as_bytes(self) -> bytes:
        return self.tag + super().as_bytes().replace(b"\r\n", b"\n")


def test_a_subclass_may_add_headers() -> None:
    content = wire(Tagged("Hi", recipients=["ann@x.test"], body="Hi"), own_serialiser=True)
    assert parsed(content)["X-Tag"] == "yes"
    assert content.data.count(b"\r\n") == content.data.count(b"\n")


def test_added_headers_are_refused_of_anyone_else() -> None:
    """The gate counts: a header that nobody meant is a way in that nobody thought of."""
    with pytest.raises(MessageRefused, match="header x-tag of the message came out wrong"):
        wire(Tagged("Hi", recipients=["ann@x.test"], body="Hi"))


@pytest.mark.parametrize(
    "tag",
    [
        b"Bcc: eve@x.test\n",
        b"From: ceo@victim.test\n",
        b"Received: x\n",
        b"no header\n",
        b"X-\xc3\xbc: x\n",
        b"X: \xc3\xbc\n",
    ],
)
def test_even_a_subclass_may_not_add_these(tag: bytes) -> None:
    letter = Tagged("Hi", recipients=["ann@x.test"], body="Hi")
    letter.tag = tag
    with pytest.raises(MessageRefused):
        wire(letter, own_serialiser=True)


def test_what_a_subclass_signed_is_left_as_it_is() -> None:
    """Flask-Mail writes recipients in any order and names as encoded-words; a signature covers just that."""
    seen: list[bytes] = []

    class Signed(Message):
        def as_bytes(self) -> bytes:
            seen.append(b"DKIM-Signature: v=1\r\n" + super().as_bytes())
            return seen[-1]

    letter = Signed("x " * 60, recipients=[("Doe, J", "j@x.test"), ("Ann", "a@x.test")], body="Hi")
    assert wire(letter, own_serialiser=True).data == seen[0]


def test_what_a_subclass_wrote_too_long_is_written_anew() -> None:
    class Unfolded(Message):
        def as_bytes(self) -> bytes:
            return re.sub(rb"\r\n[ \t]", b" ", super().as_bytes())

    letter = Unfolded("Hi", recipients=[f"user{n}@example.test" for n in range(100)], body="Hi")
    content = wire(letter, own_serialiser=True)
    assert max(len(line) for line in content.data.split(b"\r\n")) <= 998
    assert len(people(parsed(content), "To")) == 100


class Raw(Message):
    """Writes a structure of its own."""

    structure = b""

    def as_bytes(self) -> bytes:
        head = b"From: Corner Shop <shop@example.test>\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\nMIME-Version: 1.0\r\n"
        return head + self.structure


def raw(structure: str) -> Raw:
    letter = Raw("Hi", recipients=["ann@example.test"])
    letter.structure = structure.replace("\n", "\r\n").encode()
    return letter


def test_a_forwarded_message_is_made_ascii_in_its_parts() -> None:
    """The message part itself must stay as it is (RFC 2046 §5.2.1); what lies within it may be encoded."""
    letter = raw(
        "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\n"
        "Subject: inner\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nGrüße\n--b--\n"
    )
    content = wire(letter, own_serialiser=True, need_seven_bit=True)
    inner = next(part for part in parsed(content).walk() if part["Subject"] == "inner")
    assert inner.get_payload(decode=True).decode().strip() == "Grüße"  # type: ignore[union-attr]


def test_what_is_signed_is_not_encoded() -> None:
    """It would no longer be what was signed: better not sent (RFC 1847 wants 7 bits from the start)."""
    letter = raw(
        'Content-Type: multipart/signed; boundary=b; protocol="application/pgp-signature"\n\n'
        "--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nGrüße\n"
        "--b\nContent-Type: application/pgp-signature\n\nx\n--b--\n"
    )
    wire(letter, own_serialiser=True)
    with pytest.raises(MessageRefused, match="takes ASCII only"):
        wire(letter, own_serialiser=True, need_seven_bit=True)


def test_the_servers_reply_to_makes_way() -> None:
    """For the message's own, also if that is an extra header; there is one in any case."""
    sender = Sender(FROM.header, FROM.envelope, Mailbox("Help", "help@example.test"))
    assert parsed(wire(message(), sender)).get_all("Reply-To") == ["Help <help@example.test>"]
    assert parsed(wire(message(reply_to="a@x.test"), sender)).get_all("Reply-To") == ["a@x.test"]
    extra = message(extra_headers={"Reply-To": "b@x.test"})
    assert parsed(wire(extra, sender)).get_all("Reply-To") == ["b@x.test"]


def test_a_forged_sender_in_a_signed_message_is_refused() -> None:
    class Forged(Message):
        def as_bytes(self) -> bytes:
            return b"DKIM-Signature: v=1\r\n" + super().as_bytes().replace(b"shop@example.test", b"ceo@victim.test")

    with pytest.raises(MessageRefused, match="From"):
        wire(Forged("Hi", recipients=["ann@x.test"], body="Hi"), own_serialiser=True)


@pytest.mark.parametrize(
    "data",
    [b"A: b\r\n\r\nx\ny", b"A: b\r\n\r\nx\ry", b"A: b\r\n\r\n\0", b"A: b\r\n\r\n" + b"x" * 999, b"no header\r\n\r\n"],
)
def test_the_gate_refuses_raw_bytes_that_are_not_canonical(data: bytes) -> None:
    with pytest.raises(MessageRefused):
        gate(data, [], own_serialiser=True)


# -- I09: anything goes in, the same comes out


printable = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp", "Cf"])
texts = st.text(printable, max_size=120).map(lambda text: re.sub(" +", " ", text).strip())
ascii_texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=200).map(
    lambda t: re.sub(" +", " ", t).strip()
)
names = st.one_of(texts, ascii_texts).filter(lambda name: "=?" not in name)
locals_ = st.from_regex(r"[a-z0-9#$&'*+/=?^_`{|}~-]{1,20}", fullmatch=True).filter(lambda t: "=?" not in t)
addresses = st.builds("{}@{}.test".format, locals_, st.from_regex(r"[a-z][a-z0-9]{0,20}", fullmatch=True))
pairs = st.tuples(names, addresses)
header_names = st.from_regex(r"X-[A-Za-z0-9-]{1,30}", fullmatch=True)
values = st.one_of(texts, ascii_texts).filter(lambda value: "=?" not in value)
bodies = st.text(st.characters(codec="utf-8"), max_size=3000)


def unique(found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return list({address: (name, address) for name, address in reversed(found)}.values())


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    sender=pairs,
    to=st.lists(pairs, min_size=1, max_size=4),
    cc=st.lists(pairs, max_size=2),
    reply_to=st.none() | pairs,
    subject=values,
    extra=st.dictionaries(header_names, values, max_size=3),
    body=bodies,
    html=st.none() | bodies,
    data=st.none() | st.binary(max_size=500),
    ascii_only=st.booleans(),
)
def test_what_goes_in_comes_out(
    sender: tuple[str, str],
    to: list[tuple[str, str]],
    cc: list[tuple[str, str]],
    reply_to: tuple[str, str] | None,
    subject: str,
    extra: dict[str, str],
    body: str,
    html: str | None,
    data: bytes | None,
    ascii_only: bool,
) -> None:
    """A random message, written, then read by the standard library: the same headers, the same values (I09)."""
    extra = {name.lower(): value for name, value in extra.items()}
    letter = Message(subject, recipients=to, cc=cc, reply_to=reply_to, body=body, html=html, extra_headers=extra)  # type: ignore[arg-type]
    if data is not None:
        letter.attach("ä.bin", "application/octet-stream", data)
    content = wire(letter, Sender(mailbox(*sender), sender[1]), need_seven_bit=ascii_only)
    head = parsed(content)
    assert people(head, "From") == [sender]
    assert sorted(people(head, "To")) == sorted(unique(to))
    assert sorted(people(head, "Cc")) == sorted(unique(cc))
    assert people(head, "Reply-To") == ([reply_to] if reply_to else [])
    assert [read(value).strip() for value in head.get_all("Subject", [])] == ([subject] if subject else [])
    for name, value in extra.items():
        assert [read(found).strip() for found in head.get_all(name)] == [value]
    structure = {"content-type", "content-transfer-encoding", "mime-version", "date", "message-id"}
    known = structure | {"from", "to", "cc", "reply-to", "subject"}
    assert {name.lower() for name in head} - known == set(extra)
    parts = {part.get_content_type(): part.get_payload(decode=True) for part in head.walk() if not part.is_multipart()}
    newlines = re.compile(r"\r\n|\r|\n")
    assert newlines.sub("\n", parts["text/plain"].decode()).rstrip("\n") == newlines.sub("\n", body).rstrip("\n")  # type: ignore[union-attr]
    assert parts.get("application/octet-stream") == data
    assert all(len(line) <= 998 for line in content.data.split(b"\r\n"))
    assert content.data.isascii() or not ascii_only


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    place=st.sampled_from(sorted(PLACES)),
    control=st.characters(categories=["Cc", "Zl", "Zp", "Cs"]).filter(lambda c: c != "\t"),
)
def test_an_injected_control_character_is_always_refused(place: str, control: str) -> None:
    with pytest.raises(MessageRefused):
        wire(message(**PLACES[place](control)))
