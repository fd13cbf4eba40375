"""Settings as a file: what is exported can be imported, all or nothing, and holds no secret."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from flask_smtpservers.errors import InvalidServer, ServerChanged
from flask_smtpservers.permissions import APP, Scope
from flask_smtpservers.policy import Kind, Mode
from flask_smtpservers.secret import Secret
from flask_smtpservers.servers import toml
from flask_smtpservers.servers.comparing import plan_of
from flask_smtpservers.servers.document import as_json, as_toml, exported, read_document
from flask_smtpservers.servers.importing import apply
from flask_smtpservers.servers.plan import Plan
from flask_smtpservers.servers.store import ServerStore

from ..smtp.certificates import self_signed
from .conftest import FIELDS, Host
from .conftest import settings as host_settings

KINDS = {"receipts": Kind("receipts", "Receipts"), "bulk": Kind("bulk", "Newsletters", bulk=True)}
ACME, ANN = Scope("acme"), Scope(owner="7")
PASSWORD = "s3cret-CANARY"


@pytest.fixture
def store(host: Host) -> ServerStore:
    return host.with_store(host_settings(kinds=KINDS, personal=True), on_event=host.events.append)


def imported(store: ServerStore, text: str, scope: Scope = APP, **options: Any) -> Plan:
    """Import a text; every password that is missing is the same one."""
    options.setdefault("ask", lambda _name, _field: Secret(PASSWORD))
    plan = plan_of(store, read_document(text), scope=scope, kinds=tuple(KINDS), **options)
    if not plan.empty:
        apply(store, plan, actor="import")
    return plan


def refused(store: ServerStore, text: str, scope: Scope = APP) -> dict[str, tuple[str, ...]]:
    """What is said of a bad file; nothing was written."""
    before = exported(store, scope)
    with pytest.raises(InvalidServer) as caught:
        imported(store, text, scope, ask=lambda _name, _field: None)
    assert exported(store, scope) == before
    return caught.value.fields


def told(plan: Plan) -> dict[str, tuple[str, dict[str, tuple[Any, Any]]]]:
    return {
        one.name: (one.action, {change.name: (change.old, change.new) for change in one.differences})
        for one in plan.servers
    }


# -- there and back

LINE = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
ENTRIES = st.lists(
    st.fixed_dictionaries(
        {
            "name": LINE,
            "host": st.sampled_from(["smtp.example.com", "203.0.113.9", "2001:db8::25", "mail.bücher.example"]),
        },
        optional={
            "port": st.integers(1, 65535),
            "security": st.sampled_from(["ssl", "starttls", "none"]),
            "address": st.sampled_from(["a@example.com", "jörg@bücher.example", "o'neill+x@example.com"]),
            "sender_name": LINE,
            "sender_format": st.sampled_from(["{name}", "{user} via {app}", 'a\\"b" {name}']),
            "sender_policy": st.sampled_from(["keep", "fill_name", "force"]),
            "foreign_sender": st.sampled_from(["keep", "rewrite", "refuse"]),
            "allowed_senders": st.lists(
                st.sampled_from(["example.org", "x@example.net", "bücher.example"]), max_size=3
            ),
            "reply_to": st.sampled_from(["", "desk@example.com"]),
            "timeout_seconds": st.floats(1, 120),
            "max_connections": st.integers(0, 100),
            "pipelining": st.booleans(),
            "auth_mechanism": st.sampled_from(["", "CRAM-MD5"]),
            "provider": st.sampled_from(["", "gmail", "strange.id"]),
            "login": st.sampled_from(["text", "env", "none"]),
        },
    ),
    max_size=4,
)
STANDING = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["pause", "default", "up", "down", "draft", "forget"]))
)


def _stand(store: ServerStore, number: int, what: str) -> None:
    servers = store.servers()
    if number >= len(servers):
        return
    public_id = servers[number].public_id
    with suppress(InvalidServer):
        {
            "pause": lambda: store.set_enabled(public_id, False),
            "default": lambda: store.make_default(public_id),
            "up": lambda: store.move(public_id, -1),
            "down": lambda: store.move(public_id, 1),
            "draft": lambda: store.edit(public_id, {"draft": True}),
            "forget": lambda: store.edit(public_id, {"password": None}),
        }[what]()


def _wipe(host: Host) -> None:
    with host.db.engine.begin() as connection:
        for table in host.db.metadata.sorted_tables:
            connection.execute(table.delete())


@given(
    entries=ENTRIES,
    standing=STANDING,
    kinds=st.dictionaries(st.sampled_from(sorted(KINDS)), st.integers(0, 3)),
    modes=st.dictionaries(st.sampled_from(list(Mode)), st.booleans()),
    sending=st.booleans(),
    form=st.sampled_from([as_toml, as_json]),
)
@settings(
    max_examples=10,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_there_and_back(
    host: Host,
    store: ServerStore,
    entries: list[dict[str, Any]],
    standing: list[tuple[int, str]],
    kinds: dict[str, int],
    modes: dict[Mode, bool],
    sending: bool,
    form: Callable[[Any], str],
) -> None:
    """Whatever is set up: exported, imported into an empty app and exported again it is the same; twice is once."""
    _wipe(host)
    for entry in entries:
        login = {"text": {"password": PASSWORD}, "env": {"password": "env:SMTP_PASSWORD"}, "none": {}}
        account = login[entry.pop("login", "none")]
        if account:
            account = {**account, "username": "me", "security": "ssl"}
        with suppress(InvalidServer):  # two of the same name, or signs that a name must not hold
            store.add({"address": "shop@example.com", **entry, **account}, operator=True)
    for number, what in standing:
        _stand(store, number, what)
    servers = store.servers()
    for kind, number in kinds.items():
        if number < len(servers):
            store.assign_kind(kind, servers[number].public_id)
    for mode, on in modes.items():
        store.switch_mode(mode, on)
    store.switch_sending(sending)
    before = exported(store)
    text = form(before)
    assert PASSWORD not in text
    assert imported(store, text).empty
    _wipe(host)
    assert imported(store, text).empty == (not servers and not modes and sending)
    assert exported(store) == before
    host.events.clear()
    assert imported(store, text).empty
    assert host.events == []


@given(
    st.recursive(
        st.dictionaries(
            st.text(min_size=1),
            st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text() | st.lists(st.text()),
            max_size=4,
        ),
        lambda inner: st.dictionaries(st.text(min_size=1), inner | st.lists(inner, min_size=1, max_size=3), max_size=3),
        max_leaves=6,
    )
)
def test_what_is_written_as_toml_is_read_the_same(values: dict[str, Any]) -> None:
    """Texts of every kind, also as names."""
    text = toml.written(values)
    assume("\r\n" not in text)
    assert tomllib.loads(text) == values


def test_certificates_and_keys(store: ServerStore) -> None:
    """A certificate stands in the file on lines of its own; its key does not, and is asked for."""
    certificate, key = self_signed("client.example.test")
    store.add({**FIELDS, "client_certificate": certificate, "client_key": key})
    text = as_toml(exported(store))
    assert certificate in text
    assert key.split("\n")[1] not in text
    store.remove_all(scope=APP)
    asked: list[tuple[str, str]] = []

    def ask(name: str, field: str) -> Secret:
        asked.append((name, field))
        return Secret({"password": PASSWORD, "client_key": key}[field])

    imported(store, text, ask=ask)
    assert sorted(asked) == [("Invoices", "client_key"), ("Invoices", "password")]
    (server,) = store.servers()
    assert store.client_key_of(server) == Secret(key)
    assert as_toml(exported(store)) == text


# -- what changes


def test_a_plan_tells_old_and_new(store: ServerStore) -> None:
    """Added, changed with old and new values, removed only if asked for; secrets only as changed."""
    shop = store.add(FIELDS | {"name": "Shop"}).profile
    store.add(FIELDS | {"name": "Old"})
    text = """
        [[server]]
        name = "shop"
        sender_name = "Corner Shop"
        password = "another"
        [[server]]
        name = "New"
        host = "mail.example.net"
        address = "new@example.net"
        is_default = true
    """
    plan = plan_of(store, read_document(text))
    assert told(plan)["Shop"] == (
        "changed",
        {
            "name": ("Shop", "shop"),
            "password": (True, True),
            "sender_name": ("", "Corner Shop"),
            "is_default": (True, False),
        },
    )
    assert told(plan)["New"][0] == "added"
    assert "Old" not in told(plan)
    assert "another" not in repr(plan)
    assert {one.name for one in store.servers()} == {"Shop", "Old"}
    apply(store, plan)
    assert [(one.name, one.is_default, one.sender_name) for one in store.servers()] == [
        ("shop", False, "Corner Shop"),
        ("Old", False, ""),
        ("New", True, ""),
    ]
    assert store.get(shop.public_id).name == "shop"
    assert store.password_of(store.get(shop.public_id)) == Secret("another")
    plan = imported(store, text, prune=True)
    assert told(plan) == {"Old": ("removed", {})}
    assert [one.name for one in store.servers()] == ["shop", "New"]


def test_places(store: ServerStore) -> None:
    """A server with a place takes it; the others keep the order that they have."""
    for name in "abcd":
        store.add(FIELDS | {"name": name})
    assert imported(store, '[[server]]\nname = "d"\nposition = 1').moved
    assert [one.name for one in store.servers()] == ["a", "d", "b", "c"]
    assert [one.position for one in store.servers()] == [0, 1, 2, 3]


def test_kinds_and_switches_of_a_tenant(store: ServerStore) -> None:
    """A tenant's kinds may go through servers of the app; of the same name, the file tells which."""
    shared = store.add(FIELDS).profile
    own = store.add(FIELDS, scope=ACME).profile
    store.assign_kind("receipts", shared.public_id, scope=ACME)
    store.assign_kind("bulk", own.public_id, scope=ACME)
    store.switch_sending(False, scope=ACME)
    before = exported(store, ACME)
    assert before["kinds"] == {"bulk": "Invoices", "receipts": {"shared": "Invoices"}}
    text = as_toml(before)
    store.remove_all(scope=ACME)
    store.assign_kind("receipts", None, scope=ACME)
    store.switch_sending(True, scope=ACME)
    imported(store, text, ACME)
    assert exported(store, ACME) == before
    assert store.kinds(scope=ACME)["receipts"] == shared.public_id
    plan = imported(store, '[kinds]\nbulk = "Invoices"', ACME, prune=False)
    assert plan.empty
    assert store.sending_enabled()


