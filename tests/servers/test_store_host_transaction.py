"""What the store does and does not do to the host's own session and transaction."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import scoped_session, sessionmaker

from flask_smtpservers.errors import InvalidServer, StoreUnavailable
from flask_smtpservers.servers.lookup import Candidates
from flask_smtpservers.servers.profile import ServerProfile

from ..databases import Database
from .conftest import FIELDS, Host, host_app

ADDRESS = "billing@example.com"


@pytest.fixture
def profile(host: Host) -> ServerProfile:
    """A stored server."""
    return host.store.add(FIELDS).profile


def look(host: Host) -> Candidates:
    """What a send reads."""
    found = host.store.candidates(using=None, address=ADDRESS)
    assert [server.address for server in found.servers] == [ADDRESS]
    return found


def notes(host: Host) -> list[str]:
    """The host's rows as another transaction would see them after this one has ended."""
    host.db.session.rollback()
    with host.db.engine.connect() as connection:
        return list(connection.execute(select(host.Note.text).order_by(host.Note.id)).scalars())


# -- reading


def test_without_a_transaction_nothing_stays_open(host: Host, profile: ServerProfile) -> None:
    """A send outside of any transaction reads on a connection of its own and gives it back."""
    look(host)
    assert not host.db.session().in_transaction()
    checked_out = getattr(host.db.engine.pool, "checkedout", lambda: 0)
    assert checked_out() == 0


def test_half_built_objects_are_not_flushed(host: Host, profile: ServerProfile) -> None:
    """A pending object that could not be flushed yet does not break a send, and is not written by it."""
    note = host.Note()
    host.db.session.add(note)  # its text, which is NOT NULL, comes later
    look(host)
    assert note in host.db.session.new
    note.text = "complete"
    host.db.session.commit()
    assert notes(host) == ["complete"]


def test_changed_objects_are_not_flushed(host: Host, profile: ServerProfile) -> None:
    """A loaded object with a value that the database would refuse is left alone."""
    host.db.session.add(host.Note(text="one"))
    host.db.session.commit()
    note = host.db.session.scalars(select(host.Note)).one()
    note.text = None
    look(host)
    assert note in host.db.session.dirty
    note.text = "two"
    host.db.session.commit()
    assert notes(host) == ["two"]


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_flushed_rows_stay_in_the_hosts_hands(host: Host, profile: ServerProfile, end: str) -> None:
    """Rows that the host has flushed are neither committed nor rolled back by a send: the host decides."""
    host.db.session.add(host.Note(text="flushed"))
    host.db.session.flush()
    look(host)
    host.db.session.add(host.Note(text="later"))
    getattr(host.db.session, end)()
    assert notes(host) == (["flushed", "later"] if end == "commit" else [])


@pytest.mark.parametrize("begun", [False, True])
def test_one_statement(host: Host, profile: ServerProfile, begun: bool) -> None:
    """Finding a server takes one SELECT, within the host's transaction and without."""
    if begun:
        host.db.session.execute(text("SELECT 1"))
    look(host)
    with host.statements() as seen:
        look(host)
    assert len(seen) == 1
    assert seen[0].startswith("SELECT")


def test_even_the_first_time_takes_one_statement(database: Database) -> None:
    """A fresh process asks no catalogue before its first send outside of a transaction."""
    with host_app(database.url) as host, host.app.app_context(), host.statements() as seen:
        host.store.candidates(using=None, address=ADDRESS)
        assert len(seen) == 1


def test_savepoints_of_the_host(host: Host, profile: ServerProfile) -> None:
    """Inside begin_nested the host can still roll back to its savepoint."""
    host.db.session.add(host.Note(text="outer"))
    host.db.session.flush()
    savepoint = host.db.session.begin_nested()
    host.db.session.add(host.Note(text="inner"))
    host.db.session.flush()
    look(host)
    savepoint.rollback()
    host.db.session.commit()
    assert notes(host) == ["outer"]


