"""Every page that can be opened: axe finds nothing, nothing is wider than a small phone, and no error is logged.

The list of pages is the app's own map of addresses, so a new page is looked at too; one that needs a value in its
address fails until it gets one here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import url_for
from playwright.sync_api import Page
from sqlalchemy import text

from flask_smtpservers import Scope

from ..apps import Host, hosting, server_fields
from ..peers.mailbox import Mailbox
from .conftest import serving

OpenPage = Callable[..., Page]

ANN = "ann@example.test"
LONG = "Donaudampfschifffahrtsgesellschaftskapitänskajütenverwaltung and Sons (accounts receivable)"

#: What is not a page.
_DATA = {"static", "health", "test_report", "export_servers", "my_export_servers"}


@dataclass(frozen=True)
class Site:
    """A host with everything that a page could show."""

    host: Host
    url: str
    paths: tuple[str, ...]


@pytest.fixture
def site(ca_file: Path, tmp_path: Path, mailbox: Mailbox, open_page: OpenPage) -> Iterator[Site]:
    database = f"sqlite:///{tmp_path / 'site.db'}"
    kinds = {"receipts": "Receipts", "bulk": {"label": "Newsletters", "bulk": True}}
    config: dict[str, Any] = {
        "SMTPSERVERS_APP_NAME": "Corner Shop",
        "SMTPSERVERS_KINDS": kinds,
        "SMTPSERVERS_SERVERS": [{"name": "Relay", "host": "relay.example.org", "address": "relay@example.test"}],
        "SMTPSERVERS_PERSONAL": True,
        "TRUSTED_HOSTS": ["127.0.0.1", "localhost"],
        "SMTPSERVERS_PERSONAL_HOSTS": [f"localhost:{mailbox.submission}"],
    }
    with hosting(database, ca_file=ca_file, init={"owner": lambda: ANN}, **config) as host, serving(host.app) as url:
        with host.app.app_context():
            shop = host.smtp.add_server(**server_fields(mailbox, name=LONG))
            wrong = server_fields(mailbox, name="Wrong", password="nonsense", address="w@example.test")
            list(host.smtp.check(host.smtp.add_server(**wrong)))
            mine = host.smtp.add_server(scope=Scope(owner=ANN), **server_fields(mailbox, name=LONG, address=ANN))
            for server in (shop, mine):
                host.smtp.edit_server(server.public_id, scope=server.scope, sender_name="Ann")
                wrong_login = {"username": "nobody@example.test", "password": "nonsense"}
                host.state.store.propose(server.public_id, wrong_login, scope=server.scope)
        _leave_traces(open_page(f"{url}/smtp/me"), url, shop.public_id, mine.public_id)
        yield Site(host, url, tuple(_paths(host, mailbox, shop.public_id, mine.public_id)))


def _leave_traces(page: Page, url: str, shop: str, mine: str) -> None:
    """Ask for the proof of an address, test both servers, and send a test message, so that there is more to show."""
    page.get_by_role("button", name="Send me the link").click()
    for path in (f"me/{mine}/test", f"{shop}/test"):
        page.goto(f"{url}/smtp/{path}")
        recipient = page.get_by_label("Send a test message to")
        if recipient.count():
            recipient.fill(ANN)
        page.locator("#smtp-test-form .smtp-primary").click()
        page.locator(".smtp-result").wait_for()


def _paths(host: Host, mailbox: Mailbox, shop: str, mine: str) -> Iterator[str]:
    letters = "\n".join(str(letter.message.get_content()) for letter in mailbox.letters)
    with host.app.test_request_context():
        ids = {
            own: {
                "server_id": server,
                "trial_id": _value(host, f"SELECT public_id FROM smtpservers_trial WHERE server_id = '{server}'"),
                "entry": _value(
                    host, f"SELECT id FROM smtpservers_event WHERE server_id = '{server}' AND action = 'edited'"
                ),
                "provider_id": "gmail",
                "token": re.findall(r"/confirm/(\S+)" if own else r"/arrival/(\S+)", letters)[0],
            }
            for own, server in ((False, shop), (True, mine))
        }
        for rule in host.app.url_map.iter_rules():
            blueprint, _dot, name = rule.endpoint.rpartition(".")
            if blueprint == "smtpservers" and "GET" in (rule.methods or ()) and name not in _DATA:
                values = ids["/me" in rule.rule]
                yield url_for(rule.endpoint, **{argument: values[argument] for argument in rule.arguments})
        declared = next(server for server in host.smtp.servers() if server.name == "Relay")
        yield url_for("smtpservers.edit_server", server_id=declared.public_id)


def _value(host: Host, query: str) -> Any:
    return host.db.session.execute(text(query)).scalars().first()


@pytest.mark.timeout(300)  # some hundred looks at a page
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (320, True)], ids=["wide and light", "small and dark"])
def test_every_page(site: Site, open_page: OpenPage, width: int, dark: bool) -> None:
    page = open_page(f"{site.url}/smtp/", width=width, dark=dark)
    page.emulate_media(reduced_motion="reduce")
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(f"{page.url}: {said.text}") if said.type == "error" else None)
    assert len(site.paths) > 30
    for path in site.paths:
        answer = page.goto(f"{site.url}{path}")
        if answer is None or answer.status != 200:
            complaints.append(f"{path} cannot be opened")
        complaints += [f"{path}: {one}" for one in _seen(page)]
        complaints += [
            f"{path}: {each['id']}: {each['nodes'][0]['html'][:120]}" for each in Axe().run(page).response["violations"]
        ]
    assert complaints == []


def _seen(page: Page) -> Iterator[str]:
    """Look at a page as it is, at all that is folded in it, and as it is written from right to left."""
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    for direction in ("ltr", "rtl"):
        page.evaluate(
            "direction => document.querySelectorAll('html, .smtp-app').forEach(one => one.dir = direction)", direction
        )
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            yield f"scrolls sideways ({direction})"
    page.evaluate("document.querySelectorAll('html, .smtp-app').forEach(one => one.dir = 'ltr')")
    if page.evaluate("document.getAnimations().some(one => one.playState === 'running')"):
        yield "moves although less motion is asked for"
    if page.evaluate("document.documentElement.lang !== 'en'"):
        yield "does not name its language"
