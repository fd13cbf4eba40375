"""What a test of unsaved values proved: if exactly these are saved, the list says so, and nobody tests twice."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from ..errors import StoreUnavailable
from ..findings import Step, StepState
from ..secret import Secret
from ..servers.profile import COVERED_FIELDS, ServerProfile
from ..state import state_of
from .access import actor, binding

logger = logging.getLogger("flask_smtpservers")


@dataclass(slots=True)
class Proof:
    """The outcome of a run over ``values``.

    :param bound: :func:`.access.binding`, asked before the page is streamed: later no cookie can be set any more.
    :param trial_id: the test in the history of tests.
    :param ticket: once the run has ended: what names its outcome in the next request; empty if it could not be kept.
    """

    values: Mapping[str, Any]
    base: ServerProfile | None
    bound: str
    trial_id: str
    ticket: str = ""

    def watching(self, steps: Iterator[Step]) -> Iterator[Step]:
        """Pass the steps on, and keep how they ended."""
        failed: Step | None = None
        expires_at = ""
        for step in steps:
            expires_at = step.expires_at.isoformat() if step.expires_at is not None else expires_at
            if step.state is StepState.FAILED:
                failed = step
            yield step
        title = failed.diagnosis.title if failed is not None and failed.diagnosis is not None else ""
        outcome = {"tested": _fingerprint(self.values, self.base), "passed": failed is None, "title": title}
        outcome["expires_at"] = expires_at
        outcome["trial"] = self.trial_id
        try:
            self.ticket = state_of().drafts.keep(outcome, binding=self.bound)
            state_of().store.commit()
        except StoreUnavailable as error:
            logger.warning("the result of a test could not be kept: %s", error)


def passed(ticket: str, values: Mapping[str, Any], base: ServerProfile | None) -> bool:
    """Say whether these very values have passed the test that ``ticket`` names."""
    if not ticket:
        return False
    try:
        outcome = state_of().drafts.take(ticket, binding=binding())
    except StoreUnavailable:
        return False
    return outcome is not None and outcome.get("passed") is True and outcome.get("tested") == _fingerprint(values, base)


def apply(ticket: str, values: Mapping[str, Any], base: ServerProfile | None, saved: ServerProfile) -> bool:
    """Note the outcome that ``ticket`` names for the saved server, if it was reached with these very values.

    :param values: what was saved, cleaned.
    :param base: the server before it was edited.
    :return: whether the saved server counts as tested now.
    """
    if not ticket:
        return False
    state = state_of()
    try:
        outcome = state.drafts.take(ticket, binding=binding())
        if outcome is None or outcome.get("tested") != _fingerprint(values, base):
            return False
        expires_at = str(outcome.get("expires_at", ""))
        state.store.record_test(
            saved,
            bool(outcome.get("passed")),
            str(outcome.get("title", "")),
            certificate_expires_at=datetime.fromisoformat(expires_at) if expires_at else None,
            tested_by=actor(),
        )
        state.trials.adopt(str(outcome.get("trial", "")), saved)
        state.drafts.forget(ticket)
        state.store.commit()
    except StoreUnavailable as error:
        logger.warning("the result of a test could not be taken over: %s", error)
        return False
    return True


def _fingerprint(values: Mapping[str, Any], base: ServerProfile | None) -> str:
    """Digest what decides about the outcome. It is kept encrypted only, since a password goes into it."""
    parts = [base.public_id if base is not None else ""]
    for name in COVERED_FIELDS:
        value = values.get(name, base.digest if base is not None else "")
        parts.append(value.reveal() if isinstance(value, Secret) else str(value))
    return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
