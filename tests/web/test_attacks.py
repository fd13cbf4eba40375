"""What somebody tries who sits down at an open page, has too few rights, or sends what no browser sends."""

from __future__ import annotations

import base64
import socket
import sqlite3
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme
from flask import session
from flask_login import LoginManager, UserMixin, login_user
from sqlalchemy import text
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from flask_smtpservers.servers.profile import ServerProfile
from flask_smtpservers.web import presets
from flask_smtpservers.web.forms import ServerForm
from tests.apps import Host, server_fields
from tests.peers.mailbox import PASSWORD, USERNAME, Mailbox

from .browser import Browser, form_of, typed, words
from .conftest import MakeSite


@dataclass
class Thief:
    """A mail server that wants to know passwords; its certificate is right for the host it is reached by."""

    port: int
    authority: str
    heard: list[bytes] = field(default_factory=list)

    def serve(self, listening: socket.socket, context: ssl.SSLContext) -> None:
        while True:
            try:
                connection, _peer = listening.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(connection, server_side=True) as secured:
                    self._talk(secured)
            except OSError as error:
                self.heard.append(repr(error).encode())

    def _talk(self, secured: ssl.SSLSocket) -> None:
        secured.sendall(b"220 mail.example ESMTP\r\n")
        for line in secured.makefile("rb"):
            self.heard.append(line)
            secured.sendall(b"250-mail.example\r\n250 AUTH PLAIN\r\n" if line[:4].upper() == b"EHLO" else b"250 ok\r\n")

    @property
    def passwords(self) -> list[str]:
        return [base64.b64decode(line.split()[-1]).decode() for line in self.heard if line.startswith(b"AUTH PLAIN")]


def thief(name: str, authority: trustme.CA) -> Iterator[Thief]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        found = Thief(listening.getsockname()[1], authority.cert_pem.bytes().decode())
        threading.Thread(target=found.serve, args=(listening, context), daemon=True).start()
        yield found
        listening.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def elsewhere(ca: trustme.CA) -> Iterator[Thief]:
    """Another host, with a certificate that everybody trusts."""
    yield from thief("127.0.0.1", ca)


@pytest.fixture
def forged() -> Iterator[Thief]:
    """The same host with a certificate from an authority of one's own."""
    yield from thief("localhost", trustme.CA())


@pytest.fixture
def neighbour(ca: trustme.CA) -> Iterator[Thief]:
    """Another port of the same host, with its certificate."""
    yield from thief("localhost", ca)


def left_open(browser: Browser, mailbox: Mailbox, **changes: str) -> dict[str, str]:
    """Return the page of somebody who typed a password and a mistake, and left."""
    return {**form_of(browser.post("/add", typed(mailbox, send_as="wrong", **changes))), "send_as": "a@example.test"}


def drafts(site: Host) -> int:
    with site.app.app_context():
        return int(site.db.session.execute(text("SELECT count(*) FROM smtpservers_draft")).scalar_one())


def only_server(site: Host) -> ServerProfile:
    with site.app.app_context():
        (server,) = site.smtp.servers()
        return server


# -- a kept password


@pytest.mark.parametrize(
    "step",
    [
        {"fix": "host=127.0.0.1"},
        {"fix": "host=127.0.0.1", "client_key": "x"},
        {"fill": "1", "provider": "gmail", "client_key": "x"},
        {"look": "1", "host": "127.0.0.1", "client_key": "x"},
    ],
)
def test_a_kept_password_stays_with_the_host_it_was_typed_for(
    admin: Browser, mailbox: Mailbox, elsewhere: Thief, step: dict[str, str]
) -> None:
    """Not even a further secret typed beside it makes it one that was typed for another host."""
    page = form_of(admin.post("/add", {**left_open(admin, mailbox), **step}))
    evil = {**page, "ssl": "1", "host": "127.0.0.1", "port": str(elsewhere.port), "client_key": ""}
    answer = admin.post("/test", evil)
    assert elsewhere.passwords == []
    assert answer.status_code == 422
    assert "Enter the password" in words(answer)


