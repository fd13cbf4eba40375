"""The guarded HTTPS GET, against real TLS servers on loopback that say whatever they like."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
import trustme

from flask_smtpservers.errors import (
    AddressBlocked,
    CertificateRefused,
    ConnectionRefused,
    ProtocolError,
    SendError,
    TimedOut,
)
from flask_smtpservers.smtp import Address, Deadline, Guard, LocalName, SystemNetwork
from flask_smtpservers.smtp.https import https_get

from ..peers.hostile import (
    Hostile,
    Step,
    close,
    drip,
    hang,
    hear,
    hostile,
    listen,
    say,
    send,
    server_context,
    start_tls,
    stream,
)

HOST = "autoconfig.example.org"
URL = f"https://{HOST}/mail/config-v1.1.xml"


def http(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1") + b"\r\n" + body


class Web:
    """Hosts with real TLS; each name has addresses, and each address a port of loopback."""

    def __init__(self, ca: trustme.CA, ca_file: Path, stack: ExitStack) -> None:
        self.ca, self.ca_file, self.stack = ca, str(ca_file), stack
        self.names: dict[str, list[str]] = {}
        self.doors: dict[str, int] = {}
        self.resolved: list[str] = []
        self.dialled: list[tuple[str, int]] = []
        self.limits: list[float] = []

    def serve(self, *script: Step, host: str = HOST, certificate: str = "", ips: tuple[str, ...] = ()) -> Hostile:
        context = server_context(self.ca, certificate or host)
        server = self.stack.enter_context(hostile(list(script), context=context))
        self.names[host] = list(ips) or [f"8.8.4.{len(self.names) + 1}"]
        self.doors.update(dict.fromkeys(self.names[host], server.port))
        return server

    def says(self, answer: bytes, **more: Any) -> Hostile:
        return self.serve(start_tls(), hear(), send(answer), listen(), **more)

    def get(self, url: str = URL, *, seconds: float = 3.0, guard: Guard | None = None, **more: Any) -> bytes | None:
        return https_get(
            url, network=self, guard=guard or Guard(), deadline=Deadline(seconds), **{"ca_file": self.ca_file} | more
        )

    def resolve(self, host: str, port: int, deadline: Deadline) -> list[Address]:
        assert not isinstance(host, LocalName)
        self.resolved.append(host)
        return [Address(socket.AF_INET6 if ":" in ip else socket.AF_INET, ip, port) for ip in self.names[host]]

    def dial(self, address: Address, timeout: float) -> socket.socket:
        self.dialled.append((address.ip, address.port))
        self.limits.append(timeout)
        if address.ip not in self.doors:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "refused")
        return SystemNetwork().dial(Address(socket.AF_INET, "127.0.0.1", self.doors[address.ip]), timeout)


@pytest.fixture
def web(ca: trustme.CA, ca_file: Path) -> Iterator[Web]:
    with ExitStack() as stack:
        yield Web(ca, ca_file, stack)


def test_a_page(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page comes back; the request tells nothing of us, and no proxy of the environment is asked."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    server = web.says(http("200 OK", b"<x/>", "Set-Cookie: a=b"))
    assert web.get(f"{URL}?a=b#c") == b"<x/>"
    server.settle()
    assert server.lines[0] == "GET /mail/config-v1.1.xml?a=b HTTP/1.1"
    sent = {line.split(":")[0].lower() for line in server.lines[1:] if line}
    assert sent == {"host", "accept", "user-agent", "connection", "accept-encoding"}
    assert f"Host: {HOST}" in server.lines
    assert web.dialled == [("8.8.4.1", 443)]


def test_ports_and_names_of_the_guard(web: Web) -> None:
    """The guard's ports and short names are for mail servers; a page is at 443, and looked up in DNS alone."""
    web.says(http("200 OK", b"<x/>"))
    assert web.get(guard=Guard(allowed_hosts=[HOST], ports=[25])) == b"<x/>"


def test_chunks(web: Web) -> None:
    """A page in chunks, and one that ends with the connection, are read."""
    web.says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n<x\r\n2\r\n/>\r\n0\r\n\r\n")
    assert web.get() == b"<x/>"
    web.serve(start_tls(), hear(), send(b"HTTP/1.0 200 OK\r\n\r\n<y/>"), close())
    assert web.get() == b"<y/>"


@pytest.mark.parametrize("status", ["404 Not Found", "204 No Content", "500 Oh", "401 Unauthorized", "300 Choices"])
def test_no_page(web: Web, status: str) -> None:
    """Any other answer is no page."""
    web.says(http(status, b"<x/>"))
    assert web.get() is None


@pytest.mark.parametrize(
    "url",
    ["http://autoconfig.example.org/", "https://autoconfig.example.org:8443/", "https://u:p@autoconfig.example.org/",
     "https://127.0.0.1/", "https://[::1]/", "https://2130706433/", "https://localhost/", "https://intranet/", "https:///x",
     "https://autoconfig.example.org/a b", "https://autoconfig.example.org/\r\nX: y", "https://autoconfig.example.org/ä",
     "https://autoconfig.example.org:x/", "file:///etc/passwd", "https://[::1", ""],
)  # fmt: skip
def test_other_urls(web: Web, url: str) -> None:
    """Only https://name/ at port 443 is looked up at all."""
    web.serve()
    with pytest.raises(AddressBlocked):
        web.get(url, guard=Guard(["127.0.0.0/8"], allowed_hosts=["intranet"]))
    assert (web.resolved, web.dialled) == ([], [])


