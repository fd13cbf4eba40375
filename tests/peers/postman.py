"""A well-behaved server that takes several commands at once, counts the client's flights, and can hang up on cue.

::

    postman = Postman()
    with hostile([postman.serve]) as server:
        ...  # send to 127.0.0.1, server.port
    assert postman.visits[0].flights == 3  # EHLO, the envelope, the content
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from .hostile import GoneError, Peer


@dataclass
class Parcel:
    """One message as it arrived."""

    recipients: list[str]
    content: bytes


@dataclass
class Visit:
    """One connection.

    ``flights`` counts how often the client sent something and waited for what we would say.
    """

    lines: list[str] = field(default_factory=list)
    parcels: list[Parcel] = field(default_factory=list)
    flights: int = 0

    @property
    def verbs(self) -> list[str]:
        return [line.split(" ")[0].upper() for line in self.lines]

    def count(self, verb: str) -> int:
        return self.verbs.count(verb)


@dataclass
class Postman:
    """Takes mail for everybody but ``bad*`` (550). Replies are sent when all that was received is answered.

    :param hangs_up: asked at each command, and at the final dot (``.``), before it is obeyed; and after a message was
        accepted (``accepted``). If it says so, the connection is closed without a reply.
    :param says: what is said in place of the usual reply.
    """

    offers: tuple[str, ...] = ("PIPELINING", "SIZE 20000000", "8BITMIME")
    hangs_up: Callable[[Visit, str], bool] = lambda visit, verb: False
    says: Callable[[Visit, str], str | None] = lambda visit, verb: None
    visits: list[Visit] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def parcels(self) -> list[Parcel]:
        """All that was accepted."""
        return [parcel for visit in self.visits for parcel in visit.parcels]

    def total(self, verb: str) -> int:
        """How often a command was heard, over all connections."""
        return sum(visit.count(verb) for visit in self.visits)

    def serve(self, peer: Peer) -> None:
        """Serve one connection until the client leaves."""
        visit = Visit()
        with self.lock:
            self.visits.append(visit)
        peer.send(b"220 postman\r\n")
        _Desk(self, peer, visit).work()


class _Desk:
    def __init__(self, postman: Postman, peer: Peer, visit: Visit) -> None:
        self.postman = postman
        self.peer = peer
        self.visit = visit
        self.recipients: list[str] = []
        self.replies: list[str] = []

    def work(self) -> None:
        while True:
            line = self.until(b"\r\n").decode("latin-1")[:-2]
            self.visit.lines.append(line)
            verb = line.split(" ")[0].upper()
            self.reply(verb, self.obey(verb, line))
            if verb == "DATA" and self.replies[-1].startswith("354"):
                self.take_content()

    def until(self, mark: bytes) -> bytes:
        while mark not in self.peer.buffer:
            self.send_replies()
            self.peer.buffer += self.peer.receive()
        heard, _, self.peer.buffer = self.peer.buffer.partition(mark)
        return heard + mark

    def send_replies(self) -> None:
        if self.replies:
            self.visit.flights += 1
            self.peer.send("".join(f"{reply}\r\n" for reply in self.replies).encode("latin-1"))
            self.replies.clear()

    def reply(self, verb: str, usual: str) -> None:
        self.replies.append(self.postman.says(self.visit, verb) or usual)
        if verb == "QUIT" or self.replies[-1].startswith("421"):
            self.send_replies()
            raise GoneError

    def obey(self, verb: str, line: str) -> str:
        if self.postman.hangs_up(self.visit, verb):
            raise GoneError
        if verb == "EHLO":
            return "\r\n".join(f"250-{word}" for word in ("postman", *self.postman.offers)) + "\r\n250 HELP"
        if verb in ("MAIL", "RSET"):
            self.recipients = []
        if verb == "RCPT":
            address = line[line.index("<") + 1 : line.index(">")]
            if address.startswith("bad"):
                return "550 5.1.1 no such user"
            self.recipients.append(address)
        if verb == "DATA":
            return "354 go" if self.recipients else "554 5.5.1 no valid recipients"
        return "221 bye" if verb == "QUIT" else "250 ok"

    def take_content(self) -> None:
        content = b"\r\n" if self.peer.buffer.startswith(b".\r\n") else self.until(b"\r\n.\r\n")
        if self.postman.hangs_up(self.visit, "."):
            raise GoneError
        self.reply(".", "250 2.0.0 queued as P1")
        if self.replies[-1].startswith("2"):
            self.visit.parcels.append(Parcel(self.recipients, content))
        self.recipients = []
        if self.postman.hangs_up(self.visit, "accepted"):
            self.send_replies()
            raise GoneError
