"""A failed test is mended with one press, by keyboard, with and without JavaScript; then the server is saved."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from flask_smtpservers.servers.profile import ServerProfile

from ..apps import Host, server_fields
from ..peers.mailbox import PASSWORD, USERNAME, Mailbox
from .test_main_flow import fill_in, send_from_the_app

OpenPage = Callable[..., Page]
Live = tuple[Host, str]

BOTH = pytest.mark.parametrize("javascript", [True, False], ids=["with JavaScript", "without JavaScript"])


def only_server(host: Host) -> ServerProfile:
    with host.app.app_context():
        (server,) = host.smtp.servers()
    return server


def press(page: Page, name: str) -> None:
    """Press a button as somebody without a mouse does, once the page is complete: a result comes before its form."""
    page.wait_for_load_state()
    page.get_by_role("button", name=name, exact=True).first.focus()
    page.keyboard.press("Enter")


def serious(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    grave = [each for each in found if each["impact"] in ("serious", "critical")]
    return [f"{each['id']}: {each['nodes'][0]['html'][:120]}" for each in grave]


@BOTH
def test_a_failed_test_is_mended_and_saved(javascript: bool, live: Live, mailbox: Mailbox, open_page: OpenPage) -> None:
    """SSL at a port that begins in plain text: one press, a passed test, one press, and mail goes out."""
    host, url = live
    page = open_page(f"{url}/smtp/add", javascript=javascript, width=390)
    fill_in(page, mailbox.submission)
    page.get_by_label("Enable SSL").check(force=True)
    page.get_by_label("Port", exact=True).fill(str(mailbox.submission))
    page.get_by_label("Sender name format").fill("{name} (shop)")
    page.get_by_label("Send a test message to").fill("ann@example.test")
    press(page, "Test SMTP Settings")
    headline = page.locator("[data-smtp-headline]")
    expect(headline).to_have_text(re.compile(r"Stopped at step \d+ of \d+: This port begins unencrypted"))
    if javascript:
        expect(headline).to_be_focused()
        assert serious(page) == []
    assert mailbox.logins == []

    press(page, "Use STARTTLS")
    expect(headline).to_have_text("It works: the test message is on its way.")
    expect(page.get_by_text("Changed – Encryption: STARTTLS. Nothing is saved yet.").first).to_be_visible()
    expect(page.get_by_label("Enable SSL")).not_to_be_checked()
    expect(page.get_by_label("Sender name format")).to_have_value("{name} (shop)")
    assert mailbox.logins == [(USERNAME, PASSWORD)]
    assert PASSWORD not in page.content()
    if javascript:
        page.locator(".smtp-technical summary").first.click()
        assert serious(page) == []
    assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth")

    press(page, "Save and activate")
    expect(page.get_by_text("“localhost” was saved.")).to_be_visible()
    expect(page.get_by_text(re.compile("Working – tested"))).to_be_visible()
    saved = only_server(host)
    assert (saved.security, saved.enabled, saved.sender_format) == ("starttls", True, "{name} (shop)")
    send_from_the_app(host)
    assert mailbox.letters[-1].message["Subject"] == "Your receipt"


@BOTH
def test_a_stored_server_is_mended_from_its_test(
    javascript: bool, live: Live, mailbox: Mailbox, open_page: OpenPage
) -> None:
    """The press tests the corrected values with the stored password; "Save" stores them."""
    host, url = live
    with host.app.app_context():
        server = host.smtp.add_server(**server_fields(mailbox, security="ssl", port=mailbox.submission))
    page = open_page(f"{url}/smtp/{server.public_id}/test", javascript=javascript)
    press(page, "Send test message")
    expect(page.locator("[data-smtp-headline]")).to_have_text(re.compile("Stopped at step"))
    press(page, "Use STARTTLS")
    expect(page.locator("[data-smtp-headline]")).to_have_text("It works: the settings are right.")
    assert only_server(host).security == "ssl"
    press(page, "Save")
    expect(page.get_by_text("“Shop” was saved.")).to_be_visible()
    assert only_server(host).security == "starttls"
    assert mailbox.logins == [(USERNAME, PASSWORD)]


@BOTH
def test_save_as_a_draft_and_activate(javascript: bool, live: Live, mailbox: Mailbox, open_page: OpenPage) -> None:
    """A refused password: the first action leads to its field; a draft keeps the rest until somebody knows it."""
    host, url = live
    page = open_page(f"{url}/smtp/add", javascript=javascript)
    fill_in(page, mailbox.submission)
    page.get_by_label("Password", exact=True).fill("nonsense")
    press(page, "Test SMTP Settings")
    expect(page.locator("[data-smtp-headline]")).to_have_text(re.compile("The server refused user name or password"))
    page.get_by_role("link", name="Enter the password again").click()
    expect(page.get_by_label("Password", exact=True)).to_be_focused()
    page.locator(".smtp-result").get_by_role("button", name="Save as draft").click()
    expect(page.get_by_text(re.compile("Draft – sends nothing"))).to_be_visible()
    assert only_server(host).draft
    page.get_by_role("button", name="Activate localhost").click()
    expect(page.get_by_text("“localhost” is active: it is used for sending now.")).to_be_visible()
    assert only_server(host).enabled


def test_the_report_is_downloaded_without_javascript(
    live: Live, mailbox: Mailbox, open_page: OpenPage, tmp_path: Path
) -> None:
    host, url = live
    with host.app.app_context():
        server = host.smtp.add_server(**server_fields(mailbox, password="nonsense"))
    page = open_page(f"{url}/smtp/{server.public_id}/test", javascript=False)
    press(page, "Send test message")
    page.get_by_text("Technical details").click()
    expect(page.get_by_role("button", name="Copy report")).not_to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download report").click()
    assert download.value.suggested_filename == "smtp-test-report.txt"
    download.value.save_as(tmp_path / "report.txt")
    text = (tmp_path / "report.txt").read_text()
    assert "Cause: bad_credentials" in text
    assert USERNAME not in text


def test_the_report_is_copied(live: Live, mailbox: Mailbox, open_page: OpenPage) -> None:
    host, url = live
    with host.app.app_context():
        server = host.smtp.add_server(**server_fields(mailbox))
    page = open_page(f"{url}/smtp/{server.public_id}/test")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    press(page, "Send test message")
    page.get_by_text("Technical details").click()
    page.get_by_role("button", name="Copy report").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").startswith("Report of an SMTP test")


def test_a_password_does_not_follow_to_another_server(live: Live, mailbox: Mailbox, open_page: OpenPage) -> None:
    """Also where the script holds what was typed: after a correction to another host the field is empty."""
    _host, url = live
    page = open_page(f"{url}/smtp/add")
    fill_in(page, mailbox.submission)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.evaluate(
        """() => {
            const button = document.createElement("button");
            Object.assign(button, { name: "fix", value: "host=mail.example.org", textContent: "Elsewhere" });
            button.dataset.smtpTest = "#smtp-panel";
            button.setAttribute("formaction", "/smtp/test");
            document.getElementById("smtp-form").append(button);
        }"""
    )
    press(page, "Elsewhere")
    expect(page.get_by_text("The password was entered for another server").first).to_be_visible()
    expect(page.locator("input[name=smtp_secret]")).to_have_value("")
    expect(page.locator("input[name=host]")).to_have_value("mail.example.org")
    assert mailbox.connections == 0


@BOTH
def test_a_form_that_was_open_for_too_long(
    javascript: bool, live: Live, mailbox: Mailbox, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token runs out while somebody types: the form comes back as it was, and the next press saves it."""
    host, url = live
    page = open_page(f"{url}/smtp/add", javascript=javascript)
    fill_in(page, mailbox.submission)
    monkeypatch.setitem(host.app.config, "WTF_CSRF_TIME_LIMIT", -1)
    press(page, "Test SMTP Settings")
    expect(page.get_by_text("The page was open for too long").first).to_be_visible()
    expect(page.get_by_label("Send as", exact=True)).to_have_value('"Doe, John" <shop@example.test>')
    monkeypatch.setitem(host.app.config, "WTF_CSRF_TIME_LIMIT", 3600)
    press(page, "Test SMTP Settings")
    expect(page.locator("[data-smtp-headline]")).to_have_text("It works: the settings are right.")
    press(page, "Save and activate")
    expect(page.get_by_text("“localhost” was saved.")).to_be_visible()
    assert only_server(host).has_password
