"""Our extension: a host app with one stored server, through its public interface only."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask
from flask_mail import Mail
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event

from flask_smtpservers import SMTPServers

from ..letters import SENDER
from .base import BlockingPeer, Send
from .flaskmail import message


class MailSend(BlockingPeer):
    """``mail.send()``; as in a web app, each message has an app context of its own."""

    def prepare(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="smtpservers-bench-")
        self.app = Flask("shop")
        self.app.config.update(
            SECRET_KEY="only for this benchmark",
            SQLALCHEMY_DATABASE_URI=f"sqlite:///{Path(self.folder.name) / 'shop.sqlite'}",
            MAIL_DEFAULT_SENDER=SENDER,
            SMTPSERVERS_ALLOWED_NETWORKS=["127.0.0.0/8"],
            SMTPSERVERS_CA_FILE=self.job.ca_file,
        )
        self.db, self.mail, self.smtp = SQLAlchemy(self.app), Mail(self.app), SMTPServers()
        self.smtp.init_app(self.app, db=self.db, mail=self.mail, access=lambda action, scope: True)
        login: dict[str, Any] = (
            {"username": self.job.username, "password": self.job.password} if self.job.secure else {}
        )
        with self.app.app_context():
            self.db.create_all()
            self.smtp.add_server(
                name="Shop", host=self.job.host, port=self.job.port, security=self.job.security, address=SENDER, **login
            )
            self.db.session.commit()
            self.count = 0
            event.listen(self.db.engine, "before_cursor_execute", self._counted)

    def finish(self) -> None:
        with self.app.app_context():
            self.db.engine.dispose()
        self.folder.cleanup()

    def statements(self) -> int:
        return self.count

    @contextmanager
    def lane(self) -> Iterator[Send]:
        yield self._send_one

    def _send_one(self) -> None:
        with self.app.app_context():
            self.mail.send(message(self.job))

    def _counted(self, *_: Any) -> None:
        self.count += 1


class MailConnect(MailSend):
    """``with mail.connect()`` around all messages of a thread."""

    @contextmanager
    def lane(self) -> Iterator[Send]:
        with self.app.app_context(), self.mail.connect() as connection:
            yield lambda: connection.send(message(self.job))


PEERS = {"ours": MailSend, "ours-connect": MailConnect}
