"""Replies: what is one, what is none, and that nothing a server sends makes the parser grow or fall over."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_smtpservers.errors import ProtocolError
from flask_smtpservers.smtp import Limits, Reply
from flask_smtpservers.smtp.reply import ReplyParser

LIMITS = Limits(line_bytes=64, reply_lines=4, reply_bytes=100)


def parse(data: bytes, limits: Limits | None = None) -> Reply | None:
    parser = ReplyParser(limits or Limits())
    parser.feed(data)
    return parser.next()


@pytest.mark.parametrize(
    ("data", "reply"),
    [
        (b"220 hi\r\n", Reply(220, ("hi",))),
        (b"220 hi\n", Reply(220, ("hi",))),
        (b"220\r\n", Reply(220, ("",))),
        (b"250-a\r\n250-b c\r\n250 d\r\n", Reply(250, ("a", "b c", "d"))),
        (b"250-a\r\n250\r\n", Reply(250, ("a", ""))),
        (b"571 5.7.1  no \r\n", Reply(571, ("5.7.1  no",))),
        ("550 caf\xe9 \x00\x1b[2J \x7f<b>\r\n".encode(), Reply(550, ("caf?? ??[2J ?<b>",))),
        (b"250 a\rb\r\n", Reply(250, ("a?b",))),
    ],
)
def test_replies(data: bytes, reply: Reply) -> None:
    """Well-formed replies are read; what is not printable ASCII becomes a question mark (P05, P14)."""
    assert parse(data) == reply


@pytest.mark.parametrize(
    "data",
    [
        b"25\r\n",
        b"2500\r\n",
        b"250x\r\n",
        b"999 x\r\n",
        b"199 x\r\n",
        b"600 x\r\n",
        b"\r\n",
        b"reply code 2\r\n",
        b"* OK IMAP4 ready\r\n",
        b"+OK POP3\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\xff\xfe2\x000\r\n",
        b" 250 ok\r\n",
        b"\xb2\xb2\xb0 x\r\n",
        b"-250 x\r\n",
    ],
)
def test_garbage(data: bytes) -> None:
    """What is no reply is an error that shows what came, printable (P05)."""
    with pytest.raises(ProtocolError) as caught:
        parse(data)
    assert caught.value.reply.isascii()
    assert caught.value.reply.isprintable()
    assert not caught.value.disconnected
    assert not caught.value.permanent


def test_mixed_codes() -> None:
    """One reply has one code (P06)."""
    with pytest.raises(ProtocolError, match="several codes"):
        parse(b"250-a\r\n550 b\r\n")


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"250 " + b"x" * 60, "line that is too long"),
        (b"250 " + b"x" * 60 + b"\r\n", "line that is too long"),
        (b"250-a\r\n" * 5, "reply that is too long"),
        ((b"250-" + b"y" * 40 + b"\r\n") * 3, "reply that is too long"),
    ],
)
def test_bounds(data: bytes, what: str) -> None:
    """Lines and replies that exceed the limits are errors as soon as they do (T35, P04)."""
    with pytest.raises(ProtocolError, match=what):
        parse(data, LIMITS)


def test_longest_line() -> None:
    """A line of exactly the limit is read."""
    assert parse(b"250 " + b"x" * 58 + b"\r\n", LIMITS) == Reply(250, ("x" * 58,))


def test_pieces() -> None:
    """A reply may come in any pieces; several may come at once."""
    parser = ReplyParser(Limits())
    for byte in b"250-a\r\n250 b\r":
        parser.feed(bytes([byte]))
        assert parser.next() is None
        assert parser.pending
    parser.feed(b"\n354 go\r\n25")
    assert parser.next() == Reply(250, ("a", "b"))
    assert parser.next() == Reply(354, ("go",))
    assert parser.next() is None
    assert parser.pending
    assert parser.rest == "25"


@pytest.mark.parametrize(
    ("lines", "enhanced", "text"),
    [
        (("5.7.8 no", "5.7.8 really"), "5.7.8", "5.7.8 no 5.7.8 really"),
        (("no", "5.7.8 x"), None, "no 5.7.8 x"),
        (("5.7.139 no",), "5.7.139", "5.7.139 no"),
        (("2.0.0",), "2.0.0", "2.0.0"),
        (("3.0.0 x",), None, "3.0.0 x"),
        (("5.7.8x",), None, "5.7.8x"),
        (("", "a", ""), None, "a"),
    ],
)
def test_text_and_enhanced_code(lines: tuple[str, ...], enhanced: str | None, text: str) -> None:
    """The enhanced code is the first line's; the text is all lines with a blank between them."""
    reply = Reply(535, lines)
    assert (reply.enhanced, reply.text) == (enhanced, text)


@pytest.mark.parametrize(
    ("code", "kind"), [(250, "positive"), (334, "intermediate"), (421, "transient"), (554, "permanent")]
)
def test_first_digit(code: int, kind: str) -> None:
    """The first digit decides what a reply is."""
    reply = Reply(code, ("",))
    assert [name for name in ("positive", "intermediate", "transient", "permanent") if getattr(reply, name)] == [kind]


def test_excerpt() -> None:
    """What errors and pages show of a reply is bounded."""
    assert len(Reply(550, ("x" * 1000, "y" * 1000)).excerpt) == 500


SMTP_LIKE = st.one_of(
    st.binary(max_size=80),
    st.from_regex(rb"[2-5][0-9]{2}[- ]?[ -~]{0,70}\r?\n?", fullmatch=True),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(SMTP_LIKE, max_size=12))
def test_any_bytes(chunks: list[bytes]) -> None:
    """Whatever comes, in whatever pieces: bounded and printable replies, or a ProtocolError, and nothing else."""
    parser = ReplyParser(LIMITS)
    fed = 0
    for chunk in chunks:
        parser.feed(chunk)
        fed += len(chunk)
        try:
            while (reply := parser.next()) is not None:
                assert 200 <= reply.code < 600
                assert 1 <= len(reply.lines) <= LIMITS.reply_lines
                assert len(reply.text) <= LIMITS.reply_bytes
                assert all(line.isascii() and (line.isprintable() or not line) for line in reply.lines)
        except ProtocolError as error:
            assert len(error.reply) <= 500
            assert error.reply.isprintable()
            return
        assert len(parser.rest) < LIMITS.line_bytes


@settings(max_examples=60, deadline=None)
@given(
    st.integers(200, 599),
    st.lists(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20), min_size=1, max_size=4),
    st.integers(1, 40),
)
def test_well_formed_replies_are_read_back(code: int, lines: list[str], size: int) -> None:
    """A reply that is formed by the rules is read as it was meant, in pieces of any size."""
    last = len(lines) - 1
    data = "".join(f"{code}{' ' if i == last else '-'}{line}\r\n" for i, line in enumerate(lines)).encode()
    parser = ReplyParser(LIMITS)
    found = []
    for start in range(0, len(data), size):
        parser.feed(data[start : start + size])
        if (reply := parser.next()) is not None:
            found.append(reply)
    assert found == [Reply(code, tuple(lines))]
