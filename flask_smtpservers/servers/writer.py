"""The ground on which the store changes anything: one change at a time, told to whoever listens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ..config import Settings
from ..permissions import APP, Scope
from ..providers.catalog import Catalog
from .change import Change
from .keyring import Keyring
from .profile import ServerEvent
from .reader import ServerReader

if TYPE_CHECKING:
    from flask_sqlalchemy import SQLAlchemy


#: The change that the block around makes, and the store that it belongs to.
_around: ContextVar[tuple[ServerWriter, Change] | None] = ContextVar("smtpservers_change", default=None)


class ServerWriter(ServerReader):
    """What every kind of change has in common."""

    def __init__(
        self,
        db: SQLAlchemy,
        settings: Settings,
        keyring: Keyring,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        on_event: Callable[[ServerEvent], None] | None = None,
        environment: Mapping[str, str] | None = None,
        catalog: Catalog | None = None,
    ) -> None:
        super().__init__(db, settings, keyring, clock, environment=environment, catalog=catalog)
        self._on_event = on_event

    def commit(self) -> None:
        """Commit the host's session if a change of ours is part of its open transaction; otherwise do nothing."""
        self._connections.commit()

    @contextmanager
    def together(self, *, scope: Scope = APP, actor: str = "") -> Iterator[Change]:
        """Make one change of all changes in the block, which must be of this scope: all are written, or none."""
        with self._change(actor, scope) as change:
            token = _around.set((self, change))
            try:
                yield change
            finally:
                _around.reset(token)

    @contextmanager
    def _change(self, actor: str, scope: Scope = APP) -> Iterator[Change]:
        around = _around.get()
        if around is not None and around[0] is self:
            if around[1].scope != scope:
                raise ValueError("the changes that are made together must be of one scope")
            yield around[1]
            return
        with self._connections.writing() as connection:
            self._schema.require(connection)
            change = Change(
                connection,
                self._tables,
                now=self._clock(),
                actor=actor,
                scope=scope,
                history_days=self._settings.history_days,
                configured=self.configured,
            )
            yield change
        if self._on_event is not None:
            for event in change.events:
                self._on_event(event)
