"""What a test of unsaved values proved: if exactly these are saved, the list says so, and nobody tests twice."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from ..errors import StoreUnavailable
from ..findings import Step, StepState
from ..secret import Secret
from ..servers.profile import ServerProfile
from ..state import state_of
from .access import binding

logger = logging.getLogger("flask_smtpservers")

#: What a test covers.
_COVERED = (
    "host",
    "port",
    "security",
    "username",
    "auth_mechanism",
    "address",
    "timeout_seconds",
    "pipelining",
    "ca_certificate",
    "client_certificate",
    "password",
    "client_key",
)


@dataclass(slots=True)
class Proof:
    """The outcome of a run over ``values``.

    :param bound: :func:`.access.binding`, asked before the page is streamed: later no cookie can be set any more.
    :param ticket: once the run has ended: what names its outcome in the next request; empty if it could not be kept.
    """

    values: Mapping[str, Any]
    base: ServerProfile | None
    bound: str
    ticket: str = ""

    def watching(self, steps: Iterator[Step]) -> Iterator[Step]:
        """Pass the steps on, and keep how they ended."""
        failed: Step | None = None
        for step in steps:
            if step.state is StepState.FAILED:
                failed = step
            yield step
        title = failed.diagnosis.title if failed is not None and failed.diagnosis is not None else ""
        outcome = {"tested": _fingerprint(self.values, self.base), "passed": failed is None, "title": title}
        try:
            self.ticket = state_of().drafts.keep(outcome, binding=self.bound)
            state_of().store.commit()
        except StoreUnavailable as error:
            logger.warning("the result of a test could not be kept: %s", error)


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
        state.store.record_test(saved, bool(outcome.get("passed")), str(outcome.get("title", "")))
        state.drafts.forget(ticket)
        state.store.commit()
    except StoreUnavailable as error:
        logger.warning("the result of a test could not be taken over: %s", error)
        return False
    return True


def _fingerprint(values: Mapping[str, Any], base: ServerProfile | None) -> str:
    """Digest what decides about the outcome. It is kept encrypted only, since a password goes into it."""
    parts = [base.public_id if base is not None else ""]
    for name in _COVERED:
        value = values.get(name, base.digest if base is not None else "")
        parts.append(value.reveal() if isinstance(value, Secret) else str(value))
    return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
