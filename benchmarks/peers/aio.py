"""aiosmtplib with connections that stay open; several "threads" are several tasks of one event loop."""

from __future__ import annotations

import asyncio
import ssl

import aiosmtplib

from ..letters import email_message
from .base import Job, Peer


class KeptOpen(Peer):
    """``await smtp.send_message()``."""

    def open(self, job: Job) -> None:
        self.job = job
        self.loop = asyncio.Runner()
        context = ssl.create_default_context(cafile=job.ca_file)
        self.clients = [
            aiosmtplib.SMTP(
                hostname=job.host,
                port=job.port,
                use_tls=job.security == "ssl",
                start_tls=job.security == "starttls",
                tls_context=context,
                username=job.username if job.secure else None,
                password=job.password if job.secure else None,
            )
            for _ in range(job.threads)
        ]

    def send(self, count: int) -> None:
        self.loop.run(self._send(count))

    def close(self) -> None:
        self.loop.run(self._quit())
        self.loop.close()

    async def _send(self, count: int) -> None:
        left = iter(range(count))
        async with asyncio.TaskGroup() as group:
            for client in self.clients:
                group.create_task(self._send_some(client, left))

    async def _send_some(self, client: aiosmtplib.SMTP, left: object) -> None:
        for _ in left:  # type: ignore[attr-defined]
            if not client.is_connected:
                await client.connect()
            refused, _reply = await client.send_message(email_message(self.job.size, self.job.recipients))
            if refused:
                raise RuntimeError(f"refused: {refused}")

    async def _quit(self) -> None:
        for client in self.clients:
            if client.is_connected:
                await client.quit()


PEERS = {"aiosmtplib-open": KeptOpen}
