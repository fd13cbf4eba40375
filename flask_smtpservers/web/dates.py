"""Times as people say them."""

from __future__ import annotations

from datetime import UTC, date, datetime

from ..i18n import N_, ngettext
from ..i18n import gettext as _

_MONTHS = (
    N_("%(day)s January"),
    N_("%(day)s February"),
    N_("%(day)s March"),
    N_("%(day)s April"),
    N_("%(day)s May"),
    N_("%(day)s June"),
    N_("%(day)s July"),
    N_("%(day)s August"),
    N_("%(day)s September"),
    N_("%(day)s October"),
    N_("%(day)s November"),
    N_("%(day)s December"),
)


def aware(moment: datetime) -> datetime:
    """Return ``moment`` in UTC; databases without zones give it back naive."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def day(moment: datetime, *, now: datetime | None = None) -> str:
    """Say the day: ``3 May``, with the year if it is not this one."""
    moment = aware(moment)
    text = _(_MONTHS[moment.month - 1], day=moment.day)
    this_year = (now or datetime.now(UTC)).year
    return text if moment.year == this_year else _("%(day_and_month)s %(year)s", day_and_month=text, year=moment.year)


def full_day(one: date) -> str:
    """Say a day with its year: ``3 May 2026``."""
    return _("%(day_and_month)s %(year)s", day_and_month=_(_MONTHS[one.month - 1], day=one.day), year=one.year)


def duration(seconds: float) -> str:
    """Say how long something took: ``6 s``, ``2 min``, ``3 h``, ``4 days``."""
    if seconds < 1:
        return _("less than a second")
    if seconds < 120:
        return _("%(number)s s", number=round(seconds))
    if seconds < 7200:
        return _("%(number)s min", number=round(seconds / 60))
    if seconds < 2 * 86_400:
        return _("%(number)s h", number=round(seconds / 3600))
    return ngettext("%(number)s day", "%(number)s days", round(seconds / 86_400))


def ago(moment: datetime, *, now: datetime | None = None) -> str:
    """Say how long ago it was: ``just now``, ``3 min ago``, ``2 h ago``, ``yesterday``, then the day."""
    now = now or datetime.now(UTC)
    seconds = (now - aware(moment)).total_seconds()
    if seconds < 60:
        return _("just now")
    if seconds < 3600:
        return ngettext("%(number)s min ago", "%(number)s min ago", int(seconds // 60))
    if seconds < 86_400:
        return ngettext("%(number)s h ago", "%(number)s h ago", int(seconds // 3600))
    if seconds < 2 * 86_400:
        return _("yesterday")
    return _("on %(day)s", day=day(moment, now=now))
