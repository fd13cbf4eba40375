"""The example app with its two branches: what a head office, a manager, somebody with a server of his own, and a
bystander see of each other's mail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from example_app.extensions import smtp
from example_app.postoffice import Account, Letter, PostOffice
from flask_smtpservers import Scope

from ..example.conftest import instance, office, prepared, shop  # noqa: F401 - fixtures
from .conftest import serving

OpenPage = Callable[..., Page]


@pytest.fixture
def url(shop: Flask) -> Iterator[str]:  # noqa: F811 - a fixture
    with serving(shop) as served:
        yield served


def signed_in(open_page: OpenPage, url: str, name: str) -> Page:
    page = open_page(f"{url}/sign-in")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(f"{name}-demo")
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    return page


def add_server(page: Page, office: PostOffice, account: Account, sender: str) -> None:  # noqa: F811 - a fixture
    """Fill in the form, test it, and save."""
    other = page.get_by_label("Other server")
    if other.count():
        other.check(force=True)
    page.get_by_label("Send as", exact=True).fill(sender)
    page.get_by_label("Server", exact=True).fill(office.host)
    page.get_by_label("Port", exact=True).fill(str(office.smtps_port))
    page.get_by_label("User name").fill(account.username)
    page.get_by_label("Password", exact=True).fill(account.password)
    page.get_by_role("button", name="Test SMTP Settings").click()
    expect(page.get_by_text(f"Signed in to {office.host} as {account.username}").first).to_be_visible()
    page.locator("main").get_by_role("button", name="Save", exact=True).last.click()


def send(page: Page, link: str, button: str, office: PostOffice) -> Letter:  # noqa: F811 - a fixture
    """Send something with one of the shop's pages; return what arrived last."""
    page.get_by_role("navigation", name="Shop").get_by_role("link", name=link, exact=True).click()
    address = page.get_by_label("The customer's e-mail address")
    if address.count():
        address.fill("ann@example.com")
    page.get_by_role("button", name=button).click()
    expect(page.get_by_role("status").filter(has_text="Look into the inbox")).to_be_visible()
    return office.letters()[0]


def test_two_branches_and_four_roles(
    shop: Flask,  # noqa: F811
    office: PostOffice,  # noqa: F811
    url: str,
    open_page: OpenPage,
) -> None:
    """Each sees and uses what is his, and nobody else's mail goes through it."""
    ada = signed_in(open_page, url, "ada")
    ada.goto(f"{url}/smtp/add")
    add_server(ada, office, office.shop, '"Corner Shop" <orders@corner-shop.test>')
    ada.goto(f"{url}/smtp/used-for")
    ada.get_by_label("Newsletter").select_option(label=office.host)
    ada.get_by_role("main").get_by_role("button", name="Save").click()
    expect(ada.get_by_role("status").first).to_be_visible()

    mia = signed_in(open_page, url, "mia")
    mia.goto(f"{url}/smtp/add")
    add_server(mia, office, office.harbour, office.harbour.username)
    assert send(mia, "Receipt", "Send the receipt", office).username == office.harbour.username
    with shop.app_context():
        (of_harbour,) = smtp.servers(scope=Scope("harbour"))

    max_ = signed_in(open_page, url, "max")
    max_.goto(f"{url}/smtp/")
    expect(max_.get_by_role("heading", name="Servers of the app")).to_be_visible()
    assert office.harbour.username not in max_.content()
    answer = max_.goto(f"{url}/smtp/{of_harbour.public_id}/edit")
    assert answer is not None
    assert answer.status == 404
    max_.goto(url)
    assert send(max_, "Receipt", "Send the receipt", office).username == office.shop.username

    sam = signed_in(open_page, url, "sam")
    assert send(sam, "Letter", "Send the letter", office).username == office.harbour.username
    sam.get_by_role("link", name="Sam Staff, Harbour").click()
    sam.get_by_role("link", name="Enter the server's settings yourself").click()
    add_server(sam, office, office.sam, office.sam.username)
    sam.goto(f"{url}/inbox")
    sam.get_by_role("main").get_by_role("link").first.click()
    with sam.context.expect_page() as opened:
        sam.get_by_role("link", name="/smtp/me/confirm/").click()
    opened.value.get_by_role("button", name="Yes, this is my address").click()
    expect(opened.value.get_by_role("status").first).to_contain_text("is proved")
    assert send(sam, "Letter", "Send the letter", office).username == office.sam.username
    assert send(sam, "Newsletter", "Send to 5 customers", office).username == office.shop.username

    mia.get_by_role("navigation", name="Shop").get_by_role("link", name="Personal servers").click()
    mia.get_by_text("Suspend …").click()
    mia.get_by_label("Reason").fill("Ask me first")
    mia.get_by_role("button", name="Suspend").click()
    expect(mia.get_by_role("status").first).to_be_visible()
    assert send(sam, "Letter", "Send the letter", office).username == office.harbour.username
    sam.goto(f"{url}/settings")
    expect(sam.get_by_text("Ask me first")).to_be_visible()

    tom = signed_in(open_page, url, "tom")
    assert tom.get_by_role("navigation", name="Shop").get_by_role("link").count() == 4
    for path in ("/smtp/", "/smtp/me", f"/smtp/{of_harbour.public_id}/edit"):
        answer = tom.goto(f"{url}{path}")
        assert answer is not None
        assert answer.status == 403

    mia.goto(f"{url}/smtp/")
    mia.get_by_role("switch", name="Sending enabled").click()
    expect(mia.get_by_role("switch", name="Sending enabled")).not_to_be_checked()
    sam.goto(f"{url}/receipt")
    expect(sam.locator(".smtp-banner")).to_be_visible()
    tom.goto(f"{url}/receipt")
    expect(tom.locator(".smtp-banner")).not_to_be_visible()
