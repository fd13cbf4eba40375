"""The pages of the history: who changed what and when, and the way back through the form."""

from __future__ import annotations

import re
from typing import Any

import pytest
import trustme

from flask_smtpservers.permissions import Scope
from flask_smtpservers.servers.profile import ServerProfile
from tests.apps import Host, server_fields
from tests.peers.mailbox import PASSWORD, Mailbox

from .browser import Browser, form_of, typed, words
from .conftest import MakeSite


@pytest.fixture
def ann(make_site: MakeSite, mailbox: Mailbox) -> Browser:
    """An admin whom the host names, and a server "Shop" that she added and changed."""
    browser = Browser(make_site().app)
    with browser.client.session_transaction() as session:
        session["user"] = "ann"
    browser.post("/add", typed(mailbox))
    return browser


def edit(browser: Browser, server: str, **changes: Any) -> None:
    form = {**form_of(browser.get(f"/{server}/edit")), **changes}
    assert browser.post(f"/{server}/edit", form).status_code == 303


def the_server(browser: Browser) -> str:
    found = re.search(r'id="server-(\w+)"', browser.get("/").text)
    assert found is not None
    return found[1]


def back_urls(page: Any) -> list[str]:
    return re.findall(r'href="/smtp(/\w+/history/\d+)"', page.text)


def stored(site: Host) -> ServerProfile:
    with site.app.app_context():
        (server,) = site.smtp.servers()
    return server


def test_each_change_in_words(ann: Browser) -> None:
    """The field, what it was and what it is, who did it and on which day; nothing of a password."""
    shop = the_server(ann)
    edit(ann, shop, name="Till", reply_to="ann@example.test")
    ann.post(f"/{shop}/password", {"smtp_secret": "history-CANARY"})
    ann.post(f"/{shop}/pause")
    page = ann.get(f"/{shop}/history")
    text = words(page)
    assert "History of “Till”" in text
    assert "Today, " in text
    assert (
        "“Till” was changed by ann Name before: Shop → after: Till Replies go to before: – → after: ann@example.test"
        in text
    )
    assert "A change of “Till” was saved; it waits for its test by ann Password changed" in text
    assert "“Till” was paused by ann" in text
    assert "“Shop” was added by ann Its settings : “Shop” was added Mail provider" in text
    assert "CANARY" not in page.text
    assert PASSWORD not in page.text


def test_the_history_of_all(ann: Browser, mailbox: Mailbox) -> None:
    """All servers, the removed ones too, and the switch; the newest first, page by page."""
    shop = the_server(ann)
    ann.post(f"/{shop}/remove")
    for number in range(31):
        ann.post("/sending", {"on": str(number % 2)})
    first, second = ann.get("/history"), ann.get("/history?page=2")
    assert words(first).count("Sending was switched") == 30
    assert "Older" in words(first)
    assert "Sending was switched off by ann" in words(second)
    assert "“Shop” was removed by ann" in words(second)
    assert "Newer" in words(second)
    assert "Older" not in words(second)
    assert "Nothing was changed yet." in words(ann.get("/history?page=9"))
    assert ann.get("/history?page=x").status_code == 200


def test_a_certificate_is_named_by_whom_it_is_for(ann: Browser, ca: trustme.CA) -> None:
    """Subject and fingerprint stand in the place of a text of letters that nobody reads."""
    edit(ann, the_server(ann), ca_certificate=ca.cert_pem.bytes().decode(), smtp_secret=PASSWORD)
    page = ann.get("/history")
    assert re.search(
        r"Certificate of your own authority before: – → after: trustme .*\(SHA256:[0-9A-F:]{95}\)", words(page)
    )
    assert "BEGIN CERTIFICATE" not in page.text


def test_older_settings_come_back_through_the_form(site: Host, ann: Browser) -> None:
    """What would change stands above the form; saved as a new change; the password stays, as it stays at its place."""
    shop = the_server(ann)
    edit(ann, shop, name="Till", sender_format="{user} via {app}")
    edit(ann, shop, reply_to="ann@example.test")
    _reply, name = back_urls(ann.get(f"/{shop}/history"))
    page = ann.get(name)
    text = words(page)
    assert "What comes back when you save Name before: Till → after: Shop Sender name format" in text
    assert "Nothing is saved yet" in text
    form = form_of(page)
    assert (form["name"], form["sender_format"], form["reply_to"]) == ("Shop", "{name}", "")
    assert ann.post(f"/{shop}/edit", form).status_code == 303
    server = stored(site)
    assert (server.name, server.reply_to) == ("Shop", "")
    with site.app.app_context():
        password = site.state.store.password_of(server)
    assert password is not None
    assert password.reveal() == PASSWORD
    assert back_urls(ann.get(f"/{shop}/history"))[0] not in (name, _reply), "it is a change like any other"


