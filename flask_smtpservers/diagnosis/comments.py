"""Comments in headers."""

from __future__ import annotations


def without_comments(text: str) -> str:
    """Return a header's value without its comments (RFC 5322 §3.2.2), which may stand in each other."""
    kept: list[str] = []
    depth, quoted, escaped = 0, False, False
    for sign in text:
        if escaped:
            escaped = False
        elif sign == "\\":
            escaped = True
        elif sign == '"' and depth == 0:
            quoted = not quoted
        elif sign == "(" and not quoted:
            depth += 1
            kept.append(" ")
            continue
        elif sign == ")" and not quoted and depth:
            depth -= 1
            continue
        if depth == 0:
            kept.append(sign)
    return "".join(kept)
