"""One server of the matrix and one way into it, with a host app that sends through it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask_mail import Message

from ..apps import Host
from .arrivals import Arrival
from .kinds import WAYS, Kind
from .postfix import until


@dataclass
class Place:
    """What a test of the matrix works with. Counts are of this test alone, though the server serves many."""

    kind: Kind
    way: str
    running: Any
    host: Host
    _before: dict[str, int] = field(default_factory=dict)
    _ids_before: int = 0

    def __post_init__(self) -> None:
        self.running.forget()
        self._before = {what: self._counted(what) for what in ("connections", "refused_logins")}
        self._ids_before = len(self.kind.ids(self.running))

    @property
    def connections(self) -> int:
        """How many connections there were, waiting for the first to be noted."""
        return self._counted("connections")

    @property
    def refused_logins(self) -> int:
        """How many logins were refused, waiting for the first to be noted."""
        return self._counted("refused_logins")

    @property
    def ids(self) -> list[str]:
        """Under which ids the server queued what it accepted; ask after the mail arrived."""
        return self.kind.ids(self.running)[self._ids_before :]

    def _counted(self, what: str) -> int:
        count: Callable[[Any], int] = getattr(self.kind, what)
        if what not in self._before:
            return count(self.running)
        before = self._before[what]
        return until(f"{what} to be noted", lambda: count(self.running) - before)

    def add_server(self, **changes: Any) -> None:
        """Add the server to the host app, as an admin would."""
        port, security = WAYS[self.way]
        login = {} if security == "none" else {"username": self.kind.username, "password": self.kind.password}
        self.host.smtp.add_server(
            **{
                "name": "Shop",
                "host": self.running.host,
                "port": getattr(self.running, port),
                "security": security,
                "address": "shop@example.test",
                "sender_name": "Corner Shop",
                **login,
                **changes,
            }
        )

    def arrivals(self, count: int) -> list[Arrival]:
        """What arrived, by recipient, waiting until there are ``count``."""
        found = self.kind.arrived(self.running, count)
        assert len(found) == count, [one.recipient for one in found]
        return sorted(found, key=lambda one: one.recipient)

    def nothing_arrived(self) -> None:
        """Prove that nothing arrived: what is sent now arrives alone."""
        self.host.mail.send(Message("Marker", recipients=["marker@example.test"], body="Hello"))
        (one,) = self.arrivals(1)
        assert one.message["Subject"] == "Marker"
