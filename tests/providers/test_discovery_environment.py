"""The real environment: DNS over loopback to a name server of our own, and pages over real HTTPS."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from flask_smtpservers.errors import MissingExtraError
from flask_smtpservers.providers.environment import SystemEnvironment
from flask_smtpservers.providers.records import MX, SRV
from flask_smtpservers.smtp.deadline import Deadline
from flask_smtpservers.smtp.guard import Guard

from ..peers.hostile import hear, listen, send, start_tls
from .world import World

ZONE = {
    ("example.org.", "MX"): ["20 backup.example.net.", "10 MX.example.org."],
    ("null.example.org.", "MX"): ["0 ."],
    ("_submission._tcp.example.org.", "SRV"): ["0 1 587 mail.example.org."],
    ("_submission._tcp.null.example.org.", "SRV"): ["0 0 0 ."],
    ("example.org.", "TXT"): ['"hello"'],
}


class NameServer:
    """Answers from a zone over UDP; a name that begins with ``mute`` gets no answer, ``broken`` a failure."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.asked: list[str] = []
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self) -> None:
        while True:
            data, peer = self.socket.recvfrom(4096)
            if not data:
                return
            query = dns.message.from_wire(data)
            name = query.question[0].name.to_text()
            self.asked.append(name)
            if not name.startswith("mute"):
                self.socket.sendto(self.answer(query, name).to_wire(), peer)

    def answer(self, query: dns.message.Message, name: str) -> dns.message.Message:
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        kind = query.question[0].rdtype.name
        if (name.lower(), kind) in ZONE:
            reply.answer.append(dns.rrset.from_text(name, 60, "IN", kind, *ZONE[name.lower(), kind]))
        elif name.startswith("broken"):
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif not any(known == name for known, _ in ZONE):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply

    def stop(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", self.port))
        self.thread.join(5)
        self.socket.close()


@pytest.fixture
def name_server() -> Iterator[NameServer]:
    running = NameServer()
    yield running
    running.stop()


Ask = Callable[[], SystemEnvironment]


@pytest.fixture
def environment(name_server: NameServer) -> SystemEnvironment:
    return SystemEnvironment(guard=Guard(), nameservers=["127.0.0.1"], dns_port=name_server.port)


def test_records(environment: SystemEnvironment, name_server: NameServer) -> None:
    """Records come as they are, names in lower case, the root as a dot; the question is for the very name."""
    end = Deadline(5)
    assert sorted(environment.mx("example.org", end), key=lambda mx: mx.preference) == [
        MX(10, "mx.example.org"),
        MX(20, "backup.example.net"),
    ]
    assert environment.mx("null.example.org", end) == [MX(0, ".")]
    assert environment.srv("_submission._tcp.example.org", end) == [SRV(0, 1, 587, "mail.example.org")]
    assert environment.srv("_submission._tcp.null.example.org", end) == [SRV(0, 0, 0, ".")]
    assert name_server.asked[0] == "example.org."


def test_no_records(environment: SystemEnvironment) -> None:
    """A name that does not exist, or has no such records, has none."""
    assert environment.mx("missing.example.com", Deadline(5)) == []
    assert environment.srv("example.org", Deadline(5)) == []


@pytest.mark.parametrize("name", ["mute.example.org", "broken.example.org", "x" * 64 + ".org"])
def test_no_answer(environment: SystemEnvironment, name: str) -> None:
    """Silence, failure and impossible names are an OSError, within the time that is left."""
    started = time.monotonic()
    with pytest.raises(OSError, match="no answer"):
        environment.mx(name, Deadline(0.4))
    assert time.monotonic() - started < 1.5


def test_the_library_is_missing(environment: SystemEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library the error is the command that installs it."""
    for module in ("dns", "dns.exception", "dns.resolver"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'flask-smtpservers\[discovery\]'"):
        environment.mx("example.org", Deadline(1))


def test_pages(world: World) -> None:
    """A page is fetched over verified HTTPS; whatever is wrong with one, there is none."""
    answer = send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    script = [start_tls(), hear(), answer, listen()]
    world.place("autoconfig.example.org", 443, world.run(script, "autoconfig.example.org"))
    world.place("other.example.org", 443, world.run(script, "stranger.example.org"))
    world.names["inner.example.org"] = ["10.0.0.1"]
    environment = SystemEnvironment(guard=Guard(), network=world, ca_file=str(world.ca_file))
    assert environment.network is world
    assert environment.fetch("https://autoconfig.example.org/x", Deadline(5)) == b"hello"
    for host in ("other", "inner", "missing"):
        assert environment.fetch(f"https://{host}.example.org/x", Deadline(5)) is None
