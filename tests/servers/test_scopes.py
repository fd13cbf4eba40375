"""Whose servers they are: the app's, a tenant's, a user's. On every database, nobody reaches another's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flask_smtpservers.errors import ConfigurationError, InvalidServer, ServerChanged, ServerNotFound, StoreUnavailable
from flask_smtpservers.permissions import APP, Scope
from flask_smtpservers.policy import Kind, Mode, ModeState
from flask_smtpservers.servers.profile import ServerProfile
from flask_smtpservers.servers.store import ServerStore

from .conftest import FIELDS, Host, settings
from .test_store import sql

ACME, OTHER = Scope("acme"), Scope("other")
ANN, BOB, ANN_AT_ACME = Scope(owner="7"), Scope(owner="8"), Scope("acme", "7")
SCOPES = (APP, ACME, OTHER, ANN, BOB, ANN_AT_ACME)

KINDS = {"receipts": Kind("receipts", "Receipts"), "bulk": Kind("bulk", "Newsletters", bulk=True)}


@pytest.fixture
def store(host: Host) -> ServerStore:
    return host.with_store(settings(personal=True, kinds=KINDS), on_event=host.events.append)


@pytest.fixture
def one_each(store: ServerStore) -> dict[Scope, ServerProfile]:
    """A server of the same name and address in every scope."""
    return {scope: store.add(FIELDS, scope=scope).profile for scope in SCOPES}


def reached(store: ServerStore, **sought: Any) -> set[Scope]:
    found = store.candidates(**{"using": None, "address": "", **sought})
    return {server.scope for server in found.servers}


def test_every_scope_has_names_defaults_and_places_of_its_own(
    store: ServerStore, one_each: dict[Scope, ServerProfile]
) -> None:
    """The same name in each; the first is the default of its scope, and takes no other scope's default away."""
    for scope, profile in one_each.items():
        assert store.servers(scope=scope) == [profile]
        assert (profile.scope, profile.is_default, profile.position) == (scope, True, 0)
        with pytest.raises(InvalidServer, match="has this name already"):
            store.add({**FIELDS, "name": "INVOICES"}, scope=scope)
        second = store.add({**FIELDS, "name": "Second"}, scope=scope).profile
        assert (second.is_default, second.position) == (False, 1)
        store.make_default(second.public_id, scope=scope)
    for scope in SCOPES:
        assert [(one.name, one.is_default) for one in store.servers(scope=scope)] == [
            ("Invoices", False),
            ("Second", True),
        ]
    store.move(store.find("second", scope=ACME).public_id, -1, scope=ACME)
    assert [one.name for one in store.servers(scope=ACME)] == ["Second", "Invoices"]
    assert [one.name for one in store.servers()] == ["Invoices", "Second"]


