"""The messages that are written directly: a reader finds in them what he finds in those that Flask-Mail writes."""

from __future__ import annotations

import email
import email.policy
import re
from email.message import Message as Part
from typing import Any

import pytest
from flask import current_app
from flask_mail import Attachment, Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flask_smtpservers.sending.encoding import canonical
from flask_smtpservers.sending.mime import ordinary
from flask_smtpservers.sending.recipients import recipients_of
from flask_smtpservers.sending.sender import Mailbox, Sender
from flask_smtpservers.sending.wire import render

pytestmark = pytest.mark.usefixtures("context")

FROM = Sender(Mailbox("Corner Shop", "shop@example.test"), "shop@example.test")
#: What Flask-Mail writes into every part, the boundaries that nobody chose, and how bodies are encoded.
UNTOLD = {"mime-version", "content-type", "content-transfer-encoding", "content-disposition"}


def message(**fields: Any) -> Message:
    return Message(**{"subject": "Hello", "recipients": ["ann@example.test"], "body": "Hi", **fields})


def wire(letter: Message, **options: Any) -> bytes:
    return render(letter, FROM, recipients_of(letter, 9), max_bytes=10_000_000, **options).data


def told(raw: bytes) -> list[Any]:
    """What a reader is told: of each part its type, the parameters of that, its other headers, and its content."""
    whole = email.message_from_bytes(canonical(raw))
    return [_told(part, top=part is whole) for part in whole.walk()]


def _told(part: Part, *, top: bool) -> tuple[Any, ...]:
    kind = [item for item in part.get_params() or [] if item[0] != "boundary"]
    others = [] if top else [item for item in part.items() if item[0].lower() not in UNTOLD]
    headers = sorted((name.lower(), re.sub(r"\r\n(?=[ \t])", "", value).strip()) for name, value in others)
    content = part.get_payload(decode=True)
    assert not part.defects
    if isinstance(content, bytes) and part.get_content_maintype() == "text" and part["Content-Disposition"] is None:
        content = canonical(content)
    return kind, headers, part.get_filename(), part.get_content_disposition(), content


def check_bytes(raw: bytes) -> None:
    """The rules of the wire."""
    assert raw.count(b"\r\n") == raw.count(b"\r") == raw.count(b"\n")
    assert b"\0" not in raw
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    names = [line.partition(b":")[0].lower() for line in raw.partition(b"\r\n\r\n")[0].split(b"\r\n")]
    for name in (b"mime-version", b"content-type", b"from", b"date", b"message-id"):
        assert names.count(name) == 1


bodies = st.text(st.characters(codec="utf-8"), max_size=2000) | st.text("a.\r\n \té=", max_size=300)
tokens = st.from_regex(r"[a-z0-9][a-z0-9.+-]{0,20}", fullmatch=True)
filenames = st.from_regex(r"[!-~]{1,20}( [!-~]{1,20}){0,4}", fullmatch=True)
attachments = st.builds(
    Attachment,
    filename=st.none() | filenames,
    content_type=st.builds("{}/{}".format, st.sampled_from(["text", "image", "application", "x-a"]), tokens),
    data=st.binary(max_size=400) | bodies.filter(str.isascii),
    disposition=st.sampled_from([None, "inline", "attachment"]),
    headers=st.dictionaries(
        st.sampled_from(["Content-ID", "X-One", "Content-Location"]),
        st.from_regex(r"[!-~]{1,30}", fullmatch=True).filter(lambda value: "=?" not in value),
        max_size=2,
    ),
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    body=st.none() | bodies,
    alts=st.dictionaries(st.sampled_from(["html", "calendar", "x-amp-html"]), bodies, max_size=3),
    files=st.lists(attachments, max_size=3),
    seven_bit=st.booleans(),
)
def test_readers_are_told_what_flask_mail_tells_them(
    body: str | None, alts: dict[str, str], files: list[Attachment], seven_bit: bool
) -> None:
    letter = message(body=body, alts=alts, attachments=files)
    assert ordinary(letter) is not None
    raw = wire(letter, need_seven_bit=seven_bit)
    check_bytes(raw)
    assert raw.isascii() or not seven_bit
    assert told(raw) == told(letter.as_bytes())