def test_servers_of_a_user(store: ServerStore) -> None:
    """They are exported and imported as his, under the rules for users, and without switches."""
    store.add(FIELDS, scope=ANN)
    before = exported(store, ANN)
    assert set(before) == {"format", "server"}
    assert imported(store, as_json(before), ANN).empty
    assert refused(store, "sending_enabled = false", ANN).keys() == {"file"}
    assert refused(store, '[[server]]\nname = "x"\nhost = "h.example.com"\naddress = "a@b.example"\nport = 4444', ANN)


def test_a_password_stays_only_where_it_went(store: ServerStore) -> None:
    """To another place it must be given again, by the file or by whoever is asked."""
    store.add(FIELDS)
    text = '[[server]]\nname = "Invoices"\nhost = "evil.example.net"'
    (said,) = refused(store, text).items()
    assert said[0] == "server 1 “Invoices”: password"
    assert "another place" in said[1][0]
    with_reference = text + '\npassword = "env:SMTP_PASSWORD"'
    assert told(imported(store, with_reference))["Invoices"][1]["password"] == (True, "env:SMTP_PASSWORD")
    assert imported(store, with_reference).empty


def test_other_ways_to_write_a_server(store: ServerStore) -> None:
    """URLs, Flask-Mail's switches and names."""
    imported(
        store,
        """
        [[server]]
        url = "smtps://me%40example.com:pass%2Fword@smtp.example.com?name=Url&timeout_seconds=20"
        address = "me@example.com"
        [[server]]
        name = "Alias"
        host = "smtp.example.net"
        use_ssl = true
        address = "me@example.net"
        """,
    )
    url, alias = store.servers()
    assert (url.name, url.host, url.port, url.security, url.username, url.timeout_seconds) == (
        "Url",
        "smtp.example.com",
        465,
        "ssl",
        "me@example.com",
        20.0,
    )
    assert store.password_of(url) == Secret("pass/word")
    assert (alias.security, alias.port) == ("ssl", 465)
    store.remove_all(scope=APP)
    flask_mail = {
        "MAIL_SERVER": "smtp.example.com",
        "MAIL_PORT": 587,
        "MAIL_USE_TLS": True,
        "MAIL_USERNAME": "me",
        "MAIL_PASSWORD": "pw",
        "MAIL_DEFAULT_SENDER": ["Doe, John", "me@example.com"],
        "MAIL_DEBUG": False,
    }
    imported(store, json.dumps(flask_mail))
    (server,) = store.servers()
    assert (server.name, server.port, server.security, server.sender_name, server.address) == (
        "smtp.example.com",
        587,
        "starttls",
        "Doe, John",
        "me@example.com",
    )


