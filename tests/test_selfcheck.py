"""The self-checks: every fault is found under its id, with a cure, and nothing that is down makes a traceback."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
import trustme
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy.dialects import mysql

from flask_smtpservers import selfcheck
from flask_smtpservers.mail import HookState, HookStatus, hook_status
from flask_smtpservers.selfcheck import Check, CheckState, run_checks
from flask_smtpservers.servers.keyring import generate_key

from .apps import Host, hosting, server_fields
from .databases import Database
from .peers.mailbox import PASSWORD, Mailbox

#: What the hook of a well set-up app says.
FINE = HookStatus(HookState.ACTIVE)
#: The documented ids, read from the module's own table.
DOCUMENTED = set(re.findall(r"^``([a-z_.]+)``", selfcheck.__doc__ or "", re.MULTILINE))


@pytest.fixture
def host() -> Iterator[Host]:
    with hosting(SMTPSERVERS_ENCRYPTION_KEYS=[generate_key()]) as made:
        yield made


def checks_of(host: Host, hook: HookStatus = FINE, now: datetime | None = None) -> dict[str, Check]:
    with host.app.app_context():
        found = run_checks(host.state, hook=hook, now=now)
    ids = [check.id for check in found]
    assert len(ids) == len(set(ids))
    assert set(ids) <= DOCUMENTED
    for check in found:
        assert check.text.endswith("."), check
        assert bool(check.cure) is (check.state is not CheckState.OK), check
        assert PASSWORD not in check.text + check.cure
    return {check.id: check for check in found}


def states_of(found: dict[str, Check]) -> dict[str, str]:
    return {check.id: check.state.value for check in found.values() if check.state is not CheckState.OK}


def plain_fields(**changes: Any) -> dict[str, Any]:
    return {"name": "Plain", "host": "localhost", "security": "starttls", "address": "a@example.test", **changes}


def add(host: Host, /, **fields: Any) -> str:
    with host.app.app_context():
        return host.smtp.add_server(**fields).public_id


def test_a_well_set_up_app_without_servers_is_fine(host: Host) -> None:
    """Zero servers are no fault: mail goes through the app's own settings."""
    found = checks_of(host, hook_status(host.app))
    assert states_of(found) == {}
    assert set(found) == DOCUMENTED - {"database.unreachable"}


def test_a_key_derived_from_secret_key_is_warned_of() -> None:
    """Who has no SMTPSERVERS_ENCRYPTION_KEYS is told how to get some."""
    with hosting() as host:
        found = checks_of(host)
    assert states_of(found) == {"keys.derived": "warning"}
    assert "SMTPSERVERS_ENCRYPTION_KEYS" in found["keys.derived"].cure


def test_no_key_at_all_is_an_error() -> None:
    with hosting(SECRET_KEY=None, SMTPSERVERS_PAGES=False) as host:
        found = checks_of(host)
    assert states_of(found) == {"keys.none": "error"}
    assert "flask smtp keys generate" in found["keys.none"].cure


@pytest.mark.parametrize(
    ("hook", "expected"),
    [
        (HookStatus(HookState.NO_MAIL), {"hook.inactive": "error"}),
        (HookStatus(HookState.TEST_DOUBLE), {"hook.inactive": "error"}),
        (HookStatus(HookState.OWN_CONNECTION), {"hook.inactive": "error", "mail.connection_class": "warning"}),
        (HookStatus(HookState.REPLACED), {"hook.inactive": "error", "mail.connection_class": "warning"}),
        (HookStatus(HookState.ACTIVE, reinitialised=True), {"mail.reinitialised": "warning"}),
        (HookStatus(HookState.ACTIVE, suppressed=True), {"mail.suppressed": "warning"}),
        (HookStatus(HookState.ACTIVE, debug=True), {"app.debug_mail": "warning"}),
    ],
    ids=lambda value: str(value),
)
def test_what_stands_in_the_way_of_the_hook(host: Host, hook: HookStatus, expected: dict[str, str]) -> None:
    assert states_of(checks_of(host, hook)) == expected


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, {"personal.address": "warning"}),
        ({"SMTPSERVERS_EXTERNAL_URL": "https://shop.test"}, {}),
        ({"SERVER_NAME": "shop.test"}, {}),
        ({"TRUSTED_HOSTS": ["shop.test"]}, {}),
    ],
)
def test_users_servers_need_the_address_of_the_app(config: dict[str, Any], expected: dict[str, str]) -> None:
    """Else a request could say where the links lead that prove users' addresses, so none are sent."""
    more = {"SMTPSERVERS_PERSONAL": True, "SMTPSERVERS_ENCRYPTION_KEYS": [generate_key()], **config}
    with hosting(init={"owner": lambda: "ann"}, **more) as host:
        found = checks_of(host)
    assert states_of(found) == expected
    assert "SMTPSERVERS_EXTERNAL_URL" in found["personal.address"].cure or not expected


