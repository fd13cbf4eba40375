"""The built-in mail server is a real one: TLS, logins, refusals, and an inbox."""

from __future__ import annotations

import smtplib
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from example_app import certificates
from example_app.postoffice import PostOffice

MAIL = b"Subject: Hi\r\n\r\nHello\r\n"


@pytest.fixture
def context(office: PostOffice) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(office.ca_file))
    # what Python 3.13 checks by default
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


def test_mail_arrives_over_starttls(office: PostOffice, context: ssl.SSLContext) -> None:
    """A mail over STARTTLS arrives with its envelope, its content, and who signed in over which TLS."""
    with smtplib.SMTP(office.host, office.submission_port) as client:
        client.starttls(context=context)
        client.login(office.shop.username, office.shop.password)
        client.sendmail("a@example.com", ["b@example.com", "c@example.com"], MAIL)
    (letter,) = office.letters()
    assert (letter.sender, letter.recipients, letter.content) == (
        "a@example.com",
        ("b@example.com", "c@example.com"),
        MAIL,
    )
    assert letter.username == office.shop.username
    assert letter.tls.startswith("TLSv1.")
    assert letter.bodies == [("text/plain", "Hello\r\n")]


def test_mail_arrives_over_ssl(office: PostOffice, context: ssl.SSLContext) -> None:
    """The second port speaks TLS from the first byte."""
    with smtplib.SMTP_SSL(office.host, office.smtps_port, context=context) as client:
        client.login(office.website.username, office.website.password)
        client.sendmail("a@example.com", ["b@example.com"], MAIL)
    (letter,) = office.letters()
    assert letter.username == office.website.username
    assert letter.tls.startswith("TLSv1.")


def test_wrong_password_is_refused(office: PostOffice, context: ssl.SSLContext) -> None:
    """A wrong password gets 535, as everywhere."""
    with smtplib.SMTP(office.host, office.submission_port) as client:
        client.starttls(context=context)
        with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
            client.login(office.shop.username, "wrong")
    assert caught.value.smtp_code == 535


def test_nothing_without_tls_and_login(office: PostOffice, context: ssl.SSLContext) -> None:
    """Before TLS there is no login, before the login no mail."""
    with smtplib.SMTP(office.host, office.submission_port) as client:
        client.ehlo()
        assert not client.has_extn("auth")
        assert client.mail("a@example.com")[0] == 530
        client.starttls(context=context)
        client.ehlo()
        assert client.mail("a@example.com")[0] == 530
    assert office.letters() == []


def test_unknown_recipient_is_refused(office: PostOffice, context: ssl.SSLContext) -> None:
    """Mail to nobody@ is refused, so that a visitor can see what that looks like."""
    with smtplib.SMTP_SSL(office.host, office.smtps_port, context=context) as client:
        client.login(office.shop.username, office.shop.password)
        refused = client.sendmail("a@example.com", ["nobody@example.com", "b@example.com"], MAIL)
    assert refused["nobody@example.com"][0] == 550
    assert office.letters()[0].recipients == ("b@example.com",)


def test_next_port_if_taken(tmp_path: Path) -> None:
    """A port that is in use is left alone, and the next free one is taken."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        office = PostOffice(tmp_path, submission_port=port, smtps_port=0)
        office.start()
        office.stop()
    assert office.submission_port > port


def test_certificates_are_kept(tmp_path: Path) -> None:
    """A second start finds the certificates of the first: what an admin entered goes on working."""
    ca_file, server_file = certificates.ensure_certificates(tmp_path)
    before = ca_file.read_bytes(), server_file.read_bytes()
    certificates.ensure_certificates(tmp_path)
    assert (ca_file.read_bytes(), server_file.read_bytes()) == before
    assert server_file.stat().st_mode & 0o777 == 0o600
    assert b"PRIVATE" not in ca_file.read_bytes()


def test_certificates_are_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Certificates that run out soon are replaced at the next start."""
    monkeypatch.setattr(certificates, "LIFETIME", timedelta(days=29))
    certificates.ensure_certificates(tmp_path)
    monkeypatch.undo()
    ca_file, _ = certificates.ensure_certificates(tmp_path)
    assert x509.load_pem_x509_certificate(ca_file.read_bytes()).not_valid_after_utc > datetime.now(UTC) + timedelta(
        days=300
    )
