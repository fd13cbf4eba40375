"""What can be the matter with a message and with a recipient, and what the one follows from the others."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class State(StrEnum):
    """What is the matter with a message."""

    QUEUED = "queued"
    """It waits for its next attempt."""
    LEASED = "leased"
    """A worker has it, and has not sent the final dot: no server can have taken it in this attempt."""
    SENDING = "sending"
    """A worker may have sent the final dot: a server may have taken it."""
    DONE = "done"
    """A server has taken it for at least one recipient, and nobody is waiting any more."""
    FAILED = "failed"
    """It was refused for all recipients, for good."""
    UNKNOWN = "unknown"
    """Nobody knows whether a server has taken it, and it is not sent again by itself: a person decides."""
    QUARANTINED = "quarantined"
    """It cannot be worked on: its content is unreadable, or workers die of it. A person decides."""
    CANCELLED = "cancelled"
    """Somebody took it back."""
    EXPIRED = "expired"
    """Its time was over before a server took it for anybody."""
    SUPPRESSED = "suppressed"
    """It was not to be sent: ``MAIL_SUPPRESS_SEND``."""


#: States that nothing leaves: the content is deleted.
FINAL = frozenset({State.DONE, State.FAILED, State.CANCELLED, State.EXPIRED, State.SUPPRESSED})

#: States in which a person decides.
STUCK = frozenset({State.UNKNOWN, State.QUARANTINED})


class RecipientState(StrEnum):
    """What is the matter with one recipient of a message."""

    PENDING = "pending"
    """Not tried yet."""
    DEFERRED = "deferred"
    """Certainly not delivered; it is tried again."""
    IN_DOUBT = "in_doubt"
    """Nobody knows whether it was delivered."""
    ACCEPTED = "accepted"
    REFUSED = "refused"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SUPPRESSED = "suppressed"


#: Recipients to whom it is sent again without further ado.
WAITING = frozenset({RecipientState.PENDING, RecipientState.DEFERRED})


def state_after(recipients: Iterable[RecipientState], *, ask_a_person: bool) -> State:
    """Say what a message's recipients come to.

    :param ask_a_person: whether those in doubt are left to a person, instead of being sent another copy.
    """
    found = set(recipients)
    if found & WAITING:
        return State.QUEUED
    if RecipientState.IN_DOUBT in found:
        return State.UNKNOWN if ask_a_person else State.QUEUED
    for left, state in _IN_THE_END:
        if left in found:
            return state
    return State.FAILED


_IN_THE_END = (
    (RecipientState.ACCEPTED, State.DONE),
    (RecipientState.CANCELLED, State.CANCELLED),
    (RecipientState.EXPIRED, State.EXPIRED),
)
