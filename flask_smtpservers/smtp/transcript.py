"""What was said in a session, fit to be shown: bounded, credentials masked, content only counted."""

from __future__ import annotations

import re
from collections import deque

MASK = "***"

_CREDENTIALS = re.compile(r"(AUTH\s+\S+)\s+\S.*", re.IGNORECASE | re.DOTALL)


class Transcript:
    """The lines of one session, each with who said it: ``C`` the client, ``S`` the server, ``*`` a remark.

    The beginning is kept (that is where sessions fail) and the end; what lies between is dropped when there are
    more than ``max_lines`` lines.

    :param max_chars: longer lines are cut.
    """

    def __init__(self, max_lines: int = 200, max_chars: int = 500) -> None:
        self._max_chars = max_chars
        self._head_size = max_lines // 2
        self._head: list[tuple[str, str]] = []
        self._tail: deque[tuple[str, str]] = deque(maxlen=max_lines - self._head_size)
        self._dropped = 0

    def add(self, who: str, text: str) -> None:
        """Note one line; the initial response of a client's AUTH command is masked even if the caller forgot to."""
        if who == "C" and "AUTH" in text.upper():
            text = _CREDENTIALS.sub(rf"\1 {MASK}", text)
        entry = (who, text[: self._max_chars])
        if len(self._head) < self._head_size:
            self._head.append(entry)
            return
        if len(self._tail) == self._tail.maxlen:
            self._dropped += 1
        self._tail.append(entry)

    def entries(self) -> list[tuple[str, str]]:
        """Return (who, text) of every line that was kept."""
        gap = [("*", f"[{self._dropped:,} lines]")] if self._dropped else []
        return [*self._head, *gap, *self._tail]

    def lines(self) -> list[str]:
        """Return the lines as text, e.g. ``C: EHLO app.example.com``."""
        return [f"{who}: {text}" for who, text in self.entries()]
