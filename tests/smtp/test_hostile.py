"""Servers that hang, drip, flood, never read, or hang up, at every step (table P of the threat model, T35)."""

from __future__ import annotations

import itertools
import socket
import ssl
import threading
import time
import tracemalloc
import warnings
from pathlib import Path

import pytest
import trustme

from flask_smtpservers.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    DataRefused,
    HeloRefused,
    InDoubt,
    ProtocolError,
    RecipientsRefused,
    SenderRefused,
    SendError,
    TimedOut,
    TLSFailed,
)
from flask_smtpservers.findings import Stage
from flask_smtpservers.smtp import Deadline, Envelope, Limits, Receipt, Session
from flask_smtpservers.smtp.stream import Stream

from ..peers.hostile import (
    Step,
    answer,
    close,
    drip,
    hang,
    hear,
    hear_bytes,
    hear_content,
    hostile,
    listen,
    read_slowly,
    reset,
    say,
    send,
    start_tls,
    stream,
)
from .conftest import Connect, Loopback

ENVELOPE = Envelope(sender="a@example.test", recipients=("b@example.test", "c@example.test"))
CONTENT = b"Subject: x\r\n\r\nhello\r\n"
LARGE = (b"x" * 70 + b"\r\n") * 72_000  # 5 MB
UP_TO_DATA = [say("220 hi"), answer("250-x\n250 SIZE", "250 ok", "250 ok", "250 ok", "354 go")]
SECURITIES = pytest.mark.parametrize("security", ["none", "ssl"])

#: What a well-behaved server does, step by step, with the stage at which a failure shows.
STEPS: list[tuple[Stage, list[Step]]] = [
    (Stage.GREETING, [say("220 hi")]),
    (Stage.EHLO, [answer("250-x\n250-AUTH PLAIN\n250 SIZE")]),
    (Stage.AUTH, [answer("235 ok")]),
    (Stage.MAIL_FROM, [answer("250 ok")]),
    (Stage.RCPT_TO, [answer("250 ok")]),
    (Stage.RCPT_TO, [answer("250 ok")]),
    (Stage.DATA, [answer("354 go")]),
    (Stage.DATA, [hear_content(), say("250 ok")]),
]
POSITIONS = pytest.mark.parametrize("position", range(len(STEPS)))
#: For the slow tests: greeting, EHLO, a recipient, and the final dot.
SOME_POSITIONS = pytest.mark.parametrize("position", [0, 1, 4, 7])


def up_to(position: int, *then: Step) -> list[Step]:
    """The steps before ``position``, then others; at the last one the content is heard before."""
    before = [step for _, steps in STEPS[:position] for step in steps]
    if position == len(STEPS) - 1:
        before.append(hear_content())
    elif position > 0:
        before.append(hear())
    return [*before, *then]


def attempt(session: Session, content: bytes = CONTENT) -> Receipt:
    with session:
        return session.open().send(ENVELOPE, content)


def secured(security: str, steps: list[Step]) -> list[Step]:
    return [start_tls(), *steps] if security == "ssl" else steps


@POSITIONS
def test_silence(connect: Connect, position: int) -> None:
    """A server that falls silent ends at the limit; only after the final dot is the outcome in doubt (P01, P16)."""
    stage, kind = STEPS[position][0], InDoubt if position == len(STEPS) - 1 else TimedOut
    with hostile(up_to(position, hang())) as server:
        session = connect(server.port, username="u", timeout_seconds=0.3, limits=Limits(final_reply_seconds=0.1))
        started = time.monotonic()
        with pytest.raises(kind) as caught:
            attempt(session)
        assert time.monotonic() - started < 2
    assert (type(caught.value), caught.value.stage, caught.value.permanent) == (kind, stage, False)
    assert not session.usable


