"""What monitors see: the stored results, for whoever shows the token or has the permission."""

from __future__ import annotations

import pytest

from flask_smtpservers.errors import ConfigurationError
from flask_smtpservers.permissions import Action, Scope
from tests.apps import Host, server_fields
from tests.peers.mailbox import Mailbox

from .browser import Browser
from .conftest import MakeSite

TOKEN = "a-token-for-monitors"


def shown(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def watched(make_site: MakeSite) -> Host:
    return make_site(SMTPSERVERS_HEALTH_TOKEN=TOKEN)


@pytest.fixture
def monitor(watched: Host) -> Browser:
    return Browser(watched.app, "anonymous")


def add(site: Host, mailbox: Mailbox, **changes: object) -> str:
    with site.app.app_context():
        return site.smtp.add_server(**server_fields(mailbox, **changes)).public_id


def test_the_answer_is_made_of_what_is_stored(watched: Host, monitor: Browser, mailbox: Mailbox) -> None:
    """200 while nothing is known to fail, 503 once something does; no server is asked."""
    shop = add(watched, mailbox)
    add(watched, mailbox, name="Paused", address="p@example.test", enabled=False)
    answer = monitor.get("/health", headers=shown(TOKEN))
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    server: dict[str, str | None] = {"id": shop, "name": "Shop", "tenant": None, "status": "unknown", "title": ""}
    server |= {"tested_at": None, "failing_since": None, "arrived_at": None}
    assert answer.json == {
        "status": "ok",
        "checks": {
            "database": {"status": "ok"},
            "sending": {"status": "ok"},
            "servers": {"status": "ok", "servers": [server]},
        },
    }
    with watched.app.app_context():
        profile = watched.state.store.get(shop)
        watched.state.store.record_test(profile, False, "The server refused the password")
        watched.state.store.switch_sending(False)
        watched.state.store.commit()
    answer = monitor.get("/health", headers=shown(TOKEN))
    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["status"] == answer.json["checks"]["servers"]["status"] == "failing"
    assert answer.json["checks"]["sending"] == {"status": "off"}
    (part,) = answer.json["checks"]["servers"]["servers"]
    assert (part["status"], part["title"]) == ("failing", "The server refused the password")
    assert part["tested_at"].endswith("Z")
    assert mailbox.connections == 0


@pytest.mark.parametrize(
    "headers",
    [
        {},
        shown(""),
        shown("wrong"),
        shown(TOKEN[:-1]),
        shown(TOKEN + "x"),
        {"Authorization": TOKEN},
        {"Authorization": f"Basic {TOKEN}"},
        shown("\u00ff" * 20),
    ],
    ids=["none", "empty", "wrong", "shorter", "longer", "bare", "another scheme", "not ASCII"],
)
def test_without_the_right_token_there_is_no_answer(
    watched: Host, monitor: Browser, mailbox: Mailbox, headers: dict[str, str]
) -> None:
    """401 for a program, not the login page of the app."""
    add(watched, mailbox)
    answer = monitor.get("/health", headers=headers)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert answer.json == {"error": "unauthorized"}


def test_the_token_opens_nothing_else(watched: Host, monitor: Browser) -> None:
    assert monitor.get("/", headers=shown(TOKEN)).status_code == 403
    assert monitor.get("/check", headers=shown(TOKEN)).status_code == 403


def test_a_signed_in_person_needs_the_permission_instead(site: Host, watched: Host) -> None:
    for one in (site, watched):
        assert Browser(one.app).get("/health").status_code == 200
    assert Browser(site.app, "user").get("/health", headers=shown(TOKEN)).status_code == 403, "no token is set"


def test_a_database_that_does_not_answer_is_a_failure(make_site: MakeSite) -> None:
    site = make_site(database_url="sqlite:////nowhere/x.db", create_tables=False, SMTPSERVERS_HEALTH_TOKEN=TOKEN)
    answer = Browser(site.app).get("/health", headers=shown(TOKEN))
    assert answer.status_code == 503
    assert answer.json == {"status": "failing", "checks": {"database": {"status": "failing"}}}


def test_a_token_that_can_be_guessed_is_refused(make_site: MakeSite) -> None:
    with pytest.raises(ConfigurationError, match="SMTPSERVERS_HEALTH_TOKEN must have at least 16 characters"):
        make_site(SMTPSERVERS_HEALTH_TOKEN="short")


def test_who_looks_after_one_tenant_does_not_see_the_others(make_site: MakeSite, mailbox: Mailbox) -> None:
    """The answer is about all tenants, so the permission is asked for the whole app."""
    asked: list[Scope] = []

    def of_north(action: Action, scope: Scope) -> bool:
        asked.append(scope)
        return scope == Scope("north")

    site = make_site(access=of_north)
    site.state.tenant = lambda: "north"
    assert Browser(site.app).get("/health").status_code == 403
    assert asked[0] == Scope()
