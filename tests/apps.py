"""A small host app for tests, with everything that a test may want to replace as an argument."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from flask import Flask
from flask_mail import Mail
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import inspect, text
from sqlalchemy.exc import OperationalError

from flask_smtpservers.errors import SMTPServersError
from flask_smtpservers.extension import SMTPServers
from flask_smtpservers.state import AppState, state_of

from . import canary
from .peers.mailbox import PASSWORD, USERNAME, Mailbox


@dataclass
class Host:
    """A host app and its parts."""

    app: Flask
    db: SQLAlchemy
    mail: Mail
    smtp: SMTPServers

    @property
    def state(self) -> AppState:
        return state_of(self.app)


@contextmanager
def hosting(
    database_url: str = "sqlite://",
    *,
    ca_file: Path | None = None,
    access: Callable[..., bool] = lambda action, scope: True,
    create_tables: bool = True,
    init: dict[str, Any] | None = None,
    **config: Any,
) -> Iterator[Host]:
    """A host whose mail may go to loopback; its engine is disposed of at the end."""
    app = Flask("shop")
    app.config.update(
        SECRET_KEY="a secret key for tests only",
        SQLALCHEMY_DATABASE_URI=database_url,
        MAIL_DEFAULT_SENDER="app@example.test",
        SMTPSERVERS_ALLOWED_NETWORKS=["127.0.0.0/8", "::1/128"],
        SMTPSERVERS_ALLOWED_HOSTS=["localhost"],
        SMTPSERVERS_EHLO_NAME="client.example.test",
        SMTPSERVERS_CA_FILE=str(ca_file) if ca_file else None,
    )
    app.config.update(config)
    db, mail, smtp = SQLAlchemy(), Mail(), SMTPServers()
    db.init_app(app)
    mail.init_app(app)
    smtp.init_app(app, db=db, mail=mail, access=access, **(init or {}))
    with app.app_context():
        if create_tables:
            db.create_all()
    try:
        yield Host(app, db, mail, smtp)
    finally:
        with app.app_context():
            _look_for_leaks(app, db)
        state_of(app).pool.close()
        with app.app_context():
            db.session.remove()
            for engine in db.engines.values():
                engine.dispose()


def _look_for_leaks(app: Flask, db: SQLAlchemy) -> None:
    """Look for the tests' password in what the app keeps: its objects and its tables."""
    for kept in _objects(state_of(app)):
        canary.look_at(kept)
    for engine in db.engines.values():
        with suppress(OperationalError), engine.connect() as connection:  # some tests have a database that is down
            for table in inspect(connection).get_table_names():
                if table.startswith("smtpservers_"):
                    canary.look(f"table {table}", repr(connection.execute(text(f"SELECT * FROM {table}")).fetchall()))


def _objects(state: AppState) -> Iterator[object]:
    """Give every object that the extension keeps or hands out, but the catalogue, whose data are the package's own."""
    yield from (state, *(getattr(state, field.name) for field in fields(state) if field.name != "catalog"))
    for loan in state.pool._resting:
        yield from (loan, loan.session, loan.session.endpoint, loan.session.endpoint.password, loan.session.transcript)
    with suppress(SMTPServersError):  # some tests have no tables, or have made a secret unreadable
        for profile in state.store.servers():
            yield profile
            yield state.store.password_of(profile)


def server_fields(mailbox: Mailbox, **changes: Any) -> dict[str, Any]:
    """The fields of a working server: the mailbox's submission port."""
    return {
        "name": "Shop",
        "host": "localhost",
        "port": mailbox.submission,
        "security": "starttls",
        "username": USERNAME,
        "password": PASSWORD,
        "address": "shop@example.test",
        "sender_name": "Corner Shop",
        **changes,
    }
