"""From a Flask-Mail message to the bytes of DATA: checked before, written, and checked again as they will go out."""

from __future__ import annotations

import copy
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from email.errors import MessageError
from email.utils import formatdate, parsedate_tz
from typing import TYPE_CHECKING

from ..errors import MessageRefused
from ..i18n import gettext as _
from . import headers
from .checks import (
    check_extra_headers,
    check_fields,
    check_message_id,
    extra_headers,
    split_addresses,
    unfolded_subject,
)
from .encoding import canonical, is_fit, make_fit
from .headers import Field, Meant, mend, split_head
from .mailbox import Mailbox, parse_mailbox
from .recipients import Recipients
from .sender import Sender, read_recipient

if TYPE_CHECKING:
    from flask_mail import Attachment, Message

__all__ = ["Content", "check_extra_headers", "check_fields", "gate", "render", "seven_bit"]

#: How ``email.utils.make_msgid`` writes an id when nobody names a domain: it takes this machine's.
_MADE_ID = re.compile(r"(<\d+\.\d+\.\d+)@[^>]*>")
#: What the MIME structure of a message adds to its header, each once.
_STRUCTURE = frozenset({"mime-version", "content-type", "content-transfer-encoding"})
#: What a message's own serialiser must not write either: it would show hidden recipients or fake a way taken.
_NEVER = frozenset({"bcc", "resent-bcc", "return-path", "received"})


