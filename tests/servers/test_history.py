"""The history knows the old and the new values of what was changed, never a secret, and leads back to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trustme
from sqlalchemy import text

from flask_smtpservers.permissions import Scope
from flask_smtpservers.servers.history import restored
from flask_smtpservers.servers.profile import FIELDS, ServerEvent
from flask_smtpservers.servers.store import ServerStore

from .conftest import FIELDS as GIVEN
from .conftest import Host, settings

Add = Callable[..., Any]


def newest(host: Host, public_id: str) -> ServerEvent:
    return host.store.history(public_id, limit=1)[0]


def test_old_and_new_values(host: Host, add: Add) -> None:
    """Each entry has the values from before and after; of a password only that there was one."""
    server = add()
    host.store.edit(
        server.public_id,
        {"port": 465, "security": "ssl", "password": "n3w-CANARY", "allowed_senders": "b.example\na.example"},
    )
    event = newest(host, server.public_id)
    assert event.before == {"port": 587, "security": "starttls", "password": True, "allowed_senders": []}
    assert event.after == {
        "port": 465,
        "security": "ssl",
        "password": True,
        "allowed_senders": ["b.example", "a.example"],
    }
    assert event == host.events[-1]
    assert event.id > 0
    with host.db.engine.connect() as connection:
        assert "CANARY" not in repr(connection.execute(text("SELECT * FROM smtpservers_event")).fetchall())


def test_an_added_and_a_removed_server_are_kept_whole(host: Host, add: Add) -> None:
    """What was added stands there with all its fields, and what was removed as well."""
    server = add()
    host.store.remove(server.public_id)
    removed, added = host.store.history(server.public_id, limit=5)
    assert set(removed.before) == set(added.after) == set(FIELDS)
    assert (removed.after, added.before) == ({}, {})
    assert removed.before["host"] == GIVEN["host"]


@pytest.mark.parametrize(
    ("act", "fields", "before", "after"),
    [
        (lambda store, one: store.set_enabled(one, False), ("enabled",), True, False),
        (lambda store, one: store.move(one, -1), ("position",), 1, 0),
        (lambda store, one: store.make_default(one), ("is_default",), False, True),
        (lambda store, one: store.edit(one, {"position": 0}), ("position",), 1, 0),
    ],
    ids=["paused", "moved", "default", "edited"],
)
def test_how_a_server_stands(
    host: Host, add: Add, act: Callable[[ServerStore, str], Any], fields: tuple[str, ...], before: Any, after: Any
) -> None:
    """Pause, order and default have their old and new values, too."""
    add(name="First")
    server = add(name="Second", address="second@example.com")
    act(host.store, server.public_id)
    event = newest(host, server.public_id)
    assert (event.fields, event.before[fields[0]], event.after[fields[0]]) == (fields, before, after)


def test_the_way_back(host: Host, add: Add, ca: trustme.CA) -> None:
    """Before each entry lie the values of then, whatever was changed since; the server's use and place stay."""
    pem = ca.cert_pem.bytes().decode()
    server = add(ca_certificate=pem, sender_policy="force", allowed_senders="a.example")
    host.store.edit(server.public_id, {"ca_certificate": "", "timeout_seconds": 20, "password": "other"})
    host.store.edit(server.public_id, {"name": "Bills", "sender_policy": "keep", "allowed_senders": ""})
    host.store.set_enabled(server.public_id, False)
    host.store.edit(server.public_id, {"host": "smtp.example.org", "password": "third"})
    now = host.store.get(server.public_id)
    first = next(event for event in host.store.history(server.public_id, limit=9) if "timeout_seconds" in event.fields)

    values = host.store.values_before(server.public_id, first.id)
    assert values is not None
    back = restored(values, now)
    for name in ("name", "host", "ca_certificate", "timeout_seconds", "sender_policy", "allowed_senders"):
        assert getattr(back, name) == getattr(server, name), name
    assert (back.enabled, back.password, back.version) == (False, now.password, now.version)


