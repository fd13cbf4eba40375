"""A server whose certificate no authority vouches for: trusted by its fingerprint, from the field to the sent mail."""

from __future__ import annotations

import json
import logging
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trustme
from flask_mail import Message
from sqlalchemy import text

from flask_smtpservers import InvalidServer, PasswordRequired
from flask_smtpservers.errors import CertificateChanged, CertificateRefused, SecretUnreadable
from flask_smtpservers.findings import StepState
from flask_smtpservers.signals import certificate_changed, mail_failed
from flask_smtpservers.smtp.pinning import fingerprint_of
from flask_smtpservers.web.presenting import badge

from ..apps import Host, hosting, server_fields
from ..peers.mailbox import PASSWORD, Mailbox

# The mailbox's SMTPS port takes logins inside the TLS of the port, of which aiosmtpd does not know.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")

ZEROS = "SHA256:" + ":".join(["00"] * 32)


@pytest.fixture
def own() -> Iterator[Mailbox]:
    """Somebody's own mail server, whose authority nobody knows."""
    running = Mailbox(trustme.CA()).start()
    yield running
    running.stop()


@pytest.fixture
def host() -> Iterator[Host]:
    """A host that knows the public authorities only."""
    with hosting(MAIL_SERVER="localhost", MAIL_PORT=1) as made, made.app.app_context():
        yield made


def shown_by(mailbox: Mailbox) -> str:
    """The fingerprint of its certificate."""
    return fingerprint_of(ssl.PEM_cert_to_DER_cert(mailbox.certificate))


def mail() -> Message:
    return Message("Hello", recipients=["ann@example.test"], body="Hi")


def fields(own: Mailbox, security: str, **more: Any) -> dict[str, Any]:
    port = own.smtps if security == "ssl" else own.submission
    return server_fields(own, **{"security": security, "port": port, **more})


both = pytest.mark.parametrize("security", ["ssl", "starttls"])


@both
def test_from_refused_to_trusted_to_changed(host: Host, own: Mailbox, security: str) -> None:
    """Refused before any login; trusted by its fingerprint it sends, over one connection; changed it is refused."""
    server = host.smtp.add_server(**fields(own, security))
    with pytest.raises(CertificateRefused):
        host.mail.send(mail())
    assert own.logins == []

    trusted = shown_by(own)
    host.smtp.edit_server(server.public_id, certificate_fingerprint=trusted, password=PASSWORD)
    own.forget()
    host.mail.send(mail())
    host.mail.send(mail())
    assert (len(own.letters), own.connections, len(own.logins)) == (2, 1, 1)

    host.state.pool.close()
    own.forget()
    own.renew()
    with pytest.raises(CertificateChanged) as caught:
        host.mail.send(mail())
    assert (caught.value.trusted, caught.value.found) == (trusted, shown_by(own))
    assert (own.letters, own.logins) == ([], [])
    diagnosis = caught.value.diagnosis
    assert diagnosis is not None
    assert diagnosis.cause == "certificate_changed"
    assert trusted in diagnosis.explanation
    assert shown_by(own) in diagnosis.explanation


def test_it_is_refused_however_well_known_the_new_one_is(host: Host, own: Mailbox) -> None:
    """Trusting one certificate means that one: the authority's word, which would do without, does not count."""
    host.smtp.add_server(**fields(own, "starttls", certificate_fingerprint=shown_by(own), ca_certificate=own.ca_pem))
    host.mail.send(mail())
    host.state.pool.close()
    own.renew()
    with pytest.raises(CertificateChanged):
        host.mail.send(mail())


def test_the_alarm(host: Host, own: Mailbox, caplog: pytest.LogCaptureFixture) -> None:
    """An error in the log and a signal, once an hour however many mails wait; and the list says so."""
    server = host.smtp.add_server(**fields(own, "starttls", certificate_fingerprint=shown_by(own)))
    trusted = shown_by(own)
    own.renew()
    heard: list[tuple[str, str]] = []
    failed: list[object] = []

    def hear(_app: object, *, server: Any, error: CertificateChanged) -> None:
        heard.append((server.name, error.found))

    def count(_app: object, **_values: Any) -> None:
        failed.append(1)

    with certificate_changed.connected_to(hear), mail_failed.connected_to(count), caplog.at_level(logging.ERROR):
        for _ in range(3):
            with pytest.raises(CertificateChanged):
                host.mail.send(mail())
        assert (heard, len(failed)) == ([("Shop", shown_by(own))], 3)
        own.renew()  # yet another one is another matter
        with pytest.raises(CertificateChanged):
            host.mail.send(mail())
    assert len(heard) == 2
    told = [record.getMessage() for record in caplog.records if "another certificate" in record.getMessage()]
    assert len(told) == 2
    assert trusted in told[0]
    assert heard[0][1] in told[0]
    shown = badge(host.state.store.get(server.public_id), now=datetime.now(UTC))
    assert (shown.kind, "The certificate has changed" in shown.text) == ("failed", True)


