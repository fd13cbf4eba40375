"""The page of a user's own servers: who sees it, what is on it, and what can be done there."""

from __future__ import annotations

import pytest
from flask import render_template_string
from flask_mail import Message

from flask_smtpservers.smtp import Deadline
from tests.apps import Host
from tests.peers.mailbox import PASSWORD, Mailbox
from tests.web.browser import Browser, form_of, words

from .conftest import ANN, BOB, Internet, MakeSite, link_in, person, servers_of, typed


def test_who_has_the_page(site: Host, make_site: MakeSite, ann: Browser, admin: Browser) -> None:
    """Every signed-in user whom the host allows it; nobody at all while it is switched off (product.md C1)."""
    assert "My SMTP settings" in words(ann.get("/me"))
    assert ann.get("/").status_code == 403
    assert admin.get("/me").status_code == 403
    assert person(site.app, None).get("/me").status_code == 403
    off = make_site(SMTPSERVERS_PERSONAL=False, database_url="sqlite://")
    for path in ("/me", "/me/add", "/me/history", f"/me/{'0' * 32}/edit"):
        assert person(off.app, "ann").get(path).status_code == 404
    assert person(off.app, "root", "admin").get("/personal").status_code == 404


def test_from_the_empty_page_to_a_server_that_sends(site: Host, ann: Browser, mailbox: Mailbox) -> None:
    """Address, form, test, save, the link in the mail, its button; then the user's mail goes through his server."""
    empty = words(ann.get("/me"))
    assert "SMTP Mail Settings" in empty
    assert "For now, your mail goes out through the shared mail server of Corner Shop." in empty
    form = form_of(ann.get("/me/add"))
    assert "ca_certificate" not in form
    assert "is_default" not in form
    assert "allowed_senders" not in form
    tested = ann.post("/me/test", typed(mailbox))
    assert "It works: the settings are right." in words(tested)
    saved = ann.post("/me/add", {**form_of(tested), "smtp_secret": "", "save": "active"})
    page = words(ann.follow(saved))
    assert "A link was sent to ann@home.test" in page
    assert "Waiting for confirmation of ann@home.test" in page
    assert "Working" not in page
    (server,) = servers_of(site, ANN)
    assert (server.usable, server.has_password) == (False, True)

    letter = mailbox.letters[-1]
    assert (letter.recipients, letter.username) == (["ann@home.test"], None)  # through the shared server
    asked = ann.get(link_in(mailbox))
    assert "Yes, this is my address" in words(asked)
    assert not servers_of(site, ANN)[0].usable  # to open it proves nothing
    done = words(ann.follow(ann.post(link_in(mailbox))))
    assert "ann@home.test is proved: your mail from it goes through “Mine”." in done
    assert "Test SMTP Settings" in done
    mailbox.forget()
    with site.app.app_context(), site.smtp.using(owner="ann"):
        sent = site.smtp.send(Message("Hi", sender="ann@home.test", recipients=["guest@example.test"], body="Hi"))
    assert sent.server_name == "Mine"
    assert mailbox.letters[0].username == server.username
    assert PASSWORD not in "".join(ann.seen)


def test_a_users_job_goes_through_the_server_made_on_the_page(site: Host, ann: Browser, mailbox: Mailbox) -> None:
    """A background job names the user; nobody else's mail, no mail to many, no mail of the app (product.md C2, C12)."""
    set_up(ann, mailbox)

    def sent(sender: str | None, **said: object) -> str:
        with site.app.app_context(), site.smtp.using(**said):
            message = Message("Hi", sender=sender, recipients=["guest@example.test"], body="Hi")
            return str(site.smtp.send(message).server_name)

    assert sent("ann@home.test", owner="ann") == "Mine"
    assert sent("ann@home.test", owner="bob") == "Built-in"
    assert sent("ann@home.test") == "Built-in"
    assert sent("ann@home.test", owner="ann", kind="bulk") == "Built-in"
    assert sent(None, owner="ann") == "Built-in"


