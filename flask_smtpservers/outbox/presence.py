"""Which workers there are: each shows itself every few seconds."""

from __future__ import annotations

from sqlalchemy import delete, func, select, update

from .access import Access

#: A worker that has not shown itself for so many milliseconds is not counted, and after so many it is forgotten.
SILENT, FORGOTTEN = 60_000, 86_400_000


class Presence:
    """The workers of all processes."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def show(self, worker: str) -> None:
        """Note that a worker is there."""
        table, now = self._access.tables.worker, self._access.clock()
        with self._access.writing() as connection:
            if connection.execute(update(table).where(table.c.id == worker).values(seen_at=now)).rowcount != 1:
                connection.execute(table.insert().values(id=worker, started_at=now, seen_at=now))
            connection.execute(delete(table).where(table.c.seen_at < now - FORGOTTEN))

    def leave(self, worker: str) -> None:
        """Note that a worker has gone."""
        table = self._access.tables.worker
        with self._access.writing() as connection:
            connection.execute(delete(table).where(table.c.id == worker))

    def count(self) -> int:
        """Return how many workers there are."""
        table, now = self._access.tables.worker, self._access.clock()
        with self._access.reading() as connection:
            seen = select(func.count()).select_from(table).where(table.c.seen_at > now - SILENT)
            return int(connection.execute(seen).scalar_one())