def test_another_destination_asks_for_its_password(site: Host, ann: Browser, mailbox: Mailbox) -> None:
    """The password that is stored now was given for another place: it does not go back there by itself."""
    shop = the_server(ann)
    edit(ann, shop, port="2525", smtp_secret="for port 2525")
    ann.use_change(shop)
    page = ann.get(back_urls(ann.get(f"/{shop}/history"))[0])
    assert "The stored password was given for another place" in words(page)
    form = form_of(page)
    assert form["port"] == str(mailbox.submission)
    assert form["smtp_secret"] == ""
    refused = ann.post(f"/{shop}/edit", form)
    assert refused.status_code == 422
    assert stored(site).port == 2525

    waiting = ann.follow(ann.post(f"/{shop}/edit", {**form, "smtp_secret": PASSWORD}))
    tested = ann.post(f"/{shop}/change/test", form_of(waiting, "smtp-change-form"))
    assert "The new settings are in use." in words(tested)
    assert stored(site).port == mailbox.submission


def test_restoring_heeds_what_others_saved_meanwhile(site: Host, ann: Browser) -> None:
    """Like any edit: whoever was overtaken is told and loses nothing."""
    shop = the_server(ann)
    edit(ann, shop, name="Till")
    form = form_of(ann.get(back_urls(ann.get(f"/{shop}/history"))[0]))
    edit(ann, shop, reply_to="bob@example.test")
    assert ann.post(f"/{shop}/edit", form).status_code == 409
    assert stored(site).reply_to == "bob@example.test"


def test_a_removed_server_is_added_again(site: Host, ann: Browser) -> None:
    """The form is filled with what it was; only the password is typed again."""
    shop = the_server(ann)
    ann.post(f"/{shop}/remove")
    history = ann.get(f"/{shop}/history")
    assert "Add it again" in words(history)
    page = ann.get(back_urls(history)[0])
    assert "Its secrets were deleted with it" in words(page)
    form = form_of(page)
    assert ann.post("/add", form).status_code == 422
    assert ann.post("/add", {**form, "smtp_secret": PASSWORD}).status_code == 303
    server = stored(site)
    assert server.name == "Shop"
    assert server.public_id != shop
    assert "Add it again" not in words(ann.get(f"/{server.public_id}/history"))


def test_who_may_see_it(make_site: MakeSite, mailbox: Mailbox) -> None:
    """``history.view`` shows it; the way back is for those who may edit; nobody else even sees the links."""
    may: set[str] = {"servers.view"}
    site = make_site(access=lambda action, scope: action.value in may)
    with site.app.app_context():
        shop = site.smtp.add_server(**server_fields(mailbox)).public_id
        site.smtp.edit_server(shop, name="Till")
        site.db.session.commit()
    browser = Browser(site.app)
    assert [browser.get(path).status_code for path in ("/history", f"/{shop}/history")] == [403, 403]
    assert "History" not in words(browser.get("/"))
    may.add("history.view")
    assert "History of changes" in words(browser.get("/"))
    page = browser.get(f"/{shop}/history")
    assert (page.status_code, back_urls(page)) == (200, [])
    with site.app.app_context():
        entry = site.state.store.history(shop, limit=1)[0].id
    assert browser.get(f"/{shop}/history/{entry}").status_code == 403
    may.add("servers.edit")
    assert browser.get(f"/{shop}/history/{entry}").status_code == 200
    assert browser.get(f"/{shop}/history/{entry - 1}").status_code == 404, "there was nothing before it was added"


def test_what_is_not_there_is_not_found(site: Host, admin: Browser, shop: str, mailbox: Mailbox) -> None:
    """An unknown server, an unknown entry, and a server of another scope answer alike."""
    with site.app.app_context():
        theirs = site.state.store.add(server_fields(mailbox), scope=Scope("acme")).profile.public_id
        entry = site.state.store.history(limit=1, scope=Scope("acme"))[0].id
        site.db.session.commit()
    unknown = admin.get("/nobody/history")
    for path in (f"/{theirs}/history", f"/{theirs}/history/{entry}", f"/{shop}/history/{entry}", "/x/history/1"):
        answer = admin.get(path)
        assert (answer.status_code, answer.text) == (404, unknown.text)
    assert admin.get("/history").text.count("<li>") == 1
