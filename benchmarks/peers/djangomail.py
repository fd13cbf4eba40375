"""Django's SMTP backend: a connection for each message, or one that is opened before them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import django
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection

from ..letters import SENDER, letter, recipients
from .base import BlockingPeer, Job, Send

BACKEND = "django.core.mail.backends.smtp.EmailBackend"


def message(job: Job, backend: Any) -> EmailMultiAlternatives:
    """Return the job's letter as Django's message, to be sent by ``backend``."""
    content = letter(job.size)
    made = EmailMultiAlternatives(content.subject, content.text, SENDER, recipients(job.recipients), connection=backend)
    if content.html is not None:
        made.attach_alternative(content.html, "text/html")
    if content.attachment is not None:
        made.attach("book.bin", content.attachment, "application/octet-stream")
    return made


class MessageSend(BlockingPeer):
    """``EmailMultiAlternatives(...).send()``."""

    def prepare(self) -> None:
        if not settings.configured:
            settings.configure(EMAIL_BACKEND=BACKEND)
            django.setup()

    def backend(self) -> Any:
        """Return a new backend, as ``send`` makes one for each message."""
        login = {"username": self.job.username, "password": self.job.password} if self.job.secure else {}
        return get_connection(
            BACKEND,
            host=self.job.host,
            port=self.job.port,
            use_tls=self.job.security == "starttls",
            use_ssl=self.job.security == "ssl",
            **login,
        )

    @contextmanager
    def lane(self) -> Iterator[Send]:
        yield lambda: self._check(message(self.job, self.backend()))

    @staticmethod
    def _check(made: EmailMultiAlternatives) -> None:
        if made.send() != 1:
            raise RuntimeError("Django did not send the message")


class KeptOpen(MessageSend):
    """The same over a connection that stays open."""

    @contextmanager
    def lane(self) -> Iterator[Send]:
        with self.backend() as kept:
            yield lambda: self._check(message(self.job, kept))


PEERS = {"django": MessageSend, "django-open": KeptOpen}
