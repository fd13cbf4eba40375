"""Which server would send this? The page answers what a send would do."""

from __future__ import annotations

import random
from typing import Any

import pytest
from flask import session
from flask_mail import Message

from flask_smtpservers import MessageRefused, Scope, ServerNotFound
from tests.apps import Host

from .browser import Browser, form_of, words
from .conftest import MakeSite
from .tenants import MAKING, person, with_login
from .test_used_for import ACME, KINDS, add


@pytest.fixture
def shop(make_site: MakeSite) -> Host:
    """Three servers of the app and one that is paused; users may have servers of their own."""
    site = make_site(
        SMTPSERVERS_KINDS=KINDS, SMTPSERVERS_PERSONAL=True, owner=lambda: session.get("role"), MAIL_SERVER="mail.test"
    )
    add(site, "Main", "info@shop.test", sender_name="Corner Shop")
    add(site, "Bills", "bills@shop.test", allowed_senders="friends.test", foreign_sender="rewrite", sender_name="Till")
    add(site, "Strict", "desk@strict.test", foreign_sender="refuse")
    add(site, "Old", "old@shop.test", enabled=False)
    return site


def ask(browser: Browser, **said: str) -> Any:
    return browser.post("/which-server", said)


def test_at_first_it_answers_for_a_mail_without_a_sender(shop: Host) -> None:
    page = words(Browser(shop.app).get("/which-server"))
    assert "“Main” would send it “Main” is the default server." in page
    assert "To: Corner Shop <info@shop.test>" in page


def test_the_rules_and_why_the_others_lost(shop: Host) -> None:
    """In their order; what was passed over is named, and what comes after the decision is marked so."""
    page = words(ask(Browser(shop.app), sender="old@shop.test"))
    assert "“Main” would send it" in page
    assert "Sender's address “Old” sends as old@shop.test. It is paused." in page
    assert "Sender's domain decides “Main” sends for the domain shop.test." in page
    assert "“Bills” sends for the domain shop.test. “Main” comes first." in page
    assert "Default server Not looked at any more." in page


def test_how_people_see_it(shop: Host) -> None:
    """From, Reply-To and the envelope sender as the rules of the server make them."""
    with shop.app.app_context():
        (bills,) = (one for one in shop.smtp.servers() if one.name == "Bills")
        shop.state.store.assign_kind("receipts", bills.public_id)
        shop.state.store.commit()
    page = words(ask(Browser(shop.app), sender="Ann <ann@nowhere.test>", kind="receipts"))
    assert "“Bills” would send it" in page
    assert "In the inbox Ann via Till" in page
    assert "only the address bills@shop.test" in page
    assert "To: Ann <ann@nowhere.test>" in page
    assert "(envelope sender) bills@shop.test" in page


@pytest.mark.parametrize(
    ("said", "texts"),
    [
        ({"using": "old"}, ["No server would send it", "The server “Old” was asked for, but it cannot send."]),
        ({"using": "nobody"}, ["No server would send it", "No SMTP server is called “nobody”."]),
        (
            {"using": "strict", "sender": "x@nowhere.test"},
            ["It would not be sent", "sends only as desk@strict.test", "The server for it is “Strict”"],
        ),
        ({"using": "Built-in"}, ["The app's own server would send it"]),
    ],
)
def test_what_would_not_be_sent(shop: Host, said: dict[str, str], texts: list[str]) -> None:
    page = words(ask(Browser(shop.app), **said))
    for text in texts:
        assert text in page


def test_while_sending_is_off_it_says_so_and_answers_all_the_same(shop: Host) -> None:
    with shop.app.app_context():
        shop.state.store.switch_sending(False)
        shop.state.store.commit()
    page = words(Browser(shop.app).get("/which-server"))
    assert "It would not be sent Sending is switched off. The server for it is “Main”" in page


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"sender": "not an address"}, "write it like name@example.org"),
        ({"sender": "a@b.test, c@d.test"}, "a@b.test, c@d.test"),
        ({"to": "nobody"}, "write it like name@example.org"),
        ({"kind": "pigeon"}, "There is no such kind of mail."),
        ({"sender": "x" * 5000}, "This is too long."),
        ({"tenant": "acme"}, "You cannot ask about this tenant."),
    ],
)
def test_what_is_wrong_stands_beside_its_field(shop: Host, said: dict[str, str], text: str) -> None:
    """The input stays, and there is no answer."""
    browser = Browser(shop.app)
    shop.state.has_tenants = False
    if "tenant" in said:
        shop.state.access = lambda action, scope: scope.tenant is None
    answer = ask(browser, using="main", **said)
    assert answer.status_code == 422
    assert text in words(answer)
    assert 'aria-invalid="true"' in answer.text
    assert "would send it" not in answer.text
    assert form_of(answer, "smtp-inquiry")["using"] == "main"


