"""Servers of the app's configuration: read at the start, first in the list, and nobody changes them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flask_smtpservers.config import Settings
from flask_smtpservers.errors import ConfigurationError, InvalidServer, SecretUnreadable, ServerLocked, ServerNotFound
from flask_smtpservers.permissions import APP, Scope
from flask_smtpservers.secret import Secret
from flask_smtpservers.servers.comparing import plan_of
from flask_smtpservers.servers.configured import Configured
from flask_smtpservers.servers.document import exported, read_document
from flask_smtpservers.servers.importing import apply
from flask_smtpservers.servers.store import ServerStore

from .conftest import FIELDS, Host, a_key, host_app

RELAY = {"name": "Relay", "host": "relay.example.com", "address": "relay@example.com"}
ENVIRONMENT = {"SMTP_PASSWORD": "from-env", "SMTP_HOST": "smtp.example.org", "SMTP_NAME": "Named elsewhere"}


def configured(*servers: Any, **values: Any) -> Settings:
    config = {"SMTPSERVERS_SERVERS": list(servers), "SMTPSERVERS_ENCRYPTION_KEYS": [a_key().reveal()], **values}
    return Settings.from_config(config)


def read(value: Any) -> Configured:
    return Configured(Settings.from_config({"SMTPSERVERS_SERVERS": value}), environment=ENVIRONMENT)


@pytest.fixture
def make(host: Host) -> Callable[..., ServerStore]:
    """A store for servers of the configuration, beside what is in the database."""

    def made(*servers: Any, **values: Any) -> ServerStore:
        settings = configured(*servers, **values)
        return host.with_store(settings, on_event=host.events.append, environment=ENVIRONMENT)

    return made


def wrong(value: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read(value)
    assert "s3cret" not in str(caught.value)
    return str(caught.value)


# -- reading


def test_fields_urls_and_references() -> None:
    """The fields are those of the form; any may stand in the environment, and each knows where it is set."""
    found = read(
        [
            {
                "name": "env:SMTP_NAME",
                "host": "env:SMTP_HOST",
                "username": "me",
                "password": "env:SMTP_PASSWORD",
                "address": "me@example.org",
                "use_ssl": True,
            },
            "smtps://me%40example.com:s3cret@smtp.example.com?name=Url&address=me@example.com&enabled=no",
        ]
    )
    first, second = found.servers
    assert (first.name, first.host, first.port, first.security) == ("Named elsewhere", "smtp.example.org", 465, "ssl")
    assert (first.origin, first.position) == ("app.config SMTPSERVERS_SERVERS[0]", -2)
    assert dict(found.origins(first.public_id)) == {
        "name": "environment variable SMTP_NAME",
        "host": "environment variable SMTP_HOST",
        "username": "app.config SMTPSERVERS_SERVERS[0]",
        "password": "environment variable SMTP_PASSWORD",
        "address": "app.config SMTPSERVERS_SERVERS[0]",
        "use_ssl": "app.config SMTPSERVERS_SERVERS[0]",
    }
    assert found.password_of(first) == Secret("from-env")
    assert (second.name, second.username, second.enabled, second.position) == ("Url", "me@example.com", False, -1)
    assert found.password_of(second) == Secret("s3cret")
    assert "s3cret" not in repr(vars(found))


def test_a_file(tmp_path: Path) -> None:
    """The path of a TOML file with [[server]] tables; the origin names file and table."""
    path = tmp_path / "mail.toml"
    path.write_text('[[server]]\nname = "Relay"\nhost = "relay.example.com"\naddress = "relay@example.com"\n')
    (server,) = read(str(path)).servers
    assert (server.name, server.origin) == ("Relay", "mail.toml, [[server]] 1")
    assert read(path).servers == [server]
    assert (
        read("smtp://relay.example.com?address=relay@example.com").servers[0].origin == "app.config SMTPSERVERS_SERVERS"
    )


def test_the_public_id_stays() -> None:
    """It follows from the name, so that results and kinds of mail keep their server after a restart."""
    (one,) = read([RELAY]).servers
    (other,) = read([{**RELAY, "name": "RELAY", "host": "other.example.com"}]).servers
    assert one.public_id == other.public_id
    assert len(one.public_id) == 32


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (3, "must be a list of servers, a URL, or the path of a TOML file"),
        ("/nowhere/mail.toml", "cannot be read"),
        ([3], "app.config SMTPSERVERS_SERVERS[0]: url: A server is a table of fields"),
        ([{**RELAY, "port": 70000}], "app.config SMTPSERVERS_SERVERS[0]: port: A port is a whole number"),
        ([RELAY, {**RELAY, "hots": "x"}], "app.config SMTPSERVERS_SERVERS[1]: hots: A server has no such field."),
        ([{**RELAY, "host": "env:NOT_SET"}], "host: The environment variable NOT_SET is not set."),
        ([RELAY, {**RELAY, "name": "relay"}], "[1]: name: Another server has this name already."),
        ([{**RELAY, "is_default": True}, {**RELAY, "name": "b", "is_default": True}], "Another server is the default"),
        ([{**RELAY, "is_default": True, "enabled": False}], "A paused server cannot be the default"),
        ([{**RELAY, "position": 3}], "The servers stand in the order of the configuration."),
        ([{**RELAY, "username": "u", "password": "s3cret", "security": "none"}], "Without encryption"),
        (["smtp://u:s3cret@h.example.com/x?y=1@z"], "SMTPSERVERS_SERVERS[0]"),
    ],
)
def test_what_is_wrong_is_told_at_the_start(value: Any, said: str) -> None:
    """With the entry and the field, and without a secret."""
    assert said in wrong(value)


def test_secrets_are_not_shown() -> None:
    settings = configured({**RELAY, "username": "u", "password": "s3cret"}, "smtps://u:s3cret@h.example.com")
    assert "s3cret" not in repr(settings)


# -- beside the stored ones


def test_first_in_the_list_and_in_lookups(host: Host, make: Callable[..., ServerStore]) -> None:
    """They are found by id, by name and by a message, with one SELECT as before."""
    make().add(FIELDS)
    store = make(RELAY, {**RELAY, "name": "Second"})
    assert [one.name for one in store.servers()] == ["Relay", "Second", "Invoices"]
    relay = store.servers()[0]
    assert store.get(relay.public_id) == store.find("RELAY") == store.find(relay.public_id) == relay
    assert store.servers(scope=Scope("acme")) == []
    with pytest.raises(ServerNotFound):
        store.get(relay.public_id, scope=Scope("acme"))
    store.candidates(using=None, address="")
    with host.statements() as seen:
        found = store.candidates(using=None, address="x@example.com", scope=Scope("acme"))
    assert len(seen) == 1
    assert [one.name for one in found.servers] == ["Relay", "Second", "Invoices"]


CHANGES: dict[str, Callable[[ServerStore, str], Any]] = {
    "edit": lambda store, one: store.edit(one, {"sender_name": "x"}),
    "propose": lambda store, one: store.propose(one, {"host": "x.example.com"}),
    "remove": lambda store, one: store.remove(one),
    "default": lambda store, one: store.make_default(one),
    "pause": lambda store, one: store.set_enabled(one, False),
    "move": lambda store, one: store.move(one, 1),
    "suspend": lambda store, one: store.suspend(one),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_nobody_changes_them(
    host: Host, make: Callable[..., ServerStore], change: Callable[[ServerStore, str], Any]
) -> None:
    """Whoever tries is told where the server is set up."""
    store = make(RELAY)
    with pytest.raises(
        ServerLocked, match=r"set up in the app's configuration \(app.config SMTPSERVERS_SERVERS\[0\]\)"
    ):
        change(store, store.servers()[0].public_id)
    assert host.events == []


def test_names(make: Callable[..., ServerStore]) -> None:
    """A name of the configuration cannot be taken; a stored server that had it first sends nothing."""
    old = make().add({**FIELDS, "name": "relay"}).profile
    store = make(RELAY)
    with pytest.raises(InvalidServer, match="Another server has this name already"):
        store.add({**FIELDS, "name": "RELAY"})
    (covered,) = [one for one in store.servers() if one.public_id == old.public_id]
    assert (covered.usable, covered.enabled) == (False, True)
    assert covered.suspended_reason == "The app's configuration has a server of this name."
    assert [one.usable for one in store.candidates(using="relay", address="").servers] == [True, False]
    store.edit(old.public_id, {"name": "Free again"})
    assert store.get(old.public_id).usable


def test_the_default(make: Callable[..., ServerStore]) -> None:
    """If the configuration names one it is that; else that of the stored ones."""
    stored = make().add(FIELDS).profile
    assert stored.is_default
    assert [one.is_default for one in make(RELAY).servers()] == [False, True]
    store = make({**RELAY, "is_default": True})
    assert [one.is_default for one in store.servers()] == [True, False]
    assert [one.is_default for one in store.candidates(using=None, address="").servers] == [True, False]
    other = store.add({**FIELDS, "name": "Other"}).profile
    for change in (
        lambda: store.make_default(other.public_id),
        lambda: store.edit(other.public_id, {"is_default": True}),
        lambda: store.add({**FIELDS, "name": "Third", "is_default": True}),
    ):
        with pytest.raises(InvalidServer, match="The app's configuration makes “Relay” the default"):
            change()
    store.remove_all(scope=APP)
    assert not store.add(FIELDS).profile.is_default
    assert store.add(FIELDS, scope=Scope("acme")).profile.is_default


def test_kinds_of_mail(make: Callable[..., ServerStore]) -> None:
    """A kind of mail may go through one of them."""
    store = make(RELAY, SMTPSERVERS_KINDS={"bulk": "Newsletters"})
    relay = store.servers()[0].public_id
    for scope in (APP, Scope("acme")):
        store.assign_kind("bulk", relay, scope=scope)
        assert store.candidates(using=None, address="", kind="bulk", scope=scope).kind_servers == (relay,)
    text = '[kinds]\nbulk = "Relay"'
    assert plan_of(store, read_document(text), kinds=["bulk"]).empty
    store.assign_kind("bulk", None)
    apply(store, plan_of(store, read_document(text), kinds=["bulk"]))
    assert store.kinds() == {"bulk": relay}


def test_export_and_import_leave_them_alone(make: Callable[..., ServerStore]) -> None:
    """They are no part of an export; an import cannot name one."""
    store = make(RELAY)
    store.add(FIELDS)
    assert [one["name"] for one in exported(store)["server"]] == ["Invoices"]
    with pytest.raises(InvalidServer, match="set up in the app's configuration"):
        plan_of(store, read_document('[[server]]\nname = "relay"\nhost = "x.example.com"\naddress = "a@b.example"'))
    assert plan_of(store, read_document(""), prune=True).servers[0].name == "Invoices"
    apply(store, plan_of(store, read_document(""), prune=True))
    assert [one.name for one in store.servers()] == ["Relay"]


def test_results_of_tests_are_kept(host: Host, make: Callable[..., ServerStore]) -> None:
    """How the last test ended is shown by every process, until the settings are others."""
    store = make(RELAY)
    (relay,) = store.servers()
    until = datetime(2027, 1, 2, tzinfo=UTC)
    store.record_test(
        relay, False, 'It said "no" \\ ' + "–" * 300, tested_by="ann\n" * 30, certificate_expires_at=until
    )
    (seen,) = make(RELAY).servers()
    assert (seen.tested_at, seen.test_passed) == (host.clock.now.replace(microsecond=0), False)
    assert seen.test_title.startswith("It said 'no' / –")
    assert (seen.tested_by[:8], seen.certificate_expires_at) == ("ann?ann?", until)
    store.record_test(relay, True, "")
    assert make(RELAY).servers()[0].test_passed is True
    (other,) = make({**RELAY, "host": "other.example.com"}).servers()
    assert (other.tested_at, other.test_passed) == (None, None)


def test_a_password_that_is_not_set(make: Callable[..., ServerStore]) -> None:
    """Is told when it is needed, and by the self-check, not at the start: some processes send no mail."""
    store = make({**RELAY, "username": "u", "password": "env:NOT_SET"})
    (relay,) = store.servers()
    with pytest.raises(SecretUnreadable, match="NOT_SET"):
        store.password_of(relay)
    assert store.unreadable() == [relay]


def test_without_tables() -> None:
    """Mail goes through them also before the migrations were run."""
    with host_app("sqlite://", create=False) as bare, bare.app.app_context():
        store = bare.with_store(configured(RELAY))
        assert [one.name for one in store.servers()] == ["Relay"]
        found = store.candidates(using=None, address="")
        assert (found.table_missing, [one.name for one in found.servers]) == (True, ["Relay"])
