"""Whether a user's sending address is his: who was asked to prove it, and what became of that."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Table, and_, func, select

from ..errors import ServerNotFound
from ..i18n import gettext as _
from ..i18n import ngettext
from ..permissions import Scope
from .change import Change
from .mailboxes import address_key
from .profile import ServerProfile
from .rows import aware, naive
from .scoping import columns_of, within
from .standing import Standing

#: How long a link can be used.
PROVABLE = timedelta(hours=24)
#: How long one waits before another link is sent for the same server and address.
PAUSE = timedelta(minutes=1)
#: The most links within :data:`PROVABLE` that one user may have sent, and that one address gets, whoever asks.
PER_USER, PER_ADDRESS = 10, 5


class ProofRefused(Exception):
    """No link may be sent now; the text is a sentence that says why, and what to wait for."""


class Answer(StrEnum):
    """What a link is worth."""

    OPEN = "open"
    """It proves the address once its user says so."""
    PROVED = "proved"
    """It was used, and the address is proved."""
    EXPIRED = "expired"
    """It is too old."""
    CHANGED = "changed"
    """The server has another sending address since."""
    UNKNOWN = "unknown"
    """There is none such for this user."""


class Proving(Standing):
    """The part of :class:`~.store.ServerStore` that asks for proofs and takes them."""

    def ask_proof(self, public_id: str, ticket: str, *, scope: Scope, actor: str = "") -> ServerProfile:
        """Enter that a link is about to be sent to the sending address of a user's server.

        :param ticket: what the link carries; only its digest is kept.
        :raises ProofRefused: too many were sent.
        """
        proof = self._tables.proof
        now = self._clock()
        with self._change(actor, scope) as change:
            connection, server = change.connection, change.server(public_id)
            connection.execute(proof.delete().where(proof.c.asked_at <= naive(now - PROVABLE)))
            key = address_key(server.address)[0]
            self._check_amount(connection, public_id, key, scope, now)
            row = {"server_id": public_id, "address_key": key, "ticket": _digest(ticket), "asked_at": naive(now)}
            connection.execute(proof.insert().values(**columns_of(scope), **row))
        return server

    def withdraw_proof(self, ticket: str) -> None:
        """Forget a link that could not be sent."""
        proof = self._tables.proof
        with self._connections.writing() as connection:
            connection.execute(proof.delete().where(proof.c.ticket == _digest(ticket)))

    def proofs_asked(self, *, scope: Scope) -> dict[str, datetime]:
        """Tell of a user's servers when the last link was sent to each one's address that can still be used, UTC."""
        proof, server = self._tables.proof, self._tables.server
        with self._connections.reading() as reading:
            columns = self._readable(reading)
            if columns is None or not columns[proof.name]:
                return {}
            open_ones = (proof.c.asked_at > naive(self._clock() - PROVABLE), proof.c.used_at.is_(None))
            of_address = (proof.c.server_id == server.c.public_id, proof.c.address_key == server.c.address_key)
            statement = select(proof.c.server_id, proof.c.asked_at).join(server, and_(*of_address))
            rows = reading.connection.execute(statement.where(within(proof, scope), *open_ones).order_by(proof.c.id))
            found = ((row.server_id, aware(row.asked_at)) for row in rows)
            return {server_id: asked for server_id, asked in found if asked is not None}

    def look_at_proof(self, ticket: str, *, scope: Scope) -> tuple[Answer, ServerProfile | None]:
        """Tell what a link is worth to a user, and for which of his servers; nothing is changed."""
        with self._connections.reading() as reading:
            columns = self._readable(reading)
            if columns is None or not columns[self._tables.proof.name]:
                return Answer.UNKNOWN, None
            row = self._row(reading.connection, ticket, scope)
        if row is None:
            return Answer.UNKNOWN, None
        try:
            server = self.get(row["server_id"], scope=scope)
        except ServerNotFound:
            return Answer.UNKNOWN, None
        return self._worth(row, server), server

    def take_proof(self, ticket: str, *, scope: Scope, actor: str = "") -> tuple[Answer, ServerProfile | None]:
        """Note that a user has proved the address that a link was sent to. Each link counts once.

        :returns: PROVED if the address is proved now; otherwise why it is not.
        """
        proof = self._tables.proof
        with self._change(actor, scope) as change:
            connection = change.connection
            row = self._row(connection, ticket, scope)
            server = self._server(change, row["server_id"]) if row is not None else None
            if row is None or server is None:
                return Answer.UNKNOWN, None
            worth = self._worth(row, server)
            if worth is not Answer.OPEN:
                return worth, server
            same = (proof.c.server_id == server.public_id, within(proof, scope), proof.c.used_at.is_(None))
            connection.execute(proof.update().where(*same).values(used_at=naive(self._clock())))
            if server.address_verified_at is None:
                server = change.update(server, replace(server, address_verified_at=self._clock()))
                change.record("verified", server)
        return Answer.PROVED, server

    # -- parts

    def _check_amount(self, connection: Connection, public_id: str, key: str, scope: Scope, now: datetime) -> None:
        proof = self._tables.proof

        def number(*which: Any) -> int:
            return connection.execute(select(func.count()).select_from(proof).where(*which)).scalar_one()

        same = (proof.c.server_id == public_id, proof.c.address_key == key)
        if number(*same, proof.c.asked_at > naive(now - PAUSE)):
            raise ProofRefused(_("A link was sent just now. Look for it, also among the spam; ask again in a minute."))
        if number(within(proof, scope)) >= PER_USER:
            most = ngettext("%(number)s link", "%(number)s links", PER_USER)
            raise ProofRefused(_("%(links)s were sent to you within a day, and more are not. Try again tomorrow.",
                                 links=most))  # fmt: skip
        if number(proof.c.address_key == key) >= PER_ADDRESS:
            raise ProofRefused(_("This address has got several links within a day, and gets no more. Try tomorrow."))

    def _row(self, connection: Connection, ticket: str, scope: Scope) -> dict[str, Any] | None:
        proof: Table = self._tables.proof
        found = connection.execute(select(proof).where(proof.c.ticket == _digest(ticket), within(proof, scope)))
        row = found.mappings().first()
        return dict(row) if row is not None else None

    def _server(self, change: Change, public_id: str) -> ServerProfile | None:
        try:
            return change.server(public_id)
        except ServerNotFound:
            return None

    def _worth(self, row: dict[str, Any], server: ServerProfile) -> Answer:
        asked = aware(row["asked_at"])
        if address_key(server.address)[0] != row["address_key"]:
            return Answer.CHANGED
        if server.address_verified_at is not None:
            return Answer.PROVED
        if row["used_at"] is not None or asked is None or asked <= self._clock() - PROVABLE:
            return Answer.EXPIRED
        return Answer.OPEN


def _digest(ticket: str) -> str:
    return sha256(ticket.encode("utf-8", "surrogatepass")).hexdigest()
