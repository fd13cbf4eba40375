"""From a Flask-Mail message to the bytes of DATA: checked before, written, and checked again as they will go out."""

from __future__ import annotations

import copy
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from email.errors import MessageError
from email.utils import formatdate, parsedate_tz
from functools import lru_cache
from math import floor
from typing import TYPE_CHECKING

from ..errors import MessageRefused
from ..i18n import gettext as _
from ..mailbox import Mailbox, parse_mailbox
from . import headers
from .checks import (
    check_extra_headers,
    check_fields,
    check_message_id,
    extra_headers,
    split_addresses,
    unfolded_subject,
)
from .content import Content, gate, joined, seven_bit, utf8_header
from .encoding import canonical, is_fit, make_fit
from .headers import Field, Meant, mend, split_head
from .mime import Entity, ordinary
from .recipients import Recipients
from .sender import Sender, read_recipient

if TYPE_CHECKING:
    from flask_mail import Attachment, Message

__all__ = ["Content", "check_extra_headers", "check_fields", "gate", "render", "seven_bit"]

#: How ``email.utils.make_msgid`` writes an id when nobody names a domain: it takes this machine's.
_MADE_ID = re.compile(r"(<\d+\.\d+\.\d+)@[^>]*>")
_USUAL_DATE = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-3]\d (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4}"
    r" [0-2]\d:[0-5]\d:[0-5]\d [+-]\d{4}"
)


@dataclass(frozen=True, slots=True)
class _Draft:
    """The header of a message as it is meant."""

    sender: Mailbox
    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...]
    reply_to: Mailbox | None
    subject: str
    date: float
    message_id: str
    extra: tuple[tuple[str, str], ...]

    @property
    def is_ascii(self) -> bool:
        """Whether no address is other than ASCII, so that the header is the same for every server."""
        people = (self.sender, *self.to, *self.cc, *([self.reply_to] if self.reply_to else []))
        return all(item.is_ascii for item in people) and all(value.isascii() for _name, value in self.extra)


def render(
    message: Message,
    sender: Sender,
    recipients: Recipients,
    *,
    max_bytes: int,
    own_serialiser: bool = False,
    need_seven_bit: bool = False,
) -> Content:
    """Write ``message`` as the bytes that go out.

    An ordinary message is written directly. Otherwise its own ``as_bytes`` makes the MIME structure, on a copy that
    carries our decisions, so that subclasses which extend it go on working; headers that come out otherwise than
    meant are then written anew. Either way the bytes pass the same gate.

    :param max_bytes: the largest message that is sent.
    :param own_serialiser: whether the message's class writes itself; then it may add headers, and what it signed
        is left as it is.
    :param need_seven_bit: whether the server takes ASCII only.
    :raises MessageRefused: the message cannot be written safely, or is too large.
    """
    check_fields(message)
    draft = _draft(message, sender, recipients)
    meant = _meant(draft)
    written = _written(message, draft, meant, own_serialiser=own_serialiser)
    fields, body = written.fields, written.body
    if not is_fit(body, seven_bit=need_seven_bit):
        fields, body = make_fit(fields, body, seven_bit=need_seven_bit)
    data = joined(fields, body)
    if len(data) > max_bytes:
        raise MessageRefused(
            _(
                "The message has %(size)s bytes; the limit is %(limit)s (SMTPSERVERS_MAX_MESSAGE_BYTES).",
                size=f"{len(data):,}",
                limit=f"{max_bytes:,}",
            )
        )
    gate(data, meant, own_serialiser=own_serialiser)
    wide = [] if draft.is_ascii else _meant(draft, utf8=True)
    content = Content(
        data,
        draft.message_id,
        wide=tuple(Field(item.name, item.write()) for item in wide if item.utf8),
        wide_sender="" if draft.sender.is_ascii else draft.sender.address,
    )
    if content.wide:
        gate(utf8_header(content).data, wide, own_serialiser=own_serialiser)
    return seven_bit(content) if need_seven_bit else content


def _draft(message: Message, sender: Sender, recipients: Recipients) -> _Draft:
    extra = extra_headers(message)
    own_id = next((value.strip() for name, value in extra if name.lower() == "message-id"), None)
    return _Draft(
        sender=sender.header,
        to=recipients.to,
        cc=recipients.cc,
        reply_to=_reply_to(message, sender, {name.lower() for name, _value in extra}),
        subject=unfolded_subject(message.subject),
        date=time.time() if message.date is None else message.date,
        message_id=own_id or _message_id(str(message.msgId), sender.header),
        extra=tuple((name, value) for name, value in extra if name.lower() != "message-id"),
    )


def _reply_to(message: Message, sender: Sender, extra_names: set[str]) -> Mailbox | None:
    if message.reply_to:
        return read_recipient(message.reply_to)
    return None if "reply-to" in extra_names else sender.reply_to


