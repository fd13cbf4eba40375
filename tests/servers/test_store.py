"""Adding, changing, finding and removing servers, on every database."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
import trustme
from sqlalchemy import event, text

from flask_smtpservers.config import Settings
from flask_smtpservers.errors import (
    ConfigurationError,
    InvalidServer,
    PasswordRequired,
    SecretUnreadable,
    ServerChanged,
    ServerNotFound,
    StoreUnavailable,
)
from flask_smtpservers.secret import Secret
from flask_smtpservers.servers.keyring import Keyring
from flask_smtpservers.servers.models import attach
from flask_smtpservers.servers.profile import SenderPolicy, ServerProfile
from flask_smtpservers.servers.store import ServerStore
from flask_smtpservers.smtp.endpoint import Security

from ..databases import Database
from .conftest import FIELDS, Host, a_key, host_app, settings

Add = Callable[..., ServerProfile]


def sql(host: Host, statement: str, **values: Any) -> Any:
    """Work behind the store's back, in a transaction of its own."""
    with host.db.engine.begin() as connection:
        return connection.execute(text(statement), values)


def names(store: ServerStore) -> list[str]:
    return [profile.name for profile in store.servers()]


# -- adding and reading


def test_an_added_server_is_read_back_unchanged(host: Host, ca: trustme.CA) -> None:
    """Every field comes back as it was given, on every database, letters and lengths included."""
    issued = ca.issue_cert("client.example.com")
    fields = {
        "name": "Rechnungen 📬 Größe",
        "host": "smtp.example.com",
        "port": 2525,
        "security": "ssl",
        "username": "Ünï😀",
        "password": "pässwörd😀",
        "auth_mechanism": "SCRAM-SHA-256",
        "address": '"Doe, Jöhn 😀" <jörg@example.com>',
        "sender_format": "{user} via {app}",
        "sender_policy": "force",
        "reply_to": "desk@example.com",
        "timeout_seconds": 10.1,
        "ca_certificate": ca.cert_pem.bytes().decode() * 110,  # more than the 64 KB of MariaDB's TEXT
        "client_certificate": issued.cert_chain_pems[0].bytes().decode(),
        "client_key": issued.private_key_pem.bytes().decode(),
        "provider": "acme",
    }
    saved = host.store.add(fields)
    assert host.store.get(saved.profile.public_id) == saved.profile
    profile = saved.profile
    assert len(profile.ca_certificate) > 65536
    assert (profile.sender_name, profile.address) == ("Doe, Jöhn 😀", "jörg@example.com")
    assert (profile.security, profile.sender_policy) == (Security.SSL, SenderPolicy.FORCE)
    assert (profile.timeout_seconds, profile.auth_mechanism) == (10.1, "SCRAM-SHA-256")
    assert profile.password_changed_at == host.clock()
    assert host.store.password_of(profile) == Secret("pässwörd😀")
    assert host.store.client_key_of(profile) == Secret(fields["client_key"])


def test_no_secret_stands_in_the_database(host: Host, add: Add) -> None:
    """The row holds neither the password nor its length in the clear, and the profile's repr shows no token."""
    profile = add()
    row = sql(host, "SELECT * FROM smtpservers_server").first()
    assert "CANARY" not in str(row)
    assert profile.password is not None
    assert profile.password.token not in repr(profile)


def test_the_first_server_becomes_the_default(host: Host, add: Add) -> None:
    """The first one is the default, later ones are not, and a paused first one is not."""
    assert add().is_default
    assert not add(name="b").is_default
    host.store.remove(host.store.find("b").public_id)
    host.store.remove(host.store.find("Invoices").public_id)
    assert not add(enabled=False).is_default
    assert not add(name="b").is_default


def test_positions_are_dense(host: Host, add: Add) -> None:
    """New servers come last, or where they are told to; positions have no gaps."""
    for name in "abc":
        add(name=name)
    add(name="first", position=0)
    add(name="last", position=99)
    assert names(host.store) == ["first", "a", "b", "c", "last"]
    assert [profile.position for profile in host.store.servers()] == [0, 1, 2, 3, 4]
    host.store.remove(host.store.find("b").public_id)
    assert [profile.position for profile in host.store.servers()] == [0, 1, 2, 3]