def test_a_listener_that_fails_does_not_hide_the_alarm(host: Host, own: Mailbox) -> None:
    """The error stays what it is."""
    host.smtp.add_server(**fields(own, "starttls", certificate_fingerprint=ZEROS))

    def fail(_app: object, **_values: Any) -> None:
        raise RuntimeError

    with certificate_changed.connected_to(fail), pytest.raises(CertificateChanged):
        host.mail.send(mail())


# -- the field
@both
def test_a_new_fingerprint_asks_for_the_password(host: Host, own: Mailbox, security: str) -> None:
    """Set, changed or taken away: it decides where the password goes."""
    server = host.smtp.add_server(**fields(own, security))
    with pytest.raises(PasswordRequired):
        host.smtp.edit_server(server.public_id, certificate_fingerprint=ZEROS)
    host.smtp.edit_server(server.public_id, certificate_fingerprint=ZEROS, password=PASSWORD)
    for other in ("", shown_by(own)):
        with pytest.raises(PasswordRequired):
            host.smtp.edit_server(server.public_id, certificate_fingerprint=other)
    # the same one, written in another way, is no change
    host.smtp.edit_server(server.public_id, certificate_fingerprint="0" * 64, name="Other")


def test_a_server_without_login_needs_none(host: Host, own: Mailbox) -> None:
    """There is no password that could go astray."""
    server = host.smtp.add_server(**fields(own, "starttls", username="", password="", port=own.plain))
    host.smtp.edit_server(server.public_id, certificate_fingerprint=shown_by(own))
    host.mail.send(mail())
    assert len(own.letters) == 1
    host.smtp.edit_server(server.public_id, certificate_fingerprint=ZEROS)
    with pytest.raises(CertificateChanged):
        host.mail.send(mail())  # not over the connection that is still open
    assert len(own.letters) == 1


@pytest.mark.parametrize("value", ["nonsense", "ab" * 20, 12, "SHA256:" + "z" * 64, "x" * 1000, "ab" * 32 + "\n"])
def test_what_is_no_fingerprint(host: Host, own: Mailbox, value: Any) -> None:
    """Said beside the field; nothing is stored. A line break at the end is trimmed like a blank."""
    if value == "ab" * 32 + "\n":
        assert host.smtp.add_server(**fields(own, "ssl", certificate_fingerprint=value)).certificate_fingerprint
        return
    with pytest.raises(InvalidServer) as caught:
        host.smtp.add_server(**fields(own, "ssl", certificate_fingerprint=value))
    assert set(caught.value.fields) == {"certificate_fingerprint"}


@pytest.mark.parametrize("name", ["smtp.gmail.com", "smtp.office365.com", "smtp.sendgrid.net"])
def test_never_for_a_providers_server(host: Host, own: Mailbox, name: str) -> None:
    """Its certificates are everybody's; one that is not is somebody else's."""
    with pytest.raises(InvalidServer) as caught:
        host.smtp.add_server(**fields(own, "ssl", host=name, certificate_fingerprint=ZEROS))
    assert "somebody else" in caught.value.fields["certificate_fingerprint"][0]
    own_one = host.smtp.add_server(**fields(own, "ssl", certificate_fingerprint=ZEROS))
    with pytest.raises(InvalidServer) as caught:
        host.smtp.edit_server(own_one.public_id, host=name, password=PASSWORD)
    assert "certificate_fingerprint" in caught.value.fields


@pytest.mark.parametrize("value", ["", ZEROS])
def test_whoever_changes_the_row_gets_no_password(host: Host, own: Mailbox, value: str) -> None:
    """With SQL one could have the app trust a certificate of one's own: then the password cannot be opened."""
    server = host.smtp.add_server(**fields(own, "starttls", certificate_fingerprint=shown_by(own)))
    host.db.session.execute(text("UPDATE smtpservers_server SET certificate_fingerprint = :value"), {"value": value})
    host.db.session.commit()
    with pytest.raises(SecretUnreadable):
        host.state.store.password_of(host.state.store.get(server.public_id))
    with pytest.raises(SecretUnreadable):
        host.mail.send(mail())
    assert own.connections == 0


