"""What the extension keeps for one app, and how to reach it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from flask import Flask, current_app

from .config import Settings
from .errors import ConfigurationError
from .outbox.outbox import Outbox
from .permissions import AccessPolicy, Scope
from .providers.catalog import Catalog
from .sending.alarm import Alarms
from .servers import personal
from .servers.drafts import Drafts
from .servers.finder import Finder
from .servers.keyring import Keyring
from .servers.store import ServerStore
from .servers.trials import Trials
from .servers.turns import Turns
from .smtp.guard import Guard
from .smtp.network import Network
from .smtp.pool import Pool

#: The key in ``app.extensions``.
EXTENSION_KEY = "smtpservers"


@dataclass(slots=True, kw_only=True)
class AppState:
    """Everything of one app; lives in ``app.extensions["smtpservers"]``.

    :param catalog: the providers that this app knows and offers.
    :param pool: the open SMTP sessions.
    :param finder: finds servers from addresses.
    :param personal_finder: does so for users, as far as they may.
    :param access: the host's word on who may do what; None while the pages are switched off.
    :param owner: names the person of the current request (an id), or None for nobody.
    :param tenant: names the tenant of the current request, or None.
    :param verified_addresses: names the addresses that the host knows to be a user's, by his id.
    :param has_tenants: whether the host names tenants at all.
    :param alarms: what was sounded lately.
    """

    settings: Settings
    catalog: Catalog
    keyring: Keyring
    store: ServerStore
    drafts: Drafts
    trials: Trials
    turns: Turns
    outbox: Outbox
    guard: Guard
    network: Network
    pool: Pool
    finder: Finder
    personal_finder: Finder
    access: AccessPolicy | None
    owner: Callable[[], str | None]
    tenant: Callable[[], str | None]
    has_tenants: bool = False
    verified_addresses: Callable[[str], Iterable[str]]
    alarms: Alarms = field(default_factory=Alarms)

    def finder_for(self, scope: Scope) -> Finder:
        """Give what finds the servers of an address for those who look after a scope."""
        return self.personal_finder if scope.owner else self.finder

    def guard_for(self, owner: str, host: str, port: int) -> Guard:
        """Give what a server may connect to; less, if it is a user's own.

        :param owner: the user whose own server it is; empty for others.
        """
        return personal.guard(self.guard, host, port, self.settings) if owner else self.guard


def state_of(app: Flask | None = None) -> AppState:
    """Return the state of ``app``, or of the current app.

    :raises ConfigurationError: ``SMTPServers.init_app`` was not called for it.
    """
    state = (app or current_app).extensions.get(EXTENSION_KEY)
    if not isinstance(state, AppState):
        raise ConfigurationError("this app has no SMTPServers: call SMTPServers(app, db=db, mail=mail, access=...)")
    return state
