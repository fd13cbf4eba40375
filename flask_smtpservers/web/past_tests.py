"""The tests of a server that were run before, as its page lists them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from ..errors import StoreUnavailable
from ..i18n import gettext as _
from ..servers.profile import ServerProfile
from ..servers.trials import Trial
from ..state import state_of
from . import dates
from .access import actor
from .presenting import may_know_why

#: How many are listed.
LISTED = 10


@dataclass(frozen=True, slots=True)
class PastTest:
    """One test, in words.

    :param kind: ``ok``, ``failed`` or ``idle``.
    """

    when: str
    who: str
    kind: str
    result: str
    message: str


def past_tests(profile: ServerProfile) -> list[PastTest]:
    """Return the latest tests of a server, the newest first."""
    try:
        found = state_of().trials.recent(profile.public_id, LISTED, scope=profile.scope)
    except StoreUnavailable:
        return []  # the test of the server itself does not need them
    now = datetime.now(UTC)
    known = may_know_why(profile)
    return [_line(trial, now, known or trial.actor == actor()) for trial in found]


def _line(trial: Trial, now: datetime, with_title: bool) -> PastTest:
    if trial.passed is None:
        kind, result = "idle", _("Not finished")
    elif trial.passed:
        kind, result = "ok", _("It works")
    else:
        kind, result = "failed", (trial.title if with_title else "") or _("Failed")
    return PastTest(dates.ago(trial.started_at, now=now), trial.actor or "–", kind, result, _message(trial))


def _message(trial: Trial) -> str:
    if trial.sent_at is None:
        return "–"
    if trial.seconds is None:
        return _("sent to %(address)s", address=trial.recipient)
    took = dates.duration(trial.seconds)
    return _("sent to %(address)s, arrived after %(time)s", address=trial.recipient, time=took)
