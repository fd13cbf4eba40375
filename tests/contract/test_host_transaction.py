"""Sending in the middle of the host's transaction: nothing of the host's is flushed, committed or rolled back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask_mail import Message
from sqlalchemy import event, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.pool import QueuePool, StaticPool

from flask_smtpservers.errors import CertificateChanged

from ..apps import Host, hosting, server_fields
from ..peers.mailbox import PASSWORD, Mailbox


@pytest.fixture(params=["memory", "file", "one-connection"])
def host(request: pytest.FixtureRequest, mailbox: Mailbox, ca_file: Path, tmp_path: Path) -> Iterator[Host]:
    """A host with a model of its own, on SQLite in memory, in a file, and with a pool of one connection."""
    url = "sqlite://" if request.param == "memory" else f"sqlite:///{tmp_path / 'app.db'}"
    options: dict[str, Any] = {
        "memory": {"poolclass": StaticPool},
        "file": {},
        "one-connection": {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 0, "pool_timeout": 0.2},
    }[request.param]
    with hosting(url, ca_file=ca_file, SQLALCHEMY_ENGINE_OPTIONS=options, create_tables=False) as made:
        db = made.db

        class Order(db.Model):  # type: ignore[name-defined,misc]
            id: Mapped[int] = mapped_column(primary_key=True)
            title: Mapped[str]

        made.order = Order  # type: ignore[attr-defined]
        with made.app.app_context():
            db.create_all()
            made.smtp.add_server(**server_fields(mailbox))
            db.session.commit()
            yield made


def send(host: Host) -> None:
    host.mail.send(Message("Order", recipients=["ann@example.test"], body="Thanks"))


def counting(host: Host) -> list[str]:
    """Which of flush, commit and rollback happen to the host's session from now on."""
    happened: list[str] = []
    for name in ("before_flush", "before_commit", "after_rollback", "after_soft_rollback"):
        event.listen(host.db.session, name, lambda *_, name=name: happened.append(name))
    return happened


def test_a_half_built_object_stays_pending(host: Host, mailbox: Mailbox) -> None:
    """It has no title yet: a flush would raise."""
    order = host.order()  # type: ignore[attr-defined]
    host.db.session.add(order)
    happened = counting(host)
    send(host)
    assert happened == []
    assert order in host.db.session.new
    order.title = "late"
    host.db.session.commit()
    assert host.db.session.query(host.order).count() == 1  # type: ignore[attr-defined]
    assert len(mailbox.letters) == 1


def test_flushed_rows_survive(host: Host, mailbox: Mailbox) -> None:
    """On SQLite in memory a second connection's rollback would take them along."""
    host.db.session.add(host.order(title="flushed"))  # type: ignore[attr-defined]
    host.db.session.flush()
    happened = counting(host)
    send(host)
    assert happened == []
    host.db.session.commit()
    assert host.db.session.query(host.order).count() == 1  # type: ignore[attr-defined]
    assert len(mailbox.letters) == 1


def test_what_the_host_rolls_back_is_rolled_back(host: Host, mailbox: Mailbox) -> None:
    host.db.session.add(host.order(title="flushed"))  # type: ignore[attr-defined]
    host.db.session.flush()
    send(host)
    host.db.session.rollback()
    assert host.db.session.query(host.order).count() == 0  # type: ignore[attr-defined]
    assert len(mailbox.letters) == 1


def test_an_open_write_does_not_block_sending(host: Host, mailbox: Mailbox) -> None:
    """SQLite locks the database for writers; a pool of one connection has no second one."""
    host.db.session.execute(text("INSERT INTO \"order\" (title) VALUES ('open')"))
    send(host)
    with host.mail.connect() as connection:
        connection.send(Message("Order", recipients=["bob@example.test"]))
    host.db.session.commit()
    assert len(mailbox.letters) == 2


def test_objects_are_not_expired(host: Host, mailbox: Mailbox) -> None:
    order = host.order(title="kept")  # type: ignore[attr-defined]
    host.db.session.add(order)
    host.db.session.commit()
    order.title = "changed and not flushed"
    send(host)
    assert order.title == "changed and not flushed"
    assert order in host.db.session.dirty
    host.db.session.rollback()


def test_sending_from_commit_hooks(host: Host, mailbox: Mailbox) -> None:
    """Hosts send what belongs to a commit when it is done; the session cannot be used there."""
    errors: list[Exception] = []

    def after_commit(session: Any) -> None:
        try:
            send(host)
        except Exception as error:  # noqa: BLE001 - any would be wrong
            errors.append(error)

    event.listen(host.db.session, "after_commit", after_commit, once=True)
    host.db.session.add(host.order(title="x"))  # type: ignore[attr-defined]
    host.db.session.commit()
    assert errors == []
    assert len(mailbox.letters) == 1


def test_one_select_for_each_send(host: Host) -> None:
    """And none at all while mail is suppressed."""
    statements: list[str] = []

    def count(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    send(host)
    event.listen(host.db.engine, "before_cursor_execute", count)
    send(host)
    assert [statement.split()[0] for statement in statements] == ["SELECT"]
    host.app.extensions["mail"].suppress = True
    send(host)
    assert len(statements) == 1
    event.remove(host.db.engine, "before_cursor_execute", count)


def test_an_alarm_disturbs_nothing(host: Host, mailbox: Mailbox) -> None:
    """A changed certificate is noted with the server, on the host's transaction; what is pending stays so."""
    (server,) = host.smtp.servers()
    host.smtp.edit_server(server.public_id, certificate_fingerprint="ab" * 32, password=PASSWORD)
    host.db.session.commit()
    flushed, pending = host.order(title="flushed"), host.order()  # type: ignore[attr-defined]
    host.db.session.add(flushed)
    host.db.session.flush()
    host.db.session.add(pending)
    happened = counting(host)
    with pytest.raises(CertificateChanged):
        send(host)
    assert happened == []
    assert pending in host.db.session.new
    pending.title = "late"
    host.db.session.commit()
    assert host.db.session.query(host.order).count() == 2  # type: ignore[attr-defined]
    assert host.smtp.servers()[0].test_passed is False
    assert mailbox.logins == []