@SOME_POSITIONS
def test_the_deadline_rules(connect: Connect, position: int) -> None:
    """However generous the single limits are, the whole attempt ends at its deadline (P02)."""
    stage, kind = STEPS[position][0], InDoubt if position == len(STEPS) - 1 else TimedOut
    with hostile(up_to(position, drip(b"250-" + b"x" * 500, 0.03))) as server:
        session = connect(server.port, username="u", timeout_seconds=60, deadline=0.3)
        started = time.monotonic()
        with pytest.raises(kind) as caught:
            attempt(session)
        assert 0.1 < time.monotonic() - started < 1
    assert caught.value.stage is stage


@SOME_POSITIONS
def test_dripping(connect: Connect, position: int) -> None:
    """A reply that comes byte by byte must still be complete within its limit (P02)."""
    kind = InDoubt if position == len(STEPS) - 1 else TimedOut
    with hostile(up_to(position, drip(b"250-" + b"x" * 500, 0.02))) as server:
        session = connect(server.port, username="u", timeout_seconds=0.3, limits=Limits(final_reply_seconds=0.1))
        started = time.monotonic()
        with pytest.raises(kind):
            attempt(session)
        assert time.monotonic() - started < 2


@POSITIONS
def test_endless_replies(connect: Connect, position: int) -> None:
    """A reply without end is given up at its limits in lines, slow or fast (P03)."""
    kind = InDoubt if position == len(STEPS) - 1 else ProtocolError
    with hostile(up_to(position, stream(itertools.repeat(b"250-x\r\n")))) as server, pytest.raises(kind) as caught:
        attempt(connect(server.port, username="u"))
    assert caught.value.stage is STEPS[position][0]


@SECURITIES
def test_a_line_of_10_mb(connect: Connect, ca: trustme.CA, security: str) -> None:
    """A line without end is given up at 2 KiB; memory does not grow with what is sent (P04)."""
    connect(1, security)  # a first session loads what a process loads once
    with hostile(secured(security, [stream([b"220 ", *[b"x" * 65536] * 160])]), ca=ca) as server:
        tracemalloc.start()
        try:
            with pytest.raises(ProtocolError, match="line that is too long"):
                connect(server.port, security).open()
            assert tracemalloc.get_traced_memory()[1] < 5 * 1024 * 1024
        finally:
            tracemalloc.stop()


@POSITIONS
@pytest.mark.parametrize("garbage", ["25", "2500 x", "999 x", "250x", "", "250-a\n251 b", "\0\xff\x80"])
def test_garbage(connect: Connect, position: int, garbage: str) -> None:
    """What is no reply ends it; only after the final dot is the outcome in doubt (P05, P06)."""
    stage, kind = STEPS[position][0], InDoubt if position == len(STEPS) - 1 else ProtocolError
    with hostile(up_to(position, say(*garbage.split("\n")), listen())) as server:
        session = connect(server.port, username="u")
        with pytest.raises(kind) as caught:
            attempt(session)
        server.settle()
    assert (type(caught.value), caught.value.stage, caught.value.permanent) == (kind, stage, False)
    assert caught.value.reply.isascii()
    assert "QUIT" not in server.verbs


REFUSALS = [
    ProtocolError,
    HeloRefused,
    AuthenticationFailed,
    SenderRefused,
    *[RecipientsRefused] * 2,
    *[DataRefused] * 2,
]


@POSITIONS
def test_421(connect: Connect, position: int) -> None:
    """A 421 at any step is a passing refusal of that step, and ends the session without another word (P07)."""
    with hostile(up_to(position, say("421 4.3.2 shutting down"), listen())) as server:
        session = connect(server.port, username="u")
        with pytest.raises(SendError) as caught:
            attempt(session)
        server.settle()
    error = caught.value
    assert (type(error), error.stage) == (REFUSALS[position], STEPS[position][0])
    assert (error.code, error.permanent, error.reply) == (421, False, "4.3.2 shutting down")
    assert not session.usable
    assert "QUIT" not in server.verbs


