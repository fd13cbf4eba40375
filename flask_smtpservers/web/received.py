"""Reading the headers of a message that arrived: its way, and what the receiving server found out about its sender."""

from __future__ import annotations

from dataclasses import dataclass

from flask import request
from flask.typing import ResponseReturnValue

from ..diagnosis.received import TEXT_LIMIT, Hop, Journey, read_headers
from ..i18n import gettext as _
from ..permissions import Action
from . import dates
from .access import protected
from .rendering import page


@dataclass(frozen=True, slots=True)
class Line:
    """One server on the way, in words."""

    sender: str
    receiver: str
    how: str
    encrypted: bool
    at: str
    took: str


@protected(Action.TEST_SERVERS)
def read_pasted() -> ResponseReturnValue:
    """Take pasted headers and say what they mean. Nothing of them is kept."""
    text = request.form.get("headers", "") if request.method == "POST" else ""
    journey = read_headers(text) if text.strip() else None
    error = ""
    if request.method == "POST" and (journey is None or journey.empty):
        error = _("There are no headers of a message that arrived in this text.")
    return page(
        "headers.html",
        422 if error else 200,
        heading=_("How a message arrived"),
        text=text[:TEXT_LIMIT],
        error=error,
        journey=journey if not error else None,
        lines=[_line(hop) for hop in journey.hops] if journey is not None else [],
        whole=_whole(journey),
    )


def _line(hop: Hop) -> Line:
    return Line(
        sender=hop.sender or "–",
        receiver=hop.receiver or "–",
        how=hop.protocol,
        encrypted=hop.encrypted,
        at=hop.at.strftime("%Y-%m-%d %H:%M:%S UTC") if hop.at is not None else _("not stated"),
        took=_took(hop.delay),
    )


def _took(delay: float | None) -> str:
    if delay is None:
        return ""
    return dates.duration(delay) if delay >= 0 else _("clocks differ")


def _whole(journey: Journey | None) -> str:
    if journey is None or journey.seconds is None:
        return ""
    return _("From the first server to the last it took %(time)s.", time=dates.duration(journey.seconds))
