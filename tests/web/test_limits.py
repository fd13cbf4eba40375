"""What testing a server may cost: workers, database connections, other people's inboxes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from threading import Event
from typing import Any

import pytest
from flask import abort
from jinja2 import DictLoader
from sqlalchemy.pool import QueuePool

from flask_smtpservers import Action
from tests.apps import Host, server_fields
from tests.peers.hostile import answer, hang, hostile, say
from tests.peers.mailbox import PASSWORD, Mailbox

from .browser import BASE, Browser, form_of, typed, words
from .conftest import MakeSite

BUSY = "A test is already running. Wait until it ends."
PATIENCE = 20


@contextmanager
def halfway(browser: Browser, path: str, data: dict[str, str] | None = None) -> Iterator[Future[tuple[int, str]]]:
    """A test of which the first piece has been read, in a thread of its own; it goes on at the end of the block."""
    begun, go_on = Event(), Event()
    form = {"csrf_token": browser.token(), **(data or {})}

    def read() -> tuple[int, str]:
        try:
            with browser.client.post(BASE + path, data=form) as response:
                pieces = iter(response.iter_encoded())
                text = next(pieces)
                begun.set()
                go_on.wait(PATIENCE)
                return response.status_code, (text + b"".join(pieces)).decode()
        finally:
            begun.set()

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(read)
        assert begun.wait(PATIENCE)
        try:
            yield future
        finally:
            go_on.set()


def person(site: Host, name: str) -> Browser:
    browser = Browser(site.app)
    with browser.client.session_transaction() as cookie:
        cookie["user"] = name
    return browser


# -- turns


def test_nobody_runs_two_tests_at_once(site: Host, shop: str, mailbox: Mailbox) -> None:
    """Whichever server, page or browser it is; when the first has ended, the next one may begin."""
    ann, elsewhere = person(site, "ann"), person(site, "ann")
    with halfway(ann, f"/{shop}/test") as first:
        for browser in (ann, elsewhere):
            for path, data in ((f"/{shop}/test", {}), ("/test", typed(mailbox))):
                refused = browser.post(path, data)
                assert refused.status_code == 429
                assert BUSY in words(refused)
        assert mailbox.connections == 0
    status, page = first.result()
    assert (status, "It works" in page) == (200, True)
    assert "It works" in words(ann.post(f"/{shop}/test"))


def test_who_has_no_name_is_told_apart_by_the_session(site: Host, shop: str, mailbox: Mailbox) -> None:
    one, other = Browser(site.app), Browser(site.app)
    with halfway(one, f"/{shop}/test"):
        assert one.post("/test", elsewhere(mailbox)).status_code == 429
        assert other.post("/test", elsewhere(mailbox)).status_code == 200
    assert other.post(f"/{shop}/test").status_code == 200


def elsewhere(mailbox: Mailbox, port: int = 0) -> dict[str, str]:
    """The form of another server than the shop's; without a port it is one that works."""
    return typed(mailbox, encryption="", ssl="1", port=str(port or mailbox.smtps))


def test_one_server_is_tested_by_one_person_at_a_time(site: Host, shop: str, mailbox: Mailbox) -> None:
    """Many users cannot be made into a flood at somebody else's server; a provider's servers bear it."""
    with halfway(person(site, "ann"), f"/{shop}/test"):
        refused = person(site, "ben").post("/test", typed(mailbox, name="The same", host="LocalHost"))
        assert refused.status_code == 429
        assert "Somebody else is testing the same server right now." in words(refused)
        assert person(site, "ben").post("/test", elsewhere(mailbox)).status_code == 200


def test_the_script_is_told_in_its_own_way(site: Host, shop: str, mailbox: Mailbox) -> None:
    """A part of a page with the sentence where the result would stand: the script shows it like one."""
    ann = person(site, "ann")
    with halfway(ann, f"/{shop}/test"):
        for path, data in ((f"/{shop}/test", {}), ("/test", typed(mailbox))):
            refused = ann.post(path, {**data, "fragment": "1"})
            assert refused.status_code == 429
            assert refused.headers["X-Smtpservers-Fragment"] == "1"
            assert refused.text.startswith('<div class="smtp-run">')
            assert "data-smtp-headline" in refused.text
            assert BUSY in words(refused)


