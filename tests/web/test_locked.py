"""Servers of the app's configuration on the pages: shown with a lock, tested like any other, changed by nobody."""

from __future__ import annotations

from typing import Any

import pytest
from flask_mail import Message

from flask_smtpservers.signals import server_failing, server_recovered
from tests.apps import Host, server_fields
from tests.peers.mailbox import PASSWORD, USERNAME, Mailbox

from .browser import Browser, words
from .conftest import MakeSite

ORIGIN = "app.config SMTPSERVERS_SERVERS[0]"


@pytest.fixture
def site(make_site: MakeSite, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A server of the configuration, and a stored one."""
    monkeypatch.setenv("RELAY_PASSWORD", PASSWORD)
    relay = server_fields(mailbox, name="Relay", password="env:RELAY_PASSWORD", is_default=True)
    made = make_site(SMTPSERVERS_SERVERS=[relay])
    with made.app.app_context():
        made.smtp.add_server(**server_fields(mailbox))
    return made


@pytest.fixture
def relay(site: Host) -> str:
    with site.app.app_context():
        return site.smtp.servers()[0].public_id


def stored(site: Host) -> list[Any]:
    with site.app.app_context():
        return site.smtp.servers()


def test_the_list_shows_the_lock_and_where_it_is_set(site: Host, admin: Browser, relay: str) -> None:
    """It stands first, with its origin, and has no button that changes it."""
    page = admin.get("/")
    text = words(page)
    assert "Relay Default read-only" in text
    assert f"From the app's configuration: {ORIGIN}" in text
    for path in ("pause", "remove", "default", "move", "password"):
        assert f"/{relay}/{path}" not in page.text
    assert f"/{relay}/edit" in page.text
    assert f"/{relay}/test" in page.text


def test_its_page_shows_every_field_with_its_origin(site: Host, admin: Browser, relay: str) -> None:
    """Read-only: no form but the host's; the password is "set", from its variable."""
    page = admin.get(f"/{relay}/edit")
    text = words(page)
    assert "smtp-form" not in page.text
    assert f"Server host localhost {ORIGIN}" in text
    assert "Password password set, never shown environment variable RELAY_PASSWORD" in text
    assert f"User name username {USERNAME} {ORIGIN}" in text
    usual = text.partition("Everything else is as usual")[2]
    assert "Replies go to reply_to –" in usual
    assert "Server host" not in usual


CHANGES = ("edit", "password", "remove", "enable", "pause", "default", "move", "trust", "change/use", "change/discard")


@pytest.mark.parametrize("change", CHANGES)
def test_no_post_changes_it(site: Host, admin: Browser, relay: str, change: str) -> None:
    """403 with the sentence that says where it can be changed; nothing is written."""
    before = stored(site)
    answer = admin.post(f"/{relay}/{change}", {"name": "x", "host": "evil.example.com", "direction": "down"})
    assert answer.status_code == 403
    assert f"“Relay” is set up in the app's configuration ({ORIGIN}) and can only be changed there." in words(answer)
    assert stored(site) == before


def test_its_password_goes_nowhere_else(site: Host, admin: Browser, relay: str, mailbox: Mailbox) -> None:
    """Other settings than those of the configuration are not even tested with it."""
    fields = {"server": relay, "host": "localhost", "port": str(mailbox.smtps), "send_as": "shop@example.test"}
    assert admin.post("/test", fields).status_code == 403
    assert admin.post(f"/{relay}/test", {"fix": f"port={mailbox.smtps}", "recipient": ""}).status_code == 403
    assert mailbox.connections == 0


def test_for_a_tenant_there_is_no_such_server(site: Host, relay: str) -> None:
    """Its admin gets the same 404 as for any unknown one, whatever he tries."""
    site.state.tenant = lambda: "acme"
    admin = Browser(site.app)
    for answer in (admin.get(f"/{relay}/edit"), admin.post(f"/{relay}/pause"), admin.post("/test", {"server": relay})):
        assert answer.status_code == 404
        assert "Relay" not in answer.text


def test_strangers_learn_nothing(site: Host, relay: str) -> None:
    """Those without the right get what they always get."""
    user = Browser(site.app, role="user")
    assert "Relay" not in user.post(f"/{relay}/pause").text
    assert user.get(f"/{relay}/edit").status_code == 403


def test_it_is_tested_and_the_result_is_shown(site: Host, admin: Browser, relay: str, mailbox: Mailbox) -> None:
    """The test runs with the password of the environment; the list says how it ended."""
    result = words(admin.post(f"/{relay}/test", {"recipient": "ann@example.test"}))
    assert "Activate" not in result
    assert len(mailbox.letters) == 1
    assert "Working – tested" in words(admin.get("/"))
    assert stored(site)[0].test_passed is True


def test_mail_goes_through_it(site: Host, mailbox: Mailbox) -> None:
    """As the default, and asked for by name; the delivery names it."""
    with site.app.app_context():
        message = Message("Hello", recipients=["ann@example.test"], body="x")
        assert site.smtp.send(message).server_name == "Relay"
        assert site.smtp.send(message, using="relay").route.rule == "using"
    assert len(mailbox.letters) == 2


def test_another_default_is_refused(site: Host, admin: Browser) -> None:
    """The sentence names the server of the configuration."""
    shop = stored(site)[1]
    text = words(admin.follow(admin.post(f"/{shop.public_id}/default")))
    assert "The app's configuration makes “Relay” the default." in text


def test_the_order_buttons_leave_it_first(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    """The first stored server cannot go further up."""
    with site.app.app_context():
        site.smtp.add_server(**server_fields(mailbox, name="Other"))
    shop, other = (one.public_id for one in stored(site)[1:])
    page = admin.get("/").text
    assert f'formaction="/smtp/{shop}/move" name="direction" value="up" disabled' in page
    admin.post(f"/{other}/move", {"direction": "up"})
    assert [one.name for one in stored(site)] == ["Relay", "Other", "Shop"]


def test_the_scheduled_check_tells_news_of_it_once(site: Host, relay: str, mailbox: Mailbox, monkeypatch) -> None:
    """A failing and a working again, and not each failure in between."""
    heard: list[str] = []

    def note_failing(_app: Any, server: Any, **_: Any) -> None:
        heard.append(f"- {server.name}")

    def note_recovered(_app: Any, server: Any, **_: Any) -> None:
        heard.append(f"+ {server.name}")

    server_failing.connect(note_failing)
    server_recovered.connect(note_recovered)
    runner = site.app.test_cli_runner()
    runner.invoke(args=["smtp", "health"])
    monkeypatch.setenv("RELAY_PASSWORD", "wrong")
    for _ in range(2):
        runner.invoke(args=["smtp", "health"])
    monkeypatch.setenv("RELAY_PASSWORD", PASSWORD)
    for _ in range(2):
        runner.invoke(args=["smtp", "health"])
    assert heard == ["- Relay", "+ Relay"]


def test_a_stored_server_of_the_same_name_says_why_it_sends_nothing(make_site: MakeSite, mailbox: Mailbox) -> None:
    """The configuration came later: the stored one is left for whoever renames or removes it."""
    before = make_site()
    with before.app.app_context():
        before.smtp.add_server(**server_fields(mailbox, name="relay"))
    site = make_site(SMTPSERVERS_SERVERS=[server_fields(mailbox, name="Relay")])
    admin = Browser(site.app)
    assert "Suspended The app's configuration has a server of this name." in words(admin.get("/"))
    old = stored(site)[1].public_id
    admin.follow(admin.post(f"/{old}/remove", {"version": "1"}))
    assert [one.name for one in stored(site)] == ["Relay"]