def test_a_server_without_a_name_gets_a_free_one(host: Host, add: Add) -> None:
    """The name is made from the host, and numbered if it is taken, without an error."""
    assert [add(name="").name for _ in range(3)] == [
        "smtp.example.com",
        "smtp.example.com (2)",
        "smtp.example.com (3)",
    ]


@pytest.mark.parametrize("name", ["invoices", "INVOICES", "  Invoices ", "Ｉｎｖｏｉｃｅｓ"])
def test_names_are_unique_in_any_case(host: Host, add: Add, name: str) -> None:
    """A name that differs only in case, width or blanks is taken; nothing is written."""
    add()
    with pytest.raises(InvalidServer) as caught:
        host.store.add({**FIELDS, "name": name})
    assert list(caught.value.fields) == ["name"]
    assert len(host.store.servers()) == 1


def test_names_differing_in_accents_are_different(host: Host, add: Add) -> None:
    """Comparison is exact otherwise, also on MariaDB, whose own comparison ignores accents."""
    add(name="Muller")
    add(name="Müller")
    assert host.store.find("müller").name == "Müller"


def test_a_taken_name_is_told_with_all_other_errors(host: Host, add: Add) -> None:
    """What only the database knows stands beside what the rules found."""
    add()
    with pytest.raises(InvalidServer) as caught:
        host.store.add({**FIELDS, "port": "x"})
    assert set(caught.value.fields) == {"name", "port"}


def test_finding(host: Host, add: Add) -> None:
    """By public id, by name in any case; else there is none, whatever the text."""
    profile = add()
    assert host.store.find(profile.public_id) == host.store.find("INVOICES") == host.store.get(profile.public_id)
    for text_ in ("", "nobody", "'; DROP TABLE smtpservers_server; --", "a\0b", "x" * 10_000, "\ud800"):
        with pytest.raises(ServerNotFound):
            host.store.find(text_)
        with pytest.raises(ServerNotFound):
            host.store.get(text_)
        with pytest.raises(ServerNotFound):
            host.store.edit(text_, {})
        assert host.store.events(text_) == []


def test_the_list_takes_one_statement(host: Host, add: Add) -> None:
    """However many servers there are, the list is one SELECT."""
    for number in range(5):
        add(name=str(number))
    with host.statements() as seen:
        assert len(host.store.servers()) == 5
    assert len(seen) == 1


# -- editing


def test_an_edit_changes_only_what_is_given(host: Host, add: Add) -> None:
    """The rest stays, the version grows, and an edit of nothing is no change."""
    profile = add()
    saved = host.store.edit(profile.public_id, {"name": "Bills"}).profile
    assert saved == replace(profile, name="Bills", version=2)
    assert host.store.get(profile.public_id) == saved
    assert host.store.edit(profile.public_id, {"name": " Bills", "password": ""}).profile == saved
    assert [event.action for event in host.store.events(profile.public_id)] == ["edited", "added"]


def test_two_tabs(host: Host, add: Add) -> None:
    """Who saves second with the old version is told, and nothing of his is written (C05)."""
    profile = add()
    host.store.edit(profile.public_id, {"name": "one"}, version=1)
    for change in (
        lambda: host.store.edit(profile.public_id, {"name": "two"}, version=1),
        lambda: host.store.remove(profile.public_id, version=1),
        lambda: host.store.make_default(profile.public_id, version=1),
        lambda: host.store.set_enabled(profile.public_id, False, version=1),
    ):
        with pytest.raises(ServerChanged):
            change()
    assert names(host.store) == ["one"]
    assert host.store.edit(profile.public_id, {"name": "two"}, version=2).profile.version == 3


def test_a_renamed_server_may_not_take_a_name(host: Host, add: Add) -> None:
    """Another server's name is refused; a server's own name in other letters is not."""
    add()
    other = add(name="other")
    with pytest.raises(InvalidServer):
        host.store.edit(other.public_id, {"name": "invoices"})
    assert host.store.edit(other.public_id, {"name": "OTHER"}).profile.name == "OTHER"


def test_a_changed_destination_needs_the_password(host: Host, add: Add) -> None:
    """Without it nothing is written and the old secret stays; with it the new secret belongs to the new place."""
    profile = add()
    with pytest.raises(PasswordRequired):
        host.store.edit(profile.public_id, {"host": "other.example.com"})
    assert host.store.get(profile.public_id) == profile
    saved = host.store.edit(profile.public_id, {"host": "other.example.com", "password": "new"}).profile
    assert host.store.password_of(saved) == Secret("new")