def test_nothing_typed_is_lost_by_waiting(site: Host, shop: str, mailbox: Mailbox) -> None:
    """The page that says "wait" is the form with all its values, the password kept for the next press."""
    ann = person(site, "ann")
    with halfway(ann, f"/{shop}/test"):
        form = form_of(ann.post("/test", typed(mailbox, name="Second")))
        assert form["name"] == "Second"
        assert form["draft"]
        assert PASSWORD not in "".join(ann.seen)
    assert "It works" in words(ann.post("/test", form))


def test_few_tests_run_at_once(make_site: MakeSite, mailbox: Mailbox) -> None:
    site = make_site(SMTPSERVERS_TESTS_AT_ONCE=4)
    with site.app.app_context():
        shop = site.smtp.add_server(**server_fields(mailbox)).public_id
    with ExitStack() as stack:
        for port, name in enumerate(("ann", "ben", "cem", "dan"), 1):
            stack.enter_context(halfway(person(site, name), "/test", elsewhere(mailbox, port)))
        refused = person(site, "eve").post(f"/{shop}/test")
        assert refused.status_code == 429
        assert "Other people are testing right now." in words(refused)
    assert person(site, "eve").post(f"/{shop}/test").status_code == 200


def test_a_reader_who_leaves_gives_the_turn_back(site: Host, shop: str, mailbox: Mailbox) -> None:
    """Before the first byte as well as in the middle."""
    ann = person(site, "ann")
    for pieces in (0, 1, 3):
        form = {"csrf_token": ann.token()}

        def leave(form: dict[str, str] = form, pieces: int = pieces) -> int:
            with ann.client.post(f"{BASE}/{shop}/test", data=form) as response:
                stream = iter(response.iter_encoded())
                for _number in range(pieces):
                    next(stream)
                return response.status_code

        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(leave).result() == 200


def test_an_error_while_the_page_is_made_gives_the_turn_back(make_site: MakeSite, mailbox: Mailbox) -> None:
    site = make_site(SMTPSERVERS_BASE_TEMPLATE="base.html")
    broken = [True]

    def menu() -> str:
        if broken.pop():
            raise LookupError("no menu")
        return ""

    site.app.__dict__["jinja_loader"] = DictLoader({"base.html": "{{ menu() }}{% block content %}{% endblock %}"})
    site.app.jinja_env.globals["menu"] = menu
    with site.app.app_context():
        shop = site.smtp.add_server(**server_fields(mailbox)).public_id
    ann = person(site, "ann")
    assert ann.post(f"/{shop}/test").status_code == 500
    broken[:] = [False]
    assert "It works" in words(ann.post(f"/{shop}/test"))


def test_a_failed_run_gives_the_turn_back(site: Host, mailbox: Mailbox) -> None:
    ann = person(site, "ann")
    for _attempt in range(2):
        assert "Stopped at step" in words(ann.post("/test", typed(mailbox, smtp_secret="wrong")))


def test_the_hourly_limit_holds_on_the_pages(make_site: MakeSite, mailbox: Mailbox) -> None:
    """People without a name share one budget: a new session is had for nothing."""
    site = make_site(SMTPSERVERS_TESTS_PER_HOUR=2)
    with site.app.app_context():
        shop = site.smtp.add_server(**server_fields(mailbox)).public_id
    refused = [Browser(site.app).post(f"/{shop}/test") for _number in range(3)]
    assert [answer.status_code for answer in refused] == [200, 200, 429]
    assert "2 tests were run within an hour, and more are not allowed." in words(refused[2])
    assert person(site, "ann").post(f"/{shop}/test").status_code == 200


def test_of_fifty_at_once_one_runs(site: Host, shop: str, mailbox: Mailbox) -> None:
    """D01: the others are told at once, and no server hears of them."""
    browsers = [person(site, "ann") for _number in range(50)]
    forms = [{"csrf_token": browser.token()} for browser in browsers]
    with halfway(person(site, "ann"), f"/{shop}/test") as first, ThreadPoolExecutor(50) as pool:
        sent = pool.map(
            lambda one: one[0].client.post(f"{BASE}/{shop}/test", data=one[1]), zip(browsers, forms, strict=True)
        )
        codes = [answer.status_code for answer in sent]
    assert codes == [429] * 50
    assert first.result()[0] == 200
    assert mailbox.connections == 1


def test_without_the_database_no_test_begins(site: Host, mailbox: Mailbox) -> None:
    ann = person(site, "ann")
    token = ann.token()
    with site.app.app_context(), site.db.engine.begin() as connection:
        connection.execute(site.db.text("DROP TABLE smtpservers_turn"))
    refused = ann.post("/test", typed(mailbox), token=token)
    assert refused.status_code == 429
    assert "The database does not answer, so nothing was begun." in words(refused)
    assert mailbox.connections == 0