@pytest.mark.parametrize(
    "fields",
    [
        {"body": None},
        {"body": ""},
        {"body": "Grüße", "html": "<p>Grüße"},
        {"body": "x" * 998},
        {"body": "ä" * 5000, "html": "<p>" + "ä" * 5000},
        {"body": "a\0b"},
        {"body": ".\r\n..\n.", "html": ".\r.\n"},
        {"body": "x", "charset": "UTF-8"},
        {"body": "trailing \n blanks\t\n=\n"},
        {"attachments": [Attachment('quo"te \\.txt', "text/plain", b"x")]},
        {"attachments": [Attachment("a.csv", 'text/csv; header="present"', b"a,b\n")]},
        {"attachments": [Attachment(None, None, b"x")]},
        {"attachments": [Attachment("e.bin", None, b"")]},
        {"attachments": [Attachment("t.txt", None, "text\n")]},
        {"attachments": [Attachment("n" * 255, "text/plain", b"x")]},
        {
            "html": "<img src=cid:a>",
            "attachments": [Attachment("a.png", None, b"\x89", "inline", {"Content-ID": "<a>"})],
        },
    ],
    ids=lambda fields: str(fields)[:40],
)
def test_ordinary_messages(fields: dict[str, Any]) -> None:
    letter = message(**fields)
    assert ordinary(letter) is not None
    raw = wire(letter)
    check_bytes(raw)
    assert told(raw) == told(letter.as_bytes())


class Signed(Message):
    """Writes itself."""

    def as_bytes(self) -> bytes:
        return super().as_bytes()


class Wrapped(Message):
    """Makes its text parts itself."""

    def _mimetext(self, text: str | None, subtype: str = "plain") -> Any:
        return super()._mimetext(f"** {text} **", subtype)


@pytest.mark.parametrize(
    "letter",
    [
        lambda: message(charset="iso-8859-1", body="Grüße"),
        lambda: message(alts={"html; x=y": "a"}),
        lambda: message(attachments=[Attachment("ü.txt", "text/plain", b"x")]),
        lambda: message(attachments=[Attachment("a  b.txt", "text/plain", b"x")]),
        lambda: message(attachments=[Attachment("a.eml", "message/rfc822", b"Subject: x\r\n\r\nx")]),
        lambda: message(attachments=[Attachment("a.txt", "text/plain; x=" + "y" * 300, b"x")]),
        lambda: Signed("Hi", recipients=["ann@x.test"], body="Hi"),
        lambda: Wrapped("Hi", recipients=["ann@x.test"], body="Hi"),
    ],
)
def test_what_is_not_ordinary_is_left_to_the_message(letter: Any) -> None:
    """It still goes out, by way of its own ``as_bytes``."""
    written = letter()
    assert ordinary(written) is None
    check_bytes(wire(written))


def test_a_subclass_that_only_reads_otherwise_is_ordinary() -> None:
    """Its text is asked for as of any message."""

    class Shouting(Message):
        def __getattribute__(self, name: str) -> Any:
            value = super().__getattribute__(name)
            return value.upper() if name == "body" else value

    letter = Shouting("Hi", recipients=["ann@x.test"], body="loud")
    assert ordinary(letter) is not None
    assert b"LOUD" in wire(letter)


def test_a_class_that_was_patched_writes_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts and their tests put functions of their own in the place of Flask-Mail's."""
    original = Message.as_bytes
    monkeypatch.setattr(Message, "as_bytes", lambda self: original(self).replace(b"Hi", b"Ho"))
    assert wire(message()).endswith(b"\r\n\r\nHo")
    monkeypatch.undo()
    letter = message()
    monkeypatch.setattr(letter, "as_bytes", lambda: original(letter).replace(b"Hi", b"He"))
    assert wire(letter).endswith(b"\r\n\r\nHe")


def test_names_of_attachments_follow_flask_mails_setting() -> None:
    """MAIL_ASCII_ATTACHMENTS changes names, and so such names are left to Flask-Mail."""
    current_app.extensions["mail"].ascii_attachments = True
    raw = wire(message(attachments=[Attachment("übung  1.txt", "text/plain", b"x")]))
    assert b'filename="ubung 1.txt"' in raw


def test_headers_of_attachments_are_folded_and_encoded() -> None:
    """Like those of the message; Flask-Mail fails on what is not ASCII."""
    raw = wire(message(attachments=[Attachment("a", "text/plain", b"x", headers={"X-A": "ü", "X-B": "word " * 300})]))
    check_bytes(raw)
    (part,) = [part for part in email.message_from_bytes(raw, policy=email.policy.default).walk() if "X-A" in part]
    assert (part["X-A"], part["X-B"].split()) == ("ü", ["word"] * 300)


def test_boundaries_cannot_be_foreseen() -> None:
    """Nor written into a text, where they would end it."""
    raws = [wire(message(html="x")) for _ in range(2)]
    boundaries = [re.findall(rb'boundary="([^"]+)"', raw) for raw in raws]
    assert len({item for found in boundaries for item in found}) == 4
