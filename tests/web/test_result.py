"""After a test: one press mends and tests again, and what can be done next is a button."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from werkzeug.test import TestResponse

from flask_smtpservers import Action
from tests.apps import Host, server_fields
from tests.peers.mailbox import PASSWORD, USERNAME, Mailbox

from .browser import Browser, form_of, typed, words
from .conftest import MakeSite

GOOD = (USERNAME, PASSWORD)


def stored(site: Host, server_id: str = "") -> Any:
    with site.app.app_context():
        return site.state.store.get(server_id) if server_id else site.state.store.servers()[0]


def fix_of(response: TestResponse) -> str:
    """Return the value of the button that mends; empty if there is none."""
    found = re.search(r'name="fix" value="([^"]+)" form="smtp-(?:test-)?form"', response.text)
    return found[1].replace("&amp;", "&") if found else ""


def part_set(response: TestResponse) -> dict[str, str]:
    """Return what the script puts into the form."""
    found = re.findall(r'data-smtp-set="(\w+)" value="([^"]*)"', response.text)
    return {name: unescape(value) for name, value in found}


# -- one press


@pytest.fixture
def wrong_encryption(mailbox: Mailbox) -> dict[str, str]:
    """STARTTLS at a port that is encrypted from the start."""
    return typed(mailbox, port=str(mailbox.smtps), recipient="ann@example.test", reply_to="desk@example.test")


def test_one_press_mends_tests_and_keeps_the_rest(
    site: Host, admin: Browser, mailbox: Mailbox, wrong_encryption: dict[str, str]
) -> None:
    """Without a script: the button of the result leads to a passed test; then one button saves and activates."""
    failed = admin.post("/test", wrong_encryption)
    assert fix_of(failed) == "security=ssl"
    assert 'formaction="/smtp/test"' in failed.text
    form = form_of(failed)
    assert form["smtp_secret"] == ""
    passed = admin.post("/test", {**form, "fix": fix_of(failed)})
    assert "Changed – Encryption: SSL. Nothing is saved yet." in words(passed)
    assert "It works: the test message is on its way." in words(passed)
    assert mailbox.logins == [GOOD], "signed in once, with the password that was typed before"
    form = form_of(passed)
    assert (form["ssl"], form["port"], form["reply_to"]) == ("1", str(mailbox.smtps), "desk@example.test")
    page = words(admin.follow(admin.post("/add", {**form, "save": "active"})))
    assert "“Shop” was saved." in page
    assert "Working – tested just now" in page
    saved = stored(site)
    assert (saved.security, saved.enabled, saved.draft, saved.is_default) == ("ssl", True, False, True)


def test_the_script_gets_what_one_press_changed(
    site: Host, admin: Browser, mailbox: Mailbox, wrong_encryption: dict[str, str]
) -> None:
    """The part that is put into the page tells the form's new values, and which password goes with them."""
    answer = admin.post("/test", {**wrong_encryption, "fragment": "1", "fix": "security=ssl"})
    assert "It works" in words(answer)
    values = part_set(answer)
    assert (values["ssl"], values["port"], values["host"]) == ("1", str(mailbox.smtps), "localhost")
    without = {**wrong_encryption, **values, "smtp_secret": "", "save": "active"}
    admin.follow(admin.post("/add", without))
    assert stored(site).has_password


def test_a_test_without_a_correction_sets_nothing(admin: Browser, wrong_encryption: dict[str, str]) -> None:
    assert part_set(admin.post("/test", {**wrong_encryption, "fragment": "1"})) == {}


@pytest.mark.parametrize("extra", [{}, {"fragment": "1"}], ids=["page", "fragment"])
def test_for_another_server_the_password_is_asked_for_again(
    site: Host, admin: Browser, mailbox: Mailbox, extra: dict[str, str]
) -> None:
    """A correction that leads elsewhere takes nothing along, although the request itself holds the password."""
    answer = admin.post("/test", typed(mailbox, fix="host=127.0.0.1", **extra))
    assert answer.status_code == 422
    assert "The password was entered for another server, so enter it again and test." in words(answer)
    form = form_of(answer)
    assert (form["host"], form["draft"], form["smtp_secret"]) == ("127.0.0.1", "", "")
    assert mailbox.connections == 0
    again = admin.post("/test", {**form, "smtp_secret": PASSWORD})
    assert "Signed in to 127.0.0.1" in words(again)


