"""The MIME structure of an ordinary message, written directly: the email package takes ten times as long for it.

Ordinary is a message that Flask-Mail itself would write, with texts in UTF-8 and attachments that have plain names.
A reader finds in it exactly what he finds in what Flask-Mail writes.
"""

from __future__ import annotations

import re
import secrets
from binascii import b2a_base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask_mail import Message

from .encoding import canonical, is_fit, quoted_printable
from .headers import Field, text

if TYPE_CHECKING:
    from flask_mail import Attachment

#: What decides how a message is written; where one of these is not Flask-Mail's own, that is none of our business.
_WRITERS = {name: getattr(Message, name, None) for name in ("as_bytes", "_message", "_mimetext")}
_SUBTYPE = re.compile(r"[a-z0-9][a-z0-9.+-]*", re.IGNORECASE)
#: Signed, forwarded and nested messages have rules of their own.
_COMPOSITE = ("message/", "multipart/")
#: Flask-Mail's setting ``MAIL_ASCII_ATTACHMENTS`` changes no name of this kind.
_FILENAME = re.compile(r"[!-~]+(?: [!-~]+)*")
#: A longer content type, the email package folds.
_LINE = 200
_BASE64_LINE = 76


@dataclass(frozen=True, slots=True)
class Entity:
    """A body, encoded, with the header fields that describe it."""

    fields: Sequence[Field]
    body: bytes


def ordinary(message: Message) -> Entity | None:
    """Write texts and attachments of a message; None if it is no ordinary one.

    :raises ValueError: a text holds what cannot be encoded.
    """
    attachments = message.attachments or ()
    if not (_is_written_by_flask_mail(message) and _has_plain_texts(message) and all(map(_is_plain, attachments))):
        return None
    whole = _text("plain", message.body)
    if message.alts:
        whole = _multipart("alternative", [whole, *(_text(kind, value) for kind, value in message.alts.items())])
    if message.alts or attachments:
        whole = _multipart("mixed", [whole, *map(_attachment, attachments)])
    return Entity([_field("MIME-Version", "1.0"), *whole.fields], whole.body)


def _is_written_by_flask_mail(message: Message) -> bool:
    own = vars(message)
    return all(getattr(type(message), name, None) is theirs and name not in own for name, theirs in _WRITERS.items())


def _has_plain_texts(message: Message) -> bool:
    if message.charset is not None and str(message.charset).lower() != "utf-8":
        return False
    return all(value is None or isinstance(value, str) for value in (message.body, *message.alts.values())) and all(
        isinstance(kind, str) and _SUBTYPE.fullmatch(kind) for kind in message.alts
    )


def _is_plain(attachment: Attachment) -> bool:
    name, kind = attachment.filename, str(attachment.content_type)
    return (
        isinstance(attachment.data, bytes | str)
        and len(kind) <= _LINE
        and not kind.lower().startswith(_COMPOSITE)
        and (name is None or (isinstance(name, str) and _FILENAME.fullmatch(name) is not None))
    )


def _text(subtype: str, value: str | None) -> Entity:
    data = canonical((value or "").encode())
    if not is_fit(data):
        encoding, data = "quoted-printable", quoted_printable(data)
    else:
        encoding = "7bit" if data.isascii() else "8bit"
    return Entity(
        [_field("Content-Type", f'text/{subtype}; charset="utf-8"'), _field("Content-Transfer-Encoding", encoding)],
        data,
    )


def _attachment(attachment: Attachment) -> Entity:
    data, kind = attachment.data, attachment.content_type
    if isinstance(data, str):
        if not data.isascii() and kind.startswith("text/") and "charset" not in kind:
            kind = f'{kind}; charset="utf-8"'
        data = data.encode()
    fields = [_field("Content-Type", kind), _field("Content-Transfer-Encoding", "base64")]
    if attachment.filename is not None:
        name = attachment.filename.replace("\\", "\\\\").replace('"', '\\"')
        fields.append(_field("Content-Disposition", f'{attachment.disposition}; filename="{name}"'))
    for other, value in (attachment.headers or {}).items():
        fields.append(Field(str(other), text(str(other), str(value)).write()))
    return Entity(fields, _base64(data))


def _base64(data: bytes) -> bytes:
    line = b2a_base64(data, newline=False)
    return b"".join([line[at : at + _BASE64_LINE] + b"\r\n" for at in range(0, len(line), _BASE64_LINE)])


def _multipart(subtype: str, parts: Sequence[Entity]) -> Entity:
    """Put parts between boundaries that nobody can foresee, and so nobody can write into a text."""
    boundary = f"=_{secrets.token_hex(16)}"
    delimiter = f"--{boundary}\r\n".encode()
    pieces: list[bytes] = []
    for part in parts:
        pieces += [delimiter, *(field.raw for field in part.fields), b"\r\n", part.body, b"\r\n"]
    pieces.append(f"--{boundary}--\r\n".encode())
    return Entity([_field("Content-Type", f'multipart/{subtype}; boundary="{boundary}"')], b"".join(pieces))


def _field(name: str, value: str) -> Field:
    return Field(name, f"{name}: {value}\r\n".encode("ascii"))
