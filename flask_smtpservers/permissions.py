"""What the host's ``access(action, scope)`` is asked: the actions by name, and the scope they apply to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Action(StrEnum):
    """What somebody wants to do; the value is the name that the host sees."""

    VIEW_SERVERS = "servers.view"
    """See the list of servers and a server's settings (never a secret)."""
    EDIT_SERVERS = "servers.edit"
    """Add, change, enable, pause, order and remove servers, and choose the default."""
    CHANGE_SECRETS = "servers.secrets"
    """Set or remove a server's password or client key."""
    TEST_SERVERS = "servers.test"
    """Run "Test SMTP Settings" and send a test message."""
    SWITCH_SENDING = "sending.switch"
    """Turn sending on or off: for the whole app, or for a tenant."""
    VIEW_CHECKS = "checks.view"
    """See the self-checks."""
    VIEW_HEALTH = "health.view"
    """See which servers work and which fail, as monitors read it."""
    MANAGE_PERSONAL = "personal.manage"
    """Have servers of one's own; asked only where ``SMTPSERVERS_PERSONAL`` is on."""
    SUSPEND_SERVERS = "servers.suspend"
    """Suspend servers, also those of users, and let them send again."""
    ASSIGN_KINDS = "kinds.assign"
    """Choose which server each kind of mail goes through."""
    EXPLAIN_ROUTES = "route.explain"
    """Ask which server would send a message, and read why the others would not."""
    VIEW_HISTORY = "history.view"
    """See who changed what and when."""
    SWITCH_MODES = "modes.switch"
    """Let a tenant use a way to send, or not; for whoever runs the app."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose settings an action concerns.

    :param tenant: the tenant's id, or None for the whole app.
    :param owner: the id of the user whose own server it is, or None for servers of the app.
    """

    tenant: str | None = None
    owner: str | None = None


#: The scope of the app's own servers.
APP = Scope()


class AccessPolicy(Protocol):
    """The host's word on who may do what. Anything but True denies."""

    def __call__(self, action: Action, scope: Scope, /) -> bool:
        """Say whether the person of the current request may perform ``action`` within ``scope``."""
        ...
