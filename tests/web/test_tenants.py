"""Two tenants and the app itself on the pages: each has servers of its own, and sees of the others what it must."""

from __future__ import annotations

from typing import Any

import pytest
from flask_login import login_user
from flask_mail import Message

from flask_smtpservers import Action, Scope
from flask_smtpservers.policy import Mode
from flask_smtpservers.web.access import allowed
from tests.apps import Host
from tests.peers.mailbox import Mailbox
from tests.personal.conftest import typed as personal_form

from . import tenants
from .browser import Browser, form_of, typed, words
from .conftest import MakeSite
from .tenants import furnish, person

ACME, BOLT = Scope("acme"), Scope("bolt")


@pytest.fixture
def site(make_site: MakeSite) -> Host:
    return tenants.with_login(make_site(**tenants.MAKING))


def names(site: Host, scope: Scope) -> list[str]:
    with site.app.app_context():
        return [server.name for server in site.smtp.servers(scope=scope)]


def modes(site: Host, scope: Scope, **switches: bool) -> None:
    with site.app.app_context():
        for mode, on in switches.items():
            site.state.store.switch_mode(Mode(mode), on, scope=scope)


def test_a_server_is_added_where_one_is(site: Host, mailbox: Mailbox) -> None:
    """From form to sent mail: tenant acme's server is acme's, and bolt may call one the same."""
    for admin in ("acme admin", "bolt admin"):
        saved = person(site, admin).post("/add", typed(mailbox, is_default="1"))
        assert saved.status_code == 303, words(saved)
    assert person(site, "vendor", looks_at="bolt").post("/add", typed(mailbox, name="Second")).status_code == 303
    assert [names(site, scope) for scope in (Scope(), ACME, BOLT)] == [[], ["Shop"], ["Shop", "Second"]]
    with site.app.app_context():
        route = site.smtp.explain(Message("Hi", ["b@b.test"], "x", sender="x@elsewhere.test"), tenant="acme")
        assert route.server is not None
        assert route.server.tenant == "acme"


def test_a_form_cannot_say_whose_server_it_is(site: Host, mailbox: Mailbox) -> None:
    """A04: what a form is not asked for is not taken from it."""
    admin = person(site, "acme admin")
    form = typed(mailbox, tenant="bolt", owner="ben", scope="bolt", id="x", public_id="0" * 32, address_verified_at="1",
                 suspended_at="", password_token="x", position="0", test_passed="1", tested_at="1")  # fmt: skip
    assert admin.post("/add", form).status_code == 303
    with site.app.app_context():
        (server,) = site.smtp.servers(scope=ACME)
        assert (server.owner, server.test_passed, server.address_verified_at) == ("", None, None)
        assert site.smtp.servers(scope=BOLT) == site.smtp.servers(scope=Scope("bolt", "ben")) == []
        assert server.public_id != "0" * 32


def test_the_form_of_one_tenant_changes_nothing_of_another(site: Host, mailbox: Mailbox) -> None:
    """Neither by the address of the page nor by the hidden field that names a server."""
    ids = furnish(site)
    bolt = person(site, "bolt admin")
    form = typed(mailbox, server=ids["acme"].server_id)
    for path in ("/test", "/trust"):
        answer = bolt.post(path, {**form, "certificate": "AB" * 32})
        assert answer.status_code == 404 or "Server of acme" not in answer.text
    assert bolt.post("/test", form).status_code == 404
    assert mailbox.connections == 0


def test_a_password_of_one_scope_is_of_no_use_in_another(site: Host, mailbox: Mailbox) -> None:
    """What the vendor typed for acme stays kept for acme, although he is the same person in the same browser."""
    vendor = person(site, "vendor", looks_at="acme")
    form = form_of(vendor.post("/add", typed(mailbox, send_as="")))
    assert form["draft"]
    with vendor.client.session_transaction() as cookie:
        cookie["looks at"] = "bolt"
    answer = vendor.post("/add", {**form, "send_as": "shop@example.test"})
    assert answer.status_code == 422
    assert "password" in words(answer)
    assert names(site, BOLT) == []


def test_the_switch_of_a_tenant_is_its_own(site: Host) -> None:
    assert person(site, "acme admin").post("/sending", {"on": "0"}).status_code == 303
    with site.app.app_context():
        switches = [site.state.store.sending_enabled(scope=scope) for scope in (Scope(), ACME, BOLT)]
    assert switches == [True, False, True]


