"""What arrived at a server, in one form for all of them."""

from __future__ import annotations

import email
import email.policy
from dataclasses import dataclass
from email.message import EmailMessage

#: What servers write in front of a message when they deliver it.
TRACE = ("return-path", "x-original-to", "envelope-to", "delivered-to", "delivery-date", "received")


@dataclass(frozen=True)
class Arrival:
    """One message as it came to one recipient: the envelope, and the content as it was sent (CRLF)."""

    sender: str
    recipient: str
    content: bytes

    @property
    def message(self) -> EmailMessage:
        return email.message_from_bytes(self.content, policy=email.policy.default)


def from_maildir(raw: bytes) -> Arrival:
    """Read a file of a Maildir: the envelope is in the header fields that the server put in front."""
    fields: dict[str, str] = {}
    rest = raw.replace(b"\r\n", b"\n")
    while rest.partition(b":")[0].decode("latin-1").lower() in TRACE:
        end = rest.index(b"\n") + 1
        while rest[end : end + 1] in (b" ", b"\t"):
            end = rest.index(b"\n", end) + 1
        name, _, value = rest[:end].decode().partition(":")
        fields.setdefault(name.lower(), " ".join(value.split()))
        rest = rest[end:]
    recipient = next(fields[name] for name in ("x-original-to", "envelope-to", "delivered-to") if name in fields)
    return Arrival(fields["return-path"].strip("<>"), recipient, rest.replace(b"\n", b"\r\n"))
