"""How the store reaches the database: on the host's transaction if one is open, otherwise by itself.

A second connection beside an open transaction of the host would deadlock on SQLite, wait in vain with a pool of one,
and on in-memory SQLite, where there is only one connection, roll back what the host has flushed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError, InvalidRequestError, SQLAlchemyError
from sqlalchemy.orm import Session

from ..errors import StoreUnavailable
from ..i18n import gettext as _
from .models import Tables

if TYPE_CHECKING:
    from flask_sqlalchemy import SQLAlchemy

#: Where a session remembers the transaction in which it carries a write of ours.
_JOINED = "smtpservers_joined"


@dataclass(frozen=True, slots=True)
class Reading:
    """A connection to read from, and whether its transaction is ours, so that it may be ended after an error."""

    connection: Connection
    ours: bool


class Connections:
    """Connections for short reads and writes, within the caller's app context."""

    def __init__(self, db: SQLAlchemy, tables: Tables) -> None:
        self._db = db
        self._tables = tables

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Lend a connection for Core statements that only read. Nothing of the host is flushed or ended.

        :raises StoreUnavailable: the database failed.
        """
        with _translated(_("The database could not be read.")):
            session = self._session()
            bind = self._bind(session)
            lent = _host_connection(session, bind)
            if lent is None and isinstance(bind, Connection):
                lent = bind
            with self._doubting(bind), _lent(lent) if lent is not None else _own(bind.engine) as reading:
                yield reading

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Lend a connection for one change: all of it is written at the end of the block, or nothing.

        On the host's open transaction it becomes lasting when the host commits, see :meth:`commit`.

        :raises StoreUnavailable: the database failed.
        """
        with _translated(_("The database failed, so nothing was written. Try again.")):
            session = self._session()
            bind = self._bind(session)
            with self._doubting(bind):
                if session.in_transaction() and session.is_active:
                    connection = session.connection(bind_arguments={"bind": bind})
                    with _savepoint(connection):
                        yield connection
                    session.info[_JOINED] = session.get_transaction()
                elif isinstance(bind, Engine):
                    with bind.begin() as connection:
                        yield connection
                else:
                    with _savepoint(bind) if bind.in_transaction() else bind.begin():
                        yield bind

    @contextmanager
    def joining(self) -> Iterator[Connection]:
        """Lend the connection of the host's session for one change that becomes lasting with the host's next commit.

        If the session has no transaction yet, this begins it. Nothing of the host is flushed.

        :raises StoreUnavailable: the database failed; nothing was written.
        """
        with _translated(_("The database failed, so nothing was written. Try again.")):
            session = self._session()
            bind = self._bind(session)
            with self._doubting(bind):
                connection = session.connection(bind_arguments={"bind": bind})
                with _savepoint(connection):
                    yield connection

    def commit(self) -> None:
        """Commit the host's session if a write of ours is part of its open transaction.

        :raises StoreUnavailable: that failed; everything was rolled back.
        """
        session = self._session()
        joined = session.info.pop(_JOINED, None)
        if joined is None or joined is not session.get_transaction():
            return
        with _translated(_("The database failed, so nothing was written. Try again.")):
            try:
                session.commit()
            except BaseException:
                session.rollback()
                raise

    @contextmanager
    def _doubting(self, bind: Engine | Connection) -> Iterator[None]:
        """After a failure, do not take for granted any longer that the tables are complete."""
        try:
            yield
        except IntegrityError:
            raise  # the table that says so is there
        except SQLAlchemyError:
            self._tables.complete.discard(bind.engine)
            raise

    def _session(self) -> Session:
        return self._db.session()

    def _bind(self, session: Session) -> Engine | Connection:
        # Asking the session honours hosts that route it, or bind it to a connection of their test suite.
        return session.get_bind(clause=self._tables.server)


def _host_connection(session: Session, bind: Engine | Connection) -> Connection | None:
    """Return the connection that the host's session holds in a transaction, if it has one open."""
    if not session.in_transaction():
        return None
    if session.is_active:
        try:
            return session.connection(bind_arguments={"bind": bind})
        except InvalidRequestError:
            pass  # some hooks of the session lie between its states
    # A flush has failed and the host has not rolled back yet, or we are in an after_commit hook. The session then
    # gives no connection out, yet keeps it from the pool. There is no public way to it; without it, we ask the pool.
    held = getattr(session.get_transaction(), "_connections", {}).get(bind)
    return held[0] if held else None


@contextmanager
def _own(engine: Engine) -> Iterator[Reading]:
    with engine.connect() as connection:
        yield Reading(connection, ours=True)


@contextmanager
def _lent(connection: Connection) -> Iterator[Reading]:
    """Use a connection of the host; a transaction that it did not have before is ended again."""
    began = not connection.in_transaction()
    try:
        yield Reading(connection, ours=began)
    finally:
        if began and connection.in_transaction():
            connection.rollback()


@contextmanager
def _savepoint(connection: Connection) -> Iterator[None]:
    raw = connection.connection.dbapi_connection
    if connection.dialect.name == "sqlite" and not getattr(raw, "in_transaction", True):
        # Python's driver begins a transaction at the first INSERT only. A savepoint outside of one would itself be
        # the transaction, and its release a commit that the host could not take back.
        connection.exec_driver_sql("BEGIN")
    with connection.begin_nested():
        yield


@contextmanager
def _translated(sentence: str) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise StoreUnavailable(sentence) from error
