"""What a message may hold before it is serialised: no control characters anywhere, no header that is ours to write.

Flask-Mail looks at the subject, the sender, the recipients and Reply-To only. Everything else that reaches a header
or an SMTP command is checked here, because the email package lets much of it through (CVE-2024-6923, CVE-2026-1299).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ..errors import MessageRefused
from ..i18n import gettext as _
from ..mailbox import parse_mailbox
from ..safe_text import unsafe_character

if TYPE_CHECKING:
    from flask_mail import Attachment, Message

#: Headers that belong to us or to the servers on the way, in lower case. ``content-*`` and ``dkim-*`` are added below.
OURS = frozenset(
    {"from", "to", "cc", "bcc", "date", "mime-version", "received", "return-path"}
    | {f"resent-{name}" for name in ("from", "to", "cc", "bcc", "date", "sender", "message-id")}
)
#: Headers of which there may be one (RFC 5322 §3.6), in lower case.
SINGLE = frozenset({"subject", "sender", "reply-to", "message-id", "in-reply-to", "references"})
#: Headers that an attachment's part already has.
PART_HEADERS = frozenset({"content-type", "content-transfer-encoding", "mime-version"})

#: Some file systems end at 255 bytes; a longer name helps nobody.
FILENAME_LIMIT = 255

_HEADER_NAME = re.compile(r"[!-9;-~]{1,76}")
_MESSAGE_ID = re.compile(r"<[!-;=?A-~]+@[!-;=?A-Z^-~\[\]]+>")
_TOKEN = r"[A-Za-z0-9!#$&^_.+-]+"  # noqa: S105 - RFC 6838's name, not a secret
_PARAMETERS = rf'(?:\s*;\s*{_TOKEN}\*?=(?:[!#-:<-~]+|"(?:[^"\\]|\\.)*"))*;?'
_SUBTYPE = re.compile(rf"{_TOKEN}{_PARAMETERS}", re.ASCII)
_CONTENT_TYPE = re.compile(rf"{_TOKEN}/{_TOKEN}{_PARAMETERS}", re.ASCII)

#: The parameters of MAIL and RCPT that a message may ask for (RFC 3461).
_MAIL_OPTION = re.compile(r"RET=(?:FULL|HDRS)|ENVID=[!-<>-~]{1,100}", re.IGNORECASE)
#: These are the session's own to decide; hosts pass them all the same, so they are dropped without a word.
_OWN_OPTION = re.compile(r"SIZE=\d+|BODY=(?:7BIT|8BITMIME)|SMTPUTF8", re.IGNORECASE)
_RCPT_OPTION = re.compile(
    r"NOTIFY=(?:NEVER|(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY))*)|ORCPT=[!-<>-~]+",
    re.IGNORECASE,
)


def check_fields(message: Message) -> None:
    """Check everything of ``message`` that reaches a header or an SMTP command; addresses only for unsafe characters.

    :raises MessageRefused: with the field and what is wrong with it.
    """
    _check_people(message)
    unfolded_subject(message.subject)
    headers = extra_headers(message)
    check_extra_headers(headers, has_subject=bool(message.subject), has_reply_to=bool(message.reply_to))
    mail_options(message)
    rcpt_options(message)
    check_message_id(str(message.msgId))
    if message.charset is not None:
        _check_charset(message.charset)
    for subtype in message.alts:
        if not _SUBTYPE.fullmatch(str(subtype)):
            raise MessageRefused(_("%(subtype)s cannot be the type of an alternative body.", subtype=repr(subtype)))
    for attachment in message.attachments or ():
        _check_attachment(attachment)


def _check_people(message: Message) -> None:
    fields: dict[str, Iterable[object]] = {
        "sender": [message.sender],
        "recipients": message.recipients or (),
        "cc": message.cc or (),
        "bcc": message.bcc or (),
        "reply_to": [message.reply_to],
    }
    for field, values in fields.items():
        for value in values:
            for part in value if isinstance(value, tuple | list) else (value,):
                if part is None or (field == "sender" and callable(part) and not isinstance(part, str)):
                    continue  # a callable is asked later, and what it says is read strictly
                _check_text(field, str(part))


def _check_text(field: str, text: str, *, tab: bool = False) -> None:
    unsafe = unsafe_character(text, tab=tab)
    if unsafe:
        raise MessageRefused(
            _("%(field)s of the message holds the control character %(unsafe)s.", field=field, unsafe=unsafe)
        )


def unfolded_subject(subject: object) -> str:
    """Return the subject as one line.

    Flask-Mail allows a subject that is already folded: each further line begins with a blank (RFC 5322 §2.2.3).

    :raises MessageRefused: it holds any other line break or control character.
    """
    text = str(subject or "")
    lines = text.split("\r\n")
    if len(lines) > 1 and all(line.strip(" \t") for line in lines) and all(line[0] in " \t" for line in lines[1:]):
        text = "".join(lines)
    _check_text("subject", text, tab=True)
    return text


def extra_headers(message: Message) -> list[tuple[str, str]]:
    """Return the message's extra headers as text; lazy texts and numbers are turned into it."""
    return [(str(name), str(value)) for name, value in (message.extra_headers or {}).items()]