def test_the_way_back_to_a_server_that_was_removed(host: Host, add: Add) -> None:
    """All its settings are there; its secrets went with it."""
    server = add()
    host.store.edit(server.public_id, {"name": "Bills"})
    host.store.remove(server.public_id)
    values = host.store.values_before(server.public_id, newest(host, server.public_id).id)
    assert values is not None
    back = restored(values, None)
    assert (back.name, back.host, back.password, back.enabled) == ("Bills", server.host, None, True)


def test_there_is_no_way_back_to_before_it_was_added_or_of_another(host: Host, add: Add) -> None:
    """Nor to an entry of another server, or of another scope, or to none at all."""
    server, other = add(), add(name="Other", address="other@example.com")
    host.store.edit(server.public_id, {"name": "New"})
    edited, added = host.store.history(server.public_id, limit=2)
    assert host.store.values_before(server.public_id, edited.id) is not None
    assert host.store.values_before(server.public_id, added.id) is None
    assert host.store.values_before(other.public_id, edited.id) is None
    assert host.store.values_before(server.public_id, edited.id, scope=Scope("acme")) is None
    assert host.store.values_before(server.public_id, 10**9) is None
    assert host.store.values_before("\0", edited.id) is None


def test_an_entry_from_before_there_were_values_ends_the_way_back(host: Host, add: Add) -> None:
    """Where the old values are not known, nobody guesses them."""
    server = add()
    host.store.edit(server.public_id, {"port": 2525, "password": "x"})
    with host.db.engine.begin() as connection:
        connection.execute(text("UPDATE smtpservers_event SET old_values = NULL, new_values = NULL"))
    event = newest(host, server.public_id)
    assert (event.fields, event.before) == (("port", "password"), {})
    assert host.store.values_before(server.public_id, event.id) is None


def test_all_of_a_scope_page_by_page(host: Host, add: Add) -> None:
    """Servers, switches and kinds of one scope in one list, and nothing of others."""
    one, two = add(), add(name="Two", address="two@example.com")
    host.store.switch_sending(False)
    host.store.add({**GIVEN, "name": "Theirs"}, scope=Scope("acme"))
    actions = [(event.action, event.server_id) for event in host.store.history(limit=10)]
    assert actions == [("sending_off", ""), ("added", two.public_id), ("added", one.public_id)]
    assert [event.action for event in host.store.history(limit=1, offset=1)] == ["added"]
    assert len(host.store.history(limit=10, scope=Scope("acme"))) == 1


def test_old_entries_are_deleted(host: Host, add: Add) -> None:
    """After the days that the operator keeps them, with the next change."""
    store = host.with_store(settings(history_days=30))
    server = add()
    host.clock.pass_by(days=29)
    store.edit(server.public_id, {"name": "A"})
    assert len(store.history(limit=9)) == 2
    host.clock.pass_by(days=2)
    store.edit(server.public_id, {"name": "B"})
    assert [event.action for event in store.history(limit=9)] == ["edited", "edited"]


def test_nothing_is_known_any_more_of_a_scope_that_is_gone(host: Host) -> None:
    """With the servers of a user or tenant who is deleted, their settings leave the history, and nobody else's."""
    gone = Scope("acme")
    host.store.add(GIVEN)
    host.store.add(GIVEN, scope=gone)
    host.store.remove_all(scope=gone)
    assert [(event.action, event.before, event.after) for event in host.store.history(limit=9, scope=gone)] == [
        ("removed", {}, {}),
        ("added", {}, {}),
    ]
    assert host.store.history(limit=9)[0].after["host"] == GIVEN["host"]


def test_tables_of_an_older_version_have_no_history(fresh_host: Host) -> None:
    """Before the migration has been run, the history is empty and nothing fails."""
    server = fresh_host.store.add(GIVEN).profile
    with fresh_host.db.engine.begin() as connection:
        connection.execute(text("ALTER TABLE smtpservers_event DROP COLUMN new_values"))
    fresh_host.store._tables.complete.clear()
    assert fresh_host.store.history(limit=5) == []
    assert fresh_host.store.values_before(server.public_id, 1) is None
