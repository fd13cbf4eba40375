"""A change of a server in use: saved, tested by itself, refused, mended; then the history leads back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from flask_smtpservers.servers.profile import ServerProfile

from ..apps import Host, server_fields
from ..peers.mailbox import PASSWORD, Mailbox

OpenPage = Callable[..., Page]
Live = tuple[Host, str]


def stored(host: Host) -> ServerProfile:
    with host.app.app_context():
        (server,) = host.smtp.servers()
    return server


def serious(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    grave = [each for each in found if each["impact"] in ("serious", "critical")]
    return [f"{each['id']}: {each['nodes'][0]['html'][:120]}" for each in grave]


@pytest.mark.parametrize("javascript", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_a_wrong_change_never_gets_into_use(
    javascript: bool, live: Live, mailbox: Mailbox, open_page: OpenPage
) -> None:
    """Saved with a wrong port: with a script it is tested at once, without one after a press; the old stays in use."""
    host, url = live
    with host.app.app_context():
        host.smtp.add_server(**server_fields(mailbox))
        host.db.session.commit()
    page = open_page(f"{url}/smtp/", javascript=javascript, width=390)
    page.get_by_role("link", name="Edit Shop").click()
    page.get_by_label("Port", exact=True).fill("1")
    page.get_by_role("button", name="Save", exact=True).last.click()
    page.locator("#smtp-smtp_secret").fill(PASSWORD)
    page.get_by_role("button", name="Save", exact=True).last.click()
    confirm = page.get_by_role("button", name="It is right as it is: save")
    if confirm.count():
        confirm.click()
    if not javascript:
        expect(page.get_by_text("Not in use yet: mail goes out with the old settings")).to_be_visible()
        page.get_by_role("button", name="Test and activate").click()
    expect(page.get_by_text("The old settings stay in use: mail goes out as before.")).to_be_visible()
    assert stored(host).port == mailbox.submission
    if javascript:
        assert serious(page) == []
    page.get_by_role("link", name="Edit the new settings").click()
    expect(page.get_by_label("Port", exact=True)).to_have_value("1")
    expect(page.get_by_text("These are the new settings, which wait for a test.")).to_be_visible()
    page.get_by_role("link", name="What changes").click()

    page.get_by_role("button", name="Drop the change").click()
    expect(page.get_by_text("it goes on as before")).to_be_visible()
    page.get_by_role("link", name="History of changes").click()
    expect(page.get_by_text("The change of “Shop” that waited was dropped")).to_be_visible()
    if javascript:
        assert serious(page) == []


def test_going_back_does_not_test_again(live: Live, mailbox: Mailbox, open_page: OpenPage) -> None:
    """Save is one press: tested and used. Going back from there leads to the form, and tests nothing again."""
    host, url = live
    with host.app.app_context():
        server = host.smtp.add_server(**server_fields(mailbox))
        host.db.session.commit()
    page = open_page(f"{url}/smtp/{server.public_id}/edit")
    page.locator("summary", has_text="Advanced").click()
    page.get_by_label("Time-out in seconds").fill("15")
    page.get_by_role("button", name="Save", exact=True).last.click()
    expect(page.get_by_text("The new settings are in use.")).to_be_visible()
    assert (stored(host).timeout_seconds, stored(host).test_passed) == (15, True)
    connections = mailbox.connections
    page.go_back()
    expect(page.get_by_label("Time-out in seconds")).to_have_value("15")
    assert mailbox.connections == connections

    page.goto(f"{url}/smtp/{server.public_id}/history")
    page.get_by_role("link", name="Restore what stood before").click()
    expect(page.get_by_role("heading", name="What comes back when you save")).to_be_visible()
    page.get_by_role("button", name="Save", exact=True).last.click()
    expect(page.get_by_text("The new settings are in use.")).to_be_visible()
    assert stored(host).timeout_seconds == 10
