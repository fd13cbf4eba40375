"""Reading the headers of a message that arrived: the way it took, and what the receiving server found out about it.

They are pasted by a person and written by strangers: everything is bounded, and nothing that is wrong raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parseaddr, parsedate_to_datetime

from ..safe_text import without_unsafe
from .comments import without_comments
from .verdicts import Verdict, instance, verdicts

#: Headers are a few KB; what is beyond these limits is left out.
TEXT_LIMIT, FIELD_LIMIT, HOP_LIMIT, RESULT_LIMIT = 256 * 1024, 16 * 1024, 50, 40

#: Headers that servers on the way add when they pass a message on.
_FORWARDED = frozenset({"list-id", "x-forwarded-for", "x-forwarded-to", "resent-from"})

_FIELD = re.compile(r"([!-9;-~]{1,76}):(?=[ \t]|$)(.*)")
_PLACE = re.compile(r"\b(from|by|with)\s+([^\s;()]{1,255})", re.IGNORECASE)
#: RFC 3848 and RFC 6531: an S says that TLS was used.
_SECURE = re.compile(r"(?:UTF8)?(?:E?SMTP|LMTP)S A?", re.IGNORECASE | re.VERBOSE)
_TLS = re.compile(r"\bTLS ?v?_?1|cipher|\(TLS\)|using TLS", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Hop:
    """One server on the way.

    :param sender: who handed the message over, as the server wrote it; may be empty.
    :param receiver: who took it; may be empty.
    :param protocol: e.g. ``ESMTPS``; may be empty.
    :param encrypted: whether TLS was used, as far as the server tells.
    :param at: when it took the message, UTC; None if it does not say so.
    :param delay: seconds since the hop before; None where a time is missing. Below zero where clocks differ.
    """

    sender: str
    receiver: str
    protocol: str
    encrypted: bool
    at: datetime | None
    delay: float | None = None


@dataclass(frozen=True, slots=True)
class Journey:
    """What the headers of one message tell.

    :param hops: the servers, in the order of the way.
    :param verdicts: SPF, DKIM and DMARC, in this order, and ARC if there is a result.
    :param sender_domain: the domain of From, or empty.
    :param seconds: from the first time on the way to the last; None if there are not two.
    :param forwarded: whether a mailing list or a forwarding server passed it on.
    :param cut: whether the text was longer than what is read.
    """

    hops: tuple[Hop, ...]
    verdicts: tuple[Verdict, ...]
    sender_domain: str
    seconds: float | None
    forwarded: bool
    cut: bool

    @property
    def empty(self) -> bool:
        """Whether the text holds no headers of a message that arrived."""
        return not self.hops and all(verdict.result == "" for verdict in self.verdicts)


def read_headers(text: str) -> Journey:
    """Read pasted headers; a whole message does as well, for reading ends where its text begins."""
    found = list(_fields(text[:TEXT_LIMIT]))

    def named(name: str, limit: int) -> list[str]:
        return [value for field, value in found if field == name][:limit]

    hops = _timed([_hop(value) for value in reversed(named("received", HOP_LIMIT))])
    times = [hop.at for hop in hops if hop.at is not None]
    domain = _domain((named("from", 1) or [""])[0])
    arc = named("arc-authentication-results", RESULT_LIMIT)
    # The last server often adds a seal of its own, so one says nothing.
    forwarded = any(name in _FORWARDED for name, _value in found) or any(instance(value) > 1 for value in arc)
    return Journey(
        hops=tuple(hops),
        verdicts=verdicts(
            named("authentication-results", RESULT_LIMIT),
            received_spf=named("received-spf", RESULT_LIMIT),
            arc=arc,
            sender_domain=domain,
            forwarded=forwarded,
        ),
        sender_domain=domain,
        seconds=(max(times) - min(times)).total_seconds() if len(times) > 1 else None,
        forwarded=forwarded,
        cut=len(text) > TEXT_LIMIT,
    )


def _fields(text: str) -> Iterator[tuple[str, str]]:
    """Yield (name in lower case, unfolded value), up to the empty line that ends the headers."""
    name, parts = "", list[str]()
    for line in _lines(text):
        if not line.strip():
            if name:
                break
            continue
        began = None if line[0] in " \t" else _FIELD.match(line)
        if began is None:  # folded; mail programs that show headers sometimes lose the blank in front
            parts.append(line)
            continue
        if name:
            yield name, _joined(parts)
        name, parts = began[1].lower(), [began[2]]
    if name:
        yield name, _joined(parts)


def _lines(text: str) -> Sequence[str]:
    """Split into lines; where copying put an empty line after each one, drop those."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").strip("\n").split("\n")
    between = lines[1:16:2]
    doubled = len(between) > 2 and not any(line.strip() for line in between)
    return lines[::2] if doubled else lines


def _joined(parts: list[str]) -> str:
    return without_unsafe(" ".join(parts)[:FIELD_LIMIT])


def _hop(value: str) -> Hop:
    plain, _semicolon, date = value.rpartition(";")
    words: dict[str, str] = {}
    for found in _PLACE.finditer(without_comments(plain or value)):
        words.setdefault(found[1].lower(), found[2])
    protocol = words.get("with", "")
    protocol = protocol.upper() if protocol.isascii() else ""
    encrypted = _SECURE.fullmatch(protocol) is not None or _TLS.search(plain) is not None
    return Hop(words.get("from", ""), words.get("by", ""), protocol, encrypted, _time(date))


def _time(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(without_comments(text).strip()[:64])
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _timed(hops: list[Hop]) -> list[Hop]:
    timed: list[Hop] = []
    before: datetime | None = None
    for hop in hops:
        delay = (hop.at - before).total_seconds() if hop.at is not None and before is not None else None
        timed.append(Hop(hop.sender, hop.receiver, hop.protocol, hop.encrypted, hop.at, delay))
        before = hop.at or before
    return timed


def _domain(value: str) -> str:
    try:
        address = parseaddr(without_comments(value[:1000]))[1]  # it calls itself for each comment in a comment
    except (ValueError, IndexError, RecursionError):  # the parser of older Pythons trips over some input
        return ""
    return address.rpartition("@")[2].lower()[:255] if "@" in address else ""
