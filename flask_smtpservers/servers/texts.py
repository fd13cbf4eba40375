"""What texts from outside may hold: blanks that get in by pasting, and signs that must not get in at all."""

from __future__ import annotations

import unicodedata

#: Blanks at the ends of pasted text: white space of every kind, and signs without width that nobody sees.
BLANKS = "".join(
    [
        *(chr(code) for code in range(0x3001) if chr(code).isspace()),
        *"\u00ad\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff",
    ]
)

#: Signs that reorder the text around them (Unicode TR 9) and so can make a name look like another.
BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def has_controls(text: str) -> bool:
    """Say whether ``text`` holds control characters, line breaks of any kind, or half a character (lone surrogate)."""
    return any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in text)


def has_bidi_controls(text: str) -> bool:
    """Say whether ``text`` holds signs that change the direction of writing."""
    return not BIDI_CONTROLS.isdisjoint(text)


def printable(text: str, limit: int) -> str:
    """Make one short line of a text that comes from elsewhere: controls become ``?``, the rest is cut off."""
    return "".join("?" if has_controls(sign) else sign for sign in text[:limit])