def _message_id(text: str, sender: Mailbox) -> str:
    """Return the message's id; one that Flask-Mail made names the sender's domain instead of this machine."""
    made = _MADE_ID.fullmatch(text)
    if made:
        text = f"{made.group(1)}@{sender.address.rpartition('@')[2]}>"
    check_message_id(text)
    return text


def _written(message: Message, draft: _Draft, meant: Sequence[Meant], *, own_serialiser: bool) -> Entity:
    try:
        if not own_serialiser and (content := ordinary(message)):
            return Entity([*content.fields, *(Field(item.name, item.write()) for item in meant)], content.body)
        raw = _serialised(message, draft, whole=own_serialiser)
    except MessageRefused:
        raise
    except (ValueError, LookupError, MessageError, OverflowError) as error:
        raise MessageRefused(_("The message cannot be written: %(error)s.", error=str(error))) from error
    fields, body = split_head(canonical(raw))
    signed = any(field.lower == "dkim-signature" for field in fields)
    return Entity(fields if signed else mend(fields, meant), body)


def _serialised(message: Message, draft: _Draft, *, whole: bool) -> bytes:
    """Let the message write itself, as a copy that carries our decisions.

    :param whole: whether all recipients must stand in it. Otherwise the first of each kind stands for all: the email
        package takes half a millisecond to write an address, and we write a list of them anew anyway.
    """
    named = None if whole else 1
    written = copy.copy(message)
    written.sender = str(_writable(draft.sender))
    written.recipients = [_pair(item) for item in draft.to[:named]]
    written.cc = [_pair(item) for item in draft.cc[:named]]
    written.reply_to = _pair(draft.reply_to) if draft.reply_to is not None else None
    written.subject = draft.subject
    written.date = draft.date
    written.msgId = draft.message_id
    # Flask-Mail writes these as they are, and fails on those that are not ASCII.
    written.extra_headers = {name: headers.as_ascii(value) for name, value in draft.extra}
    written.attachments = [_as_bytes(item) for item in message.attachments or ()]
    return written.as_bytes()


def _pair(item: Mailbox) -> tuple[str, str]:
    item = _writable(item)
    return item.name, item.address


def _writable(item: Mailbox) -> Mailbox:
    """Return a mailbox that Flask-Mail can write; one whose address is not ASCII makes it fail, and is put in later."""
    return item if item.is_ascii else replace(item, address=f"utf8@{item.address.rpartition('@')[2]}")


def _as_bytes(attachment: Attachment) -> Attachment:
    """Return an attachment whose text is UTF-8 and says so; Flask-Mail writes escapes for what is not Latin-1."""
    if not isinstance(attachment.data, str) or attachment.data.isascii():
        return attachment
    encoded = copy.copy(attachment)
    encoded.data = attachment.data.encode("utf-8")
    if attachment.content_type.startswith("text/") and "charset" not in attachment.content_type:
        encoded.content_type = f'{attachment.content_type}; charset="utf-8"'
    return encoded


def _meant(draft: _Draft, *, utf8: bool = False) -> list[Meant]:
    """Return the header as it is meant; ``utf8`` where it may hold addresses that are not ASCII."""
    meant = [
        headers.mailboxes("From", [draft.sender], utf8=utf8),
        Meant("Date", _is_date, lambda: f"Date: {_date(floor(draft.date))}\r\n".encode("ascii")),
        headers.exactly("Message-ID", draft.message_id),
    ]
    if draft.subject:
        meant.append(headers.text("Subject", draft.subject))
    if draft.to:
        meant.append(headers.mailboxes("To", draft.to, utf8=utf8))
    elif not draft.cc:
        meant.append(headers.exactly("To", "undisclosed-recipients:;"))
    if draft.cc:
        meant.append(headers.mailboxes("Cc", draft.cc, utf8=utf8))
    if draft.reply_to is not None:
        meant.append(headers.mailboxes("Reply-To", [draft.reply_to], utf8=utf8))
    return [*meant, *(_meant_extra(name, value, utf8=utf8) for name, value in draft.extra)]


def _meant_extra(name: str, value: str, *, utf8: bool) -> Meant:
    if name.lower() == "sender":
        return headers.mailboxes(name, [parse_mailbox(value)], utf8=utf8)
    if name.lower() == "reply-to":
        return headers.mailboxes(name, [parse_mailbox(item) for item in split_addresses(value)], utf8=utf8)
    return headers.text(name, value)


@lru_cache(maxsize=8)
def _date(second: int) -> str:
    return formatdate(second, localtime=True)


def _is_date(value: str) -> bool:
    return _USUAL_DATE.fullmatch(value) is not None or parsedate_tz(value) is not None
