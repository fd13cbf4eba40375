"""What one press of a button changes."""

from __future__ import annotations

import pytest

from flask_smtpservers.diagnosis import Context
from flask_smtpservers.diagnosis.corrections import correction
from flask_smtpservers.diagnosis.rules import Verdict, explained
from flask_smtpservers.smtp.endpoint import Security


def context(host: str, port: int, security: str, **more: str) -> Context:
    return Context(host=host, port=port, security=Security(security), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("verdict", "where", "change"),
    [
        (Verdict("implicit_tls_needed"), ("mail.example.com", 465, "starttls"), {"security": "ssl"}),
        (Verdict("starttls_mode_needed"), ("mail.example.com", 587, "ssl"), {"security": "starttls"}),
        (Verdict("starttls_required"), ("mail.example.com", 587, "none"), {"security": "starttls"}),
        (Verdict("port_not_offered"), ("smtp.office365.com", 465, "ssl"), {"port": 587, "security": "starttls"}),
        (Verdict("port_blocked"), ("smtp.gmail.com", 465, "ssl"), {"port": 587, "security": "starttls"}),
        (Verdict("port_blocked"), ("smtp.gmail.com", 587, "starttls"), {"port": 465, "security": "ssl"}),
        (Verdict("port_blocked"), ("mail.example.com", 465, "ssl"), {"port": 587, "security": "starttls"}),
        (Verdict("port_blocked"), ("mail.example.com", 587, "starttls"), {}),
        (Verdict("host_not_found"), ("smpt.gmail.com", 465, "ssl"), {"host": "smtp.gmail.com"}),
        (Verdict("wrong_endpoint"), ("imap.gmail.com", 993, "ssl"), {"host": "smtp.gmail.com"}),
        (Verdict("wrong_username_form"), ("smtp.sendgrid.net", 587, "starttls"), {"username": "apikey"}),
        (Verdict("starttls_not_offered"), ("mail.example.com", 25, "starttls"), {}),
        (Verdict("starttls_not_offered"), ("smtp.gmail.com", 587, "starttls"), {"port": 465, "security": "ssl"}),
        (Verdict("bad_credentials"), ("mail.example.com", 465, "ssl"), {}),
    ],
)
def test_correction(verdict: Verdict, where: tuple[str, int, str], change: dict[str, str | int]) -> None:
    """A wrong mode, port, host or user name can be set right at once; the rest is a person's work."""
    known = context(*where)
    assert correction(explained(verdict, known), known) == change


def test_the_accounts_own_address() -> None:
    """A sender that the account may not use is replaced by the account's own address."""
    known = context("mail.example.com", 587, "starttls", username="me@example.com", sender="x@example.com")
    assert correction(explained(Verdict("sender_not_owned"), known), known) == {"address": "me@example.com"}
