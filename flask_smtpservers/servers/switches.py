"""What is switched and assigned for a whole scope: sending, the ways to send, and the kinds of mail."""

from __future__ import annotations

from ..errors import ConfigurationError
from ..permissions import APP, Scope
from ..policy import Mode
from .lookup import OFF, ON, SENDING, mode_option
from .profile import ServerProfile
from .writer import ServerWriter


class Switches(ServerWriter):
    """The part of :class:`~.store.ServerStore` that concerns no single server."""

    def switch_sending(self, on: bool, *, scope: Scope = APP, actor: str = "") -> None:
        """Turn the master switch of the app, or that of a tenant. While one of them is off, only tests go out."""
        with self._change(actor, scope) as change:
            change.set_option(SENDING, ON if on else OFF)
            change.record("sending_on" if on else "sending_off", None)

    def switch_mode(self, mode: Mode, on: bool | None, *, scope: Scope = APP, actor: str = "") -> None:
        """Let a tenant use a way to send, or not; None goes back to what ``SMTPSERVERS_MODES`` says."""
        with self._change(actor, scope) as change:
            if on is None:
                change.clear_option(mode_option(mode))
            else:
                change.set_option(mode_option(mode), ON if on else OFF)
            change.record({True: "mode_on", False: "mode_off", None: "mode_usual"}[on], None, (mode,))

    def assign_kind(
        self, kind: str, server_id: str | None, *, scope: Scope = APP, actor: str = ""
    ) -> ServerProfile | None:
        """Choose the server for a kind of mail of the app or a tenant.

        :param server_id: one of the tenant's servers, or of the app's; None leaves the choice to the other rules.
        :raises ConfigurationError: there is no such kind of mail.
        :raises ServerNotFound: there is no such server in this scope.
        """
        if kind not in self._settings.kinds:
            raise ConfigurationError(f"SMTPSERVERS_KINDS names no kind of mail {kind[:64]!r}")
        with self._change(actor, scope) as change:
            chosen = change.assign(kind, server_id)
            change.record("kind", chosen, (kind,))
        return chosen