def test_what_is_typed_besides_the_form_changes_nothing(site: Host, ann: Browser, mailbox: Mailbox) -> None:
    """Fields that the page does not have cannot be set by a hand-made request (A04, S15)."""
    more = {
        "ca_certificate": mailbox.ca_pem,
        "certificate_fingerprint": "SHA256:" + "AB:" * 31 + "AB",
        "allowed_senders": "boss@corp.test",
        "sender_policy": "force",
        "timeout_seconds": "120",
        "max_connections": "99",
        "owner": "bob",
        "tenant": "acme",
        "address_verified_at": "2026-01-01",
        "suspended_at": "",
        "position": "0",
    }
    assert ann.post("/me/add", typed(mailbox, **more)).status_code == 303
    (server,) = servers_of(site, ANN)
    assert servers_of(site, BOB) == []
    assert (server.ca_certificate, server.certificate_fingerprint, server.allowed_senders) == ("", "", ())
    assert (server.sender_policy, server.timeout_seconds, server.max_connections) == ("keep", 10.0, 0)
    assert server.address_verified_at is None


def test_nobody_reaches_anothers_server(
    site: Host, ann: Browser, bob: Browser, admin: Browser, mailbox: Mailbox
) -> None:
    """A foreign id is the same 404 as one that never was, on the user's pages and on the administration's."""
    set_up(ann, mailbox)
    (server,) = servers_of(site, ANN)
    ways = [
        ("get", "edit"), ("post", "edit"), ("post", "password"), ("get", "remove"), ("post", "remove"),
        ("post", "enable"), ("post", "pause"), ("post", "default"), ("get", "test"), ("post", "test"),
        ("post", "prove"), ("get", "history"), ("get", "change"), ("get", "history/1"),
    ]  # fmt: skip
    for method, way in ways:
        foreign = getattr(bob, method)(f"/me/{server.public_id}/{way}")
        unknown = getattr(bob, method)(f"/me/{'0' * 32}/{way}")
        assert (foreign.status_code, foreign.text) == (404, unknown.text), way
        if way not in ("prove",):
            assert getattr(admin, method)(f"/{server.public_id}/{way}").status_code == 404, way
    assert bob.post("/me/test", typed(mailbox, server=server.public_id)).status_code == 404
    assert servers_of(site, ANN) == [server]


def test_pausing_editing_and_removing(site: Host, ann: Browser, mailbox: Mailbox) -> None:
    """All of it on the user's pages: no button leads to the administration."""
    set_up(ann, mailbox)
    (server,) = servers_of(site, ANN)
    here = f"/me/{server.public_id}"
    assert ann.post(f"{here}/pause").location.startswith(("/smtp/me?", "/smtp/me#"))
    assert not servers_of(site, ANN)[0].enabled
    assert "For now" in words(ann.get("/me"))
    ann.post(f"{here}/enable")
    for path in ("/me", f"{here}/edit", f"{here}/remove", f"{here}/password", f"{here}/test", f"{here}/history"):
        page = ann.get(path)
        assert page.status_code == 200, path
        assert f'"/smtp/{server.public_id}' not in page.text, path
        assert 'href="/smtp/"' not in page.text, path
    assert ann.follow(ann.post(f"{here}/remove")).status_code == 200
    assert servers_of(site, ANN) == []


def test_a_form_that_was_open_for_too_long(site: Host, ann: Browser, mailbox: Mailbox) -> None:
    """What was typed is shown again on the user's own page, and nothing was saved or tested."""
    for path in ("/me/add", "/me/test"):
        again = ann.post(path, typed(mailbox), token="old", headers={"Origin": "http://localhost"})
        assert again.status_code == 400
        assert form_of(again)["send_as"] == "Ann <ann@home.test>"
        assert 'action="/smtp/me/add"' in again.text
    assert (servers_of(site, ANN), mailbox.connections) == ([], 0)


def test_how_many_servers_a_user_may_have(make_site: MakeSite, mailbox: Mailbox) -> None:
    """The operator's limit holds on the page (D05)."""
    site = make_site(SMTPSERVERS_PERSONAL_MAXIMUM=1)
    ann = person(site.app, "ann")
    ann.post("/me/add", typed(mailbox))
    page = ann.get("/me")
    assert "You can have one server." in words(page)
    assert "+ Add" not in words(page)
    second = ann.post("/me/add", typed(mailbox, name="Second"))
    assert (second.status_code, len(servers_of(site, ANN))) == (422, 1)
    assert "You can have one server." in words(second)


@pytest.mark.parametrize("fallback", [True, False])
def test_what_is_said_of_mail_while_the_server_is_not_used(
    make_site: MakeSite, mailbox: Mailbox, fallback: bool
) -> None:
    site = make_site(SMTPSERVERS_PERSONAL_FALLBACK=fallback)
    said = words(person(site.app, "ann").get("/me"))
    assert ("goes out through the shared mail server" in said) is fallback
    assert ("is not sent" in said) is not fallback
    assert "Newsletters" in said


