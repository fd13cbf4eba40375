"""How a server stands: its place in the list, whether it is used, the default, suspended, and its address proved."""

from __future__ import annotations

from dataclasses import replace

from ..errors import InvalidServer, ServerChanged
from ..i18n import gettext as _
from ..permissions import APP, Scope
from ..safe_text import printable
from .mailboxes import address_key
from .profile import FIELDS, ServerProfile
from .switches import Switches


class Standing(Switches):
    """The part of :class:`~.store.ServerStore` that changes no settings of a server."""

    def make_default(
        self, public_id: str, *, version: int | None = None, scope: Scope = APP, actor: str = ""
    ) -> ServerProfile:
        """Make a server the one for mail that no other one is meant for.

        :raises InvalidServer: it is paused.
        """
        with self._change(actor, scope) as change:
            base = change.server(public_id, version)
            if not base.enabled:
                raise InvalidServer({"is_default": (paused(),)})
            fixed = self._fixed_default(scope)
            if fixed is not None:
                raise InvalidServer({"is_default": (default_is_fixed(fixed),)})
            if base.is_default:
                return base
            profile = change.update(base, replace(base, is_default=True))
            change.clear_default(but=public_id)
            change.record("default", profile, ("is_default",), before=base)
        return profile

    def set_enabled(
        self, public_id: str, enabled: bool, *, version: int | None = None, scope: Scope = APP, actor: str = ""
    ) -> ServerProfile:
        """Pause a server, or let it send: again, or for the first time if it is a draft.

        Like the first server that is added, a draft that is activated as the only server becomes the default.
        """
        with self._change(actor, scope) as change:
            base = change.server(public_id, version)
            if base.enabled is enabled:
                return base
            after = replace(base, enabled=enabled, draft=False)
            if base.draft and len(change.order()) == 1 and self._fixed_default(scope) is None:
                after = replace(after, is_default=True)
            profile = change.update(base, after)
            changed = [name for name in FIELDS if getattr(profile, name) != getattr(base, name)]
            change.record("enabled" if enabled else "paused", profile, changed, before=base)
        return profile

    def suspend(self, public_id: str, reason: str = "", *, scope: Scope = APP, actor: str = "") -> ServerProfile:
        """Let nothing go through a server until :meth:`resume`; its owner cannot undo that.

        :param reason: what its owner is told.
        """
        with self._change(actor, scope) as change:
            base = change.server(public_id)
            when = base.suspended_at or self._clock()
            after = replace(base, suspended_at=when, suspended_reason=printable(reason, 255))
            if after == base:
                return base
            profile = change.update(base, after)
            change.record("suspended", profile)
        return profile

    def resume(self, public_id: str, *, scope: Scope = APP, actor: str = "") -> ServerProfile:
        """Let mail go through a suspended server again."""
        with self._change(actor, scope) as change:
            base = change.server(public_id)
            if not base.suspended:
                return base
            profile = change.update(base, replace(base, suspended_at=None, suspended_reason=""))
            change.record("resumed", profile)
        return profile

    def verify_address(self, public_id: str, address: str, *, scope: Scope, actor: str = "") -> ServerProfile:
        """Note that a user has proved that the sending address of his server is his.

        :param address: the address that was proved.
        :raises ServerChanged: it is not the server's sending address any more.
        """
        with self._change(actor, scope) as change:
            base = change.server(public_id)
            if address_key(base.address) != address_key(address):
                raise ServerChanged(_("The sending address was changed meanwhile; it must be proved again."))
            if base.address_verified_at is not None:
                return base
            profile = change.update(base, replace(base, address_verified_at=self._clock()))
            change.record("verified", profile)
        return profile

    def move(self, public_id: str, offset: int, *, scope: Scope = APP, actor: str = "") -> ServerProfile:
        """Move a server up (-1) or down (+1) in the list; at its end it stays."""
        with self._change(actor, scope) as change:
            profile = change.server(public_id)
            order = change.order()
            before = order.index(public_id)
            after = max(0, min(before + offset, len(order) - 1))
            if after != before:
                order.insert(after, order.pop(before))
                change.arrange(order)
                change.record("moved", replace(profile, position=after), ("position",), before=profile)
        return replace(profile, position=after)

    def _fixed_default(self, scope: Scope) -> ServerProfile | None:
        """Return the server that the configuration makes the default of a scope."""
        return self.configured.default if scope == APP else None


def default_is_fixed(profile: ServerProfile) -> str:
    """Say why no other server can be the default."""
    return _("The app's configuration makes “%(name)s” the default.", name=profile.name)


def no_more() -> str:
    """Say why a user gets no other server while one of his is suspended."""
    return _("An administrator has suspended a server of yours; until it may send again, you cannot add another one.")


def paused() -> str:
    """Say why a paused server cannot be the default."""
    return _("A paused server cannot be the default; let it send first.")
