"""Steps of a server that takes several commands at once, for the tests of PIPELINING."""

from __future__ import annotations

import contextlib

from ..peers.hostile import Peer, Step, answer, hear, hear_content, say
from .test_sending import CONTENT

OFFERS = "250-x\n250-PIPELINING\n250 SIZE 1000"
MAIL = f"MAIL FROM:<s@example.test> SIZE={len(CONTENT)}"


def together(*replies: str) -> Step:
    """Wait for a line per reply, then say all replies at once: a client that waits in between waits for ever."""

    def step(peer: Peer) -> None:
        hear(len(replies))(peer)
        say(*"\n".join(replies).split("\n"))(peer)

    return step


def accept() -> list[Step]:
    return [hear_content(), say("250 2.0.0 Ok: queued as Q1")]


def greeting(*steps: Step, ehlo: str = OFFERS) -> list[Step]:
    return [say("220 hi"), answer(ehlo), *steps]


def accepting(count: int = 1) -> list[Step]:
    return [together("250 ok", *["250 ok"] * count, "354 go"), *accept()]


def people(count: int) -> tuple[str, ...]:
    return tuple(f"u{number}@example.test" for number in range(count))


def one_at_a_time(*replies: str) -> Step:
    """Answer line by line, and be rude to a client that sends two at once."""

    def step(peer: Peer) -> None:
        for reply in replies:
            hear()(peer)
            peer.server.over.wait(0.02)
            peer.connection.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                peer.buffer += peer.receive()
            peer.connection.settimeout(10)
            say("503 one at a time" if peer.buffer else reply)(peer)

    return step