@POSITIONS
@pytest.mark.parametrize("ending", [close, reset])
def test_hanging_up(connect: Connect, position: int, ending: type[Step]) -> None:
    """FIN or RST at any step: safe to try again, but after the final dot in doubt (P08)."""
    stage, kind = STEPS[position][0], InDoubt if position == len(STEPS) - 1 else ProtocolError
    with hostile(up_to(position, ending())) as server, pytest.raises((kind, ConnectionFailed)) as caught:
        attempt(connect(server.port, username="u"))
    if isinstance(caught.value, ConnectionFailed):  # a reset can be there before connect() has returned
        assert (position, ending) == (0, reset)
        return
    assert (type(caught.value), caught.value.stage, caught.value.permanent) == (kind, stage, False)
    if isinstance(caught.value, ProtocolError):
        assert caught.value.disconnected


@pytest.mark.parametrize("ending", [close, reset])
def test_hanging_up_after_acceptance(connect: Connect, ending: type[Step]) -> None:
    """What comes after the verdict, at QUIT or before, never turns acceptance into failure (P08)."""
    with hostile([*UP_TO_DATA, hear_content(), say("250 ok"), ending()]) as server:
        session = connect(server.port)
        assert attempt(session).accepted == ENVELOPE.recipients


def test_quit_is_not_waited_for(connect: Connect) -> None:
    """QUIT is sent, and its answer waited for by nobody."""
    with hostile([*UP_TO_DATA, hear_content(), say("250 ok"), hear(), hang()]) as server:
        session = connect(server.port, timeout_seconds=5)
        started = time.monotonic()
        attempt(session)
        assert time.monotonic() - started < 2
        assert "C: QUIT" in session.transcript.lines()


# -- content
@SECURITIES
def test_content_that_is_never_read(connect: Connect, ca: trustme.CA, security: str) -> None:
    """A server that never reads ends it at the least rate; the dot was not sent, so nothing is in doubt (P09)."""
    with hostile(secured(security, [*UP_TO_DATA, hang()]), ca=ca) as server:
        started = time.monotonic()
        with pytest.raises(TimedOut) as caught:
            attempt(connect(server.port, security, timeout_seconds=0.3), LARGE)
        assert time.monotonic() - started < 2
    assert (caught.value.stage, caught.value.permanent) == (Stage.DATA, False)


@SECURITIES
@pytest.mark.parametrize("data_rate", [0, 500])
def test_content_that_is_never_read_until_the_deadline(
    connect: Connect, ca: trustme.CA, security: str, data_rate: int
) -> None:
    """The deadline ends it too, whatever the single limits."""
    with hostile(secured(security, [*UP_TO_DATA, hang()]), ca=ca) as server:
        started = time.monotonic()
        with pytest.raises(TimedOut):
            limits = Limits(data_rate=data_rate)
            attempt(connect(server.port, security, timeout_seconds=60, deadline=0.3, limits=limits), LARGE)
        assert time.monotonic() - started < 2


@SECURITIES
def test_content_that_is_read_too_slowly(connect: Connect, ca: trustme.CA, security: str) -> None:
    """A server that reads a little now and then, below the least rate, is given up (P09)."""
    with hostile(secured(security, [*UP_TO_DATA, read_slowly(100, 0.05)]), ca=ca) as server:
        started = time.monotonic()
        with pytest.raises(TimedOut):
            attempt(connect(server.port, security, timeout_seconds=0.3, limits=Limits(data_rate=4_000_000)), LARGE)
        assert time.monotonic() - started < 2


@SECURITIES
def test_a_slow_but_honest_link(connect: Connect, ca: trustme.CA, security: str) -> None:
    """A message that takes several times the single limit arrives whole, once (P10)."""

    def read_steadily(peer: object) -> None:
        while b"\r\n.\r\n" not in server.received[-5:]:
            server.over.wait(0.004 if security == "ssl" else 0.012)
            server.received += server.peers[0].connection.recv(65536)

    script = secured(security, [*UP_TO_DATA, read_steadily, say("250 ok"), listen()])
    with hostile(script, ca=ca) as server:
        session = connect(server.port, security, timeout_seconds=0.3, deadline=20)
        receipt = attempt(session, LARGE)
        server.settle()
    assert receipt.accepted == ENVELOPE.recipients
    assert server.received.count(LARGE) == 1
    assert server.received.endswith(LARGE + b".\r\nQUIT\r\n")


