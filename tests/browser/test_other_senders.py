"""The example of a mail from somebody else, while one chooses; and the kinds of mail, with and without JavaScript."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from ..apps import Host
from ..web.test_used_for import add

OpenPage = Callable[..., Page]


def test_the_example_follows_each_press(live: tuple[Host, str], open_page: OpenPage) -> None:
    """A press on a choice shows what becomes of the mail; nothing is saved, and what is typed stays."""
    host, url = live
    saved = add(host, "Till", "till@shop.test", sender_name="Corner Shop")
    page = open_page(f"{url}/smtp/{saved.public_id}/edit")
    page.get_by_text("Mail from other senders").click()
    example = page.locator("#smtp-example")
    expect(example).to_contain_text("ann@partner.example")
    expect(page.get_by_role("button", name="Show the effect")).to_be_hidden()
    page.get_by_label("Put it in the name and in Reply-To").check()
    expect(example).to_contain_text("Ann Miller via Corner Shop")
    page.get_by_label("Send as", exact=True).fill("Desk <desk@shop.test>")
    page.get_by_label("Refuse the mail").check()
    expect(example).to_contain_text("It is not sent.")
    expect(example).to_contain_text("desk@shop.test")
    page.get_by_label("May also send as").fill("partner.example")
    page.get_by_label("Always send as the address above; replies go to that sender").check()
    expect(example).to_contain_text("Ann Miller <ann@partner.example>")
    expect(page.get_by_label("Send as", exact=True)).to_have_value("Desk <desk@shop.test>")
    with host.app.app_context():
        (now,) = host.smtp.servers()
    assert (now.address, now.foreign_sender) == ("till@shop.test", "keep")


@pytest.mark.parametrize("javascript", [True, False])
def test_asking_by_keyboard(live: tuple[Host, str], open_page: OpenPage, javascript: bool) -> None:
    """Enter asks, and the page shows the answer."""
    host, url = live
    add(host, "Till", "till@shop.test")
    page = open_page(f"{url}/smtp/which-server", javascript=javascript, width=390, dark=True)
    page.get_by_label("From", exact=True).fill("x@shop.test")
    page.get_by_label("From", exact=True).press("Enter")
    page.wait_for_url("**/which-server#smtp-answer")
    expect(page.get_by_role("heading", name="“Till” would send it")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
