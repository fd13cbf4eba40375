"""A session's talk with its server: one command, one reply; every failure labelled, and none leaves the socket open."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from ..errors import ProtocolError, SendError
from ..findings import Stage
from ..i18n import gettext as _
from .endpoint import Endpoint
from .failures import failure
from .reply import Reply
from .stream import Stream
from .transcript import Transcript

E = TypeVar("E", bound=SendError)


@dataclass(frozen=True, slots=True)
class Command:
    """A command line, and the stage that it belongs to."""

    stage: Stage
    line: str


class Conversation:
    """What a session and its transactions share.

    ``in_step`` is True while the server waits for a command; only then may QUIT be sent.
    """

    def __init__(self, endpoint: Endpoint, transcript: Transcript) -> None:
        self.endpoint = endpoint
        self.transcript = transcript
        self.in_step = False
        self._stream: Stream | None = None
        self._stage = Stage.CONNECT

    @property
    def stream(self) -> Stream:
        """The connection.

        :raises ProtocolError: there is none, or no more.
        """
        if self._stream is None:
            error = ProtocolError(_("The session is closed."), stage=self._stage, server=self.endpoint.name)
            error.disconnected = True
            raise error
        return self._stream

    @property
    def connected(self) -> bool:
        """Whether there is a connection."""
        return self._stream is not None

    def attach(self, stream: Stream) -> None:
        """Begin to talk over ``stream``."""
        self._stream = stream

    @contextmanager
    def at(self, stage: Stage) -> Iterator[None]:
        """Do something on the wire: whatever goes wrong inside closes the connection and gets ``stage`` and server.

        :raises SendError: in place of the system's own errors.
        """
        self._reach(stage)
        try:
            yield
        except SendError as error:
            self._give_up(error)
            raise
        except OSError as error:
            failed = failure(error, self._stage, self.endpoint.host)
            self._give_up(failed)
            raise failed from error
        except BaseException:
            self.drop()
            raise

    def _reach(self, stage: Stage) -> None:
        self._stage = stage
        if self._stream is not None:
            self._stream.stage = stage

    def _give_up(self, error: SendError) -> None:
        error.server = self.endpoint.name
        self.transcript.add("*", error.text)
        self.drop()

    def command(
        self, stage: Stage, line: str, *, shown: str | None = None, scrub: Callable[[str], str] | None = None
    ) -> Reply:
        """Send one command and return its reply. A 421 ends the session (RFC 5321 §3.8).

        :param shown: how the transcript shows the line, if not as it is.
        :param scrub: applied to each line of the reply before the transcript shows it; what is returned is the reply
            as it came.
        """
        with self.at(stage):
            self.stream.expect_silence()
            self.transcript.add("C", line if shown is None else shown)
            self.stream.write(f"{line}\r\n".encode())
            reply = self.stream.read_reply()
        self.heard(reply if scrub is None else Reply(reply.code, tuple(map(scrub, reply.lines))))
        return reply

    def flight(self, commands: Sequence[Command]) -> tuple[list[Reply], SendError | None]:
        """Send several commands at once and read their replies (RFC 2920).

        A failure does not make us forget what was answered before it: a refusal says more than the hang-up after it.

        :returns: the replies, in order; and the failure, if there was one. There are fewer replies than commands after
            a failure or a 421. If there is a failure although there are as many, the server talked out of turn.
        """
        replies: list[Reply] = []
        try:
            with self.at(commands[0].stage):
                self.stream.expect_silence()
                self._take_off(commands, replies)
                incoming = self.stream.read_replies(len(commands))
                for command in commands:
                    self._reach(command.stage)
                    reply = next(incoming, None)
                    if reply is None:
                        break
                    replies.append(self.heard(reply))
                if self.connected:
                    self.stream.expect_silence()
        except SendError as error:
            return replies, error
        return replies, None

    def _take_off(self, commands: Sequence[Command], replies: list[Reply]) -> None:
        for command in commands:
            self.transcript.add("C", command.line)
        try:
            self.stream.write("".join(f"{command.line}\r\n" for command in commands).encode())
        except OSError as error:
            replies += map(self.heard, self.stream.last_words(error)[: len(commands)])
            raise

    def heard(self, reply: Reply) -> Reply:
        """Note a reply in the transcript; a 421 closes the connection."""
        *first, last = reply.lines
        for line in first:
            self.transcript.add("S", f"{reply.code}-{line}")
        self.transcript.add("S", f"{reply.code} {last}")
        if reply.code == 421:
            self.drop()
        return reply

    def undisturbed(self) -> bool:
        """Tell whether the server has said nothing and not hung up since it was last asked; otherwise close.

        What it sent has arrived by now, so this neither waits nor asks; only a lost connection is not seen.
        """
        try:
            with self.at(self._stage):
                self.stream.peek()
                self.stream.expect_silence()
        except SendError:
            return False
        return True

    def refusal(self, kind: type[E], text: str, stage: Stage, reply: Reply | None = None, **more: Any) -> E:
        """Make the error for what the server replied, or for what we decided without it."""
        if reply is not None:
            more = {"code": reply.code, "enhanced": reply.enhanced, "reply": reply.excerpt, **more}
        return kind(text, stage=stage, server=self.endpoint.name, **more)

    def drop(self) -> None:
        """Close at once, without a word."""
        self._close(b"")

    def quit(self) -> None:
        """Say QUIT if the server waits for a command, and close without waiting for the answer."""
        if self.connected and self.in_step:
            self.transcript.add("C", "QUIT")
            self._close(b"QUIT\r\n")
        self.drop()

    def _close(self, farewell: bytes) -> None:
        stream, self._stream, self.in_step = self._stream, None, False
        if stream is not None:
            stream.close(farewell)
