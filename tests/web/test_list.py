"""The list of servers and its buttons."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event

from flask_smtpservers.servers.profile import ServerProfile
from flask_smtpservers.smtp.endpoint import Security
from flask_smtpservers.web import presenting
from tests.apps import Host

from .browser import Browser, words
from .conftest import MakeSite

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def add(site: Host, *names: str, **fields: object) -> list[str]:
    with site.app.app_context():
        found = []
        for name in names:
            values = {"host": "mail.example.com", "address": f"{name.split()[0].lower()}@example.com", **fields}
            found.append(site.smtp.add_server(name=name, **values).public_id)
        return found


def names(site: Host) -> list[str]:
    with site.app.app_context():
        return [server.name for server in site.smtp.servers()]


def test_without_servers_the_page_says_what_happens_now_and_offers_one_thing(make_site: MakeSite) -> None:
    """The empty state: a sentence, exactly one primary button, and the app's own server read-only below."""
    site = make_site(MAIL_SERVER="mail.example.com", MAIL_PORT=2525)
    answer = Browser(site.app).get("/")
    assert answer.status_code == 200
    assert "<h1>SMTP Servers</h1>" in answer.text
    assert "Mail goes out through the app's own server mail.example.com:2525." in words(answer)
    assert answer.text.count("smtp-primary") == 1
    assert "Configure SMTP server" in answer.text
    assert "Built-in read-only" in words(answer)


def test_sending_switched_off_is_said_in_the_empty_state(site: Host, admin: Browser) -> None:
    admin.follow(admin.post("/sending", {"on": "0"}))
    page = words(admin.get("/"))
    assert "Mail is not being sent" in page or "mail is not being sent" in page
    assert "Mail goes out through" not in page


def test_each_server_with_its_facts_and_actions(site: Host, admin: Browser) -> None:
    add(site, "Shop", sender_name="Doe, John", security="ssl")
    page = words(admin.get("/"))
    for fact in ('"Doe, John" <shop@example.com>', "mail.example.com:465", "Encrypted (SSL)", "Default", "Not tested"):
        assert fact in page
    for action in ("Test", "Edit", "Pause", "Remove …", "+ Add"):
        assert action in page
    assert "Not used at the moment: the default server takes all mail" in page


def test_the_buttons_do_what_they_say(site: Host, admin: Browser) -> None:
    first, second = add(site, "First", "Second")
    assert "“Second” was moved up." in words(admin.follow(admin.post(f"/{second}/move", {"direction": "up"})))
    assert names(site) == ["Second", "First"]
    admin.post(f"/{second}/move", {"direction": "down"})
    assert names(site) == ["First", "Second"]
    assert "is the default server now" in words(admin.follow(admin.post(f"/{second}/default")))
    assert "is paused" in words(admin.follow(admin.post(f"/{first}/pause")))
    with site.app.app_context():
        servers = {server.name: server for server in site.smtp.servers()}
    assert not servers["First"].enabled
    assert servers["Second"].is_default
    assert "is used for sending again" in words(admin.follow(admin.post(f"/{first}/enable")))


def test_a_message_is_shown_once(site: Host, admin: Browser) -> None:
    (server,) = add(site, "Shop")
    assert 'role="status"' in admin.follow(admin.post(f"/{server}/pause")).text
    assert "is paused: no mail" not in admin.get("/").text


def test_the_host_keeps_its_own_messages(site: Host, admin: Browser) -> None:
    """Our messages are no flashed messages of the host, and the host's wait for the host's page."""
    (server,) = add(site, "Shop")
    with admin.client.session_transaction() as cookie:
        cookie["_flashes"] = [("message", "from the host")]
    assert "from the host" not in admin.follow(admin.post(f"/{server}/pause")).text
    with admin.client.session_transaction() as cookie:
        assert cookie["_flashes"] == [("message", "from the host")]


def test_the_first_and_last_server_cannot_be_moved_over_the_edge(site: Host, admin: Browser) -> None:
    first, second = add(site, "First", "Second")
    assert admin.get("/").text.count(" disabled") == 2
    admin.post(f"/{first}/move", {"direction": "up"})
    admin.post(f"/{second}/move", {"direction": "down"})
    assert names(site) == ["First", "Second"]


def test_buttons_with_a_value_that_they_do_not_have_do_nothing(site: Host, admin: Browser) -> None:
    """400 instead of a guess; above all, sending is not switched off by an empty request."""
    first, _second = add(site, "First", "Second")
    assert admin.post("/sending").status_code == 400
    assert admin.post("/sending", {"on": "off"}).status_code == 400
    assert admin.post(f"/{first}/move", {"direction": "sideways"}).status_code == 400
    assert names(site) == ["First", "Second"]
    with site.app.app_context():
        assert site.state.store.sending_enabled()


def test_the_switch(site: Host, admin: Browser) -> None:
    assert 'aria-checked="true"' in admin.get("/").text
    page = admin.follow(admin.post("/sending", {"on": "0"}))
    assert 'aria-checked="false"' in page.text
    assert "no mail leaves this app" in words(page)
    assert 'aria-checked="true"' in admin.follow(admin.post("/sending", {"on": "1"})).text


