"""What the tests of the SMTP client share: a network that leads every name to loopback, and sessions over it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
import trustme

from flask_smtpservers.secret import Secret
from flask_smtpservers.smtp import Address, Deadline, Endpoint, Guard, Limits, Security, Session, SystemNetwork

HOST = "mail.example.test"
SECRET = "p4ss-CANARY-word"


class Loopback:
    """A network where every name is 127.0.0.1, and every port the one that is given."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.resolved: list[str] = []
        self.sockets: list[socket.socket] = []

    def resolve(self, host: str, port: int, deadline: Deadline) -> list[Address]:
        self.resolved.append(host)
        return [Address(socket.AF_INET, "127.0.0.1", self.port)]

    def dial(self, address: Address, timeout: float) -> socket.socket:
        connection = SystemNetwork().dial(address, timeout)
        self.sockets.append(connection)
        return connection


class Connect:
    """Makes sessions to a port of loopback, with short limits: ``connect(port, "starttls", username=...)``."""

    def __init__(self, ca: trustme.CA) -> None:
        self.ca_pem = ca.cert_pem.bytes().decode()
        self.sessions: list[Session] = []
        self.sockets: list[socket.socket] = []

    def __call__(
        self,
        port: int,
        security: str = "none",
        *,
        deadline: float = 3.0,
        limits: Limits | None = None,
        network: Loopback | None = None,
        **fields: Any,
    ) -> Session:
        network = network or Loopback(port)
        network.sockets = self.sockets
        values: dict[str, Any] = {
            "name": "Shop mail",
            "host": HOST,
            "port": {"ssl": 465, "starttls": 587, "none": 25}[security],
            "security": Security(security),
            "timeout_seconds": 0.5,
            "ca_certificate": self.ca_pem,
            "ehlo_name": "client.example.test",
        }
        if fields.get("username"):
            values |= {"password": Secret(SECRET), "plaintext_auth": True}
        session = Session(
            Endpoint(**values | fields),
            network=network,
            guard=Guard(["127.0.0.0/8"]),
            deadline=Deadline(deadline),
            limits=limits,
        )
        self.sessions.append(session)
        return session


@pytest.fixture
def connect(ca: trustme.CA) -> Iterator[Connect]:
    """See :class:`Connect`; what is still open at the end of the test is closed."""
    made = Connect(ca)
    yield made
    for session in made.sessions:
        session.close()
