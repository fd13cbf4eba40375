"""Empty databases for tests: SQLite in memory and in a file, and PostgreSQL and MariaDB where they run.

``TEST_POSTGRESQL_URL`` and ``TEST_MARIADB_URL`` name other servers. In CI both must be there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

SERVERS = {
    "postgresql": os.environ.get("TEST_POSTGRESQL_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"),
    "mariadb": os.environ.get("TEST_MARIADB_URL", "mariadb+pymysql://root@127.0.0.1:3306/test"),
}

Maker = Callable[[Path, str], AbstractContextManager["Database"]]


@dataclass(frozen=True)
class Database:
    """An empty database that lives as long as one test."""

    kind: str
    url: str


def _sqlite_memory(directory: Path, worker: str) -> AbstractContextManager[Database]:
    @contextmanager
    def make() -> Iterator[Database]:
        yield Database("sqlite-memory", "sqlite://")

    return make()


def _sqlite_file(directory: Path, worker: str) -> AbstractContextManager[Database]:
    @contextmanager
    def make() -> Iterator[Database]:
        yield Database("sqlite-file", f"sqlite:///{directory / 'app.db'}")

    return make()


def _server(kind: str) -> Maker:
    def maker(directory: Path, worker: str) -> AbstractContextManager[Database]:
        @contextmanager
        def make() -> Iterator[Database]:
            url = make_url(SERVERS[kind])
            name = f"smtpservers_test_{os.getpid()}_{worker}"
            admin = create_engine(url, isolation_level="AUTOCOMMIT")
            with admin.connect() as connection:
                connection.execute(text(f"DROP DATABASE IF EXISTS {name}"))
                connection.execute(text(f"CREATE DATABASE {name}"))
            try:
                yield Database(kind, url.set(database=name).render_as_string(hide_password=False))
            finally:
                with admin.connect() as connection:
                    force = " WITH (FORCE)" if kind == "postgresql" else ""
                    connection.execute(text(f"DROP DATABASE IF EXISTS {name}{force}"))
                admin.dispose()

        return make()

    return maker


@cache
def _why_not(kind: str) -> str:
    """Why a database server cannot be used here; empty if it can."""
    if os.environ.get("CI"):
        return ""
    try:
        engine = create_engine(SERVERS[kind])
        engine.connect().close()
        engine.dispose()
    except (SQLAlchemyError, ImportError) as error:
        return f"no {kind} answers at {SERVERS[kind]}: {type(error).__name__}"
    return ""


def databases() -> list[Any]:
    """The parameters of the ``database`` fixture."""
    parameters = [pytest.param(_sqlite_memory, id="sqlite-memory"), pytest.param(_sqlite_file, id="sqlite-file")]
    for kind in SERVERS:
        reason = _why_not(kind)
        parameters.append(pytest.param(_server(kind), id=kind, marks=[pytest.mark.skipif(bool(reason), reason=reason)]))
    return parameters
