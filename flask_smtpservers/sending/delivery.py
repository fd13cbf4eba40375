"""What became of a message: one value that says which server took it, for whom, and why that server."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .routing import Route


class Outcome(StrEnum):
    """What became of a message for one recipient."""

    ACCEPTED = "accepted"
    """The server took responsibility for it."""
    REFUSED = "refused"
    """The server did not take it: it said so, or the connection failed before the content was complete."""
    IN_DOUBT = "in_doubt"
    """The content went out but no verdict came back: sending again may deliver it twice (RFC 1047)."""
    SUPPRESSED = "suppressed"
    """It was not sent on purpose: ``MAIL_SUPPRESS_SEND``, or sending is switched off."""


@dataclass(frozen=True, slots=True)
class RecipientOutcome:
    """What became of a message for one recipient.

    :param address: the envelope recipient.
    :param code: the reply code, or None if the server did not reply.
    :param enhanced: the enhanced status code such as ``5.1.1`` (RFC 3463), or None.
    :param text: the server's words, or our own sentence if it said nothing.
    """

    address: str
    outcome: Outcome
    code: int | None = None
    enhanced: str | None = None
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of one message.

    :param server_name: the server's name; ``Built-in`` for the app's own ``MAIL_*`` server; empty if none was used.
    :param server_id: the stored server's public id, or None.
    :param recipients: one outcome for each envelope recipient, in the order in which they were sent.
    :param queue_id: the id under which the server queued the message; empty if it named none. A message of more than
        100 recipients goes out in several transactions: the id and the reply are those of the last accepted one.
    :param reply: the server's reply to the content.
    :param route: why this server; None if no server was looked for.
    :param message_id: the Message-ID header; empty if nothing was sent.
    :param milliseconds: how long it took, connecting included.
    """

    server_name: str
    server_id: str | None
    recipients: tuple[RecipientOutcome, ...]
    queue_id: str = ""
    reply: str = ""
    route: Route | None = None
    message_id: str = ""
    milliseconds: int = 0

    @property
    def accepted(self) -> tuple[RecipientOutcome, ...]:
        """The recipients for whom the server took the message."""
        return tuple(item for item in self.recipients if item.outcome is Outcome.ACCEPTED)

    @property
    def refused(self) -> tuple[RecipientOutcome, ...]:
        """The recipients for whom the server did not take it."""
        return tuple(item for item in self.recipients if item.outcome is Outcome.REFUSED)

    @property
    def in_doubt(self) -> tuple[RecipientOutcome, ...]:
        """The recipients of whom nobody knows."""
        return tuple(item for item in self.recipients if item.outcome is Outcome.IN_DOUBT)

    @property
    def suppressed(self) -> bool:
        """Whether nothing was sent, on purpose."""
        return any(item.outcome is Outcome.SUPPRESSED for item in self.recipients)
