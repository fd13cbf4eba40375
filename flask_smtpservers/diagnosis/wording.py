"""The words of a reply or of a system error, made comparable: unwrapped, decoded, in lower case."""

from __future__ import annotations

import re

_ESCAPED = re.compile(r"(?:\\x[0-9a-fA-F]{2})+")
#: The code that begins each line of a reply: ``534-5.7.9``, ``550 5.7.1``, alone or repeated inside the text.
_LINE_CODE = re.compile(r"(?:^|(?<=\s))[245]\d\d(?:[ -](?=\d\.\d{1,3}\.\d{1,3}\b)|-(?=\S))")
_CODE = re.compile(r"(?<![\w.:/])(?<!port )(?<!line )(2[0-5]\d|4[2357]\d|5[0-7]\d)(?=[ -]|: |\)|\Z|\n|, ?b?['\"])")
_ENHANCED = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")

_REFUSALS = 400

_LINK = re.compile(r"(?:https?|ftp|ssl|tcp)://\S+|\bwww\.\S+")
_MAILBOX = re.compile(r"<?[^\s<>'\"(]+@[^\s<>'\",;:)]+>?")


def unwrapped(text: str) -> str:
    """Return one lower-case line: escapes decoded, codes between wrapped lines removed, underscores made blanks."""
    text = _ESCAPED.sub(_decoded, text).replace("\\r", " ").replace("\\n", " ").replace("\\'", "'")
    text = " ".join(text.replace("_", " ").split())
    first = _LINE_CODE.match(text)
    start = first.end() if first else 0
    body = _LINE_CODE.sub("", text[start:])
    # 5.7.14 repeated at the head of every line of a wrapped reply
    mark = _ENHANCED.search(body)
    if mark:
        head, repeated = body[: mark.end()], body[mark.end() :]
        body = head + repeated.replace(f" {mark[1]} ", " ")
    return (text[:start] + " ".join(body.split())).lower()


def without_links(text: str) -> str:
    """Take out web and mail addresses, whose words mean nothing: ``see https://…/BlockedMessage``, ``<spam@x.org>``."""
    return _MAILBOX.sub("<address>", _LINK.sub("", text))


def any_of(*patterns: str) -> re.Pattern[str]:
    """Join patterns into one that matches where any of them does."""
    return re.compile("|".join(patterns))


def code_in(text: str) -> int | None:
    """Find a reply code in free text: the first that refuses something, else the first."""
    found = [int(code) for code in _CODE.findall(text)]
    return next((code for code in found if code >= _REFUSALS), found[0] if found else None)


def enhanced_in(text: str) -> str:
    """Find an enhanced status code in free text; empty if there is none."""
    found = _ENHANCED.search(text)
    return found[1] if found else ""


def _decoded(match: re.Match[str]) -> str:
    r"""Decode the bytes behind ``\xd3\xc3``: UTF-8, else GBK, as Chinese providers send."""
    raw = bytes.fromhex(match[0].replace("\\x", ""))
    for encoding in ("utf-8", "gbk"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return "?"
