"""A user's own server as he sets it up: from the host's page to the first mail, with the proof of his address."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import redirect, render_template_string, session
from flask_mail import Message
from playwright.sync_api import Page, expect
from werkzeug.serving import make_server

from flask_smtpservers import Action, Scope

from ..apps import Host, hosting
from ..peers.mailbox import PASSWORD, USERNAME, Mailbox
from .test_set_up import look

OpenPage = Callable[..., Page]
Live = tuple[Host, str]

_MY_SETTINGS = """<!doctype html><html lang="en"><head><title>My settings</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head><body><main><h1>My settings</h1>
{% from "smtpservers/personal_section.html" import smtp_mail_settings -%}
{{ smtp_mail_settings() }}</main></body></html>"""


def may(action: Action, scope: Scope) -> bool:
    if scope.owner:
        return action is Action.MANAGE_PERSONAL
    return session.get("user") == "root"


@pytest.fixture
def people(ca_file: Path, tmp_path: Path, mailbox: Mailbox) -> Iterator[Live]:
    """A host app on loopback whose users may have servers of their own; ``/as/ann`` signs Ann in."""
    settings = {
        "SMTPSERVERS_PERSONAL": True,
        "TRUSTED_HOSTS": ["127.0.0.1", "localhost"],
        "SMTPSERVERS_PERSONAL_HOSTS": [f"localhost:{mailbox.submission}"],
        "SMTPSERVERS_APP_NAME": "Corner Shop",
        "MAIL_SERVER": "localhost",
        "MAIL_PORT": mailbox.plain,
    }
    init = {"owner": lambda: session.get("user")}
    url = f"sqlite:///{tmp_path / 'people.db'}"
    with hosting(url, ca_file=ca_file, access=may, init=init, **settings) as host:

        def sign_in(user: str) -> object:
            session["user"] = user
            return redirect("/my-settings")

        host.app.add_url_rule("/as/<user>", view_func=sign_in)
        host.app.add_url_rule("/my-settings", "mine", lambda: render_template_string(_MY_SETTINGS))
        server = make_server("127.0.0.1", 0, host.app, threaded=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield host, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(10)
        server.server_close()


def link_in(mailbox: Mailbox) -> str:
    found = re.search(r"http://\S+/me/confirm/\S+", mailbox.letters[-1].message.get_content())
    assert found is not None
    return found[0]


@pytest.mark.parametrize("javascript", [True, False])
def test_from_my_settings_to_the_first_mail(
    people: Live, mailbox: Mailbox, open_page: OpenPage, javascript: bool
) -> None:
    """Address, settings, a wrong password explained, the right one, saved; the link, its button; a test; a mail."""
    host, url = people
    page = open_page(f"{url}/as/ann", javascript=javascript, width=390 if javascript else 1280, dark=javascript)
    problems = look(page, "section") if javascript else []
    page.get_by_label("Mail address").fill("ann@annshome.org")
    page.get_by_role("button", name="Configure SMTP server").click()
    page.get_by_role("button", name="Enter the server's settings yourself").first.click()
    expect(page.get_by_label("Send as")).to_have_value("ann@annshome.org")
    expect(page.get_by_text("Certificate of your own authority")).to_have_count(0)
    problems += look(page, "form") if javascript else []
    page.get_by_label("Enable SSL").uncheck()
    page.get_by_label("Server", exact=True).fill("localhost")
    page.get_by_label("Port", exact=True).fill(str(mailbox.submission))
    page.get_by_label("User name").fill(USERNAME)
    page.get_by_label("Password", exact=True).fill("wrong-word")
    link = page.get_by_role("button", name="Test SMTP Settings")
    link.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=re.compile("Stopped at step"))).to_be_visible()
    problems += look(page, "failed") if javascript else []
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Test SMTP Settings").click()
    expect(page.get_by_role("heading", name="It works: the settings are right.")).to_be_visible()
    page.get_by_role("button", name="Save and activate").click()

    expect(page.get_by_role("heading", name="My SMTP settings")).to_be_visible()
    expect(page.get_by_text("A link was sent to ann@annshome.org")).to_be_visible()
    expect(page.get_by_text("Waiting for confirmation of ann@annshome.org")).to_be_visible()
    problems += look(page, "waiting") if javascript else []
    page.goto(link_in(mailbox))
    problems += look(page, "confirm") if javascript else []
    page.get_by_role("button", name="Yes, this is my address").click()
    expect(page.get_by_text("ann@annshome.org is proved")).to_be_visible()
    expect(page.get_by_text(re.compile("Working – tested"))).to_be_visible()
    problems += look(page, "proved") if javascript else []

    mailbox.forget()
    page.get_by_role("link", name=re.compile("Test SMTP Settings")).click()
    expect(page.get_by_label("Send a test message to")).to_have_value("ann@annshome.org")
    page.get_by_role("button", name="Send test message").click()
    expect(page.get_by_role("heading", name="It works: the test message is on its way.")).to_be_visible()
    assert [(letter.recipients, letter.username) for letter in mailbox.letters] == [(["ann@annshome.org"], USERNAME)]
    problems += look(page, "tested") if javascript else []
    own = page.url
    with host.app.app_context(), host.smtp.using(owner="ann"):
        host.mail.send(Message("Hello", sender="ann@annshome.org", recipients=["guest@example.test"], body="Hi"))
    assert mailbox.letters[-1].username == USERNAME
    assert PASSWORD not in page.content()

    page.goto(f"{url}/as/bob")
    assert page.goto(own).status == 404
    page.goto(f"{url}/as/root")
    page.goto(f"{url}/smtp/personal")
    expect(page.get_by_role("heading", name="User ann")).to_be_visible()
    problems += look(page, "personal servers") if javascript else []
    page.get_by_text("Suspend …").click()
    page.get_by_label("Reason").fill("Please call me")
    page.get_by_role("button", name="Suspend", exact=True).click()
    expect(page.get_by_text("Reason: Please call me")).to_be_visible()
    page.goto(f"{url}/as/ann")
    expect(page.get_by_text("An administrator has suspended this server: Please call me")).to_be_visible()
    assert problems == []
