"""A browser without JavaScript: it keeps cookies, reads a page's form, and sends it as a person would."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from flask import Flask
from flask_wtf.csrf import generate_csrf
from werkzeug.test import TestResponse

from tests.peers.mailbox import PASSWORD, USERNAME, Mailbox

BASE = "/smtp"


class _Form(HTMLParser):
    """Collects what the form with one id would send, wherever its controls stand."""

    def __init__(self, form_id: str) -> None:
        super().__init__()
        self.form_id = form_id
        self.inside = False
        self.values: dict[str, str] = {}
        self.texts: list[str] = []
        self._area: str | None = None
        self._select: str | None = None
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.inside = given.get("id") == self.form_id
        if tag in ("script", "style", "template"):
            self._hidden += 1
        if not self.inside and given.get("form") != self.form_id:
            return
        name = given.get("name")
        if tag == "input" and name and "disabled" not in given:
            if given.get("type") not in ("checkbox", "radio") or "checked" in given:
                self.values[name] = given.get("value", "")
        elif tag == "textarea" and name:
            self._area, self.values[name] = name, ""
        elif tag == "select" and name:
            self._select = name
        elif tag == "option" and self._select and ("selected" in given or self._select not in self.values):
            self.values[self._select] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.inside = False
        elif tag == "textarea":
            self._area = None
        elif tag == "select":
            self._select = None
        elif tag in ("script", "style", "template"):
            self._hidden -= 1

    def handle_data(self, data: str) -> None:
        if self._area:
            self.values[self._area] += data
        elif not self._hidden:
            self.texts.append(data)


def form_of(response: TestResponse, form_id: str = "smtp-form") -> dict[str, str]:
    """Return what the page's form would send if a person changed nothing."""
    parser = _Form(form_id)
    parser.feed(response.text)
    return parser.values


def words(response: TestResponse) -> str:
    """Return the text of a page, blanks collapsed."""
    parser = _Form("")
    parser.feed(response.text)
    return " ".join(" ".join(parser.texts).split())


@dataclass
class Browser:
    """One person at one browser."""

    app: Flask
    role: str = "admin"
    seen: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client = self.app.test_client()
        with self.client.session_transaction() as session:
            session["role"] = self.role

    def get(self, path: str = "/", **options: Any) -> TestResponse:
        return self._keep(self.client.get(BASE + path, **options))

    def post(
        self, path: str, data: dict[str, Any] | None = None, *, token: str | None = None, **options: Any
    ) -> TestResponse:
        """Send a form; ``token`` replaces the right CSRF token, an empty one leaves it out."""
        sent = {"csrf_token": self.token() if token is None else token, **(data or {})}
        if token == "":
            del sent["csrf_token"]
        return self._keep(self.client.post(BASE + path, data=sent, **options))

    def follow(self, response: TestResponse) -> TestResponse:
        """Open the page that a form led to."""
        assert response.status_code == 303, response.text
        return self._keep(self.client.get(response.location))

    def use_change(self, server_id: str) -> TestResponse:
        """Put a change that waits to use, without a test."""
        form = form_of(self.get(f"/{server_id}/change"), "smtp-change-form")
        return self.follow(self.post(f"/{server_id}/change/use", form))

    def token(self) -> str:
        """Return a CSRF token that is right for this browser's session."""
        return self.client.get("/token").text

    def _keep(self, response: TestResponse) -> TestResponse:
        self.seen.append(response.text)
        self.seen.append(str(response.headers))
        return response


def add_token_page(app: Flask) -> None:
    """Let the host hand out tokens, so that a refused permission is not mistaken for a missing token."""
    app.add_url_rule("/token", "token", lambda: generate_csrf())


def typed(mailbox: Mailbox, **changes: str) -> dict[str, str]:
    """Return a filled-in form for the mailbox's submission port, as a browser sends it."""
    return {
        "provider": "custom",
        "name": "Shop",
        "send_as": '"Doe, John" <shop@example.test>',
        "sender_format": "{name}",
        "encryption": "starttls",
        "host": "localhost",
        "port": str(mailbox.submission),
        "followed": "",
        "username": USERNAME,
        "smtp_secret": PASSWORD,
        "timeout_seconds": "10",
        "sender_policy": "keep",
        "enabled": "1",
        **changes,
    }
