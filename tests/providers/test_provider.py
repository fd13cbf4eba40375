"""What one provider says in the form, and what it makes of typed credentials."""

from __future__ import annotations

import pytest

from flask_smtpservers.providers.catalog import packaged
from flask_smtpservers.providers.provider import Provider


def get(name: str) -> Provider:
    found = packaged().provider(name)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("gmail", "App password"),
        ("qq", "Authorisation code"),
        ("netease-163", "Authorisation code"),
        ("sendgrid", "API key"),
        ("brevo", "SMTP key"),
        ("proton", "SMTP token"),
        ("mailjet", "Secret key"),
        ("microsoft365", "Password"),
        ("custom", "Password"),
    ],
)
def test_password_label(name: str, label: str) -> None:
    """The password field bears the provider's own word."""
    assert get(name).password_label == label


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sendgrid", "apikey"),
        ("gmail", "full Gmail address"),
        ("disroot", "before the @"),
        ("amazon-ses", "SMTP user name"),
        ("turbosmtp", "TurboSMTP"),
        ("mailpit", "no login"),
    ],
)
def test_username_hint(name: str, words: str) -> None:
    """A sentence says which user name is wanted."""
    assert words in get(name).username_hint


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("outlook", "OAuth2"),
        ("hotmail", "OAuth2"),
        ("tuta", "does not offer SMTP"),
        ("hey", "does not offer SMTP"),
        ("dynect", "shut down"),
        ("loops", "ordinary mail"),
    ],
)
def test_what_cannot_work_is_said(name: str, words: str) -> None:
    """A preset that cannot take a password says so instead of failing later."""
    assert words in get(name).unsupported


def test_the_others_can_work() -> None:
    """No other preset is closed."""
    closed = {one.id for one in packaged().providers if one.unsupported}
    assert closed == {"outlook", "hotmail", "tuta", "hey", "dynect", "loops"}


def test_advice_for_microsoft_names_oauth_before_a_password() -> None:
    """OAuth2 is the first choice, an app password the second; protection stays on for everybody."""
    help_text = get("microsoft365").help
    assert help_text.index("OAuth2") < help_text.index("app password")
    assert "keep it for everybody else" in " ".join(get("microsoft365").guide)


@pytest.mark.parametrize(
    ("name", "typed", "kept"),
    [
        ("gmail", "abcd efgh ijkl mnop", "abcdefghijklmnop"),
        ("gmail", "abcd\N{NO-BREAK SPACE}efgh\N{NO-BREAK SPACE}ijkl\N{NO-BREAK SPACE}mnop", "abcdefghijklmnop"),
        ("gmail", "my own pass phrase", "my own pass phrase"),
        ("custom", "abcd efgh ijkl mnop", "abcd efgh ijkl mnop"),
    ],
)
def test_an_app_password_in_groups_is_joined(name: str, typed: str, kept: str) -> None:
    """Google shows app passwords in four groups; other secrets keep their blanks."""
    assert get(name).tidy_password(typed) == kept


@pytest.mark.parametrize(
    ("name", "secret", "matches"),
    [
        ("gmail", "abcdefghijklmnop", True),
        ("gmail", "hunter2", False),
        ("icloud", "abcd-efgh-ijkl-mnop", True),
        ("sendgrid", "SG.x.y", True),
        ("brevo", "xkeysib-1", False),
        ("custom", "anything", None),
    ],
)
def test_form_of_a_secret(name: str, secret: str, matches: bool | None) -> None:
    """A secret of a wrong form can be warned about before it is sent."""
    assert get(name).password_matches(secret) is matches


@pytest.mark.parametrize(
    ("name", "username", "fits"),
    [
        ("gmail", "me@gmail.com", True),
        ("gmail", "me", False),
        ("sendgrid", "apikey", True),
        ("sendgrid", "shop@example.com", False),
        ("aliyun-directmail", "shop@example.com", True),
        ("aliyun-directmail", "other@example.com", False),
        ("mailjet", "shop@example.com", False),
        ("mandrill", "anything", True),
    ],
)
def test_form_of_a_username(name: str, username: str, fits: bool) -> None:
    """A user name that cannot be right is recognised."""
    assert get(name).username_fits(username, sender="shop@example.com") is fits


@pytest.mark.parametrize(
    ("name", "domain", "host"),
    [
        ("zoho", "zoho.eu", "smtp.zoho.eu"),
        ("zoho", "example.com", "smtp.zoho.com"),
        ("uol", "bol.com.br", "smtps.bol.com.br"),
        ("uol", "uol.com.br", "smtps.uol.com.br"),
        ("virginmedia", "NTLWORLD.com", "smtp.ntlworld.com"),
    ],
)
def test_the_server_follows_the_domain(name: str, domain: str, host: str) -> None:
    """Where a provider has several servers, the domain of the address chooses."""
    assert get(name).servers_for(domain)[0].host == host


def test_ports() -> None:
    """The port chooser shows what the provider documents, in its order."""
    gmail = get("gmail")
    assert (gmail.ports_for("ssl"), gmail.ports_for("starttls")) == ((465,), (587,))
    assert get("netease-163").ports_for("ssl") == (465, 994)
    assert get("mailgun").ports_for("ssl", "smtp.eu.mailgun.org") == (465,)
    assert gmail.server_at("SMTP.gmail.com", 465) is not None
    assert gmail.server_at("smtp.gmail.com", 80) is None


@pytest.mark.parametrize("one", packaged().providers, ids=lambda one: one.id)
def test_every_preset_is_complete(one: Provider) -> None:
    """What the form shows of it is there."""
    assert one.name
    assert one.docs_url.startswith("https://")
    assert all(server.security in ("ssl", "starttls", "none") for server in one.servers)
    assert one.username_hint.endswith(".")


def test_what_the_form_takes_of_a_preset() -> None:
    """Host, port, encryption and a fixed user name, with the provider's word for the password."""
    sendgrid = get("sendgrid")
    first = sendgrid.servers[0]
    assert (first.host, first.port, first.security, first.is_pattern) == ("smtp.sendgrid.net", 587, "starttls", False)
    assert (sendgrid.username_value, sendgrid.password_label) == ("apikey", "API key")
    assert get("microsoft365-relay").servers[0].is_pattern
    assert not get("microsoft365-relay").needs_login
