"""Replies of a server, and the strict and bounded parser that makes them out of bytes (RFC 5321 §4.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import ProtocolError
from ..findings import Stage
from ..i18n import gettext as _
from .limits import Limits

#: The most characters of a server's words that an error carries.
EXCERPT = 500

_LINE = re.compile(r"([2-5][0-9]{2})(?:([ -])(.*))?\Z", re.DOTALL)
_ENHANCED = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}(?=\s|\Z)")
_PRINTABLE = bytes(byte if 32 <= byte < 127 else ord("?") for byte in range(256))


def printable(data: bytes) -> str:
    """Return ``data`` as printable ASCII; every other byte becomes a ``?``."""
    return data.translate(_PRINTABLE).decode("ascii")


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply.

    :param code: three digits, the first from 2 to 5.
    :param lines: the text of each line without the code: printable ASCII, bounded.
    """

    code: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """The whole text on one line, enhanced code included."""
        return " ".join(line for line in self.lines if line)

    @property
    def excerpt(self) -> str:
        """The text, cut to what an error or a page shows."""
        return self.text[:EXCERPT]

    @property
    def enhanced(self) -> str | None:
        """The enhanced status code (RFC 2034) of the first line, e.g. ``5.7.8``."""
        found = _ENHANCED.match(self.lines[0])
        return found[0] if found else None

    @property
    def positive(self) -> bool:
        """2yz: done."""
        return 200 <= self.code < 300

    @property
    def intermediate(self) -> bool:
        """3yz: go on."""
        return 300 <= self.code < 400

    @property
    def transient(self) -> bool:
        """4yz: not now."""
        return 400 <= self.code < 500

    @property
    def permanent(self) -> bool:
        """5yz: no."""
        return self.code >= 500


class ReplyParser:
    """Bytes in, replies out.

    Strict: a code of three digits from 2yz to 5yz, then a blank or a hyphen or the line's end, and the same
    code on every line. Bounded: what exceeds the limits is an error as soon as it is seen, so that memory
    never grows with what a server sends.

    :param stage: the stage that errors name.
    """

    def __init__(self, limits: Limits, stage: Stage = Stage.GREETING) -> None:
        self.stage = stage
        self._limits = limits
        self._buffer = bytearray()
        self._code = 0
        self._lines: list[str] = []
        self._size = 0

    def feed(self, data: bytes) -> None:
        """Take what was received."""
        self._buffer += data

    @property
    def pending(self) -> bool:
        """Whether bytes were received that no reply has used up."""
        return bool(self._buffer or self._lines)

    @property
    def rest(self) -> str:
        """The beginning of the unused bytes, printable."""
        return printable(bytes(self._buffer[:EXCERPT])).strip("? ")

    def next(self) -> Reply | None:
        """Return the next complete reply, or None until more bytes come.

        :raises ProtocolError: what came is no reply, or exceeds the limits.
        """
        while (line := self._next_line()) is not None:
            if self._is_last(line):
                reply = Reply(self._code, tuple(self._lines))
                self._code, self._lines, self._size = 0, [], 0
                return reply
        return None

    def _next_line(self) -> bytes | None:
        end = self._buffer.find(b"\n", 0, self._limits.line_bytes)
        if end < 0:
            if len(self._buffer) >= self._limits.line_bytes:
                raise self._broken(_("The server sent a line that is too long."), bytes(self._buffer[:EXCERPT]))
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.removesuffix(b"\r")

    def _is_last(self, line: bytes) -> bool:
        """Take one line into the reply; return whether it ends it."""
        self._size += len(line)
        if len(self._lines) >= self._limits.reply_lines or self._size > self._limits.reply_bytes:
            raise self._broken(_("The server sent a reply that is too long."), line)
        found = _LINE.match(printable(line))
        if not found:
            raise self._broken(_("The server sent something that is not SMTP."), line)
        code = int(found[1])
        if self._lines and code != self._code:
            raise self._broken(_("The server mixed several codes in one reply."), line)
        self._code = code
        self._lines.append((found[3] or "").strip())
        return found[2] != "-"

    def _broken(self, text: str, line: bytes) -> ProtocolError:
        return ProtocolError(text, stage=self.stage, reply=printable(line)[:EXCERPT])