def test_after_a_failed_flush(host: Host, profile: ServerProfile) -> None:
    """Between a failed flush and the host's rollback (an error mail, say) the servers can be read."""
    host.db.session.add(host.Note(text="one"))
    host.db.session.commit()
    host.db.session.add(host.Note())  # its text is NOT NULL
    with pytest.raises(IntegrityError):
        host.db.session.flush()
    look(host)
    host.db.session.rollback()
    host.db.session.add(host.Note(text="two"))
    host.db.session.commit()
    assert notes(host) == ["one", "two"]


@pytest.mark.parametrize("hook", ["before_commit", "after_flush", "after_commit", "after_rollback"])
def test_hooks_of_the_session(host: Host, profile: ServerProfile, hook: str) -> None:
    """A mail can be sent from each hook of the session, as many hosts do after a commit."""
    session = host.db.session()
    looked = []

    def send(*_: Any) -> None:
        looked.append(look(host))

    host.db.session.add(host.Note(text="x"))
    host.db.session.flush()
    event.listen(session, hook, send)
    try:
        host.db.session.add(host.Note(text="y"))
        host.db.session.rollback() if hook == "after_rollback" else host.db.session.commit()
    finally:
        event.remove(session, hook, send)
    assert looked
    assert notes(host) == ([] if hook == "after_rollback" else ["x", "y"])


POOLS = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 1}


@pytest.fixture
def one_connection(database: Database) -> Iterator[Host]:
    """A host whose pool has a single connection."""
    options = {} if database.kind == "sqlite-memory" else POOLS
    with host_app(database.url, engine_options=options) as made, made.app.app_context():
        made.store.add(FIELDS)
        yield made


@pytest.mark.parametrize("state", ["idle", "pending", "read", "flushed", "failed", "after_commit"])
def test_a_pool_of_one(one_connection: Host, state: str) -> None:
    """With one connection in the pool a send waits for nobody, whatever state the host's session is in."""
    host, session = one_connection, one_connection.db.session()
    if state == "pending":
        session.add(host.Note())
    elif state == "read":
        session.execute(text("SELECT 1"))
    elif state == "flushed":
        session.add(host.Note(text="x"))
        session.flush()
    elif state == "failed":
        session.add(host.Note())
        with pytest.raises(IntegrityError):
            session.flush()
    elif state == "after_commit":
        event.listen(session, "after_commit", lambda _session: look(host))
        session.add(host.Note(text="x"))
        session.commit()
        return
    look(host)
    if state in ("idle", "read", "flushed"):
        host.store.edit(host.store.servers()[0].public_id, {"name": "x"})
        host.store.commit()
        assert host.store.servers()[0].name == "x"


def test_an_open_write_on_a_sqlite_file(tmp_path: Path) -> None:
    """While the host's own write is open, the store reads and writes beside it instead of waiting for it."""
    options = {"connect_args": {"timeout": 0.05}}
    with host_app(f"sqlite:///{tmp_path / 'app.db'}", engine_options=options) as host, host.app.app_context():
        profile = host.store.add(FIELDS).profile
        host.db.session.add(host.Note(text="open"))
        host.db.session.flush()
        look(host)
        host.store.edit(profile.public_id, {"name": "x"})
        draft = host.drafts.keep({"name": "y"}, binding="b")
        assert host.drafts.take(draft, binding="b") == {"name": "y"}
        host.db.session.commit()
        assert notes(host) == ["open"]
        assert host.store.get(profile.public_id).name == "x"


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_missing_tables_do_not_harm_the_transaction(database: Database, end: str) -> None:
    """Before the migration has run, a send within a transaction goes on, and the host's rows are its own business."""
    with host_app(database.url, create=False) as host, host.app.app_context():
        host.Note.__table__.create(host.db.engine)
        host.db.session.add(host.Note(text="flushed"))
        host.db.session.flush()
        for _ in range(2):
            assert host.store.candidates(using=None, address=ADDRESS).table_missing
            assert host.store.servers() == []
        with pytest.raises(StoreUnavailable):
            host.store.add(FIELDS)
        getattr(host.db.session, end)()
        assert notes(host) == (["flushed"] if end == "commit" else [])


