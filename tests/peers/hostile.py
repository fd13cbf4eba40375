"""A raw TCP server that follows a script, however rude, and keeps every byte that it hears.

::

    script = [say("220 hi"), hear(), say("250-one"), drip(b"250 ", every=0.1), hang()]
    with hostile(script) as server:
        ...  # talk to 127.0.0.1, server.port
    assert server.received == b"EHLO me\\r\\n"
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import trustme

#: No wait of the server is longer, so that a test that fails does not hang.
PATIENCE = 10.0


class GoneError(Exception):
    """The client left, or the test is over."""


@dataclass
class Peer:
    """The server's end of one connection."""

    connection: socket.socket
    server: Hostile
    buffer: bytes = b""

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def receive(self) -> bytes:
        data = self.connection.recv(65536)
        if not data:
            raise GoneError
        self.server.received += data
        if not isinstance(self.connection, ssl.SSLSocket):
            self.server.in_clear += data
        return data

    def hear_until(self, mark: bytes) -> bytes:
        while mark not in self.buffer:
            self.buffer += self.receive()
        heard, _, self.buffer = self.buffer.partition(mark)
        return heard + mark


Step = Callable[[Peer], None]


def send(data: bytes) -> Step:
    """Send bytes as they are."""
    return lambda peer: peer.send(data)


def say(*lines: str) -> Step:
    """Send lines, each with CRLF, in one segment."""
    return send("".join(f"{line}\r\n" for line in lines).encode("latin-1"))


def hear(lines: int = 1) -> Step:
    """Wait for so many lines."""

    def step(peer: Peer) -> None:
        for _ in range(lines):
            peer.hear_until(b"\r\n")

    return step


def hear_content() -> Step:
    """Wait for the final dot."""
    return lambda peer: void(peer.hear_until(b"\r\n.\r\n"))


def void(_: object) -> None:
    """Drop a value."""


def answer(*replies: str) -> Step:
    """For each reply: wait for a line, then say it. ``\\n`` parts the lines of a reply."""

    def step(peer: Peer) -> None:
        for reply in replies:
            peer.hear_until(b"\r\n")
            peer.send(reply.replace("\n", "\r\n").encode("latin-1") + b"\r\n")

    return step


def drip(data: bytes, every: float) -> Step:
    """Send one byte every so many seconds, until the client leaves."""
    return lambda peer: stream((data[i : i + 1] for i in range(len(data))), every)(peer)


def stream(chunks: Iterable[bytes], every: float = 0.0) -> Step:
    """Send chunks, which may have no end."""

    def step(peer: Peer) -> None:
        for chunk in chunks:
            peer.send(chunk)
            if peer.server.over.wait(every):
                raise GoneError

    return step


def hang() -> Step:
    """Do nothing, and read nothing, until the test is over."""
    return lambda peer: void(peer.server.over.wait(PATIENCE))


def listen() -> Step:
    """Read until the client leaves."""

    def step(peer: Peer) -> None:
        while True:
            peer.receive()

    return step


def read_slowly(size: int, every: float) -> Step:
    """Read ``size`` bytes every so many seconds, until the client leaves."""

    def step(peer: Peer) -> None:
        while not peer.server.over.wait(every):
            data = peer.connection.recv(size)
            if not data:
                raise GoneError
            peer.server.received += data

    return step


def hear_bytes(count: int) -> Step:
    """Wait for so many bytes."""

    def step(peer: Peer) -> None:
        while len(peer.buffer) < count:
            peer.buffer += peer.receive()

    return step


def close() -> Step:
    """Hang up in good order (FIN)."""

    def step(peer: Peer) -> None:
        raise GoneError

    return step


def reset() -> Step:
    """Hang up rudely (RST)."""

    def step(peer: Peer) -> None:
        peer.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise GoneError

    return step


def start_tls() -> Step:
    """Do the server's side of a TLS handshake."""

    def step(peer: Peer) -> None:
        assert peer.server.context is not None
        peer.buffer = b""
        peer.connection = peer.server.context.wrap_socket(peer.connection, server_side=True)

    return step


@dataclass
class Hostile:
    """The running server."""

    script: list[Step]
    context: ssl.SSLContext | None = None
    host: str = "127.0.0.1"
    received: bytes = b""
    in_clear: bytes = b""
    connections: int = 0
    problems: list[Exception] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    port: int = 0
    peers: list[Peer] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """What was heard, as lines."""
        return self.received.decode("latin-1").split("\r\n")[:-1]

    @property
    def verbs(self) -> list[str]:
        """The first word of each line."""
        return [line.split(" ")[0].upper() for line in self.lines]

    def start(self) -> None:
        self._listener = socket.create_server(
            (self.host, 0), family=socket.AF_INET6 if ":" in self.host else socket.AF_INET
        )
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, name="hostile", daemon=True)]
        self._threads[0].start()

    def stop(self) -> None:
        self.over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(PATIENCE)
        self._listener.close()
        for peer in self.peers:
            with suppress(OSError):
                # Not SSLSocket's own method, which would pull its TLS away under the thread that reads.
                socket.socket.shutdown(peer.connection, socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join(PATIENCE)

    def settle(self) -> None:
        """Wait until every connection so far is done with: then ``received`` is complete."""
        for thread in self._threads[1:]:
            thread.join(PATIENCE)

    def _accept(self) -> None:
        while not self.over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(connection,), name="hostile", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE)
        peer = Peer(connection, self)
        self.peers.append(peer)
        try:
            for step in self.script:
                step(peer)
        except (GoneError, OSError) as error:
            self.problems.append(error)
        finally:
            peer.connection.close()


def server_context(ca: trustme.CA, *names: str) -> ssl.SSLContext:
    """A TLS context with a certificate of ``ca`` for ``names``."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert(*(names or ("mail.example.test",))).configure_cert(context)
    return context


@contextmanager
def hostile(
    script: list[Step], *, ca: trustme.CA | None = None, context: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> Iterator[Hostile]:
    """Run a server; ``ca`` issues its certificate, for ``mail.example.test``, unless ``context`` has one."""
    if context is None and ca is not None:
        context = server_context(ca)
    server = Hostile(script, context=context, host=host)
    server.start()
    try:
        yield server
    finally:
        server.stop()
