"""Writing a message into the outbox, in the host's own transaction: it is delivered if that is committed, else gone."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from ..errors import MessageRefused, StoreUnavailable
from ..i18n import gettext as _
from ..safe_text import has_controls
from ..sending.matching import Question
from ..sending.routing import Route
from ..sending.transmit import Shipment
from ..servers.keyring import Keyring
from .access import Access
from .pace import LIFETIME
from .parcel import seal
from .states import RecipientState, State

#: The longest key that tells a message from the others.
KEY_LENGTH = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the program says of how a message is to be delivered.

    :param idempotency_key: a text that only this message of the tenant has: with the same key it is written once.
    :param lifetime_seconds: how long it is tried; None for two days.
    :param priority: of those that are due, the highest come first.
    :param at_most_once: whether a copy too few is better than a copy too many.
    """

    idempotency_key: str | None = None
    lifetime_seconds: float | None = None
    priority: int = 0
    at_most_once: bool = False


#: How long a message is tried: a timedelta, or seconds.
Lifetime = timedelta | float


def terms(key: str | None, lifetime: Lifetime | None, priority: int, at_most_once: bool) -> Terms:
    """Read what the program says."""
    seconds = lifetime.total_seconds() if isinstance(lifetime, timedelta) else lifetime
    return Terms(idempotency_key=key, lifetime_seconds=seconds, priority=priority, at_most_once=at_most_once)


@dataclass(frozen=True, slots=True)
class Queued:
    """A message in the outbox.

    :param id: its random id there.
    :param message_id: its Message-ID header.
    :param again: whether it had been written before, with the same idempotency key; then nothing was written now.
    """

    id: str
    message_id: str
    again: bool = False


class Intake:
    """Takes messages into the outbox."""

    def __init__(self, access: Access, keyring: Keyring) -> None:
        self._access = access
        self._keyring = keyring

    def put(
        self, shipment: Shipment, terms: Terms, question: Question, route: Route | None, header_from: str
    ) -> Queued:
        """Write a message as part of the host's transaction.

        :param question: what its server was chosen by, and will be again.
        :param route: the server that it was written for; None for a message that is not to be sent.
        :param header_from: the address in its From.
        :raises MessageRefused: the key is no fit text, or the lifetime is over at once.
        :raises StoreUnavailable: the database failed; nothing was written.
        """
        _check(terms)
        public_id, now = secrets.token_hex(16), self._access.clock()
        server = route.server if route is not None else None
        lifetime = LIFETIME if terms.lifetime_seconds is None else round(terms.lifetime_seconds * 1000)
        values = {
            "public_id": public_id,
            "tenant": question.tenant,
            "owner": question.owner,
            "owner_named": question.owner_named,
            "kind": question.kind.id if question.kind is not None else "",
            "asked_for": question.using,
            "author": question.address,
            "server_id": server.public_id if server is not None else "",
            "server_name": route.server_name if route is not None else "",
            "message_id": shipment.content.message_id,
            "header_from": header_from,
            "envelope_from": shipment.sender,
            "size": len(shipment.content.data),
            "idempotency_key": terms.idempotency_key,
            "priority": terms.priority,
            "at_most_once": terms.at_most_once,
            "created_at": now,
            "expires_at": now + lifetime,
            "state": State.QUEUED if route is not None else State.SUPPRESSED,
            "finished_at": None if route is not None else now,
            "next_at": now,
        }
        pieces = seal(self._keyring, public_id, shipment) if route is not None else []
        state = RecipientState.PENDING if route is not None else RecipientState.SUPPRESSED
        try:
            with self._access.joining() as connection:
                self._write(connection, values, pieces, shipment.recipients, state)
        except StoreUnavailable as error:
            # To look before would not do: somebody else may be writing the same key in this moment.
            if terms.idempotency_key is None or not isinstance(error.__cause__, IntegrityError):
                raise
            known = self._known(question.tenant, terms.idempotency_key)
            if known is None:
                raise
            return known
        return Queued(public_id, shipment.content.message_id)

    def _known(self, tenant: str, key: str) -> Queued | None:
        """Find the message that has this key. Locked, for only so MariaDB shows what others have just committed."""
        message = self._access.tables.message
        same = (message.c.tenant == tenant, message.c.idempotency_key == key)
        found = select(message.c.public_id, message.c.message_id).where(*same).with_for_update(read=True)
        with self._access.joining() as connection:
            row = connection.execute(found).first()
        return Queued(row.public_id, row.message_id, again=True) if row is not None else None

    def _write(
        self,
        connection: Connection,
        values: dict[str, object],
        pieces: list[str],
        recipients: tuple[str, ...],
        state: RecipientState,
    ) -> None:
        tables = self._access.tables
        key = connection.execute(tables.message.insert().values(**values)).inserted_primary_key
        number = key[0] if key is not None else None
        addressed = [{"message": number, "address": address, "state": state} for address in recipients]
        connection.execute(tables.recipient.insert(), addressed)
        # One statement a piece: together they might exceed what the database takes at once.
        for position, piece in enumerate(pieces):
            connection.execute(tables.piece.insert().values(message=number, position=position, sealed=piece))


def _check(terms: Terms) -> None:
    key = terms.idempotency_key
    if key is not None and (not key or len(key) > KEY_LENGTH or has_controls(key)):
        raise MessageRefused(
            _("An idempotency key is a text of 1 to %(limit)s characters without control characters.", limit=KEY_LENGTH)
        )
    if terms.lifetime_seconds is not None and terms.lifetime_seconds <= 0:
        raise MessageRefused(_("The message would expire before it could be sent."))
