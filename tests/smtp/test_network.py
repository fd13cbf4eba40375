"""Name resolution, dialling, and what a session makes of several addresses (S05-S07, S10, S11, S14)."""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from flask_smtpservers.errors import (
    AddressBlocked,
    ConnectionFailed,
    ConnectionRefused,
    HostNotFound,
    SendError,
    TimedOut,
)
from flask_smtpservers.findings import Stage
from flask_smtpservers.smtp import Address, Deadline, Endpoint, Guard, LocalName, Security, Session, SystemNetwork
from flask_smtpservers.smtp.network import _peer_of

from ..peers.hostile import answer, hang, hostile, listen, say

V4, V6 = socket.AF_INET, socket.AF_INET6
LOOPBACK = Guard(["127.0.0.0/8", "::1/128"])


class Named:
    """A network with a table of names; it dials for real, or fails as it is told."""

    def __init__(self, *answers: list[str], errors: dict[str, Exception] | None = None) -> None:
        self.answers = list(answers)
        self.errors = errors or {}
        self.asked: list[str] = []
        self.dialled: list[tuple[str, float]] = []

    def resolve(self, host: str, port: int, deadline: Deadline) -> list[Address]:
        self.asked.append(host)
        ips = self.answers.pop(0)
        return [Address(V6 if ":" in ip else V4, ip, port) for ip in ips]

    def dial(self, address: Address, timeout: float) -> socket.socket:
        self.dialled.append((address.ip, timeout))
        if address.ip in self.errors:
            raise self.errors[address.ip]
        return SystemNetwork().dial(address, timeout)


def session(
    network: Any, *, host: str = "mail.example.test", port: int = 25, guard: Guard = LOOPBACK, **fields: Any
) -> Session:
    values: dict[str, Any] = {"timeout_seconds": 0.5, "name": "Shop mail", "ehlo_name": "c.example.test"} | fields
    endpoint = Endpoint(host=host, port=port, security=Security.NONE, **values)
    return Session(endpoint, network=network, guard=guard, deadline=Deadline(3))


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


# -- the guard at work
def test_a_name_that_leads_inside() -> None:
    """A name with a forbidden address is not connected to (S04, S05): nobody is dialled."""
    for guard in (Guard(), LOOPBACK):
        for ips in (["127.0.0.1", "169.254.169.254"], ["8.8.8.8", "10.0.0.1"]):
            network = Named(ips)
            with pytest.raises(AddressBlocked) as caught:
                session(network, guard=guard).open()
            assert (network.dialled, caught.value.server, caught.value.stage) == ([], "Shop mail", Stage.RESOLVE)


def test_rebinding() -> None:
    """A name is looked up once, and what was vetted is what is connected to, whatever DNS says afterwards (S06)."""
    with hostile([say("220 hi"), answer("250 hi"), listen()]) as server:
        network = Named(["127.0.0.1"], ["127.0.0.2"])
        with session(network, port=server.port).open() as opened:
            assert opened.peer == Address(V4, "127.0.0.1", server.port)
    assert (network.asked, [ip for ip, _ in network.dialled]) == (["mail.example.test"], ["127.0.0.1"])


def test_no_host_no_look_up() -> None:
    """What is no host, a forbidden literal or a forbidden port is refused without a look-up (S01, S08, S09)."""
    for host, port, guard in (("a..b", 25, LOOPBACK), ("10.0.0.1", 25, LOOPBACK), ("x.test", 22, Guard(ports=[25]))):
        network = Named(["127.0.0.1"])
        with pytest.raises(AddressBlocked):
            session(network, host=host, port=port, guard=guard).open()
        assert network.asked == []


def test_the_guard_can_be_off() -> None:
    """The app's own server is not guarded; its name is looked up as it stands."""
    with hostile([say("220 hi"), answer("250 hi"), listen()]) as server:
        network = Named(["127.0.0.1"])
        session(network, host="smtp_relay", port=server.port, guard=Guard(), guarded=False).open().close()
    assert [isinstance(host, LocalName) for host in network.asked] == [True]


@pytest.mark.parametrize(("host", "local"), [("mail.example.test", False), ("mailer", True), ("hosts.file.test", True)])
def test_local_names(host: str, local: bool) -> None:
    """Only the names that the operator lists are looked up with hosts file and search domains."""
    network = Named([])
    with pytest.raises(HostNotFound, match="no address"):
        session(network, host=host, guard=Guard(allowed_hosts=["mailer", "hosts.file.test"])).open()
    assert [isinstance(name, LocalName) for name in network.asked] == [local]


# -- several addresses
def test_the_next_address_is_tried() -> None:
    """An address that fails does not end it while there is another; each gets its share of the time."""
    with hostile([say("220 hi"), answer("250 hi"), listen()]) as server:
        network = Named(
            ["::1", "127.0.0.2", "127.0.0.1"],
            errors={"::1": OSError(errno.ENETUNREACH, "no route"), "127.0.0.2": TimeoutError()},
        )
        opened = session(network, port=server.port, timeout_seconds=30).open()
        assert opened.peer is not None
        assert opened.peer.ip == "127.0.0.1"
        opened.close()
    shares = [share for _, share in network.dialled]
    assert shares[0] == pytest.approx(2, abs=0.2)  # the deadline of 3 s in three parts, but no less than 2 s
    assert shares[2] <= 3


