"""The delaying proxy counts exactly what a scripted client does, delays it, and passes on how connections end."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from benchmarks.proxy import Counts, DelayProxy


class Echo:
    """A server that greets with ``ready`` and answers each line with itself; at ``bye`` it hangs up."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.threads: list[threading.Thread] = [threading.Thread(target=self.accept)]
        self.threads[0].start()

    def accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.threads.append(threading.Thread(target=self.serve, args=(client,)))
            self.threads[-1].start()

    @staticmethod
    def serve(client: socket.socket) -> None:
        with client, client.makefile("rb") as lines:
            client.sendall(b"ready\n")
            for line in lines:
                client.sendall(line)
                if line == b"bye\n":
                    return

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(10)


class Client:
    """A scripted client: ``say`` sends some lines at once, ``hear`` reads some lines."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.lines = self.socket.makefile("rb")

    def say(self, *lines: str) -> None:
        self.socket.sendall("".join(f"{line}\n" for line in lines).encode())

    def hear(self, count: int = 1) -> list[str]:
        return [self.lines.readline().decode().rstrip("\n") for _ in range(count)]

    def close(self) -> None:
        self.lines.close()
        self.socket.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


def passed(proxy: DelayProxy, expected: Counts) -> Counts:
    """Return what the proxy counted as soon as that is ``expected``, or what it counted instead after some seconds."""
    deadline = time.monotonic() + 5
    while proxy.counts != expected and time.monotonic() < deadline:
        threading.Event().wait(0.005)
    return proxy.counts


@pytest.mark.parametrize("round_trip", [0.0, 0.01])
def test_commands_and_replies(echo: Echo, round_trip: float) -> None:
    """A client that waits for each answer makes a flight of each command."""
    with DelayProxy(echo.port, round_trip) as proxy:
        client = Client(proxy.port)
        assert client.hear() == ["ready"]
        for number in range(5):
            client.say(f"{number}")
            assert client.hear() == [f"{number}"]
        client.close()
        assert passed(proxy, Counts(1, 5, 10, 6 + 10)) == Counts(
            connections=1, flights=5, client_bytes=10, server_bytes=16
        )


@pytest.mark.parametrize("round_trip", [0.0, 0.01])
def test_pipelined_commands(echo: Echo, round_trip: float) -> None:
    """A hundred commands at once and their hundred answers are one flight, however many segments the answers are."""
    words = [f"{number:03}" for number in range(100)]
    with DelayProxy(echo.port, round_trip) as proxy:
        client = Client(proxy.port)
        client.hear()
        client.say(*words)
        assert client.hear(100) == words
        client.say("more")
        assert client.hear() == ["more"]
        client.close()
        assert passed(proxy, Counts(1, 2, 405, 6 + 405)) == Counts(1, 2, 405, 411)


def test_one_flight_in_several_writes(echo: Echo) -> None:
    """What the client writes before the first answer can reach it is one flight, whatever its pieces."""
    with DelayProxy(echo.port, 0.2) as proxy:
        client = Client(proxy.port)
        client.hear()
        for word in ("one", "two", "three"):
            client.say(word)
        assert client.hear(3) == ["one", "two", "three"]
        client.close()
        assert passed(proxy, Counts(1, 1, 14, 20)) == Counts(1, 1, 14, 20)


def test_connections_are_counted_each(echo: Echo) -> None:
    """Each connection counts, and each has its own flights."""
    with DelayProxy(echo.port) as proxy:
        clients = [Client(proxy.port) for _ in range(3)]
        for client in clients:
            client.hear()
        for client in clients:
            client.say("x")
        for client in clients:
            assert client.hear() == ["x"]
            client.close()
        assert passed(proxy, Counts(3, 3, 6, 24)) == Counts(3, 3, 6, 24)


def test_delay(echo: Echo) -> None:
    """Connection and greeting take two round trips, and each command takes one."""
    with DelayProxy(echo.port, 0.05) as proxy:
        begun = time.monotonic()
        client = Client(proxy.port)
        client.hear()
        greeted = time.monotonic()
        client.say("x")
        client.hear()
        answered = time.monotonic()
        client.close()
    assert greeted - begun >= 0.1
    assert answered - greeted >= 0.05


def test_large_message_arrives_whole(echo: Echo) -> None:
    """A megabyte passes unchanged, although reading and writing overlap."""
    line = "x" * 1_000_000
    with DelayProxy(echo.port, 0.01) as proxy:
        client = Client(proxy.port)
        client.hear()
        client.say(line)
        assert client.hear() == [line]
        client.close()
        assert passed(proxy, Counts(1, 1, 1_000_001, 1_000_007)).client_bytes == 1_000_001


def test_server_hangs_up(echo: Echo) -> None:
    """When the server closes the connection, the client sees its end after the last answer."""
    with DelayProxy(echo.port, 0.01) as proxy:
        client = Client(proxy.port)
        client.hear()
        client.say("bye")
        assert client.hear(2) == ["bye", ""]
        client.close()


def test_no_server() -> None:
    """Where no server listens, the client's connection ends without an answer."""
    unused = socket.create_server(("127.0.0.1", 0))
    port = unused.getsockname()[1]
    unused.close()
    with DelayProxy(port) as proxy:
        client = Client(proxy.port)
        assert client.hear() == [""]
        client.close()


def test_since() -> None:
    """Counts are differences of two readings."""
    assert Counts(3, 20, 500, 900).since(Counts(1, 5, 200, 300)) == Counts(2, 15, 300, 600)
