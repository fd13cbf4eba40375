"""A host with Flask-Login and two tenants, in which all kinds of people meet all kinds of servers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import session
from flask_login import LoginManager, UserMixin, current_user

from flask_smtpservers import Action, Scope
from flask_smtpservers.sending.arrival import await_arrival
from flask_smtpservers.servers.profile import ServerProfile
from tests.apps import Host

from .browser import Browser

#: Whoever is signed in is called by what he is; this is his tenant. The vendor runs the app, and a bot may do nothing.
TENANTS = {"acme admin": "acme", "bolt admin": "bolt", "ann": "acme", "ben": "bolt", "vendor": None, "bot": "acme"}
ADMINS = ("acme admin", "bolt admin")
USERS = ("ann", "ben")


class Person(UserMixin):
    """A user of the host."""

    def __init__(self, name: str) -> None:
        self.id = name


def access(action: Action, scope: Scope) -> bool:
    """The vendor may do everything; a tenant's admin what is his tenant's; its users have servers of their own."""
    name = current_user.get_id()
    if name == "vendor":
        return True
    if scope.owner is not None:
        return action is Action.MANAGE_PERSONAL and name in USERS
    return name in ADMINS and scope.tenant == TENANTS[name]


def tenant() -> str | None:
    """Everybody has one; the vendor chooses at which of them he looks."""
    chosen: str | None = session.get("looks at") or TENANTS.get(current_user.get_id() or "")
    return chosen


def owner() -> str | None:
    name: str | None = current_user.get_id()
    return name


#: How ``make_site`` makes this host.
MAKING: dict[str, Any] = {
    "access": access,
    "owner": owner,
    "tenant": tenant,
    "SMTPSERVERS_PERSONAL": True,
    "TRUSTED_HOSTS": ["localhost"],
    "SMTPSERVERS_PERSONAL_HOSTS": ["127.0.0.1:1"],
}


def with_login(site: Host) -> Host:
    """Let people sign in."""
    manager = LoginManager(site.app)
    manager.login_view = "login"
    manager.user_loader(Person)
    site.app.add_url_rule("/login", "login", lambda: "please sign in")
    return site


def person(site: Host, name: str, *, looks_at: str | None = None) -> Browser:
    """Somebody at his browser; without a name, nobody has signed in."""
    browser = Browser(site.app)
    with browser.client.session_transaction() as cookie:
        if name:
            cookie["_user_id"] = name
        cookie["looks at"] = looks_at
    return browser


SCOPES = {
    "shared": Scope(),
    "acme": Scope("acme"),
    "bolt": Scope("bolt"),
    "ann": Scope("acme", "ann"),
    "ben": Scope("bolt", "ben"),
}


@dataclass(frozen=True)
class Furniture:
    """What stands in the addresses of somebody's pages.

    :param arrival: the token that confirms the arrival of a test message.
    """

    server_id: str
    trial_id: str
    entry: str
    arrival: str


def a_server(site: Host, whose: str, *, name: str) -> ServerProfile:
    """Add a server that nobody answers at."""
    where = {"host": "127.0.0.1", "port": 1, "security": "starttls", "address": f"{whose}@{whose}.test"}
    return site.smtp.add_server(scope=SCOPES[whose], name=name, **where)


def furnish(site: Host) -> dict[str, Furniture]:
    """Give the app, each tenant and each user a server that was changed and tested once."""
    found: dict[str, Furniture] = {}
    for whose in SCOPES:
        with site.app.test_request_context():
            server = a_server(site, whose, name=f"Server of {whose}")
            awaited = await_arrival(site.state, server, name=server.name, recipient="a@example.test")
            site.smtp.edit_server(server.public_id, scope=server.scope, reply_to=f"replies@{whose}.test")
            edited = site.state.store.events(server.public_id, scope=server.scope)[0]
            token = awaited.link.rpartition("/")[2]
            found[whose] = Furniture(server.public_id, awaited.trial.public_id, str(edited.id), token)
    return found
