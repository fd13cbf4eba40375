"""What the extension keeps for one app, and how to reach it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask, current_app

from .config import Settings
from .errors import ConfigurationError
from .permissions import AccessPolicy
from .servers.drafts import Drafts
from .servers.keyring import Keyring
from .servers.store import ServerStore
from .smtp.guard import Guard
from .smtp.network import Network
from .smtp.pool import Pool

#: The key in ``app.extensions``.
EXTENSION_KEY = "smtpservers"


@dataclass(slots=True, kw_only=True)
class AppState:
    """Everything of one app; lives in ``app.extensions["smtpservers"]``.

    :param pool: the open SMTP sessions.
    :param access: the host's word on who may do what; None while the pages are switched off.
    :param owner: names the person of the current request (an id), or None for nobody.
    :param tenant: names the tenant of the current request, or None.
    """

    settings: Settings
    keyring: Keyring
    store: ServerStore
    drafts: Drafts
    guard: Guard
    network: Network
    pool: Pool
    access: AccessPolicy | None
    owner: Callable[[], str | None]
    tenant: Callable[[], str | None]


def state_of(app: Flask | None = None) -> AppState:
    """Return the state of ``app``, or of the current app.

    :raises ConfigurationError: ``SMTPServers.init_app`` was not called for it.
    """
    state = (app or current_app).extensions.get(EXTENSION_KEY)
    if not isinstance(state, AppState):
        raise ConfigurationError("this app has no SMTPServers: call SMTPServers(app, db=db, mail=mail, access=...)")
    return state