WAYS: dict[str, Callable[[ServerStore, str, Scope], Any]] = {
    "get": lambda store, public_id, scope: store.get(public_id, scope=scope),
    "find": lambda store, public_id, scope: store.find(public_id, scope=scope),
    "edit": lambda store, public_id, scope: store.edit(public_id, {"name": "Mine now"}, scope=scope),
    "remove": lambda store, public_id, scope: store.remove(public_id, scope=scope),
    "make_default": lambda store, public_id, scope: store.make_default(public_id, scope=scope),
    "set_enabled": lambda store, public_id, scope: store.set_enabled(public_id, False, scope=scope),
    "move": lambda store, public_id, scope: store.move(public_id, 1, scope=scope),
    "suspend": lambda store, public_id, scope: store.suspend(public_id, "no", scope=scope),
    "resume": lambda store, public_id, scope: store.resume(public_id, scope=scope),
    "verify_address": lambda store, public_id, scope: store.verify_address(
        public_id, "billing@example.com", scope=scope
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_foreign_id_is_as_unknown_as_one_that_never_was(
    store: ServerStore, one_each: dict[Scope, ServerProfile], way: str
) -> None:
    """Reading and changing alike, with the very same answer, and nothing changes."""
    before = store.every_server()
    with pytest.raises(ServerNotFound) as unknown:
        WAYS[way](store, "0" * 32, APP)
    for scope, profile in one_each.items():
        for other in SCOPES:
            if other != scope:
                with pytest.raises(ServerNotFound) as foreign:
                    WAYS[way](store, profile.public_id, other)
                assert str(foreign.value).replace(profile.public_id, "0" * 32) == str(unknown.value)
    assert store.every_server() == before


def test_a_tenant_or_user_who_is_no_more(host: Host, store: ServerStore, one_each: dict[Scope, ServerProfile]) -> None:
    """All his servers go, with their secrets and the kinds that were assigned to them; nobody else's."""
    store.add({**FIELDS, "name": "Second"}, scope=ACME)
    store.assign_kind("bulk", one_each[ACME].public_id, scope=ACME)
    assert len(store.remove_all(scope=ACME)) == 2
    assert store.remove_all(scope=ANN) == [one_each[ANN]]
    assert {one.scope for one in store.every_server()} == {APP, OTHER, BOB, ANN_AT_ACME}
    assert store.kinds(scope=ACME) == {}
    assert [event.action for event in host.events[-3:]] == ["removed"] * 3


def test_the_history_of_a_server_is_its_scopes(store: ServerStore, one_each: dict[Scope, ServerProfile]) -> None:
    for scope, profile in one_each.items():
        (event,) = store.events(profile.public_id, scope=scope)
        assert (event.action, event.tenant, event.owner) == ("added", scope.tenant or "", scope.owner or "")
        assert [store.events(profile.public_id, scope=other) for other in SCOPES if other != scope] == [[]] * 5


@pytest.mark.parametrize(
    ("scope", "visible"),
    [
        (APP, {APP}),
        (ACME, {APP, ACME}),
        (Scope("nobody"), {APP}),
        (ANN, {APP, ANN}),
        (ANN_AT_ACME, {APP, ACME, ANN_AT_ACME}),
        (Scope("other", "7"), {APP, OTHER}),
    ],
)
@pytest.mark.parametrize(
    "sought",
    [{}, {"using": "invoices"}, {"address": FIELDS["address"]}, {"address": "x@example.com"}],
    ids=["default", "name", "address", "domain"],
)
@pytest.mark.usefixtures("one_each")
def test_what_a_message_can_reach(store: ServerStore, scope: Scope, visible: set[Scope], sought: Any) -> None:
    """The app's servers, those of its tenant, and those of the user whose mail it is within that tenant."""
    assert reached(store, scope=scope, **sought) == visible


@pytest.mark.usefixtures("one_each")
def test_a_public_id_reaches_no_further(store: ServerStore) -> None:
    (foreign,) = store.servers(scope=OTHER)
    assert reached(store, using=foreign.public_id, scope=ACME) == {APP, ACME}  # the defaults only


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("boss@partner.example", {"Wide"}),
        ("BOSS@Partner.example", {"Wide"}),
        ("any@friends.example", {"Wide"}),
        ("any@partner.example", set()),
        ("under_score@partner.example", {"Wide"}),
        ("underXscore@partner.example", set()),
        ("a/b@partner.example", {"Wide"}),
        ("any@riends.example", set()),
        ("%@partner.example", set()),
        ("x@büro.example", {"Wide"}),
    ],
)
def test_allowed_senders_are_found(store: ServerStore, address: str, expected: set[str]) -> None:
    """By exact address or domain, in any case; a sign that SQL reads as a pattern is only itself."""
    store.add({**FIELDS, "name": "Paused", "address": "a@b.example", "enabled": False})
    allowed = "Boss@partner.example, @friends.example; under_score@partner.example\r\na/b@partner.example,büro.example"
    saved = store.add({**FIELDS, "name": "Wide", "address": "desk@wide.example", "allowed_senders": allowed}).profile
    assert saved.allowed_senders == (
        "boss@partner.example",
        "friends.example",
        "under_score@partner.example",
        "a/b@partner.example",
        "xn--bro-hoa.example",
    )
    assert {server.name for server in store.candidates(using=None, address=address).servers} == expected
    assert store.edit(saved.public_id, {"allowed_senders": ""}).profile.allowed_senders == ()
    assert store.candidates(using=None, address=address).servers == ()