def test_missing_tables_are_one_error() -> None:
    """Before the migration ran there is one error, not one for every query."""
    with hosting(create_tables=False, SMTPSERVERS_ENCRYPTION_KEYS=[generate_key()]) as host:
        found = checks_of(host)
    assert states_of(found) == {"tables.missing": "error"}
    assert "smtpservers_server" in found["tables.missing"].text
    assert "flask db upgrade" in found["tables.missing"].cure
    assert "db.create_all()" in found["tables.missing"].cure
    assert "sending.off" not in found


def test_old_tables_name_the_operations_that_mend_them(database: Database) -> None:
    """The operations of the cure, carried out by Alembic on tables with rows, make the finding go away."""
    lost = ("sender_format", "ca_certificate", "timeout_seconds", "tested_at", "test_title", "auth_mechanism")
    with hosting(database.url, SMTPSERVERS_ENCRYPTION_KEYS=[generate_key()]) as host:
        add(host, **plain_fields(timeout_seconds=5))
        with host.app.app_context(), host.db.engine.begin() as connection:
            for column in lost:
                connection.execute(sqlalchemy.text(f"ALTER TABLE smtpservers_server DROP COLUMN {column}"))
        old = checks_of(host)
        assert states_of(old) == {"tables.old": "error"}
        assert all(f"smtpservers_server.{column}" in old["tables.old"].text for column in lost)
        operations = re.findall(r"op\.add_column\(.*?\)(?=; op\.|$)", old["tables.old"].cure)
        assert len(operations) == len(lost)
        with host.app.app_context(), host.db.engine.begin() as connection:
            op = Operations(MigrationContext.configure(connection))
            for operation in operations:
                exec(operation, {"op": op, "sa": sqlalchemy, "mysql": mysql})
        assert states_of(checks_of(host)) == {}
        with host.app.app_context():
            server = host.smtp.servers()[0]
            assert (server.sender_format, server.ca_certificate, server.timeout_seconds) == ("{name}", "", 10)
            host.smtp.edit_server(server.public_id, name="Still works")


def test_a_secret_that_cannot_be_read_names_its_server(tmp_path: Path, mailbox: Mailbox) -> None:
    """A lost key, and a variable that is not set: both servers are named, their secrets are not."""
    url = f"sqlite:///{tmp_path / 'app.db'}"
    with hosting(url, SMTPSERVERS_ENCRYPTION_KEYS=[generate_key()]) as before:
        add(before, **server_fields(mailbox, name="Lost key"))
    with hosting(url, SMTPSERVERS_ENCRYPTION_KEYS=[generate_key()]) as host:
        add(host, **server_fields(mailbox, name="Lost variable", password="env:SMTPSERVERS_TEST_NOT_SET"))
        add(host, **server_fields(mailbox, name="Good"))
        found = checks_of(host)
    assert states_of(found) == {"secrets.unreadable": "error"}
    assert "Lost key, Lost variable." in found["secrets.unreadable"].text
    assert "Good" not in found["secrets.unreadable"].text


def test_servers_without_a_default(host: Host) -> None:
    """A default that is paused counts as none; a paused server alone is no fault."""
    server = add(host, **plain_fields())
    assert states_of(checks_of(host)) == {}
    add(host, **plain_fields(name="Other"))
    with host.app.app_context():
        host.state.store.set_enabled(server, False)
    assert states_of(checks_of(host)) == {"servers.none_default": "warning"}


