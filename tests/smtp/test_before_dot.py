"""The moment before the final dot: everything else is at the server, which cannot take the message yet."""

from __future__ import annotations

from threading import Event

import pytest

from flask_smtpservers.errors import DataRefused

from ..peers.hostile import Peer, Step, answer, close, hear_content, hostile, listen, say, void
from .conftest import Connect
from .flights import greeting, together
from .test_sending import CONTENT, A, envelope

ONE_BY_ONE: list[Step] = [say("220 hi"), answer("250 x", "250 ok", "250 ok", "354 go")]
TAKEN: list[Step] = [hear_content(), say("250 2.0.0 queued as Q1"), listen()]


class StopError(Exception):
    """Raised by the hook."""


def test_called_once_before_the_dot(connect: Connect) -> None:
    """When it is called all lines of the content are written; the dot follows."""
    seen: list[str] = []
    heard = Event()

    def hear(peer: Peer) -> None:
        peer.hear_until(b"hello")
        heard.set()

    with hostile([*ONE_BY_ONE, hear, *TAKEN]) as server:
        session = connect(server.port).open()

        def hook() -> None:
            assert heard.wait(10)
            seen.append(server.received.decode())

        receipt = session.send(envelope(A), CONTENT, hook)
        assert (receipt.accepted, session.usable) == ((A,), True)
    assert len(seen) == 1
    assert "\r\n.\r\n" not in seen[0]
    assert "hello\r\n.\r\n" in server.received.decode()


def test_with_pipelining(connect: Connect) -> None:
    """The commands still travel together."""
    called: list[int] = []
    with hostile(greeting(together("250 ok", "250 ok", "354 go"), *TAKEN)) as server:
        assert connect(server.port).open().send(envelope(A), CONTENT, lambda: called.append(1)).queue_id == "Q1"
    assert called == [1]


@pytest.mark.parametrize("error", [StopError, KeyboardInterrupt])
def test_if_it_raises_the_dot_is_kept_back(connect: Connect, error: type[BaseException]) -> None:
    """The connection is closed without a dot and without QUIT, and the error comes out as it is."""

    def hook() -> None:
        raise error

    with hostile([*ONE_BY_ONE, listen()]) as server:
        session = connect(server.port).open()
        with pytest.raises(error):
            session.send(envelope(A), CONTENT, hook)
        assert not session.usable
        session.close()
        server.settle()
    assert server.received.endswith(b"hello\r\n")


def test_not_called_if_the_content_is_refused_on_the_way(connect: Connect) -> None:
    """A server that refuses in the middle has taken nothing, and no intent is needed."""
    called: list[int] = []
    large = b"x" * 70 + b"\r\n"
    refuse: list[Step] = [lambda peer: void(peer.hear_until(b"x\r\n")), say("552 5.3.4 too large"), close()]
    with hostile([*ONE_BY_ONE, *refuse]) as server:
        session = connect(server.port).open()
        with pytest.raises(DataRefused):
            session.send(envelope(A), large * 200_000, lambda: called.append(1))
    assert called == []
