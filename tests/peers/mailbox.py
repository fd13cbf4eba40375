"""A well-behaved SMTP server on loopback that keeps what it gets: aiosmtpd, in a thread, with a throw-away CA."""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
import threading
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

USERNAME = "u@example.test"
PASSWORD = "s3cret-CANARY"


@dataclass
class Letter:
    """One message as it arrived: the envelope, the raw content, and how the client had signed in."""

    sender: str
    recipients: list[str]
    content: bytes
    username: str | None
    encrypted: bool

    @property
    def message(self) -> EmailMessage:
        return email.message_from_bytes(self.content, policy=email.policy.default)  # type: ignore[return-value]


def _encrypted(server: SMTP) -> bool:
    return server.transport is not None and server.transport.get_extra_info("sslcontext") is not None


@dataclass
class Mailbox:
    """Three ports of one server: ``plain`` (STARTTLS offered, no login), ``submission`` (STARTTLS and AUTH
    required) and ``smtps`` (implicit TLS, AUTH).

    Recipients ``bad*`` get 550, ``temp*`` 450, senders ``badsender*`` 550.
    """

    ca: trustme.CA
    host: str = "localhost"
    smtputf8: bool = True
    account: str = USERNAME
    letters: list[Letter] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)
    connections: int = 0
    plain: int = 0
    submission: int = 0
    smtps: int = 0
    certificate: str = field(default="", repr=False)

    @property
    def ca_pem(self) -> str:
        return self.ca.cert_pem.bytes().decode()

    # -- aiosmtpd's handler hooks
    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith("badsender"):
            return "550 5.7.1 sender refused"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith("bad"):
            return "550 5.1.1 no such user"
        if address.startswith("temp"):
            return "450 4.2.0 greylisted"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        login = getattr(session, "login_name", None)
        self.letters.append(
            Letter(
                envelope.mail_from or "",
                list(envelope.rcpt_tos),
                bytes(envelope.original_content or b""),
                login,
                _encrypted(server),
            )
        )
        return f"250 2.0.0 OK queued as Q{len(self.letters)}"

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        username, password = data.login.decode(), data.password.decode()
        self.logins.append((username, password))
        ok = (username, password) == (self.account, PASSWORD)
        if ok:
            session.login_name = username
        return AuthResult(success=ok, handled=False)

    # -- life
    def start(self, names: tuple[str, ...] = ("localhost", "127.0.0.1", "mail.example.test")) -> Mailbox:
        server_context = self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.renew(*names)
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()

        talks: list[SMTP] = []
        self._talks = talks

        def counted(factory: Any) -> Any:
            def make() -> SMTP:
                self.connections += 1
                talks.append(factory())
                return talks[-1]

            return make

        async def listen() -> None:
            common: dict[str, Any] = {
                "hostname": "mail.example.test",
                "enable_SMTPUTF8": self.smtputf8,
                "data_size_limit": 20_971_520,
            }
            auth: dict[str, Any] = {"authenticator": self.authenticate, "auth_required": True}
            loop = asyncio.get_running_loop()
            self._servers = [
                await loop.create_server(
                    counted(lambda: SMTP(self, tls_context=server_context, **common)), "127.0.0.1", 0
                ),
                await loop.create_server(
                    counted(lambda: SMTP(self, tls_context=server_context, require_starttls=True, **auth, **common)),
                    "127.0.0.1",
                    0,
                ),
                await loop.create_server(
                    counted(lambda: SMTP(self, auth_require_tls=False, **auth, **common)),
                    "127.0.0.1",
                    0,
                    ssl=server_context,
                ),
            ]
            self.plain, self.submission, self.smtps = (s.sockets[0].getsockname()[1] for s in self._servers)
            ready.set()

        def run() -> None:
            asyncio.set_event_loop(self._loop)
            self._loop.run_until_complete(listen())
            self._loop.run_forever()
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

        self._thread = threading.Thread(target=run, name="mailbox", daemon=True)
        self._thread.start()
        if not ready.wait(10):
            raise RuntimeError("the mailbox did not start")
        return self

    def renew(self, *names: str, **dates: Any) -> None:
        """Show another certificate from the next connection on."""
        issued = self.ca.issue_cert(*(names or ("localhost", "127.0.0.1", "mail.example.test")), **dates)
        issued.configure_cert(self.context)
        self.certificate = issued.cert_chain_pems[0].bytes().decode()

    def stop(self) -> None:
        async def close() -> None:
            for server in self._servers:
                server.close()
            for talk in self._talks:
                if talk.transport is not None:
                    talk.transport.abort()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            for _turn in range(3):  # transports close on the next turns of the loop
                await asyncio.sleep(0)
            self._loop.stop()

        self._loop.call_soon_threadsafe(lambda: self._loop.create_task(close()))
        self._thread.join(5)

    def forget(self) -> None:
        """Empty it between tests."""
        self.letters.clear()
        self.logins.clear()
        self.connections = 0
