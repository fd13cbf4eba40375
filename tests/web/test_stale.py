"""A form that was open for too long is shown again with what was typed; nobody else's, and nothing from elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
from flask import session
from flask_wtf import CSRFProtect

from tests.apps import Host
from tests.peers.mailbox import PASSWORD, USERNAME, Mailbox

from .browser import Browser, form_of, typed, words
from .conftest import MakeSite

OURS = {"Sec-Fetch-Site": "same-origin"}
STALE = "The page was open for too long, or you signed in again since."


def filled_in(person: Browser, mailbox: Mailbox, **changes: str) -> dict[str, str]:
    """Return the form as this person opened and filled it in."""
    return {"mark": form_of(person.get("/add"))["mark"], **typed(mailbox, **changes)}


def servers(site: Host) -> list[str]:
    with site.app.app_context():
        return [one.name for one in site.smtp.servers()]


@pytest.mark.parametrize("path", ["/add", "/test"])
@pytest.mark.parametrize("headers", [OURS, {"Origin": "http://localhost"}, {"Referer": "http://localhost/smtp/add"}])
def test_what_was_typed_is_still_there(
    site: Host, admin: Browser, mailbox: Mailbox, path: str, headers: dict[str, str]
) -> None:
    """Nothing was done, the sentence says why, and the next press does it, password included."""
    answer = admin.post(path, filled_in(admin, mailbox), token="old", headers=headers)
    assert answer.status_code == 400
    assert f"{STALE} So nothing was saved or tested, but what you typed is still here." in words(answer)
    assert (servers(site), mailbox.connections) == ([], 0)
    form = form_of(answer)
    assert (form["host"], form["username"], form["smtp_secret"]) == ("localhost", USERNAME, "")
    assert "was saved" in words(admin.follow(admin.post("/add", form, headers=headers)))
    with site.app.app_context():
        assert site.smtp.servers()[0].has_password


def test_the_compact_form_of_the_set_up_is_known_again(site: Host, admin: Browser) -> None:
    """It asks for a password too, and that need not be entered again either."""
    form = form_of(admin.post("/set-up", {"address": "ann@gmail.com"}))
    sent = {**form, "smtp_secret": PASSWORD, "csrf_token": "old"}
    answer = admin.post("/set-up/check", sent, headers=OURS)
    assert answer.status_code == 400
    assert "Only the password must be entered again." not in words(answer)
    assert form_of(answer)["draft"]
    assert PASSWORD not in answer.text


def test_the_password_of_somebody_else_is_not_kept(make_site: MakeSite, mailbox: Mailbox) -> None:
    """Another person signed in at the same browser since: the form stays, the password must be entered again."""
    site = make_site()
    person = Browser(site.app)
    with person.client.session_transaction() as cookie:
        cookie["user"] = "ann"
    form = filled_in(person, mailbox)
    with person.client.session_transaction() as cookie:
        cookie["user"] = "bob"
    answer = person.post("/add", form, token="old", headers=OURS)
    assert "Only the password must be entered again." in words(answer)
    assert (form_of(answer)["host"], form_of(answer)["draft"]) == ("localhost", "")
    again = person.post("/add", form_of(answer), headers=OURS)
    assert again.status_code == 422
    assert "Enter the password for this user name" in words(again)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "null"},
    ],
)
def test_nothing_from_elsewhere_is_put_into_a_form(
    site: Host, admin: Browser, mailbox: Mailbox, headers: dict[str, str]
) -> None:
    """A page elsewhere must not fill in our form for somebody."""
    answer = admin.post("/add", typed(mailbox), token="old", headers=headers)
    assert answer.status_code == 400
    assert "Please try again" in words(answer)
    assert USERNAME not in answer.text


def test_without_permission_nothing_is_shown(site: Host, mailbox: Mailbox) -> None:
    person = Browser(site.app, "user")
    answer = person.post("/add", typed(mailbox), token="old", headers=OURS)
    assert answer.status_code == 403
    assert USERNAME not in answer.text


def test_the_test_of_a_stored_server_is_asked_for_again(
    site: Host, admin: Browser, shop: str, mailbox: Mailbox
) -> None:
    answer = admin.post(f"/{shop}/test", {"recipient": "ann@example.test"}, token="old", headers=OURS)
    assert answer.status_code == 400
    assert f"{STALE} So nothing was sent. Press the button again." in words(answer)
    assert form_of(answer, "smtp-test-form")["recipient"] == "ann@example.test"
    assert mailbox.connections == 0


def test_also_where_the_host_checks_tokens_itself(make_site: MakeSite, mailbox: Mailbox) -> None:
    """The host's own CSRFProtect refuses before our view runs."""
    site = make_site(owner=lambda: session.get("user"))
    CSRFProtect(site.app)
    person = Browser(site.app)
    answer = person.post("/add", filled_in(person, mailbox), token="old", headers=OURS)
    assert answer.status_code == 400
    assert form_of(answer)["host"] == "localhost"
    assert "was saved" in words(person.follow(person.post("/add", form_of(answer))))


def test_a_form_for_a_server_that_is_gone(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    answer: Any = admin.post(f"/{'0' * 32}/edit", typed(mailbox), token="old", headers=OURS)
    assert answer.status_code == 400
    assert PASSWORD not in answer.text