def test_allowed_senders_that_are_none(store: ServerStore) -> None:
    with pytest.raises(InvalidServer) as caught:
        store.add({**FIELDS, "allowed_senders": "boss@partner.example, not an address, x@y@z"})
    assert len(caught.value.fields["allowed_senders"]) == 2
    with pytest.raises(InvalidServer, match="At most 200"):
        store.add({**FIELDS, "allowed_senders": [f"a{number}@b.example" for number in range(201)]})
    with pytest.raises(InvalidServer, match="a list of addresses"):
        store.add({**FIELDS, "allowed_senders": 5})


# -- kinds of mail


def test_kinds_are_assigned_for_each_tenant(store: ServerStore, one_each: dict[Scope, ServerProfile]) -> None:
    """To servers of the tenant, or of the app; the tenant's choice comes first, and others see nothing of it."""
    shared, acme = one_each[APP].public_id, one_each[ACME].public_id
    store.assign_kind("receipts", shared)
    store.assign_kind("receipts", acme, scope=ACME, actor="ada")
    store.assign_kind("bulk", shared, scope=ACME)
    assert store.kinds() == {"receipts": shared}
    assert store.kinds(scope=ACME) == {"receipts": acme, "bulk": shared}
    assert store.kinds(scope=OTHER) == {}
    assert store.events(acme, scope=ACME)[0].fields == ("receipts",)

    def sought(kind: str, scope: Scope) -> tuple[str, ...]:
        return store.candidates(using=None, address="", kind=kind, scope=scope).kind_servers

    assert sought("receipts", APP) == (shared,)
    assert sought("receipts", ACME) == (acme, shared)
    assert sought("receipts", OTHER) == (shared,)
    assert sought("bulk", ACME) == (shared,)
    assert sought("bulk", APP) == ()

    store.assign_kind("receipts", shared, scope=ACME)
    assert sought("receipts", ACME) == (shared,)
    store.assign_kind("receipts", None, scope=ACME)
    assert store.kinds(scope=ACME) == {"bulk": shared}


def test_who_assigned_a_kind_last_is_known(store: ServerStore, one_each: dict[Scope, ServerProfile]) -> None:
    """For each kind of each scope."""
    shared, acme = one_each[APP].public_id, one_each[ACME].public_id
    assert store.kind_events() == {}
    store.assign_kind("receipts", shared, actor="bob")
    store.assign_kind("bulk", shared, actor="bob")
    store.assign_kind("receipts", None, actor="eve")
    store.assign_kind("receipts", acme, scope=ACME, actor="ada")
    assert {kind: (event.actor, event.server_name) for kind, event in store.kind_events().items()} == {
        "receipts": ("eve", ""),
        "bulk": ("bob", "Invoices"),
    }
    assert [event.actor for event in store.kind_events(scope=ACME).values()] == ["ada"]
    assert store.kind_events(scope=OTHER) == {}


def test_a_server_of_a_kind_is_read_with_its_message(store: ServerStore) -> None:
    """Although nothing else leads to it."""
    store.add(FIELDS)
    other = store.add({**FIELDS, "name": "News", "address": "news@letters.example"}).profile
    store.assign_kind("bulk", other.public_id)
    found = store.candidates(using=None, address="", kind="bulk")
    assert [server.name for server in found.servers] == ["Invoices", "News"]


