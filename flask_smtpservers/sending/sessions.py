"""The sessions that stay open while one ``with mail.connect()`` block sends: one for each server."""

from __future__ import annotations

from collections.abc import Callable

from ..smtp.deadline import Deadline
from ..smtp.endpoint import Endpoint
from ..smtp.session import Session


class Sessions:
    """Open sessions by the digest of the server that they lead to. Not thread-safe, like the block that owns it.

    :param make: makes a session, not yet opened.
    """

    def __init__(self, make: Callable[[Endpoint, Deadline], Session]) -> None:
        self._make = make
        self._open: dict[str, Session] = {}

    def close(self) -> None:
        """Close all of them; never raises, for QUIT does not matter."""
        while self._open:
            self._open.popitem()[1].close()

    def line(self, digest: str, endpoint: Callable[[], Endpoint], deadline: Deadline) -> Line:
        """Return the way to one server for one message.

        :param endpoint: gives the endpoint, secrets included; asked only if a session must be opened.
        """
        return Line(self, digest, endpoint, deadline)

    def _take(self, line: Line) -> tuple[Session, bool]:
        kept = self._open.get(line.digest)
        if kept is not None and kept.usable:
            kept.deadline = line.deadline
            return kept, True
        self._drop(line.digest)
        session = self._make(line.endpoint(), line.deadline)
        line.session = session
        session.open()
        self._open[line.digest] = session
        return session, False

    def _drop(self, digest: str) -> None:
        kept = self._open.pop(digest, None)
        if kept is not None:
            kept.close()


class Line:
    """The way to one server for one message, over a session that is open already or opened on demand.

    ``session`` is the last one that was taken, for the diagnosis of a failure; None before.
    """

    def __init__(self, sessions: Sessions, digest: str, endpoint: Callable[[], Endpoint], deadline: Deadline) -> None:
        self.digest = digest
        self.endpoint = endpoint
        self.deadline = deadline
        self.session: Session | None = None
        self._sessions = sessions

    def take(self) -> tuple[Session, bool]:
        """Return an open session, and whether it was used before.

        :raises SendError: none could be opened.
        """
        self.session, reused = self._sessions._take(self)
        return self.session, reused

    def drop(self) -> None:
        """Close the session that is kept, if any: the next one is new."""
        self._sessions._drop(self.digest)
