"""The pool over real connections: whether a session is alive, what is on the wire, and what fork and exit do."""

from __future__ import annotations

import json
import select
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import trustme

from flask_smtpservers.errors import DataRefused, SendError
from flask_smtpservers.smtp import Address, Deadline
from flask_smtpservers.smtp.pool import Pool, PoolLimits

from ..peers.hostile import (
    Peer,
    Step,
    answer,
    close,
    hear_content,
    hostile,
    listen,
    reset,
    say,
    send,
    start_tls,
    void,
)
from ..peers.postman import Postman
from .conftest import Connect, Loopback
from .test_sending import CONTENT, A, envelope

ROOT = Path(__file__).parents[2]
SECURITIES = pytest.mark.parametrize("security", ["none", "ssl"])


def close_notify() -> Step:
    """End TLS in good order, and leave."""

    def step(peer: Peer) -> None:
        assert isinstance(peer.connection, ssl.SSLSocket)
        peer.connection.unwrap()

    return step


# -- is it alive?
@SECURITIES
@pytest.mark.parametrize(
    "ending",
    [[close()], [reset()], [say("421 4.4.2 idle")], [say("421 4.4.2 idle"), close()], [send(b"\0"), listen()]],
    ids=["closed", "reset", "421", "421 and closed", "a byte"],
)
def test_a_session_that_is_over(connect: Connect, ca: trustme.CA, security: str, ending: list[Step]) -> None:
    """Whatever the server did meanwhile shows without a word: it hung up, or it said something unasked."""
    idle = threading.Event()
    steps = [say("220 hi"), answer("250 x"), lambda peer: void(idle.wait(5)), *ending]
    with hostile([start_tls(), *steps] if security == "ssl" else steps, ca=ca) as server:
        network = Watched(server.port)
        session = connect(server.port, security, network=network).open()
        assert session.alive()
        idle.set()
        network.wait()
        assert not session.alive()
        assert not session.usable
    assert "QUIT" not in server.verbs


class Watched(Loopback):
    """A network that tells when something has arrived."""

    def dial(self, address: Address, timeout: float) -> socket.socket:
        connection = super().dial(address, timeout)
        self.copy = connection.dup()
        return connection

    def wait(self) -> None:
        poll = select.poll()
        poll.register(self.copy, select.POLLIN)
        with self.copy:
            assert poll.poll(5000)


def test_tls_that_ends_in_good_order(connect: Connect, ca: trustme.CA) -> None:
    with hostile([start_tls(), say("220 hi"), answer("250 x"), close_notify()], ca=ca) as server:
        network = Watched(server.port)
        session = connect(server.port, "ssl", network=network).open()
        network.wait()
        assert not session.alive()


@SECURITIES
def test_a_session_that_is_alive(connect: Connect, ca: trustme.CA, security: str) -> None:
    """A quiet one is alive, TLS session tickets notwithstanding; it is not asked, and nobody waits."""
    steps = [
        say("220 hi"),
        answer("250 x"),
        answer("250 ok", "250 ok", "354 go"),
        hear_content(),
        say("250 ok"),
        listen(),
    ]
    with hostile([start_tls(), *steps] if security == "ssl" else steps, ca=ca) as server:
        session = connect(server.port, security).open()
        started = time.monotonic()
        assert all(session.alive() for _ in range(100))
        assert time.monotonic() - started < 1
        assert session.send(envelope(), CONTENT).accepted == (A,)
        assert session.alive()
        session.close()
        server.settle()
    assert server.verbs[:4] == ["EHLO", "MAIL", "RCPT", "DATA"]


def test_a_session_that_never_was_or_is_closed(connect: Connect) -> None:
    with hostile([say("220 hi"), answer("250 x"), listen()]) as server:
        session = connect(server.port)
        assert not session.alive()
        session.open()
        session.close()
        assert not session.alive()


def test_abandoning(connect: Connect) -> None:
    """Not a byte goes out, and the connection is not shut down: another process goes on using it."""
    with hostile([say("220 hi"), answer("250 x"), listen()]) as server:
        session = connect(server.port).open()
        with connect.sockets[0].dup() as copy:
            session.abandon()
            session.close()
            assert not session.usable
            copy.sendall(b"NOOP\r\n")
        server.settle()
    assert server.verbs == ["EHLO", "NOOP"]


# -- messages over a pool
class Sending:
    """Sends over a pool to a postman."""

    def __init__(self, connect: Connect, port: int, security: str = "none", **limits: Any) -> None:
        self.pool = Pool(PoolLimits(**limits))
        self.make = lambda: connect(port, security, timeout_seconds=5, deadline=20)

    def __call__(self, *recipients: str) -> bool:
        """Send a message, and tell whether the session was used before."""
        with self.pool.loan("key", self.make, Deadline(20)) as loan:
            loan.session.send(envelope(*recipients), CONTENT)
            return loan.reused


