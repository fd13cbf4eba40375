"""What is known before the diagnosis: the provider, the network, the form of a password."""

from __future__ import annotations

import pytest

from flask_smtpservers.diagnosis.context import Context, PasswordShape, context_of, shape_of
from flask_smtpservers.diagnosis.corrections import correction
from flask_smtpservers.diagnosis.rules import decide, explained
from flask_smtpservers.diagnosis.symptom import symptom_of
from flask_smtpservers.diagnosis.ways import ways_to_try
from flask_smtpservers.errors import HostNotFound
from flask_smtpservers.findings import Stage
from flask_smtpservers.providers.catalog import Catalog, packaged
from flask_smtpservers.secret import Secret
from flask_smtpservers.smtp.endpoint import Endpoint, Security


@pytest.mark.parametrize(
    ("preset", "host", "owner"),
    [
        (None, "smtp.gmail.com", "gmail"),
        ("google-workspace", "smtp.gmail.com", "google-workspace"),
        ("gmail", "mail.example.com", None),
        ("gmail", "smtp.office365.com", "microsoft365"),
        ("godaddy", "p3plcpnl0749.prod.phx3.secureserver.net", "godaddy"),
        ("microsoft365-relay", "contoso-com.mail.protection.outlook.com", "microsoft365-relay"),
        (None, "mail.example.com", None),
        (None, "", None),
    ],
)
def test_whose_server_it_is(preset: str | None, host: str, owner: str | None) -> None:
    """The host decides; a preset counts only for hosts that can be its own."""
    found = Context(host=host, provider=packaged().provider(preset) if preset else None).known_provider
    assert (found.id if found else None) == owner


@pytest.mark.parametrize(
    ("host", "private", "loopback"),
    [
        ("localhost", True, True),
        ("127.0.0.1", True, True),
        ("[::1]", True, True),
        ("10.1.2.3", True, False),
        ("mailhost", True, False),
        ("mail.internal", True, False),
        ("mail.example.com", False, False),
        ("8.8.8.8", False, False),
        ("", False, False),
    ],
)
def test_private_hosts(host: str, private: bool, loopback: bool) -> None:
    """Servers inside are told from those outside, because their certificates and failures differ."""
    context = Context(host=host)
    assert (context.is_private, context.is_loopback) == (private, loopback)


@pytest.mark.parametrize(
    ("password", "preset", "shape"),
    [
        ("abcdefghijklmnop", "gmail", PasswordShape(fits_provider=True)),
        ("hunter2", "gmail", PasswordShape(fits_provider=False)),
        (" hunter2", None, PasswordShape(blanks=True)),
        ("pässword", None, PasswordShape(ascii=False)),
        ("a$b", None, PasswordShape()),
        ("AKIAIOSFODNN7EXAMPLE", None, PasswordShape(other_kind=True)),
        ("", None, PasswordShape(empty=True)),
    ],
)
def test_form_of_a_password(password: str, preset: str | None, shape: PasswordShape) -> None:
    """Only the form of a password is kept."""
    assert shape_of(password, packaged().provider(preset) if preset else None) == shape


def test_a_password_from_the_environment() -> None:
    """Characters that a shell changes count only where a shell may have been."""
    assert shape_of("a$b", from_environment=True) == PasswordShape(shell_characters=True)


def test_a_context_holds_no_password() -> None:
    """An endpoint's password leaves no trace but its form."""
    endpoint = Endpoint(
        host="smtp.gmail.com", port=465, security=Security.SSL, username="me@gmail.com", password=Secret("CANARYcanary")
    )
    context = context_of(endpoint, sender="me@gmail.com", outbound_ips=["192.0.2.1"])
    assert "CANARY" not in repr(context)
    assert context.has_password
    assert context.password == PasswordShape(fits_provider=False)
    assert context.outbound_ips == ("192.0.2.1",)


def test_the_providers_that_the_app_knows_decide() -> None:
    """A provider of the operator's own is recognised by its hosts, its MX, and a near miss of its name."""
    entry = {
        "id": "acme",
        "name": "Acme",
        "kind": "relay",
        "mx": ["mx.acme.example"],
        "servers": [{"host": "smtp.acme.example", "port": 2525, "security": "starttls"}],
    }
    mine = Catalog({"provider": [entry]})
    acme = mine.provider("acme")
    assert acme is not None
    assert Context(host="smtp.acme.example", catalog=mine).known_provider is acme
    assert Context(host="a.mx.acme.example", catalog=mine).inbound_provider is acme
    assert Context(host="smtp.acme.example").known_provider is None

    missed = Context(host="smpt.acme.example", port=587, security=Security.STARTTLS, catalog=mine)
    symptom = symptom_of(HostNotFound("", stage=Stage.RESOLVE), missed, Stage.RESOLVE)
    verdict = decide(symptom)
    assert verdict.words["other_host"] == "smtp.acme.example"
    assert ways_to_try(symptom, verdict) == [("smtp.acme.example", 2525, Security.STARTTLS)]
    assert correction(explained(verdict, missed), missed) == {"host": "smtp.acme.example"}
