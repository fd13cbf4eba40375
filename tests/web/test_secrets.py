"""A password goes in and never comes out: not in a page, not in a header, not in a cookie."""

from __future__ import annotations

import base64
import logging
from urllib.parse import quote

import pytest

from tests.apps import Host
from tests.peers.mailbox import PASSWORD, USERNAME, Mailbox

from .browser import Browser, form_of, typed, words
from .conftest import MakeSite

CANARY = "CANARY-päss wörd-&<>\"'"


def traces(secret: str) -> list[str]:
    """Forms in which a secret could show itself."""
    raw = secret.encode()
    return [secret, quote(secret), base64.b64encode(raw).decode(), secret.replace("&", "&amp;").replace("<", "&lt;")]


def assert_clean(browser: Browser, secret: str = CANARY) -> None:
    for text in browser.seen:
        for trace in traces(secret):
            assert trace not in text


def test_a_typed_password_is_in_no_page(
    site: Host, admin: Browser, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    """Saving, refusing, warning, testing, correcting, editing: the canary is nowhere, and no log has it."""
    caplog.set_level(logging.DEBUG)
    good = typed(mailbox, smtp_secret=CANARY)
    pages = [
        admin.post("/add", {**good, "host": "http://wrong"}),
        admin.post("/add", {**good, "ssl": "1", "port": "587"}),
        admin.post("/add", {**good, "fill": "1", "provider": "gmail"}),
        admin.post("/add", {**good, "fix": "port=25"}),
        admin.post("/add", {**good, "look": "1"}),
        admin.post("/test", good),
        admin.post("/test", {**good, "fragment": "1"}),
        admin.post("/test", {**good, "send_as": "nobody"}),
        admin.post("/add", good, token="wrong"),
        admin.post("/add", good),
    ]
    assert [page.status_code for page in pages] == [422, 422, 200, 200, 200, 200, 200, 422, 400, 303]
    with site.app.app_context():
        (server,) = site.smtp.servers()
    for path in (
        "/",
        f"/{server.public_id}/edit",
        f"/{server.public_id}/password",
        f"/{server.public_id}/test",
        "/check",
    ):
        admin.get(path)
    admin.post(f"/{server.public_id}/password", {"smtp_secret": f"{CANARY}\nx"})
    admin.post(f"/{server.public_id}/test")
    assert_clean(admin)
    assert CANARY not in caplog.text
    with admin.client.session_transaction() as cookie:
        assert CANARY not in repr(dict(cookie))


def test_neither_ciphertext_nor_length_is_shown(site: Host, admin: Browser, shop: str) -> None:
    with site.app.app_context():
        server = site.state.store.get(shop)
    page = admin.get(f"/{shop}/edit").text
    assert server.password is not None
    assert server.password.token not in page
    assert 'type="password"' not in page, "the form of a stored server has no password field at all"
    assert "•" not in page
    assert "***" not in page


def test_a_password_in_a_pasted_url_is_not_shown_again(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    """``smtp://user:password@host`` with a mistake elsewhere: the field comes back without it, and it is not lost."""
    url = f"smtps://{quote(USERNAME)}:{PASSWORD}@mail.example.com"
    fields = {**typed(mailbox, host=url), "port": "", "smtp_secret": "", "username": ""}
    answer = admin.post("/add", {**fields, "send_as": "wrong"})
    assert answer.status_code == 422
    assert form_of(answer)["host"] == "smtps://mail.example.com"
    assert form_of(answer)["username"] == USERNAME
    assert admin.post("/add", {**form_of(answer), "send_as": "a@example.com"}).status_code == 303
    assert_clean(admin, PASSWORD)
    with site.app.app_context():
        (server,) = site.smtp.servers()
        password = site.state.store.password_of(server)
        assert password is not None
        assert password.reveal() == PASSWORD


def test_a_private_key_in_a_certificate_field_is_not_shown_again(admin: Browser, mailbox: Mailbox) -> None:
    key = "-----BEGIN PRIVATE KEY-----\nCANARYCANARY\n-----END PRIVATE KEY-----"
    for name in ("ca_certificate", "client_certificate"):
        answer = admin.post("/add", typed(mailbox, **{name: key}))
        assert answer.status_code == 422
        assert "CANARYCANARY" not in answer.text


def test_a_typed_password_is_kept_for_the_next_page(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    """A mistake in another field does not cost the password: the page has a ticket for it instead."""
    answer = admin.post("/add", typed(mailbox, send_as="wrong"))
    assert form_of(answer)["smtp_secret"] == ""
    assert "What you typed is kept for 15 minutes" in words(answer)
    assert admin.post("/add", {**form_of(answer), "send_as": "a@example.com"}).status_code == 303
    with site.app.app_context():
        (server,) = site.smtp.servers()
        assert server.has_password


def ticket(browser: Browser, mailbox: Mailbox, **changes: str) -> dict[str, str]:
    return form_of(browser.post("/test", typed(mailbox, **changes)))


@pytest.mark.parametrize(
    "changes",
    [
        {"host": "evil.example.com"},
        {"host": "localhost.evil.example.com"},
        {"ssl": "", "encryption": "none"},
    ],
)
def test_a_kept_password_goes_to_no_other_server(
    site: Host, admin: Browser, mailbox: Mailbox, changes: dict[str, str]
) -> None:
    """Whoever finds the page open cannot send the password elsewhere, by saving or by testing."""
    form = {**ticket(admin, mailbox), "send_as": "a@example.com", **changes}
    mailbox.forget()
    for path in ("/add", "/test"):
        answer = admin.post(path, form)
        assert answer.status_code == 422, path
    assert mailbox.connections == 0
    with site.app.app_context():
        assert site.smtp.servers() == []


def test_a_kept_password_is_not_sent_unencrypted(make_site: MakeSite, mailbox: Mailbox) -> None:
    """Not even where the operator allows it: it was typed for an encrypted connection."""
    browser = Browser(make_site(SMTPSERVERS_ALLOW_PLAINTEXT_AUTH=True).app)
    form = {**ticket(browser, mailbox), "encryption": "none"}
    mailbox.forget()
    assert browser.post("/test", form).status_code == 422
    assert mailbox.connections == 0


def test_a_kept_password_goes_to_another_server_of_the_same_provider(admin: Browser) -> None:
    """From one port or host of a preset to another: that is what correcting is for."""
    form = {
        "name": "A",
        "send_as": "me@zoho.com",
        "username": "me@zoho.com",
        "provider": "zoho",
        "ssl": "1",
        "port": "465",
    }
    first = admin.post("/add", {**form, "host": "smtp.zoho.com", "smtp_secret": CANARY, "reply_to": "wrong"})
    again = {**form_of(first), "host": "smtp.zoho.eu", "reply_to": ""}
    assert admin.post("/add", again).status_code == 303


def test_looking_at_the_form_does_not_keep_the_same_password_again(
    site: Host, admin: Browser, mailbox: Mailbox
) -> None:
    """The script asks at every change; the database holds one draft all the same."""
    form = {**ticket(admin, mailbox), "tested": ""}
    for _time in range(3):
        form = form_of(admin.post("/add", {**form, "look": "1"}))
    with site.app.app_context():
        assert site.db.session.execute(site.db.text("SELECT count(*) FROM smtpservers_draft")).scalar() == 3, (
            "and the proof and the report"
        )


def test_the_ticket_is_worthless_to_anybody_else(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    """It is bound to the browser session and to the person."""
    form = ticket(admin, mailbox)
    stranger = Browser(site.app)
    assert stranger.post("/add", {**form, "csrf_token": stranger.token()}).status_code == 422
    with admin.client.session_transaction() as cookie:
        cookie["user"] = "somebody else"
    assert admin.post("/add", form).status_code == 422


def test_the_ticket_is_gone_once_it_was_used(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    form = ticket(admin, mailbox)
    assert admin.post("/add", form).status_code == 303
    with site.app.app_context():
        left = site.db.session.execute(site.db.text("SELECT count(*) FROM smtpservers_draft")).scalar()
    assert left == 1, "the report, which holds no secret"


# -- a stored password


@pytest.mark.parametrize(
    "change",
    [
        {"host": "127.0.0.1"},
        {"port": "1"},
        {"username": "other@example.test"},
        {"ssl": "1"},
        {"auth_mechanism": "LOGIN"},
    ],
)
def test_a_change_of_destination_demands_the_password(
    site: Host, admin: Browser, shop: str, mailbox: Mailbox, change: dict[str, str]
) -> None:
    """422 and a password field, before any connection; with the password it is saved."""
    form = {**form_of(admin.get(f"/{shop}/edit")), **change}
    for path in (f"/{shop}/edit", "/test"):
        answer = admin.post(path, form)
        assert answer.status_code == 422
        assert "must be entered again" in words(answer)
        assert 'type="password"' in answer.text
    assert mailbox.connections == 0
    again = admin.post(f"/{shop}/edit", {**form_of(answer), "smtp_secret": CANARY})
    if again.status_code == 422:  # some changes are warned of as well
        again = admin.post(f"/{shop}/edit", {**form_of(again), "keep": again.text.split('name="keep" value="')[1][:16]})
    assert again.status_code == 303
    assert_clean(admin)


def test_other_changes_keep_the_password(site: Host, admin: Browser, shop: str) -> None:
    admin.post(f"/{shop}/edit", {**form_of(admin.get(f"/{shop}/edit")), "name": "Till", "reply_to": "a@example.com"})
    with site.app.app_context():
        server = site.state.store.get(shop)
        password = site.state.store.password_of(server)
        assert server.name == "Till"
        assert password is not None
        assert password.reveal() == PASSWORD


def test_the_password_is_changed_by_itself(site: Host, admin: Browser, shop: str) -> None:
    """Its own small page; nothing else is touched; the edit page says since when it is stored."""
    assert "Change password" in admin.get(f"/{shop}/edit").text
    page = admin.get(f"/{shop}/password")
    assert 'autocomplete="new-password"' in page.text
    answer = admin.post(f"/{shop}/password", {"smtp_secret": f" {CANARY} ", "version": "1", "name": "ignored"})
    following = words(admin.follow(answer))
    assert "until it has passed, mail goes out as before" in following
    assert "Blanks around the password were removed." in following
    admin.use_change(shop)
    with site.app.app_context():
        server = site.state.store.get(shop)
        password = site.state.store.password_of(server)
        assert password is not None
        assert password.reveal() == CANARY
        assert server.name == "Shop"
    assert_clean(admin)


def test_a_password_may_really_begin_with_a_blank(site: Host, admin: Browser, shop: str) -> None:
    admin.post(f"/{shop}/password", {"smtp_secret": " blank", "keep_blanks": "1"})
    admin.use_change(shop)
    with site.app.app_context():
        password = site.state.store.password_of(site.state.store.get(shop))
        assert password is not None
        assert password.reveal() == " blank"


@pytest.mark.parametrize("data", [{}, {"smtp_secret": ""}, {"smtp_secret": "   "}, {"smtp_secret": "a\nb"}])
def test_no_password_is_no_change(site: Host, admin: Browser, shop: str, data: dict[str, str]) -> None:
    assert admin.post(f"/{shop}/password", data).status_code == 422
    with site.app.app_context():
        assert site.state.store.get(shop).version == 1


def test_the_password_can_be_removed(site: Host, admin: Browser, shop: str) -> None:
    admin.post(f"/{shop}/pause")
    assert "The password was removed." in words(admin.follow(admin.post(f"/{shop}/password", {"remove": "1"})))
    with site.app.app_context():
        assert not site.state.store.get(shop).has_password
    assert "Set password" in admin.get(f"/{shop}/edit").text


def test_two_people_do_not_overwrite_each_others_password(site: Host, admin: Browser, shop: str) -> None:
    admin.post(f"/{shop}/edit", {**form_of(admin.get(f"/{shop}/edit")), "name": "Till"})
    answer = admin.post(f"/{shop}/password", {"smtp_secret": "x", "version": "1"})
    assert answer.status_code == 409
    assert "Somebody else saved this server meanwhile" in words(answer)


def test_without_the_right_to_change_secrets_there_is_no_button_for_it(make_site: MakeSite, mailbox: Mailbox) -> None:
    site = make_site(access=lambda action, scope: action.value != "servers.secrets")
    with site.app.app_context():
        server = site.smtp.add_server(name="A", host="h.example.com", address="a@b.example", username="u", password="p")
    browser = Browser(site.app)
    assert "Change password" not in browser.get(f"/{server.public_id}/edit").text
    assert browser.post(f"/{server.public_id}/password", {"smtp_secret": "x"}).status_code == 403
