"""What the operator decides about mail: its kinds, and the ways in which it may be sent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of mail, such as receipts; admins choose the server that it goes through.

    :param id: what programs call it.
    :param label: what people read.
    :param bulk: mail to many, such as a newsletter; it never goes through a user's own server.
    :param personal: mail that a user writes; it goes through the user's own server, if there is one.
    """

    id: str
    label: str
    bulk: bool = False
    personal: bool = False


class Mode(StrEnum):
    """A way to send."""

    BUILTIN = "builtin"
    """Through the app's own ``MAIL_*`` server."""
    DOMAIN = "domain"
    """From the organisation's own domain, through the app's own server."""
    OWN = "own"
    """Through servers of one's own."""


class ModeState(StrEnum):
    """Whether a way to send can be had."""

    ON = "on"
    """It can be used."""
    ASK = "ask"
    """It is shown, but whoever runs the app must switch it on first."""
    OFF = "off"
    """It is not even shown."""
