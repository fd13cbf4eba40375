"""What an ordinary user may learn from testing a server that the operator does not know: whether it works.

A test connects to whatever host a user enters, from inside the app's network. So for all but the presets' servers and
those that the operator names, every failure before a verified greeting gets one and the same answer after one and the
same time: that the guard forbids the host, that its name does not exist, that nothing listens there, that something
else than a mail server answers. Nothing is shown before the end, and no words of the server before it has taken the
login over a verified connection.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from ..diagnosis.stages import stages
from ..findings import Diagnosis, Mender, Stage, Step, StepState
from ..i18n import gettext as _
from ..safe_text import printable
from ..smtp.deadline import Deadline
from ..smtp.endpoint import Endpoint, Security

logger = logging.getLogger("flask_smtpservers")

#: The part of a test's time after which a failure before the greeting is answered, and the part of that in which the
#: greeting must have come: the rest hides how long the attempt itself took to end.
ANSWER_AFTER, TRY_WITHIN = 0.5, 0.9

#: Stages whose results hold nothing that a server said.
_OWN_WORDS = frozenset({Stage.SETTINGS, Stage.RESOLVE, Stage.CONNECT, Stage.TLS, Stage.STARTTLS})


class Patience(Deadline):
    """A deadline that is near until the greeting is verified, and moves on then.

    :param seconds: how long a whole test may take.
    """

    __slots__ = ("_answer", "_last")

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(seconds * ANSWER_AFTER * TRY_WITHIN, clock)
        now = clock()
        self._answer, self._last = now + seconds * ANSWER_AFTER, now + seconds

    def move_on(self) -> None:
        """Allow the rest of the test its time."""
        self._end = self._last

    def until_answer(self) -> float:
        """Return the seconds until a failure may be answered."""
        return max(0.0, self._answer - self._clock())


def behind_fence(
    steps: Iterator[Step], endpoint: Endpoint, patience: Patience, pause: Callable[[float], object] = time.sleep
) -> Iterator[Step]:
    """Run a test to its end, then yield what its user may know of it.

    :param steps: the test, whose session keeps to ``patience``.
    :param pause: waits so many seconds.
    """
    done: list[Step] = []
    for step in steps:
        done.append(step)
        if _verified(done, endpoint.security):
            patience.move_on()
    failed = next((step for step in done if step.state is StepState.FAILED), None)
    if failed is not None and not _verified(done, endpoint.security):
        _tell_operator(failed, endpoint)
        pause(patience.until_answer())
        done = _concealed(done, endpoint)
    else:
        done = _without_words(done, endpoint.security)
    yield from done


def _verified(done: Sequence[Step], security: Security) -> bool:
    """Whether a mail server has greeted, over a connection that nobody else can have answered."""
    passed = {step.stage for step in done if step.state is StepState.OK}
    return security is not Security.NONE and {Stage.GREETING, Stage.CERTIFICATE} <= passed


def _concealed(done: Sequence[Step], endpoint: Endpoint) -> list[Step]:
    """Make the one answer: its stage, its words and its figures are the same whatever happened."""
    diagnosis = Diagnosis(
        cause="unknown",
        fix="check_host_port_service",
        title=_("No mail server can be used here"),
        explanation=_(
            "Server, port or encryption may be wrong, it may not answer, its certificate may not be valid, or this app "
            "may not connect to it. This page says the same in all these cases."
        ),
        steps=(
            _("Compare server, port and encryption with the help page of your mail provider."),
            _("Or choose your provider from the list: for those, this page tells the exact cause."),
            _("If all is right, ask whoever runs this app to allow this server."),
        ),
        transient=False,
        mender=Mender.YOU,
    )
    send = any(step.stage is Stage.DATA for step in done)
    settings, resolve, *rest = stages(endpoint.security, login=bool(endpoint.username), send=send)
    failed = Step(resolve, StepState.FAILED, diagnosis=diagnosis)
    return [Step(settings, StepState.OK), failed, *(Step(stage, StepState.NOT_REACHED) for stage in rest)]


def _without_words(done: Sequence[Step], security: Security) -> list[Step]:
    """Take out what the server said, unless it has taken the login over a verified connection."""
    signed_in = any(step.stage is Stage.AUTH and step.state is StepState.OK for step in done)
    if signed_in and _verified(done, security):
        return list(done)
    return [_without(step) for step in done]


def _without(step: Step) -> Step:
    diagnosis = step.diagnosis
    if diagnosis is not None:
        diagnosis = replace(diagnosis, said="", certificate=None)
    own = step.stage in _OWN_WORDS or step.stage in (Stage.MAIL_FROM, Stage.RCPT_TO, Stage.AUTH)
    return replace(step, raw="", seen=step.seen if own else "", diagnosis=diagnosis)


def _tell_operator(failed: Step, endpoint: Endpoint) -> None:
    title = failed.diagnosis.title if failed.diagnosis is not None else ""
    where = printable(f"{endpoint.host}:{endpoint.port}", 300)
    logger.info("a user's test of %s failed at the stage %s: %s", where, failed.stage, printable(title, 200))
