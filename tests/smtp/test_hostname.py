"""What may stand in a host field (S01-S03, S08 and T03 of the threat model)."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_smtpservers.smtp import host_error, ip_literal


@pytest.mark.parametrize(
    "host",
    [
        "smtp.example.com",
        "SMTP.Example.COM",
        "a.b",
        "1.example.com",
        "xn--fa-hia.de",
        "mail-1.example.co",
        "example.c0m",
        "a" * 63 + ".test",
        ".".join(["a" * 49] * 5) + ".tes",
        "192.0.2.1",
        "0.0.0.0",
        "255.255.255.255",
        "2001:db8::1",
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "FE80::1",
    ],
)
def test_hosts(host: str) -> None:
    """Names with a dot and canonical addresses have the right form; whether they may be used is the guard's word."""
    assert host_error(host) is None


@pytest.mark.parametrize(
    ("host", "what"),
    [
        ("", "Enter a host name"),
        (" ", "no blanks"),
        (" smtp.example.com", "no blanks"),
        ("smtp.example.com ", "no blanks"),
        ("smtp example.com", "no blanks"),
        ("smtp.example.com\r\nEHLO x", "no blanks"),
        ("smtp.example.com\0", "no blanks"),
        ("http://smtp.example.com", "not a web address"),
        ("smtp://smtp.example.com:587", "not a web address"),
        ("smtp.example.com/mail", "not a web address"),
        ("user@example.com", "e-mail address"),
        ("user@smtp.example.com:25", "e-mail address"),
        ("smtp.example.com:587", "without the port"),
        ("1.2.3.4:25", "without the port"),
        ("[::1]", "without square brackets"),
        ("[::1]:25", "without square brackets"),
        ("fe80::1%lo", "zone"),
        ("fe80::1%25lo", "zone"),
        ("12345::", "without the port"),
        ("::ffff:1.2.3", "without the port"),
        ("localhost", "only if the operator allows"),
        ("LOCALHOST", "only if the operator allows"),
        ("mail", "needs a dot"),
        ("smtp.example.com.", "dot at the end"),
        ("1.2.3.4.", "dot at the end"),
        (".", "dot at the end"),
        ("a..b", "a dot too many"),
        (".example.com", "a dot too many"),
        ("a" * 64 + ".test", "at most 63"),
        (".".join(["a" * 49] * 5) + ".test", "at most 253"),
        ("-a.test", "no hyphen beside a dot"),
        ("a-.test", "no hyphen beside a dot"),
        ("a_b.test", "only letters"),
        ("a*.test", "only letters"),
        ("a(b).test", "only letters"),
        ("a,b.test", "only letters"),
        ("faß.de", "ASCII form: xn--fa-hia.de"),
        ("bücher.example", "ASCII form: xn--bcher-kva.example"),
        ("ex℀mple.test", "only the letters a to z"),
        ("１２７.0.0.1", "ASCII form"),
        ("2130706433", "neither a host name nor an IP address"),
        ("0x7f000001", "neither a host name nor an IP address"),
        ("0x7f.1", "neither a host name nor an IP address"),
        ("0177.0.0.1", "neither a host name nor an IP address"),
        ("127.1", "neither a host name nor an IP address"),
        ("127.0.1", "neither a host name nor an IP address"),
        ("127.000.000.001", "neither a host name nor an IP address"),
        ("169.254.43518", "neither a host name nor an IP address"),
        ("1.2.3.256", "neither a host name nor an IP address"),
        ("1.2.3.4.5", "neither a host name nor an IP address"),
        ("a.0x7f", "neither a host name nor an IP address"),
        ("0", "neither a host name nor an IP address"),
    ],
)
def test_no_hosts(host: str, what: str) -> None:
    """Everything else is told what is wrong with it, in one sentence."""
    error = host_error(host)
    assert error is not None
    assert what in error


def test_names_that_the_operator_allows() -> None:
    """Short names and names from the hosts file may be allowed by name, localhost together with loopback."""
    assert host_error("mail", allowed_hosts={"mail"}) is None
    assert host_error("Smtp_Relay", allowed_hosts={"smtp_relay"}) is None
    assert host_error("mail2", allowed_hosts={"mail"}) is not None
    assert host_error("mail server", allowed_hosts={"mail server"}) is not None
    assert host_error("localhost", allow_localhost=True) is None
    assert host_error("localhost", allowed_hosts={"localhost"}) is None


@given(st.one_of(st.text(max_size=80), st.from_regex(r"[0-9a-fA-Fx.:%\[\]-]{1,45}", fullmatch=True)))
def test_any_text(text: str) -> None:
    """Any text gets a verdict; what passes is plain ASCII without anything that could break a command or a look-up."""
    if host_error(text) is None:
        assert text.isascii()
        assert set(text) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:")
        assert ip_literal(text) is not None or not text.rpartition(".")[2].isdigit()


@given(st.ip_addresses())
def test_addresses(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """Every address in its canonical spelling is read as itself."""
    assert ip_literal(str(ip)) == ip