def test_a_tenant_sees_the_apps_servers_by_name_only(site: Host) -> None:
    """Nor does it see where the app's own server is; the vendor sees both."""
    furnish(site)
    page = person(site, "acme admin").get("/")
    assert "Servers of the app" in words(page)
    assert "Server of shared" in page.text
    assert "Server of acme" in page.text
    assert "Server of bolt" not in page.text
    assert "Server of ann" not in page.text
    assert "shared@shared.test" not in page.text
    assert "127.0.0.1:25" not in page.text
    seen = person(site, "vendor", looks_at="acme").get("/")
    assert "Server of shared 127.0.0.1:1" in words(seen)
    at_app = person(site, "vendor").get("/")
    assert "Servers of the app" not in words(at_app)
    assert "127.0.0.1:25" in at_app.text


def test_a_tenant_without_servers_is_told_where_its_mail_goes(site: Host) -> None:
    assert "Mail goes out through the app's own server." in words(person(site, "acme admin").get("/"))
    furnish(site)
    with site.app.app_context():
        (server,) = site.smtp.servers(scope=BOLT)
        site.smtp.remove_server(server.public_id, scope=BOLT)
    assert "Mail goes out through the app's server “Server of shared”." in words(person(site, "bolt admin").get("/"))


def test_a_tenants_server_does_not_carry_the_proof_of_an_address(make_site: MakeSite, mailbox: Mailbox) -> None:
    """Else its admin could read the links, and prove addresses that are not his."""
    own = {"SMTPSERVERS_PERSONAL_HOSTS": [f"localhost:{mailbox.submission}"]}
    shared = {"MAIL_SERVER": "localhost", "MAIL_PORT": mailbox.plain}
    site = tenants.with_login(make_site(**{**tenants.MAKING, **own, **shared}))
    assert person(site, "acme admin").post("/add", typed(mailbox, is_default="1")).status_code == 303
    fields = personal_form(mailbox, send_as="ceo@corp.test")
    assert person(site, "ann").post("/me/add", fields).status_code == 303
    assert [(letter.username, letter.recipients) for letter in mailbox.letters] == [(None, ["ceo@corp.test"])]


def test_whoever_is_removed_from_the_host_is_out_with_the_next_request(site: Host) -> None:
    """A05: the session goes on, the right does not; A06: what was his is removed with its secrets."""
    ids = furnish(site)
    ann = person(site, "ann")
    path = f"/me/{ids['ann'].server_id}/edit"
    assert ann.get(path).status_code == 200
    site.state.access, before = (lambda action, scope: False), site.state.access
    assert ann.get(path).status_code == 403
    site.state.access = before
    with site.app.app_context():
        site.smtp.remove_servers(scope=Scope("acme", "ann"))
    assert ann.get(path).status_code == 404


@pytest.mark.parametrize("broken", ["tenant", "owner"])
def test_an_error_in_the_hosts_functions_denies(make_site: MakeSite, broken: str) -> None:
    """A03: whose settings they are must be known; the app's own are never taken for want of an answer."""

    def fail() -> str:
        raise LookupError("no database")

    making: dict[str, Any] = {**tenants.MAKING, "access": lambda action, scope: True, broken: fail}
    site = tenants.with_login(make_site(**making))
    site.app.config["PROPAGATE_EXCEPTIONS"] = False
    browser = person(site, "vendor")
    for path in ("/", "/add", "/me"):
        assert browser.get(path).status_code in ((200, 403, 500) if (broken, path) == ("owner", "/") else (403, 500))


def test_tenants_and_users_need_a_text_as_id(make_site: MakeSite) -> None:
    """Ids of any type are taken as texts; one that cannot be stored is an error, not somebody else's."""
    seen: list[Scope] = []

    def access(action: Action, scope: Scope) -> bool:
        seen.append(scope)
        return True

    site = make_site(access=access, tenant=lambda: 7, owner=lambda: 3)
    assert Browser(site.app).get("/").status_code == 200
    assert {scope.tenant for scope in seen} <= {"7", None}
    assert Scope("7") in seen


def test_nobody_is_asked_about_another_users_servers(site: Host) -> None:
    """Whatever the host would say, what is a user's own is his alone; and the permission is for his servers only."""
    site.state.access = lambda action, scope: True
    with site.app.test_request_context("/smtp/me"):
        login_user(tenants.Person("ann"))
        assert allowed(Action.EDIT_SERVERS, Scope("acme", "ann"))
        assert not allowed(Action.EDIT_SERVERS, Scope("bolt", "ben"))
        assert not allowed(Action.SWITCH_SENDING, Scope("acme", "ann"))


# -- ways to send


def ways(page: Any) -> str:
    """The text from "Ways to send" on."""
    return words(page).partition("Ways to send")[2]


def test_the_three_ways_are_shown_as_choices(site: Host) -> None:
    """By default: built in, in use; one's own domain, to be asked for; a server of one's own."""
    shown = ways(person(site, "acme admin").get("/"))
    assert "Built-in In use Through the app's own server. There is nothing to set up." in shown
    assert "Your own domain From addresses at your own domain, through the app's own server. Ask your admin" in shown
    assert "Your own server Through your own mail account, mail server or sending service." in shown
    of_app = ways(person(site, "vendor").get("/"))
    assert "Your own server" in of_app
    assert "Ask your administrator" not in of_app, "he is the one whom others ask"


