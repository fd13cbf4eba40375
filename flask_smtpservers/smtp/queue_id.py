"""The queue id in a server's final reply, by which its postmaster finds the message."""

from __future__ import annotations

import re

from .reply import Reply

#: Tried in this order; the first group of the first that matches is the id.
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\bqueued as <?([\w.@=+/-]+[\w=])>?",  # Postfix, SendGrid, Mailjet, Brevo
        r"\bid=<?([\w.@=+/-]+)>?",  # Exim
        r"\[InternalId=(\d+)",  # Exchange
        r"\bqueued with id <?([\w.@=+/-]*[\w=])>?",  # Stalwart
        r"\bqp (\d+)\b",  # qmail
        r"\bqueued \(([\w-]{8,}(?:\.\d+)?)\)",  # Haraka
        r"\s([\w.-]+) - (?:gsmtp|esmtp|smtp)\b",  # Google
        r"^(?:2\.\d\.\d )?([\w-]{8,}) message accepted for delivery",  # Sendmail, OpenSMTPD
        r"^ok:? ([0-9a-f]{8,}[\w-]*)\W*$",  # Amazon SES
        r"^ok\W+([0-9A-F]{8,}(?:\.[0-9A-F]+)+)",  # Courier
        r"^(?:2\.\d\.\d )?ok:? <?([\w.-]{6,}@[\w.-]+)>?\W*$",  # a Message-ID
    )
)


def queue_id_of(reply: Reply) -> str:
    """Return the id, or an empty text if the reply names none that we know."""
    return queue_id_in(reply.text)


def queue_id_in(text: str) -> str:
    """Do the same with the text of a reply."""
    for pattern in _PATTERNS:
        found = pattern.search(text)
        if found:
            return found[1][:200]
    return ""
