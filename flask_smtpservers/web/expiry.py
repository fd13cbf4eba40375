"""Certificates that end soon: a word a month before, a warning a week before, and again on the last day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..i18n import gettext as _
from ..i18n import ngettext
from ..servers.profile import ServerProfile
from ..smtp.certificates import load_bundle
from . import dates

#: How long before its end a certificate is spoken of, how long before that is a warning, and an urgent one.
SOON, WARN, URGENT = timedelta(days=30), timedelta(days=7), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Ending:
    """A certificate that ends soon, or has ended.

    :param kind: ``notice``, ``warning`` or ``urgent``.
    :param advice: what to do about it.
    """

    kind: str
    icon: str
    text: str
    advice: str


def endings(profile: ServerProfile, *, now: datetime) -> tuple[Ending, ...]:
    """Return what is to be said of the certificates of a server: its own, and the one that we show it."""
    return tuple(_endings(profile, now))


def valid_until(certificate: str) -> datetime | None:
    """Return when a stored client certificate ends, UTC; None if it cannot be read."""
    try:
        return load_bundle(certificate)[0].not_valid_after_utc
    except ValueError:
        return None


def _endings(profile: ServerProfile, now: datetime) -> Iterator[Ending]:
    end = profile.certificate_expires_at
    if end is not None and end - now <= SOON:
        if profile.certificate_fingerprint:
            advice = _("Then no mail goes through it any more: ask whoever runs it to renew it, and trust the new one.")
        else:
            advice = _("As the last test saw it. Test it again: most are renewed by themselves.")
        yield Ending(*_look(end - now), _server_words(end, now), advice)
    until = valid_until(profile.client_certificate) if profile.client_certificate else None
    if until is not None and until - now <= SOON:
        advice = _("Ask whoever runs the server for a new one, and enter it with its key.")
        yield Ending(*_look(until - now), _client_words(until, now), advice)


def _look(left: timedelta) -> tuple[str, str]:
    """Choose kind and icon."""
    if left <= URGENT:
        return "urgent", "failed"
    return ("warning", "warning") if left <= WARN else ("notice", "info")


def _server_words(end: datetime, now: datetime) -> str:
    left, day = end - now, dates.day(end, now=now)
    if left <= timedelta(0):
        return _("The server's certificate ended on %(day)s.", day=day)
    if left <= URGENT:
        return _("The server's certificate ends within a day, on %(day)s.", day=day)
    return ngettext(
        "The server's certificate ends in %(number)s day, on %(day)s.",
        "The server's certificate ends in %(number)s days, on %(day)s.",
        left.days,
        day=day,
    )


def _client_words(end: datetime, now: datetime) -> str:
    left, day = end - now, dates.day(end, now=now)
    if left <= timedelta(0):
        return _("The client certificate ended on %(day)s.", day=day)
    if left <= URGENT:
        return _("The client certificate ends within a day, on %(day)s.", day=day)
    return ngettext(
        "The client certificate ends in %(number)s day, on %(day)s.",
        "The client certificate ends in %(number)s days, on %(day)s.",
        left.days,
        day=day,
    )