# -- what goes wrong

BAD = {
    "no TOML": ("[[server]\nname = 1", "file"),
    "no JSON": ('{"server": [', "file"),
    "a list": ('[{"name": "x"}]', "file"),
    "unknown table": ("[smtp]\nx = 1", "smtp"),
    "newer": ("format = 2", "format"),
    "no switch": ('sending_enabled = "on"', "sending_enabled"),
    "one table": ('[server]\nname = "x"', "server"),
    "no way": ("[modes]\nfast = true", "modes.fast"),
    "no kind": ('[kinds]\nother = "Shop"', "kinds.other"),
    "kind for nobody": ('[kinds]\nbulk = "Nobody"', "kinds.bulk"),
    "not a server": ('{"server": [3]}', "server 1: url"),
    "unknown field": ('[[server]]\nname = "a"\nhots = "x"', "server 1 “a”: hots"),
    "no host": ('[[server]]\nname = "a"\naddress = "a@b.example"', "server 1 “a”: host"),
    "bad port": (
        '[[server]]\nname = "a"\nhost = "h.example.com"\naddress = "a@b.example"\nport = 70000',
        "server 1 “a”: port",
    ),
    "no URL": ('[[server]]\nurl = "smtp.example.com"', "server 1: url"),
    "other URL": ('[[server]]\nurl = "imap://h.example.com"\naddress = "a@b.example"', "server 1: host"),
    "twice": ('[[server]]\nurl = "smtp://h.example.com"\nhost = "x"', "server 1: host"),
    "no password": (
        '[[server]]\nname = "a"\nhost = "h.example.com"\nusername = "u"\naddress = "a@b.example"',
        "server 1 “a”: password",
    ),
    "two of a name": ('[[server]]\nname = "Shop"\n[[server]]\nname = "SHOP"', "server 2 “SHOP”: name"),
    "two defaults": (
        (
            '[[server]]\nurl = "smtp://h.example.com?name=x"\naddress = "a@b.example"\nis_default = true\n'
            '[[server]]\nurl = "smtp://h.example.com?name=y"\naddress = "a@b.example"\nis_default = true'
        ),
        "is_default",
    ),
}


