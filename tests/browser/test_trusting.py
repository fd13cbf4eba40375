"""A server of one's own whose certificate nobody has signed, and the settings for other programs, in a real browser."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterator

import pytest
import trustme
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from flask_smtpservers.smtp.pinning import fingerprint_of

from ..apps import Host, server_fields
from ..peers.mailbox import PASSWORD, Mailbox

OpenPage = Callable[..., Page]
Live = tuple[Host, str]


@pytest.fixture
def own() -> Iterator[Mailbox]:
    """Somebody's own mail server, whose authority nobody knows."""
    running = Mailbox(trustme.CA()).start()
    yield running
    running.stop()


def store(host: Host, own: Mailbox) -> str:
    with host.app.app_context():
        return host.smtp.add_server(**server_fields(own, name="NAS")).public_id


@pytest.mark.parametrize("javascript", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_trust_by_fingerprint(javascript: bool, own: Mailbox, live: Live, open_page: OpenPage) -> None:
    """Test, compare, trust, type the password, save, which tests it: it works and is used, on a phone as well."""
    host, url = live
    server = store(host, own)
    page = open_page(f"{url}/smtp/{server}/test", javascript=javascript, width=390)
    page.get_by_role("button", name="Send test message").click()
    trust = page.get_by_role("button", name="Trust this certificate")
    expect(trust).to_be_visible()
    fingerprint = fingerprint_of(ssl.PEM_cert_to_DER_cert(own.certificate))
    shown = page.locator(".smtp-fingerprint").inner_text()
    assert re.sub(r"\s", "", shown).replace(":", "") == fingerprint.removeprefix("SHA256:").replace(":", "")
    if javascript:
        assert Axe().run(page).response["violations"] == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    trust.click()
    password = page.get_by_label("Password", exact=True)
    expect(password).to_be_focused()
    expect(page.get_by_label("Fingerprint of the server's certificate")).to_have_value(fingerprint)
    password.fill(PASSWORD)
    page.get_by_role("button", name="Save", exact=True).last.click()
    if not javascript:
        page.get_by_role("button", name="Test and activate").click()
    expect(page.get_by_role("heading", name="It works: the settings are right.")).to_be_visible()
    expect(page.get_by_text("The new settings are in use.")).to_be_visible()


def test_settings_for_other_programs(own: Mailbox, live: Live, open_page: OpenPage) -> None:
    """From the menu of the row; each value and the whole text can be copied; a printer gets the table alone."""
    host, url = live
    store(host, own)
    page = open_page(f"{url}/smtp/", width=390, dark=True)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("summary", has_text="More").click()
    page.get_by_role("link", name="Settings for other programs").click()
    page.get_by_role("button", name="Copy User name").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "u@example.test"
    page.locator("summary", has_text="As plain text").click()
    page.get_by_role("button", name="Copy all").click()
    expect(page.get_by_role("button", name="Copied")).to_have_count(2)
    assert "Encryption: STARTTLS (required)\n" in page.evaluate("navigator.clipboard.readText()")
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.emulate_media(media="print")
    expect(page.get_by_text("Normal password").first).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Cop"))).to_have_count(0)
