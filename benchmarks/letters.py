"""The messages that every peer sends, in three sizes, and whether what arrived is the same."""

from __future__ import annotations

import email
import email.policy
import email.utils
import hashlib
import random
from collections.abc import Iterable
from dataclasses import dataclass
from email.message import EmailMessage, MIMEPart
from functools import cache

SENDER = "shop@example.test"
SENTENCE = "Your order left our shop this morning and will be with you in two or three days. "


@dataclass(frozen=True)
class Letter:
    """What the application has in hand before it makes a message of it."""

    subject: str
    text: str
    html: str | None = None
    attachment: bytes | None = None


@cache
def letter(size: str) -> Letter:
    """Return the letter of this size: ``1 KB`` (text), ``50 KB`` (and HTML) or ``5 MB`` (and an attachment)."""
    text = "".join(f"{SENTENCE[:72]}\n" for _ in range(14))
    match size:
        case "1 KB":
            return Letter("Your order is on its way", text)
        case "50 KB":
            rows = "".join(f"<tr><td>{number}</td><td>{SENTENCE}</td></tr>\n" for number in range(470))
            return Letter(
                "Your invoice", text, html=f"<!doctype html>\n<title>Invoice</title>\n<table>\n{rows}</table>\n"
            )
        case "5 MB":
            return Letter("Your photo book", text, attachment=random.Random(5).randbytes(5_000_000))
    raise ValueError(f"there is no letter of {size}")


def recipients(count: int) -> list[str]:
    """Return ``count`` addresses."""
    return [f"reader{number}@example.test" for number in range(count)]


def email_message(size: str, count: int) -> EmailMessage:
    """Return the letter as the standard library's message, for the peers that take one."""
    content = letter(size)
    message = EmailMessage(policy=email.policy.SMTP)
    message["Subject"] = content.subject
    message["From"] = SENDER
    message["To"] = ", ".join(recipients(count))
    message["Date"] = email.utils.localtime()
    message["Message-ID"] = email.utils.make_msgid(domain="example.test")
    message.set_content(content.text)
    if content.html is not None:
        message.add_alternative(content.html, subtype="html")
    if content.attachment is not None:
        message.add_attachment(content.attachment, maintype="application", subtype="octet-stream", filename="book.bin")
    return message


def faults(size: str, count: int, *, raw: bytes, sender: str, to: Iterable[str]) -> list[str]:
    """Return in what an arrived message differs from the letter; nothing if it is the same."""
    content = letter(size)
    message = email.message_from_bytes(raw, policy=email.policy.default)
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    files = [part.get_content() for part in message.iter_attachments()] if message.is_multipart() else []
    files = [data for data in files if isinstance(data, bytes)]
    found = {
        "envelope sender": (sender, SENDER),
        "envelope recipients": (sorted(to), sorted(recipients(count))),
        "Subject": (str(message["Subject"]), content.subject),
        "From": ([address.addr_spec for address in message["From"].addresses], [SENDER]),
        "To": (sorted(address.addr_spec for address in message["To"].addresses), sorted(recipients(count))),
        "Message-ID": (bool(message["Message-ID"]), True),
        "Date": (bool(message["Date"]), True),
        "text": (_words(plain), content.text.split()),
        "HTML": (_words(html), (content.html or "").split()),
        "attachment": ([_digest(data) for data in files], [_digest(data) for data in [content.attachment] if data]),
    }
    return [name for name, (arrived, meant) in found.items() if arrived != meant]


def _words(part: MIMEPart | None) -> list[str]:
    return part.get_content().split() if part is not None else []


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
