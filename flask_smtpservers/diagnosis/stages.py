"""The stages of a run, what they are called, and the one sentence about a run."""

from __future__ import annotations

from collections.abc import Sequence

from ..findings import Stage, Step, StepState
from ..i18n import N_
from ..i18n import gettext as _
from ..smtp.endpoint import Security

_LABELS = {
    Stage.SETTINGS: N_("Settings"),
    Stage.RESOLVE: N_("Find server"),
    Stage.CONNECT: N_("Reach it"),
    Stage.GREETING: N_("Greeting"),
    Stage.EHLO: N_("Say hello"),
    Stage.STARTTLS: N_("Begin encryption"),
    Stage.TLS: N_("Encrypt"),
    Stage.CERTIFICATE: N_("Certificate"),
    Stage.AUTH: N_("Sign in"),
    Stage.MAIL_FROM: N_("Sender"),
    Stage.RCPT_TO: N_("Recipient"),
    Stage.DATA: N_("Message"),
    Stage.ARRIVAL: N_("Arrival"),
}

_OPENING = {
    Security.SSL: (Stage.TLS, Stage.CERTIFICATE, Stage.GREETING, Stage.EHLO),
    Security.STARTTLS: (Stage.GREETING, Stage.EHLO, Stage.STARTTLS, Stage.TLS, Stage.CERTIFICATE),
    Security.NONE: (Stage.GREETING, Stage.EHLO),
}


def stages(security: Security, *, login: bool, send: bool) -> tuple[Stage, ...]:
    """Return the stages of a run, in their order.

    :param login: whether a user name is set.
    :param send: whether a test message is sent; without it the run ends with the recipient.
    """
    return (
        Stage.SETTINGS,
        Stage.RESOLVE,
        Stage.CONNECT,
        *_OPENING[security],
        *((Stage.AUTH,) if login else ()),
        Stage.MAIL_FROM,
        Stage.RCPT_TO,
        *((Stage.DATA,) if send else ()),
    )


def label(stage: Stage) -> str:
    """Name a stage, in the language being spoken."""
    return _(_LABELS[stage])


def headline(steps: Sequence[Step]) -> str:
    """Say in one sentence how a run ended.

    :param steps: all steps of the run, the ones that were not reached included.
    """
    for number, step in enumerate(steps, 1):
        if step.state is StepState.FAILED:
            title = step.diagnosis.title if step.diagnosis else label(step.stage)
            return _(
                "Stopped at step %(number)s of %(total)s: %(title)s.", number=number, total=len(steps), title=title
            )
    if not steps or any(step.state not in (StepState.OK, StepState.WAITING) for step in steps):
        return _("The test was not finished.")
    seen = {step.stage: step.seen for step in steps}
    telling = next((stage for stage in (Stage.DATA, Stage.AUTH, Stage.RCPT_TO) if seen.get(stage)), None)
    return _("%(success)s.", success=seen[telling]) if telling else _("The server can be used.")
