"""The outbox of one app: its parts, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..servers.keyring import Keyring
from .access import Access, Clock, system_clock
from .claims import Claims
from .ending import Ending
from .enqueue import Intake
from .listing import Listing
from .pace import Pace
from .presence import Presence
from .rests import Rests
from .reviving import Reviving
from .settling import Settling

if TYPE_CHECKING:
    from flask_sqlalchemy import SQLAlchemy


class Outbox:
    """What can be done with the messages of the outbox, within the caller's app context.

    :param clock: the time now, in milliseconds since 1970.
    """

    def __init__(
        self, db: SQLAlchemy, keyring: Keyring, *, clock: Clock = system_clock, pace: Pace | None = None
    ) -> None:
        self.pace = pace or Pace()
        self.keyring = keyring
        self.access = Access(db, clock)
        self.settling = Settling(self.access)
        self.claims = Claims(self.access, self.settling, self.pace)
        self.intake = Intake(self.access, keyring)
        self.ending = Ending(self.access, self.settling)
        self.reviving = Reviving(self.access, self.settling)
        self.listing = Listing(self.access)
        self.presence = Presence(self.access)
        self.rests = Rests()