def test_a_kind_cannot_be_assigned_elsewhere(store: ServerStore, one_each: dict[Scope, ServerProfile]) -> None:
    """Not to a server of another tenant, nor to a user's; a kind that the app does not have is a mistake."""
    for scope in (OTHER, ANN, ANN_AT_ACME):
        with pytest.raises(ServerNotFound):
            store.assign_kind("receipts", one_each[scope].public_id, scope=ACME)
    with pytest.raises(ServerNotFound):
        store.assign_kind("receipts", one_each[ACME].public_id)
    with pytest.raises(ServerNotFound):
        store.assign_kind("receipts", "a\0b")
    with pytest.raises(ConfigurationError, match="no kind of mail 'letters'"):
        store.assign_kind("letters", one_each[APP].public_id)
    assert store.kinds(scope=ACME) == {}


def test_a_removed_server_is_for_no_kind_any_more(store: ServerStore, one_each: dict[Scope, ServerProfile]) -> None:
    """Whoever had assigned it."""
    shared = one_each[APP].public_id
    for scope in (APP, ACME, OTHER):
        store.assign_kind("bulk", shared, scope=scope)
    store.remove(shared)
    assert [store.kinds(scope=scope) for scope in (APP, ACME, OTHER)] == [{}, {}, {}]


# -- switches


def test_whose_switch_is_off_is_known(store: ServerStore) -> None:
    """The app's counts for all, and goes before the tenant's own."""
    scopes = (APP, ACME, OTHER, ANN_AT_ACME)
    assert [store.sending_off(scope=scope) for scope in scopes] == [None] * 4
    store.switch_sending(False, scope=ACME)
    assert [store.sending_off(scope=scope) for scope in scopes] == [None, ACME, None, ACME]
    store.switch_sending(False)
    assert [store.sending_off(scope=scope) for scope in scopes] == [APP] * 4


def test_sending_is_switched_off_for_one_tenant_or_for_all(store: ServerStore) -> None:
    def enabled() -> list[bool]:
        return [store.candidates(using=None, address="", scope=scope).sending_enabled for scope in (APP, ACME, OTHER)]

    assert enabled() == [True, True, True]
    store.switch_sending(False, scope=ACME)
    assert enabled() == [True, False, True]
    assert [store.sending_enabled(scope=scope) for scope in (APP, ACME, OTHER)] == [True, False, True]
    store.switch_sending(False)
    assert enabled() == [False, False, False]
    store.switch_sending(True, scope=ACME)
    assert enabled() == [False, False, False]
    store.switch_sending(True)
    assert enabled() == [True, True, True]


def test_the_ways_to_send_of_a_tenant(host: Host, store: ServerStore) -> None:
    """As the operator says, unless it was switched for the tenant; what is hidden stays hidden."""
    on, ask, off = ModeState.ON, ModeState.ASK, ModeState.OFF
    assert store.modes() == {Mode.BUILTIN: on, Mode.DOMAIN: ask, Mode.OWN: on}
    store.switch_mode(Mode.DOMAIN, True, scope=ACME)
    store.switch_mode(Mode.BUILTIN, False, scope=ACME)
    assert store.modes(scope=ACME) == {Mode.BUILTIN: ask, Mode.DOMAIN: on, Mode.OWN: on}
    assert store.modes(scope=OTHER) == store.modes()
    found = [store.candidates(using=None, address="", scope=scope).builtin_switch for scope in (APP, ACME, OTHER)]
    assert found == [None, False, None]
    hidden = host.with_store(settings(modes={Mode.OWN: on, Mode.DOMAIN: off, Mode.BUILTIN: on}))
    assert hidden.modes(scope=ACME)[Mode.DOMAIN] is off
    store.switch_mode(Mode.BUILTIN, None, scope=ACME)
    assert store.modes(scope=ACME)[Mode.BUILTIN] is on
    assert [event.action for event in host.events] == ["mode_on", "mode_off", "mode_usual"]


# -- suspended, proved


