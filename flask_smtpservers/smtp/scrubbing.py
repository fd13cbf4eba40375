"""Secrets out of what a server says: it may quote them back, in clear or encoded, whole or cut off."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

from .reply import printable
from .transcript import MASK

#: The shortest part of an encoded secret that is masked where its end was cut off.
_SHORTEST_PART = 8
#: The shortest that is looked for inside other encoded text; anything less would be found by chance.
_SHORTEST_INNER = 4
_ESCAPE = re.compile(r"%[0-9A-F]{2}")
#: A run of characters of base64, of its URL form, or of hex.
_ENCODED = re.compile(r"[A-Za-z0-9+/=_-]{4,}")


class Scrubber:
    """Masks some secrets in every text that it is called with.

    :param secrets: passwords, tokens, and what was derived from them, in clear.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        plain: set[str] = set()
        self._parts: set[str] = set()
        for secret in filter(None, secrets):
            plain |= _spellings(secret)
            self._parts |= _encoded_parts(secret.encode())
        self._plain = sorted(plain, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return the text, masked."""
        for form in self._plain:
            text = text.replace(form, MASK)
        return _ENCODED.sub(self._masked, text)

    def _masked(self, run: re.Match[str]) -> str:
        """Mask the whole of an encoded run that a secret is in: its neighbours share bits with it."""
        return MASK if any(part in run[0] for part in self._parts) else run[0]


def _spellings(secret: str) -> set[str]:
    percent = {quote(secret), quote(secret, safe=""), quote_plus(secret)}
    data = secret.encode()
    lower = {_ESCAPE.sub(lambda escape: escape[0].lower(), form) for form in percent}
    return {secret, printable(data), data.hex(), data.hex().upper(), *percent, *lower}


def _encoded_parts(data: bytes) -> set[str]:
    """Return what stands in base64 and in hex wherever ``data`` begins in what was encoded, or a beginning of it.

    Base64 takes three bytes at a time, so there are three ways; the characters at both ends depend on the neighbours.
    """
    parts = {data.hex()[: 2 * _SHORTEST_PART], data.hex()[: 2 * _SHORTEST_PART].upper()}
    for before in range(3):
        encoded = b64encode(bytes(before) + data).decode("ascii")
        inner = encoded[(0, 2, 3)[before] : (len(data) + before) * 8 // 6][:_SHORTEST_PART]
        parts |= {inner, inner.replace("+", "-").replace("/", "_")}
    return {part for part in parts if len(part) >= _SHORTEST_INNER}
