"""What becomes of a change that waits for its test: it is activated, or thrown away."""

from __future__ import annotations

from ..errors import ServerChanged
from ..i18n import gettext as _
from ..permissions import APP, Scope
from .profile import ServerProfile
from .proving import Proving
from .waiting import Waiting, read_waiting, waiting_ids


class Proposals(Proving):
    """The part of :class:`~.store.ServerStore` for changes that are not in use yet."""

    def waiting(self, public_id: str, *, scope: Scope = APP) -> Waiting | None:
        """Return the change of a server that waits for its test; None if there is none.

        :raises ServerNotFound: there is no server with this id.
        """
        return self._waiting(self.get(public_id, scope=scope))

    def latest(self, public_id: str, *, scope: Scope = APP) -> ServerProfile:
        """Return a server as it was saved last: with the change that waits, if there is one.

        :raises ServerNotFound: there is none with this id.
        """
        live = self.get(public_id, scope=scope)
        waiting = self._waiting(live)
        return waiting.profile if waiting is not None else live

    def waiting_ids(self, *, scope: Scope = APP) -> set[str]:
        """Name the servers of a scope for which a change waits, by their public ids."""
        with self._connections.reading() as reading:
            columns = self._readable(reading)
            if columns is None or not columns[self._tables.waiting.name]:
                return set()
            return waiting_ids(reading.connection, self._tables, scope)

    def activate(
        self, public_id: str, mark: str, *, forced: bool = False, scope: Scope = APP, actor: str = ""
    ) -> ServerProfile:
        """Let a server use the change that waits.

        :param mark: which change that is: :attr:`~.waiting.Waiting.mark`.
        :param forced: whether it has not passed a test.
        :raises ServerChanged: it was replaced, dropped or activated meanwhile.
        """
        with self._change(actor, scope) as change:
            live = change.server(public_id)
            waiting = _meant(change.waiting(live), mark)
            profile = change.update(live, waiting.profile)
            change.stop_waiting(public_id)
            change.record("forced" if forced else "activated", profile, waiting.fields, before=live)
        return profile

    def discard(self, public_id: str, mark: str, *, scope: Scope = APP, actor: str = "") -> ServerProfile:
        """Throw the change that waits away; the server goes on as it is.

        :raises ServerChanged: it was replaced, dropped or activated meanwhile.
        """
        with self._change(actor, scope) as change:
            live = change.server(public_id)
            waiting = _meant(change.waiting(live), mark)
            profile = change.update(live, live)
            change.stop_waiting(public_id)
            change.record("discarded", waiting.profile, waiting.fields, before=live)
        return profile

    def _waiting(self, live: ServerProfile) -> Waiting | None:
        with self._connections.reading() as reading:
            columns = self._readable(reading)
            if columns is None or not columns[self._tables.waiting.name]:
                return None
            return read_waiting(reading.connection, self._tables, live)


def _meant(waiting: Waiting | None, mark: str) -> Waiting:
    if waiting is None or waiting.mark != mark:
        raise ServerChanged(_("This change was replaced, used or dropped meanwhile."))
    return waiting
