"""For whom a server may send besides its own address: a list of addresses and domains, as people type it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..i18n import gettext as _
from ..safe_text import BLANKS, has_controls
from .cleaning import Cleaning
from .mailboxes import address_key, check_address, split_mailbox
from .profile import ForeignSender

MOST_SENDERS = 200


def clean_senders(work: Cleaning) -> None:
    """Check the allowed senders, and what happens to all others."""
    work.values["foreign_sender"] = work.choice(
        "foreign_sender", ForeignSender, work.kept("foreign_sender", ForeignSender.KEEP)
    )
    if "allowed_senders" not in work.fields:
        work.values["allowed_senders"] = work.kept("allowed_senders", ())
        return
    given = work.fields["allowed_senders"] or ()
    if isinstance(given, str):
        given = [item for item in re.split(r"[,;\r\n]", given) if item.strip(BLANKS)]
    given = list(given) if isinstance(given, Iterable) else [given]
    if not all(isinstance(item, str) for item in given):
        work.error("allowed_senders", _("This must be a list of addresses and domains."))
        return
    if len(given) > MOST_SENDERS:
        work.error("allowed_senders", _("At most %(most)s addresses and domains are allowed.", most=MOST_SENDERS))
        return
    found: dict[str, None] = {}
    for item in given:
        try:
            found[sender_key(item)] = None
        except ValueError as error:
            work.error("allowed_senders", _("“%(item)s”: %(reason)s", item=_shown(item), reason=str(error)))
    work.values["allowed_senders"] = tuple(found)


def sender_key(text: str) -> str:
    """Give the form in which an address or a domain is kept and looked up.

    :raises ValueError: it is neither; the text is a sentence.
    """
    text = text.strip(BLANKS)
    if "@" in text.lstrip("@"):
        return address_key(check_address(split_mailbox(text)[1]))[0]
    return address_key(check_address(f"anybody@{text.lstrip('@')}"))[1]


def _shown(text: str) -> str:
    return "…" if has_controls(text) else text.strip(BLANKS)[:100]
