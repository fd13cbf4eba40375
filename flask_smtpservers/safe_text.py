"""What texts from outside may hold: blanks that get in by pasting, and signs that must not get in at all.

Control characters have no business in a header, an address, an SMTP command or a field of a form.
"""

from __future__ import annotations

import re

#: C0 and C1 controls, the two Unicode line separators, and halves of surrogate pairs, which no charset can encode.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
#: The same with the tab allowed: it is a blank in header values (RFC 5322 §2.2.2).
_UNSAFE_BUT_TAB = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
#: Embeddings, overrides and isolates: they can show a name backwards. The plain direction marks (U+200E, U+200F,
#: U+061C) stay allowed: Hebrew and Arabic names contain them.
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")

#: Signs that reorder the text around them (Unicode TR 9) and so can make a name look like another; with the plain
#: direction marks, which the names that an admin gives to servers do not need.
BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

#: Blanks at the ends of pasted text: white space of every kind, and signs without width that nobody sees.
BLANKS = "".join(
    [
        *(chr(code) for code in range(0x3001) if chr(code).isspace()),
        *"\u00ad\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff",
    ]
)


def has_controls(text: str) -> bool:
    """Say whether ``text`` holds control characters, line breaks of any kind, or half a character (lone surrogate)."""
    return _UNSAFE.search(text) is not None


def has_bidi_controls(text: str) -> bool:
    """Say whether ``text`` holds signs that change the direction of writing."""
    return not BIDI_CONTROLS.isdisjoint(text)


def printable(text: str, limit: int) -> str:
    """Make one short line of a text that comes from elsewhere: controls become ``?``, the rest is cut off."""
    return _UNSAFE.sub("?", text[:limit])


def unsafe_character(text: str, *, tab: bool = False, bidi: bool = True) -> str | None:
    """Return the name, such as ``U+000A``, of the first character that must not be there; None if all are fine.

    :param tab: whether tabs are fine.
    :param bidi: whether characters that turn the direction of writing are fine.
    """
    if text.isascii() and text.isprintable():
        return None
    found = (_UNSAFE_BUT_TAB if tab else _UNSAFE).search(text) or (None if bidi else _BIDI.search(text))
    return f"U+{ord(found.group()):04X}" if found else None


def without_unsafe(text: str) -> str:
    """Return ``text`` fit for a display name: unsafe characters dropped, runs of blanks made one."""
    return collapse(_BIDI.sub("", _UNSAFE.sub(" ", text)))


def collapse(text: str) -> str:
    """Strip ASCII blanks at both ends and make each run of them one blank; U+3000 and the like are left alone."""
    return re.sub("[ \t\r\n]+", " ", text).strip(" ")