def test_the_blanks_of_a_password_are_taken_off(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    """Blanks that were kept on purpose are named as the likely cause, and one press takes them off."""
    failed = admin.post("/test", typed(mailbox, smtp_secret=f" {PASSWORD} ", keep_blanks="1"))
    assert "begins or ends with a blank" in words(failed)
    assert "Take the blanks off the password" in words(failed)
    passed = admin.post("/test", {**form_of(failed), "fix": fix_of(failed)})
    assert "It works" in words(passed)
    assert mailbox.logins == [(USERNAME, f" {PASSWORD} "), GOOD]
    form = form_of(passed)
    assert "keep_blanks" not in form
    admin.follow(admin.post("/add", form))
    assert "It works" in words(admin.post(f"/{stored(site).public_id}/test", {}))


def test_the_user_name_becomes_the_full_address(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    """A server that knows people by their address, and somebody who typed only its first part."""
    failed = admin.post("/test", typed(mailbox, username="u", send_as=f"Shop <{USERNAME}>"))
    assert "Most servers want the full mail address" in words(failed)
    assert "Sign in as u@example.test" in words(failed)
    passed = admin.post("/test", {**form_of(failed), "fix": fix_of(failed)})
    assert "It works" in words(passed)
    assert form_of(passed)["username"] == USERNAME


def test_another_sending_address_keeps_its_name(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    answer = admin.post("/test", typed(mailbox, fix=f"address={USERNAME}"))
    assert "It works" in words(answer)
    assert form_of(answer)["send_as"] == f'"Doe, John" <{USERNAME}>'


@pytest.mark.parametrize("fix", ["", "name=x", "port=abc", "port=", "security=fast", "keep_password_blanks=1"])
def test_only_our_corrections_are_taken(admin: Browser, mailbox: Mailbox, fix: str) -> None:
    assert admin.post("/test", typed(mailbox, fix=fix)).status_code == 400
    assert mailbox.connections == 0


# -- a stored server


@pytest.fixture
def wrong(site: Host, mailbox: Mailbox) -> str:
    """The id of a stored server with the wrong encryption."""
    with site.app.app_context():
        return site.smtp.add_server(**server_fields(mailbox, port=mailbox.smtps)).public_id


def test_a_stored_server_is_mended_without_storing(site: Host, admin: Browser, wrong: str, mailbox: Mailbox) -> None:
    """The press tests the corrected values with the stored password; only "Save" stores them."""
    failed = admin.post(f"/{wrong}/test", {"recipient": "ann@example.test"})
    assert fix_of(failed) == "security=ssl"
    passed = admin.post(f"/{wrong}/test", {**form_of(failed, "smtp-test-form"), "fix": "security=ssl"})
    assert "It works: the test message is on its way." in words(passed)
    assert (stored(site, wrong).security, stored(site, wrong).tested_at is None) == ("starttls", False)
    assert stored(site, wrong).test_passed is False
    form = form_of(passed)
    assert form["server"] == wrong
    admin.follow(admin.post(f"/{wrong}/edit", {**form, "save": "active"}))
    assert stored(site, wrong).security == "ssl"
    assert "It works" in words(admin.post(f"/{wrong}/test", {})), "with the password that was stored before"
    assert mailbox.logins == [GOOD, GOOD]


@pytest.mark.parametrize("fix", ["host=127.0.0.1", "host=evil.example", "port=9925", "security=none"])
def test_a_stored_password_does_not_go_elsewhere(
    site: Host, admin: Browser, shop: str, mailbox: Mailbox, fix: str
) -> None:
    """Not to another host, not to an unusual port, not in clear: it is asked for, and nobody is connected to."""
    answer = admin.post(f"/{shop}/test", {"fix": fix})
    assert answer.status_code == 422
    assert mailbox.connections == 0


def test_a_stored_password_does_not_go_along_with_changes_by_hand(
    site: Host, admin: Browser, shop: str, mailbox: Mailbox
) -> None:
    """A correction pressed in a form in which something else was changed by hand."""
    form = form_of(admin.get(f"/{shop}/edit"))
    changes: list[dict[str, str]] = [{"host": "127.0.0.1"}, {"username": "other"}, {"auth_mechanism": "LOGIN"}]
    for change in changes:
        answer = admin.post("/test", {**form, "server": shop, **change, "fix": "port=587"})
        assert answer.status_code == 422, change
    assert mailbox.connections == 0


def test_without_the_right_to_change_secrets_nothing_is_lent(make_site: MakeSite, mailbox: Mailbox) -> None:
    site = make_site(access=lambda action, scope: action is not Action.CHANGE_SECRETS)
    with site.app.app_context():
        server = site.smtp.add_server(**server_fields(mailbox, port=mailbox.smtps)).public_id
    editor = Browser(site.app)
    assert fix_of(editor.post(f"/{server}/test", {})) == ""
    assert editor.post(f"/{server}/test", {"fix": "security=ssl"}).status_code == 422
    assert mailbox.logins == []


def test_who_may_only_test_gets_no_buttons_that_change(make_site: MakeSite, mailbox: Mailbox) -> None:
    allowed = (Action.TEST_SERVERS, Action.VIEW_SERVERS)
    site = make_site(access=lambda action, scope: action in allowed)
    with site.app.app_context():
        server = site.smtp.add_server(**server_fields(mailbox, port=mailbox.smtps, enabled=False)).public_id
    person = Browser(site.app)
    answer = person.post(f"/{server}/test", {})
    assert "Stopped at step" in words(answer)
    assert [mark for mark in ('name="fix"', 'name="save"', "Activate") if mark in answer.text] == []
    assert person.post(f"/{server}/test", {"fix": "security=ssl"}).status_code == 403


# -- drafts


def test_a_failed_test_can_be_saved_as_a_draft(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    """It sends nothing, the list says so, and "Activate" makes it a server like others."""
    failed = admin.post("/test", typed(mailbox, smtp_secret="wrong"))
    assert "Save as draft" in words(failed)
    page = admin.follow(admin.post("/add", {**form_of(failed), "is_default": "1", "save": "draft"}))
    assert "“Shop” was saved as a draft: it sends nothing until you activate it." in words(page)
    assert "Draft – sends nothing until it is activated" in words(page)
    draft = stored(site)
    assert (draft.draft, draft.enabled, draft.is_default) == (True, False, False)
    assert "Activate Shop" in words(page)
    page = admin.follow(admin.post(f"/{draft.public_id}/enable"))
    assert "“Shop” is active: it is used for sending now." in words(page)
    active = stored(site)
    assert (active.draft, active.enabled, active.is_default) == (False, True, True)


def test_a_warning_is_confirmed_for_the_button_that_was_pressed(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    """“Save as draft” with a doubtful value: the confirmation saves a draft as well, and later buttons do not."""
    doubtful = typed(mailbox, host="smtp.example.com", port="465", save="draft")
    asked = admin.post("/add", doubtful)
    assert asked.status_code == 422
    form = form_of(asked)
    keep = re.search(r'name="keep" value="(\w+)"', asked.text)
    assert keep is not None
    admin.follow(admin.post("/add", {**form, "keep": keep[1]}))
    assert stored(site).draft
    admin.follow(admin.post("/add", {**form, "name": "Two", "port": "587", "ssl": "", "smtp_secret": "x"}))
    with site.app.app_context():
        assert [one.draft for one in site.smtp.servers()] == [True, False]


def test_a_draft_that_passes_is_activated_from_its_result(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    with site.app.app_context():
        draft = site.smtp.add_server(**server_fields(mailbox, draft=True)).public_id
    answer = admin.post(f"/{draft}/test", {})
    assert "It works" in words(answer)
    assert f'form="smtp-test-form" formaction="/smtp/{draft}/enable"' in answer.text
    admin.follow(admin.post(f"/{draft}/enable", form_of(answer, "smtp-test-form")))
    assert stored(site, draft).enabled


def test_the_form_of_a_draft_activates_or_keeps_it(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    with site.app.app_context():
        draft = site.smtp.add_server(**server_fields(mailbox, draft=True)).public_id
    form = form_of(admin.get(f"/{draft}/edit"))
    assert "enabled" not in form
    admin.follow(admin.post(f"/{draft}/edit", {**form, "name": "Later"}))
    assert (stored(site, draft).draft, stored(site, draft).name) == (True, "Later")
    form = form_of(admin.get(f"/{draft}/edit"))
    admin.follow(admin.post(f"/{draft}/edit", {**form, "enabled": "1"}))
    assert (stored(site, draft).draft, stored(site, draft).enabled) == (False, True)


# -- report, checklist, addresses


def report_path(response: TestResponse) -> str:
    found = re.search(r'href="/smtp(/report/[\w-]+)"', response.text)
    assert found is not None
    return found[1]


def test_the_report_can_be_downloaded_by_who_ran_the_test(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    """Masked text with versions, steps, cause and the server's words; for this session only."""
    failed = admin.post("/test", typed(mailbox, smtp_secret="wrong", recipient="ann@example.test"))
    report = admin.get(report_path(failed))
    assert report.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert report.headers["Content-Disposition"] == 'attachment; filename="smtp-test-report.txt"'
    assert report.headers["Cache-Control"] == "no-store"
    for part in ("Flask-SMTPServers 0.", "OpenSSL", "localhost, port", "Sign in: Failed", "535", "bad_credentials"):
        assert part in report.text
    assert "User name: u***@example.test" in report.text
    assert "Recipient: a***@example.test" in report.text
    for private in (USERNAME, "ann@", "shop@", "wrong"):
        assert private not in report.text
    assert Browser(site.app).get(report_path(failed)).status_code == 404
    assert admin.get("/report/none").status_code == 404


@pytest.mark.parametrize(
    ("username", "shown", "intact"),
    [("u", "User name: u***", "Result: Stopped"), ("billing", "User name: b***", "user name or password")],
)
def test_a_short_user_name_leaves_the_report_readable(
    admin: Browser, mailbox: Mailbox, username: str, shown: str, intact: str
) -> None:
    """Only where it stands by itself is it masked, not inside of words."""
    failed = admin.post("/test", typed(mailbox, username=username, send_as="billing@example.test"))
    report = admin.get(report_path(failed)).text
    assert shown in report
    assert intact in report
    assert "Sender: b***@example.test" in report
    assert "billing" not in report


@pytest.mark.parametrize(("host", "passes"), [("localhost", True), ("127.0.0.1", False)])
def test_the_checklist_ticks_what_was_verified(
    site: Host, admin: Browser, mailbox: Mailbox, host: str, passes: bool
) -> None:
    changes = {} if passes else {"host": host, "port": "1"}
    page = words(admin.post("/test", typed(mailbox, **changes)))
    assert f"Checklist before you ask for help: {7 if passes else 1} of 8 verified" in page
    assert "No firewall keeps this app from sending mail. " + ("Verified" if passes else "Here it fails") in page


def test_the_apps_own_addresses_stand_where_lists_matter(make_site: MakeSite, mailbox: Mailbox) -> None:
    site = make_site(SMTPSERVERS_OUTBOUND_IPS=["203.0.113.7"])
    page = words(Browser(site.app).post("/test", typed(mailbox, host="127.0.0.1", port="1")))
    assert "For lists of allowed addresses: this app connects from 203.0.113.7." in page
    assert "that of this app is on its list. It connects from 203.0.113.7." in page
    refused = words(Browser(site.app).post("/test", typed(mailbox, smtp_secret="wrong")))
    assert "For lists of allowed addresses" not in refused
