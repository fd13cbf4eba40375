"""The main job as a person does it: add a server, test it, mend a wrong port, save, and the app's mail goes out."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable

import pytest
from flask_mail import Message
from playwright.sync_api import Page, Route, expect

from ..apps import Host, server_fields
from ..peers.mailbox import PASSWORD, USERNAME, Mailbox

OpenPage = Callable[..., Page]
Live = tuple[Host, str]


@pytest.fixture
def closed_port() -> int:
    """A port on loopback where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fill_in(page: Page, port: int) -> None:
    """Fill in the form of a new server, as somebody who has the values on a sheet of paper."""
    page.get_by_label("Other server").check(force=True)
    page.get_by_label("Send as", exact=True).fill('"Doe, John" <shop@example.test>')
    page.get_by_label("Enable SSL").uncheck(force=True)
    page.get_by_role("combobox", name="Encryption").select_option("starttls")
    page.get_by_label("Server", exact=True).fill("localhost")
    page.get_by_label("Port", exact=True).fill(str(port))
    page.get_by_label("User name").fill(USERNAME)
    page.get_by_label("Password", exact=True).fill(PASSWORD)


def send_from_the_app(host: Host) -> None:
    with host.app.app_context():
        host.mail.send(Message("Your receipt", recipients=["ann@example.test"], body="Thank you"))


@pytest.mark.parametrize("javascript", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_add_test_mend_save_send(
    javascript: bool, live: Live, mailbox: Mailbox, closed_port: int, open_page: OpenPage
) -> None:
    """From the empty page to a mail that arrives under the right name, with one wrong port on the way."""
    host, url = live
    page = open_page(f"{url}/smtp/", javascript=javascript)
    expect(page.get_by_role("heading", level=1)).to_have_text("SMTP Servers")
    page.get_by_role("link", name="Enter the server's settings yourself").click()

    fill_in(page, closed_port)
    page.get_by_role("button", name="Test SMTP Settings").click()
    expect(page.get_by_role("heading", name=re.compile(r"Stopped at step 3 of 11"))).to_be_visible()
    expect(
        page.get_by_text(re.compile("Connection refused|refused the connection|No mail server answers", re.I)).first
    ).to_be_visible()
    assert mailbox.connections == 0

    page.get_by_label("Port", exact=True).fill(str(mailbox.submission))
    page.get_by_label("Password", exact=True).fill(PASSWORD)  # a kept one is not sent to an unusual port
    page.get_by_label("Send a test message to").fill("ann@example.test")
    page.get_by_role("button", name="Test SMTP Settings").click()
    expect(page.get_by_text(f"Signed in to localhost as {USERNAME}").first).to_be_visible()
    expect(page.get_by_text(re.compile("accepted the test message.*queue id Q1")).first).to_be_visible()
    assert mailbox.letters[0].message["From"] == '"Doe, John" <shop@example.test>'

    page.locator("main").get_by_role("button", name="Save", exact=True).last.click()
    expect(page.get_by_role("status").first).to_be_visible()
    expect(page.get_by_role("heading", name="localhost")).to_be_visible()
    assert PASSWORD not in page.content()

    send_from_the_app(host)
    letter = mailbox.letters[-1]
    assert letter.message["Subject"] == "Your receipt"
    assert letter.message["From"] == '"Doe, John" <shop@example.test>'
    assert (letter.username, letter.encrypted) == (USERNAME, True)


def test_by_keyboard_alone(live: Live, mailbox: Mailbox, open_page: OpenPage) -> None:
    """Change password opens as a dialog, closes with Escape, and takes a new password with Enter; one press uses it."""
    host, url = live
    with host.app.app_context():
        server = host.smtp.add_server(**server_fields(mailbox, password="old"))
    page = open_page(f"{url}/smtp/{server.public_id}/edit")
    page.get_by_role("link", name="Change password").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()
    page.get_by_role("link", name="Change password").focus()
    page.keyboard.press("Enter")
    expect(dialog).to_be_visible()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_text("This is saved, and waits for a test")).to_be_visible()
    page.get_by_role("link", name="Test and activate").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("The new settings are in use.")).to_be_visible()
    send_from_the_app(host)
    assert set(mailbox.logins) == {(USERNAME, PASSWORD)}


