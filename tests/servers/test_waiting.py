"""A change of a server that is in use waits for its test: until then, mail meets what was there before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from flask_smtpservers.errors import InvalidServer, PasswordRequired, ServerChanged, ServerNotFound
from flask_smtpservers.permissions import Scope
from flask_smtpservers.secret import Secret
from flask_smtpservers.servers.profile import ServerProfile
from flask_smtpservers.servers.waiting import Waiting

from .conftest import FIELDS, Host, a_key, settings

Add = Callable[..., Any]


def waiting_of(host: Host, server: ServerProfile) -> Waiting:
    waiting = host.store.waiting(server.public_id)
    assert waiting is not None
    return waiting


def actions(host: Host, server: ServerProfile) -> list[str]:
    return [event.action for event in host.store.events(server.public_id)]


def used(host: Host) -> list[tuple[str, int, str]]:
    """What a mail would meet: host, port and password of each server."""
    return [
        (profile.host, profile.port, str(password.reveal() if (password := host.store.password_of(profile)) else ""))
        for profile in host.store.candidates(using=None, address="").servers
    ]


NEW = {"host": "smtp.example.org", "port": 465, "security": "ssl", "password": "n3w"}


def test_a_change_waits_and_is_then_used(host: Host, add: Add) -> None:
    """Old until it is activated, then new; the password can be opened at each step."""
    server = add()
    host.store.record_test(server, passed=True, title="")
    before = used(host)
    saved = host.store.propose(server.public_id, NEW, actor="ann")
    assert saved.waiting is not None
    assert used(host) == before
    waiting = waiting_of(host, server)
    assert waiting == saved.waiting
    assert (waiting.actor, waiting.made_at) == ("ann", host.clock())
    assert waiting.fields == ("host", "port", "security", "password")
    assert host.store.password_of(waiting.profile) == Secret("n3w")
    assert (waiting.live.test_passed, waiting.profile.test_passed) == (True, None)
    assert host.store.waiting_ids() == {server.public_id}
    assert host.store.latest(server.public_id) == waiting.profile

    host.store.activate(server.public_id, waiting.mark, actor="bob")
    assert used(host) == [("smtp.example.org", 465, "n3w")]
    assert host.store.get(server.public_id).tested_at is None
    assert host.store.waiting(server.public_id) is None
    assert host.store.waiting_ids() == set()
    assert actions(host, server) == ["activated", "waiting", "added"]
    assert host.store.events(server.public_id)[0].before["host"] == "smtp.example.com"


def test_no_secret_stands_in_the_table(host: Host, add: Add) -> None:
    """The waiting password is sealed, and for where it would go: elsewhere it does not open."""
    server = add()
    host.store.propose(server.public_id, {**NEW, "password": "w4iting-CANARY"})
    with host.db.engine.begin() as connection:
        assert "CANARY" not in repr(connection.execute(text("SELECT * FROM smtpservers_waiting")).fetchall())
        changed = "UPDATE smtpservers_waiting SET settings = REPLACE(settings, 'smtp.example.org', 'evil.example')"
        connection.execute(text(changed))
    assert [profile.public_id for profile in host.store.unreadable()] == []
    waiting = waiting_of(host, server)
    assert waiting.profile.host == "evil.example"
    with pytest.raises(Exception, match="does not belong"):
        host.store.password_of(waiting.profile)


def test_what_a_test_does_not_cover_holds_at_once(host: Host, add: Add) -> None:
    """The name changes, the port waits."""
    server = add()
    saved = host.store.propose(server.public_id, {"name": "Bills", "timeout_seconds": 20})
    live = host.store.get(server.public_id)
    assert (live.name, live.timeout_seconds) == ("Bills", 10)
    assert saved.waiting is not None
    assert saved.waiting.profile.name == "Bills"
    assert actions(host, server) == ["waiting", "edited", "added"]

    saved = host.store.propose(server.public_id, {"reply_to": "ann@example.com"})
    assert (saved.waiting is not None, host.store.get(server.public_id).reply_to) == (True, "ann@example.com")
    waiting = waiting_of(host, server)
    assert waiting.profile.timeout_seconds == 20
    assert host.store.activate(server.public_id, waiting.mark).reply_to == "ann@example.com"


@pytest.mark.parametrize(
    ("start", "change", "options"),
    [
        ({}, {"name": "Other"}, {}),
        ({"enabled": False}, {"timeout_seconds": 20}, {}),
        ({"draft": True}, {"timeout_seconds": 20, "enabled": True}, {}),
        ({}, {"timeout_seconds": 20, "enabled": False}, {}),
        ({}, {"timeout_seconds": 20}, {"tested": True}),
    ],
    ids=["nothing-covered", "paused", "activated-now", "paused-now", "tested"],
)
def test_what_need_not_wait(host: Host, add: Add, start: Any, change: Any, options: Any) -> None:
    """A server through which no mail goes, and values that have passed, are changed at once."""
    server = add(**start)
    saved = host.store.propose(server.public_id, change, **options)
    assert saved.waiting is None
    live = host.store.get(server.public_id)
    assert {name: getattr(live, name) for name in change} == change


def test_a_waiting_change_is_changed(host: Host, add: Add) -> None:
    """The next change starts from it, its password included, which asks for itself at another destination."""
    server = add()
    host.store.propose(server.public_id, NEW)
    first = waiting_of(host, server)
    host.store.propose(server.public_id, {"timeout_seconds": 30})
    second = waiting_of(host, server)
    assert second.mark != first.mark
    assert (second.profile.host, second.profile.timeout_seconds) == ("smtp.example.org", 30)
    assert host.store.password_of(second.profile) == Secret("n3w")
    with pytest.raises(PasswordRequired):
        host.store.propose(server.public_id, {"port": 2465})
    with pytest.raises(ServerChanged):
        host.store.activate(server.public_id, first.mark)
    assert used(host) == [("smtp.example.com", 587, "s3cret-CANARY")]


def test_a_change_back_leaves_nothing_waiting(host: Host, add: Add) -> None:
    """Whoever puts the old values in again has dropped the change; the test that was passed still counts."""
    server = add()
    host.store.record_test(server, passed=True, title="")
    host.store.propose(server.public_id, {"timeout_seconds": 30})
    assert host.store.propose(server.public_id, {"timeout_seconds": 10}).waiting is None
    assert host.store.waiting_ids() == set()
    assert host.store.get(server.public_id).test_passed
    assert actions(host, server) == ["discarded", "waiting", "added"]


def test_a_change_is_dropped(host: Host, add: Add) -> None:
    """The server goes on as it was."""
    server = add()
    host.store.propose(server.public_id, NEW)
    before, waiting = used(host), waiting_of(host, server)
    host.store.discard(server.public_id, waiting.mark, actor="ann")
    assert (used(host), host.store.waiting_ids()) == (before, set())
    assert actions(host, server) == ["discarded", "waiting", "added"]
    for act in (host.store.activate, host.store.discard):
        with pytest.raises(ServerChanged):
            act(server.public_id, waiting.mark)


def test_a_forced_change_is_told_as_such(host: Host, add: Add) -> None:
    server = add()
    host.store.propose(server.public_id, NEW)
    host.store.activate(server.public_id, waiting_of(host, server).mark, forced=True)
    assert actions(host, server)[0] == "forced"


def test_of_two_editors_the_second_is_told(host: Host, add: Add) -> None:
    """What waits counts as a change: whoever has an older version open overwrites nothing."""
    server = add()
    host.store.propose(server.public_id, {"timeout_seconds": 30}, version=server.version)
    with pytest.raises(ServerChanged):
        host.store.propose(server.public_id, {"timeout_seconds": 40}, version=server.version)
    version = waiting_of(host, server).profile.version
    host.store.discard(server.public_id, waiting_of(host, server).mark)
    with pytest.raises(ServerChanged):
        host.store.propose(server.public_id, {"timeout_seconds": 40}, version=version)


def test_an_immediate_edit_drops_what_it_overtakes(host: Host, add: Add) -> None:
    """The command line and programs change at once; a change of other fields leaves the waiting one alone."""
    server = add()
    host.store.propose(server.public_id, {"timeout_seconds": 30})
    assert host.store.edit(server.public_id, {"name": "Bills"}).notices == ()
    assert host.store.waiting_ids() == {server.public_id}
    saved = host.store.edit(server.public_id, {"port": 2525, "password": "x"})
    assert any("dropped" in notice for notice in saved.notices)
    assert host.store.waiting_ids() == set()
    assert host.store.get(server.public_id).timeout_seconds == 10
    assert actions(host, server)[:2] == ["discarded", "edited"]


def test_the_change_goes_with_its_server(host: Host, add: Add) -> None:
    server = add()
    host.store.propose(server.public_id, NEW)
    host.store.remove(server.public_id)
    with host.db.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM smtpservers_waiting")).scalar() == 0
    with pytest.raises(ServerNotFound):
        host.store.waiting(server.public_id)


def test_wrong_fields_change_nothing(host: Host, add: Add) -> None:
    server = add()
    host.store.propose(server.public_id, {"timeout_seconds": 30})
    before = waiting_of(host, server)
    with pytest.raises(InvalidServer):
        host.store.propose(server.public_id, {"port": 0, "timeout_seconds": 40})
    assert waiting_of(host, server) == before


def test_another_scope_sees_nothing_of_it(host: Host, add: Add) -> None:
    server = add()
    host.store.propose(server.public_id, NEW)
    mark, other = waiting_of(host, server).mark, Scope("acme")
    assert host.store.waiting_ids(scope=other) == set()
    for act in (host.store.activate, host.store.discard):
        with pytest.raises(ServerNotFound):
            act(server.public_id, mark, scope=other)


def test_the_removal_of_a_password_waits_as_well(host: Host, add: Add) -> None:
    server = add()
    host.store.propose(server.public_id, {"username": "", "password": None})
    waiting = waiting_of(host, server)
    assert (waiting.profile.password, waiting.profile.password_changed_at) == (None, None)
    assert host.store.activate(server.public_id, waiting.mark).password is None


def test_its_secrets_are_rotated_with_the_others(host: Host) -> None:
    """After a rotation the new key alone opens both passwords, and nothing looks changed that was not (K02)."""
    old, new = a_key(), a_key()
    store = host.with_store(settings(encryption_keys=(old,)))
    changed = store.add(FIELDS).profile
    kept = store.add({**FIELDS, "name": "Kept", "address": "kept@example.com"}).profile
    store.propose(changed.public_id, NEW)
    store.propose(kept.public_id, {"timeout_seconds": 30})
    rotation = host.with_store(settings(encryption_keys=(new, old))).rotate()
    assert (rotation.changed, rotation.unchanged, rotation.failed) == (2, 0, ())

    only = host.with_store(settings(encryption_keys=(new,)))
    for server, password, fields in (
        (changed, "n3w", ("host", "port", "security", "password")),
        (kept, "s3cret-CANARY", ("timeout_seconds",)),
    ):
        waiting = only.waiting(server.public_id)
        assert waiting is not None
        assert (only.password_of(waiting.profile), waiting.fields) == (Secret(password), fields)


def test_tables_of_an_older_version_have_nothing_waiting(fresh_host: Host) -> None:
    """Before the migration has been run, servers are read as they are."""
    server = fresh_host.store.add(FIELDS).profile
    with fresh_host.db.engine.begin() as connection:
        connection.execute(text("DROP TABLE smtpservers_waiting"))
    fresh_host.store._tables.complete.clear()
    assert fresh_host.store.waiting_ids() == set()
    assert fresh_host.store.waiting(server.public_id) is None
    assert fresh_host.store.latest(server.public_id).host == server.host
