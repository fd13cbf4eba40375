"""An app with thousands of stored servers: what its list costs, and what stays in memory when all of them are used."""

from __future__ import annotations

import gc
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flask import Flask
from flask_mail import Mail
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event

from flask_smtpservers import SMTPServers
from flask_smtpservers.smtp.deadline import Deadline
from flask_smtpservers.smtp.session import Session
from flask_smtpservers.state import AppState, state_of

FEW, MANY = 10, 10_000


@dataclass(frozen=True)
class Crowd:
    """What was measured: statements and CPU seconds of the list page, by servers; and bytes that stay in memory."""

    statements: dict[int, int]
    seconds: dict[int, float]
    memory: int

    @property
    def slower(self) -> float:
        """How many times as long the list takes with many servers."""
        few, many = self.seconds.values()
        return many / few


def measure(few: int = FEW, many: int = MANY) -> Crowd:
    """Measure apps of both sizes."""
    statements: dict[int, int] = {}
    seconds: dict[int, float] = {}
    memory = 0
    for count in (few, many):
        with _app(count) as app:
            statements[count], seconds[count] = _list_page(app)
            memory = _memory(app, count)
    return Crowd(statements, seconds, memory)


@contextmanager
def _app(count: int) -> Iterator[Flask]:
    """Make an app with ``count`` servers: one through the public interface, the others as copies of its row."""
    with tempfile.TemporaryDirectory(prefix="smtpservers-bench-") as folder:
        app = Flask("shop")
        app.config.update(
            SECRET_KEY="only for this benchmark",
            SQLALCHEMY_DATABASE_URI=f"sqlite:///{Path(folder) / 'shop.sqlite'}",
            MAIL_DEFAULT_SENDER="shop@example.test",
        )
        db, smtp = SQLAlchemy(app), SMTPServers()
        smtp.init_app(app, db=db, mail=Mail(app), access=lambda action, scope: True)
        with app.app_context():
            db.create_all()
            smtp.add_server(name="Server 0", host="mail.example.test", security="starttls", address="s0@d0.test")
            db.session.commit()
            table = db.metadata.tables["smtpservers_server"]
            with db.engine.begin() as connection:
                first = dict(connection.execute(table.select()).mappings().one())
                del first["id"]
                copies = [
                    {
                        **first,
                        "public_id": f"{number:0{len(first['public_id'])}}",
                        "name": f"Server {number}",
                        "name_key": f"server {number}",
                        "address": f"s{number}@d{number}.test",
                        "address_key": f"s{number}@d{number}.test",
                        "domain": f"d{number}.test",
                        "position": number,
                        "is_default": False,
                    }
                    for number in range(1, count)
                ]
                connection.execute(table.insert(), copies)
        yield app
        with app.app_context():
            db.engine.dispose()


def _list_page(app: Flask) -> tuple[int, float]:
    """Return the statements and the CPU seconds of the list, asked for the second time."""
    seen: list[str] = []
    with app.app_context():
        engine = app.extensions["sqlalchemy"].engine
        event.listen(engine, "before_cursor_execute", lambda *details: seen.append(details[2]))
        url = next(rule.rule for rule in app.url_map.iter_rules() if rule.endpoint.endswith(".list_servers"))
    client = app.test_client()
    client.get(url)
    seen.clear()
    begun = time.process_time()
    answer = client.get(url)
    seconds = time.process_time() - begun
    if answer.status_code != 200:
        raise RuntimeError(f"the list answered {answer.status}")
    return len(seen), seconds


class _Unconnected(Session):
    """A session that rests in the pool as any other, without a network."""

    @property
    def usable(self) -> bool:
        return True

    def open(self) -> Session:
        return self


def _memory(app: Flask, count: int) -> int:
    """Return how much memory stays in use after each server was looked up and had a session of the pool."""
    state = state_of(app)
    gc.collect()
    tracemalloc.start()
    before, _peak = tracemalloc.get_traced_memory()
    with app.app_context():
        for server_id in [server.public_id for server in state.store.servers()]:
            _use(state, server_id)
    gc.collect()
    after, _peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return after - before


def _use(state: AppState, server_id: str) -> None:
    """Do what a message through this server does, but for what goes over the network."""
    server = state.store.get(server_id)
    endpoint, deadline = state.store.endpoint_of(server), Deadline(60)
    session = _Unconnected(endpoint, network=state.network, guard=state.guard, deadline=deadline)
    with state.pool.loan(server.digest, lambda: session, deadline):
        pass
