"""The header block of a serialised message: taken apart, compared with what was meant, and written where it differs.

Flask-Mail and the email package write most headers right. Where they do not - names that lose their quotes when they
are folded, long URLs and ids that become encoded-words, an empty ``To:`` - the line is written here instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.header import Header
from email.utils import getaddresses

from ..errors import MessageRefused
from ..i18n import gettext as _
from ..mailbox import Mailbox, decoded
from ..safe_text import collapse

#: Octets of a line without its CRLF: what must not and what should not be exceeded (RFC 5322 §2.1.1).
LINE_LIMIT, LINE_GOAL = 998, 78

_FIELD = re.compile(rb"([!-9;-~]+):[^\r\n]*(?:\r\n[ \t][^\r\n]*)*\r\n")
_FOLD = re.compile(r"\r\n(?=[ \t])")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
#: A mailbox that no two readers read differently, and that is written as it is.
_PLAIN = re.compile(r"(?:[A-Za-z0-9 -]+ <(?=.*>))?[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@[A-Za-z0-9.-]+>?")


@dataclass(frozen=True, slots=True)
class Field:
    """One header as it stands in the bytes.

    :param raw: the whole of it, with its name, folds and final CRLF.
    """

    name: str
    raw: bytes

    @property
    def lower(self) -> str:
        """The name as it is compared."""
        return self.name.lower()

    @property
    def value(self) -> str:
        """The value, unfolded and stripped, encoded-words as they are; what is not UTF-8 becomes U+FFFD."""
        text = self.raw.partition(b":")[2].decode("utf-8", "replace")
        text = text.strip(" \t\r\n")
        return _FOLD.sub("", text) if "\r" in text else text

    @property
    def fits(self) -> bool:
        """Whether it is ASCII and no line is too long."""
        return self.raw.isascii() and self.fits_utf8

    @property
    def fits_utf8(self) -> bool:
        """Whether no line is too long for a header that may be UTF-8; the limit counts octets (RFC 6532 §3.4)."""
        return len(self.raw) <= LINE_LIMIT or all(len(line) <= LINE_LIMIT for line in self.raw.split(b"\r\n"))


@dataclass(frozen=True, slots=True)
class Meant:
    """One header as it is meant.

    :param says: whether an unfolded value means the same.
    :param write: makes the whole header, CRLF included.
    :param neat: whether a value that means the same is also written as it should be.
    :param utf8: whether it is written as UTF-8 (RFC 6532); otherwise it is ASCII.
    """

    name: str
    says: Callable[[str], bool]
    write: Callable[[], bytes]
    neat: Callable[[str], bool] = lambda _value: True
    utf8: bool = False

    @property
    def lower(self) -> str:
        """The name as it is compared."""
        return self.name.lower()


def split_head(raw: bytes) -> tuple[list[Field], bytes]:
    """Take the header block off; return its fields and the body. Line ends must be CRLF.

    :raises MessageRefused: a line of the block is no header.
    """
    head, blank, body = raw.partition(b"\r\n\r\n")
    fields: list[Field] = []
    position, head = 0, head + b"\r\n"
    while position < len(head):
        found = _FIELD.match(head, position)
        if not found:
            raise MessageRefused(_("The message's header holds a line that is no header."))
        fields.append(Field(found.group(1).decode("ascii"), found.group()))
        position = found.end()
    return fields, body if blank else b""


def mend(fields: Sequence[Field], meant: Sequence[Meant]) -> list[Field]:
    """Return the fields with every one that says something else than was meant written anew, and missing ones added.

    A field that is meant once but stands there twice stays twice: the gate refuses it. An empty To is dropped.
    """
    rest = list(meant)
    mended: list[Field] = []
    for field in fields:
        match = next((item for item in rest if item.lower == field.lower), None)
        if match is None:
            if field.lower == "to" and not field.value:
                continue
            mended.append(field)
            continue
        rest.remove(match)
        fine = match.says(field.value) and match.neat(field.value) and field.fits
        mended.append(field if fine else Field(match.name, match.write()))
    at = next((index for index, field in enumerate(mended) if field.lower == "mime-version"), len(mended))
    return [*mended[:at], *(Field(item.name, item.write()) for item in rest), *mended[at:]]


def mailboxes(name: str, people: Sequence[Mailbox], *, utf8: bool = False) -> Meant:
    """Mean a header with one or more mailboxes; their order does not matter.

    :param utf8: whether addresses that are not ASCII may stand there as they are. Otherwise a group without members
        stands for each, its name being the address (RFC 6857 §3.1.6): nobody can write to it, but everybody can read
        it. No encoded-word ever stands inside an address, where it would be another address (RFC 2047 §5).
    """
    if not all(item.is_ascii for item in people):
        return _with_wide_addresses(name, people) if utf8 else _with_groups(name, people)
    encoded = any(_needs_encoding(item.name) for item in people)
    # Flask-Mail encodes every name, also those that need it not, which spam filters hold against a message.
    return Meant(
        name,
        _says_mailboxes(people),
        lambda: _write_mailboxes(name, people).encode("ascii"),
        neat=lambda value: encoded or "=?" not in value,
    )


def _says_mailboxes(people: Sequence[Mailbox]) -> Callable[[str], bool]:
    written = [f"{item.name} <{item.address}>" if item.name else item.address for item in people]
    plain = ", ".join(written) if all(map(_PLAIN.fullmatch, written)) else None

    def says(value: str) -> bool:
        if value == plain:
            return True
        found = sorted((decoded(name), address) for name, address in getaddresses([value]))
        return found == sorted((item.name, item.address) for item in people)

    return says


def _with_wide_addresses(name: str, people: Sequence[Mailbox]) -> Meant:
    return Meant(name, _says_mailboxes(people), lambda: _write_mailboxes(name, people).encode(), utf8=True)


def _with_groups(name: str, people: Sequence[Mailbox]) -> Meant:
    def write() -> bytes:
        return _write_mailboxes(name, people, groups=True).encode("ascii")

    # Readers differ about groups, so nothing but our own writing of them will do.
    return Meant(name, lambda value: value == Field(name, write()).value, write)


def text(name: str, value: str) -> Meant:
    """Mean a header of free text: ASCII is written as it is, the rest as encoded-words (RFC 2047)."""
    encoded = not value.isascii() or (name.lower() == "subject" and _has_giant_word(name, value))

    def says(found: str) -> bool:
        return (found == value and not encoded) or collapse(decoded(found) if encoded else found) == collapse(value)

    return Meant(name, says, lambda: _write_text(name, value, encoded))


def exactly(name: str, value: str) -> Meant:
    """Mean a header whose value is written exactly so: a Message-ID, ``undisclosed-recipients:;``."""
    return Meant(name, lambda found: found == value, lambda: f"{name}: {value}\r\n".encode("ascii"))


def as_ascii(value: str) -> str:
    """Return the value of a free text as ASCII; encoded-words where need be."""
    return value if value.isascii() else " ".join(_encoded_words(value))


def _write_mailboxes(name: str, people: Sequence[Mailbox], *, groups: bool = False) -> str:
    lines = [f"{name}:"]
    for number, item in enumerate(people):
        last = number == len(people) - 1
        pieces = _group(item) if groups and not item.is_ascii else _pieces(item)
        for piece in [*pieces[:-1], pieces[-1] + ("" if last else ",")]:
            if len(lines[-1]) + len(piece) + 1 > LINE_GOAL and lines[-1] != f"{name}:":
                lines.append("")
            lines[-1] += f" {piece}"
    return "\r\n".join([*lines, ""])


def _pieces(item: Mailbox) -> list[str]:
    """Return the pieces of a mailbox between which a line may break."""
    if not item.name:
        return [item.address]
    return [*_phrase(item.name), f"<{item.address}>"]


def _group(item: Mailbox) -> list[str]:
    """Return a group that has the name and the address of a mailbox as its name, and no members."""
    return [*_encoded_words(f"{item.name} {item.address}".strip(" ")), ":;"]


def _phrase(name: str) -> list[str]:
    """Return a display name as it is, in quotation marks, or - if it is long or not ASCII - as encoded-words."""
    if _needs_encoding(name):
        return _encoded_words(name)
    if _ATOMS.fullmatch(name):
        return [name]
    return ['"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"']


def _needs_encoding(name: str) -> bool:
    return not name.isascii() or len(name) > LINE_GOAL // 2 or "=?" in name


def _encoded_words(value: str) -> list[str]:
    return Header(value, charset="utf-8", maxlinelen=LINE_GOAL - 3).encode(linesep="\n").split()


def _write_text(name: str, value: str, encoded: bool) -> bytes:
    if encoded:
        return _fold(name, [f" {word}" for word in _encoded_words(value)])
    if _has_giant_word(name, value):
        raise MessageRefused(_("The header %(name)s has a word that is too long for a line.", name=name))
    if len(name) + len(value) < LINE_GOAL - 1:
        return f"{name}: {value.strip(' ')}".rstrip(" \t").encode("ascii") + b"\r\n"
    return _fold(name, re.findall(r"[ \t]*[^ \t]+", f" {value.strip(' ')}"))


def _has_giant_word(name: str, value: str) -> bool:
    """Whether the text cannot be folded into lines: a word, its leading blanks included, is too long for one."""
    if len(value) <= LINE_LIMIT - len(name) - 2:
        return False
    return any(len(word) > LINE_LIMIT - len(name) - 2 for word in re.findall(r"[ \t]*[^ \t]+", value))


def _fold(name: str, pieces: Sequence[str]) -> bytes:
    lines = [f"{name}:"]
    for piece in pieces:
        if len(lines[-1]) + len(piece) > LINE_GOAL and lines[-1] != f"{name}:":
            lines.append("")
        lines[-1] += piece
    return "\r\n".join([*lines, ""]).encode("ascii")