def test_links_ask_for_a_kind_or_a_server_and_no_address_is_in_them(shop: Host) -> None:
    with shop.app.app_context():
        (bills,) = (one for one in shop.smtp.servers() if one.name == "Bills")
    browser = Browser(shop.app)
    for path in ("/", "/used-for", f"/{bills.public_id}/edit"):
        assert "/smtp/which-server" in browser.get(path).text
    answer = browser.get(f"/which-server?server={bills.public_id}")
    assert form_of(answer, "smtp-inquiry")["sender"] == "bills@shop.test"
    assert "“Bills” would send it" in words(answer)
    assert form_of(browser.get("/which-server?kind=receipts"), "smtp-inquiry")["kind"] == "receipts"
    assert form_of(browser.get("/which-server?kind=pigeon"), "smtp-inquiry")["kind"] == ""
    assert browser.get("/which-server?server=" + "0" * 32).status_code == 404


def test_the_page_says_what_explain_says(shop: Host) -> None:
    """For generated mails: the same server, the same reason, the same rules, or the same refusal.

    Who is in front of the page makes no difference: the question is about a program's mail.
    """
    mine = add(shop, "Mine", "me@home.test", scope=Scope(owner="admin"))
    with shop.app.app_context():
        shop.state.store.verify_address(mine.public_id, "me@home.test", scope=Scope(owner="admin"))
        shop.state.store.commit()
    chance = random.Random(20261120)
    senders = (
        "",
        "info@shop.test",
        "BILLS@shop.test",
        "x@friends.test",
        "desk@strict.test",
        "q@strict.test",
        "a@b.test",
        "me@home.test",
    )
    browser = Browser(shop.app)
    answered = 0
    for _number in range(40):
        said = {
            "sender": chance.choice(senders),
            "kind": chance.choice(["", *KINDS]),
            "owner": chance.choice(["", "7", "admin"]),
            "using": chance.choice(["", "", "", "bills", "Strict", "nobody"]),
        }
        page = words(ask(browser, **said))
        named: dict[str, Any] = {name: said[name] or None for name in ("kind", "owner", "using")}
        with shop.app.app_context():
            message = Message(recipients=[], sender=said["sender"] or None)
            try:
                route = shop.smtp.explain(message, **named)
            except (ServerNotFound, MessageRefused) as error:
                assert str(error) in page, said
                continue
        assert f"“{route.server_name}” would send it {route.reason}" in page, said
        assert all(tried.reason in page for tried in route.tried), said
        answered += 1
    assert answered > 15


def test_a_tenants_admin_learns_nothing_about_others(make_site: MakeSite) -> None:
    """His question is always about his tenant; names and addresses of another's servers are as unknown as nonsense."""
    site = with_login(make_site(**MAKING, SMTPSERVERS_KINDS=KINDS))
    add(site, "Shared", "info@vendor.test")
    add(site, "Acme", "info@acme.test", scope=ACME)
    theirs = add(site, "Bolt", "info@bolt.test", scope=Scope("bolt"))
    with site.app.app_context():
        bens = site.smtp.add_server(
            scope=Scope("bolt", "ben"), name="Bens", host="127.0.0.1", port=1, security="none", address="ben@bolt.test"
        )
        site.state.store.verify_address(bens.public_id, "ben@bolt.test", scope=Scope("bolt", "ben"))
        site.state.store.commit()
    admin = person(site, "acme admin")
    assert 'name="tenant"' not in admin.get("/which-server").text
    assert admin.get(f"/which-server?server={theirs.public_id}").status_code == 404
    page = words(ask(admin, sender="info@bolt.test"))
    assert "“Acme” would send it" in page
    assert "No server sends as info@bolt.test." in page
    for name in ("Bolt", theirs.public_id, "Bens", bens.public_id):
        assert f"No SMTP server is called “{name}”." in words(
            ask(admin, using=name, owner="ben", sender="ben@bolt.test")
        )
    assert ask(admin, tenant="bolt").status_code == 422
    assert "“Acme” would send it" in words(ask(admin, owner="ben", sender="ben@bolt.test"))
    vendor = person(site, "vendor")
    assert "“Bolt” would send it" in words(ask(vendor, tenant="bolt"))
    assert "“Shared” would send it" in words(ask(vendor))
    assert "Edit this server" in words(ask(vendor))
    assert "Edit this server" not in words(ask(vendor, tenant="bolt")), "that server's page is the tenant's"