@dataclass(frozen=True, slots=True)
class Content:
    """What goes out after DATA.

    :param data: header and body; canonical CRLF line ends, none over 998 octets, no NUL; not dot-stuffed.
    :param message_id: the Message-ID, with its angle brackets.
    """

    data: bytes
    message_id: str

    @property
    def eight_bit(self) -> bool:
        """Whether the server must take 8-bit content (RFC 6152)."""
        return not self.data.isascii()


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

    Flask-Mail's own ``as_bytes`` makes the MIME structure, on a copy that carries our decisions, so that subclasses
    which extend it go on working. Headers that come out otherwise than meant are then written anew.

    :param max_bytes: the largest message that is sent.
    :param own_serialiser: whether the message's class writes itself; then it may add headers, and what it signed
        is left as it is.
    :param need_seven_bit: whether the server takes ASCII only.
    :raises MessageRefused: the message cannot be written safely, or is too large.
    """
    check_fields(message)
    draft = _draft(message, sender, recipients)
    meant = _meant(draft)
    raw = canonical(_serialised(message, draft))
    if len(raw) > max_bytes:
        raise MessageRefused(
            _(
                "The message has %(size)s bytes; the limit is %(limit)s (SMTPSERVERS_MAX_MESSAGE_BYTES).",
                size=f"{len(raw):,}",
                limit=f"{max_bytes:,}",
            )
        )
    fields, body = split_head(raw)
    if not any(field.lower == "dkim-signature" for field in fields):
        fields = mend(fields, meant)
    if not is_fit(body, seven_bit=need_seven_bit):
        fields, body = make_fit(fields, body, seven_bit=need_seven_bit)
    data = _joined(fields, body)
    gate(data, meant, own_serialiser=own_serialiser)
    content = Content(data, draft.message_id)
    return seven_bit(content) if need_seven_bit else content


def seven_bit(content: Content) -> Content:
    """Return the same content as ASCII, for a server that does not offer 8BITMIME.

    :raises MessageRefused: a part of it cannot be encoded.
    """
    if not content.eight_bit:
        return content
    data = _joined(*make_fit(*split_head(content.data), seven_bit=True))
    if not data.isascii():
        raise MessageRefused(_("The server takes ASCII only, and a part of the message cannot be encoded for it."))
    _check_bytes(data)
    return replace(content, data=data)


def gate(data: bytes, meant: Sequence[Meant], *, own_serialiser: bool = False) -> None:
    """Check the final bytes: every header that was meant is there once and says what was meant, and no other is.

    :param own_serialiser: whether further headers are the business of the message's class.
    :raises MessageRefused: anything differs. This is the last line of defence: it names the header, not the cause.
    """
    _check_bytes(data)
    fields, body = split_head(data)
    if not is_fit(body):
        raise MessageRefused(_("A part of the message has lines that are too long and cannot be encoded."))
    found = Counter(field.lower for field in fields)
    wanted = Counter(item.name.lower() for item in meant)
    for name in {**found, **wanted}:
        structural = name in _STRUCTURE and found[name] == 1
        its_own = own_serialiser and name not in wanted and name not in _NEVER
        if found[name] != wanted[name] and not (structural or its_own):
            raise _came_out_wrong(name)
    values = [(field.lower, field.value) for field in fields]
    for item in meant:
        if not any(name == item.name.lower() and item.says(value) for name, value in values):
            raise _came_out_wrong(item.name)
    for field in fields:
        if not field.fits:
            raise _came_out_wrong(field.name)


def _came_out_wrong(name: str) -> MessageRefused:
    return MessageRefused(_("The header %(name)s of the message came out wrong; nothing was sent.", name=name))


def _check_bytes(data: bytes) -> None:
    pairs = data.count(b"\r\n")
    if data.count(b"\n") != pairs or data.count(b"\r") != pairs or b"\0" in data:
        raise MessageRefused(_("The message holds stray line ends or NUL bytes; nothing was sent."))


def _joined(fields: Sequence[Field], body: bytes) -> bytes:
    return b"".join([*(field.raw for field in fields), b"\r\n", body])


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


def _serialised(message: Message, draft: _Draft) -> bytes:
    """Let the message write itself, as a copy that carries our decisions."""
    written = copy.copy(message)
    written.sender = str(draft.sender)
    written.recipients = [(item.name, item.address) for item in draft.to]
    written.cc = [(item.name, item.address) for item in draft.cc]
    written.reply_to = (draft.reply_to.name, draft.reply_to.address) if draft.reply_to is not None else None
    written.subject = draft.subject
    written.date = draft.date
    written.msgId = draft.message_id
    # Flask-Mail writes these as they are, and fails on those that are not ASCII.
    written.extra_headers = {name: headers.as_ascii(value) for name, value in draft.extra}
    try:
        written.attachments = [_as_bytes(item) for item in message.attachments or ()]
        return written.as_bytes()
    except (ValueError, LookupError, MessageError, OverflowError) as error:
        raise MessageRefused(_("The message cannot be written: %(error)s.", error=str(error))) from error


def _as_bytes(attachment: Attachment) -> Attachment:
    """Return an attachment whose text is UTF-8 and says so; Flask-Mail writes escapes for what is not Latin-1."""
    if not isinstance(attachment.data, str) or attachment.data.isascii():
        return attachment
    encoded = copy.copy(attachment)
    encoded.data = attachment.data.encode("utf-8")
    if attachment.content_type.startswith("text/") and "charset" not in attachment.content_type:
        encoded.content_type = f'{attachment.content_type}; charset="utf-8"'
    return encoded


def _meant(draft: _Draft) -> list[Meant]:
    meant = [
        headers.mailboxes("From", [draft.sender]),
        Meant("Date", lambda value: parsedate_tz(value) is not None, lambda: _date(draft.date)),
        headers.exactly("Message-ID", draft.message_id),
    ]
    if draft.subject:
        meant.append(headers.text("Subject", draft.subject))
    if draft.to:
        meant.append(headers.mailboxes("To", draft.to))
    elif not draft.cc:
        meant.append(headers.exactly("To", "undisclosed-recipients:;"))
    if draft.cc:
        meant.append(headers.mailboxes("Cc", draft.cc))
    if draft.reply_to is not None:
        meant.append(headers.mailboxes("Reply-To", [draft.reply_to]))
    return [*meant, *(_meant_extra(name, value) for name, value in draft.extra)]


def _meant_extra(name: str, value: str) -> Meant:
    if name.lower() == "sender":
        return headers.mailboxes(name, [parse_mailbox(value)])
    if name.lower() == "reply-to":
        return headers.mailboxes(name, [parse_mailbox(item) for item in split_addresses(value)])
    return headers.text(name, value)


def _date(date: float) -> bytes:
    return f"Date: {formatdate(date, localtime=True)}\r\n".encode("ascii")
