"""The list of providers: its form, and how a provider is found in it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_smtpservers.providers.catalog import packaged, sentences
from flask_smtpservers.providers.provider import Provider

every_provider = pytest.mark.parametrize("one", packaged().providers, ids=lambda one: one.id)


def test_none_got_lost() -> None:
    """Every preset of the file is there, each under an id of its own."""
    assert len({one.id for one in packaged().providers}) == len(packaged().providers) == 150


@pytest.mark.parametrize(
    "advice",
    [r"less[- ]secure", r"disable (mfa|security|two|2)", r"turn off (mfa|security|verification|certificate|two|2)"],
)
def test_no_unsafe_advice(advice: str) -> None:
    """Nothing tells people to weaken their account or the checks of certificates."""
    assert [text for text in sentences() if re.search(advice, text, re.IGNORECASE)] == []


@every_provider
def test_a_preset_without_ssl_says_why(one: Provider) -> None:
    """Where it is known that no port speaks TLS from the first byte, a sentence names the port to use."""
    if one.no_ssl:
        assert one.ports_for("ssl") == ()
        assert "STARTTLS" in one.no_ssl_reason
    else:
        assert one.no_ssl_reason == ""


@pytest.mark.parametrize(
    "name",
    [
        "microsoft365",
        "outlook",
        "hotmail",
        "icloud",
        "postmark",
        "sparkpost",
        "mailersend",
        "azure-communication-services",
    ],
)
def test_these_have_no_port_465(name: str) -> None:
    """Their SSL choice is closed with a reason that names the provider and a STARTTLS port."""
    one = packaged().provider(name)
    assert one is not None
    assert one.name in one.no_ssl_reason
    assert "587" in one.no_ssl_reason


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("me@gmail.com", "gmail"),
        ("ME@GMAIL.COM", "gmail"),
        ("gmail.com", "gmail"),
        ("a@hotmail.co.uk", "hotmail"),
        ("a@live.com", "hotmail"),
        ("a@contoso.onmicrosoft.com", "microsoft365"),
        ("a@qq.com", "qq"),
        ("a@vip.163.com", "netease-163"),
        ("a@zoho.eu", "zoho"),
        ("a@example.com", None),
        ("", None),
        ("com", None),
    ],
)
def test_found_by_address(address: str, expected: str | None) -> None:
    """The domain of an address, whatever its case, leads to the preset."""
    found = packaged().provider_of_address(address)
    assert (found.id if found else None) == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("smtp.gmail.com", "gmail"),
        ("SMTP.Gmail.com.", "gmail"),
        ("smtp.live.com", "outlook"),
        ("smtp.mxhichina.com", "aliyun-qiye"),
        ("smtp.zoho.eu", "zoho"),
        ("smtppro.zoho.in", "zoho"),
        ("email-smtp.eu-central-1.amazonaws.com", "amazon-ses"),
        ("smtp.eu.mailgun.org", "mailgun"),
        ("mail.example.com", None),
    ],
)
def test_found_by_host(host: str, expected: str | None) -> None:
    """Current, regional and former host names lead to the preset."""
    found = packaged().provider_of_host(host)
    assert (found.id if found else None) == expected


def test_the_address_decides_between_two_of_one_host() -> None:
    """A shared host is that of the provider which answers for the sending address."""
    assert [one.id for one in packaged().providers_of_host("smtp.live.com")] == ["outlook", "hotmail"]
    found = packaged().provider_of_host("smtp.live.com", "a@hotmail.com")
    assert found is not None
    assert found.id == "hotmail"


@pytest.mark.parametrize(
    ("mx", "expected"),
    [
        ("aspmx.l.google.com", "google-workspace"),
        ("gmail-smtp-in.l.google.com", "gmail"),
        ("contoso-com.mail.protection.outlook.com", "microsoft365"),
        ("x.olc.protection.outlook.com", "outlook"),
        ("mta5.am0.yahoodns.net", None),
        ("mx.example.com", None),
    ],
)
def test_found_by_mx(mx: str, expected: str | None) -> None:
    """The host of incoming mail leads to the preset by its longest suffix, unless several share it."""
    found = packaged().provider_of_mx(mx)
    assert (found.id if found else None) == expected


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("gmail", "gmail"),
        ("GMAIL", "gmail"),
        ("goog", "gmail"),
        ("office", "microsoft365"),
        ("o365", "microsoft365"),
        ("microsoft", "microsoft365"),
        ("outlook", "outlook"),
        ("hotmail", "hotmail"),
        ("live.com", "hotmail"),
        ("腾讯", "qq"),
        ("qq", "qq"),
        ("163", "netease-163"),
        ("网易", "netease-163"),
        ("aws", "amazon-ses"),
        ("smtp.gmail.com", "gmail"),
        ("1und1", "ionos"),
        ("  send  grid ", None),
        ("sendgrid", "sendgrid"),
    ],
)
def test_search(text: str, first: str | None) -> None:
    """A few letters of a name, an alias, a domain or a host put the right preset on top."""
    found = packaged().search(text)
    assert (found[0].id if found else None) == first


def test_an_empty_search_shows_all() -> None:
    """Nothing typed hides nothing."""
    assert sorted(one.id for one in packaged().search("  ")) == sorted(one.id for one in packaged().providers)


@given(st.text(max_size=30))
def test_search_takes_any_text(text: str) -> None:
    """Whatever is typed or pasted, search and suggestion answer."""
    assert len(packaged().search(text)) <= len(packaged().providers)
    packaged().suggest_host(text)


@pytest.mark.parametrize(
    ("typed", "suggestion"),
    [
        ("gmail.com", "smtp.gmail.com"),
        (" Gmail.com ", "smtp.gmail.com"),
        ("me@gmail.com", "smtp.gmail.com"),
        ("imap.gmail.com", "smtp.gmail.com"),
        ("smtp.google.com", "smtp.gmail.com"),
        ("smpt.gmail.com", "smtp.gmail.com"),
        ("smtp.live.com", "smtp-mail.outlook.com"),
        ("smtp.mxhichina.com", "smtp.qiye.aliyun.com"),
        ("zoho.eu", "smtp.zoho.eu"),
        ("bol.com.br", "smtps.bol.com.br"),
        ("smtp.gmail.com", None),
        ("mail.gmx.net", None),
        ("mail.example.com", None),
        ("me@example.com", None),
        ("tuta.com", None),
        ("localhost", None),
        ("", None),
    ],
)
def test_suggested_host(typed: str, suggestion: str | None) -> None:
    """A domain, an address, an old name or a near miss in the host field gets the right server proposed."""
    assert packaged().suggest_host(typed) == suggestion
