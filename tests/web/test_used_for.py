"""What each server is used for: the kinds of mail, and the rules for all other mail."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from flask import session

from flask_smtpservers import Scope
from flask_smtpservers.permissions import Action
from flask_smtpservers.sending.routing import Question, route
from flask_smtpservers.servers.profile import ServerProfile
from flask_smtpservers.web.rules import known_servers, rules
from tests.apps import Host

from .browser import Browser, form_of, words
from .conftest import MakeSite
from .tenants import MAKING, person, with_login

KINDS: dict[str, Any] = {
    "receipts": "Receipts",
    "bulk": {"label": "Newsletters", "bulk": True},
    "letters": {"label": "Letters", "personal": True},
}
APP, ACME = Scope(), Scope("acme")


def add(site: Host, name: str, address: str, *, scope: Scope = APP, **fields: Any) -> ServerProfile:
    with site.app.app_context():
        place = {"host": "mail.example.com", **fields}
        return site.smtp.add_server(scope=scope, name=name, address=address, **place)


def kinds(site: Host, scope: Scope = APP) -> dict[str, str]:
    with site.app.app_context():
        return site.state.store.kinds(scope=scope)


@pytest.fixture
def shop(make_site: MakeSite) -> Host:
    """A host with three kinds of mail and an admin who has a name."""
    return make_site(SMTPSERVERS_KINDS=KINDS, owner=lambda: session.get("role"))


def test_without_kinds_the_page_shows_how_a_developer_names_them(site: Host, admin: Browser) -> None:
    """The empty state has one example, and no form."""
    add(site, "Main", "info@shop.test")
    answer = admin.get("/used-for")
    assert answer.status_code == 200
    assert 'SMTPSERVERS_KINDS = {"receipts": "Receipts"' in words(answer)
    assert "<form" not in answer.text
    assert "Kind of mail" not in words(answer)


def test_kinds_are_assigned_and_the_page_says_by_whom(shop: Host) -> None:
    """Only what was changed is written; each change is an entry of the history."""
    main, bills = add(shop, "Main", "info@shop.test"), add(shop, "Bills", "bills@shop.test")
    admin = Browser(shop.app)
    form = form_of(admin.get("/used-for"), "smtp-kinds")
    assert form["kind-receipts"] == form["was-receipts"] == ""
    page = words(admin.follow(admin.post("/used-for", {**form, "kind-receipts": bills.public_id})))
    assert "“Receipts” goes through “Bills”." in page
    assert "Changed just now by admin" in page
    assert kinds(shop) == {"receipts": bills.public_id}
    with shop.app.app_context():
        history = shop.state.store.history(limit=10)
    assert [(event.action, event.fields) for event in history if event.action == "kind"] == [("kind", ("receipts",))]
    form = form_of(admin.get("/used-for"), "smtp-kinds")
    assert form["kind-receipts"] == form["was-receipts"] == bills.public_id
    sent = {**form, "kind-receipts": "", "kind-bulk": main.public_id}
    page = words(admin.follow(admin.post("/used-for", sent)))
    assert "“Receipts” goes by the other rules." in page
    assert kinds(shop) == {"bulk": main.public_id}
    form = form_of(admin.get("/used-for"), "smtp-kinds")
    assert "Nothing was changed." in words(admin.follow(admin.post("/used-for", form)))


def test_somebody_elses_choice_is_not_overwritten_unseen(shop: Host) -> None:
    """The page says who was quicker; a second press replaces it knowingly."""
    main, bills = add(shop, "Main", "info@shop.test"), add(shop, "Bills", "bills@shop.test")
    admin = Browser(shop.app)
    form = form_of(admin.get("/used-for"), "smtp-kinds")
    with shop.app.app_context():
        shop.state.store.assign_kind("receipts", main.public_id, actor="Jon")
        shop.state.store.commit()
    answer = admin.post("/used-for", {**form, "kind-receipts": bills.public_id})
    assert answer.status_code == 409
    assert "Meanwhile Jon chose “Main” for “Receipts”. Nothing was saved yet" in words(answer)
    assert kinds(shop) == {"receipts": main.public_id}
    again = form_of(answer, "smtp-kinds")
    assert again["kind-receipts"] == bills.public_id
    admin.follow(admin.post("/used-for", again))
    assert kinds(shop) == {"receipts": bills.public_id}


def test_what_one_left_alone_stays_as_somebody_else_chose_it(shop: Host) -> None:
    """Two admins at two kinds do not meet."""
    main, bills = add(shop, "Main", "info@shop.test"), add(shop, "Bills", "bills@shop.test")
    admin = Browser(shop.app)
    form = form_of(admin.get("/used-for"), "smtp-kinds")
    with shop.app.app_context():
        shop.state.store.assign_kind("bulk", main.public_id, actor="Jon")
        shop.state.store.commit()
    admin.follow(admin.post("/used-for", {**form, "kind-receipts": bills.public_id}))
    assert kinds(shop) == {"receipts": bills.public_id, "bulk": main.public_id}


def test_a_server_that_is_gone_cannot_be_chosen(shop: Host) -> None:
    add(shop, "Main", "info@shop.test")
    admin = Browser(shop.app)
    for nonsense in ("0" * 32, "\x00", "built-in"):
        form = form_of(admin.get("/used-for"), "smtp-kinds")
        answer = admin.post("/used-for", {**form, "kind-receipts": nonsense})
        assert answer.status_code == 422
        assert "does not exist any more. Nothing was changed." in words(answer)
    assert kinds(shop) == {}


def test_what_is_chosen_but_cannot_send_is_said(shop: Host) -> None:
    add(shop, "Main", "info@shop.test")
    old = add(shop, "Old", "old@shop.test", enabled=False)
    with shop.app.app_context():
        shop.state.store.assign_kind("receipts", old.public_id)
        shop.state.store.commit()
    page = words(Browser(shop.app).get("/used-for"))
    assert "“Old” cannot send. It is paused. Meanwhile the rules below decide." in page
    assert "Old (paused)" in page


def test_without_the_permission_the_choice_is_read_only(make_site: MakeSite) -> None:
    site = make_site(SMTPSERVERS_KINDS=KINDS, access=lambda action, scope: action is Action.VIEW_SERVERS)
    bills = add(site, "Bills", "bills@shop.test")
    with site.app.app_context():
        site.state.store.assign_kind("receipts", bills.public_id)
        site.state.store.commit()
    visitor = Browser(site.app)
    answer = visitor.get("/used-for")
    assert "<select" not in answer.text
    assert "which-server" not in answer.text
    assert "Receipts receipts Bills" in words(answer)
    assert visitor.post("/used-for", {"kind-receipts": "", "was-receipts": bills.public_id}).status_code == 403
    assert kinds(site) == {"receipts": bills.public_id}


def test_a_tenant_chooses_among_its_own_and_the_apps_servers(make_site: MakeSite) -> None:
    """The app's servers are known by name; another tenant's are not there, nor can they be sent."""
    site = with_login(make_site(**MAKING, SMTPSERVERS_KINDS=KINDS))
    shared = add(site, "Shared", "info@vendor.test", allowed_senders="secret@partner.test")
    mine = add(site, "Acme", "info@acme.test", scope=ACME)
    theirs = add(site, "Bolt", "info@bolt.test", scope=Scope("bolt"))
    with site.app.app_context():
        site.state.store.assign_kind("receipts", shared.public_id)
        site.state.store.commit()
    admin = person(site, "acme admin")
    answer = admin.get("/used-for")
    page = words(answer)
    assert "As for the whole app: “Shared”" in page
    assert "After these come the servers of the whole app." in page
    assert "vendor.test" not in answer.text
    assert "partner.test" not in answer.text
    assert "Bolt" not in answer.text
    form = form_of(answer, "smtp-kinds")
    assert admin.post("/used-for", {**form, "kind-bulk": theirs.public_id}).status_code == 422
    admin.follow(admin.post("/used-for", {**form, "kind-receipts": mine.public_id, "kind-bulk": shared.public_id}))
    assert kinds(site, ACME) == {"receipts": mine.public_id, "bulk": shared.public_id}
    assert kinds(site) == {"receipts": shared.public_id}
    with site.app.app_context():
        site.state.store.set_enabled(shared.public_id, False)
        site.state.store.commit()
    answer = admin.get("/used-for")
    assert "A server of the whole app that cannot send now" in words(answer)
    assert form_of(answer, "smtp-kinds")["kind-bulk"] == shared.public_id, "saving another kind leaves it alone"


def test_the_rules_say_what_a_send_would_do(make_site: MakeSite) -> None:
    """Each address and each domain on the page goes through the server beside it, by the very rules of sending."""
    chance = random.Random(20261120)
    site = make_site()
    domains = ("a.test", "b.test", "c.test")
    for number in range(12):
        allowed = {f"{chance.choice('xyz')}@{chance.choice(domains)}" for _one in range(2)} | {chance.choice(domains)}
        saved = add(
            site,
            f"Server {number}",
            f"{chance.choice('xyz')}@{chance.choice(domains)}",
            allowed_senders=", ".join(sorted(allowed)) if chance.random() < 0.5 else "",
            foreign_sender=chance.choice(["keep", "refuse", "rewrite"]),
            enabled=chance.random() < 0.7,
        )
        if saved.enabled and chance.random() < 0.3:
            with site.app.app_context():
                site.state.store.make_default(saved.public_id)
                site.state.store.commit()
    with site.app.test_request_context():
        session["role"] = "admin"
        servers = known_servers().own
        found = {row.title: row for row in rules(known_servers())}
    claimed = 0
    for title, address_of in (("Sender's address", str), ("Sender's domain", "somebody@{}".format)):
        of: Callable[[str], str] = address_of
        for claim in found[title].claims:
            for item in claim.items:
                assert route(Question(address=of(item)), servers).server_name == claim.server, (title, item)
                claimed += 1
    assert claimed >= 8


def test_a_server_that_refuses_others_is_for_no_domain(shop: Host) -> None:
    """Neither for its own, unless it is among those that it may send for."""
    add(shop, "Strict", "desk@strict.test", foreign_sender="refuse", allowed_senders="friends.test")
    add(shop, "Wide", "desk@wide.test", foreign_sender="refuse", allowed_senders="wide.test")
    page = words(Browser(shop.app).get("/used-for"))
    domains = page[page.index("So does mail from any other address") : page.index("Default server")]
    assert "Strict friends.test Wide wide.test" in domains


def test_the_rules_end_with_the_default_and_the_apps_own(shop: Host) -> None:
    """In their order, as sentences, with what each finds."""
    add(shop, "Main", "info@shop.test")
    add(shop, "Bills", "bills@shop.test", allowed_senders="boss@partner.test, friends.test")
    page = words(Browser(shop.app).get("/used-for"))
    positions = [
        page.index(text)
        for text in (
            "Asked for by name",
            "Kind of mail Mail of a kind",
            "Sender's address",
            "Main info@shop.test",
            "Bills bills@shop.test, boss@partner.test",
            "Sender's domain",
            "Main shop.test",
            "Bills friends.test shop.test: “Main” comes first.",
            "Default server All other mail goes through this server. Main",
            "Built-in What is left goes through the app's own server",
        )
    ]
    assert positions == sorted(positions)
    assert "The user's own server" not in page, "users have none here"