def test_tables_dropped_by_a_test_suite(database: Database) -> None:
    """drop_all and create_all on one engine, as test suites do, are noticed even inside a transaction."""
    with host_app(database.url) as host, host.app.app_context():
        host.store.add(FIELDS)
        look(host)
        host.db.drop_all()
        host.Note.__table__.create(host.db.engine)
        host.db.session.add(host.Note(text="x"))
        host.db.session.flush()
        assert host.store.candidates(using=None, address=ADDRESS).table_missing
        host.db.session.commit()
        assert notes(host) == ["x"]


def test_old_tables_within_a_transaction(database: Database) -> None:
    """A column that is not there yet does not spoil the host's transaction either."""
    with host_app(database.url) as host, host.app.app_context():
        with host.db.engine.begin() as connection:
            connection.execute(text("ALTER TABLE smtpservers_server DROP COLUMN provider"))
        host.db.session.add(host.Note(text="x"))
        host.db.session.flush()
        assert not host.store.candidates(using=None, address=ADDRESS).table_missing
        host.db.session.commit()
        assert notes(host) == ["x"]


def test_a_session_bound_to_a_connection(database: Database) -> None:
    """A test suite that wraps everything in one outer transaction sees the servers that it added itself."""
    with host_app(database.url) as host, host.app.app_context(), host.db.engine.connect() as connection:
        outer = connection.begin()
        own = scoped_session(sessionmaker(bind=connection, join_transaction_mode="create_savepoint"))
        usual, host.db.session = host.db.session, own  # type: ignore[assignment]
        host.store.add(FIELDS)
        host.store.commit()
        look(host)
        own.remove()
        host.db.session = usual
        outer.rollback()
        assert host.store.servers() == []
        host.db.session = scoped_session(sessionmaker(bind=connection))  # type: ignore[assignment]
        assert host.store.servers() == []
        assert not connection.in_transaction()
        host.db.session = usual


# -- writing


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_change_joins_the_hosts_transaction(host: Host, end: str) -> None:
    """Within the host's transaction a change becomes lasting or vanishes together with the host's rows."""
    host.db.session.add(host.Note(text="x"))
    host.db.session.flush()
    host.store.add(FIELDS)
    assert len(host.store.servers()) == 1
    getattr(host.db.session, end)()
    assert len(host.store.servers()) == (end == "commit")
    assert notes(host) == (["x"] if end == "commit" else [])


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_change_joins_a_transaction_that_has_only_read(host: Host, end: str) -> None:
    """The same where the host has read but not written (SQLite has then not begun anything itself)."""
    host.db.session.execute(text("SELECT 1"))
    host.store.add(FIELDS)
    host.store.switch_sending(False)
    getattr(host.db.session, end)()
    assert len(host.store.servers()) == (end == "commit")
    assert host.store.sending_enabled() == (end == "rollback")


def test_without_a_transaction_a_change_is_lasting_at_once(host: Host) -> None:
    """Then the store commits by itself, and the host's session stays untouched."""
    host.store.add(FIELDS)
    assert not host.db.session().in_transaction()
    host.db.session.rollback()
    assert len(host.store.servers()) == 1


def test_commit_ends_only_what_a_change_joined(host: Host, profile: ServerProfile) -> None:
    """commit() commits the host's session if a change is part of it, and otherwise leaves the session alone."""
    host.db.session.add(host.Note(text="pending"))
    host.db.session.flush()
    host.store.commit()
    assert notes(host) == []
    host.db.session.add(host.Note(text="joined"))
    host.db.session.flush()
    host.store.set_enabled(profile.public_id, False)
    host.store.commit()
    assert notes(host) == ["joined"]
    host.db.session.execute(text("SELECT 1"))
    host.store.set_enabled(profile.public_id, True)
    host.db.session.rollback()
    host.db.session.add(host.Note(text="other"))
    host.db.session.flush()
    host.store.commit()
    assert notes(host) == ["joined"]


