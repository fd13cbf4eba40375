"""The body of a serialised message made fit for the wire: no NUL, no line over 998 octets, 7 bits where a server asks.

Only bodies that need it are touched; then their text parts are written as quoted-printable and other leaves as base64.
"""

from __future__ import annotations

import re
from base64 import encodebytes
from binascii import b2a_qp
from collections.abc import Sequence
from email import message_from_bytes, policy
from email.message import Message as Part

from .headers import LINE_LIMIT, Field

# Header lines of parts stay as they are: refolding is where the email package has had its defects.
_AS_IT_IS = policy.SMTP.clone(refold_source="none")
_BARE = re.compile(rb"\r\n|\r|\n")


def canonical(raw: bytes) -> bytes:
    """Return ``raw`` with every line end as CRLF; a bare CR or LF could end the message early (SMTP smuggling)."""
    pairs = raw.count(b"\r\n")
    if raw.count(b"\n") == pairs and raw.count(b"\r") == pairs:
        return raw
    return _BARE.sub(b"\r\n", raw)


def is_fit(body: bytes, *, seven_bit: bool = False) -> bool:
    """Whether a body (with CRLF line ends) can go out as it is."""
    if b"\0" in body or (seven_bit and not body.isascii()):
        return False
    return not has_long_line(body)


def has_long_line(data: bytes) -> bool:
    """Whether a line is longer than may be; line ends must be CRLF."""
    start, end = 0, len(data)
    while end - start > LINE_LIMIT:  # leap from one line's end to the last one within reach
        start = data.rfind(b"\n", start, start + LINE_LIMIT + 2) + 1
        if not start:
            return True
    return False


def quoted_printable(text: bytes) -> bytes:
    """Encode a text with CRLF line ends (RFC 2045 §6.7)."""
    return canonical(b2a_qp(text))


def make_fit(fields: Sequence[Field], body: bytes, *, seven_bit: bool = False) -> tuple[list[Field], bytes]:
    """Encode what is not fit in ``body``.

    :returns: the header fields, with another Content-Transfer-Encoding if need be, and the body.
    """
    about = [field for field in fields if field.lower.startswith("content-")]
    others = [field for field in fields if not field.lower.startswith("content-")]
    whole = message_from_bytes(b"".join(field.raw for field in about) + b"\r\n" + body, policy=_AS_IT_IS)
    _encode_leaves(whole, seven_bit)
    head, _blank, encoded = canonical(whole.as_bytes(policy=_AS_IT_IS)).partition(b"\r\n\r\n")
    lines = re.findall(rb"(?:[^\r\n]|\r\n[ \t])+", head)
    mended = [Field(line.partition(b":")[0].decode("ascii", "replace"), line + b"\r\n") for line in lines]
    return [*others, *mended], encoded


def _encode_leaves(part: Part, seven_bit: bool) -> None:
    if part.get_content_type() == "multipart/signed":
        return  # re-encoding would break the signature (RFC 1847 §2.1)
    if part.is_multipart():
        for child in part.get_payload():
            if isinstance(child, Part):
                _encode_leaves(child, seven_bit)
        return
    data = part.get_payload(decode=True)
    source = part.as_bytes(policy=_AS_IT_IS).partition(b"\r\n\r\n")[2]
    if isinstance(data, bytes) and not is_fit(source, seven_bit=seven_bit):
        _encode(part, canonical(data) if part.get_content_maintype() == "text" else data)


def _encode(part: Part, data: bytes) -> None:
    if part.get_content_maintype() == "text":
        name, payload = "quoted-printable", quoted_printable(data).decode("ascii")
    else:
        name, payload = "base64", encodebytes(data).decode("ascii").replace("\n", "\r\n")
    del part["Content-Transfer-Encoding"]
    part["Content-Transfer-Encoding"] = name
    part.set_payload(payload)
