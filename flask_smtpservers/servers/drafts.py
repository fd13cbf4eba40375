"""Unsaved settings that were tested: kept for a quarter of an hour, encrypted, for one person in one browser session.

So "Save and activate" and one-click corrections need no JavaScript, and the password never goes back to the browser.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from ..errors import SecretUnreadable
from ..safe_text import has_controls
from ..secret import Secret
from .connections import Connections
from .keyring import Keyring
from .models import attach
from .rows import naive
from .schema import Schema

if TYPE_CHECKING:
    from flask_sqlalchemy import SQLAlchemy

LIFETIME = timedelta(minutes=15)

_MARK = "$secret"


class Drafts:
    """Keeps values of a form for a short time, within the caller's app context.

    Every method raises :class:`~flask_smtpservers.errors.StoreUnavailable` if the database fails. On the host's open
    transaction, what is kept becomes lasting with the host's commit or ``ServerStore.commit()``.

    :param clock: the time now, in UTC.
    """

    def __init__(
        self, db: SQLAlchemy, keyring: Keyring, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._keyring = keyring
        self._clock = clock
        self._tables = attach(db)
        self._schema = Schema(self._tables)
        self._connections = Connections(db, self._tables)

    def keep(self, values: Mapping[str, Any], *, binding: str) -> str:
        """Keep values until they are taken or a quarter of an hour is over; others' expired ones are deleted.

        :param values: Secrets, and whatever JSON can hold, by field name.
        :param binding: whose they are: only who gives the same again gets them.
        :returns: the id of the draft, for a hidden field.
        """
        draft_id = secrets.token_urlsafe(24)
        now = self._clock()
        payload = json.dumps({name: _plain(value) for name, value in values.items()})
        table = self._tables.draft
        row = {
            "id": draft_id,
            "binding": _digest(binding),
            "payload": self._keyring.seal(Secret(payload), _context(draft_id, binding)),
            "expires_at": naive(now + LIFETIME),
        }
        with self._connections.writing() as connection:
            self._schema.require(connection)
            connection.execute(table.delete().where(table.c.expires_at <= naive(now)))
            connection.execute(table.insert().values(row))
        return draft_id

    def take(self, draft_id: str, *, binding: str) -> Mapping[str, Any] | None:
        """Return kept values; None if there are none for this id and binding, or not any more.

        They stay until they are forgotten, so that a page can be reloaded.
        """
        if has_controls(draft_id):  # PostgreSQL refuses to compare NUL
            return None
        table = self._tables.draft
        with self._connections.reading() as reading:
            if not self._schema.known_complete(reading.connection) and self._schema.missing_tables(reading.connection):
                return None
            row = reading.connection.execute(
                select(table.c.payload).where(
                    table.c.id == draft_id,
                    table.c.binding == _digest(binding),
                    table.c.expires_at > naive(self._clock()),
                )
            ).first()
        if row is None:
            return None
        try:
            payload = self._keyring.open(row.payload, _context(draft_id, binding))
        except SecretUnreadable:  # the key was changed meanwhile; the person types it again
            return None
        return {name: _value(value) for name, value in json.loads(payload.reveal()).items()}

    def forget(self, draft_id: str) -> None:
        """Delete a draft, once it was saved; expired ones go with it."""
        if has_controls(draft_id):
            return
        table = self._tables.draft
        now = naive(self._clock())
        with self._connections.writing() as connection:
            self._schema.require(connection)
            connection.execute(table.delete().where((table.c.id == draft_id) | (table.c.expires_at <= now)))


def _plain(value: Any) -> Any:
    return {_MARK: value.reveal()} if isinstance(value, Secret) else value


def _value(value: Any) -> Any:
    return Secret(value[_MARK]) if isinstance(value, dict) and set(value) == {_MARK} else value


def _context(draft_id: str, binding: str) -> tuple[str, ...]:
    return ("draft", draft_id, _digest(binding))


def _digest(binding: str) -> str:
    return sha256(binding.encode("utf-8", "surrogatepass")).hexdigest()
