"""A test as it happens: each step as the page shows it, and at the end one headline, one cause, and what to do."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..diagnosis.stages import headline, label
from ..errors import SMTPServersError
from ..findings import Diagnosis, Mender, Stage, Step, StepState
from ..i18n import N_
from ..i18n import gettext as _
from .checklist import Point, checklist

if TYPE_CHECKING:
    from .arrival import Arrival

logger = logging.getLogger("flask_smtpservers")

_MENDERS = {
    Mender.YOU: N_("You can mend this: in the settings here, or in your mail account."),
    Mender.NOBODY: N_("Nobody has to mend anything: it passes by itself."),
    Mender.PROVIDER: N_(
        "Whoever runs the mail server or the account can mend this: the provider, or an administrator there."
    ),
    Mender.HOSTING: N_("Whoever runs this app's network or hosting can mend this."),
    Mender.OPERATOR: N_("The operator of this app can mend this."),
}

#: Causes at which the address from which this app connects often decides.
_BY_ADDRESS = frozenset(
    [
        "auth_required",
        "connection_refused",
        "ip_blocked",
        "ip_not_allowlisted",
        "port_blocked",
        "relay_denied",
        "signin_policy_blocked",
    ]
)


@dataclass(frozen=True, slots=True)
class Shown:
    """One step on the page. Its state stands in words and in a shape of its own."""

    label: str
    kind: str
    icon: str
    state: str
    took: str
    seen: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a test came to.

    :param statements: what was proved, as sentences.
    :param diagnosis: the cause, if it failed and the cause is known.
    :param who: who can mend it.
    :param outbound: from which addresses this app connects, where that matters.
    :param checklist: what a person should have checked before asking for help.
    """

    headline: str
    passed: bool = False
    statements: tuple[str, ...] = ()
    diagnosis: Diagnosis | None = None
    who: str = ""
    outbound: str = ""
    checklist: tuple[Point, ...] = ()


@dataclass(slots=True)
class Run:
    """Iterate over it once to carry the test out; then ask for :attr:`result`.

    :param steps: the test itself; leaving off in the middle ends it.
    :param host: for the sentence of success.
    :param outbound_ips: the addresses from which this app connects, as the operator stated them.
    :param arrival: what the page says of the arrival of the test message, if that can be confirmed.
    """

    steps: Iterator[Step]
    host: str
    username: str
    recipient: str
    outbound_ips: tuple[str, ...] = ()
    arrival: Arrival | None = None
    done: list[Step] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)
    broken: str = ""

    def __iter__(self) -> Iterator[Shown]:
        try:
            with closing(self.steps):  # type: ignore[type-var]
                for step in self.steps:
                    self.done.append(step)
                    self.shown.append(_shown(step))
                    yield self.shown[-1]
        except SMTPServersError as error:
            self.broken = str(error)
        except Exception:  # the page is half out already: say so on it instead of breaking off
            logger.exception("the test of %s broke off", self.host)
            self.broken = _("An error inside this app ended the test. The app's log says more.")

    @property
    def result(self) -> Result:
        """What the steps came to."""
        points = checklist(self.done, self.outbound_ips)
        failed = next((step for step in self.done if step.state is StepState.FAILED), None)
        if failed is not None:
            return replace(self._failure(failed.diagnosis), checklist=points)
        if self.broken:
            return Result(_("The test could not be finished."), statements=(self.broken,))
        found = Result(self._success_headline(), passed=True, statements=tuple(self._statements()))
        return replace(found, checklist=points)

    def _failure(self, diagnosis: Diagnosis | None) -> Result:
        if diagnosis is None:
            return Result(headline(self.done))
        who = _(_MENDERS[diagnosis.mender])
        return Result(headline(self.done), diagnosis=diagnosis, who=who, outbound=self._outbound(diagnosis))

    def _outbound(self, diagnosis: Diagnosis) -> str:
        addresses = ", ".join(self.outbound_ips)
        if not addresses or diagnosis.cause not in _BY_ADDRESS or any(addresses in step for step in diagnosis.steps):
            return ""
        return _("For lists of allowed addresses: this app connects from %(addresses)s.", addresses=addresses)

    def _success_headline(self) -> str:
        if self.recipient:
            return _("It works: the test message is on its way.")
        return _("It works: the settings are right.")

    def _statements(self) -> Iterator[str]:
        seen = {step.stage: step.seen for step in self.done}
        if Stage.AUTH in seen:
            yield _("%(sentence)s.", sentence=seen[Stage.AUTH])
        else:
            yield _("Connected to %(host)s, without a login.", host=self.host)
        if Stage.DATA in seen:
            yield _("%(sentence)s.", sentence=seen[Stage.DATA])
            yield _("Look into the inbox of %(address)s, and into its spam folder.", address=self.recipient)
        else:
            yield _("Nothing was sent, because no recipient was entered.")


def shown_arrival(seen: str = "") -> Shown:
    """Show that it is not known yet whether the test message arrived."""
    seen = seen or _("Open the link in the message")
    return Shown(label(Stage.ARRIVAL), "waiting", "waiting", _("Waiting"), "", seen)


def _shown(step: Step) -> Shown:
    name = label(step.stage)
    match step.state:
        case StepState.OK:
            return Shown(name, "ok", "ok", _("Done"), _("%(number)s ms", number=step.milliseconds), step.seen)
        case StepState.FAILED:
            seen = step.seen or (step.diagnosis.title if step.diagnosis is not None else "")
            return Shown(name, "failed", "failed", _("Failed"), _("%(number)s ms", number=step.milliseconds), seen)
        case StepState.WAITING:
            return shown_arrival(step.seen)
        case _:
            return Shown(name, "idle", "idle", _("Not reached"), "", "")
