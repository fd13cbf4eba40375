"""What an attempt comes to, for each recipient and for the server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import RecipientsRefused, SMTPServersError
from ..sending.consequence import Blame, Consequence, Fate, consequence_of, consequence_of_reply
from ..sending.delivery import Delivery, Outcome, RecipientOutcome
from ..sending.transmit import outcomes_of
from .states import RecipientState


@dataclass(frozen=True, slots=True)
class Finding:
    """What an attempt came to for one recipient.

    :param at_once: whether only the size of the transaction kept the message from him.
    """

    outcome: RecipientOutcome
    state: RecipientState
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an attempt came to.

    :param text: why it failed, in a sentence; empty if the server took the message for anybody.
    """

    findings: tuple[Finding, ...]
    blame: Blame = Blame.NONE
    queue_id: str = ""
    text: str = ""

    @property
    def outcome(self) -> RecipientState:
        """What it came to on the whole: the best that any recipient had, but a doubt goes before what is certain."""
        states = [finding.state for finding in self.findings]
        return next((state for state in _TELLING if state in states), RecipientState.DEFERRED)

    @property
    def reply(self) -> str:
        """The words that tell most."""
        outcome = self.outcome
        said = (finding.outcome.text for finding in self.findings if finding.state is outcome and finding.outcome.text)
        return next(said, self.text)


_TELLING = (RecipientState.IN_DOUBT, RecipientState.ACCEPTED, RecipientState.DEFERRED, RecipientState.REFUSED)

_FATES = {
    Fate.DEFERRED: RecipientState.DEFERRED,
    Fate.REFUSED: RecipientState.REFUSED,
    Fate.IN_DOUBT: RecipientState.IN_DOUBT,
    Fate.NEXT_TRANSACTION: RecipientState.DEFERRED,
}


def verdict_of_delivery(delivery: Delivery) -> Verdict:
    """Judge an attempt in which the server took the message for somebody."""
    findings = tuple(map(_judged, delivery.recipients))
    return Verdict(findings, queue_id=delivery.queue_id)


def verdict_of_error(recipients: Sequence[str], error: SMTPServersError) -> Verdict:
    """Judge an attempt in which the server took the message for nobody."""
    whole = consequence_of(error)
    outcomes = outcomes_of(recipients, error)
    if isinstance(error, RecipientsRefused):
        findings = tuple(map(_judged, outcomes))
    else:
        findings = tuple(_finding(outcome, whole) for outcome in outcomes)
    return Verdict(findings, whole.blame, text=str(error))


def _judged(outcome: RecipientOutcome) -> Finding:
    if outcome.outcome is Outcome.ACCEPTED:
        return Finding(outcome, RecipientState.ACCEPTED)
    if outcome.outcome is Outcome.IN_DOUBT:
        return Finding(outcome, RecipientState.IN_DOUBT)
    return _finding(outcome, consequence_of_reply(outcome.code or 0, outcome.enhanced))


def _finding(outcome: RecipientOutcome, consequence: Consequence) -> Finding:
    return Finding(outcome, _FATES[consequence.fate], at_once=consequence.fate is Fate.NEXT_TRANSACTION)
