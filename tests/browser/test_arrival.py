"""From "Send test message" to "Arrived after 6 s", as a person sees it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from ..apps import Host, server_fields
from ..peers.mailbox import Mailbox

OpenPage = Callable[..., Page]
Live = tuple[Host, str]

HEADERS = Path(__file__).parent.parent / "diagnosis" / "received" / "gmail_softfail.txt"


def link_in(mailbox: Mailbox) -> str:
    text = str(mailbox.letters[-1].message.get_content())
    return str(re.findall(r"https?://\S+/arrival/\S+", text)[0])


def problems_of(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html'][:120]}" for each in found if each["impact"] != "minor"]


def test_the_result_turns_by_itself(live: Live, mailbox: Mailbox, open_page: OpenPage) -> None:
    """Send a test, open the link somewhere else, and the page in front of the person says how long it took."""
    host, url = live
    with host.app.app_context():
        server = host.smtp.add_server(**server_fields(mailbox))
    page = open_page(f"{url}/smtp/{server.public_id}/test")
    page.get_by_label("Send a test message to").fill("ann@example.test")
    page.get_by_role("button", name="Send test message").click()
    waiting = page.locator(".smtp-step", has_text="Arrival")
    expect(waiting).to_contain_text("Waiting")
    expect(page.get_by_text("Open the link in the message: this page then says")).to_be_visible()
    expect(page.get_by_role("link", name="Check again")).not_to_be_visible()
    assert problems_of(page) == []

    phone = open_page(link_in(mailbox), width=390, dark=True)
    expect(phone.get_by_role("heading", level=1)).to_have_text("Thank you: the message arrived")
    assert problems_of(phone) == []
    expect(page.get_by_role("status").filter(has_text="Arrived after")).to_be_visible()
    expect(waiting).to_contain_text(re.compile(r"Arrived (less than a second|\d+ s)"))

    page.goto(f"{url}/smtp/")
    expect(page.get_by_text("Arrival confirmed")).to_be_visible()
    assert problems_of(page) == []


def test_without_javascript_a_link_asks_again(live: Live, mailbox: Mailbox, open_page: OpenPage) -> None:
    host, url = live
    with host.app.app_context():
        server = host.smtp.add_server(**server_fields(mailbox))
    page = open_page(f"{url}/smtp/{server.public_id}/test", javascript=False)
    page.get_by_label("Send a test message to").fill("ann@example.test")
    page.get_by_role("button", name="Send test message").click()
    expect(page.locator(".smtp-step", has_text="Arrival")).to_contain_text("Waiting")
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Check again").click()
    asking = opened.value
    expect(asking.locator(".smtp-step", has_text="Arrival")).to_contain_text("Waiting")
    open_page(link_in(mailbox), javascript=False)
    asking.locator(".smtp-buttons").get_by_role("link", name="Check again").click()
    expect(asking.get_by_text("Arrived after")).to_be_visible()


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (320, True)], ids=["wide", "narrow and dark"])
def test_pasted_headers(live: Live, open_page: OpenPage, width: int, dark: bool) -> None:
    """They fit a phone, and their results are told apart without colour."""
    _host, url = live
    page = open_page(f"{url}/smtp/headers", width=width, dark=dark)
    assert problems_of(page) == []
    page.get_by_label("Headers").fill(HEADERS.read_text())
    page.get_by_role("button", name="Explain").click()
    expect(page.get_by_role("heading", name="SPF softfail")).to_be_visible()
    expect(page.get_by_text("Add the sending service to the SPF record").first).to_be_visible()
    assert problems_of(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