# -- whom the test message may go to


def only_testing(action: object, scope: object) -> bool:
    if action is Action.EDIT_SERVERS:
        abort(403)  # a host may say no in this way as well
    return action is Action.TEST_SERVERS


def test_a_mere_tester_writes_to_nobody_but_himself(make_site: MakeSite, mailbox: Mailbox) -> None:
    site = make_site(access=only_testing)
    with site.app.app_context():
        shop = site.smtp.add_server(**server_fields(mailbox)).public_id
    ann = person(site, "ann@example.test")
    refused = ann.post(f"/{shop}/test", {"recipient": "stranger@foreign.test"})
    assert refused.status_code == 422
    assert "You may send the test message to your own address only: ann@example.test." in words(refused)
    assert ann.post(f"/{shop}/test", {"recipient": "Ann@example.test"}).status_code == 422
    assert mailbox.connections == 0
    assert "It works" in words(ann.post(f"/{shop}/test", {"recipient": "ann@EXAMPLE.test"}))
    assert "Nothing was sent" in words(ann.post(f"/{shop}/test"))
    assert [letter.recipients for letter in mailbox.letters] == [["ann@example.test"]]


def test_a_mere_tester_whose_address_is_unknown_writes_to_nobody(make_site: MakeSite, mailbox: Mailbox) -> None:
    site = make_site(access=only_testing)
    with site.app.app_context():
        shop = site.smtp.add_server(**server_fields(mailbox)).public_id
    refused = Browser(site.app).post(f"/{shop}/test", {"recipient": "stranger@foreign.test"})
    assert refused.status_code == 422
    assert "this app knows none of you" in words(refused)
    assert mailbox.connections == 0


# -- database connections

ONE = {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 0, "pool_timeout": 0.5}


def asking_site(make_site: MakeSite, **config: Any) -> Host:
    """A host that has one database connection, and whose ``access`` asks the database."""
    made: list[Host] = []

    def access(action: object, scope: object) -> bool:
        db = made[0].db
        return bool(db.session.execute(db.text("SELECT 1")).scalar())

    made.append(make_site(access=access, SQLALCHEMY_ENGINE_OPTIONS=ONE, **config))
    return made[0]


BASES = {
    "own": {},
    "the host's": {"SMTPSERVERS_BASE_TEMPLATE": "base.html"},
}


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("kind", ["stored", "unsaved", "fragment"])
def test_a_running_test_holds_no_database_connection(
    make_site: MakeSite, mailbox: Mailbox, base: str, kind: str
) -> None:
    """In the middle of the stream another request gets the only connection there is."""
    site = asking_site(make_site, **BASES[base])
    text = "{% for entry in smtpservers_menu() %}{% endfor %}<main>{% block content %}{% endblock %}</main>"
    site.app.__dict__["jinja_loader"] = DictLoader({"base.html": text + "{{ smtpservers_menu()|length }} entries"})
    with site.app.app_context():
        shop = site.smtp.add_server(**server_fields(mailbox)).public_id
        site.db.session.commit()
    path, data = ("/test", typed(mailbox)) if kind == "unsaved" else (f"/{shop}/test", {})
    data |= {"fragment": "1"} if kind == "fragment" else {}
    with halfway(person(site, "ann"), path, data) as running:
        assert person(site, "ben").get("/").status_code == 200
    status, page = running.result()
    assert status == 200
    assert "It works" in page
    if base != "own" and kind != "fragment":
        assert page.endswith("</main>2 entries")


def test_no_connection_is_held_while_the_server_lets_us_wait(make_site: MakeSite) -> None:
    """Not only between two pieces: a server that does not answer for long is what holds a test up."""
    site = asking_site(make_site, SMTPSERVERS_TEST_DEADLINE_SECONDS=2)
    heard = Event()

    def said(_peer: object) -> None:
        heard.set()

    with hostile([say("220 hello"), answer("250 mail.example.test"), said, hang()]) as slow:
        with site.app.app_context():
            fields = {"host": "127.0.0.1", "port": slow.port, "security": "none", "address": "a@example.test"}
            shop = site.smtp.add_server(name="Slow", **fields).public_id
            site.db.session.commit()
        ann, ben = person(site, "ann"), person(site, "ben")
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(lambda: words(ann.post(f"/{shop}/test")))
            assert heard.wait(PATIENCE)
            assert ben.get("/").status_code == 200
            assert not running.done()
        assert "Stopped at step" in running.result()


