"""A host whose users may have servers of their own: Ann, Bob, an administrator who has none, and a shared server."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, session

from flask_smtpservers import Action, Scope
from flask_smtpservers.smtp import Address, Deadline, SystemNetwork
from flask_smtpservers.smtp.network import host_not_found
from tests.apps import Host, hosting, server_fields
from tests.peers.mailbox import Mailbox
from tests.web.browser import Browser, add_token_page

MakeSite = Callable[..., Host]

ANN, BOB = Scope(owner="ann"), Scope(owner="bob")


def may(action: Action, scope: Scope) -> bool:
    """Admins manage the app's servers and suspend users'; users have their own and nothing else."""
    if scope.owner:
        return action is Action.MANAGE_PERSONAL and session.get("role") == "user"
    return session.get("role") == "admin"


@dataclass
class Internet:
    """A network with the names that a test gives it; public addresses end at ports of this machine.

    :param names: the addresses of each name, one answer for each look-up; the last one stays.
    :param ports: where connections to an address really go; an address that is not here refuses them.
    """

    names: dict[str, list[list[str]]] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    resolved: list[str] = field(default_factory=list)
    dialled: list[str] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)

    def resolve(self, host: str, port: int, deadline: Deadline) -> list[Address]:
        self.resolved.append(host)
        if host == "localhost":
            return [Address(socket.AF_INET, "127.0.0.1", port)]
        answers = self.names.get(host) or ([[host]] if re.fullmatch(r"[0-9.]+|.*:.*", host) else [])
        if not answers:
            raise host_not_found(host, socket.gaierror(socket.EAI_NONAME, "no such name"))
        found = answers[0] if len(answers) == 1 else answers.pop(0)
        return [Address(socket.AF_INET6 if ":" in ip else socket.AF_INET, ip, port) for ip in found]

    def dial(self, address: Address, timeout: float) -> socket.socket:
        self.dialled.append(address.ip)
        if address.ip == "127.0.0.1":
            return SystemNetwork().dial(address, timeout)
        if address.ip in self.lost:
            raise TimeoutError("timed out")
        if address.ip not in self.ports:
            raise ConnectionRefusedError(111, "Connection refused")
        return SystemNetwork().dial(Address(socket.AF_INET, "127.0.0.1", self.ports[address.ip]), timeout)


@pytest.fixture
def internet() -> Internet:
    return Internet()


@pytest.fixture
def make_site(ca_file: Path, tmp_path: Path, mailbox: Mailbox, internet: Internet) -> Iterator[MakeSite]:
    """Make hosts with whatever a test wants different."""
    with ExitStack() as stack:

        def make(*, access: Callable[..., Any] = may, init: dict[str, Any] | None = None, **config: Any) -> Host:
            whose = {"owner": lambda: session.get("user"), "network": internet, **(init or {})}
            settings: dict[str, Any] = {
                "SMTPSERVERS_PERSONAL": True,
                "TRUSTED_HOSTS": ["localhost"],
                "SMTPSERVERS_PERSONAL_HOSTS": [f"localhost:{port}" for port in (mailbox.submission, mailbox.smtps)],
                "SMTPSERVERS_KINDS": {"bulk": {"label": "Newsletters", "bulk": True}},
                "SMTPSERVERS_APP_NAME": "Corner Shop",
                "MAIL_SERVER": "localhost",
                "MAIL_PORT": mailbox.plain,
                **config,
            }
            url = settings.pop("database_url", f"sqlite:///{tmp_path / 'personal.db'}")
            made = stack.enter_context(hosting(url, ca_file=ca_file, access=access, init=whose, **settings))
            add_token_page(made.app)
            return made

        yield make


@pytest.fixture
def site(make_site: MakeSite) -> Host:
    return make_site()


def person(app: Flask, user: str | None, role: str = "user") -> Browser:
    """Somebody at a browser of his own."""
    browser = Browser(app, role)
    with browser.client.session_transaction() as kept:
        kept["user"] = user
    return browser


@pytest.fixture
def ann(site: Host) -> Browser:
    return person(site.app, "ann")


@pytest.fixture
def bob(site: Host) -> Browser:
    return person(site.app, "bob")


@pytest.fixture
def admin(site: Host) -> Browser:
    return person(site.app, "root", "admin")


def typed(mailbox: Mailbox, **changes: str) -> dict[str, str]:
    """The form of a user's server as a browser sends it: only the fields that his page has."""
    fields = server_fields(mailbox)
    return {
        "provider": "custom",
        "name": "Mine",
        "send_as": "Ann <ann@home.test>",
        "encryption": "starttls",
        "host": "localhost",
        "port": str(mailbox.submission),
        "followed": "",
        "username": fields["username"],
        "smtp_secret": fields["password"],
        "enabled": "1",
        **changes,
    }


def link_in(mailbox: Mailbox) -> str:
    """The path of the link in the newest letter."""
    text = mailbox.letters[-1].message.get_content()
    found = re.search(r"http://localhost(/smtp/me/confirm/\S+)", text)
    assert found is not None, text
    return found[1].removeprefix("/smtp")


def servers_of(site: Host, scope: Scope) -> list[Any]:
    with site.app.app_context():
        return site.smtp.servers(scope=scope)
