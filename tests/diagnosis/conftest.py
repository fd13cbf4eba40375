"""What the tests of the check share: sessions over loopback."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import trustme

from flask_smtpservers.findings import Stage
from flask_smtpservers.secret import Secret
from flask_smtpservers.smtp.deadline import Deadline
from flask_smtpservers.smtp.endpoint import Endpoint, Security
from flask_smtpservers.smtp.guard import Guard
from flask_smtpservers.smtp.network import Address, SystemNetwork
from flask_smtpservers.smtp.reply import Reply
from flask_smtpservers.smtp.session import Progress, Session

HOST = "mail.example.test"


@dataclass
class Detour:
    """A network where every name is 127.0.0.1 and every port the one that is given, to test well-known ports."""

    port: int

    def resolve(self, host: str, port: int, deadline: Deadline) -> list[Address]:
        return [Address(socket.AF_INET, "127.0.0.1", self.port)]

    def dial(self, address: Address, timeout: float) -> socket.socket:
        return SystemNetwork().dial(address, timeout)


MakeSession = Callable[..., Session]


@pytest.fixture
def session_to(ca: trustme.CA) -> Iterator[MakeSession]:
    """Make a session that believes in ``host`` and ``port`` and really goes to a port of loopback."""
    made: list[Session] = []

    def make(really: int, host: str = HOST, port: int = 587, security: str = "starttls", **fields: Any) -> Session:
        values: dict[str, Any] = {
            "timeout_seconds": 0.5,
            "ca_certificate": ca.cert_pem.bytes().decode(),
            "ehlo_name": "client.example.test",
            **fields,
        }
        if values.get("username"):
            values.setdefault("password", Secret("wrong"))
        endpoint = Endpoint(host=host, port=port, security=Security(security), **values)
        made.append(Session(endpoint, network=Detour(really), guard=Guard(["127.0.0.0/8"]), deadline=Deadline(3.0)))
        return made[-1]

    yield make
    for session in made:
        session.close()


@dataclass
class FakeSession:
    """A session that finds what it is told to find, and notes what is asked of it."""

    endpoint: Endpoint
    found: list[Progress | Exception]
    recipient_reply: Reply = field(default_factory=lambda: Reply(250, ("2.1.5 OK",)))
    data_reply: Reply = field(default_factory=lambda: Reply(250, ("2.0.0 OK queued as Q77",)))
    refusals: Mapping[str, Exception] = field(default_factory=dict)
    greeting: Reply | None = None
    features: Mapping[str, str] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    closed: int = 0

    def opening(self) -> Iterator[Progress]:
        for what in self.found:
            if isinstance(what, Exception):
                raise what
            yield what

    def mail_from(self, sender: str, *, size: int | None = None, options: tuple[str, ...] = ()) -> Reply:
        self._called(" ".join([f"MAIL {sender} {size}", *options]))
        return Reply(250, ("2.1.0 OK",))

    def rcpt_to(self, address: str) -> Reply:
        self._called(f"RCPT {address}")
        return self.recipient_reply

    def data(self, content: bytes) -> Reply:
        self._called("DATA")
        return self.data_reply

    def reset(self) -> None:
        self._called("RSET")

    def close(self) -> None:
        self.closed += 1

    def _called(self, call: str) -> None:
        self.calls.append(call)
        refusal = self.refusals.get(call.partition(" ")[0])
        if refusal is not None:
            raise refusal


FakeSessions = Callable[..., FakeSession]


@pytest.fixture
def fake() -> FakeSessions:
    """Make a session that opens without trouble: ``fake("ssl", login=True)``."""

    def make(security: str = "ssl", *, login: bool = False, stop: Exception | None = None, **more: Any) -> FakeSession:
        endpoint = Endpoint(
            host=HOST,
            port=465,
            security=Security(security),
            username="me" if login else "",
            password=Secret("x") if login else None,
        )
        order = {
            "ssl": "resolve connect tls certificate greeting ehlo",
            "starttls": "resolve connect greeting ehlo starttls tls certificate",
            "none": "resolve connect greeting ehlo",
        }[security].split()
        found: list[Progress | Exception] = []
        for stage in [*order, *(["auth"] if login else [])]:
            if stop is not None and getattr(stop, "stage", None) == stage:
                found.append(stop)
                break
            found.append(Progress(Stage(stage), f"saw {stage}", Reply(220, ("hi",)) if stage == "greeting" else None))
        return FakeSession(endpoint, found, **more)

    return make
