"""Who gets in: every address of the blueprint, with every kind of person."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, abort, session
from flask_login import LoginManager, UserMixin
from werkzeug.routing import Rule

from flask_smtpservers import Action
from tests.apps import Host

from .browser import BASE, Browser
from .conftest import MakeSite

#: Endpoint -> the actions that it needs, and its methods. A new endpoint must be entered here, and in ``matrix.py``,
#: which has those of users' own servers as well.
MATRIX: dict[str, tuple[set[Action], set[str]]] = {
    "list_servers": ({Action.VIEW_SERVERS}, {"GET"}),
    "add_server": ({Action.EDIT_SERVERS}, {"GET", "POST"}),
    "edit_server": ({Action.EDIT_SERVERS}, {"GET", "POST"}),
    "change_password": ({Action.EDIT_SERVERS, Action.CHANGE_SECRETS}, {"GET", "POST"}),
    "remove_server": ({Action.EDIT_SERVERS}, {"GET", "POST"}),
    "enable_server": ({Action.EDIT_SERVERS}, {"POST"}),
    "pause_server": ({Action.EDIT_SERVERS}, {"POST"}),
    "default_server": ({Action.EDIT_SERVERS}, {"POST"}),
    "move_server": ({Action.EDIT_SERVERS}, {"POST"}),
    "test_server": ({Action.TEST_SERVERS}, {"GET", "POST"}),
    "set_up": ({Action.EDIT_SERVERS, Action.TEST_SERVERS}, {"GET", "POST"}),
    "check_set_up": ({Action.EDIT_SERVERS, Action.TEST_SERVERS}, {"POST"}),
    "test_unsaved": ({Action.TEST_SERVERS, Action.EDIT_SERVERS}, {"POST"}),
    "test_report": ({Action.TEST_SERVERS}, {"GET"}),
    "client_settings": ({Action.VIEW_SERVERS}, {"GET"}),
    "trust_certificate": ({Action.EDIT_SERVERS, Action.CHANGE_SECRETS}, {"POST"}),
    "switch_sending": ({Action.SWITCH_SENDING}, {"POST"}),
    "use_builtin": ({Action.EDIT_SERVERS}, {"POST"}),
    "adopt_builtin": ({Action.VIEW_SERVERS, Action.EDIT_SERVERS, Action.CHANGE_SECRETS}, {"POST"}),
    "waiting_change": ({Action.EDIT_SERVERS}, {"GET"}),
    "test_change": ({Action.EDIT_SERVERS, Action.TEST_SERVERS}, {"POST"}),
    "use_change": ({Action.EDIT_SERVERS}, {"POST"}),
    "discard_change": ({Action.EDIT_SERVERS}, {"POST"}),
    "show_history": ({Action.VIEW_HISTORY}, {"GET"}),
    "export_servers": ({Action.EDIT_SERVERS}, {"GET"}),
    "server_history": ({Action.VIEW_HISTORY}, {"GET"}),
    "restore_server": ({Action.EDIT_SERVERS, Action.VIEW_HISTORY}, {"GET"}),
    "personal_servers": ({Action.SUSPEND_SERVERS}, {"GET"}),
    "suspend_personal_server": ({Action.SUSPEND_SERVERS}, {"POST"}),
    "resume_personal_server": ({Action.SUSPEND_SERVERS}, {"POST"}),
    "self_check": ({Action.VIEW_CHECKS}, {"GET"}),
    "help_index": ({Action.VIEW_SERVERS}, {"GET"}),
    "help_page": ({Action.VIEW_SERVERS}, {"GET"}),
    "test_result": ({Action.TEST_SERVERS}, {"GET"}),
    "confirm_arrival": ({Action.TEST_SERVERS}, {"GET", "POST"}),
    "arrival": (set(), {"GET"}),
    "read_pasted": ({Action.TEST_SERVERS}, {"GET", "POST"}),
    "health": ({Action.VIEW_HEALTH}, {"GET"}),
    "used_for": ({Action.VIEW_SERVERS}, {"GET"}),
    "assign_kinds": ({Action.VIEW_SERVERS, Action.ASSIGN_KINDS}, {"POST"}),
    "which_server": ({Action.EXPLAIN_ROUTES}, {"GET", "POST"}),
}


def rules(app: Flask) -> list[Rule]:
    """The pages of the administration."""
    found = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("smtpservers.")]
    return [rule for rule in found if rule.endpoint != "smtpservers.static" and not rule.rule.startswith(f"{BASE}/me")]


def path_of(rule: Rule, server_id: str) -> str:
    path = rule.rule.removeprefix(BASE).replace("<server_id>", server_id).replace("<ticket>", server_id)
    return path.replace("<int:entry>", "1")


def test_every_endpoint_is_in_the_matrix(site: Host) -> None:
    """A page that nobody thought of fails here."""
    found = {rule.endpoint.partition(".")[2]: (rule.methods or set()) - {"HEAD"} for rule in rules(site.app)}
    assert found == {endpoint: methods for endpoint, (_actions, methods) in MATRIX.items()}


@pytest.mark.parametrize("role", ["anonymous", "user"])
def test_without_permission_every_page_and_button_is_forbidden(site: Host, shop: str, role: str) -> None:
    """GET and POST, existing and unknown ids: 403, and nothing changes."""
    browser = Browser(site.app, role)
    with site.app.app_context():
        before = site.smtp.servers()
    for rule in rules(site.app):
        for server_id in (shop, "0" * 32):
            for method in (rule.methods or set()) - {"HEAD"}:
                path = path_of(rule, server_id)
                answer = browser.get(path) if method == "GET" else browser.post(path, {"on": "0", "direction": "down"})
                if not MATRIX[rule.endpoint.partition(".")[2]][0]:  # the link in a test message needs no login
                    assert answer.status_code == 404, "it is no link of ours"
                    continue
                assert answer.status_code == 403, (method, path)
                assert "Shop" not in answer.text
    with site.app.app_context():
        assert site.smtp.servers() == before
        assert site.state.store.sending_enabled()


def test_every_action_is_asked_for_by_itself(make_site: MakeSite) -> None:
    """A person who has all permissions but one gets 403 exactly where that one is needed."""
    missing: list[Action] = []
    site = make_site(access=lambda action, scope: action not in missing)
    browser = Browser(site.app)
    for rule in rules(site.app):
        needed, methods = MATRIX[rule.endpoint.partition(".")[2]]
        for action in Action:
            missing[:] = [action]
            path = path_of(rule, "0" * 32)
            answers = [browser.get(path)] if "GET" in methods else [browser.post(path, token="")]
            assert [answer.status_code == 403 for answer in answers] == [action in needed], (path, action)


@pytest.mark.parametrize("answer", [1, "yes", None, object(), [True]])
def test_anything_but_true_denies(make_site: MakeSite, answer: Any) -> None:
    """``access`` must return True itself; something that is only truthy is a mistake in the host."""
    site = make_site(access=lambda action, scope: answer)
    assert Browser(site.app).get("/").status_code == 403


def test_an_error_in_access_denies_and_is_logged(make_site: MakeSite, caplog: pytest.LogCaptureFixture) -> None:
    def broken(action: object, scope: object) -> bool:
        raise LookupError("no such role")

    assert Browser(make_site(access=broken).app).get("/").status_code == 403
    assert "access('servers.view', ...) failed" in caplog.text


def test_access_may_answer_with_an_http_error_of_its_own(make_site: MakeSite) -> None:
    def teapot(action: object, scope: object) -> bool:
        abort(418)

    assert Browser(make_site(access=teapot).app).get("/").status_code == 418


def test_a_role_that_was_taken_away_ends_with_the_next_request(site: Host, admin: Browser) -> None:
    assert admin.get("/").status_code == 200
    with admin.client.session_transaction() as cookie:
        cookie["role"] = "user"
    assert admin.get("/").status_code == 403


class User(UserMixin):
    def __init__(self, user_id: str) -> None:
        self.id = user_id
        self.email = f"{user_id}@example.test"


@pytest.fixture
def login_site(make_site: MakeSite) -> Host:
    """A host with Flask-Login."""
    site = make_site()
    manager = LoginManager(site.app)
    manager.login_view = "login"
    manager.user_loader(User)
    site.app.add_url_rule("/login", "login", lambda: "please sign in")
    return site


def test_nobody_is_sent_to_the_hosts_login(login_site: Host) -> None:
    """With Flask-Login in the host, its own login page answers, not a bare 403."""
    answer = Browser(login_site.app, "anonymous").get("/add")
    assert answer.status_code == 302
    assert answer.location.startswith("/login?next=")


def test_somebody_who_is_signed_in_without_rights_gets_403(login_site: Host) -> None:
    browser = Browser(login_site.app, "user")
    with browser.client.session_transaction() as cookie:
        cookie["_user_id"] = "ann"
    assert browser.get("/add").status_code == 403


def test_the_test_message_goes_to_the_person_in_front_of_the_page(login_site: Host) -> None:
    browser = Browser(login_site.app)
    with browser.client.session_transaction() as cookie:
        cookie["_user_id"] = "ann"
    assert 'value="ann@example.test"' in browser.get("/add").text


def test_without_the_right_to_change_secrets_a_typed_password_is_refused(make_site: MakeSite, mailbox: Any) -> None:
    """Editing is not enough to set a password."""
    from .browser import typed

    site = make_site(access=lambda action, scope: action is not Action.CHANGE_SECRETS)
    assert Browser(site.app).post("/add", typed(mailbox)).status_code == 403
    with site.app.app_context():
        assert site.smtp.servers() == []


def test_the_menu_offers_only_what_is_allowed(make_site: MakeSite) -> None:
    """``smtpservers_menu()`` in the host's own templates."""
    site = make_site(access=lambda action, scope: action is Action.VIEW_CHECKS and session.get("role") == "admin")
    template = "{% for entry in smtpservers_menu() %}[{{ entry.label }} {{ entry.url }} {{ entry.active }}]{% endfor %}"

    def page() -> str:
        from flask import render_template_string

        return render_template_string(template)

    site.app.add_url_rule("/home", "home", page)
    assert Browser(site.app).client.get("/home").text == "[Mail self-check /smtp/check False]"
    assert Browser(site.app, "user").client.get("/home").text == ""


def test_buttons_that_are_not_allowed_are_not_shown(make_site: MakeSite) -> None:
    site = make_site(access=lambda action, scope: action is Action.VIEW_SERVERS)
    with site.app.app_context():
        site.smtp.add_server(name="Shop", host="mail.example.com", address="a@example.com")
    page = Browser(site.app).get("/").text
    assert "Shop" in page
    for word in ("+ Add", ">Test<", ">Edit<", "Remove", "Make default", 'role="switch"'):
        assert word not in page
