"""Splitting an address, and what counts as a mail domain."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_smtpservers.providers.address import MailAddress, domain_of, is_under, parse_address


@pytest.mark.parametrize(
    ("text", "local", "domain"),
    [
        (" me@Example.ORG. ", "me", "example.org"),
        ("Me+tag@sub.example.org", "Me+tag", "sub.example.org"),
        ("jürgen@müller.de", "jürgen", "xn--mller-kva.de"),
        ("me@MÜLLER.de", "me", "xn--mller-kva.de"),
        ("me@例え。テスト", "me", "xn--r8jz45g.xn--zckzah"),
        ("ju\u0308rgen@example.org", "j\u00fcrgen", "example.org"),
        ("me@3com.example.org", "me", "3com.example.org"),
    ],
)
def test_addresses(text: str, local: str, domain: str) -> None:
    """The last @ parts it; the domain comes out in lower-case A-labels without a final dot."""
    assert parse_address(text) == MailAddress(local, domain)


@pytest.mark.parametrize(
    "text",
    ["", "me", "@example.org", "me@", "me@localhost", "me@org", "me@10.0.0.1", "me@[10.0.0.1]", "me@::1", "me@[::1]",
     "me@a..org", "me@.example.org", "me@example.org..", "me@-a.org", "me@a-.org", "me@a_b.org", "me@example.123",
     "me@0x7f.1", "me@exa mple.org", "me@example.org/x", "me@example.org:25", "me@" + "a" * 64 + ".org",
     "me@" + "a." * 130 + "org", "a b@example.org", "a@b@example.org", "a\r\nb@example.org", "a" * 65 + "@example.org",
     "me@xn--\u200b.org", "me@\ud800.org", "\ud800@example.org", '"a@b c"@example.org', "a%b@example.org"],
)  # fmt: skip
def test_no_addresses(text: str) -> None:
    """Anything else is refused with a sentence."""
    with pytest.raises(ValueError, match=r"\.$"):
        parse_address(text)


@pytest.mark.parametrize(
    "ending", ["localhost", "local", "internal", "home.arpa", "in-addr.arpa", "onion", "invalid", "test", "example"]
)
def test_special_use(ending: str) -> None:
    """Names that lead to nobody on the internet are refused, unless a test wants them."""
    with pytest.raises(ValueError, match="not a domain on the internet"):
        parse_address(f"me@mail.{ending}")
    assert domain_of(f"mail.{ending}", allow_special_use=True) == f"mail.{ending}"
    assert domain_of(f"{ending.replace('.', '')}.org")


@given(st.text(max_size=80) | st.from_regex(r"[\w.@\-]{0,70}", fullmatch=True))
def test_never_an_empty_label(text: str) -> None:
    """Whatever is typed, a domain has two LDH labels or more, and reading it again gives the same."""
    try:
        domain = domain_of(text)
    except ValueError:
        return
    labels = domain.split(".")
    assert len(labels) >= 2
    assert all(re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", label) for label in labels)
    assert len(domain) <= 253
    assert domain_of(domain) == domain


def test_under() -> None:
    """Lying under a domain goes by whole labels."""
    assert is_under("mail.example.org", "example.org")
    assert is_under("example.org", "example.org")
    assert not is_under("badexample.org", "example.org")
    assert not is_under("example.org.evil.net", "example.org")
