"""Flask-Mail as it is: a connection for each ``mail.send()``, or one for all messages of ``with mail.connect()``.

It cannot be told to verify the server's certificate.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask
from flask_mail import Mail, Message

from ..letters import SENDER, letter, recipients
from .base import BlockingPeer, Job, Send


def message(job: Job) -> Message:
    """Return the job's letter as Flask-Mail's message; needs an app context."""
    content = letter(job.size)
    made = Message(
        content.subject, recipients=[*recipients(job.recipients)], body=content.text, html=content.html, sender=SENDER
    )
    if content.attachment is not None:
        made.attach("book.bin", "application/octet-stream", content.attachment)
    return made


class MailSend(BlockingPeer):
    """``mail.send()``; as in a web app, each message has an app context of its own."""

    def prepare(self) -> None:
        self.app = Flask("shop")
        self.app.config.update(MAIL_SERVER=self.job.host, MAIL_PORT=self.job.port, MAIL_DEFAULT_SENDER=SENDER)
        if self.job.secure:
            self.app.config.update(
                MAIL_USE_TLS=self.job.security == "starttls",
                MAIL_USE_SSL=self.job.security == "ssl",
                MAIL_USERNAME=self.job.username,
                MAIL_PASSWORD=self.job.password,
            )
        self.mail = Mail(self.app)

    @contextmanager
    def lane(self) -> Iterator[Send]:
        yield self._send_one

    def _send_one(self) -> None:
        with self.app.app_context():
            self.mail.send(message(self.job))


class MailConnect(MailSend):
    """``with mail.connect()`` around all messages of a thread."""

    @contextmanager
    def lane(self) -> Iterator[Send]:
        with self.app.app_context(), self.mail.connect() as connection:
            yield lambda: connection.send(message(self.job))


PEERS = {"flask-mail": MailSend, "flask-mail-connect": MailConnect}