def test_a_commit_that_fails_is_told(host: Host) -> None:
    """If the host's own objects cannot be written, nothing is, and the session is usable again."""
    host.db.session.execute(text("SELECT 1"))
    host.store.add(FIELDS)
    host.db.session.add(host.Note())
    with pytest.raises(StoreUnavailable):
        host.store.commit()
    assert host.store.servers() == []
    host.db.session.add(host.Note(text="x"))
    host.store.add(FIELDS)
    host.store.commit()
    assert len(host.store.servers()) == 1
    assert notes(host) == ["x"]


def test_a_refused_change_leaves_the_transaction_usable(host: Host, profile: ServerProfile) -> None:
    """A taken name, found by the rules or by the database itself, undoes only the change."""
    host.db.session.add(host.Note(text="x"))
    host.db.session.flush()
    with pytest.raises(InvalidServer):
        host.store.add(FIELDS)
    host.db.session.add(host.Note(text="y"))
    host.db.session.commit()
    assert notes(host) == ["x", "y"]
    assert host.store.servers() == [profile]


def test_a_failing_change_leaves_the_transaction_usable(database: Database) -> None:
    """A database error in the middle of a change undoes only the change, on PostgreSQL too."""
    with host_app(database.url) as host, host.app.app_context():
        profile = host.store.add(FIELDS).profile
        with host.db.engine.begin() as connection:
            connection.execute(text("DROP TABLE smtpservers_event"))
        host.db.session.add(host.Note(text="x"))
        host.db.session.flush()
        with pytest.raises(StoreUnavailable):
            host.store.edit(profile.public_id, {"name": "y"})
        host.db.session.commit()
        assert notes(host) == ["x"]
        assert host.store.servers() == [profile]


def test_pending_objects_are_not_flushed_by_a_change(host: Host) -> None:
    """A change within the host's transaction does not write the host's half-built objects."""
    note = host.Note()
    host.db.session.add(note)
    host.store.add(FIELDS)
    assert note in host.db.session.new
    host.db.session.rollback()


# -- candidates


@pytest.mark.parametrize(
    ("using", "address", "expected"),
    [
        (None, "billing@acme.example", {"default", "exact", "domain"}),
        (None, "BILLING@ACME.example", {"default", "exact", "domain"}),
        (None, "other@acme.example", {"default", "exact", "domain"}),
        (None, "x@bücher.example", {"default", "idn"}),
        (None, "x@elsewhere.example", {"default"}),
        ("ELSEWHERE", "x@nowhere.example", {"default", "elsewhere"}),
        ("nobody", "", {"default"}),
        (None, "", {"default"}),
        (None, "not an address", {"default"}),
        ("a\0b", "a\0@b.org", {"default"}),
        ("\ud800", "\ud800@b.org", {"default"}),
        (None, "x@" + "y" * 10_000, {"default"}),
    ],
)
def test_candidates(host: Host, using: str | None, address: str, expected: set[str]) -> None:
    """Read are the servers asked for by name, of the address, of its domain, and the default; in the list's order."""
    for name, of in {
        "default": "a@default.example",
        "exact": "billing@acme.example",
        "domain": "desk@Acme.example",
        "idn": "a@bücher.example",
        "elsewhere": "a@other.example",
        "last": "a@last.example",
    }.items():
        host.store.add({**FIELDS, "name": name, "address": of})
    found = host.store.candidates(using=using, address=address)
    assert {server.name for server in found.servers} == expected
    assert [server.position for server in found.servers] == sorted(server.position for server in found.servers)
    assert (found.sending_enabled, found.table_missing) == (True, False)


def test_candidates_by_public_id(host: Host, profile: ServerProfile) -> None:
    """using= takes the public id as well; what is read is the whole profile."""
    other = host.store.add({**FIELDS, "name": "other", "address": "x@y.example"}).profile
    found = host.store.candidates(using=other.public_id, address="")
    assert found.servers == (profile, other)


def test_no_server_at_all(host: Host) -> None:
    """An empty table is told from a missing one."""
    assert host.store.candidates(using=None, address=ADDRESS) == Candidates(True, ())
    host.store.add({**FIELDS, "enabled": False, "address": "x@y.example"})
    assert host.store.candidates(using=None, address=ADDRESS) == Candidates(True, ())
