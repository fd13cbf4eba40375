"""To whom a message goes: each mailbox read strictly, each envelope recipient once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import MessageRefused
from ..i18n import gettext as _
from ..mailbox import Mailbox
from .sender import read_recipient

if TYPE_CHECKING:
    from flask_mail import Message


@dataclass(frozen=True, slots=True)
class Recipients:
    """The mailboxes of the To and Cc headers, and the addresses of the envelope (Bcc is among those alone)."""

    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...]
    envelope: tuple[str, ...]


def recipients_of(message: Message, limit: int) -> Recipients:
    """Read the recipients of ``message``: every form that Flask-Mail takes, in the order in which they were given.

    The envelope is the message's ``send_to``, which subclasses of it redirect.

    :param limit: the most that a message may have.
    :raises MessageRefused: one of them is no single address, or there are too many.
    """
    wanted = set(message.send_to)
    listed = [item for item in (*message.recipients, *(message.cc or ()), *(message.bcc or ())) if item in wanted]
    others = sorted(wanted.difference(listed), key=str)
    envelope = _once((*listed, *others), limit)
    return Recipients(_once(message.recipients), _once(message.cc or ()), tuple(item.address for item in envelope))


def _once(values: Iterable[object], limit: int | None = None) -> tuple[Mailbox, ...]:
    """Read mailboxes; of those with the same address the first counts."""
    found: dict[str, Mailbox] = {}
    for value in values:
        mailbox = read_recipient(value)
        found.setdefault(mailbox.key, mailbox)
        if limit is not None and len(found) > limit:
            raise MessageRefused(
                _("The message has more than %(limit)s recipients (SMTPSERVERS_MAX_RECIPIENTS).", limit=limit)
            )
    return tuple(found.values())
