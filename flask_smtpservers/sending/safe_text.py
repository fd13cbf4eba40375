"""Characters that have no business in a header, an address or an SMTP command."""

from __future__ import annotations

import re

#: C0 and C1 controls, the two Unicode line separators, and halves of surrogate pairs, which no charset can encode.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
#: The same with the tab allowed: it is a blank in header values (RFC 5322 §2.2.2).
_UNSAFE_BUT_TAB = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
#: Embeddings, overrides and isolates: they can show a name backwards. The plain direction marks (U+200E, U+200F,
#: U+061C) stay allowed: Hebrew and Arabic names contain them.
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")


def unsafe_character(text: str, *, tab: bool = False, bidi: bool = True) -> str | None:
    """Return the name, such as ``U+000A``, of the first character that must not be there; None if all are fine.

    :param tab: whether tabs are fine.
    :param bidi: whether characters that turn the direction of writing are fine.
    """
    found = (_UNSAFE_BUT_TAB if tab else _UNSAFE).search(text) or (None if bidi else _BIDI.search(text))
    return f"U+{ord(found.group()):04X}" if found else None


def without_unsafe(text: str) -> str:
    """Return ``text`` fit for a display name: unsafe characters dropped, runs of blanks made one."""
    return collapse(_BIDI.sub("", _UNSAFE.sub(" ", text)))


def collapse(text: str) -> str:
    """Strip ASCII blanks at both ends and make each run of them one blank; U+3000 and the like are left alone."""
    return re.sub("[ \t\r\n]+", " ", text).strip(" ")