# -- the test of a server
def test_the_test_offers_it_only_where_nobody_vouches(host: Host, own: Mailbox) -> None:
    """All that a person must see of it; after it was trusted the test passes; of a changed one both are told."""
    server = host.smtp.add_server(**fields(own, "starttls"))
    *_, failed = (step for step in host.smtp.check(server) if step.state is StepState.FAILED)
    assert failed.diagnosis is not None
    seen = failed.diagnosis.certificate
    assert (failed.diagnosis.cause, seen is not None) == ("cert_self_signed", True)
    assert seen is not None
    assert (seen.fingerprint, seen.trusted) == (shown_by(own), "")
    assert seen.names == ("localhost", "mail.example.test", "127.0.0.1")
    assert "trustme" in seen.issuer
    assert own.logins == []

    host.smtp.edit_server(server.public_id, certificate_fingerprint=seen.fingerprint, password=PASSWORD)
    trusting = host.state.store.get(server.public_id)
    assert all(step.state is StepState.OK for step in host.smtp.check(trusting, recipient="ann@example.test"))
    assert len(own.letters) == 1

    own.renew()
    own.forget()
    *_, failed = (step for step in host.smtp.check(trusting) if step.state is StepState.FAILED)
    assert failed.diagnosis is not None
    assert failed.diagnosis.cause == "certificate_changed"
    assert failed.diagnosis.certificate is not None
    assert failed.diagnosis.certificate.trusted == seen.fingerprint
    assert failed.diagnosis.certificate.fingerprint == shown_by(own)
    assert own.logins == []


def test_an_expired_one_is_never_offered(host: Host, own: Mailbox) -> None:
    """No fingerprint mends its dates; and one that expires while it is trusted is refused."""
    now = datetime.now(UTC)
    own.renew(not_before=now - timedelta(days=3), not_after=now - timedelta(days=1))
    server = host.smtp.add_server(**fields(own, "starttls", ca_certificate=own.ca_pem))
    for fingerprint in ("", shown_by(own)):
        if fingerprint:
            host.smtp.edit_server(server.public_id, certificate_fingerprint=fingerprint, password=PASSWORD)
        stored = host.state.store.get(server.public_id)
        *_, failed = (step for step in host.smtp.check(stored) if step.state is StepState.FAILED)
        assert failed.diagnosis is not None
        assert (failed.diagnosis.cause, failed.diagnosis.certificate) == ("cert_expired", None)
    assert own.logins == []


def test_its_end_is_noted(host: Host, own: Mailbox) -> None:
    """The test notes until when the certificate is valid; another destination is another certificate."""
    server = host.smtp.add_server(**fields(own, "starttls", certificate_fingerprint=shown_by(own)))
    assert server.certificate_expires_at is None
    list(host.smtp.check(server))
    noted = host.state.store.get(server.public_id)
    certificate = ssl.PEM_cert_to_DER_cert(own.certificate)
    assert noted.certificate_expires_at is not None
    assert noted.certificate_expires_at > datetime.now(UTC)
    assert fingerprint_of(certificate) == noted.certificate_fingerprint
    host.smtp.edit_server(server.public_id, name="Other")
    assert host.state.store.get(server.public_id).certificate_expires_at == noted.certificate_expires_at
    host.smtp.edit_server(server.public_id, port=own.plain, password=PASSWORD)
    assert host.state.store.get(server.public_id).certificate_expires_at is None


# -- the command line
def run(host: Host, *words: str, typed: str | None = None) -> tuple[int, str, str]:
    result = host.app.test_cli_runner().invoke(args=["smtp", *words], input=typed)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def test_the_command_line(host: Host, own: Mailbox) -> None:
    """The test shows the fingerprint and the command that trusts it; that wants the password; then the test passes."""
    host.smtp.add_server(**fields(own, "starttls"))
    host.db.session.commit()
    code, said, _ = run(host, "test", "Shop")
    assert code == 1
    assert f"Fingerprint: {shown_by(own)}" in said
    command = f"--certificate-fingerprint {shown_by(own)} --password"
    assert command in said
    certificate = json.loads(run(host, "test", "Shop", "--json")[1])["diagnosis"]["certificate"]
    assert (certificate["fingerprint"], certificate["trusted"]) == (shown_by(own), "")

    edit = ("edit", "Shop", "--certificate-fingerprint", shown_by(own))
    code, _, complained = run(host, *edit)
    assert code == 2
    assert "must be entered again" in complained
    assert run(host, *edit, "--password-stdin", typed=PASSWORD)[0] == 0
    assert run(host, "test", "Shop")[0] == 0
    shown = json.loads(run(host, "list", "--json")[1])["servers"][0]
    assert shown["certificate_fingerprint"] == shown_by(own)
    assert shown["certificate_expires_at"].endswith("Z")

    trusted = shown_by(own)
    own.renew()
    said = run(host, "test", "Shop")[1]
    assert f"Trusted until now: {trusted}" in said
    assert f"Fingerprint: {shown_by(own)}" in said
    code, _, complained = run(host, "edit", "Shop", "--certificate-fingerprint", "nonsense")
    assert code == 2
    assert complained.startswith("certificate_fingerprint: Enter the SHA-256 fingerprint")
