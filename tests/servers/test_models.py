"""The tables in the host's metadata: creation, migrations, schemas, naming conventions, binds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Column, Integer, MetaData, Table, inspect, text
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import DeclarativeBase, DeclarativeBaseNoMeta, MappedAsDataclass

from flask_smtpservers.errors import ConfigurationError
from flask_smtpservers.outbox.tables import outbox_tables
from flask_smtpservers.servers.models import attach

from ..databases import Database
from .conftest import FIELDS, Host, host_app

TABLES = {
    f"smtpservers_{name}"
    for names in (
        ("server", "option", "event", "draft", "trial", "kind", "waiting", "proof", "turn"),
        ("message", "piece", "recipient", "attempt", "worker"),
    )
    for name in names
}
CONVENTION = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Declarative(DeclarativeBase):
    pass


class NoMeta(DeclarativeBaseNoMeta):
    pass


class Dataclass(DeclarativeBase, MappedAsDataclass):
    pass


def test_create_all_makes_the_tables(host: Host) -> None:
    """db.create_all() makes them on every database, a second call changes nothing, and nothing is missing then."""
    host.db.create_all()
    assert set(inspect(host.db.engine).get_table_names()) >= TABLES
    assert host.store.missing_tables() == host.store.missing_columns() == []


def test_attaching_twice_gives_the_same_tables() -> None:
    """Two apps with one db share the copies; another db has its own."""
    db, other = SQLAlchemy(), SQLAlchemy()
    assert attach(db) is attach(db)
    assert attach(db) is not attach(other)
    assert outbox_tables(attach(db)).message is db.metadata.tables["smtpservers_message"]
    assert set(db.metadata.tables) == TABLES


@pytest.mark.parametrize("base", [None, Declarative, NoMeta])
def test_every_kind_of_base_works(base: Any) -> None:
    """Whatever base class the host's models have, the tables are in its metadata."""
    db = SQLAlchemy(model_class=base) if base else SQLAlchemy()
    attach(db)
    assert set(db.metadata.tables) >= TABLES


def test_every_kind_of_base_works_mapped_as_dataclass() -> None:
    """The same with a base of dataclasses."""
    try:
        db = SQLAlchemy(model_class=Dataclass)
    except InvalidRequestError as error:
        pytest.skip(f"Flask-SQLAlchemy #1420: {error}")
    attach(db)
    assert set(db.metadata.tables) >= TABLES


def test_naming_convention_of_the_host(database: Database) -> None:
    """A host's naming convention is honoured and needs nothing that the tables do not give."""
    with host_app(database.url, metadata=MetaData(naming_convention=CONVENTION)) as host, host.app.app_context():
        assert host.store.add(FIELDS).profile.is_default
        if database.kind == "postgresql":
            assert inspect(host.db.engine).get_pk_constraint("smtpservers_server")["name"] == "pk_smtpservers_server"


def test_schema_of_the_host(database: Database) -> None:
    """The tables lie in the schema of the host's metadata."""
    schema = {"postgresql": "mail", "mariadb": database.url.rpartition("/")[2]}.get(database.kind, "main")
    with host_app(database.url, metadata=MetaData(schema=schema), create=False) as host, host.app.app_context():
        if database.kind == "postgresql":
            host.db.session.execute(text("CREATE SCHEMA mail"))
            host.db.session.commit()
        assert sorted(host.store.missing_tables()) == sorted(TABLES)
        host.db.create_all()
        assert host.store.missing_tables() == host.store.missing_columns() == []
        host.store.add(FIELDS)
        assert len(host.store.candidates(using=None, address="").servers) == 1
        assert set(inspect(host.db.engine).get_table_names(schema=schema)) >= TABLES


def test_a_table_of_the_same_name_is_refused() -> None:
    """A host that has such a table already is told so, instead of losing one of the two."""
    db = SQLAlchemy()
    Table("smtpservers_server", db.metadata, Column("id", Integer, primary_key=True))
    with pytest.raises(ConfigurationError, match="smtpservers_server"):
        attach(db)


def test_binds_only_hosts_are_told_what_to_set() -> None:
    """Without a default database there is no place for the tables: the error names the setting."""
    app, db = Flask("host"), SQLAlchemy()
    app.config["SQLALCHEMY_BINDS"] = {"other": "sqlite://"}
    db.init_app(app)
    with pytest.raises(ConfigurationError, match="SQLALCHEMY_DATABASE_URI"):
        attach(db, app)


def test_a_default_among_the_binds_is_enough() -> None:
    """A default database given as the bind None is a default database."""
    app, db = Flask("host"), SQLAlchemy()
    app.config["SQLALCHEMY_BINDS"] = {None: "sqlite://", "other": "sqlite://"}
    db.init_app(app)
    attach(db, app)
    with app.app_context():
        db.create_all()
        assert set(inspect(db.engine).get_table_names()) == TABLES
        for engine in db.engines.values():
            engine.dispose()


def test_db_must_belong_to_the_app() -> None:
    """A db that was not initialised for the app is told before anything fails in the middle."""
    with pytest.raises(ConfigurationError, match="init_app"):
        attach(SQLAlchemy(), Flask("host"))


HOST = """
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_smtpservers.servers.models import attach

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = {url!r}
db = SQLAlchemy(app)
attach(db, app)
Migrate(app, db)
"""


RUN = """
import sys
from flask.cli import main

for command in sys.argv[1:]:
    sys.argv = ["flask", "--app", "migrated", "db", command]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
"""


def test_migrations_make_the_tables_and_then_find_nothing_to_do(database: Database, tmp_path: Path) -> None:
    """flask db migrate writes a migration that upgrade and downgrade run; a second one finds no difference."""
    if database.kind == "sqlite-memory":
        return  # such a database does not outlive the command
    (tmp_path / "migrated.py").write_text(HOST.format(url=database.url))
    (tmp_path / "run.py").write_text(RUN)
    done = subprocess.run(
        [sys.executable, "run.py", "init", "migrate", "upgrade", "migrate", "downgrade", "upgrade"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No changes in schema detected" in done.stderr
    assert len(list((tmp_path / "migrations" / "versions").glob("*.py"))) == 1
