"""What follows from an answer: for the recipients, for the server, and whether another server may be asked at once.

One table for whoever tries again: fail-over, the queue and the breaker. It knows RFC 5321's reply classes, and that the
one thing which must never be sent again blindly is a message whose verdict did not come (RFC 1047).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..errors import (
    AddressBlocked,
    AuthenticationFailed,
    DataRefused,
    InDoubt,
    MessageRefused,
    MessageTooLarge,
    NotOffered,
    RecipientsRefused,
    SecretUnreadable,
    SenderRefused,
    SendError,
    SMTPServersError,
    TLSFailed,
)

#: Replies that refuse a sign-in for good, wherever they come: the same attempt again would only lock the account.
_SIGN_IN_CODES = (530, 534, 535, 538)

#: Replies about the size of this message or the room for it (RFC 1870, RFC 3463 §3.3 and §3.4).
_SIZE_CODES, _SIZE_STATUS = (552,), ("5.2.3", "5.3.4")

#: More recipients than one transaction may have (RFC 5321 §4.5.3.1.10, RFC 3463 §3.6).
_CROWDED_STATUS = ("4.5.3", "5.5.3")


class Fate(StrEnum):
    """What becomes of a recipient."""

    DEFERRED = "deferred"
    """Certainly not delivered, and another attempt may succeed."""
    REFUSED = "refused"
    """Certainly not delivered, and another attempt would end the same way."""
    IN_DOUBT = "in_doubt"
    """Nobody knows: the content went out and no verdict came."""
    NEXT_TRANSACTION = "next_transaction"
    """Not this time only because the transaction was full: the next one on the same connection may take it."""


class Blame(StrEnum):
    """What the answer says about the server as such."""

    NONE = "none"
    """Nothing: it was about the message or a recipient."""
    COUNT = "count"
    """It is in trouble; if that repeats, leave it alone for a while."""
    OPEN = "open"
    """It cannot be used safely now: leave it alone for a while at once, and tell somebody."""
    STOP = "stop"
    """It will not work until a person changes something: do not try again before."""


class Elsewhere(StrEnum):
    """Whether another server may be asked at once for the recipients that are left."""

    YES = "yes"
    NO = "no"
    IF_PERMITTED = "if_permitted"
    """Only a server that may send for this sender."""


@dataclass(frozen=True, slots=True)
class Consequence:
    """What follows from an answer."""

    fate: Fate
    blame: Blame
    elsewhere: Elsewhere


_SERVER_IS_DOWN = Consequence(Fate.DEFERRED, Blame.COUNT, Elsewhere.YES)
_SERVER_IS_UNSAFE = Consequence(Fate.DEFERRED, Blame.OPEN, Elsewhere.YES)
_SERVER_NEEDS_A_PERSON = Consequence(Fate.DEFERRED, Blame.STOP, Elsewhere.YES)
_NOT_NOW = Consequence(Fate.DEFERRED, Blame.NONE, Elsewhere.YES)
_NEVER = Consequence(Fate.REFUSED, Blame.NONE, Elsewhere.NO)
_NOT_THIS_SENDER = Consequence(Fate.REFUSED, Blame.NONE, Elsewhere.IF_PERMITTED)
_NOBODY_KNOWS = Consequence(Fate.IN_DOUBT, Blame.COUNT, Elsewhere.NO)
_NEXT = Consequence(Fate.NEXT_TRANSACTION, Blame.NONE, Elsewhere.NO)


def consequence_of(error: SMTPServersError) -> Consequence:
    """Say what follows from an attempt that no recipient survived.

    :param error: why it failed. Of :class:`RecipientsRefused` each recipient has a consequence of its own
        (:func:`consequence_of_reply`); this gives the mildest.
    """
    match error:
        case InDoubt():
            return _NOBODY_KNOWS
        case MessageRefused() | MessageTooLarge():
            return _NEVER
        case RecipientsRefused():
            return _of_recipients(error)
        case AddressBlocked() | SecretUnreadable():
            return _SERVER_NEEDS_A_PERSON
        case TLSFailed() | NotOffered():
            return _SERVER_IS_UNSAFE
        case SendError() if error.code in _SIGN_IN_CODES:
            return _SERVER_NEEDS_A_PERSON
        case AuthenticationFailed():
            return _SERVER_NEEDS_A_PERSON if error.permanent else _SERVER_IS_DOWN
        case SenderRefused() | DataRefused():
            return _of_message(error)
        case _:
            return _SERVER_IS_DOWN


def consequence_of_reply(code: int, enhanced: str | None) -> Consequence:
    """Say what follows from the reply to one recipient (RCPT TO) that was not accepted.

    :param code: the reply code; 0 if there was none.
    :param enhanced: the enhanced status code (RFC 3463), if any.
    """
    if code in (452, 552) and enhanced in _CROWDED_STATUS:
        return _NEXT
    if code in _SIGN_IN_CODES:
        return _SERVER_NEEDS_A_PERSON
    if code == 421 or not code:
        return _SERVER_IS_DOWN
    return _NEVER if code >= 500 else _NOT_NOW


def _of_recipients(error: RecipientsRefused) -> Consequence:
    found = [
        consequence_of_reply(code, error.enhanced if len(error.recipients) == 1 else None)
        for code, _text in error.recipients.values()
    ]
    return min(found, key=_MILDEST.index, default=_NEVER)


def _of_message(error: SendError) -> Consequence:
    if error.code in _SIZE_CODES or error.enhanced in _SIZE_STATUS:
        return _NEVER
    if error.permanent:
        return _NOT_THIS_SENDER if isinstance(error, SenderRefused) else _NEVER
    return _SERVER_IS_DOWN if error.code == 421 else _NOT_NOW


#: What recipients can come to, from what gives most hope to what gives none.
_MILDEST = (_NEXT, _NOT_NOW, _SERVER_IS_DOWN, _SERVER_NEEDS_A_PERSON, _NEVER)