@SECURITIES
@pytest.mark.parametrize("ending", [close, reset, hang, listen])
def test_refused_in_the_midst_of_content(connect: Connect, ca: trustme.CA, security: str, ending: type[Step]) -> None:
    """A 552 in the midst is read and reported, whether the server then hangs up, stalls or goes on reading."""
    script = [*UP_TO_DATA, hear_bytes(100_000), say("552 5.3.4 too much"), ending()]
    with hostile(secured(security, script), ca=ca) as server:
        session = connect(server.port, security)
        with pytest.raises(DataRefused) as caught:
            attempt(session, LARGE)
    assert (caught.value.code, caught.value.enhanced, caught.value.stage) == (552, "5.3.4", Stage.DATA)
    assert not session.usable
    assert "S: 552 5.3.4 too much" in session.transcript.lines()


@SECURITIES
@pytest.mark.parametrize("ending", [close, reset])
def test_hanging_up_in_the_midst_of_content(
    connect: Connect, ca: trustme.CA, security: str, ending: type[Step]
) -> None:
    """Hanging up before the dot is no doubt: the message was not sent (P08)."""
    script = secured(security, [*UP_TO_DATA, hear_bytes(100_000), ending()])
    with hostile(script, ca=ca) as server, pytest.raises((ProtocolError, TLSFailed)) as caught:
        attempt(connect(server.port, security), LARGE)
    assert (caught.value.stage, caught.value.permanent) == (Stage.DATA, False)
    assert not isinstance(caught.value, InDoubt)


def test_accepted_before_the_end(connect: Connect) -> None:
    """A server that says 250 in the midst of the content is out of step; the rest is not sent."""
    script = [*UP_TO_DATA, hear_bytes(100_000), say("250 thanks"), listen()]
    with hostile(script) as server, pytest.raises(ProtocolError, match="no sense") as caught:
        attempt(connect(server.port), LARGE)
    assert not caught.value.permanent


def test_commands_that_are_never_read() -> None:
    """Also commands have a limit: a peer that reads nothing cannot hold a writer."""
    ours, theirs = socket.socketpair()
    with theirs:
        talk = Stream(ours, deadline=Deadline(5), seconds=0.2, limits=Limits())
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            talk.write(b"NOOP\r\n" * 1_000_000)
        assert time.monotonic() - started < 2
        talk.close()


def test_several_commands_at_once() -> None:
    """Several commands can be written at once and their replies read one by one; a 421 ends the series."""
    ours, theirs = socket.socketpair()
    with theirs:
        talk = Stream(ours, deadline=Deadline(5), seconds=0.5, limits=Limits())
        talk.write(b"MAIL\r\nRCPT\r\nDATA\r\n")
        assert theirs.recv(100) == b"MAIL\r\nRCPT\r\nDATA\r\n"
        theirs.sendall(b"250 a\r\n250 b\r\n354 c\r\n")
        assert [reply.code for reply in talk.read_replies(3)] == [250, 250, 354]
        assert not talk.waiting
        theirs.sendall(b"250 a\r\n421 b\r\n")
        assert [reply.code for reply in talk.read_replies(3)] == [250, 421]
        talk.close()


def test_replies_in_two_segments(connect: Connect) -> None:
    """Replies to one flight may come in several segments."""

    def two_segments(peer: object) -> None:
        server.peers[0].send(b"250 a\r\n")
        server.over.wait(0.02)
        server.peers[0].send(b"250 b\r\n")

    with hostile([two_segments, listen()]) as server:
        talk = Stream(
            socket.create_connection(("127.0.0.1", server.port)), deadline=Deadline(5), seconds=0.5, limits=Limits()
        )
        assert [reply.lines for reply in talk.read_replies(2)] == [("a",), ("b",)]
        talk.close()


