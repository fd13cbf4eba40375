"""One claimed message on its way: routed again, decrypted, handed over, and settled."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import RowMapping, select

from ..errors import SecretUnreadable, SMTPServersError, StoreUnavailable
from ..i18n import gettext as _
from ..sending.consequence import Blame
from ..sending.dispatch import Dispatcher
from ..sending.routing import Route
from ..sending.transmit import RECIPIENTS_PER_TRANSACTION, Shipment
from ..smtp.deadline import Deadline
from .claims import Claim, LostClaim
from .outbox import Outbox
from .pace import DOUBTS
from .parcel import unseal
from .rerouting import Held, route_again
from .settling import Attempt
from .states import WAITING, RecipientState
from .verdict import Verdict, verdict_of_delivery, verdict_of_error

if TYPE_CHECKING:
    from ..state import AppState

logger = logging.getLogger("flask_smtpservers")

T = TypeVar("T")

#: For how many milliseconds a message waits that no server may send as things stand.
_HELD = 60_000

#: How long to wait, in seconds, before a result is written again that could not be written: first, and at most.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0


class NotSentError(Exception):
    """The final dot was kept back; nothing can have been delivered."""


class _AttemptDeadline(Deadline):
    """The end of an attempt, which moves once: nothing hurries the server's verdict."""

    __slots__ = ()

    def extend(self, seconds: float) -> None:
        self._end = self._clock() + seconds


@dataclass(frozen=True, slots=True)
class _Load:
    """A message as it was found after it was claimed.

    :param due: the rows of the recipients to whom it is to be sent now, those first who have waited longest.
    """

    row: Mapping[str, Any]
    due: list[RowMapping]
    pieces: list[str]


class Carrier:
    """Delivers claimed messages, within the caller's app context.

    :param worker: the name of the worker, for the log.
    :param stopping: set when no more dots are to be sent.
    """

    def __init__(
        self, state: AppState, outbox: Outbox, dispatcher: Dispatcher, *, worker: str, stopping: Event
    ) -> None:
        self._state = state
        self._outbox = outbox
        self._dispatcher = dispatcher
        self._worker = worker
        self._stopping = stopping

    def carry(self, claim: Claim) -> None:
        """Deliver a message to as many recipients as one transaction takes, and write down what came of it."""
        outbox = self._outbox
        load = self._load(claim)
        try:
            chosen = route_again(self._state, load.row)
        except Held as held:
            outbox.claims.release(claim, wait=_HELD, reason=str(held))
            return
        rest = outbox.rests.left(_digest(chosen))
        if rest:
            text = _("“%(name)s” failed a moment ago, so it is left alone for a while.", name=chosen.server_name)
            outbox.claims.release(claim, wait=round(rest * 1000) + 1, reason=text)
            return
        batch = load.due[:RECIPIENTS_PER_TRANSACTION]
        try:
            shipment = unseal(
                outbox.keyring,
                load.row["public_id"],
                load.pieces,
                load.row["envelope_from"],
                [one["address"] for one in batch],
            )
        except SecretUnreadable as error:
            logger.error("Message %s in the outbox cannot be read: %s", load.row["public_id"], error)
            outbox.claims.quarantine(claim, str(error))
            return
        attempt = outbox.settling.open(
            claim.id,
            claim.token,
            worker=self._worker,
            server_id=chosen.server.public_id if chosen.server is not None else "",
            server_name=chosen.server_name,
            recipients={one["address"]: one["id"] for one in batch},
            later=[one["id"] for one in load.due[len(batch) :] if one["state"] in WAITING],
        )
        if attempt is not None:
            self._hand_over(claim, attempt, chosen, shipment)

    def _load(self, claim: Claim) -> _Load:
        tables = self._outbox.access.tables
        message, recipient, piece = tables.message, tables.recipient, tables.piece
        with self._outbox.access.reading() as connection:
            row = connection.execute(select(message).where(message.c.id == claim.id)).mappings().one()
            people = connection.execute(select(recipient).where(recipient.c.message == claim.id)).mappings().all()
            sealed = select(piece.c.sealed).where(piece.c.message == claim.id).order_by(piece.c.position)
            pieces = [str(text) for text in connection.execute(sealed).scalars()]
        states: set[RecipientState] = {RecipientState.PENDING}
        if not any(one["state"] == RecipientState.PENDING for one in people):
            ask = row["at_most_once"] or row["doubts"] > DOUBTS
            states = {RecipientState.DEFERRED} if ask else {RecipientState.DEFERRED, RecipientState.IN_DOUBT}
        due = sorted((one for one in people if one["state"] in states), key=lambda one: (one["at"] or 0, one["id"]))
        return _Load(dict(row), due, pieces)

    def _hand_over(self, claim: Claim, attempt: Attempt, chosen: Route, shipment: Shipment) -> None:
        outbox = self._outbox
        deadline = _AttemptDeadline(outbox.pace.attempt_seconds)
        intended = False

        def before_dot() -> None:
            nonlocal intended
            if self._stopping.is_set():
                raise NotSentError(_("The worker was asked to stop."))
            try:
                outbox.claims.intend(claim, attempt.id)
            except StoreUnavailable as error:
                raise NotSentError(str(error)) from error
            intended = True
            deadline.extend(outbox.pace.verdict_seconds)

        try:
            delivery = self._dispatcher.ship(shipment, chosen, deadline=deadline, before_dot=before_dot)
        except LostClaim:
            self._stored(lambda: outbox.settling.abandon(attempt))
            return
        except NotSentError as error:
            reason = str(error)
            self._stored(lambda: outbox.settling.give_back(attempt, reason))
            return
        except SMTPServersError as error:
            verdict = verdict_of_error(shipment.recipients, error)
        except Exception:
            logger.exception("Message %s in the outbox could not be handed over", attempt.message)
            if not intended:
                text = _("An unexpected error came up; the app's log has it.")
                self._stored(lambda: outbox.settling.give_back(attempt, text, quarantine=True))
            return  # after the dot nobody knows, and the end of the lease will say so
        else:
            verdict = verdict_of_delivery(delivery)
        self._settle(attempt, verdict, _digest(chosen))

    def _settle(self, attempt: Attempt, verdict: Verdict, digest: str) -> None:
        accepted = any(finding.state is RecipientState.ACCEPTED for finding in verdict.findings)
        if accepted or verdict.blame is not Blame.NONE:
            self._outbox.rests.note(digest, verdict.blame)
        self._stored(lambda: self._outbox.settling.settle(attempt, verdict))

    def _stored(self, write: Callable[[], T]) -> T:
        """Write what came of an attempt, until it is written: what happened at the server cannot be undone."""
        pause = _FIRST_PAUSE
        while True:
            try:
                return write()
            except StoreUnavailable as error:
                logger.warning("What came of an attempt could not be written yet, and is kept: %s", error)
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)


def _digest(chosen: Route) -> str:
    return chosen.server.digest if chosen.server is not None else ""