def test_many_servers_can_be_filtered_without_a_script(site: Host, admin: Browser) -> None:
    add(site, *(f"Branch {number:03}" for number in range(100)))
    assert "Find a server" in admin.get("/").text
    page = words(admin.get("/?find=branch+07"))
    assert "11 of 100 servers" in page
    assert "Branch 070" in page
    assert "Branch 080" not in page
    assert "No server matches “nobody”." in words(admin.get("/?find=nobody"))


def test_few_servers_need_no_filter(site: Host, admin: Browser) -> None:
    add(site, *(f"Branch {number}" for number in range(8)))
    assert "Find a server" not in admin.get("/").text


def test_the_number_of_queries_does_not_depend_on_the_number_of_servers(site: Host, admin: Browser) -> None:
    statements: list[str] = []
    with site.app.app_context():
        event.listen(site.db.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))

    def queries() -> int:
        statements.clear()
        assert admin.get("/").status_code == 200
        return len(statements)

    add(site, "A", "B", "C")
    queries()  # the first request also looks at the tables
    few = queries()
    add(site, *(f"Branch {number:03}" for number in range(97)))
    assert queries() == few


def test_what_people_typed_is_text_and_no_markup(site: Host, admin: Browser) -> None:
    evil = "<script>alert(1)</script>"
    (server,) = add(site, evil, sender_name=f'{evil}"><img src=x>', address="a@example.com")
    with site.app.app_context():
        profile = site.state.store.get(server)
        site.state.store.record_test(profile, passed=False, title=evil)
    for path in (
        "/",
        f"/{server}/edit",
        f"/{server}/remove",
        f"/{server}/test",
        f"/{server}/password",
        f"/?find={evil}",
    ):
        page = admin.get(path).text
        assert evil not in page
        assert "<img src=x" not in page


def test_before_the_migration_the_page_says_what_to_do(make_site: MakeSite) -> None:
    site = make_site(create_tables=False)
    answer = Browser(site.app).get("/")
    assert answer.status_code == 200
    assert "flask db upgrade" in words(answer)
    assert "+ Add" not in answer.text


def profile(**changes: object) -> ServerProfile:
    values = {"public_id": "x", "name": "Shop", "host": "h.example", "port": 465, "security": Security.SSL}
    return ServerProfile(**{**values, "address": "a@example.com", **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "kind", "text"),
    [
        ({}, "idle", "Not tested"),
        ({"tested_at": NOW - timedelta(minutes=3), "test_passed": True}, "ok", "Working – tested 3 min ago"),
        (
            {"tested_at": NOW - timedelta(hours=2), "test_passed": False, "test_title": "wrong password"},
            "failed",
            "Failing – wrong password (tested 2 h ago)",
        ),
        ({"tested_at": NOW - timedelta(days=30), "test_passed": False}, "failed", "Failing – tested on 21 October"),
        ({"enabled": False, "tested_at": NOW, "test_passed": True}, "paused", "Paused"),
    ],
)
def test_each_state_has_words_and_a_shape_of_its_own(changes: dict[str, object], kind: str, text: str) -> None:
    """Without colour, the words and the shape still tell them apart."""
    badge = presenting.badge(profile(**changes), now=NOW)
    assert (badge.kind, badge.text) == (kind, text)
    assert badge.icon == kind


def test_what_used_a_server_is_said_before_it_goes() -> None:
    one = profile(is_default=True)
    other = profile(public_id="y", address="b@example.com")
    assert presenting.uses(one, [], builtin="mail:25") == [
        "Mail from a@example.com goes through it.",
        "So does mail from other addresses at example.com.",
        "It is the default: mail that no other server claims goes through it.",
        "Without a default, it goes out through the app's own server mail:25.",
    ]
    assert presenting.uses(profile(), [other], builtin="") == ["Mail from a@example.com goes through it."]
    assert presenting.uses(profile(), [profile(public_id="z")], builtin="") == [
        "Other servers send from the same address, so they take over its mail."
    ]
    assert presenting.uses(profile(enabled=False, is_default=True), [], builtin="") == [
        "It is paused: no mail goes through it."
    ]


def test_a_long_list_has_pages(site: Host, admin: Browser) -> None:
    """Each page shows its part, and after a button was pressed the page with that server is shown again."""
    ids = add(site, *(f"Branch {number:03}" for number in range(205)))
    first = admin.get("/")
    assert "1 to 100 of 205" in words(first)
    assert "Branch 099" in words(first)
    assert "Branch 100" not in words(first)
    last = admin.get("/?page=3")
    assert "201 to 205 of 205" in words(last)
    assert "Branch 204" in words(last)
    assert words(admin.get("/?page=99")) == words(last)
    for odd in ("0", "-1", "x", "9" * 30):
        assert words(admin.get(f"/?page={odd}")) == words(first)
    page = admin.follow(admin.post(f"/{ids[150]}/pause"))
    assert "101 to 200 of 205" in words(page)
    assert f'id="server-{ids[150]}"' in page.text
    found = admin.get("/?find=branch&page=2")
    assert "205 of 205 servers" in words(found)
    assert "find=branch" in found.text.partition('rel="next"')[0].rpartition("<a")[2]
