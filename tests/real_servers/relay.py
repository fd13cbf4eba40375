"""A relay between a client and a server that hangs up on both at a given moment.

What passes is counted in units: commands, reply lines, the content as one and its final dot as another; or, where
TLS hides them, TLS records.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class Side(StrEnum):
    CLIENT = "client"
    SERVER = "server"


class Part(StrEnum):
    """How much of the last unit gets through."""

    NOTHING = "withheld"
    HALF = "torn"
    ALL = "passed"


@dataclass(frozen=True)
class Cut:
    """When to hang up: at unit number ``unit`` (from 0) of ``side``; ``rudely`` with RST, else with FIN."""

    side: Side
    unit: int
    part: Part
    rudely: bool

    def __str__(self) -> str:
        return f"{self.side} {self.unit} {self.part} {'RST' if self.rudely else 'FIN'}"


class Splitter(Protocol):
    def feed(self, data: bytes) -> Iterator[bytes]: ...


class Replies:
    """Lines."""

    def __init__(self) -> None:
        self.rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        *lines, self.rest = (self.rest + data).split(b"\r\n")
        yield from (line + b"\r\n" for line in lines)


class Commands:
    """Lines; after DATA the content in one piece, once its final dot is there, and then the dot."""

    def __init__(self) -> None:
        self.rest = b""
        self.in_content = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        self.rest += data
        while unit := self._next():
            self.rest = self.rest[len(unit) :]
            yield unit

    def _next(self) -> bytes:
        if not self.in_content:
            line, end, _ = self.rest.partition(b"\r\n")
            self.in_content = line.upper() == b"DATA" and bool(end)
            return line + end if end else b""
        if self.rest.startswith(b".\r\n"):
            self.in_content = False
            return b".\r\n"
        content, dot, _ = self.rest.partition(b"\r\n.\r\n")
        return content + b"\r\n" if dot else b""


class Records:
    """TLS records (RFC 8446 §5.1)."""

    def __init__(self) -> None:
        self.rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        self.rest += data
        while len(self.rest) >= 5 and len(self.rest) >= (end := 5 + int.from_bytes(self.rest[3:5])):
            unit, self.rest = self.rest[:end], self.rest[end:]
            yield unit


class HungUpError(Exception):
    """It is time."""


@dataclass
class Relay:
    """The relay, in front of ``port`` at 127.0.0.1. It cuts once; connections after that one are left alone."""

    upstream: int
    cut: Cut
    records: bool = False
    done: bool = False
    connections: int = 0
    #: What passed, or was withheld at the end, by side.
    heard: dict[Side, list[bytes]] = field(default_factory=lambda: {side: [] for side in Side})
    _threads: list[threading.Thread] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Relay:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, name="relay", daemon=True)]
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(client,), name="relay", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self.upstream)) as server, suppress(HungUpError, OSError):
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._pass_on(client, server)

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        """Pass on until one side leaves. One thread for both: only then does closing take effect at once."""
        sides = {client: Side.CLIENT, server: Side.SERVER}
        others = {client: server, server: client}
        splitters: dict[Side, Splitter] = {
            Side.CLIENT: Records() if self.records else Commands(),
            Side.SERVER: Records() if self.records else Replies(),
        }
        while not self._over.is_set():
            for each in select.select([client, server], [], [], 0.1)[0]:
                if not (data := each.recv(65536)):
                    return
                for unit in splitters[sides[each]].feed(data):
                    self._unit(unit, sides[each], others[each], (client, server))

    def _unit(self, unit: bytes, side: Side, target: socket.socket, both: tuple[socket.socket, ...]) -> None:
        number = len(self.heard[side])
        self.heard[side].append(unit)
        if self.done or (side, number) != (self.cut.side, self.cut.unit):
            target.sendall(unit)
            return
        self.done = True
        passed = {Part.NOTHING: 0, Part.HALF: len(unit) // 2, Part.ALL: len(unit)}[self.cut.part]
        target.sendall(unit[:passed])
        if self.cut.rudely:
            for each in both:
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise HungUpError