def test_another_sign_in_method_is_another_connection(host: Host, add: Add) -> None:
    """It needs the password, makes another digest, and what was tested before says nothing any more (T10)."""
    profile = add()
    host.store.record_test(profile, True, "")
    before = host.store.get(profile.public_id)
    assert before.tested_at is not None
    with pytest.raises(PasswordRequired):
        host.store.edit(profile.public_id, {"auth_mechanism": "LOGIN"})
    assert host.store.get(profile.public_id) == before
    saved = host.store.edit(profile.public_id, {"auth_mechanism": "LOGIN", "password": "new"}).profile
    assert (saved.auth_mechanism, saved.tested_at, saved.test_passed) == ("LOGIN", None, None)
    assert saved.digest != before.digest
    assert host.store.endpoint_of(saved).mechanism == "LOGIN"
    assert host.store.password_of(saved) == Secret("new")
    [event, *_older] = host.store.events(profile.public_id)
    assert (event.action, event.fields) == ("edited", ("password", "auth_mechanism"))
    anonymous = replace(before, password=None)
    assert replace(anonymous, auth_mechanism="LOGIN").digest != anonymous.digest


def test_a_password_sealed_before_there_were_sign_in_methods(fresh_host: Host) -> None:
    """A table that lacks the column is read with the automatic choice, and what was sealed without it still opens."""
    host, key = fresh_host, a_key()
    store = host.with_store(settings(encryption_keys=(key,)))
    profile = store.add(FIELDS).profile
    assert profile.password is not None
    context = ("smtp.example.com", "587", "starttls", "billing@example.com", "password", sha256(b"").hexdigest())
    sealed = Keyring(settings(encryption_keys=(key,))).seal(Secret("older"), (profile.public_id, *context))
    sql(host, "UPDATE smtpservers_server SET password_token = :token", token=sealed)
    sql(host, "ALTER TABLE smtpservers_server DROP COLUMN auth_mechanism")
    assert store.missing_columns() == ["smtpservers_server.auth_mechanism"]
    old = store.get(profile.public_id)
    assert (old.auth_mechanism, store.endpoint_of(old).mechanism) == ("", "")
    assert store.password_of(old) == Secret("older")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("host", "evil.example"),
        ("port", 25),
        ("security", "none"),
        ("username", "x"),
        ("ca_certificate", "x"),
        ("auth_mechanism", "LOGIN"),
    ],
)
def test_a_row_changed_by_sql_does_not_open(host: Host, add: Add, column: str, value: object) -> None:
    """Whoever can write to the database cannot redirect the password (T10, T13)."""
    profile = add()
    sql(host, f"UPDATE smtpservers_server SET {column} = :value", value=value)
    changed = host.store.get(profile.public_id)
    with pytest.raises(SecretUnreadable):
        host.store.endpoint_of(changed)
    assert host.store.unreadable() == [changed]


def test_tokens_do_not_fit_other_rows(host: Host, add: Add) -> None:
    """A token copied to another server's row, even of the same destination, does not open (K03)."""
    one, other = add(), add(name="other")
    assert one.password is not None
    sql(
        host,
        "UPDATE smtpservers_server SET password_token = :token WHERE public_id = :id",
        token=one.password.token,
        id=other.public_id,
    )
    assert [profile.name for profile in host.store.unreadable()] == ["other"]


def test_the_password_alone(host: Host, add: Add) -> None:
    """Changing and removing the password touches nothing else and has its own entry in the history."""
    profile = add()
    host.clock.pass_by(hours=1)
    changed = host.store.edit(profile.public_id, {"password": "other"}, actor="ann").profile
    assert changed.password_changed_at == host.clock()
    assert host.store.password_of(changed) == Secret("other")
    removed = host.store.edit(profile.public_id, {"password": None}).profile
    assert (removed.has_password, removed.password_changed_at) == (False, None)
    first, second, _added = host.store.events(profile.public_id)
    assert (first.action, second.action, second.actor, second.fields) == ("password", "password", "ann", ("password",))