# -- giving up
class Interrupted(BaseException):
    """What gevent's timeouts and KeyboardInterrupt are like."""


class Interrupting(Loopback):
    """A network whose sockets are interrupted at a certain receive."""

    def __init__(self, port: int, at: int) -> None:
        super().__init__(port)
        self.at = at

    def dial(self, address: object, timeout: float) -> socket.socket:
        network = self

        class Socket(socket.socket):
            def recv(self, size: int, flags: int = 0) -> bytes:
                network.at -= 1
                if network.at == 0:
                    raise Interrupted
                return super().recv(size, flags)

        connection = Socket(socket.AF_INET, socket.SOCK_STREAM)
        connection.settimeout(timeout)
        connection.connect(("127.0.0.1", self.port))
        self.sockets.append(connection)
        return connection


@pytest.mark.parametrize("at", range(1, 8))
def test_interrupts_close(connect: Connect, at: int) -> None:
    """Whatever interrupts a session closes its socket, and is not turned into something else."""
    with hostile([*UP_TO_DATA, hear_content(), say("250 ok"), listen()]) as server:
        session = connect(server.port, network=Interrupting(server.port, at))
        with pytest.raises(Interrupted):
            session.open().send(ENVELOPE, CONTENT)
        assert not session.usable
        assert [connection.fileno() for connection in connect.sockets] == [-1]


@POSITIONS
@pytest.mark.parametrize("steps", [[say("garbage"), listen()], [close()], [reset()]], ids=["garbage", "close", "reset"])
def test_no_socket_is_left_open(connect: Connect, position: int, steps: list[Step]) -> None:
    """After any failure the socket is closed at once, not when the collector comes by."""
    with hostile(up_to(position, *steps)) as server, warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        session = connect(server.port, username="u")
        with pytest.raises(SendError):
            session.open().send(ENVELOPE, CONTENT)
        # One that is reset as soon as it is there may never get that far.
        assert {connection.fileno() for connection in connect.sockets} <= {-1}


@pytest.mark.parametrize("position", range(3))
def test_no_tls_socket_is_left_open(connect: Connect, ca: trustme.CA, position: int) -> None:
    """The same where the socket was wrapped, or its wrapping failed."""
    steps = [[close()], [start_tls(), close()], [start_tls(), say("220 hi"), send(b"x" * 5000), listen()]][position]
    threads = threading.active_count()
    with hostile(steps, ca=ca) as server, warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        session = connect(server.port, "ssl")
        with pytest.raises((SendError, ssl.SSLError)):
            session.open()
        assert [connection.fileno() for connection in connect.sockets] == [-1]
    assert threading.active_count() <= threads


def test_thirty_hostile_sessions_leave_nothing(connect: Connect) -> None:
    """Descriptors do not pile up."""

    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0

    with hostile([say("220 hi"), send(b"garbage\r\n"), listen()]) as server:
        before = descriptors()
        for _ in range(30):
            with pytest.raises(SendError):
                connect(server.port).open()
        server.settle()
        assert descriptors() <= before + 1


def test_the_deadline_can_be_renewed(connect: Connect) -> None:
    """An open session gets a new deadline for its next message."""
    with hostile([*UP_TO_DATA, hear_content(), say("250 ok"), hear(), hang()]) as server:
        session = connect(server.port, deadline=5, timeout_seconds=60).open()
        session.send(ENVELOPE, CONTENT)
        session.deadline = Deadline(0.2)
        started = time.monotonic()
        with pytest.raises(TimedOut):
            session.send(ENVELOPE, CONTENT)
        assert time.monotonic() - started < 2
        session.deadline = Deadline(5)
        assert session.deadline.remaining() > 4