def test_suspending(host: Host, store: ServerStore, one_each: dict[Scope, ServerProfile]) -> None:
    """It stays so whatever the owner edits, until it is resumed."""
    anns = one_each[ANN].public_id
    suspended = store.suspend(anns, "Spam", scope=ANN, actor="admin")
    assert (suspended.suspended_at, suspended.suspended_reason) == (host.clock(), "Spam")
    assert store.suspend(anns, "Spam", scope=ANN) == suspended
    edited = store.edit(anns, {"name": "Other", "enabled": True}, scope=ANN).profile
    assert edited.suspended
    assert not edited.usable
    with pytest.raises(InvalidServer, match="no such field"):
        store.edit(anns, {"suspended_at": None}, scope=ANN)
    assert not store.resume(anns, scope=ANN).suspended
    assert [event.action for event in host.events[-3:]] == ["suspended", "edited", "resumed"]


def test_proving_an_address(host: Host, store: ServerStore, one_each: dict[Scope, ServerProfile]) -> None:
    """Another address must be proved anew; a proof that comes too late proves nothing."""
    anns = one_each[ANN]
    assert not anns.usable
    proved = store.verify_address(anns.public_id, "BILLING@example.com", scope=ANN)
    assert (proved.address_verified_at, proved.usable) == (host.clock(), True)
    assert store.edit(anns.public_id, {"name": "Same address"}, scope=ANN).profile.usable
    changed = store.edit(anns.public_id, {"address": "ceo@corp.example"}, scope=ANN).profile
    assert (changed.address_verified_at, changed.usable) == (None, False)
    with pytest.raises(ServerChanged, match="proved again"):
        store.verify_address(anns.public_id, "billing@example.com", scope=ANN)
    assert not store.get(anns.public_id, scope=ANN).usable
    with pytest.raises(InvalidServer, match="no such field"):
        store.edit(anns.public_id, {"address_verified_at": "2026-01-01"}, scope=ANN)


# -- policy for users' servers


@pytest.mark.parametrize(
    ("policy", "fields", "field"),
    [
        ({"personal": False}, {}, "name"),
        ({"personal_providers": ("gmail",)}, {}, "host"),
        ({"personal_hosts": (("mail.corp.example", None),)}, {}, "host"),
        ({}, {"port": 22}, "port"),
        ({}, {"port": 6379}, "port"),
        ({"personal_hosts": (("smtp.example.com", 2600),)}, {"port": 2601}, "port"),
        ({}, {"allowed_senders": "ceo@corp.example"}, "allowed_senders"),
        ({}, {"host": "localhost"}, "host"),
        ({"allowed_hosts": ("mail",)}, {"host": "mail"}, "host"),
    ],
)
def test_what_users_may_not_have(host: Host, policy: dict[str, Any], fields: dict[str, Any], field: str) -> None:
    store = host.with_store(settings(**{"personal": True, **policy}))
    with pytest.raises(InvalidServer) as caught:
        store.add({**FIELDS, **fields}, scope=ANN)
    assert set(caught.value.fields) == {field}
    assert store.servers(scope=ANN) == []


@pytest.mark.parametrize(
    ("policy", "fields"),
    [
        ({}, {}),
        ({"personal_providers": ("gmail",)}, {"host": "smtp.gmail.com", "port": 465, "security": "ssl"}),
        ({"personal_hosts": (("mail", None),), "personal_providers": ("gmail",)}, {"host": "mail"}),
        ({"personal_hosts": (("smtp.example.com", 2600),)}, {"port": 2600}),
    ],
)
def test_what_users_may_have(host: Host, policy: dict[str, Any], fields: dict[str, Any]) -> None:
    store = host.with_store(settings(**{"personal": True, **policy}))
    server = store.add({**FIELDS, **fields}, scope=ANN).profile
    store.edit(server.public_id, {"name": "Edited"}, scope=ANN)
    (kept,) = store.servers(scope=ANN)
    assert (kept.name, kept.host, kept.port) == ("Edited", server.host, server.port)
    assert all(getattr(kept, name) == value for name, value in fields.items())


