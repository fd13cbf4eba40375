"""The bytes of a message: checked as they will go out, and made to suit what a server takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from ..errors import MessageRefused
from ..i18n import gettext as _
from .encoding import is_fit, make_fit
from .headers import Field, Meant, split_head

#: What the MIME structure of a message adds to its header, each once.
_STRUCTURE = frozenset({"mime-version", "content-type", "content-transfer-encoding"})
#: What a message's own serialiser must not write either: it would show hidden recipients or fake a way taken.
_NEVER = frozenset({"bcc", "resent-bcc", "return-path", "received"})


N = TypeVar("N", Field, Meant)


@dataclass(frozen=True, slots=True)
class Content:
    """What goes out after DATA.

    :param data: header and body; canonical CRLF line ends, none over 998 octets, no NUL; not dot-stuffed. The header
        is ASCII, and so fit for every server.
    :param message_id: the Message-ID, with its angle brackets.
    :param wide: the headers that are otherwise, as UTF-8, where a server offers SMTPUTF8 (RFC 6532).
    :param wide_sender: the address in From, if it is one that only such a server takes.
    """

    data: bytes
    message_id: str
    wide: tuple[Field, ...] = ()
    wide_sender: str = ""

    @property
    def eight_bit(self) -> bool:
        """Whether the server must take 8-bit content (RFC 6152)."""
        return not self.data.isascii()

    def fit_for(self, features: Mapping[str, str]) -> Content:
        """Return the same content for a server with these features: body and header as much encoded as need be.

        :raises MessageRefused: a part of it cannot be encoded.
        """
        content = self if "8BITMIME" in features else seven_bit(self)
        return utf8_header(content) if "SMTPUTF8" in features else content


def seven_bit(content: Content) -> Content:
    """Return the same content as ASCII, for a server that does not offer 8BITMIME.

    :raises MessageRefused: a part of it cannot be encoded.
    """
    if not content.eight_bit:
        return content
    data = joined(*make_fit(*split_head(content.data), seven_bit=True))
    if not data.isascii():
        raise MessageRefused(_("The server takes ASCII only, and a part of the message cannot be encoded for it."))
    _check_bytes(data)
    return replace(content, data=data)


def utf8_header(content: Content) -> Content:
    """Return the same content with addresses that are not ASCII written out, for a server that offers SMTPUTF8."""
    if not content.wide:
        return content
    fields, body = split_head(content.data)
    wide = {field.lower: field for field in content.wide}
    data = joined([wide.get(field.lower, field) for field in fields], body)
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
    found, wanted = _by_name(fields), _by_name(meant)
    for name, ones in found.items():
        structural = name in _STRUCTURE and len(ones) == 1
        its_own = own_serialiser and name not in wanted and name not in _NEVER
        if len(ones) != len(wanted.get(name, ())) and not (structural or its_own):
            raise _came_out_wrong(name)
    for name, items in wanted.items():
        values = [field.value for field in found.get(name, ())]
        for item in items:
            if not any(map(item.says, values)):
                raise _came_out_wrong(item.name)
    wide = {item.lower for item in meant if item.utf8}
    for field in fields:
        if not (field.fits_utf8 if field.lower in wide else field.fits):
            raise _came_out_wrong(field.name)


def _by_name(headers: Iterable[N]) -> dict[str, list[N]]:
    named: dict[str, list[N]] = {}
    for header in headers:
        named.setdefault(header.lower, []).append(header)
    return named


def _came_out_wrong(name: str) -> MessageRefused:
    return MessageRefused(_("The header %(name)s of the message came out wrong; nothing was sent.", name=name))


def _check_bytes(data: bytes) -> None:
    pairs = data.count(b"\r\n")
    if data.count(b"\n") != pairs or data.count(b"\r") != pairs or b"\0" in data:
        raise MessageRefused(_("The message holds stray line ends or NUL bytes; nothing was sent."))


def joined(fields: Sequence[Field], body: bytes) -> bytes:
    """Put header and body together."""
    return b"".join([*(field.raw for field in fields), b"\r\n", body])