def test_a_kept_password_is_not_shown_to_another_authority(admin: Browser, mailbox: Mailbox, forged: Thief) -> None:
    evil = {"ssl": "1", "port": str(forged.port), "ca_certificate": forged.authority}
    assert admin.post("/test", {**left_open(admin, mailbox), **evil}).status_code == 422
    assert forged.heard == []


@pytest.mark.parametrize("by", ["hand", "fix"])
def test_a_kept_password_is_not_sent_to_an_odd_port(
    admin: Browser, mailbox: Mailbox, neighbour: Thief, by: str
) -> None:
    """Of the same host, only the ports that mail is sent to are tried without asking."""
    form = {**left_open(admin, mailbox), "ssl": "1", "port": str(neighbour.port)}
    if by == "fix":
        form = form_of(admin.post("/add", {**left_open(admin, mailbox), "fix": f"security=ssl&port={neighbour.port}"}))
    assert admin.post("/test", form).status_code == 422
    assert neighbour.heard == []


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"port": "587"}, 303),
        ({"port": "465", "ssl": "1"}, 303),
        ({"username": "other@example.test"}, 422),
        ({"username": "a@example.test"}, 303),
    ],
)
def test_what_may_change_without_typing_the_password_again(
    admin: Browser, mailbox: Mailbox, change: dict[str, str], status: int
) -> None:
    """The usual ports, and the user name that the form proposes: the sending address."""
    answer = admin.post("/add", {**left_open(admin, mailbox), **change})
    assert answer.status_code == status


def test_our_own_correction_of_the_user_name_takes_the_password_along(admin: Browser, mailbox: Mailbox) -> None:
    page = form_of(admin.post("/add", {**left_open(admin, mailbox), "fix": "username=apikey"}))
    assert page["username"] == "apikey"
    assert admin.post("/add", page).status_code == 303


def test_a_password_typed_with_the_choice_of_a_provider_is_for_that_provider(
    site: Host, admin: Browser, mailbox: Mailbox
) -> None:
    """Everything typed at once, then "Fill in": there was no server before."""
    fields = typed(mailbox, host="", username="", send_as="me@gmail.com", provider="gmail", fill="1")
    fields["smtp_secret"] = "abcdefghijklmnop"
    assert admin.post("/add", form_of(admin.post("/add", fields))).status_code == 303
    assert only_server(site).host == "smtp.gmail.com"
    assert only_server(site).has_password


def test_a_kept_password_is_not_for_who_signs_in_next(make_site: MakeSite, mailbox: Mailbox) -> None:
    """The same browser session, another user of Flask-Login, and a host that names no owner."""
    site = make_site(access=lambda action, scope: True, owner=lambda: None)
    manager = LoginManager(site.app)

    class User(UserMixin):
        def __init__(self, name: str) -> None:
            self.id = name

    manager.user_loader(User)

    @site.app.get("/sign-in/<name>")
    def sign_in(name: str) -> str:
        login_user(User(name))
        return str(session["_user_id"])

    browser = Browser(site.app)
    browser.client.get("/sign-in/ann")
    form = left_open(browser, mailbox)
    browser.client.get("/sign-in/bob")
    assert browser.post("/test", form).status_code == 422
    assert mailbox.logins == []
    browser.client.get("/sign-in/ann")
    assert browser.post("/test", form).status_code == 200


