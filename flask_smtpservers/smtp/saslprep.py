"""SASLprep (RFC 4013): the one form of a user name or a password, however it was typed."""

from __future__ import annotations

import stringprep
import unicodedata

_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def saslprep(text: str) -> str:
    """Return ``text`` as it goes into a digest. Characters newer than Unicode 3.2 stay as they are (a "query").

    :raises ValueError: a character is prohibited, the directions of writing are mixed, or nothing is left. The error
        does not quote the text.
    """
    mapped = "".join(
        " " if stringprep.in_table_c12(character) else character
        for character in text
        if not stringprep.in_table_b1(character)
    )
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if any(prohibited(character) for character in prepared for prohibited in _PROHIBITED):
        raise ValueError("a character is prohibited")
    if not _is_of_one_direction(prepared):
        raise ValueError("mixed directions of writing")
    if not prepared:
        raise ValueError("nothing is left")
    return prepared


def _is_of_one_direction(text: str) -> bool:
    """Check RFC 3454 §6: text from right to left has nothing of the other kind, and begins and ends so."""
    if not any(map(stringprep.in_table_d1, text)):
        return True
    ends = stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])
    return ends and not any(map(stringprep.in_table_d2, text))
