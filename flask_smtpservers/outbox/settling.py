"""Attempts: opened before anything is said to a server, and settled with all that came of them in one transaction."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, select, update

from ..i18n import gettext as _
from .access import Access
from .pace import DOUBTS, wait_after
from .states import FINAL, STUCK, WAITING, RecipientState, State, state_after
from .verdict import Verdict

#: What the columns for a server's words take.
_WORDS = 500


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that is open.

    :param message: the key of the message's row.
    :param token: that of the claim in which it was opened.
    :param server_id: the server's public id; empty for the app's own.
    :param recipients: the keys of their rows, by address.
    """

    id: int
    message: int
    token: str
    server_id: str
    recipients: Mapping[str, int]


class Settling:
    """Opens and settles attempts.

    :param chance: gives a number from 0 to 1, to spread attempts in time.
    """

    def __init__(self, access: Access, chance: Callable[[], float] = random.random) -> None:
        self._access = access
        self._tables = access.tables
        self._chance = chance

    # -- what a worker does
    def open(
        self,
        message: int,
        token: str,
        *,
        worker: str,
        server_id: str,
        server_name: str,
        recipients: Mapping[str, int],
        later: Sequence[int] = (),
    ) -> Attempt | None:
        """Write down that an attempt begins; None if the message is not the worker's any more.

        What an attempt takes out of an allowance is to be taken in this transaction.

        :param later: the keys of recipients who are due as well, and for whom there is no room in this attempt.
        """
        held, now = self._tables.message, self._access.clock()
        mine = (held.c.id == message, held.c.lease_token == token, held.c.state == State.LEASED)
        values = {
            "message": message,
            "server_id": server_id,
            "server_name": server_name,
            "worker": worker,
            "recipients": len(recipients),
            "started_at": now,
        }
        with self._access.writing() as connection:
            if connection.execute(update(held).where(*mine).values(version=held.c.version + 1)).rowcount != 1:
                return None
            key = connection.execute(self._tables.attempt.insert().values(**values)).inserted_primary_key
            number: int = key[0] if key is not None else 0
            tried = update(self._tables.recipient).where(self._tables.recipient.c.id.in_(recipients.values()))
            connection.execute(tried.values(attempt=number, server_id=server_id))
            left = update(self._tables.recipient).where(self._tables.recipient.c.id.in_(later))
            connection.execute(left.values(state=RecipientState.PENDING))
        return Attempt(number, message, token, server_id, recipients)

    def settle(self, attempt: Attempt, verdict: Verdict) -> State:
        """Write down what came of an attempt; return what the message came to.

        It is the truth even if the lease ended meanwhile and the message was taken to be in doubt.
        """
        message, now = self._tables.message, self._access.clock()
        with self._access.writing() as connection:
            row = self.locked(connection, message.c.id == attempt.message)
            if row is None:
                return State.CANCELLED
            self._write_findings(connection, attempt, verdict, now)
            self._close(connection, attempt.id, verdict, now)
            held = row["lease_token"] == attempt.token
            if not held and row["state"] not in (State.QUEUED, *STUCK):
                return State(row["state"])  # another worker has it, and will see what was written here
            return self.conclude(
                connection,
                row,
                now,
                doubted=held and verdict.outcome is RecipientState.IN_DOUBT,
                server_id=attempt.server_id,
                reason=verdict.text,
            )

    def abandon(self, attempt: Attempt) -> None:
        """Close an attempt that ended before its dot because the message was not the worker's any more."""
        with self._access.writing() as connection:
            self.close(connection, attempt.message, self._access.clock(), attempt=attempt.id)

    def give_back(self, attempt: Attempt, reason: str, *, quarantine: bool = False) -> None:
        """Close an attempt whose dot was kept back, and let the message wait for another, or for a person.

        Whether the intent to send the dot was written does not matter: it was not sent.
        """
        message, now = self._tables.message, self._access.clock()
        mine = and_(message.c.id == attempt.message, message.c.lease_token == attempt.token)
        values: dict[str, Any] = {
            "state": State.QUARANTINED if quarantine else State.QUEUED,
            "lease_token": None,
            "lease_until": None,
            "claims": 0,
            "next_at": now + wait_after(1, self._chance),
            "reason": reason[:_WORDS],
        }
        with self._access.writing() as connection:
            row = self.locked(connection, mine)
            self.close(connection, attempt.message, now, attempt=attempt.id)
            if row is not None:
                self.finish(connection, attempt.message, values, now)

    # -- what follows when nobody settles
    def close(self, connection: Connection, message: int, now: int, *, attempt: int | None = None) -> None:
        """Close the open attempts of a message: nothing can have been delivered by them.

        What they took out of an allowance is to be given back here.
        """
        table = self._tables.attempt
        which = [table.c.message == message, table.c.settled.is_(False)]
        if attempt is not None:
            which.append(table.c.id == attempt)
        connection.execute(update(table).where(*which).values(settled=True, ended_at=now, outcome="abandoned"))

    def doubt(self, connection: Connection, message: int, mine: ColumnElement[bool], now: int) -> bool:
        """Take note that the worker did not come back after the dot; False if the message is not ``mine``."""
        row = self.locked(connection, mine)
        if row is None:
            return False
        attempts, recipients = self._tables.attempt, self._tables.recipient
        unsettled = (attempts.c.message == message, attempts.c.settled.is_(False))
        open_ones = connection.execute(select(attempts.c.id, attempts.c.server_id).where(*unsettled)).all()
        text = _("The worker did not come back after it had handed the message over.")
        server_id = ""
        for one in open_ones:
            server_id = one.server_id
            tried = (recipients.c.attempt == one.id, recipients.c.state.in_((*WAITING, RecipientState.IN_DOUBT)))
            values = {"state": RecipientState.IN_DOUBT, "reply": text[:_WORDS], "at": now}
            connection.execute(update(recipients).where(*tried).values(**values))
        values = {"settled": True, "ended_at": now, "outcome": RecipientState.IN_DOUBT, "reply": text[:_WORDS]}
        connection.execute(update(attempts).where(*unsettled).values(**values))
        self.conclude(connection, row, now, doubted=True, server_id=server_id, reason=text)
        return True

    # -- for whoever changes a message
    def locked(self, connection: Connection, which: ColumnElement[bool]) -> Mapping[str, Any] | None:
        """Read a message's row so that nobody else changes it before the end of the transaction."""
        message = self._tables.message
        if connection.execute(update(message).where(which).values(version=message.c.version + 1)).rowcount != 1:
            return None
        found = connection.execute(select(message).where(which)).mappings().first()
        return dict(found) if found is not None else None

    def conclude(
        self, connection: Connection, row: Mapping[str, Any], now: int, *, doubted: bool, server_id: str, reason: str
    ) -> State:
        """Write what a message comes to after what its recipients came to."""
        recipients = self._tables.recipient
        found = select(recipients.c.state).where(recipients.c.message == row["id"])
        states = {RecipientState(state) for state in connection.execute(found).scalars()}
        doubts = row["doubts"] + doubted
        ask = row["at_most_once"] or doubts > DOUBTS
        state = state_after(states, ask_a_person=ask)
        again = RecipientState.IN_DOUBT in states and not ask
        values: dict[str, Any] = {
            "state": state,
            "lease_token": None,
            "lease_until": None,
            "claims": 0,
            "doubts": doubts,
            "pinned_to": (server_id if doubted else row["pinned_to"]) if again else None,
            "reason": reason[:_WORDS],
        }
        if state is State.QUEUED and RecipientState.PENDING in states:
            values["next_at"] = now  # only the size of the transaction kept it from them
        elif state is State.QUEUED:
            tries = row["tries"] + 1
            values |= {"tries": tries, "next_at": now + wait_after(tries, self._chance, doubt=again)}
        self.finish(connection, row["id"], values, now)
        return state

    def finish(self, connection: Connection, message: int, values: dict[str, Any], now: int) -> None:
        """Write a message's new state; if nothing leaves that state, delete what the message said."""
        if values["state"] in FINAL:
            values = {**values, "finished_at": now}
            connection.execute(delete(self._tables.piece).where(self._tables.piece.c.message == message))
        table = self._tables.message
        connection.execute(update(table).where(table.c.id == message).values(**values))

    # -- parts
    def _write_findings(self, connection: Connection, attempt: Attempt, verdict: Verdict, now: int) -> None:
        table = self._tables.recipient
        progress = any(finding.state is RecipientState.ACCEPTED for finding in verdict.findings)
        for finding in verdict.findings:
            outcome, state = finding.outcome, finding.state
            which = [table.c.id == attempt.recipients[outcome.address]]
            if state is RecipientState.ACCEPTED:
                which.append(table.c.state != state)
            else:
                which += [table.c.attempt == attempt.id, table.c.state.in_((*WAITING, RecipientState.IN_DOUBT))]
            values = {
                "state": RecipientState.PENDING if finding.at_once and progress else state,
                "server_id": attempt.server_id,
                "code": outcome.code,
                "enhanced": (outcome.enhanced or "")[:16] or None,
                "reply": outcome.text[:_WORDS],
                "at": now,
            }
            connection.execute(update(table).where(*which).values(**values))

    def _close(self, connection: Connection, attempt: int, verdict: Verdict, now: int) -> None:
        table = self._tables.attempt
        values = {
            "settled": True,
            "ended_at": now,
            "outcome": verdict.outcome,
            "queue_id": verdict.queue_id[:255],
            "reply": verdict.reply[:_WORDS],
        }
        connection.execute(update(table).where(table.c.id == attempt).values(**values))