@SECURITIES
@pytest.mark.parametrize("recipients", [1, 50, 98])
def test_flights(connect: Connect, ca: trustme.CA, security: str, recipients: int) -> None:
    """A warm message takes two flights, whatever the number of recipients; nothing is said besides."""
    postman = Postman()
    with hostile([start_tls(), postman.serve] if security == "ssl" else [postman.serve], ca=ca) as server:
        sending = Sending(connect, server.port, security)
        everybody = [f"u{number}@example.test" for number in range(recipients)]
        assert [sending(*everybody) for _ in range(4)] == [False, True, True, True]
        (visit,) = postman.visits
        # EHLO is one, and the verdict on the content that we wait for is the end of the last.
        assert visit.flights == 1 + 4 * 2
        sending.pool.close()
        server.settle()
    assert [parcel.recipients for parcel in visit.parcels] == [everybody] * 4
    assert visit.count("RSET") == visit.count("NOOP") == 0
    assert visit.verbs[-1] == "QUIT"


def test_a_refusal_costs_no_flight(connect: Connect) -> None:
    """The RSET that a refused transaction needs travels with the next message."""
    postman = Postman()
    with hostile([postman.serve]) as server:
        sending = Sending(connect, server.port)
        with pytest.raises(SendError):
            sending("bad@example.test")
        assert sending(A)
        (visit,) = postman.visits
        assert (visit.flights, visit.count("RSET")) == (1 + 1 + 2, 1)
        sending.pool.close()


def test_stale_sessions_are_noticed_before_they_are_used(connect: Connect) -> None:
    """A server that hangs up on idle connections is no reason for an error."""
    postman = Postman(hangs_up=lambda visit, verb: verb == "accepted")
    with hostile([postman.serve]) as server:
        sending = Sending(connect, server.port)
        for _ in range(3):
            assert not sending(A)
            server.settle()
        sending.pool.close()
    assert [len(visit.parcels) for visit in postman.visits] == [1, 1, 1]


def test_a_session_after_a_421_is_not_used_again(connect: Connect) -> None:
    postman = Postman(says=lambda visit, verb: "421 bye" if verb == "." and len(visit.parcels) == 1 else None)
    with hostile([postman.serve]) as server:
        sending = Sending(connect, server.port)
        assert not sending(A)
        with pytest.raises(DataRefused):
            sending(A)
        assert not sending(A)
        sending.pool.close()


def test_many_threads(connect: Connect) -> None:
    """Eight threads with twenty messages each: eight connections at most, and each message once."""
    postman = Postman()
    with hostile([postman.serve]) as server:
        sending = Sending(connect, server.port)

        def work(thread: int) -> None:
            for number in range(20):
                sending(f"t{thread}-{number}@example.test")

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        sending.pool.close()
        server.settle()
    assert 1 <= len(postman.visits) <= 8
    assert sorted(parcel.recipients[0] for parcel in postman.parcels) == sorted(
        f"t{thread}-{number}@example.test" for thread in range(8) for number in range(20)
    )
    assert postman.total("RSET") == postman.total("NOOP") == 0


# -- processes
def run(scenario: str, port: int) -> dict[str, Any]:
    """Run the script; whatever it writes to stderr, a ResourceWarning say, fails."""
    command = [
        sys.executable,
        "-W",
        "error",
        "-W",
        "ignore:This process",
        "-X",
        "dev",
        "-m",
        "tests.smtp.pool_script",
        scenario,
        str(port),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stderr, done.returncode) == ("", 0)
    return json.loads(done.stdout) if done.stdout else {}


def test_exit() -> None:
    """A process that ends says QUIT over what is left, and leaves no socket to the collector."""
    postman = Postman()
    with hostile([postman.serve]) as server:
        run("leave", server.port)
        server.settle()
    assert postman.visits[0].verbs[-1] == "QUIT"


def test_fork() -> None:
    """A child begins anew, even if the lock was held; the parent's connections go on as if nothing had been."""
    postman = Postman()
    with hostile([postman.serve]) as server:
        assert run("fork", server.port) == {"child": 0}
        server.settle()
    by_visit = [[parcel.recipients[0].split("@")[0] for parcel in visit.parcels] for visit in postman.visits]
    assert sorted(name for names in by_visit for name in names) == ["child", "holder", "parent", "parent", "thread"]
    assert ["child"] in by_visit
    assert len(by_visit) == 3
    assert all(visit.verbs[-1] == "QUIT" for visit in postman.visits)


def test_fork_in_the_midst_of_a_message() -> None:
    """Who forks while using a session keeps it as the parent; the child's copy is closed without a word."""
    postman = Postman()
    with hostile([postman.serve]) as server:
        assert run("fork_inside", server.port) == {"child": 0}
        server.settle()
    assert [[parcel.recipients[0] for parcel in visit.parcels] for visit in postman.visits] == [
        ["parent@x.test"],
        ["child@x.test"],
    ]


def test_steps_are_heard() -> None:
    """The postman says what it is told to."""
    postman = Postman(says=lambda visit, verb: "599 no" if verb == "NOOP" else None)
    with hostile([postman.serve]) as server, socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"NOOP\r\nRSET\r\n")
        heard = b""
        while heard.count(b"\r\n") < 3:
            heard += connection.recv(1000)
    assert heard == b"220 postman\r\n599 no\r\n250 ok\r\n"