def test_an_environment_reference(host: Host) -> None:
    """An operator's env:NAME is resolved at use; a missing variable is named; SQL cannot point to another one."""
    profile = host.store.add({**FIELDS, "password": "env:SMTP_PASSWORD"}, operator=True).profile
    assert profile.password is not None
    assert profile.password.environment == "SMTP_PASSWORD"
    assert host.store.get(profile.public_id) == profile
    assert host.store.password_of(profile) == Secret("from-env")
    missing = host.store.edit(profile.public_id, {"password": "env:MISSING"}, operator=True).profile
    with pytest.raises(SecretUnreadable, match="MISSING"):
        host.store.password_of(missing)
    sql(host, "UPDATE smtpservers_server SET password_environment = 'SMTP_PASSWORD'")
    with pytest.raises(SecretUnreadable):
        host.store.password_of(host.store.get(profile.public_id))


def test_a_reference_cannot_be_made_of_a_typed_password(host: Host, add: Add) -> None:
    """A password "SMTP_PASSWORD" typed in the form does not become a reference by writing to its column."""
    profile = add(password="SMTP_PASSWORD")
    sql(host, "UPDATE smtpservers_server SET password_environment = 'SMTP_PASSWORD'")
    with pytest.raises(SecretUnreadable):
        host.store.password_of(host.store.get(profile.public_id))


def test_endpoint(host: Host, add: Add) -> None:
    """The endpoint carries the settings of the server and of the operator."""
    store = host.with_store(settings(encryption_keys=(a_key(),), ehlo_name="app.example.com", ca_file="/ca.pem"))
    profile = store.add({**FIELDS, "timeout_seconds": 7}).profile
    endpoint = store.endpoint_of(profile)
    assert (endpoint.name, endpoint.host, endpoint.port, endpoint.security) == (
        "Invoices", "smtp.example.com", 587, Security.STARTTLS,
    )  # fmt: skip
    assert (endpoint.username, endpoint.password) == ("billing@example.com", Secret("s3cret-CANARY"))
    assert (endpoint.timeout_seconds, endpoint.ehlo_name, endpoint.ca_file) == (7.0, "app.example.com", "/ca.pem")
    assert (endpoint.ca_certificate, endpoint.client_certificate, endpoint.guarded) == (None, None, True)


def test_without_any_key_nothing_is_stored(sqlite_host: Host) -> None:
    """Without SECRET_KEY and keys a password cannot be stored; a server without password can."""
    store = sqlite_host.with_store(Settings())
    with pytest.raises(ConfigurationError, match="keys generate"):
        store.add(FIELDS)
    assert store.servers() == []
    store.add({**FIELDS, "username": "", "password": ""})


# -- default, pause, order, switch


def test_exactly_one_default(host: Host, add: Add) -> None:
    """Making one the default takes it from the other, by button, on adding and on editing."""
    one, two = add(), add(name="two")
    host.store.make_default(two.public_id, actor="ann")
    assert [profile.is_default for profile in host.store.servers()] == [False, True]
    three = add(name="three", is_default=True)
    assert [profile.is_default for profile in host.store.servers()] == [False, False, True]
    host.store.edit(one.public_id, {"is_default": True})
    assert [profile.name for profile in host.store.servers() if profile.is_default] == ["Invoices"]
    assert host.store.events(two.public_id)[0].action == "default"
    with pytest.raises(ServerChanged):  # the form of the former default would bring it back
        host.store.edit(three.public_id, {"name": "x"}, version=three.version)


def test_a_paused_server_cannot_be_the_default(host: Host, add: Add) -> None:
    """It is told beside the field; a default that is paused stays what it is, and can be edited."""
    default = add()
    paused = add(name="paused", enabled=False)
    for change in (
        lambda: host.store.make_default(paused.public_id),
        lambda: host.store.edit(paused.public_id, {"is_default": True}),
        lambda: host.store.add({**FIELDS, "name": "x", "is_default": True, "enabled": False}),
    ):
        with pytest.raises(InvalidServer) as caught:
            change()
        assert list(caught.value.fields) == ["is_default"]
    assert host.store.set_enabled(default.public_id, False).is_default
    host.store.edit(default.public_id, {"name": "x", "is_default": True})


def test_pausing(host: Host, add: Add) -> None:
    """Pausing and resuming are entries of the history; doing it twice is one."""
    profile = add()
    host.store.set_enabled(profile.public_id, False)
    host.store.set_enabled(profile.public_id, False)
    host.store.edit(profile.public_id, {"enabled": True})
    assert [event.action for event in host.store.events(profile.public_id)] == ["enabled", "paused", "added"]


