"""More than thirty hostile servers in a row leave the host app as it was: time, memory, descriptors and threads."""

from __future__ import annotations

import gc
import itertools
import socket
import threading
import time
import traceback
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask_mail import Message

from flask_smtpservers.errors import InDoubt, SendError
from flask_smtpservers.findings import StepState
from flask_smtpservers.smtp.deadline import Deadline
from flask_smtpservers.smtp.network import Address, SystemNetwork

from ..apps import Host, hosting
from ..peers.hostile import (
    Peer,
    Step,
    close,
    drip,
    hang,
    hear,
    hear_bytes,
    hear_content,
    hostile,
    listen,
    reset,
    say,
    send,
    stream,
)

#: The limit of a whole attempt, in seconds, and what may be added to it.
LIMIT, GRACE = 0.4, 1.0
#: What a series may leave behind and what one attempt may hold meanwhile, in bytes. The first is for pytest, which
#: keeps log records, and for tests.canary, which keeps errors: ours is a hundredth of it.
LEFT_BEHIND, MEANWHILE = 2_000_000, 1_000_000
#: More than the kernel takes for somebody who never reads and lets little be sent.
LARGE = bytes(3_000_000)

#: What a server hears and says, in turn: the greeting, then one round for each command.
HEARD: list[list[Step]] = [[], [hear()], [hear()], [hear()], [hear()], [hear_content()]]
SAID = [
    "220 mail.example.test",
    "250-mail.example.test\r\n{pipelining}250-8BITMIME\r\n250 SIZE 99999999",
    "250 2.1.0 sender",
    "250 2.1.5 recipient",
    "354 go on",
    "250 2.0.0 queued as Q1",
]
GREETING, EHLO, MAIL, RCPT, DATA, DOT = range(6)


def half_close() -> Step:
    """Say that nothing more will be said, and go on reading."""

    def step(peer: Peer) -> None:
        peer.connection.shutdown(socket.SHUT_WR)
        listen()(peer)

    return step


def little_room() -> Step:
    """Let the kernel take little that nobody reads."""
    return lambda peer: peer.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)


def endless(line: bytes, every: float = 0.0) -> Step:
    """A reply without end."""
    return stream(itertools.repeat(line), every)


@dataclass(frozen=True)
class Run:
    """One hostile server: well-behaved until it should say ``SAID[phase]``, and does ``deed`` instead."""

    name: str
    phase: int
    deed: tuple[Step, ...]
    large: bool = False

    def script(self, *, pipelining: bool) -> list[Step]:
        said = [text.format(pipelining="250-PIPELINING\r\n" if pipelining else "") for text in SAID]
        before = [step for phase in range(self.phase) for step in (*HEARD[phase], say(said[phase]))]
        return [*before, *HEARD[self.phase], *self.deed]

    @property
    def in_doubt(self) -> bool:
        """Whether the whole content is out when it happens."""
        return self.phase == DOT


def runs() -> Iterator[Run]:
    for phase in range(6):
        yield Run("silence", phase, (hang(),))
    for phase in (GREETING, EHLO, RCPT, DOT):
        yield Run("dripping", phase, (drip(b"250-" + b"x" * 1000, every=0.02),))
    for phase in (GREETING, MAIL, DOT):
        yield Run("endless lines", phase, (endless(b"250-" + b"x" * 500 + b"\r\n"),))
    for phase in (EHLO, DOT):
        yield Run("an endless line", phase, (endless(b"x" * 65536),))
    yield Run("endless lines, slowly", EHLO, (endless(b"250-x\r\n", 0.02),))
    yield Run("endless blanks", GREETING, (endless(b"\r\n" * 5000),))
    for phase, garbage in [(GREETING, b"\0\xff\xfe\r\n"), (MAIL, b"2500 ok\r\n"), (DOT, b"HTTP/1.1 400 Bad\r\n\r\n")]:
        yield Run("garbage", phase, (send(garbage), listen()))
    for phase in (EHLO, DOT):
        yield Run("mixed codes", phase, (say("250-one", "550 two"), listen()))
    yield Run("an answer too many", EHLO, (say("250-x", "250 x", "250 early", "250 early"), listen()))
    yield Run("going away", MAIL, (say("421 4.3.2 going away"), close()))
    for phase in (GREETING, EHLO, MAIL, DATA, DOT):
        yield Run("hanging up", phase, (close(),))
    for phase in (EHLO, RCPT, DOT):
        yield Run("hanging up rudely", phase, (reset(),))
    for phase in (EHLO, DOT):
        yield Run("half closing", phase, (half_close(),))
    go_on = (little_room(), say(SAID[DATA]))
    yield Run("hanging up in the content", DATA, (*go_on, hear_bytes(2_000), reset()), large=True)
    yield Run("never reading", DATA, (*go_on, hang()), large=True)