def test_one_way_is_no_choice(make_site: MakeSite) -> None:
    for config in (["own"], ["builtin"]):
        site = tenants.with_login(make_site(**tenants.MAKING, SMTPSERVERS_MODES=config))
        assert "Ways to send" not in words(person(site, "acme admin").get("/"))


ADDING = ("/add", "/set-up", "/set-up/check", "/test")


@pytest.mark.parametrize(("state", "status"), [("off", 404), ("ask", 403), ("on", 0)])
def test_a_way_that_is_not_to_be_had_is_not_reached_by_its_address(
    make_site: MakeSite, mailbox: Mailbox, state: str, status: int
) -> None:
    """A2 and A5: neither page nor button, by GET or POST; the vendor switches it on for one tenant."""
    config = {"SMTPSERVERS_MODES": {"builtin": "on", "own": state}, "SMTPSERVERS_CONTACT": "support@vendor.test"}
    site = tenants.with_login(make_site(**tenants.MAKING, **config))
    acme = person(site, "acme admin")
    page = acme.get("/")
    assert ("Configure SMTP server" in words(page)) == (state == "on")
    assert ("Your own server" in words(page)) == (state != "off")
    assert ("Ask support@vendor.test to enable it for you." in words(page)) == (state == "ask")
    for path in ADDING:
        for answer in (acme.get(path), acme.post(path, typed(mailbox))):
            if status and answer.status_code != 405:
                assert answer.status_code == status, path
    assert (names(site, ACME) == []) == (state != "on")
    assert state == "on" or mailbox.connections == 0
    modes(site, ACME, own=True)
    assert acme.get("/add").status_code == (404 if state == "off" else 200)
    assert person(site, "bolt admin").get("/add").status_code == (status or 200)


def test_servers_that_exist_stay_in_hand_when_the_way_is_closed(make_site: MakeSite) -> None:
    """Whoever runs the app closes it for new ones; what sends already must still be seen, paused and removed."""
    site = tenants.with_login(make_site(**tenants.MAKING, SMTPSERVERS_MODES=["builtin"]))
    server_id = furnish(site)["acme"].server_id
    acme = person(site, "acme admin")
    page = acme.get("/")
    assert "Server of acme" in page.text
    assert "+ Add" not in words(page)
    assert acme.post(f"/{server_id}/pause").status_code == 303
    assert acme.post(f"/{server_id}/remove").status_code == 303


def test_the_built_in_way_is_chosen_with_one_click(site: Host) -> None:
    """A6: no field to fill in; the tenant's default gives way, and stays as it is otherwise."""
    furnish(site)
    acme = person(site, "acme admin")
    assert "Use it" in ways(acme.get("/"))
    answer = acme.follow(acme.post("/built-in"))
    assert "Mail that no other server is for goes out through the app's own server now." in words(answer)
    assert "Built-in In use" in ways(answer)
    with site.app.app_context():
        (server,) = site.smtp.servers(scope=ACME)
        assert (server.is_default, server.enabled) == (False, True)
        assert site.smtp.servers(scope=BOLT)[0].is_default
        (event, *_earlier) = site.state.store.events(server.public_id, scope=ACME)
        assert (event.actor, event.fields, event.action) == ("acme admin", ("is_default",), "edited")


def test_without_the_built_in_way_it_is_neither_shown_nor_chosen(make_site: MakeSite) -> None:
    site = tenants.with_login(make_site(**tenants.MAKING, SMTPSERVERS_MODES={"builtin": "ask", "own": "on"}))
    furnish(site)
    acme = person(site, "acme admin")
    page = acme.get("/")
    assert "read-only" not in words(page)
    assert "Built-in Through the app's own server. There is nothing to set up. Ask your administrator" in ways(page)
    assert acme.post("/built-in").status_code == 403
    with site.app.app_context():
        assert site.smtp.servers(scope=ACME)[0].is_default
    modes(site, ACME, builtin=True)
    assert acme.post("/built-in").status_code == 303


def test_that_replies_are_not_read_stands_there(make_site: MakeSite) -> None:
    """A4."""
    site = tenants.with_login(make_site(**tenants.MAKING, SMTPSERVERS_BUILTIN_REPLIES_READ=False))
    assert words(person(site, "acme admin").get("/")).count("Replies are not read.") == 2


def test_a_users_own_servers_do_not_depend_on_the_ways(make_site: MakeSite) -> None:
    site = tenants.with_login(make_site(**tenants.MAKING, SMTPSERVERS_MODES=["builtin"]))
    assert person(site, "ann").get("/me/add").status_code == 200