def test_the_form_offers_what_is_permitted(make_site: MakeSite, mailbox: Mailbox) -> None:
    """Providers that the operator does not permit cannot be chosen or found, nor can programs on this machine."""
    free = person(make_site(SMTPSERVERS_PERSONAL_HOSTS=[]).app, "ann")
    page = words(free.get("/me/add"))
    assert "Zoho Mail" in page
    assert "Mailpit" not in page
    strict = person(make_site(SMTPSERVERS_PERSONAL_PROVIDERS=["gmail"], SMTPSERVERS_PERSONAL_HOSTS=[]).app, "ann")
    page = words(strict.get("/me/add"))
    assert "Gmail" in page
    assert "Zoho Mail" not in page
    found = words(strict.post("/me/set-up", {"address": "ann@gmail.com"}))
    assert "smtp.gmail.com" in found
    refused = words(strict.post("/me/set-up", {"address": "ann@zoho.com"}))
    assert "The servers of this address are not among those that may be used here." in refused


@pytest.mark.parametrize("mode", ["off", "offline", "network"])
def test_looking_for_servers_asks_nobody_unless_the_operator_says_so(
    make_site: MakeSite, internet: Internet, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """SMTPSERVERS_DISCOVERY is for admins; for users there is a setting of its own, and only public hosts are asked."""
    site = make_site(SMTPSERVERS_DISCOVERY="network", SMTPSERVERS_PERSONAL_DISCOVERY=mode)
    asked: list[str] = []

    class Nobody:
        network = internet

        def mx(self, domain: str, deadline: Deadline) -> list[object]:
            asked.append(domain)
            return []

        def srv(self, name: str, deadline: Deadline) -> list[object]:
            return []

        def fetch(self, url: str, deadline: Deadline) -> None:
            return None

    finder = site.state.personal_finder
    monkeypatch.setattr(finder, "environment", Nobody())
    ann = person(site.app, "ann")
    assert ("Mail address" in words(ann.get("/me"))) is (mode != "off")
    assert ann.post("/me/set-up", {"address": "ann@annshome.org"}).status_code == (303 if mode == "off" else 200)
    assert bool(internet.resolved or asked) is (mode == "network")
    assert finder._guard.allowed_networks == ()


def test_a_server_that_is_not_permitted_any_more(
    site: Host, ann: Browser, mailbox: Mailbox, make_site: MakeSite
) -> None:
    """The operator changed his mind: it stays stored, is not used, and its user reads that."""
    set_up(ann, mailbox)
    strict = make_site(SMTPSERVERS_PERSONAL_HOSTS=["mail.corp.test"])
    page = words(person(strict.app, "ann").get("/me"))
    assert "Such servers may not be used any more." in page
    assert "For now, your mail goes out through the shared mail server" in page


def test_the_section_in_a_page_of_the_host(site: Host, ann: Browser, admin: Browser, mailbox: Mailbox) -> None:
    """ "SMTP Mail Settings" in the host's own "My settings", with the test at its bottom (product.md C4)."""

    def my_settings() -> str:
        wanted = '{% from "smtpservers/personal_section.html" import smtp_mail_settings %}'
        return render_template_string(wanted + "<h1>Me</h1>{{ smtp_mail_settings() }}")

    site.app.add_url_rule("/my-settings", "my_settings", my_settings)
    empty = ann.client.get("/my-settings").text
    assert "SMTP Mail Settings" in empty
    assert 'action="/smtp/me/set-up"' in empty
    set_up(ann, mailbox)
    (server,) = servers_of(site, ANN)
    shown = ann.client.get("/my-settings").text
    assert f'href="/smtp/me/{server.public_id}/test">Test SMTP Settings' in shown
    assert "smtpservers.css" in shown
    assert "SMTP Mail Settings" not in admin.client.get("/my-settings").text
    assert person(site.app, None).client.get("/my-settings").text == "<h1>Me</h1>"


def test_the_menu(site: Host, ann: Browser, admin: Browser) -> None:
    """Each sees what he may open."""
    assert "Personal servers" not in words(ann.get("/me"))
    assert "SMTP Servers" not in words(ann.get("/me"))
    shown = words(admin.get("/"))
    assert "Personal servers" in shown
    assert "My SMTP settings" not in shown


def set_up(user: Browser, mailbox: Mailbox, **changes: str) -> None:
    """Set up a server and prove its address."""
    user.follow(user.post("/me/add", typed(mailbox, **changes)))
    user.follow(user.post(link_in(mailbox)))
    mailbox.forget()
