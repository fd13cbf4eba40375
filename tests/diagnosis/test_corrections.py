"""What one press of a button changes."""

from __future__ import annotations

from typing import Any

import pytest

from flask_smtpservers.diagnosis import Context
from flask_smtpservers.diagnosis.context import Alternative, PasswordShape
from flask_smtpservers.diagnosis.corrections import correction
from flask_smtpservers.diagnosis.rules import Verdict, explained
from flask_smtpservers.smtp.endpoint import Security


def context(host: str, port: int, security: str, **more: Any) -> Context:
    return Context(host=host, port=port, security=Security(security), **more)


def tried(host: str, *ways: str) -> tuple[Alternative, ...]:
    """``587/starttls`` works, ``587/starttls?`` answers but cannot be used."""
    return tuple(
        Alternative(host, int(port), Security(security.rstrip("?")), not security.endswith("?"))
        for port, _, security in (way.partition("/") for way in ways)
    )


@pytest.mark.parametrize(
    ("verdict", "where", "change"),
    [
        (Verdict("host_not_found"), ("smpt.gmail.com", 465, "ssl"), {"host": "smtp.gmail.com"}),
        (Verdict("wrong_endpoint"), ("imap.gmail.com", 993, "ssl"), {"host": "smtp.gmail.com"}),
        (Verdict("wrong_username_form"), ("smtp.sendgrid.net", 587, "starttls"), {"username": "apikey"}),
        (Verdict("starttls_not_offered"), ("mail.example.com", 25, "starttls"), {}),
        (Verdict("bad_credentials"), ("mail.example.com", 465, "ssl"), {}),
    ],
)
def test_correction(verdict: Verdict, where: tuple[str, int, str], change: dict[str, str | int]) -> None:
    """A wrong host or user name can be set right at once; the rest is a person's work."""
    known = context(*where)
    assert correction(explained(verdict, known), known) == change


LOGIN = ("mail.example.com", 465, "ssl")


@pytest.mark.parametrize(
    ("verdict", "known", "change"),
    [
        (
            Verdict("bad_credentials", variant="blanks"),
            context(*LOGIN, password=PasswordShape(blanks=True)),
            {"keep_password_blanks": 0},
        ),
        (
            Verdict("bad_credentials", variant="short_name"),
            context(*LOGIN, username="Ann", sender="ann@example.com"),
            {"username": "ann@example.com"},
        ),
        (Verdict("bad_credentials"), context(*LOGIN, username="ann", sender="shop@example.com"), {}),
        (Verdict("bad_credentials"), context(*LOGIN, username="ann@example.com", sender="ann@example.com"), {}),
        (
            Verdict("wrong_username_form"),
            context(*LOGIN, username="ann", sender="shop@example.com"),
            {"username": "shop@example.com"},
        ),
        (
            Verdict("wrong_username_form"),
            context("smtp.gmail.com", 465, "ssl", username="shop", sender="shop@gmail.com"),
            {"username": "shop@gmail.com"},
        ),
        (Verdict("wrong_username_form"), context(*LOGIN, username="a@example.com", sender="b@example.com"), {}),
        (
            Verdict("wrong_username_form"),
            context("email-smtp.eu-west-1.amazonaws.com", 587, "starttls", username="me", sender="me@example.com"),
            {},
        ),
        (
            Verdict("sender_not_owned"),
            context(*LOGIN, username="ann@example.com", sender="shop@example.com"),
            {"address": "ann@example.com"},
        ),
    ],
)
def test_what_was_typed_for_the_login(verdict: Verdict, known: Context, change: dict[str, str | int]) -> None:
    """Blanks come off, a short user name becomes the whole address, the sender becomes the account's own."""
    assert correction(explained(verdict, known), known) == change


MODES = ("implicit_tls_needed", "starttls_mode_needed", "starttls_required", "port_not_offered", "port_blocked",
         "connection_intercepted", "starttls_not_offered")  # fmt: skip


@pytest.mark.parametrize("cause", MODES)
@pytest.mark.parametrize("alternatives", [None, (), tried("smtp.gmail.com", "465/ssl?")], ids=["untried", "no", "bad"])
def test_no_port_is_proposed_that_does_not_work(cause: str, alternatives: tuple[Alternative, ...] | None) -> None:
    """A port or an encryption that was not tried, or did not work, gets no button."""
    known = context("smtp.gmail.com", 587, "none", alternatives=alternatives)
    assert correction(explained(Verdict(cause), known), known) == {}


@pytest.mark.parametrize(
    ("cause", "set_to", "works", "change"),
    [
        ("implicit_tls_needed", (465, "starttls"), ["465/ssl", "587/starttls"], {"security": "ssl"}),
        ("implicit_tls_needed", (465, "starttls"), ["465/ssl?", "587/starttls"], {"port": 587}),
        ("starttls_mode_needed", (587, "ssl"), ["465/ssl", "587/starttls"], {"security": "starttls"}),
        ("starttls_required", (25, "none"), ["25/starttls"], {"security": "starttls"}),
        ("port_blocked", (465, "ssl"), ["587/starttls"], {"port": 587, "security": "starttls"}),
        ("port_blocked", (25, "starttls"), ["587/starttls"], {"port": 587}),
        ("port_not_offered", (465, "ssl"), ["2525/starttls"], {"port": 2525, "security": "starttls"}),
        ("connection_intercepted", (587, "starttls"), ["465/ssl"], {"port": 465, "security": "ssl"}),
        ("bad_credentials", (465, "ssl"), ["587/starttls"], {}),
    ],
)
def test_a_way_that_works(cause: str, set_to: tuple[int, str], works: list[str], change: dict[str, Any]) -> None:
    """The way that was tried is proposed: the encryption at the same port first; only what differs is changed."""
    known = context("mail.example.com", *set_to, alternatives=tried("mail.example.com", *works))
    assert correction(explained(Verdict(cause), known), known) == change


def test_another_name_that_works() -> None:
    """A better name comes with the port and the encryption that work there."""
    known = context("imap.gmail.com", 993, "ssl", alternatives=tried("smtp.gmail.com", "465/ssl"))
    change = correction(explained(Verdict("wrong_endpoint"), known), known)
    assert change == {"host": "smtp.gmail.com", "port": 465}


def test_the_name_in_the_certificate() -> None:
    """It is proposed if the same server was reached under it, and not just because it stands there."""
    known = context("192.0.2.1", 465, "ssl", certificate_names=("mail.hoster.example",))
    said = explained(Verdict("cert_hostname_mismatch"), known)
    assert correction(said, known) == {}
    known = context("192.0.2.1", 465, "ssl", alternatives=tried("mail.hoster.example", "465/ssl"))
    assert correction(said, known) == {"host": "mail.hoster.example"}


def test_the_accounts_own_address() -> None:
    """A sender that the account may not use is replaced by the account's own address."""
    known = context("mail.example.com", 587, "starttls", username="me@example.com", sender="x@example.com")
    assert correction(explained(Verdict("sender_not_owned"), known), known) == {"address": "me@example.com"}


def test_the_steps_name_the_way_that_works() -> None:
    """The sentence says what the button does."""
    known = context(
        "smtp.gmail.com", 465, "ssl", alternatives=tried("smtp.gmail.com", "587/starttls?", "2525/starttls")
    )
    assert explained(Verdict("port_blocked"), known).steps[0] == "Try port 2525 with STARTTLS."
