"""Setting up a server from an address as a person does it: two typed fields, one question, one check, one press."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
from axe_playwright_python.sync_playwright import Axe
from flask_mail import Message
from playwright.sync_api import Page, expect

from ..apps import Host
from ..peers.mailbox import PASSWORD, Mailbox
from ..providers.world import Records, World, making

OpenPage = Callable[..., Page]
Live = tuple[Host, str]

ME = "me@example.org"


@pytest.fixture
def world(live: Live, ca: trustme.CA, ca_file: Path) -> Iterator[World]:
    """An internet on loopback, with the app in it."""
    host, _url = live
    with making(ca, ca_file) as made:
        host.state.finder.environment = Records(made)
        host.state.network = made
        yield made


@pytest.fixture
def hoster(world: World) -> Iterator[Mailbox]:
    """mail.hoster.net, where me@example.org signs in; the DNS records of example.org name it."""
    running = Mailbox(world.ca, account=ME).start(("mail.hoster.net",))
    world.lead("mail.hoster.net", (465, running.smtps), (587, running.submission))
    world.srv(("mail.hoster.net", 587))
    yield running
    running.stop()


def look(page: Page, where: str) -> list[str]:
    """Return what axe and the window say of the page as it is now."""
    page.emulate_media(reduced_motion="reduce")  # nothing is half faded in
    found = [
        f"{where}: {each['id']}: {each['nodes'][0]['html'][:160]}"
        for each in Axe().run(page).response["violations"]
        if each["impact"] in ("serious", "critical")
    ]
    if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
        found.append(f"{where} scrolls sideways")
    return found


def test_by_keyboard_from_the_empty_list_to_the_first_mail(live: Live, hoster: Mailbox, open_page: OpenPage) -> None:
    """Address, Enter; password, Enter; the question that was passed over, ticked; saved and sending."""
    host, url = live
    page = open_page(f"{url}/smtp/", width=390, dark=True)
    problems = look(page, "list")
    page.get_by_label("Mail address").focus()
    page.keyboard.type(ME)
    page.keyboard.press("Enter")

    expect(page.get_by_text("Is that your provider?")).to_be_visible()
    expect(page.get_by_label("Password", exact=True)).to_be_focused()
    problems += look(page, "found")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")

    tick = page.get_by_role("checkbox", name="Yes, hoster.net is where I send from")
    expect(tick).to_be_focused()
    expect(page.get_by_text("Tick this first")).to_be_visible()
    assert hoster.logins == []
    problems += look(page, "unconfirmed")
    page.keyboard.press("Space")
    page.get_by_label("Send a test message to").fill("ann@example.org")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="It works: the test message is on its way.")).to_be_visible()
    problems += look(page, "checked")
    assert hoster.logins == [(ME, PASSWORD)]
    page.get_by_role("button", name="Save and activate").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text(re.compile("Working – tested"))).to_be_visible()
    assert PASSWORD not in page.content()

    with host.app.app_context():
        host.mail.send(Message("Your receipt", recipients=["ann@example.org"], body="Thank you"))
    assert hoster.letters[-1].message["Subject"] == "Your receipt"
    assert problems == []


def test_without_javascript(live: Live, hoster: Mailbox, open_page: OpenPage) -> None:
    """The same pages, asked for one after the other; the password is typed once."""
    _host, url = live
    page = open_page(f"{url}/smtp/", javascript=False, width=320)
    page.get_by_label("Mail address").fill(ME)
    page.get_by_role("button", name="Configure SMTP server").click()
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Check and save").click()
    expect(page.get_by_text("Tick this first")).to_be_visible()
    page.get_by_role("checkbox", name=re.compile("hoster.net")).check()
    page.get_by_role("button", name="Check and save").click()
    expect(page.get_by_role("heading", name="It works: the settings are right.")).to_be_visible()
    page.get_by_role("button", name="Save and activate").click()
    expect(page.get_by_text(re.compile("Working – tested"))).to_be_visible()
    assert hoster.logins == [(ME, PASSWORD)]


def test_nothing_found_goes_on_in_the_usual_form(live: Live, world: World, open_page: OpenPage) -> None:
    """Why nothing was found, and the form with what was typed; a mended address searches again."""
    _host, url = live
    page = open_page(f"{url}/smtp/set-up")
    page.get_by_label("Mail address").fill("Shop <me@nothing.example.org>")
    page.get_by_role("button", name="Find settings").click()
    expect(page.get_by_text("No server was found for nothing.example.org.")).to_be_visible()
    assert look(page, "nothing found") == []
    page.get_by_role("button", name="Enter the server's settings yourself").click()
    expect(page.get_by_label("Send as", exact=True)).to_have_value("Shop <me@nothing.example.org>")
    expect(page.get_by_label("User name")).to_have_value("me@nothing.example.org")


def test_a_failed_check_can_be_repeated(live: Live, hoster: Mailbox, open_page: OpenPage) -> None:
    """A wrong password names its cause on the same page; the right one passes, and nothing else is typed again."""
    _host, url = live
    page = open_page(f"{url}/smtp/set-up")
    page.get_by_label("Mail address").fill(ME)
    page.get_by_role("button", name="Find settings").click()
    page.get_by_role("checkbox", name=re.compile("hoster.net")).check()
    page.get_by_label("Password", exact=True).fill("wrong")
    page.get_by_role("button", name="Check and save").click()
    expect(page.get_by_role("heading", name=re.compile("Stopped at step"))).to_be_visible()
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Check and save").click()
    expect(page.get_by_role("heading", name="It works: the settings are right.")).to_be_visible()