REFUSED, TIMEOUT, RESET = (
    ConnectionRefusedError(errno.ECONNREFUSED, "refused"),
    TimeoutError("timed out"),
    ConnectionResetError(errno.ECONNRESET, "reset"),
)
NO_ROUTE, NO_ADDRESS = OSError(errno.ENETUNREACH, "Network is unreachable"), OSError(errno.EADDRNOTAVAIL, "no address")


@pytest.mark.parametrize(
    ("errors", "kind", "number"),
    [
        ([REFUSED, NO_ROUTE], ConnectionRefused, errno.ECONNREFUSED),
        ([NO_ROUTE, REFUSED], ConnectionRefused, errno.ECONNREFUSED),
        ([TIMEOUT, NO_ROUTE], TimedOut, None),
        ([TIMEOUT, REFUSED], ConnectionRefused, errno.ECONNREFUSED),
        ([NO_ADDRESS, RESET], ConnectionFailed, errno.ECONNRESET),
        ([NO_ROUTE, NO_ROUTE], ConnectionFailed, errno.ENETUNREACH),
    ],
)
def test_the_most_telling_error(errors: list[OSError], kind: type[SendError], number: int | None) -> None:
    """Of several failures the one that says most about the server is reported, not the last."""
    network = Named(["::1", "127.0.0.1"], errors=dict(zip(["::1", "127.0.0.1"], errors, strict=True)))
    with pytest.raises(kind) as caught:
        session(network).open()
    assert type(caught.value) is kind
    assert caught.value.stage is Stage.CONNECT
    assert getattr(caught.value, "errno", None) == number


def test_nothing_listens() -> None:
    """A closed port is a refused connection, with the system's number."""
    with pytest.raises(ConnectionRefused) as caught:
        session(Named(["127.0.0.1"]), port=unused_port()).open()
    assert (caught.value.stage, caught.value.errno) == (Stage.CONNECT, errno.ECONNREFUSED)


def test_the_connect_limit_is_shared() -> None:
    """However many addresses hang, connecting ends at the server's limit."""

    class Hanging(Named):
        def dial(self, address: Address, timeout: float) -> socket.socket:
            self.dialled.append((address.ip, timeout))
            time.sleep(min(timeout, 0.3))
            raise TimeoutError("timed out")

    network = Hanging([f"127.0.0.{n}" for n in range(1, 40)])
    started = time.monotonic()
    with pytest.raises(TimedOut) as caught:
        session(network, timeout_seconds=0.4).open()
    assert caught.value.stage is Stage.CONNECT
    assert time.monotonic() - started < 1
    assert len(network.dialled) < 4


# -- the real resolver and sockets, on loopback
def test_system_literals() -> None:
    """Literals need no resolver, and keep their family."""
    network = SystemNetwork()
    assert network.resolve("127.0.0.1", 25, Deadline(1)) == [Address(V4, "127.0.0.1", 25)]
    assert network.resolve("::1", 25, Deadline(1)) == [Address(V6, "::1", 25)]
    assert network.resolve("::FFFF:7F00:1", 25, Deadline(1))[0].sockaddr[1:] == (25, 0, 0)


def test_system_localhost() -> None:
    """localhost is found in the hosts file."""
    found = SystemNetwork().resolve(LocalName("localhost"), 25, Deadline(2))
    assert {address.ip for address in found} <= {"127.0.0.1", "::1"}
    assert found


Resolver = Callable[..., Any]


@pytest.fixture
def system_resolver(monkeypatch: pytest.MonkeyPatch) -> Callable[[Resolver], list[str]]:
    """Put a function in the place of getaddrinfo; returns the list of names that it is asked for."""

    def install(answer: Resolver) -> list[str]:
        asked: list[str] = []

        def getaddrinfo(name: str, port: int, **_: Any) -> Any:
            asked.append(name)
            return answer(port)

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        return asked

    return install


def failing(number: int) -> Resolver:
    def fail(port: int) -> Any:
        raise socket.gaierror(number, "no")

    return fail


@pytest.mark.parametrize(
    ("host", "asked"),
    [("mail.example.test", "mail.example.test."), (LocalName("a.test"), "a.test"), ("mailer", "mailer")],
)
def test_search_domains_are_not_used(system_resolver: Callable[[Resolver], list[str]], host: str, asked: str) -> None:
    """A name with a dot is absolute, so that no search domain makes another host of it (T03)."""
    names = system_resolver(lambda port: [(V4, 1, 6, "", ("192.0.2.1", port))])
    assert SystemNetwork().resolve(host, 25, Deadline(1)) == [Address(V4, "192.0.2.1", 25)]
    assert names == [asked]


