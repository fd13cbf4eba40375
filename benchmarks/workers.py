"""Peers in processes of their own: none slows another down, and each one's CPU time is its own."""

from __future__ import annotations

import importlib.metadata
import multiprocessing
import os
import platform
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from .peers import PEERS, make
from .peers.base import Job, UnavailableError


class Sample(NamedTuple):
    """What sending some messages took. Times are of all of them together, in seconds."""

    messages: int
    seconds: float
    cpu: float
    statements: int | None


class PeerError(Exception):
    """A peer raised an exception; the text is its type and message."""


class Worker:
    """One peer, behind a pipe."""

    def __init__(self, name: str, ca_file: str) -> None:
        self.entry = PEERS[name]
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, name, ca_file), daemon=True)
        self._process.start()
        theirs.close()
        self._version: str | None = None

    def ready(self) -> str:
        """Wait until the peer is imported; return why it cannot run here, or nothing."""
        available, text = self._pipe.recv()
        self._version = text if available else None
        return "" if available else text

    @property
    def version(self) -> str:
        return self._version or "?"

    def open(self, job: Job) -> None:
        self._ask("open", job)

    def send(self, count: int) -> Sample:
        return Sample(*self._ask("send", count))

    def close(self) -> None:
        self._ask("close")

    def end(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join(10)

    def _ask(self, *question: Any) -> Any:
        self._pipe.send(question)
        try:
            good, answer = self._pipe.recv()
        except EOFError:
            raise PeerError("its process ended") from None
        if not good:
            raise PeerError(answer)
        return answer


def version_of(name: str) -> str:
    """Return the version of the peer's library."""
    package = PEERS[name].package
    if package == "python":
        return platform.python_version()
    if package == "nodemailer":
        from .peers.node import version

        return version()
    return importlib.metadata.version(package)


def _serve(pipe: Connection, name: str, ca_file: str) -> None:
    # For the peers that verify certificates but take no list of authorities: OpenSSL's default one is ours.
    os.environ["SSL_CERT_FILE"] = ca_file
    try:
        peer = make(name)
        pipe.send((True, version_of(name)))
    except ImportError as error:
        # not its text, which may name folders of this machine
        pipe.send((False, f"{error.name or 'a library'} cannot be imported ({type(error).__name__})"))
        return
    except UnavailableError as error:
        pipe.send((False, str(error)))
        return
    with suppress(EOFError, KeyboardInterrupt):
        while True:
            command, *arguments = pipe.recv()
            try:
                answer = _send(peer, *arguments) if command == "send" else getattr(peer, command)(*arguments)
            except Exception as error:  # noqa: BLE001 - whatever it is, the report names it
                pipe.send((False, f"{type(error).__name__}: {error}"))
            else:
                pipe.send((True, answer))


def _send(peer: Any, count: int) -> tuple[Any, ...]:
    cpu, statements, begun = peer.cpu_seconds(), peer.statements(), time.perf_counter()
    peer.send(count)
    seconds = time.perf_counter() - begun
    ran = None if statements is None else peer.statements() - statements
    return count, seconds, peer.cpu_seconds() - cpu, ran
