"""An internet on loopback: names, records and pages from tables, and every address led to a port of this machine."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme

from flask_smtpservers.errors import HostNotFound
from flask_smtpservers.findings import Stage
from flask_smtpservers.providers.discovery import Discovery, Timing, discover
from flask_smtpservers.providers.probe import ProbeLimits
from flask_smtpservers.providers.records import MX, SRV
from flask_smtpservers.smtp.deadline import Deadline
from flask_smtpservers.smtp.guard import Guard
from flask_smtpservers.smtp.network import Address, LocalName, SystemNetwork

from ..peers.hostile import Hostile, Step, answer, hang, hostile, listen, say, server_context, start_tls

#: Short enough for tests, long enough for a busy machine: nothing that should succeed takes a tenth of it.
BRISK = Timing(lookups=1.5, total=6.0, probe=ProbeLimits(connect=1.0, reply=1.5, total=3.0))

EHLO = "250-mail.example.org\n250-SIZE 35882577\n250-SMTPUTF8\n250 AUTH PLAIN LOGIN"


@dataclass
class World:
    """A network and tables of records and pages. What is not in the tables does not exist."""

    ca: trustme.CA
    ca_file: Path
    stack: ExitStack
    names: dict[str, list[str]] = field(default_factory=dict)
    doors: dict[tuple[str, int], int] = field(default_factory=dict)
    mails: dict[str, list[MX] | Exception] = field(default_factory=dict)
    services: dict[str, list[SRV] | Exception] = field(default_factory=dict)
    pages: dict[str, bytes] = field(default_factory=dict)
    slow: set[str] = field(default_factory=set)
    over: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)
    dialled: list[tuple[str, int]] = field(default_factory=list)
    local_names: list[str] = field(default_factory=list)
    servers: list[Hostile] = field(default_factory=list)

    # -- building it
    def place(self, host: str, port: int, server: Hostile, *ips: str) -> Hostile:
        """Let ``host`` and ``port`` lead to a running server."""
        found = list(ips) or self.names.get(host) or [f"8.8.4.{len(self.names) + 1}"]
        self.names[host] = found
        self.doors.update({(ip, port): server.port for ip in found})
        self.servers.append(server)
        return server

    def run(self, script: list[Step], *names: str) -> Hostile:
        """Start a server whose certificate is for ``names``."""
        return self.stack.enter_context(hostile(script, context=server_context(self.ca, *names)))

    def ssl(self, host: str, port: int = 465, *, ehlo: str = EHLO, certificate: str = "") -> Hostile:
        """A server that encrypts from the first byte."""
        script = [start_tls(), say("220 hello"), answer(ehlo), listen()]
        return self.place(host, port, self.run(script, certificate or host))

    def starttls(self, host: str, port: int = 587, *, ehlo: str = EHLO, certificate: str = "") -> Hostile:
        """A server that encrypts when asked to; what it offers before is not what it offers after."""
        script = [say("220 hello"), answer("250-hello\n250-AUTH DIGEST-MD5\n250 STARTTLS", "220 go")]
        return self.place(host, port, self.run([*script, start_tls(), answer(ehlo), listen()], certificate or host))

    def stripped(self, host: str, port: int = 587) -> Hostile:
        """A server, or somebody in front of it, that offers no encryption."""
        return self.place(host, port, self.run([say("220 hello"), answer(EHLO), listen()], host))

    def mute(self, host: str, *ports: int) -> Hostile:
        """A server that is reached and says nothing."""
        server = self.run([hang()], host)
        for port in ports:
            self.place(host, port, server)
        return server

    def mx(self, *exchanges: str, domain: str = "example.org") -> None:
        self.mails[domain] = [MX(10 * number, exchange) for number, exchange in enumerate(exchanges, 1)]

    def srv(self, *targets: tuple[str, int], service: str = "_submission._tcp", domain: str = "example.org") -> None:
        self.services[f"{service}.{domain}"] = [SRV(10 * n, 0, port, host) for n, (host, port) in enumerate(targets)]

    def autoconfig(self, *servers: str, domain: str = "example.org", well_known: bool = False) -> None:
        """Publish a page; each server is ``host port socketType``."""
        place = f"{domain}/.well-known/autoconfig" if well_known else f"autoconfig.{domain}"
        self.pages[f"https://{place}/mail/config-v1.1.xml"] = page(*servers)

    def lead(self, host: str, *ways: tuple[int, int]) -> None:
        """Let ports of ``host`` lead to ports of this machine."""
        self.names[host] = [f"8.8.4.{len(self.names) + 1}"]
        self.doors.update({(self.names[host][0], port): real for port, real in ways})

    # -- asking it
    def discover(self, address: str = "me@example.org", **more: Any) -> Discovery:
        values: dict[str, Any] = {"guard": Guard(), "timing": BRISK, "ca_file": str(self.ca_file)} | more
        return discover(address, environment=Records(self), **values)

    @property
    def verbs(self) -> set[str]:
        """Everything that was said to any server."""
        for server in self.servers:
            server.settle()
        return {verb for server in self.servers for verb in server.verbs}

    def ask(self, table: dict[str, Any], name: str) -> Any:
        self.asked.append(name)
        if name in self.slow:
            self.over.wait(10)
        found = table.get(name)
        if isinstance(found, Exception):
            raise found
        return found

    # -- Network
    def resolve(self, host: str, port: int, deadline: Deadline) -> list[Address]:
        if isinstance(host, LocalName):
            self.local_names.append(host)
        if host not in self.names:
            raise HostNotFound(f"There is no host called {host}.", stage=Stage.RESOLVE)
        return [Address(socket.AF_INET6 if ":" in ip else socket.AF_INET, ip, port) for ip in self.names[host]]

    def dial(self, address: Address, timeout: float) -> socket.socket:
        self.dialled.append((address.ip, address.port))
        real = self.doors.get((address.ip, address.port))
        if real is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "refused")
        return SystemNetwork().dial(Address(socket.AF_INET, "127.0.0.1", real), timeout)


@dataclass
class Records:
    """The world's tables as an environment."""

    network: World

    def mx(self, domain: str, deadline: Deadline) -> list[MX]:
        return self.network.ask(self.network.mails, domain) or []

    def srv(self, name: str, deadline: Deadline) -> list[SRV]:
        return self.network.ask(self.network.services, name) or []

    def fetch(self, url: str, deadline: Deadline) -> bytes | None:
        return self.network.ask(self.network.pages, url)  # type: ignore[no-any-return]


def page(*servers: str, domains: tuple[str, ...] = ("example.org",)) -> bytes:
    """An autoconfig page; each server is ``host port socketType``."""
    blocks = "".join(
        f'<outgoingServer type="smtp"><hostname>{host}</hostname><port>{port}</port><socketType>{kind}</socketType>'
        "<username>%EMAILADDRESS%</username><authentication>password-cleartext</authentication></outgoingServer>"
        for host, port, kind in (server.split() for server in servers)
    )
    listed = "".join(f"<domain>{domain}</domain>" for domain in domains)
    return f'<clientConfig version="1.1"><emailProvider id="x">{listed}{blocks}</emailProvider></clientConfig>'.encode()


@contextmanager
def making(ca: trustme.CA, ca_file: Path) -> Iterator[World]:
    """An empty world; what runs in it ends with it."""
    with ExitStack() as stack:
        world = World(ca, ca_file, stack)
        try:
            yield world
        finally:
            world.over.set()
