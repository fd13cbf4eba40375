"""Flask-Mailman: a connection for each message. Its STARTTLS cannot be told to verify the server's certificate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask
from flask_mailman import EmailMultiAlternatives, Mail

from ..letters import SENDER, letter, recipients
from .base import BlockingPeer, Send


class MessageSend(BlockingPeer):
    """``EmailMultiAlternatives(...).send()``."""

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
        content = letter(self.job.size)
        with self.app.app_context():
            message = EmailMultiAlternatives(content.subject, content.text, SENDER, recipients(self.job.recipients))
            if content.html is not None:
                message.attach_alternative(content.html, "text/html")
            if content.attachment is not None:
                message.attach("book.bin", content.attachment, "application/octet-stream")
            message.send()


PEERS = {"flask-mailman": MessageSend}
