"""One socket, buffered: commands out, replies in, each within its limits in time and size."""

from __future__ import annotations

import errno
import os
import select
import socket
import ssl
from collections.abc import Iterator

from ..errors import ProtocolError
from ..findings import Stage
from ..i18n import gettext as _
from .deadline import Deadline
from .failures import HangupError
from .limits import Limits
from .reply import Reply, ReplyParser

_RECEIVE = 65536
#: Content is written in blocks of one TLS record: progress is seen, and so is a reply that comes too early.
_BLOCK = 16384
#: How long to listen for the reason after the server hung up while we wrote, in seconds; and how long after it stopped
#: reading: then what it said has long arrived.
_LISTEN, _GLANCE = 0.5, 0.05
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)


class Stream:
    """The connection of one session.

    Methods raise OSError (``TimeoutError`` at a limit, :class:`~.failures.HangupError` when the server hung up) and
    :class:`ProtocolError`; after any of them the position in the stream is unknown and only :meth:`close` is left.

    :param connection: a connected TCP socket; the stream owns it from now on.
    :param deadline: the end of everything.
    :param seconds: the limit for one write, one whole reply, or a handshake.
    """

    def __init__(self, connection: socket.socket, *, deadline: Deadline, seconds: float, limits: Limits) -> None:
        self.deadline = deadline
        self.seconds = seconds
        self._limits = limits
        self._socket = connection
        self._parser = ReplyParser(limits)
        self._acknowledge_next = False
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        except OSError:
            pass  # a socket that is not TCP (a proxy's, a test's) knows no such options
        except BaseException:
            connection.close()
            raise

    @property
    def stage(self) -> Stage:
        """The stage that errors of the parser name."""
        return self._parser.stage

    @stage.setter
    def stage(self, stage: Stage) -> None:
        self._parser.stage = stage

    @property
    def tls(self) -> ssl.SSLSocket | None:
        """The TLS connection, or None while nothing is encrypted."""
        return self._socket if isinstance(self._socket, ssl.SSLSocket) else None

    # -- replies
    @property
    def waiting(self) -> bool:
        """Whether something was received that nobody asked for yet."""
        return self._parser.pending or (isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0)

    @property
    def unread(self) -> str:
        """The beginning of what was received and not used, printable."""
        return self._parser.rest

    def expect_silence(self) -> None:
        """Make sure that the server has said no more than it was asked for.

        :raises ProtocolError: it talked out of turn; ``code`` is 421 if that is what it said.
        """
        if self.waiting:
            code = 421 if self.unread.startswith("421") else None
            text = _("The server talked out of turn.")
            raise ProtocolError(text, stage=self.stage, code=code, reply=self.unread)

    def read_reply(self, seconds: float | None = None) -> Reply:
        """Return the next reply; the whole of it must come within ``seconds``.

        :raises ProtocolError: what came is no reply.
        :raises TimeoutError: it did not come in time.
        :raises HangupError: the server hung up.
        """
        reply = self._parser.next()
        if reply is None:
            limit = self.deadline.within(self.seconds if seconds is None else seconds)
            while reply is None:
                self._receive(limit)
                reply = self._parser.next()
        return reply

    def read_replies(self, count: int) -> Iterator[Reply]:
        """Yield the replies to ``count`` commands that were written at once; ends after a 421, which ends all."""
        for position in range(count):
            # The server may have flushed in two writes: unless the first is acknowledged now, its Nagle algorithm
            # waits with the second for our delayed acknowledgement.
            self._acknowledge_next = self._acknowledge_next or (position > 0 and not self._parser.pending)
            reply = self.read_reply()
            yield reply
            if reply.code == 421:
                return

    def last_words(self, error: OSError) -> list[Reply]:
        """Return the replies that are still to be had after a write failed: the reason is usually among them.

        :param error: how it failed.
        """
        limit = Deadline(_GLANCE if isinstance(error, TimeoutError) else _LISTEN)
        replies: list[Reply] = []
        try:
            while len(replies) < self._limits.flight_commands:
                while (reply := self._parser.next()) is None:
                    self._receive(limit)
                replies.append(reply)
        except (OSError, ProtocolError):
            pass  # the connection is broken anyhow; what was understood before counts
        return replies

    def peek(self) -> bool:
        """Take what has arrived, without waiting; return whether there is anything that nobody asked for.

        :raises HangupError: the server hung up.
        """
        self._socket.settimeout(0)
        try:
            data = self._socket.recv(_RECEIVE)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return self.waiting
        if not data:
            raise HangupError("the server closed the connection")
        self._parser.feed(data)
        return True

    def _receive(self, limit: Deadline) -> None:
        if self._acknowledge_next:
            self._acknowledge_next = False
            self._acknowledge(limit)
        self._socket.settimeout(_left(limit))
        data = self._socket.recv(_RECEIVE)
        if not data:
            raise HangupError("the server closed the connection")
        self._parser.feed(data)

    def _acknowledge(self, limit: Deadline) -> None:
        """Wait for bytes and acknowledge them at once, where the system can (Linux)."""
        if _QUICKACK is None or not hasattr(select, "poll") or (self.tls and self.tls.pending()):
            return
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        if not poll.poll(_left(limit) * 1000):
            raise TimeoutError("timed out")
        self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)

    # -- commands and content
    def write(self, data: bytes) -> None:
        """Write one command, or several at once.

        :raises TimeoutError: the server did not take it in time.
        """
        limit = self.deadline.within(self.seconds)
        rest = memoryview(data)
        while rest:
            self._socket.settimeout(_left(limit))
            rest = rest[self._socket.send(rest) :]

    def write_content(self, content: bytes) -> bool:
        """Write content at no less than the least data rate.

        :returns: True if all of it was written; False if the server began to reply before its end, which only a
            refusal explains. The rest was then not written.
        :raises TimeoutError: the server took it too slowly, or the deadline has passed.
        """
        rest, least = memoryview(content), self._limits.data_rate * self.seconds
        window, mark = self.deadline.within(self.seconds), len(rest)
        while rest:
            if window.expired:
                if self.deadline.expired or mark - len(rest) < least:
                    raise TimeoutError("the server reads too slowly")
                window, mark = self.deadline.within(self.seconds), len(rest)
            try:
                self._socket.settimeout(max(window.remaining(), 0.001))
                rest = rest[self._socket.send(rest[:_BLOCK]) :]
            except TimeoutError:
                continue
            if rest and self.peek():
                return False
        return True

    # -- life
    def start_tls(self, context: ssl.SSLContext, host: str) -> ssl.SSLSocket:
        """Do the handshake; ``host`` is the name (or IP literal) that the certificate must bear.

        :raises ssl.SSLError: no TLS connection came about.
        :raises ValueError: ``host`` cannot be asked for in TLS.
        """
        limit = self.deadline.within(self.seconds)
        if not self._connected():
            # wrap_socket() would fail at it too, and leave the socket open.
            raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        secured = context.wrap_socket(self._socket, server_hostname=host, do_handshake_on_connect=False)
        self._socket = secured
        secured.settimeout(_left(limit))
        secured.do_handshake()
        stage, self._parser = self.stage, ReplyParser(self._limits)
        self.stage = stage
        # Session tickets arrive in a segment of their own, and the server's Nagle algorithm holds its next reply back
        # until they are acknowledged: 40 ms with a delayed acknowledgement.
        self._acknowledge_next = True
        return secured

    def _connected(self) -> bool:
        """Tell whether the server has not reset the connection yet, as far as the system knows."""
        try:
            self._socket.getpeername()
        except OSError:
            return False
        return True

    def close(self, farewell: bytes = b"") -> None:
        """Close at once; ``farewell`` is sent if that needs no waiting. Never raises."""
        try:
            if farewell:
                self._socket.settimeout(0)
                self._socket.send(farewell)
        except (OSError, ValueError):
            pass  # the server may be gone; closing is all that matters now
        finally:
            self._socket.close()


def _left(limit: Deadline) -> float:
    """Return the seconds left, never 0, which would mean "do not wait" to a socket.

    :raises TimeoutError: none are left.
    """
    left = limit.remaining()
    if left <= 0:
        raise TimeoutError("timed out")
    return left
