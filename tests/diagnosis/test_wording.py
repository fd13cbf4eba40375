"""Replies and error texts made comparable."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_smtpservers.diagnosis.wording import code_in, enhanced_in, unwrapped, without_links


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("534-5.7.9 One\r\n534-5.7.9 two\r\n534 5.7.9 three", "534-5.7.9 one two three"),
        ("(535, b'5.7.8 Not\\n5.7.8  accepted')", "(535, b'5.7.8 not accepted')"),
        ("A\N{NO-BREAK SPACE}B\n  C", "a b c"),
        (r"(550, '\xd3\xc3\xbb\xa7')", "(550, '用户')"),
        (r"b'\xc3\xa9t\xc3\xa9'", "b'été'"),
        ("CERT_HAS_EXPIRED", "cert has expired"),
    ],
)
def test_unwrapped(text: str, line: str) -> None:
    """Wrapped lines become one, repeated codes go, escaped bytes are decoded as UTF-8 or GBK."""
    assert unwrapped(text) == line


def test_addresses_say_nothing() -> None:
    """Links and mail addresses are taken out: their words are not the server's."""
    assert without_links("see https://x.org/spam and <virus@x.org>: no") == "see  and <address>: no"


@pytest.mark.parametrize(
    ("text", "code", "enhanced"),
    [
        ("550 5.7.1 no", 550, "5.7.1"),
        ("error (535, b'5.7.8 no')", 535, "5.7.8"),
        ("connect 10.4.2.1:465 failed", None, ""),
        ("421-wait", 421, ""),
    ],
)
def test_codes_in_text(text: str, code: int | None, enhanced: str) -> None:
    """Codes are found in free text, and addresses are not taken for them."""
    assert (code_in(text), enhanced_in(text)) == (code, enhanced)


@given(st.text(max_size=200))
def test_any_text_is_taken(text: str) -> None:
    """No text makes it fail, and doing it twice changes nothing more."""
    once = unwrapped(text)
    assert once == once.lower()
    without_links(once)
    code_in(text)
    enhanced_in(text)
