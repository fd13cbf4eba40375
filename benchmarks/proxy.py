"""A link of a chosen length on loopback: a TCP proxy that delays every byte and counts what passes.

Counted are the client's flights, which depend on no machine: a flight is all that the client sends until bytes of the
server reach it. A command and its reply are one flight, and so are 100 pipelined commands and their replies.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, NamedTuple, Self

CHUNK = 256 * 1024
#: The largest segment on Ethernet. Loopback's own 64 KB would give Nagle's algorithm other cases than a network does.
SEGMENT = 1448
#: What the writing half of a direction does: wait until then, and send this (nothing: shut down).
Parcel = tuple[float, bytes]


class Counts(NamedTuple):
    """What passed since the proxy was started."""

    connections: int = 0
    flights: int = 0
    client_bytes: int = 0
    server_bytes: int = 0

    def since(self, earlier: Counts) -> Counts:
        return Counts(*(now - then for now, then in zip(self, earlier, strict=True)))


class DelayProxy:
    """A proxy in front of the server at ``upstream`` (a port of 127.0.0.1); :attr:`port` is where clients connect.

    :param round_trip: seconds that a byte and its answer take together; half of it goes to each direction.
        A connection costs one more, as TCP's handshake does.
    """

    def __init__(self, upstream: int, round_trip: float = 0.0) -> None:
        self.upstream = upstream
        self.round_trip = round_trip
        self._lock = threading.Lock()
        self._counts = Counts()
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_MAXSEG"):
            self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(128)
        self.port: int = self._listener.getsockname()[1]
        self._links: set[_Link] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def counts(self) -> Counts:
        with self._lock:
            return self._counts

    def add(self, counts: Counts) -> None:
        with self._lock:
            self._counts = Counts(*(old + new for old, new in zip(self._counts, counts, strict=True)))

    def close(self) -> None:
        """Stop listening and cut all connections."""
        with suppress(OSError):
            # wakes the accept() that another thread is in; close() alone does not
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            links = list(self._links)
        for link in links:
            link.close()

    def forget(self, link: _Link) -> None:
        with self._lock:
            self._links.discard(link)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            link = _Link(self, client)
            with self._lock:
                self._links.add(link)
            self.add(Counts(connections=1))
            threading.Thread(target=link.run, daemon=True).start()


class _Link:
    """One connection: a reading and a writing half for each direction, with a queue of parcels between them."""

    def __init__(self, proxy: DelayProxy, client: socket.socket) -> None:
        self.proxy = proxy
        self.client = client
        self.server: socket.socket | None = None
        self.one_way = proxy.round_trip / 2
        # The client's connect() returned at once; over a real link it returns now.
        self.connected = time.monotonic() + proxy.round_trip
        self._lock = threading.Lock()
        self._clients_turn = True

    def run(self) -> None:
        upwards: queue.SimpleQueue[Parcel] = queue.SimpleQueue()
        downwards: queue.SimpleQueue[Parcel] = queue.SimpleQueue()
        reading = threading.Thread(target=self._read, args=(self.client, upwards, self._client_said), daemon=True)
        reading.start()
        try:
            # The server learns of the connection when the last packet of the handshake reaches it.
            _wait_until(self.connected + self.one_way)
            server = self.server = socket.create_connection(("127.0.0.1", self.proxy.upstream))
            others = [
                threading.Thread(target=self._read, args=(server, downwards, self._server_said), daemon=True),
                threading.Thread(target=self._write, args=(server, upwards, None), daemon=True),
                threading.Thread(target=self._write, args=(self.client, downwards, self._reaching_client), daemon=True),
            ]
            for thread in others:
                thread.start()
            for thread in (reading, *others):
                thread.join()
        except OSError:
            pass  # no server there: the client sees its connection end, as it would without us
        finally:
            self.close()
            self.proxy.forget(self)

    def close(self) -> None:
        for side in (self.client, self.server):
            if side is not None:
                with suppress(OSError):
                    side.shutdown(socket.SHUT_RDWR)
                side.close()

    def _read(self, side: socket.socket, parcels: queue.SimpleQueue[Parcel], passed: Callable[[int], None]) -> None:
        try:
            while data := side.recv(CHUNK):
                passed(len(data))  # before the parcel, whose answer could overtake us
                parcels.put((max(time.monotonic(), self.connected) + self.one_way, data))
        except OSError:
            pass  # the connection was cut: for the other side it ends
        parcels.put((max(time.monotonic(), self.connected) + self.one_way, b""))

    def _write(
        self, side: socket.socket, parcels: queue.SimpleQueue[Parcel], before: Callable[[], None] | None
    ) -> None:
        with suppress(OSError):
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while True:
                due, data = parcels.get()
                _wait_until(due)
                if not data:
                    side.shutdown(socket.SHUT_WR)
                    return
                if before:
                    before()
                side.sendall(data)

    def _client_said(self, size: int) -> None:
        with self._lock:
            begins = self._clients_turn
            self._clients_turn = False
        self.proxy.add(Counts(flights=int(begins), client_bytes=size))

    def _server_said(self, size: int) -> None:
        self.proxy.add(Counts(server_bytes=size))

    def _reaching_client(self) -> None:
        # the kernel forgets it whenever it did acknowledge late
        _acknowledge_late(self.client)
        with self._lock:
            self._clients_turn = True


class Links:
    """Proxies in a process of their own, so that their work is not counted as the clients'."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self._ports: dict[tuple[int, float], int] = {}

    def port(self, upstream: int, round_trip: float) -> int:
        """Return the port of the link of this length to ``upstream``; it is opened if there is none yet."""
        key = (upstream, round_trip)
        if key not in self._ports:
            self._ports[key] = self._ask(*key)
        return self._ports[key]

    def counts(self, port: int) -> Counts:
        """Return what passed over the link at ``port`` since it was opened."""
        return Counts(*self._ask(port))

    def close(self) -> None:
        self._pipe.close()  # the process ends by itself when it sees that
        self._process.join(5)

    def _ask(self, *question: float) -> Any:
        self._pipe.send(question)
        return self._pipe.recv()


def _serve(pipe: Connection) -> None:
    """Answer :class:`Links`: ``(upstream, round_trip)`` opens a link, ``(port,)`` asks for its counts."""
    with suppress(OSError):
        os.nice(-10)  # so that a busy machine does not make the link longer; only root may
    links: dict[int, DelayProxy] = {}
    with suppress(EOFError, KeyboardInterrupt):
        while True:
            question = pipe.recv()
            if len(question) == 1:
                pipe.send(tuple(links[question[0]].counts))
            else:
                link = DelayProxy(*question)
                links[link.port] = link
                pipe.send(link.port)


def _acknowledge_late(side: socket.socket) -> None:
    """Have the kernel acknowledge late what comes next, on Linux after 40 ms unless there is an answer before.

    The acknowledgement of a far host takes a round trip, and a client that writes small pieces waits for it (Nagle's
    algorithm). Loopback's would come at once and hide that.
    """
    if hasattr(socket, "TCP_QUICKACK"):
        side.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)


def _wait_until(due: float) -> None:
    if (left := due - time.monotonic()) > 0:
        time.sleep(left)