@pytest.mark.parametrize(("text", "place"), BAD.values(), ids=BAD)
def test_a_bad_file_changes_nothing(store: ServerStore, text: str, place: str) -> None:
    """It is refused with the place and a sentence, also if only one of its servers is wrong."""
    store.add(FIELDS | {"name": "Shop"})
    assert place in refused(store, text)


def test_all_or_nothing(host: Host, store: ServerStore) -> None:
    """If a server changes after the diff was shown, nothing of the import is written, and nobody is told of any."""
    first = store.add(FIELDS | {"name": "First"}).profile
    store.add(FIELDS | {"name": "Second"})
    text = '[[server]]\nname = "Second"\nsender_name = "x"\n[[server]]\nname = "First"\nsender_name = "y"'
    plan = plan_of(store, read_document(text))
    store.edit(first.public_id, {"reply_to": "else@example.com"})
    host.events.clear()
    with pytest.raises(ServerChanged):
        apply(store, plan)
    added = plan_of(store, read_document(text))
    store.add(FIELDS | {"name": "Third"})
    host.events.clear()
    with pytest.raises(ServerChanged, match="meanwhile"):
        apply(store, added)
    assert [one.sender_name for one in store.servers()] == ["", "", ""]
    assert host.events == []


def test_the_history_knows_who(host: Host, store: ServerStore) -> None:
    """Each server has its entry, and whoever listens hears of each."""
    imported(store, '[[server]]\nurl = "smtp://h.example.com?name=x"\naddress = "a@b.example"')
    assert [(event.action, event.actor) for event in host.events] == [("added", "import")]
    assert [(event.action, event.actor) for event in store.history(limit=5)] == [("added", "import")]


def test_a_password_that_is_the_same_is_left_alone(host: Host, store: ServerStore) -> None:
    """Named or written in the file: if it is the stored one, only the rest is changed."""
    store.add(FIELDS)
    store.add({**FIELDS, "name": "Other", "password": "env:SMTP_PASSWORD"}, operator=True)
    before = [one.password for one in store.servers()]
    host.events.clear()
    imported(
        store,
        f"""
        [[server]]
        name = "Invoices"
        password = "{PASSWORD}"
        sender_name = "x"
        [[server]]
        name = "Other"
        password = "env:SMTP_PASSWORD"
        sender_name = "y"
        """,
    )
    assert [one.password for one in store.servers()] == before
    assert [event.fields for event in host.events] == [("sender_name",), ("sender_name",)]


def test_a_server_without_the_password_of_its_user(store: ServerStore) -> None:
    """Where the stored one was removed, the file says so, and nobody is asked for it."""
    public_id = store.add(FIELDS).profile.public_id
    store.edit(public_id, {"password": None})
    text = as_toml(exported(store))
    assert "has_password = false" in text
    store.remove_all(scope=APP)
    imported(store, text, ask=lambda _name, _field: None)
    assert as_toml(exported(store)) == text
    (server,) = store.servers()
    assert (server.username, server.has_password) == (FIELDS["username"], False)
    store.edit(server.public_id, {"password": PASSWORD})
    assert told(imported(store, text)) == {"Invoices": ("changed", {"password": (True, None)})}
    assert not store.servers()[0].has_password