def app_sends(host: Host, run: Run) -> None:
    """An app that sends: the right kind of error."""
    message = Message("Hello", recipients=["ann@example.test"], body="Hello")
    if run.large:
        message.attach("large.bin", "application/octet-stream", LARGE)
    with pytest.raises(SendError) as caught:
        host.mail.send(message)
    assert isinstance(caught.value, InDoubt) is run.in_doubt, (run, caught.value)
    assert caught.value.diagnosis is not None
    let_go(caught.value)


def let_go(error: BaseException | None) -> None:
    """Drop what the frames of an error hold: ``tests.canary`` keeps every error, with its frames, to the test's end."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def admin_tests(host: Host, run: Run) -> None:
    """An admin who presses "Test SMTP Settings": one step that failed, with a cause."""
    (server,) = host.smtp.servers()
    steps = list(host.smtp.check(server, recipient="ann@example.test"))
    (failed,) = [step for step in steps if step.state is StepState.FAILED]
    assert failed.diagnosis is not None


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@dataclass
class Footprint:
    """What the process holds."""

    memory: int
    descriptors: int
    threads: int

    @classmethod
    def now(cls) -> Footprint:
        gc.collect()
        return cls(tracemalloc.get_traced_memory()[0], descriptors(), threading.active_count())


class Watched(SystemNetwork):
    """Notes when an attempt begins: its limits do not cover the writing of the message before it."""

    began: float | None = None

    def resolve(self, host: str, port: int, deadline: Deadline) -> list[Address]:
        if self.began is None:
            self.began = time.monotonic()
        return super().resolve(host, port, deadline)


def attempt(host: Host, run: Run, do: Callable[[Host, Run], None], *, pipelining: bool) -> tuple[float, int]:
    """Meet one hostile server; return the seconds and the bytes that it took."""
    with hostile(run.script(pipelining=pipelining)) as server:
        (profile,) = host.smtp.servers()
        host.smtp.edit_server(profile.public_id, port=server.port)
        network = host.state.network
        assert isinstance(network, Watched)
        network.began = None
        tracemalloc.reset_peak()
        memory = tracemalloc.get_traced_memory()[0]
        do(host, run)
        assert network.began is not None
        return time.monotonic() - network.began, tracemalloc.get_traced_memory()[1] - memory


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no /proc on this system")
@pytest.mark.parametrize("do", [app_sends, admin_tests])
def test_a_series_leaves_nothing(do: Callable[[Host, Run], None]) -> None:
    """Whatever a server does, an attempt ends at its limit, and when all are over the process holds what it held."""
    limits = {"SMTPSERVERS_DEADLINE_SECONDS": LIMIT, "SMTPSERVERS_TEST_DEADLINE_SECONDS": LIMIT}
    series = [run for run in runs() if do is app_sends or not run.large]
    assert len(series) >= 30
    too_slow, too_big = [], []
    tracemalloc.start()
    try:
        with hosting(init={"network": Watched()}, **limits) as host, host.app.app_context():
            host.smtp.add_server(
                name="Hostile", host="127.0.0.1", port=2525, security="none", address="shop@example.test"
            )
            for warming_up in (run for run in series if run.name == "garbage"):
                attempt(host, warming_up, do, pipelining=True)
            before = Footprint.now()
            for number, run in enumerate(series):
                seconds, memory = attempt(host, run, do, pipelining=bool(number % 2))
                if seconds > LIMIT + GRACE:
                    too_slow.append((run.name, run.phase, seconds))
                if not run.large and memory > MEANWHILE:
                    too_big.append((run.name, run.phase, memory))
            after = Footprint.now()
    finally:
        tracemalloc.stop()
    assert (too_slow, too_big) == ([], [])
    assert after.descriptors <= before.descriptors
    assert after.threads <= before.threads
    assert after.memory - before.memory < LEFT_BEHIND
