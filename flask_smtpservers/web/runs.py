"""A test as it happens: each step as the page shows it, and at the end one headline, one cause, and what to do."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field

from ..diagnosis.stages import headline, label
from ..errors import SMTPServersError
from ..findings import Diagnosis, Mender, Stage, Step, StepState
from ..i18n import N_
from ..i18n import gettext as _

logger = logging.getLogger("flask_smtpservers")

_MENDERS = {
    Mender.PROVIDER: N_("Only the mail provider, or whoever runs the mail server, can mend this."),
    Mender.HOSTING: N_("Whoever runs this app's network or hosting can mend this."),
    Mender.OPERATOR: N_("The operator of this app can mend this."),
}


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
    :param who: who must act, if it is not the reader.
    :param dialogue: what was said, secrets masked: (step, text).
    """

    headline: str
    passed: bool = False
    statements: tuple[str, ...] = ()
    diagnosis: Diagnosis | None = None
    who: str = ""
    dialogue: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Run:
    """Iterate over it once to carry the test out; then ask for :attr:`result`.

    :param steps: the test itself; leaving off in the middle ends it.
    :param host: for the sentence of success.
    """

    steps: Iterator[Step]
    host: str
    username: str
    recipient: str
    done: list[Step] = field(default_factory=list)
    broken: str = ""

    def __iter__(self) -> Iterator[Shown]:
        try:
            with closing(self.steps):  # type: ignore[type-var]
                for step in self.steps:
                    self.done.append(step)
                    yield _shown(step)
        except SMTPServersError as error:
            self.broken = str(error)
        except Exception:  # the page is half out already: say so on it instead of breaking off
            logger.exception("the test of %s broke off", self.host)
            self.broken = _("An error inside this app ended the test. The app's log says more.")

    @property
    def result(self) -> Result:
        """What the steps came to."""
        dialogue = tuple((label(step.stage), step.raw) for step in self.done if step.raw)
        failed = next((step for step in self.done if step.state is StepState.FAILED), None)
        if failed is not None:
            return self._failure(failed.diagnosis, dialogue)
        if self.broken:
            return Result(_("The test could not be finished."), statements=(self.broken,), dialogue=dialogue)
        statements = tuple(self._statements())
        return Result(self._success_headline(), passed=True, statements=statements, dialogue=dialogue)

    def _failure(self, diagnosis: Diagnosis | None, dialogue: tuple[tuple[str, str], ...]) -> Result:
        who = _(_MENDERS[diagnosis.mender]) if diagnosis is not None and diagnosis.mender in _MENDERS else ""
        return Result(headline(self.done), diagnosis=diagnosis, who=who, dialogue=dialogue)

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


def _shown(step: Step) -> Shown:
    name = label(step.stage)
    match step.state:
        case StepState.OK:
            return Shown(name, "ok", "ok", _("Done"), _("%(number)s ms", number=step.milliseconds), step.seen)
        case StepState.FAILED:
            seen = step.seen or (step.diagnosis.title if step.diagnosis is not None else "")
            return Shown(name, "failed", "failed", _("Failed"), _("%(number)s ms", number=step.milliseconds), seen)
        case _:
            return Shown(name, "idle", "idle", _("Not reached"), "", "")
