"""smtplib with one connection that stays open: what a careful application writes by hand."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from ..letters import email_message
from .base import BlockingPeer, Send


class KeptOpen(BlockingPeer):
    """``smtp.send_message()``."""

    def prepare(self) -> None:
        self.context = ssl.create_default_context(cafile=self.job.ca_file)

    @contextmanager
    def lane(self) -> Iterator[Send]:
        with self._connect() as smtp:
            if self.job.security == "starttls":
                smtp.starttls(context=self.context)
            if self.job.secure:
                smtp.login(self.job.username, self.job.password)
            yield lambda: self._send_one(smtp)

    def _connect(self) -> smtplib.SMTP:
        if self.job.security == "ssl":
            return smtplib.SMTP_SSL(self.job.host, self.job.port, context=self.context)
        return smtplib.SMTP(self.job.host, self.job.port)

    def _send_one(self, smtp: smtplib.SMTP) -> None:
        if refused := smtp.send_message(email_message(self.job.size, self.job.recipients)):
            raise RuntimeError(f"refused: {refused}")


PEERS = {"smtplib-open": KeptOpen}