def test_a_preset_fills_in_the_form(live: Live, open_page: OpenPage) -> None:
    """Choosing Gmail fills server and port, asks for the app password by its name and shows how to get one."""
    _host, url = live
    page = open_page(f"{url}/smtp/add")
    page.get_by_label("Gmail", exact=False).first.check(force=True)
    page.get_by_label("Send as", exact=True).fill("shop@gmail.com")
    page.get_by_label("Send as", exact=True).blur()
    expect(page.get_by_label("App password")).to_be_visible()
    expect(page.get_by_text("2-Step Verification").first).to_be_visible()
    expect(page.get_by_label("User name")).to_have_value("shop@gmail.com")
    expect(page.locator("input[name=host]")).to_have_value("smtp.gmail.com")
    expect(page.locator("input[name=port]")).to_have_value("465")


def test_what_is_typed_while_a_preset_loads_stays(live: Live, open_page: OpenPage) -> None:
    """Over a slow line somebody types on before the preset has come: neither is lost."""
    _host, url = live
    page = open_page(f"{url}/smtp/add")
    held: list[Route] = []
    page.route("**/smtp/add", lambda route: route.continue_() if held else held.append(route))
    page.get_by_label("Gmail", exact=False).first.check(force=True)
    page.get_by_label("Send as", exact=True).fill("shop@gmail.com")
    with page.expect_response("**/smtp/add"):  # the hints for the address come first
        page.get_by_label("Send as", exact=True).blur()
    held[0].continue_()
    expect(page.get_by_label("App password")).to_be_visible()
    expect(page.locator("input[name=host]")).to_have_value("smtp.gmail.com")
    expect(page.get_by_label("Send as", exact=True)).to_have_value("shop@gmail.com")
    expect(page.get_by_label("User name")).to_have_value("shop@gmail.com")


def test_the_port_follows_the_encryption_until_it_is_typed(live: Live, open_page: OpenPage) -> None:
    """465 becomes 587 with SSL off; a port of one's own stays, and a mismatch can be mended with one click."""
    _host, url = live
    page = open_page(f"{url}/smtp/add")
    port, ssl = page.get_by_label("Port", exact=True), page.get_by_label("Enable SSL")
    expect(port).to_have_value("465")
    ssl.uncheck(force=True)
    expect(port).to_have_value("587")
    port.fill("2525")
    ssl.check(force=True)
    expect(port).to_have_value("2525")
    page.get_by_label("Send as", exact=True).fill("shop@example.test")
    page.get_by_label("Server", exact=True).fill("mail.example.org")
    port.fill("587")
    port.blur()
    page.get_by_role("button", name=re.compile("STARTTLS")).first.click()
    expect(ssl).not_to_be_checked()
    expect(port).to_have_value("587")


def test_two_tabs(live: Live, mailbox: Mailbox, open_page: OpenPage) -> None:
    """The second of two people who edit one server is told, and loses nothing."""
    host, url = live
    with host.app.app_context():
        server = host.smtp.add_server(**server_fields(mailbox))
    first, second = (open_page(f"{url}/smtp/{server.public_id}/edit") for _ in range(2))
    for page, name in ((first, "First"), (second, "Second")):
        page.get_by_label("Name", exact=False).first.wait_for(state="attached")
        page.locator("details#smtp-server-fold").evaluate("e => e.open = true")
        page.locator("input[name=name]").fill(name)
        page.locator("main").get_by_role("button", name="Save", exact=True).last.click()
    expect(second.locator("#smtp-conflict")).to_be_visible()
    expect(second.locator("input[name=name]")).to_have_value("Second")
    with host.app.app_context():
        assert [each.name for each in host.smtp.servers()] == ["First"]
