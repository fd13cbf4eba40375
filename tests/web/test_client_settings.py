"""The settings of a server for other programs: all that they must be told, and never the password."""

from __future__ import annotations

from typing import Any

import pytest

from flask_smtpservers import Action
from tests.apps import Host, server_fields
from tests.peers.mailbox import PASSWORD, USERNAME, Mailbox

from .browser import Browser, words
from .conftest import MakeSite

ZEROS = "SHA256:" + ":".join(["00"] * 32)


def page_of(site: Host, browser: Browser, mailbox: Mailbox, **changes: Any) -> str:
    with site.app.app_context():
        server = site.smtp.add_server(**server_fields(mailbox, **changes))
    return words(browser.get(f"/{server.public_id}/settings"))


def test_all_that_another_program_asks_for(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    """In the words of mail programs, as a table and as plain text that needs no script."""
    page = page_of(site, admin, mailbox, reply_to="help@example.test")
    table = {
        "Outgoing server (SMTP)": "localhost",
        "Port": str(mailbox.submission),
        "Encryption": "STARTTLS (required)",
        "Authentication": "Normal password",
        "User name": USERNAME,
        "Your name": "Corner Shop",
        "Mail address": "shop@example.test",
        "Reply address": "help@example.test",
    }
    for label, value in table.items():
        assert f"{label} {value}" in page
        assert f"{label}: {value}" in page
    assert PASSWORD not in page
    assert "The password is not shown here" in page


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"security": "ssl"}, "Encryption: SSL/TLS (encrypted from the start)"),
        ({"security": "none", "username": "", "password": ""}, "Encryption: None Authentication: No authentication"),
        ({"auth_mechanism": "LOGIN"}, "Authentication: Normal password"),
        ({"auth_mechanism": "SCRAM-SHA-256"}, "Authentication: Encrypted password (SCRAM-SHA-256)"),
        ({"certificate_fingerprint": ZEROS}, f"Fingerprint of the server's certificate: {ZEROS}"),
    ],
)
def test_each_kind(site: Host, admin: Browser, mailbox: Mailbox, changes: dict[str, Any], said: str) -> None:
    assert said in page_of(site, admin, mailbox, **changes)


def test_own_trust_is_mentioned(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    """Another program must know the authority, or compare the fingerprint."""
    assert "your own authority" in page_of(site, admin, mailbox, ca_certificate=mailbox.ca_pem)
    assert "only if its fingerprint is the same" in page_of(
        site, admin, mailbox, name="NAS", certificate_fingerprint=ZEROS
    )


def test_the_list_leads_there(site: Host, admin: Browser, shop: str) -> None:
    answer = admin.get("/")
    assert f'href="/smtp/{shop}/settings"' in answer.text
    assert "Settings for other programs : Shop" in words(answer)


def test_whoever_may_look_may_look(make_site: MakeSite, mailbox: Mailbox) -> None:
    """It shows no more than the list; nobody else sees it, and there are no others to be found."""
    allowed = {Action.VIEW_SERVERS}
    site = make_site(access=lambda action, scope: action in allowed)
    browser = Browser(site.app)
    assert "Mail address" in page_of(site, browser, mailbox)
    with site.app.app_context():
        (server,) = site.smtp.servers()
    assert f'href="/smtp/{server.public_id}/settings"' in browser.get("/").text
    assert browser.get("/nobody/settings").status_code == 404
    allowed.clear()
    assert browser.get(f"/{server.public_id}/settings").status_code == 403


def test_what_was_stored_is_escaped(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    with site.app.app_context():
        server = site.smtp.add_server(**server_fields(mailbox, name="<b>x", sender_name="<script>alert(1)</script>"))
    text = admin.get(f"/{server.public_id}/settings").text
    assert "<script>alert" not in text
    assert "<b>x" not in text