def test_removing_the_default_promotes_nobody(host: Host, add: Add) -> None:
    """After it there is no default, until somebody chooses one."""
    default, _other = add(), add(name="other")
    assert host.store.remove(default.public_id, actor="ann").name == "Invoices"
    assert [profile.is_default for profile in host.store.servers()] == [False]
    assert host.store.candidates(using=None, address="x@y.org").servers == ()
    (last, _first) = host.store.events(default.public_id)
    assert (last.action, last.actor, last.server_name) == ("removed", "ann", "Invoices")
    with pytest.raises(ServerNotFound):
        host.store.remove(default.public_id)


def test_moving(host: Host, add: Add) -> None:
    """Up and down by one; at the ends it stays; others' forms stay valid."""
    a, b, c = (add(name=name) for name in "abc")
    assert host.store.move(c.public_id, -1).position == 1
    assert names(host.store) == ["a", "c", "b"]
    host.store.move(a.public_id, -1)
    host.store.move(b.public_id, +1)
    assert names(host.store) == ["a", "c", "b"]
    host.store.move(a.public_id, +1)
    assert names(host.store) == ["c", "a", "b"]
    host.store.edit(b.public_id, {"position": 0})
    assert names(host.store) == ["b", "c", "a"]
    assert [profile.position for profile in host.store.servers()] == [0, 1, 2]
    assert [event.action for event in host.store.events(a.public_id)] == ["moved", "added"]
    assert host.store.edit(c.public_id, {"name": "C"}, version=c.version)


def test_the_master_switch(host: Host) -> None:
    """On at first; every turn is remembered and told."""
    assert host.store.sending_enabled()
    host.store.switch_sending(False, actor="ann")
    assert not host.store.sending_enabled()
    assert not host.store.candidates(using=None, address="").sending_enabled
    host.store.switch_sending(False)
    host.store.switch_sending(True)
    assert host.store.sending_enabled()
    assert [event.action for event in host.events] == ["sending_off", "sending_off", "sending_on"]


def test_events_are_told_after_the_write(host: Host, add: Add) -> None:
    """The callback gets each change once, with who, when and which fields; none for a refused change."""
    profile = add()
    host.clock.pass_by(minutes=1)
    host.store.edit(profile.public_id, {"port": 2525, "password": "x", "sender_name": "Acme"}, actor="ann")
    with pytest.raises(InvalidServer):
        host.store.edit(profile.public_id, {"port": "x"})
    last = host.events[-1]
    assert len(host.events) == 2
    assert (last.actor, last.action, last.at) == ("ann", "edited", host.clock())
    assert last.fields == ("port", "password", "sender_name")
    assert host.store.events(profile.public_id)[0] == last
    assert len(host.store.events(profile.public_id, limit=1)) == 1


def test_a_strange_actor_does_no_harm(host: Host, add: Add) -> None:
    """A host's id of any form fits into the history."""
    profile = add()
    host.store.set_enabled(profile.public_id, False, actor="\0\r\n" + "x" * 1000)
    assert host.store.events(profile.public_id)[0].actor.startswith("???xxx")


# -- tests of a server


@pytest.mark.parametrize(
    "change",
    [{"host": "o.example.com", "password": "x"}, {"password": "x"}, {"address": "o@example.com"}, {"password": None}],
)
def test_a_change_of_what_was_tested_forgets_the_test(host: Host, add: Add, change: dict[str, Any]) -> None:
    """After such a change the server counts as untested; after another one the result stays."""
    profile = add()
    host.store.record_test(profile, False, "The password was refused")
    kept = host.store.edit(profile.public_id, {"name": "Bills"}).profile
    assert (kept.tested_at, kept.test_passed, kept.test_title) == (host.clock(), False, "The password was refused")
    changed = host.store.edit(profile.public_id, change).profile
    assert (changed.tested_at, changed.test_passed, changed.test_title) == (None, None, "")


def test_a_result_for_other_settings_is_not_recorded(host: Host, add: Add) -> None:
    """A test that ran while somebody changed or removed the server says nothing of the new settings."""
    profile = add()
    host.store.edit(profile.public_id, {"address": "other@example.com"})
    host.store.record_test(profile, True, "")
    assert host.store.get(profile.public_id).tested_at is None
    host.store.remove(profile.public_id)
    host.store.record_test(profile, True, "")


