"""On an empty list: the app's own server can be taken over, by those who may."""

from __future__ import annotations

from typing import Any

import pytest
from flask import session

from flask_smtpservers.permissions import Action
from tests.apps import Host
from tests.peers.mailbox import PASSWORD, USERNAME, Mailbox

from .browser import Browser, words
from .conftest import MakeSite


def own(mailbox: Mailbox, **changes: Any) -> dict[str, Any]:
    return {
        "MAIL_SERVER": "localhost",
        "MAIL_PORT": mailbox.submission,
        "MAIL_USE_TLS": True,
        "MAIL_USERNAME": USERNAME,
        "MAIL_PASSWORD": PASSWORD,
        **changes,
    }


def servers(site: Host) -> list[Any]:
    with site.app.app_context():
        return site.smtp.servers()


def test_one_press_takes_it_over(make_site: MakeSite, mailbox: Mailbox) -> None:
    """It becomes a draft with the password, whose test works and offers to activate it; until then nothing changes."""
    site = make_site(**own(mailbox))
    admin = Browser(site.app)
    place = f"localhost:{mailbox.submission}"
    assert f"This app is set up to send through {place}." in words(admin.get("/"))
    answer = admin.post("/adopt")
    (server,) = servers(site)
    assert answer.location.endswith(f"/{server.public_id}/test")
    page = words(admin.follow(answer))
    assert "“localhost” was taken over, with its password, as a draft." in page
    assert "Until then mail goes out as before." in page
    assert (server.draft, server.is_default, server.address, server.username) == (
        True,
        False,
        "app@example.test",
        USERNAME,
    )
    result = words(admin.post(f"/{server.public_id}/test", {"recipient": ""}))
    assert "Activate" in result
    admin.post(f"/{server.public_id}/enable")
    (server,) = servers(site)
    assert (server.usable, server.is_default, server.test_passed) == (True, True, True)
    assert "Take that server over" not in words(admin.get("/"))
    admin.post("/adopt")
    assert len(servers(site)) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"MAIL_USE_TLS": False},
        {"MAIL_SERVER": "relay"},
        {"MAIL_DEFAULT_SENDER": None, "MAIL_USERNAME": "shop"},
    ],
    ids=["a password in clear", "a host that is not allowed", "no address"],
)
def test_what_cannot_be_stored_is_not_offered(make_site: MakeSite, mailbox: Mailbox, changes: dict[str, Any]) -> None:
    """The rules for stored servers hold, and a press from elsewhere says which one is broken."""
    site = make_site(**own(mailbox, **changes))
    admin = Browser(site.app)
    assert "Take that server over" not in words(admin.get("/"))
    assert "The app's own server cannot be taken over." in words(admin.follow(admin.post("/adopt")))
    assert servers(site) == []


def test_only_for_those_who_may_and_never_for_a_tenant(make_site: MakeSite, mailbox: Mailbox) -> None:
    """It needs the right to change secrets; a tenant's admin cannot have the operator's password."""
    site = make_site(**own(mailbox), access=lambda action, scope: action is not Action.CHANGE_SECRETS)
    editor = Browser(site.app)
    assert "Take that server over" not in words(editor.get("/"))
    assert editor.post("/adopt").status_code == 403
    assert servers(site) == []


def test_a_tenant_cannot(make_site: MakeSite, mailbox: Mailbox) -> None:
    """Whatever the host allows there."""
    site = make_site(**own(mailbox))
    state = site.state
    state.tenant = lambda: session.get("tenant")
    admin = Browser(site.app)
    with admin.client.session_transaction() as kept:
        kept["tenant"] = "acme"
    assert "Take that server over" not in words(admin.get("/"))
    assert admin.post("/adopt").status_code == 404
    assert servers(site) == []