def test_families_take_turns(system_resolver: Callable[[Resolver], list[str]]) -> None:
    """IPv6 and IPv4 alternate, in the system's order otherwise."""
    system_resolver(
        lambda port: (
            [(V6, 1, 6, "", (f"2001:db8::{n}", port, 0, 0)) for n in (1, 2, 3)]
            + [(V4, 1, 6, "", ("192.0.2.1", port)), (99, 1, 6, "", ("x", 1))]
        )
    )
    found = SystemNetwork().resolve("mail.example.test", 25, Deadline(1))
    assert [address.ip for address in found] == ["2001:db8::1", "192.0.2.1", "2001:db8::2", "2001:db8::3"]


@pytest.mark.parametrize(
    ("number", "resolver_failed"),
    [(socket.EAI_NONAME, False), (socket.EAI_NODATA, False), (socket.EAI_AGAIN, True), (socket.EAI_FAIL, True)],
)
def test_names_that_are_not_found(
    system_resolver: Callable[[Resolver], list[str]], number: int, resolver_failed: bool
) -> None:
    """A name that does not exist differs from a resolver that does not work."""
    system_resolver(failing(number))
    with pytest.raises(HostNotFound) as caught:
        session(SystemNetwork(), host="mail.example.test").open()
    assert (caught.value.resolver_failed, caught.value.errno, caught.value.stage) == (
        resolver_failed,
        number,
        Stage.RESOLVE,
    )
    assert isinstance(caught.value, socket.gaierror)


def test_no_usable_family(system_resolver: Callable[[Resolver], list[str]]) -> None:
    """A name without any IP address is not found."""
    system_resolver(lambda port: [])
    with pytest.raises(HostNotFound):
        SystemNetwork().resolve("mail.example.test", 25, Deadline(1))


def test_a_name_that_cannot_be_encoded(system_resolver: Callable[[Resolver], list[str]]) -> None:
    """A name that the codec refuses is a name that is not found."""

    def fail(port: int) -> Any:
        return ("a" * 70 + ".test").encode("idna")

    system_resolver(fail)
    with pytest.raises(HostNotFound) as caught:
        SystemNetwork().resolve(LocalName("a" * 70), 25, Deadline(1))
    assert not caught.value.resolver_failed


def test_a_resolver_that_never_answers(system_resolver: Callable[[Resolver], list[str]]) -> None:
    """The look-up ends at its limit, and its thread cannot keep the process alive (S11)."""
    answered = threading.Event()
    system_resolver(lambda port: answered.wait(5) and [])
    started = time.monotonic()
    try:
        with pytest.raises(HostNotFound) as caught:
            session(SystemNetwork(), host="mail.example.test", timeout_seconds=0.2).open()
        assert caught.value.resolver_failed
        assert time.monotonic() - started < 1
        assert all(thread.daemon for thread in threading.enumerate() if thread.name == "smtpservers-resolve")
    finally:
        answered.set()


def test_a_peer_that_is_gone() -> None:
    """A server that resets as soon as it is connected to has no address any more, which is no other address."""
    with socket.socket() as never_connected:
        assert _peer_of(never_connected) == ()


def test_dialling_the_wrong_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that ends elsewhere than at the vetted address is closed."""
    with hostile([hang()]) as server:
        monkeypatch.setattr(socket.socket, "getpeername", lambda self: ("127.0.0.9", server.port))
        with pytest.raises(OSError, match="another address"):
            SystemNetwork().dial(Address(V4, "127.0.0.1", server.port), 1)


def loopback_literals() -> list[str]:
    """The loopback addresses that this machine has."""
    try:
        socket.create_server(("::1", 0), family=V6).close()
    except OSError:
        return ["127.0.0.1"]
    return ["127.0.0.1", "::1"]


@pytest.mark.parametrize("ip", loopback_literals())
def test_literals_of_both_families(ip: str) -> None:
    """IPv4 and IPv6 literals work (S10)."""
    with hostile([say("220 hi"), answer("250 hi"), listen()], host=ip) as server:
        opened = session(SystemNetwork(), host=ip, port=server.port).open()
        opened.close()
        assert opened.peer == Address(V6 if ":" in ip else V4, ip, server.port)


@pytest.mark.parametrize(
    "greeting", ["-ERR unknown command", "HTTP/1.1 400 Bad Request", "* OK IMAP4rev1", "SSH-2.0-OpenSSH_9.2p1"]
)
def test_other_protocols_hear_nothing(greeting: str) -> None:
    """Nothing is said to a server before a well-formed 220 (T05)."""
    with hostile([say(greeting), listen()]) as server:
        with pytest.raises(SendError):
            session(Named(["127.0.0.1"]), port=server.port).open()
        server.settle()
        assert server.received == b""


def test_redis_hears_nothing() -> None:
    """A server that waits for us to begin gets nothing either (S14)."""
    with hostile([listen()]) as server:
        with pytest.raises(TimedOut) as caught:
            session(Named(["127.0.0.1"]), port=server.port, timeout_seconds=0.2).open()
        server.settle()
        assert (server.received, caught.value.stage) == (b"", Stage.GREETING)
