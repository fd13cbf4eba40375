"""The settings as a file to download."""

from __future__ import annotations

import json
import tomllib

from tests.apps import Host, server_fields
from tests.peers.mailbox import PASSWORD, Mailbox

from .browser import Browser


def test_the_file(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    """TOML or JSON, as a download that no cache keeps, and without the password; the list leads there."""
    assert "/smtp/export" not in admin.get("/").text
    with site.app.app_context():
        site.smtp.add_server(**server_fields(mailbox))
    assert 'href="/smtp/export"' in admin.get("/").text
    answer = admin.get("/export")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="smtp-servers.toml"'
    assert answer.headers["Cache-Control"] == "no-store"
    values = tomllib.loads(answer.text)
    assert (values["server"][0]["name"], values["server"][0]["has_password"]) == ("Shop", True)
    assert PASSWORD not in answer.text
    answer = admin.get("/export?format=json")
    assert answer.content_type.startswith("application/json")
    assert json.loads(answer.text) == values
