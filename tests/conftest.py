"""Fixtures that every test may use: a certificate authority, a mailbox on loopback, and a database of each kind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from .databases import Database, databases
from .peers.mailbox import Mailbox


@pytest.fixture(autouse=True)
def _push_request_context() -> None:
    """Undo pytest-flask's habit of pushing a request context: it hides context bugs."""


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    """A throw-away certificate authority."""
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The authority's certificate as a file."""
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(scope="session")
def _running_mailbox(ca: trustme.CA) -> Iterator[Mailbox]:
    running = Mailbox(ca).start()
    yield running
    running.stop()


@pytest.fixture
def mailbox(_running_mailbox: Mailbox) -> Mailbox:
    """A real SMTP server on loopback, empty at the start of each test."""
    _running_mailbox.forget()
    return _running_mailbox


@pytest.fixture(params=databases())
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database of each kind in turn: SQLite in memory and in a file, PostgreSQL, MariaDB."""
    with request.param(tmp_path, os.environ.get("PYTEST_XDIST_WORKER", "main")) as made:
        yield made


@pytest.fixture
def host(ca_file: Path, tmp_path: Path) -> Iterator[Any]:
    """A host app (``tests.apps.Host``) on a SQLite file that trusts the throw-away authority."""
    from .apps import hosting

    with hosting(f"sqlite:///{tmp_path / 'host.db'}", ca_file=ca_file) as made:
        yield made
