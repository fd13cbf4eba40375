"""The app's own ``MAIL_*`` server: used while nothing is stored, through our session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_mail import Mail, Message

from flask_smtpservers import SendError
from flask_smtpservers.errors import CertificateRefused
from flask_smtpservers.mail import builtin_of, builtin_profile
from flask_smtpservers.smtp.endpoint import Security

from ..apps import hosting
from ..peers.mailbox import PASSWORD, USERNAME, Mailbox

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


def hello() -> Message:
    return Message("Hello", recipients=["ann@example.test"], body="Hi")


def config(mailbox: Mailbox, kind: str) -> dict[str, Any]:
    login = {"MAIL_SERVER": "localhost", "MAIL_USERNAME": USERNAME, "MAIL_PASSWORD": PASSWORD}
    return {
        "plain": {"MAIL_SERVER": "localhost", "MAIL_PORT": mailbox.plain},
        "tls": {"MAIL_PORT": mailbox.submission, "MAIL_USE_TLS": True, **login},
        "ssl": {"MAIL_PORT": mailbox.smtps, "MAIL_USE_SSL": True, **login},
    }[kind]


@pytest.mark.parametrize("tables", [True, False])
@pytest.mark.parametrize(("kind", "username"), [("plain", None), ("tls", USERNAME), ("ssl", USERNAME)])
def test_with_nothing_stored_the_apps_own_server_is_used(
    mailbox: Mailbox, ca_file: Path, kind: str, username: str | None, tables: bool
) -> None:
    """Also before the migration has run, and though the guard would forbid loopback to a stored server."""
    with (
        hosting(
            ca_file=ca_file, create_tables=tables, SMTPSERVERS_ALLOWED_NETWORKS=[], **config(mailbox, kind)
        ) as host,
        host.app.app_context(),
    ):
        host.mail.send(hello())
    (letter,) = mailbox.letters
    assert letter.username == username
    assert letter.encrypted is (kind != "plain")
    assert letter.message["From"] == letter.sender == "app@example.test"


@pytest.mark.parametrize("kind", ["tls", "ssl"])
def test_its_certificate_is_verified(mailbox: Mailbox, kind: str) -> None:
    """Flask-Mail sends the password to anyone who answers."""
    with hosting(**config(mailbox, kind)) as host, host.app.app_context(), pytest.raises(CertificateRefused) as caught:
        host.mail.send(hello())
    assert caught.value.server == "Built-in"
    assert caught.value.diagnosis is not None
    assert mailbox.logins == []


@pytest.mark.parametrize("kind", ["tls", "ssl"])
def test_the_operator_can_switch_that_off(mailbox: Mailbox, kind: str) -> None:
    with hosting(SMTPSERVERS_BUILTIN_VERIFY=False, **config(mailbox, kind)) as host, host.app.app_context():
        host.mail.send(hello())
    assert len(mailbox.letters) == 1


def test_a_delivery_through_it(mailbox: Mailbox, ca_file: Path) -> None:
    with hosting(ca_file=ca_file, **config(mailbox, "plain")) as host, host.app.app_context():
        delivery = host.smtp.send(hello())
    assert (delivery.server_name, delivery.server_id, delivery.queue_id) == ("Built-in", None, "Q1")


def test_settings_that_the_host_changes_at_run_time(mailbox: Mailbox, ca_file: Path) -> None:
    """Hosts write to ``app.extensions["mail"]``, for each tenant for instance; a batch heeds it as well."""
    with hosting(ca_file=ca_file, MAIL_SERVER="localhost", MAIL_PORT=1) as host, host.app.app_context():
        with pytest.raises(SendError):
            host.mail.send(hello())
        host.app.extensions["mail"].port = mailbox.plain
        host.mail.send(hello())
    assert len(mailbox.letters) == 1


@pytest.mark.parametrize(
    ("settings", "host", "port", "security"),
    [
        ({}, "127.0.0.1", 25, Security.NONE),
        (
            {"MAIL_SERVER": "smtp.x.test", "MAIL_PORT": "587", "MAIL_USE_TLS": True},
            "smtp.x.test",
            587,
            Security.STARTTLS,
        ),
        ({"MAIL_USE_SSL": True, "MAIL_USE_TLS": True, "MAIL_PORT": None}, "127.0.0.1", 465, Security.SSL),
    ],
)
def test_what_the_settings_say(settings: dict[str, Any], host: str, port: int, security: Security) -> None:
    app = Flask("x")
    app.config.update(settings, MAIL_USERNAME="u", MAIL_PASSWORD="CANARY", MAIL_DEFAULT_SENDER=("A", "a@x.test"))
    Mail(app)
    found = builtin_of(app)
    assert (found.host, found.port, found.security) == (host, port, security)
    assert (found.username, found.has_password, found.default_sender) == ("u", True, ("A", "a@x.test"))
    assert "CANARY" not in repr(found)


@pytest.mark.parametrize(
    ("server", "setting", "allowed"),
    [
        ("localhost", False, True),
        ("127.0.0.1", False, True),
        ("::1", False, True),
        ("mail.x.test", False, False),
        ("mail.x.test", True, True),
    ],
)
def test_a_password_without_encryption(server: str, setting: bool, allowed: bool) -> None:
    """To this machine, or where the operator says so; Flask-Mail sends it in the clear without a word."""
    with hosting(
        MAIL_SERVER=server, MAIL_USERNAME="u", MAIL_PASSWORD="p", SMTPSERVERS_ALLOW_PLAINTEXT_AUTH=setting
    ) as host:
        endpoint = builtin_profile(host.app)
    assert endpoint.plaintext_auth is allowed
    assert not endpoint.guarded


@pytest.mark.parametrize("credentials", [{"MAIL_USERNAME": "u"}, {"MAIL_PASSWORD": "p"}])
def test_half_credentials_are_no_login(credentials: dict[str, str]) -> None:
    """As in Flask-Mail."""
    with hosting(**credentials) as host:
        endpoint = builtin_profile(host.app)
    assert (endpoint.username, endpoint.password) == ("", None)


def test_it_can_be_asked_for_by_name(mailbox: Mailbox, ca_file: Path) -> None:
    with hosting(ca_file=ca_file, **config(mailbox, "plain")) as host, host.app.app_context():
        host.smtp.add_server(name="Other", host="127.0.0.1", port=1, security="none", address="x@example.test")
        with host.smtp.using("built-in"):
            host.mail.send(hello())
    assert len(mailbox.letters) == 1


def test_a_paused_default_falls_back_to_it(mailbox: Mailbox, ca_file: Path) -> None:
    with hosting(ca_file=ca_file, **config(mailbox, "plain")) as host, host.app.app_context():
        saved = host.smtp.add_server(name="Other", host="127.0.0.1", port=1, security="none", address="x@example.test")
        host.smtp.edit_server(saved.public_id, enabled=False)
        host.mail.send(hello())
    assert mailbox.letters[0].sender == "app@example.test"