def test_servers_in_clear_text(host: Host) -> None:
    """Only servers in use are named."""
    server = add(host, **plain_fields(name="Old relay", security="none", port=25))
    add(host, **plain_fields(name="Safe"))
    found = checks_of(host)
    assert states_of(found) == {"servers.clear_text": "warning"}
    assert "Old relay" in found["servers.clear_text"].text
    assert "Safe" not in found["servers.clear_text"].text
    with host.app.app_context():
        host.state.store.set_enabled(server, False)
    assert "servers.clear_text" not in states_of(checks_of(host))


def test_sending_switched_off(host: Host) -> None:
    with host.app.app_context():
        host.state.store.switch_sending(False)
    assert states_of(checks_of(host)) == {"sending.off": "warning"}


@pytest.mark.parametrize(
    ("days_before", "expected"),
    [(31, {}), (29, {"certificates.expiring": "warning"}), (0, {"certificates.expiring": "error"})],
)
def test_a_client_certificate_that_ends(host: Host, ca: trustme.CA, days_before: int, expected: dict[str, str]) -> None:
    """30 days before its end there is a warning, at its end an error; the day is named."""
    end = (datetime.now(UTC) + timedelta(days=90)).replace(microsecond=0)
    pair = ca.issue_cert("client.example.test", not_after=end)
    certificate = pair.cert_chain_pems[0].bytes().decode()
    key = pair.private_key_pem.bytes().decode()
    add(host, **plain_fields(client_certificate=certificate, client_key=key))
    found = checks_of(host, now=end - timedelta(days=days_before))
    assert states_of(found) == expected
    assert not expected or f"Plain ({end.date().isoformat()})" in found["certificates.expiring"].text


@pytest.mark.parametrize(
    ("trusted", "days_before", "expected"),
    [
        (False, 8, {}),
        (False, 6, {"certificates.expiring": "warning"}),
        (True, 31, {}),
        (True, 29, {"certificates.expiring": "warning"}),
        (True, 0, {"certificates.expiring": "error"}),
    ],
)
def test_a_servers_certificate_that_ends(host: Host, trusted: bool, days_before: int, expected: dict[str, str]) -> None:
    """An authority's is mostly renewed by a machine; one that is trusted by its fingerprint must be by a person."""
    end = (datetime.now(UTC) + timedelta(days=90)).replace(microsecond=0)
    server = add(host, **plain_fields(certificate_fingerprint="ab" * 32 if trusted else ""))
    with host.app.app_context():
        host.state.store.record_test(host.state.store.get(server), True, "", certificate_expires_at=end)
    found = checks_of(host, now=end - timedelta(days=days_before))
    assert states_of(found) == expected
    assert not expected or f"Plain ({end.date().isoformat()})" in found["certificates.expiring"].text


def test_a_client_certificate_that_was_damaged(host: Host, ca: trustme.CA) -> None:
    """A row changed behind our back is an error, not a traceback."""
    pair = ca.issue_cert("client.example.test")
    certificate = pair.cert_chain_pems[0].bytes().decode()
    add(host, **plain_fields(client_certificate=certificate, client_key=pair.private_key_pem.bytes().decode()))
    with host.app.app_context(), host.db.engine.begin() as connection:
        connection.execute(sqlalchemy.text("UPDATE smtpservers_server SET client_certificate = 'rubbish'"))
    assert states_of(checks_of(host)) == {"certificates.expiring": "error", "secrets.unreadable": "error"}


def test_a_database_that_is_down_is_an_error(tmp_path: Path) -> None:
    """What needs no database is checked all the same."""
    url = f"sqlite:///{tmp_path / 'no such folder' / 'app.db'}"
    with hosting(url, create_tables=False, SMTPSERVERS_ENCRYPTION_KEYS=[generate_key()]) as host:
        found = checks_of(host)
    assert states_of(found) == {"database.unreachable": "error"}
    assert found["hook.inactive"].state is CheckState.OK


def test_the_worst_comes_first(mailbox: Mailbox) -> None:
    """Errors, then warnings, then what is fine."""
    with hosting() as host:
        add(host, **plain_fields(security="none", port=25))
        add(host, **server_fields(mailbox, password="env:SMTPSERVERS_TEST_NOT_SET"))
        states = [check.state for check in checks_of(host).values()]
    assert states == sorted(states, key=["error", "warning", "ok"].index)
    assert {CheckState.ERROR, CheckState.WARNING, CheckState.OK} == set(states)
