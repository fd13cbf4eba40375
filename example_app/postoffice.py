"""The shop's built-in mail server: a real SMTP server on loopback, with TLS and logins, that keeps what it gets.

It is there so that a newcomer sees mail arrive without having an account anywhere.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cached_property
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from .certificates import ensure_certificates

SUBMISSION_PORT = 5870
SMTPS_PORT = 4650
KEPT = 200


@dataclass(frozen=True)
class Account:
    """A login of the mail server."""

    username: str
    password: str


@dataclass(frozen=True)
class Letter:
    """A message as it arrived: its envelope, its content, and how its sender had come in."""

    number: int
    received_at: datetime
    sender: str
    recipients: tuple[str, ...]
    content: bytes = field(repr=False)
    username: str | None
    tls: str

    @cached_property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.content, policy=policy.default)

    @property
    def headers(self) -> list[tuple[str, str]]:
        return [(name, str(value)) for name, value in self.message.items()]

    @property
    def bodies(self) -> list[tuple[str, str]]:
        """Every text part as (content type, text). HTML is shown as text, never rendered."""
        return [
            (part.get_content_type(), part.get_content())
            for part in self.message.walk()
            if part.get_content_maintype() == "text"
        ]


class PostOffice:
    """The mail server and its inbox.

    :param folder: where the certificates are kept.
    :param submission_port: the port for STARTTLS; the next free one is taken if it is in use.
    :param smtps_port: the port for TLS from the first byte.
    """

    host = "localhost"
    #: The login for the server that a newcomer adds.
    shop = Account("shop@corner-shop.test", "sells-fresh-bread")
    #: The login that the app's own ``MAIL_*`` settings use, so that the inbox can tell the two apart.
    website = Account("website@corner-shop.test", "built-in-demo")
    #: The logins of the branches, and of somebody who works there.
    harbour = Account("harbour@corner-shop.test", "sees-the-ships")
    market = Account("market@corner-shop.test", "rings-the-bell")
    sam = Account("sam@corner-shop.test", "bakes-at-night")
    accounts = (shop, website, harbour, market, sam)

    def __init__(self, folder: Path, *, submission_port: int = SUBMISSION_PORT, smtps_port: int = SMTPS_PORT) -> None:
        self.ca_file, self._server_file = ensure_certificates(folder)
        self.submission_port = submission_port
        self.smtps_port = smtps_port
        self._letters: deque[Letter] = deque(maxlen=KEPT)
        self._count = 0
        self._thread: threading.Thread | None = None

    def letters(self) -> list[Letter]:
        """Return what arrived, newest first."""
        return list(reversed(self._letters))

    def letter(self, number: int) -> Letter | None:
        """Return the letter of that number, unless it is too old or never was."""
        return next((letter for letter in self._letters if letter.number == number), None)

    # -- life
    def start(self) -> None:
        """Listen at both ports, in a thread that ends with the process."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._server_file)
        submission, smtps = _listen(self.submission_port), _listen(self.smtps_port)
        self.submission_port, self.smtps_port = submission.getsockname()[1], smtps.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        ready = threading.Event()
        work = self._serve(submission, smtps, context, ready)
        self._thread = threading.Thread(
            target=self._loop.run_until_complete, args=(work,), name="post-office", daemon=True
        )
        self._thread.start()
        ready.wait()

    def stop(self) -> None:
        """Hang up and end the thread."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()
            self._loop.close()
            self._thread = None

    async def _serve(
        self, submission: socket.socket, smtps: socket.socket, context: ssl.SSLContext, ready: threading.Event
    ) -> None:
        common: dict[str, Any] = {
            "hostname": "mail.corner-shop.test",
            "ident": "Corner Shop demo",
            "enable_SMTPUTF8": True,
            "authenticator": self._authenticate,
            "data_size_limit": 10 * 1024 * 1024,
        }
        loop = asyncio.get_running_loop()
        servers = [
            await loop.create_server(
                lambda: SMTP(self, tls_context=context, require_starttls=True, **common), sock=submission
            ),
            # aiosmtpd knows TLS only by STARTTLS, but here the whole connection is inside it: a login is safe
            await loop.create_server(lambda: SMTP(self, auth_require_tls=False, **common), sock=smtps, ssl=context),
        ]
        ready.set()
        await self._stopping.wait()
        for server in servers:
            server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    # -- what aiosmtpd asks
    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        if not isinstance(data, LoginPassword):
            return AuthResult(success=False, handled=False)
        account = Account(data.login.decode("utf-8", "replace"), data.password.decode("utf-8", "replace"))
        return AuthResult(success=account in self.accounts, handled=False, auth_data=account.username)

    async def handle_MAIL(  # noqa: N802 - the name that aiosmtpd calls
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if not session.authenticated:
            return "530 5.7.0 Authentication required"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802 - as above
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith("nobody@"):
            return "550 5.1.1 No such user here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        cipher = server.transport.get_extra_info("cipher") if server.transport else None
        self._count += 1
        letter = Letter(
            number=self._count,
            received_at=datetime.now(UTC),
            sender=envelope.mail_from or "",
            recipients=tuple(envelope.rcpt_tos),
            content=bytes(envelope.original_content or b""),
            username=session.auth_data,
            tls=cipher[1] if cipher else "",
        )
        self._letters.append(letter)
        return f"250 2.0.0 OK queued as SHOP{letter.number}"


def _listen(port: int) -> socket.socket:
    """Listen at ``port``, or at the next that is free, or at any."""
    for candidate in range(port, port + 20) if port else ():
        try:
            return socket.create_server(("127.0.0.1", candidate))
        except OSError:  # taken: the next one
            continue
    return socket.create_server(("127.0.0.1", 0))