@pytest.mark.parametrize(
    "ips", [["10.0.0.1"], ["8.8.4.1", "169.254.169.254"], ["64:ff9b::a00:1"], ["::ffff:127.0.0.1"]]
)
def test_inner_addresses(web: Web, ips: list[str]) -> None:
    """A name with any address that is not public is not connected to."""
    web.says(http("200 OK", b"<x/>"), ips=tuple(ips))
    with pytest.raises(AddressBlocked):
        web.get()
    assert web.dialled == []


def test_the_next_address(web: Web) -> None:
    """A second address is tried if the first fails; if all fail, that is a failure to connect."""
    web.says(http("200 OK", b"<x/>"))
    web.names[HOST].insert(0, "8.8.8.8")
    assert web.get() == b"<x/>"
    web.doors.clear()
    with pytest.raises(ConnectionRefused):
        web.get()


def test_certificates(web: Web) -> None:
    """A certificate for another name, or of nobody known, gives nothing; nothing was asked."""
    server = web.says(http("200 OK", b"<x/>"), certificate="stranger.example.org")
    with pytest.raises(CertificateRefused):
        web.get()
    web.says(http("200 OK", b"<x/>"))
    with pytest.raises(CertificateRefused):
        web.get(ca_file=None)
    assert server.received == b""


def test_a_redirect(web: Web) -> None:
    """One redirect is followed, a relative one too."""
    web.says(http("302 Found", b"", "Location: https://www.example.org/x"))
    web.says(http("200 OK", b"<x/>"), host="www.example.org")
    assert web.get() == b"<x/>"
    server = web.says(http("301 Moved", b"", "Location: /elsewhere"))
    with pytest.raises(ProtocolError, match="too often"):
        web.get()
    server.settle()
    assert server.lines[0].startswith("GET /mail/")
    assert any(line.startswith("GET /elsewhere ") for line in server.lines)


def test_one_redirect_only(web: Web) -> None:
    """A second redirect is not followed, though it would lead to a page."""
    web.says(http("302 Found", b"", "Location: https://b.example.org/"))
    web.says(http("302 Found", b"", "Location: https://c.example.org/"), host="b.example.org")
    web.says(http("200 OK", b"<x/>"), host="c.example.org")
    with pytest.raises(ProtocolError, match="too often"):
        web.get()
    assert web.get(redirects=2) == b"<x/>"


@pytest.mark.parametrize(
    "target",
    ["http://www.example.org/", "https://www.example.org:8443/", "https://127.0.0.1/", "//localhost/", "ftp://x.org/",
     "https://inner.example.org/"],
)  # fmt: skip
def test_redirects_are_checked(web: Web, target: str) -> None:
    """A redirect leads nowhere where the first address could not have led."""
    web.names["inner.example.org"] = ["10.0.0.1"]
    web.says(http("302 Found", b"", f"Location: {target}"))
    with pytest.raises(AddressBlocked):
        web.get()
    assert len(web.dialled) == 1


def endless(data: bytes) -> Step:
    return stream(repeat(data))


@pytest.mark.parametrize(
    "script",
    [
        [send(http("200 OK", b"x" * 65537)), listen()],
        [send(b"HTTP/1.1 200 OK\r\n\r\n"), endless(b"x" * 4096)],
        [send(b"HTTP/1.1 200 OK\r\n"), endless(b"X: y\r\n" * 100)],
        [endless(b"HTTP/1.1 100 Continue\r\n\r\n")],
        [endless(b"x" * 4096)],
        [send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"), close()],
        [say("220 smtp.example.org ESMTP"), listen()],
        [close()],
        [send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n"), listen()],
    ],
    ids=["large", "endless", "headers", "continue", "junk", "short", "smtp", "closed", "chunks"],
)
def test_rude_servers(web: Web, script: list[Step]) -> None:
    """Too much, too little and no HTTP at all end in one kind of error, with bounded memory."""
    web.serve(start_tls(), hear(), *script)
    with pytest.raises(SendError) as caught:
        web.get(seconds=10)
    assert not isinstance(caught.value, TimedOut)


@pytest.mark.parametrize(
    "script",
    [
        [hang()],
        [start_tls(), hang()],
        [start_tls(), hear(), drip(b"HTTP/1.1 200 OK\r\n" * 100, every=0.05)],
        [start_tls(), hear(), send(b"HTTP/1.1 200 OK\r\n\r\n"), drip(b"x" * 1000, every=0.05)],
    ],
    ids=["no-tls", "no-answer", "slow-headers", "slow-body"],
)
def test_slow_servers(web: Web, script: list[Step]) -> None:
    """However slowly a server speaks, the deadline holds."""
    web.serve(*script)
    started = time.monotonic()
    with pytest.raises(TimedOut):
        web.get(seconds=0.6)
    assert time.monotonic() - started < 1.5


def test_connecting_has_its_own_limit(web: Web) -> None:
    """All addresses together have the time for connecting, and no more."""
    web.serve(ips=("8.8.4.1", "8.8.4.2"))
    web.doors.clear()
    with pytest.raises(ConnectionRefused):
        web.get(connect_seconds=1.0)
    first, second = web.limits
    assert first == pytest.approx(0.5, abs=0.1)
    assert first < second <= 1.0