def check_extra_headers(
    headers: Iterable[tuple[str, str]], *, has_subject: bool = False, has_reply_to: bool = False
) -> None:
    """Check headers that a host wants to add.

    Message-ID, Sender, Reply-To and List-* are welcome if they are well-formed; what says who wrote the message to
    whom, how it is built and which way it went is not theirs to write.

    :param has_subject: whether the message has a subject of its own; then no other is taken.
    :param has_reply_to: likewise for Reply-To.
    :raises MessageRefused: one of them is refused.
    """
    taken = {name for name, there in (("subject", has_subject), ("reply-to", has_reply_to)) if there}
    for name, value in headers:
        lower = name.lower()
        if not _HEADER_NAME.fullmatch(name):
            raise MessageRefused(_("%(name)s cannot be the name of a header.", name=repr(name)))
        if lower in OURS or lower.startswith(("content-", "dkim-")):
            raise MessageRefused(_("The header %(name)s cannot be set through extra_headers.", name=name))
        if lower in taken:
            raise MessageRefused(_("The message has two headers %(name)s.", name=name))
        if lower in SINGLE:
            taken.add(lower)
        _check_text(name, value, tab=True)
        _check_known(lower, value)


def _check_known(lower: str, value: str) -> None:
    if lower == "message-id":
        check_message_id(value.strip())
    elif lower == "sender":
        parse_mailbox(value)
    elif lower == "reply-to":
        for item in split_addresses(value):
            parse_mailbox(item)
    elif lower.startswith("list-") and not value.isascii():
        raise MessageRefused(_("The header %(name)s must be ASCII.", name=lower))


def split_addresses(text: str) -> list[str]:
    """Split a list of mailboxes at its commas, not at those inside quotation marks."""
    return [item.strip() for item in re.findall(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+', text) if item.strip()] or [text]


def check_message_id(text: str) -> None:
    """Check a Message-ID (RFC 5322 §3.6.4).

    :raises MessageRefused: it is none.
    """
    if len(text) > 900 or not _MESSAGE_ID.fullmatch(text):
        raise MessageRefused(
            _("%(text)s is not a Message-ID: write it like <unique@example.org>.", text=repr(text[:200]))
        )


def mail_options(message: Message) -> tuple[str, ...]:
    """Return the parameters of MAIL FROM that the message asks for; SIZE, BODY and SMTPUTF8 are left to the session.

    :raises MessageRefused: one is not in the list of those that can do no harm.
    """
    return _options("mail_options", message.mail_options, _MAIL_OPTION)


def rcpt_options(message: Message) -> tuple[str, ...]:
    """Return the parameters of RCPT TO that the message asks for.

    :raises MessageRefused: one is not in the list of those that can do no harm.
    """
    return _options("rcpt_options", message.rcpt_options, _RCPT_OPTION)


def _options(field: str, options: Iterable[str] | None, allowed: re.Pattern[str]) -> tuple[str, ...]:
    texts = [str(option) for option in options or ()]
    for text in texts:
        if not (allowed.fullmatch(text) or (field == "mail_options" and _OWN_OPTION.fullmatch(text))):
            raise MessageRefused(_("%(option)s is not allowed in %(field)s.", option=repr(text), field=field))
    return tuple(text for text in texts if allowed.fullmatch(text))


def _check_charset(charset: object) -> None:
    _check_text("charset", str(charset))
    try:
        codecs.lookup(str(charset))
    except (LookupError, ValueError):
        raise MessageRefused(_("%(charset)s is not a character set.", charset=repr(str(charset)))) from None


def _check_attachment(attachment: Attachment) -> None:
    filename = attachment.filename
    if filename is not None:
        _check_text("filename", str(filename))
        if len(str(filename)) > FILENAME_LIMIT:
            raise MessageRefused(
                _("The name of an attachment is longer than %(limit)s characters.", limit=FILENAME_LIMIT)
            )
    _check_text("content_type", str(attachment.content_type))
    if not _CONTENT_TYPE.fullmatch(str(attachment.content_type)):
        raise MessageRefused(_("%(type)s cannot be the type of an attachment.", type=repr(attachment.content_type)))
    _check_text("disposition", str(attachment.disposition))
    if not _SUBTYPE.fullmatch(str(attachment.disposition)):
        raise MessageRefused(
            _("%(value)s cannot be the disposition of an attachment.", value=repr(attachment.disposition))
        )
    _check_part_headers(attachment.headers or {})


def _check_part_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(str(name)) or str(name).lower() in PART_HEADERS:
            raise MessageRefused(_("%(name)s cannot be a header of an attachment.", name=repr(name)))
        _check_text(str(name), str(value), tab=True)
