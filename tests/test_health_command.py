"""``flask smtp health``: every enabled server is tried, nothing is sent, and only news is told."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flask_smtpservers.permissions import Scope
from flask_smtpservers.signals import server_failing, server_recovered

from .apps import Host, hosting, server_fields
from .databases import Database
from .peers.mailbox import USERNAME, Mailbox


@pytest.fixture
def host(ca_file: Path, database: Database) -> Iterator[Host]:
    """A host on each kind of database."""
    with hosting(database.url, ca_file=ca_file) as made:
        yield made


def add(host: Host, mailbox: Mailbox, name: str, **changes: Any) -> str:
    fields = server_fields(mailbox, name=name, address=f"{name.lower()}@example.test", **changes)
    with host.app.app_context():
        return host.smtp.add_server(**fields).public_id


def edit(host: Host, server_id: str, **changes: Any) -> None:
    with host.app.app_context():
        host.smtp.edit_server(server_id, **changes)


def health(host: Host, *, code: int) -> Any:
    result = host.app.test_cli_runner().invoke(args=["smtp", "health", "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def test_every_enabled_server_is_tried_and_nothing_sent(host: Host, mailbox: Mailbox) -> None:
    """Up to the recipient; the results stand in the list, with the command as the one who tested."""
    good, wrong = add(host, mailbox, "Good"), add(host, mailbox, "Wrong", password="nonsense")
    add(host, mailbox, "Paused", enabled=False)
    answer = health(host, code=1)
    assert answer["status"] == "failing"
    assert [(one["id"], one["status"]) for one in answer["servers"]] == [(good, "ok"), (wrong, "failing")]
    assert answer["servers"][1]["diagnosis"]["cause"] == "bad_credentials"
    assert mailbox.letters == []
    assert sorted(name for name, _password in mailbox.logins) == [USERNAME, USERNAME]
    with host.app.app_context():
        found = {server.name: server for server in host.smtp.servers()}
    assert [found[name].test_passed for name in ("Good", "Wrong", "Paused")] == [True, False, None]
    assert found["Good"].tested_by == "flask smtp health"
    assert (found["Good"].failing_since, found["Wrong"].failing_since is None) == (None, False)


def test_one_warning_when_it_starts_and_one_line_when_it_ends(
    host: Host, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    """Not at every run; a test by hand in between changes nothing of that."""
    caplog.set_level(logging.INFO, "flask_smtpservers")
    heard: list[tuple[str, str]] = []

    def failing(sender: Any, server: Any, diagnosis: Any) -> None:
        heard.append((server.name, diagnosis.cause))

    def recovered(sender: Any, server: Any) -> None:
        heard.append((server.name, "works"))

    shop = add(host, mailbox, "Shop")
    with server_failing.connected_to(failing, host.app), server_recovered.connected_to(recovered, host.app):
        health(host, code=0)
        edit(host, shop, password="nonsense")
        assert health(host, code=1)["servers"][0]["turned"] is True
        assert health(host, code=1)["servers"][0]["turned"] is False
        edit(host, shop, password="s3cret-CANARY")
        with host.app.app_context():
            list(host.smtp.check(host.smtp.servers()[0]))
        health(host, code=0)
        health(host, code=0)
    told = [(record.levelname, record.message) for record in caplog.records if "SMTP server" in record.message]
    assert told == [
        ("WARNING", "The SMTP server “Shop” has started to fail: The server refused user name or password"),
        ("INFO", "The SMTP server “Shop” works again"),
    ]
    assert heard == [("Shop", "bad_credentials"), ("Shop", "works")]


def test_words_and_exit_codes(ca_file: Path, mailbox: Mailbox) -> None:
    with hosting(ca_file=ca_file) as host:
        run = host.app.test_cli_runner().invoke
        nothing = run(args=["smtp", "health"])
        assert (nothing.exit_code, nothing.stdout) == (0, "There is no server to check.\n")
        add(host, mailbox, "Good")
        good = run(args=["smtp", "health"])
        assert good.exit_code == 0
        assert good.stdout.startswith("ok      Good (")
        add(host, mailbox, "Wrong", password="nonsense")
        wrong = run(args=["smtp", "health"])
        assert wrong.exit_code == 1
        assert "FAILING Wrong: The server refused user name or password" in wrong.stdout


def test_without_a_database_nothing_is_checked(ca_file: Path, tmp_path: Path) -> None:
    """Exit code 2 tells a monitor that this says nothing of the servers."""
    with hosting(f"sqlite:///{tmp_path / 'nowhere' / 'x.db'}", ca_file=ca_file, create_tables=False) as host:
        result = host.app.test_cli_runner().invoke(args=["smtp", "health"])
        assert result.exit_code == 2
        assert "database" in result.stderr
        assert "error" in health(host, code=2)


def test_a_secret_that_cannot_be_read_is_a_failure_of_that_server(ca_file: Path, mailbox: Mailbox) -> None:
    with hosting(ca_file=ca_file) as host:
        add(host, mailbox, "Shop")
        add(host, mailbox, "Other")
        with host.app.app_context():
            host.db.session.execute(
                host.db.text("UPDATE smtpservers_server SET host = '127.0.0.1' WHERE name = 'Shop'")
            )
            host.db.session.commit()
        answer = health(host, code=1)
        assert [one["status"] for one in answer["servers"]] == ["failing", "ok"]
        assert answer["servers"][0]["diagnosis"]["cause"] == "secret_unreadable"


def test_the_servers_of_tenants_are_watched_and_those_of_users_are_not(ca_file: Path, mailbox: Mailbox) -> None:
    with hosting(ca_file=ca_file) as host:
        with host.app.app_context():
            for scope in (Scope(), Scope("north")):
                host.state.store.add(server_fields(mailbox), scope=scope)
            host.state.store.add(server_fields(mailbox, name="Own", address="ann@example.test"))
            host.db.session.execute(host.db.text("UPDATE smtpservers_server SET owner = 'ann' WHERE name = 'Own'"))
            host.db.session.commit()
        found = health(host, code=0)["servers"]
        assert [(one["name"], one["tenant"]) for one in found] == [("Shop", None), ("Shop", "north")]