def test_the_database_keeps_one_draft_of_a_form_and_no_giants(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    form = left_open(admin, mailbox)
    for _time in range(3):
        form = {**form_of(admin.post("/add", {**form, "smtp_secret": PASSWORD, "look": "1"}))}
    assert drafts(site) == 1
    answer = admin.post("/add", typed(mailbox, smtp_secret="y" * 5000))
    assert answer.status_code == 422
    assert "is kept for 15 minutes" not in words(answer)
    assert drafts(site) == 1


def test_expired_drafts_go_when_anything_is_saved(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    left_open(admin, mailbox)
    form = left_open(admin, mailbox)
    with site.app.app_context():
        site.db.session.execute(text("UPDATE smtpservers_draft SET expires_at = '2020-01-01 00:00:00'"))
        site.db.session.commit()
    assert admin.post("/add", {**form, "smtp_secret": PASSWORD}).status_code == 303
    assert drafts(site) == 0


# -- too few rights


def edit_only(action: object, scope: object) -> bool:
    return str(action) in ("servers.view", "servers.edit", "servers.test")


@pytest.mark.parametrize(
    "changes",
    [
        {"username": ""},
        {"host": "smtp://u%40example.test:new pass@localhost", "username": ""},
        {"host": "smtp://u@example.test:new\u00a0pw@localhost", "username": ""},
    ],
)
def test_nobody_sets_or_removes_a_password_by_the_way(
    make_site: MakeSite, mailbox: Mailbox, changes: dict[str, str]
) -> None:
    """What counts is what would be stored, not which field it came from."""
    site = make_site(access=edit_only)
    with site.app.app_context():
        site.smtp.add_server(**server_fields(mailbox))
    before, browser = only_server(site), Browser(site.app)
    form = {**form_of(browser.get(f"/{before.public_id}/edit")), **changes, "keep": "x"}
    for path in (f"/{before.public_id}/edit", "/test"):
        assert browser.post(path, {**form, "server": before.public_id}).status_code == 403
    assert only_server(site).password == before.password
    assert mailbox.connections == 0


def test_without_the_right_to_secrets_the_rest_can_be_edited(make_site: MakeSite, mailbox: Mailbox) -> None:
    site = make_site(access=edit_only)
    with site.app.app_context():
        site.smtp.add_server(**server_fields(mailbox))
    browser, path = Browser(site.app), f"/{only_server(site).public_id}/edit"
    assert browser.post(path, {**form_of(browser.get(path)), "name": "Till"}).status_code == 303
    assert only_server(site).has_password


@pytest.mark.parametrize("body", [{"smtp_secret": "mine"}, {"remove": "1"}])
def test_a_head_request_changes_nothing(site: Host, admin: Browser, shop: str, body: dict[str, str]) -> None:
    """Neither does it run a test."""
    before = only_server(site).password
    admin.client.head(f"/smtp/{shop}/password", data={**body, "csrf_token": admin.token()})
    admin.client.head(f"/smtp/{shop}/password", data=body)
    assert only_server(site).password == before


# -- secrets in the wrong field


@pytest.mark.parametrize(
    "host",
    [
        "smtp://u:qzx/wvk@localhost",
        "smtp://u:qzx wvk@localhost",
        "smtp://u:qzx?wvk@localhost",
        "smtp://u:qzx@wvk@localhost",
        "smtp:/u:qzx@localhost",
        "smtp:u:qzx@localhost",
        "https://u:qzx@localhost",
        "u:qzx@localhost:587",
        "u:qzx wvk@localhost",
        "u:qzx/wvk@localhost",
        "u:qzx\nwvk@localhost",
    ],
)
@pytest.mark.parametrize("path", ["/add", "/test"])
def test_a_password_pasted_with_the_host_is_not_shown(admin: Browser, mailbox: Mailbox, host: str, path: str) -> None:
    answer = admin.post(path, typed(mailbox, host=host, smtp_secret="", send_as="wrong"))
    assert answer.status_code == 422
    assert form_of(answer)["host"].removeprefix("smtp://").removeprefix("https://").startswith("localhost")
    assert "qzx" not in answer.text
    assert "wvk" not in answer.text


def test_a_password_pasted_with_the_host_is_not_in_the_comparison(admin: Browser, shop: str) -> None:
    """Somebody else saved meanwhile: the page shows both versions, but not that."""
    form = form_of(admin.get(f"/{shop}/edit"))
    admin.post(f"/{shop}/edit", {**form, "name": "Till"})
    url = f"smtp://{USERNAME.replace('@', '%40')}:CANARY@localhost:{form['port']}"
    answer = admin.post(f"/{shop}/edit", {**form, "host": url})
    assert answer.status_code == 409
    assert "CANARY" not in answer.text


@pytest.mark.parametrize("name", ["name", "send_as", "username", "host", "reply_to", "recipient", "sender_format"])
def test_a_private_key_in_a_text_field_is_not_shown(admin: Browser, mailbox: Mailbox, name: str) -> None:
    key = "-----BEGIN PRIVATE KEY-----CANARY-----END PRIVATE KEY-----"
    for path, more in (("/add", {"look": "1"}), ("/test", {"host": "-", name: key})):
        assert "CANARY" not in admin.post(path, {**typed(mailbox, **{name: key}), **more}).text


# -- what no browser sends


@pytest.mark.parametrize("number", ["²", "9" * 5000, "-1", "٣", "\x00"])
def test_odd_numbers_are_no_error_of_ours(admin: Browser, shop: str, number: str) -> None:
    form = form_of(admin.get(f"/{shop}/edit"))
    assert admin.post(f"/{shop}/edit", {**form, "version": number}).status_code == 409
    assert admin.post(f"/{shop}/password", {"smtp_secret": "x", "version": number}).status_code == 409
    assert admin.post(f"/{shop}/edit", {**form, "fix": f"port={number}"}).status_code == 400


def test_a_paused_server_cannot_be_the_default(site: Host, admin: Browser, shop: str, mailbox: Mailbox) -> None:
    """There is no button for it, and an older page that has it is answered in words."""
    admin.post("/add", typed(mailbox, name="Two"))
    with site.app.app_context():
        two = site.state.store.find("Two").public_id
    assert f"{two}/default" in admin.get().text
    admin.post(f"/{two}/pause")
    assert f"{two}/default" not in admin.get().text
    answer = admin.follow(admin.post(f"/{two}/default"))
    assert "paused" in words(answer)
    assert "is the default server now" not in words(answer)


def size(answer: TestResponse) -> int:
    return len(answer.data)


def test_the_preview_does_not_multiply_what_was_sent(admin: Browser, mailbox: Mailbox) -> None:
    """A long name, put in for each of many tokens, would fill the memory."""
    usual = size(admin.post("/add", typed(mailbox, look="1")))
    send_as, sender_format = f'"{"A" * 3000}" <a@example.test>', "{name}" * 500
    answer = admin.post("/add", typed(mailbox, look="1", send_as=send_as, sender_format=sender_format))
    assert size(answer) < usual + 100_000


@pytest.mark.parametrize("send_as", ["a@" + "a." * 200_000 + "de", "a@" + "ß." * 80_000])
def test_a_giant_address_is_not_looked_up(site: Host, send_as: str) -> None:
    """Every parent domain would be tried: seconds of work for one request, by the square of the length."""
    form = ServerForm.posted(MultiDict({"send_as": send_as}))
    with site.app.app_context():
        before = time.process_time()
        assert presets.meant(form) is None
    assert time.process_time() - before < 0.5


def test_a_database_that_takes_nothing_costs_no_input(make_site: MakeSite, mailbox: Mailbox, tmp_path: Path) -> None:
    """The form comes back with what was typed, to be saved a moment later; the password is not in it."""
    browser = Browser(make_site(SQLALCHEMY_ENGINE_OPTIONS={"connect_args": {"timeout": 0.1}}).app)
    with closing(sqlite3.connect(tmp_path / "web.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = browser.post("/add", typed(mailbox, name="Till"))
    assert answer.status_code == 503
    assert "Nothing was saved or changed; your input is still here" in words(answer)
    assert PASSWORD not in answer.text
    form = form_of(answer)
    assert form["name"] == "Till"
    assert browser.post("/add", {**form, "smtp_secret": PASSWORD}).status_code == 303


# -- names


@pytest.mark.parametrize(
    "name", ["Sh\u200bop", "Sh\u2060op", "Shop\u3164", "Sh\u00adop", "Sho\ufe0fp", "Shop\U000e0041"]
)
def test_a_name_that_looks_like_another_is_taken(admin: Browser, shop: str, mailbox: Mailbox, name: str) -> None:
    assert admin.post("/add", typed(mailbox, name=name)).status_code == 422


@pytest.mark.parametrize("name", ["\u3164", "\u2800", "\u115f \u1160"])
def test_a_name_that_nobody_sees_is_refused(admin: Browser, mailbox: Mailbox, name: str) -> None:
    answer = admin.post("/add", typed(mailbox, name=name))
    assert answer.status_code == 422
    assert "Nothing can be seen of this name." in words(answer)