def test_what_the_host_asks_for_its_frame_is_asked_before_the_first_byte(make_site: MakeSite, mailbox: Mailbox) -> None:
    """An error in the host's template is an error page, not half a page; its content may even stand there twice."""
    site = make_site(SMTPSERVERS_BASE_TEMPLATE="base.html")
    site.app.__dict__["jinja_loader"] = DictLoader(
        {"base.html": "[{% block content %}{% endblock %}][{{ self.content() }}]{{ session.role }}"}
    )
    with site.app.app_context():
        shop = site.smtp.add_server(**server_fields(mailbox)).public_id
    page = Browser(site.app).post(f"/{shop}/test").text
    assert page.count('class="smtp-run"') == 1
    assert page.endswith("]admin")
    assert mailbox.connections == 1


# -- who may use or drop a secret


def test_a_pasted_password_needs_the_right_to_change_secrets(make_site: MakeSite, mailbox: Mailbox) -> None:
    """Also where it stands in the address of the server; decided by what comes out, not by the field."""
    site = make_site(access=lambda action, scope: action is not Action.CHANGE_SECRETS)
    pasted = f"smtp://u:{PASSWORD}@localhost:{mailbox.submission}"
    form = typed(mailbox, host=pasted, username="", smtp_secret="")
    assert Browser(site.app).post("/test", form).status_code == 403
    assert mailbox.connections == 0


def test_dropping_a_password_needs_the_right_to_change_secrets(make_site: MakeSite, mailbox: Mailbox) -> None:
    """Without a user name the stored password goes; who may change other things only, may still test those."""
    site = make_site(access=lambda action, scope: action is not Action.CHANGE_SECRETS)
    with site.app.app_context():
        shop = site.smtp.add_server(**server_fields(mailbox)).public_id
    browser = Browser(site.app)
    form = form_of(browser.get(f"/{shop}/edit"))
    assert browser.post("/test", {**form, "username": ""}).status_code == 403
    assert mailbox.connections == 0
    assert "It works" in words(browser.post("/test", {**form, "name": "Renamed"}))


# -- single faults


def test_only_post_runs_a_test(site: Host, shop: str, mailbox: Mailbox) -> None:
    """A HEAD is a GET without its body (RFC 9110 §9.3.2), whatever it brings along."""
    browser = Browser(site.app)
    answered = browser.client.head(f"{BASE}/{shop}/test", data={"csrf_token": browser.token()})
    assert answered.status_code == 200
    assert answered.text == ""
    assert "X-Accel-Buffering" not in answered.headers, "it is not the beginning of a test either"
    assert mailbox.connections == 0


@pytest.mark.parametrize(
    "change", ["address = 'a@b@c'", "reply_to = 'x y'", "sender_name = '=?utf-8?q?a=0D=0Ab?='", "address = 'nobody'"]
)
def test_a_row_that_was_tampered_with_is_a_step_that_failed(
    site: Host, admin: Browser, shop: str, mailbox: Mailbox, change: str
) -> None:
    """The sender rules refuse it: no error page, but the first step with their sentence."""
    with site.app.app_context():
        site.db.session.execute(site.db.text(f"UPDATE smtpservers_server SET {change}"))
        site.db.session.commit()
    answered = admin.post(f"/{shop}/test", {"recipient": "ann@example.test"})
    assert answered.status_code == 200
    page = words(answered)
    assert "Stopped at step 1 of 12" in page
    assert "is not one e-mail address" in page or "is not an e-mail address" in page or "control character" in page
    assert mailbox.connections == 0


@pytest.mark.parametrize("host", ["smtp://u:{}@localhost", "u:{}@localhost", "//{}@h"])
@pytest.mark.parametrize("command", ["add", "edit"])
def test_the_command_line_takes_no_password_within_the_host(site: Host, shop: str, host: str, command: str) -> None:
    """It would stand in the shell's history: refused with the ways that there are, and not shown again."""
    words = ["smtp", command, *(["Shop"] if command == "edit" else ["--name", "New", "--address", "a@example.test"])]
    result = site.app.test_cli_runner().invoke(args=[*words, "--host", host.format(PASSWORD)])
    assert result.exit_code == 2
    assert "--password-stdin" in result.output
    assert "history" in result.output
    assert PASSWORD not in result.output
    with site.app.app_context():
        assert [(one.name, one.host) for one in site.smtp.servers()] == [("Shop", "localhost")]
