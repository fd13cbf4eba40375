"""What administrators see of users' servers, and the one thing that they can do about them."""

from __future__ import annotations

import pytest
from flask_mail import Message

from flask_smtpservers import Scope
from tests.apps import Host, server_fields
from tests.peers.mailbox import PASSWORD, USERNAME, Mailbox
from tests.web.browser import Browser, words

from .conftest import ANN, BOB, MakeSite, person, servers_of, typed
from .test_page import set_up


def test_suspending_and_resuming(site: Host, ann: Browser, admin: Browser, mailbox: Mailbox) -> None:
    """The user reads why and cannot undo it; meanwhile the shared server sends (product.md F14)."""
    set_up(ann, mailbox)
    (server,) = servers_of(site, ANN)
    listed = admin.get("/personal")
    for told in ("User ann", "ann@home.test", f"localhost:{mailbox.submission}"):
        assert told in words(listed)
    done = words(admin.follow(admin.post(f"/personal/{server.public_id}/suspend", {"reason": "Spam from you"})))
    assert "The server of ann is suspended" in done
    assert "Reason: Spam from you" in done
    theirs = words(ann.get("/me"))
    assert "An administrator has suspended this server: Spam from you" in theirs
    assert "For now, your mail goes out through the shared mail server" in theirs
    ann.post(f"/me/{server.public_id}/enable")
    ann.post(
        f"/me/{server.public_id}/edit", typed(mailbox, smtp_secret="", version=str(servers_of(site, ANN)[0].version))
    )
    assert sent_by_ann(site) == "Built-in"
    admin.post(f"/personal/{server.public_id}/resume")
    assert sent_by_ann(site) == "Mine"
    history = words(ann.get(f"/me/{server.public_id}/history"))
    assert "was suspended" in history
    assert "may send again" in history


def test_a_suspended_user_cannot_begin_anew(site: Host, ann: Browser, admin: Browser, mailbox: Mailbox) -> None:
    """He neither removes the server nor adds another one with the same address; the operator's code can do both."""
    set_up(ann, mailbox)
    (server,) = servers_of(site, ANN)
    admin.post(f"/personal/{server.public_id}/suspend", {"reason": "Spam from you"})
    for ask in (ann.get, ann.post):
        answer = ann.follow(ask(f"/me/{server.public_id}/remove"))
        assert "is suspended by an administrator, so it cannot be removed" in words(answer)
    assert "+ Add" not in words(ann.get("/me"))
    refused = ann.post("/me/add", typed(mailbox, name="Second"))
    assert (refused.status_code, "you cannot add another one" in words(refused)) == (422, True)
    assert [(one.name, one.suspended) for one in servers_of(site, ANN)] == [("Mine", True)]
    assert sent_by_ann(site) == "Built-in"
    with site.app.app_context():
        site.smtp.remove_servers(scope=ANN)
    assert ann.post("/me/add", typed(mailbox)).status_code == 303


def test_a_suspended_server_proves_no_address(site: Host, ann: Browser, admin: Browser, mailbox: Mailbox) -> None:
    """Another server of the same user must prove the address anew."""
    set_up(ann, mailbox)
    ann.post("/me/add", typed(mailbox, name="Second", send_as="ann@work.test"))
    first, second = servers_of(site, ANN)
    admin.post(f"/personal/{first.public_id}/suspend", {"reason": "Spam from you"})
    change = typed(mailbox, name="Second", smtp_secret="", version=str(second.version))
    assert ann.post(f"/me/{second.public_id}/edit", change).status_code == 303
    assert [(one.address, one.usable) for one in servers_of(site, ANN)] == [("ann@home.test", False)] * 2


def test_an_admin_neither_reads_uses_nor_changes_it(site: Host, ann: Browser, admin: Browser, mailbox: Mailbox) -> None:
    """No page of his has the password or the user name, no view of his finds the server."""
    set_up(ann, mailbox)
    (server,) = servers_of(site, ANN)
    assert server.name not in words(admin.get("/"))
    assert USERNAME not in admin.get("/personal").text
    for way in ("edit", "password", "test", "remove", "settings", "history", "change"):
        assert admin.get(f"/{server.public_id}/{way}").status_code == 404, way
        assert admin.get(f"/me/{server.public_id}/{way}").status_code in (403, 404), way
    for way in ("enable", "pause", "default", "move"):
        assert admin.post(f"/{server.public_id}/{way}", {"direction": "up"}).status_code == 404, way
    assert admin.post("/test", typed(mailbox, server=server.public_id)).status_code == 404
    with site.app.app_context(), pytest.raises(Exception, match="No SMTP server is called"):
        site.smtp.send(Message("Hi", sender="ann@home.test", recipients=["x@example.test"], body="x"), using="Mine")
    assert PASSWORD not in "".join(admin.seen)
    assert servers_of(site, ANN) == [server]


def test_what_the_page_is_for(site: Host, ann: Browser, admin: Browser, mailbox: Mailbox) -> None:
    """Users' servers only: an id of the app's own is as unknown as one that never was, and so is it to users."""
    with site.app.app_context():
        shared = site.smtp.add_server(**server_fields(mailbox)).public_id
    for way in ("suspend", "resume"):
        foreign = admin.post(f"/personal/{shared}/{way}")
        unknown = admin.post(f"/personal/{'0' * 32}/{way}")
        assert (foreign.status_code, foreign.text) == (404, unknown.text)
        assert ann.post(f"/personal/{shared}/{way}").status_code == 403
        assert admin.get(f"/personal/{shared}/{way}").status_code == 405
    assert ann.get("/personal").status_code == 403
    assert "No user has a server of his own yet." in words(admin.get("/personal"))


def test_each_tenants_admin_sees_his_own_users(make_site: MakeSite, mailbox: Mailbox) -> None:
    tenant: list[str | None] = ["acme"]
    site = make_site(init={"tenant": lambda: tenant[0]})
    ann, admin = person(site.app, "ann"), person(site.app, "root", "admin")
    ann.follow(ann.post("/me/add", typed(mailbox)))
    (server,) = servers_of(site, Scope("acme", "ann"))
    assert "User ann" in words(admin.get("/personal"))
    for other in ("corp", None):
        tenant[0] = other
        assert "User ann" not in words(admin.get("/personal"))
        assert admin.post(f"/personal/{server.public_id}/suspend").status_code == 404
        assert "Mine" not in words(ann.get("/me"))
        assert ann.get(f"/me/{server.public_id}/edit").status_code == 404
    assert servers_of(site, ANN) == servers_of(site, BOB) == []


def sent_by_ann(site: Host) -> str:
    with site.app.app_context(), site.smtp.using(owner="ann"):
        message = Message("Hi", sender="ann@home.test", recipients=["guest@example.test"], body="Hi")
        return str(site.smtp.send(message).server_name)