def test_how_many_users_may_have(host: Host) -> None:
    store = host.with_store(settings(personal=True, personal_maximum=1))
    server = store.add(FIELDS, scope=ANN).profile
    with pytest.raises(InvalidServer, match="You can have one server"):
        store.add({**FIELDS, "name": "Second"}, scope=ANN)
    store.add(FIELDS, scope=BOB)
    store.edit(server.public_id, {"name": "Edited"}, scope=ANN)


def test_those_who_suspend_see_the_servers_of_users(store: ServerStore, one_each: dict[Scope, ServerProfile]) -> None:
    """Of their tenant only."""
    assert {one.scope for one in store.personal_servers()} == {ANN, BOB}
    assert {one.scope for one in store.personal_servers(tenant="acme")} == {ANN_AT_ACME}
    assert len(store.every_server()) == len(one_each)


# -- ids of the host, old tables, keys


@pytest.mark.parametrize("scope", [Scope("x" * 129), Scope(owner="x" * 256), Scope("a\0b"), Scope(owner="a\nb")])
def test_ids_that_cannot_be_kept(store: ServerStore, scope: Scope) -> None:
    for way in (lambda: store.servers(scope=scope), lambda: store.add(FIELDS, scope=scope)):
        with pytest.raises(ConfigurationError, match="must be a text of at most"):
            way()


def test_long_ids_that_differ_in_case_only(store: ServerStore) -> None:
    """They are other tenants, also where a database would like to ignore case."""
    small, large = Scope("a" * 128, "b" * 255), Scope("A" * 128, "b" * 255)
    store.add(FIELDS, scope=small)
    assert store.servers(scope=large) == []
    assert len(store.servers(scope=small)) == 1


@pytest.fixture
def old_tables(fresh_host: Host) -> Iterator[Host]:
    """Tables from before there were scopes and kinds, with one server."""
    fresh_host.store.add(FIELDS)
    sql(fresh_host, "DROP TABLE smtpservers_kind")
    mariadb = fresh_host.db.engine.dialect.name in ("mysql", "mariadb")
    sql(fresh_host, "DROP INDEX smtpservers_server_name_key" + (" ON smtpservers_server" if mariadb else ""))
    for column in ("tenant", "owner", "allowed_senders", "foreign_sender", "suspended_at", "address_verified_at"):
        sql(fresh_host, f"ALTER TABLE smtpservers_server DROP COLUMN {column}")
    assert len(fresh_host.store.missing_columns()) == 6
    yield fresh_host


def test_old_tables_hold_the_apps_servers(old_tables: Host) -> None:
    """Mail goes on through them, nobody else's are made up, and nothing is written."""
    store = old_tables.with_store(settings(personal=True, kinds=KINDS))
    (server,) = store.servers()
    assert server.scope == APP
    assert store.get(server.public_id) == server
    for scope in (ACME, ANN):
        assert store.servers(scope=scope) == []
        with pytest.raises(ServerNotFound):
            store.get(server.public_id, scope=scope)
    found = store.candidates(using=None, address="x@example.com", kind="bulk", scope=ANN_AT_ACME)
    assert (found.servers, found.kind_servers, found.sending_enabled) == ((server,), (), True)
    assert store.kinds() == {}
    assert store.personal_servers() == []
    assert store.every_server() == [server]
    with pytest.raises(StoreUnavailable, match="flask db upgrade"):
        store.assign_kind("bulk", server.public_id)


def test_keys_are_changed_for_everybody(store: ServerStore, one_each: dict[Scope, ServerProfile]) -> None:
    assert store.rotate().unchanged == len(one_each)
    assert store.unreadable() == []


def test_the_operator_may_add_for_a_suspended_user(store: ServerStore, one_each: dict[Scope, ServerProfile]) -> None:
    """The user himself may not: he would only go on with another server."""
    store.suspend(one_each[ANN].public_id, "spam", scope=ANN)
    fields = {**FIELDS, "name": "Another"}
    with pytest.raises(InvalidServer):
        store.add(fields, scope=ANN)
    assert store.add(fields, scope=ANN, operator=True).profile.scope == ANN