def test_recording_a_test_is_no_edit(host: Host, add: Add) -> None:
    """A form that is open meanwhile can still be saved."""
    profile = add()
    host.store.record_test(profile, True, "x" * 1000)
    assert host.store.edit(profile.public_id, {"name": "x"}, version=profile.version).profile.test_passed is True


def test_recording_a_test_never_raises(sqlite_host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """If the database fails, the result is lost and the log says so."""
    profile = sqlite_host.store.add(FIELDS).profile
    sqlite_host.db.drop_all()
    sqlite_host.store.record_test(profile, True, "")
    assert "could not be stored" in caplog.text


# -- rotation


def test_rotating_keys(host: Host, ca: trustme.CA) -> None:
    """New key in front, rotate, remove the old one: readable at each step (K02); again is no harm (K04)."""
    old, new = a_key(), a_key()
    issued = ca.issue_cert("client.example.com")
    pair = {
        "client_certificate": issued.cert_chain_pems[0].bytes().decode(),
        "client_key": issued.private_key_pem.bytes().decode(),
    }
    before = host.with_store(settings(encryption_keys=(old,)))
    profile = before.add({**FIELDS, **pair}).profile
    before.add({**FIELDS, "name": "no login", "username": "", "password": ""})
    before.add({**FIELDS, "name": "reference", "password": "env:HOME"}, operator=True)
    both = host.with_store(settings(encryption_keys=(new, old)), environment={"HOME": "x"})
    assert both.unreadable() == []
    rotation = both.rotate()
    assert (rotation.changed, rotation.unchanged, rotation.failed) == (2, 1, ())
    again = both.rotate()
    assert (again.changed, again.unchanged, again.failed) == (0, 3, ())
    after = host.with_store(settings(encryption_keys=(new,)), environment={"HOME": "x"})
    assert after.unreadable() == []
    fresh = after.get(profile.public_id)
    assert after.password_of(fresh) == Secret("s3cret-CANARY")
    assert after.client_key_of(fresh) == Secret(pair["client_key"])
    assert fresh.version == profile.version
    assert len(before.unreadable()) == 2


def test_rotating_leaves_what_cannot_be_read(host: Host, add: Add) -> None:
    """A secret with a lost key is reported and left untouched; the others are rotated (T14)."""
    lost = add(name="lost")
    old, new = a_key(), a_key()
    good = host.with_store(settings(encryption_keys=(old,))).add({**FIELDS, "name": "good"}).profile
    store = host.with_store(settings(encryption_keys=(new, old)))
    rotation = store.rotate()
    assert (rotation.changed, rotation.unchanged) == (1, 0)
    assert [profile.name for profile in rotation.failed] == ["lost"]
    assert store.get(lost.public_id) == lost
    assert store.password_of(store.get(good.public_id)) == Secret("s3cret-CANARY")


def test_a_rotation_that_was_killed_is_run_again(host: Host) -> None:
    """What was rotated before the end stays rotated, and a second run does the rest (T14)."""
    old, new = a_key(), a_key()
    before = host.with_store(settings(encryption_keys=(old,)))
    for name in "abc":
        before.add({**FIELDS, "name": name})
    store = host.with_store(settings(encryption_keys=(new, old)))
    written: list[str] = []

    def die(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("UPDATE"):
            written.append(statement)
        if len(written) == 3:
            raise RuntimeError("killed")

    event.listen(host.db.engine, "before_cursor_execute", die)
    with pytest.raises(RuntimeError):
        store.rotate()
    event.remove(host.db.engine, "before_cursor_execute", die)
    assert store.unreadable() == []
    assert (store.rotate().changed, len(host.with_store(settings(encryption_keys=(new,))).unreadable())) == (1, 0)


def test_derived_keys_are_rotated_to_configured_ones(host: Host) -> None:
    """Passwords stored under SECRET_KEY move to the encryption key once there is one."""
    derived = host.with_store(Settings(secret_keys=(Secret("dev"),)))
    profile = derived.add(FIELDS).profile
    key = a_key()
    store = host.with_store(settings(encryption_keys=(key,), secret_keys=(Secret("dev"),)))
    assert store.password_of(profile) == Secret("s3cret-CANARY")
    assert store.rotate().changed == 1
    assert host.with_store(settings(encryption_keys=(key,))).unreadable() == []


# -- several at once


def workers(host: Host, count: int, work: Callable[[int], Any]) -> list[BaseException]:
    """Run ``work`` in threads with an app context of their own; return what they raised."""
    errors: list[BaseException] = []
    ready = threading.Barrier(count)

    def run(number: int) -> None:
        with host.app.app_context():
            ready.wait(10)
            try:
                work(number)
            except Exception as error:  # noqa: BLE001 - the test looks at it
                errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return errors


@pytest.fixture
def shared(host: Host) -> Host | None:
    """A host whose database several connections can use at once: not SQLite in memory, which has only one."""
    return None if host.kind == "sqlite-memory" else host


def test_one_name_is_given_once(shared: Host | None) -> None:
    """Of several that add the same name at the same time, one wins; the others are told beside the name."""
    if shared is None:
        return
    errors = workers(shared, 6, lambda _number: shared.store.add(FIELDS))
    assert len(shared.store.servers()) == 1
    assert len(errors) == 5
    assert all(isinstance(error, InvalidServer) and list(error.fields) == ["name"] for error in errors), errors


def test_one_default_whoever_is_fastest(shared: Host | None) -> None:
    """Several that make different servers the default at the same time leave exactly one; positions stay dense."""
    if shared is None:
        return
    made = [shared.store.add({**FIELDS, "name": str(number)}).profile for number in range(6)]

    def work(number: int) -> None:
        shared.store.make_default(made[number].public_id)
        shared.store.move(made[number].public_id, 1)

    assert workers(shared, 6, work) == []
    servers = shared.store.servers()
    assert [profile.is_default for profile in servers].count(True) == 1
    assert [profile.position for profile in servers] == list(range(6))


def test_two_edits_of_one_version(shared: Host | None) -> None:
    """Of several that save the same version at the same time, one wins and the others are told (C05)."""
    if shared is None:
        return
    profile = shared.store.add(FIELDS).profile
    errors = workers(shared, 5, lambda number: shared.store.edit(profile.public_id, {"name": f"n{number}"}, version=1))
    assert [type(error) for error in errors] == [ServerChanged] * 4, errors
    assert shared.store.get(profile.public_id).version == 2


def test_rotation_loses_no_edit(shared: Host | None) -> None:
    """Passwords and names that are changed while keys are rotated are all there afterwards (K05)."""
    if shared is None:
        return
    old, new = a_key(), a_key()
    before = shared.with_store(settings(encryption_keys=(old,)))
    made = [before.add({**FIELDS, "name": str(number)}).profile for number in range(4)]
    store = shared.with_store(settings(encryption_keys=(new, old)))

    def work(number: int) -> None:
        if number % 2:
            store.rotate()
        else:
            for profile in made:
                store.edit(profile.public_id, {"password": f"p{number}", "sender_name": f"s{number}"})

    assert workers(shared, 4, work) == []
    store.rotate()
    after = shared.with_store(settings(encryption_keys=(new,)))
    for profile in after.servers():
        secret = after.password_of(profile)
        assert secret is not None
        assert secret.reveal()[1:] == profile.sender_name[1:]


# -- faults


@pytest.mark.parametrize("change", ["edit", "remove", "add"])
def test_a_broken_database_is_one_plain_error(fresh_host: Host, change: str) -> None:
    """A failure in the middle of a change undoes all of it; the driver's own error stands behind, without a secret."""
    host = fresh_host
    profile = host.store.add(FIELDS).profile
    sql(host, "DROP TABLE smtpservers_event")  # the history is written last
    with pytest.raises(StoreUnavailable) as caught:
        if change == "edit":
            host.store.edit(profile.public_id, {"name": "x", "password": "other-CANARY"})
        elif change == "remove":
            host.store.remove(profile.public_id)
        else:
            host.store.add({**FIELDS, "name": "y", "is_default": True})
    assert caught.value.__cause__ is not None
    assert "CANARY" not in f"{caught.value} {caught.value.__cause__}"
    assert host.store.servers() == [profile]
    assert len(host.events) == 1


def test_an_unreachable_database() -> None:
    """A database that cannot be opened is told as such by every method."""
    with host_app("sqlite:////nonexistent/directory/app.db", create=False) as host, host.app.app_context():
        for read in (
            host.store.servers,
            host.store.sending_enabled,
            host.store.missing_tables,
            lambda: host.store.candidates(using=None, address=""),
            lambda: host.store.add(FIELDS),
            lambda: host.drafts.keep({}, binding=""),
        ):
            with pytest.raises(StoreUnavailable):
                read()


def test_a_locked_database(tmp_path: Any) -> None:
    """While another process writes to the SQLite file, a change is refused plainly; reading goes on."""
    url = f"sqlite:///{tmp_path / 'app.db'}"
    options = {"connect_args": {"timeout": 0.05}}
    with host_app(url, engine_options=options) as host, host.app.app_context():
        profile = host.store.add(FIELDS).profile
        busy = sqlite3.connect(tmp_path / "app.db")
        busy.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable):
            host.store.edit(profile.public_id, {"name": "x"})
        assert host.store.servers() == [profile]
        busy.rollback()
        busy.close()
        assert host.store.edit(profile.public_id, {"name": "x"}).profile.name == "x"


def test_before_the_migration(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    """Without tables the lists are empty, sending is on, and a change says what to run; the log complains once."""
    with host_app(database.url, create=False) as host, host.app.app_context():
        assert host.store.servers() == []
        assert host.store.sending_enabled()
        assert host.store.events("x") == []
        assert host.store.candidates(using=None, address="a@b.org").table_missing
        assert host.drafts.take("x", binding="") is None
        assert host.store.missing_tables() == [table.name for table in attach(host.db)]
        assert caplog.text.count("run the migrations") == 1
        with pytest.raises(StoreUnavailable, match="flask db upgrade"):
            host.store.add(FIELDS)
        with pytest.raises(ServerNotFound):
            host.store.get("x")
        host.db.create_all()
        assert host.store.add(FIELDS).profile.is_default
        assert not host.store.candidates(using=None, address="a@b.org").table_missing


def test_old_tables(fresh_host: Host) -> None:
    """With a column that a migration has yet to add, mail goes on with its default, and the check names it."""
    host = fresh_host
    host.store.add({**FIELDS, "address": "a@example.com"})
    sql(host, "ALTER TABLE smtpservers_server DROP COLUMN sender_policy")
    fresh = host.with_store(settings())
    (server,) = fresh.candidates(using=None, address="a@example.com").servers
    assert server.sender_policy is SenderPolicy.KEEP
    assert fresh.servers() == [server]
    assert fresh.missing_columns() == ["smtpservers_server.sender_policy"]
    assert fresh.missing_tables() == []
    with pytest.raises(StoreUnavailable, match="flask db upgrade"):
        fresh.edit(server.public_id, {"name": "x"})


def test_tables_that_vanish_are_noticed(fresh_host: Host) -> None:
    """Tables that another process drops are missing from the next send on, and there again when they are made."""
    host = fresh_host
    host.store.add(FIELDS)
    for table in ("server", "option", "event", "draft"):
        sql(host, f"DROP TABLE smtpservers_{table}")
    with pytest.raises(StoreUnavailable):
        host.store.servers()
    assert host.store.servers() == []
    assert host.store.candidates(using=None, address="").table_missing
    host.db.create_all()
    assert not host.store.candidates(using=None, address="").table_missing


def test_a_damaged_row_stops_no_other(host: Host, add: Add, caplog: pytest.LogCaptureFixture) -> None:
    """A row with a value that this program never writes is left out and logged; the others work."""
    add()
    add(name="good")
    sql(host, "UPDATE smtpservers_server SET security = 'magic' WHERE name = 'Invoices'")
    assert names(host.store) == ["good"]
    assert "damaged" in caplog.text


def test_two_apps_keep_apart(tmp_path: Any) -> None:
    """One db object in two apps: each reads its own database."""
    from flask import Flask

    with host_app(f"sqlite:///{tmp_path / 'one.db'}") as one:
        other = Flask("other")
        other.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path / 'two.db'}"
        one.db.init_app(other)
        with one.app.app_context():
            one.store.add(FIELDS)
        with other.app_context():
            assert one.store.candidates(using=None, address="").table_missing
            one.db.create_all()
            assert one.store.servers() == []
            one.db.engine.dispose()
        with one.app.app_context():
            assert len(one.store.servers()) == 1


def test_times_are_utc(host: Host, add: Add) -> None:
    """Times come back aware, to the microsecond, whatever the zone of the clock."""
    from datetime import timezone

    profile = add()
    host.clock.now = host.clock.now.astimezone(timezone(timedelta(hours=5)))
    host.store.record_test(profile, True, "")
    tested = host.store.get(profile.public_id).tested_at
    assert tested is not None
    assert tested == host.clock()
    assert tested.utcoffset() == timedelta(0)
