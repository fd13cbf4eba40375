"""``flask smtp history``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import Result

from flask_smtpservers import Scope

from .apps import Host, hosting
from .test_cli import run

FIELDS: dict[str, Any] = {
    "name": "Shop",
    "host": "smtp.example.com",
    "port": 587,
    "security": "starttls",
    "username": "shop@example.com",
    "password": "s3cret-CANARY",
    "address": "shop@example.com",
}


@pytest.fixture
def host() -> Iterator[Host]:
    """A host with a server that was added and changed, and another one of a tenant."""
    with hosting() as made:
        with made.app.app_context():
            server = made.smtp.add_server(**FIELDS)
            made.smtp.edit_server(server.public_id, port=2525, password="n3w-CANARY")
            made.smtp.add_server(scope=Scope("acme"), **{**FIELDS, "name": "Acme"})
            made.db.session.commit()
        yield made


def history(host: Host, *words: str) -> Result:
    return run(host, "history", *words)


def test_the_latest_changes(host: Host) -> None:
    """The newest first, each field with both values, of the password only that it was changed."""
    done = history(host)
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert lines[0].endswith("Z  “Shop” was changed")
    assert lines[1:3] == ["    Port: 587 → 2525", "    Password: changed"]
    assert "“Shop” was added" in lines[3]
    assert "    Server: smtp.example.com" in lines
    assert "CANARY" not in done.output
    assert "Acme" not in done.output


def test_of_one_server_and_scope(host: Host) -> None:
    assert "“Acme” was added" in history(host, "--tenant", "acme").output
    assert history(host, "Shop", "--limit", "1").output.count("“Shop”") == 1
    unknown = history(host, "Acme")
    assert (unknown.exit_code, "Acme" in unknown.output) == (2, True)
    assert history(host, "--tenant", "nobody").output.strip() == "Nothing was changed yet."


def test_as_json_and_of_a_server_that_was_removed(host: Host) -> None:
    """The values as they are; a removed server is asked for by its id."""
    with host.app.app_context():
        (server,) = host.smtp.servers()
        host.smtp.remove_server(server.public_id)
        host.db.session.commit()
    done = history(host, server.public_id, "--json")
    removed, edited, added = json.loads(done.output)["changes"]
    assert [one["action"] for one in (removed, edited, added)] == ["removed", "edited", "added"]
    assert edited["before"] == {"port": 587, "password": True}
    assert edited["after"] == {"port": 2525, "password": True}
    assert removed["before"]["host"] == "smtp.example.com"
    assert "CANARY" not in done.output
