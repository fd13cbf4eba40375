"""The extension itself: ``init_app`` wires the storeys together, and every other method is one thought long."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask

from . import mail as hook
from .cli import smtp_commands
from .config import Settings
from .errors import ConfigurationError
from .findings import Step
from .outbox.enqueue import Lifetime, Queued, terms
from .outbox.outbox import Outbox
from .permissions import APP, AccessPolicy, Scope
from .providers.catalog import Catalog, packaged
from .sending.choice import saying, using
from .sending.delivery import Delivery
from .sending.routing import Route
from .sending.trial import try_server
from .servers import models
from .servers.drafts import Drafts
from .servers.finder import Finder
from .servers.keyring import Keyring
from .servers.profile import ServerEvent, ServerProfile
from .servers.store import ServerStore
from .servers.trials import Trials
from .servers.turns import Turns
from .signals import server_changed
from .smtp.guard import Guard
from .smtp.network import Network, SystemNetwork
from .smtp.pool import Pool, PoolLimits
from .state import EXTENSION_KEY, AppState, state_of
from .web import make_blueprint

if TYPE_CHECKING:
    from flask_mail import Mail, Message
    from flask_sqlalchemy import SQLAlchemy

Callback = Callable[[], Any]


class SMTPServers:
    """SMTP servers that admins set up in the browser, and mail that goes out through them.

    ::

        db = SQLAlchemy()
        mail = Mail()
        smtp = SMTPServers()

        def create_app():
            app = Flask(__name__)
            db.init_app(app)
            mail.init_app(app)
            smtp.init_app(app, db=db, mail=mail, access=may_manage_mail)
            return app

    The instance holds no data of an app, so one instance serves several apps.
    The arguments are those of :meth:`init_app`, which is called at once if ``app`` is given.
    """

    def __init__(self, app: Flask | None = None, **options: Any) -> None:
        if app is not None:
            self.init_app(app, **options)
        elif options:
            raise ConfigurationError(
                f"pass {', '.join(options)} to init_app(app, ...): an instance without app keeps nothing"
            )

    def init_app(
        self,
        app: Flask,
        *,
        db: SQLAlchemy | None = None,
        mail: Mail | None = None,
        access: AccessPolicy | None = None,
        owner: Callback | None = None,
        tenant: Callback | None = None,
        verified_addresses: Callable[[str], Iterable[str]] | None = None,
        url_prefix: str = "/smtp",
        network: Network | None = None,
    ) -> None:
        """Set up ``app``: its tables, pages, commands, and the way its mail goes out.

        :param db: the app's Flask-SQLAlchemy; found by itself if it was initialised before.
        :param mail: the app's Flask-Mail; made if the app has none.
        :param access: ``access(action, scope) -> bool``, the host's word on who may do what
            (:class:`~flask_smtpservers.permissions.Action`, :class:`~flask_smtpservers.permissions.Scope`).
            Anything but True denies.
        :param owner: names the person of the current request, e.g. ``lambda: current_user.get_id()``.
        :param tenant: names the tenant of the current request.
        :param verified_addresses: names the mail addresses that the app knows to be a user's, by his id; for the others
            a user must prove that they are his before his own server sends from them.
        :param url_prefix: where the pages are.
        :param network: how hosts are resolved and connected to; tests and special networks pass their own.
        :raises ConfigurationError: called twice for one app, no ``access``, no ``db``, or a wrong setting.
        """
        if EXTENSION_KEY in app.extensions:
            raise ConfigurationError(
                "SMTPServers is already set up for this app: call init_app once, "
                "either SMTPServers(app, ...) or smtp.init_app(app, ...)"
            )
        settings = Settings.from_config(app.config, app_name=app.name)
        if settings.pages and not callable(access):
            raise ConfigurationError(
                "pass access=..., a function access(action, scope) that returns True for those who may manage mail, "
                "e.g. access=lambda action, scope: current_user.is_admin; or set SMTPSERVERS_PAGES = False"
            )
        if settings.personal and owner is None:
            raise ConfigurationError(
                "SMTPSERVERS_PERSONAL lets users have servers of their own, so say who they are: pass owner=..., "
                "e.g. owner=lambda: current_user.get_id()"
            )
        if settings.pages and not settings.secret_keys:
            raise ConfigurationError(
                "set SECRET_KEY before SMTPServers is set up: the pages need it for their session and form tokens"
            )
        db = db or app.extensions.get("sqlalchemy")
        if db is None:
            raise ConfigurationError("pass db=..., the app's Flask-SQLAlchemy: SMTPServers(app, db=db, ...)")
        models.attach(db, app)
        keyring = Keyring(settings)
        catalog = Catalog(settings.providers) if settings.providers else packaged()
        unknown = [one for one in settings.personal_providers if catalog.provider(one) is None]
        if unknown:
            raise ConfigurationError(f"SMTPSERVERS_PERSONAL_PROVIDERS: there is no provider {', '.join(unknown)}")
        guard = Guard(settings.allowed_networks, settings.allowed_hosts)
        network = network or SystemNetwork()
        app.extensions[EXTENSION_KEY] = AppState(
            settings=settings,
            catalog=catalog,
            keyring=keyring,
            store=ServerStore(db, settings, keyring, catalog=catalog, on_event=_announcer(app)),
            drafts=Drafts(db, keyring),
            trials=Trials(db),
            turns=Turns(db),
            outbox=Outbox(db, keyring),
            guard=guard,
            network=network,
            pool=Pool(_pool_limits(settings)),
            finder=Finder(settings, catalog, guard=guard, network=network),
            personal_finder=Finder(settings.for_users(), catalog, guard=Guard(), network=network),
            access=access,
            owner=_named(owner),
            tenant=_named(tenant),
            has_tenants=tenant is not None,
            verified_addresses=verified_addresses or _none_known,
        )
        hook.install(app, mail)
        app.cli.add_command(smtp_commands)
        if settings.pages:
            app.register_blueprint(make_blueprint(url_prefix))

    # -- sending
    using = staticmethod(using)

    def send(
        self,
        message: Message,
        *,
        using: str | None = None,
        kind: str | None = None,
        owner: object = None,
        tenant: object = None,
    ) -> Delivery:
        """Send ``message`` now and return what the server said of each recipient.

        :param using: the name of the server to use; otherwise it is chosen as for ``mail.send``.
        :param kind: the kind of mail, one of ``SMTPSERVERS_KINDS``.
        :param owner: the id of the user whose mail it is.
        :param tenant: the id of the tenant whose mail it is.
        :raises SendError: no recipient was accepted.
        :raises MessageRefused: the message cannot be sent as it is.
        :raises ServerNotFound: no server may send it.
        """
        return hook.deliver(message, saying(name=using, kind=kind, owner=owner, tenant=tenant))

    def enqueue(
        self,
        message: Message,
        *,
        using: str | None = None,
        kind: str | None = None,
        owner: object = None,
        tenant: object = None,
        idempotency_key: str | None = None,
        expires: Lifetime | None = None,
        priority: int = 0,
        at_most_once: bool = False,
    ) -> Queued:
        """Write ``message`` into the outbox, as part of the transaction of ``db.session``.

        Commit, and a worker (``flask smtp worker``) delivers it; roll back, and it is gone. It is checked, and its
        server is chosen, now; so what is wrong with it is raised here.

        :param using: the name of the server to use; otherwise it is chosen as for ``mail.send``.
        :param kind: the kind of mail, one of ``SMTPSERVERS_KINDS``.
        :param owner: the id of the user whose mail it is.
        :param tenant: the id of the tenant whose mail it is.
        :param idempotency_key: a text of which the tenant has one message only: with the same key it is written once.
        :param expires: how long it is tried: a timedelta, or seconds; two days if not given.
        :param priority: of those that are due, the highest come first.
        :param at_most_once: if nobody can know whether a server took it, do not send it again but ask a person.
        :raises MessageRefused: the message cannot be sent as it is.
        :raises ServerNotFound: no server may send it.
        :raises StoreUnavailable: the database failed.
        """
        said = saying(name=using, kind=kind, owner=owner, tenant=tenant)
        return hook.enqueue(message, terms(idempotency_key, expires, priority, at_most_once), said)

    def explain(
        self,
        message: Message,
        *,
        using: str | None = None,
        kind: str | None = None,
        owner: object = None,
        tenant: object = None,
    ) -> Route:
        """Return which server would send ``message``, and why the others would not; nothing is sent.

        The arguments, and what is raised, are those of :meth:`send`.
        """
        return hook.explain(message, saying(name=using, kind=kind, owner=owner, tenant=tenant))

    # -- servers
    def servers(self, *, scope: Scope = APP) -> list[ServerProfile]:
        """Return the servers of the app in their order, or those of a tenant or user."""
        return state_of().store.servers(scope=scope)

    def add_server(self, *, scope: Scope = APP, **fields: Any) -> ServerProfile:
        """Add a server; ``password="env:NAME"`` refers to an environment variable.

        :param scope: whose server it is; the app's, unless it says otherwise.
        :raises InvalidServer: one or more fields are wrong; nothing was written.
        """
        return state_of().store.add(fields, scope=scope, operator=True).profile

    def edit_server(self, server_id: str, /, *, scope: Scope = APP, **fields: Any) -> ServerProfile:
        """Change the given fields of a server; those not given stay.

        :raises PasswordRequired: its destination changes and the password was not given again.
        :raises ServerNotFound: there is none with this id in this scope.
        """
        return state_of().store.edit(server_id, fields, scope=scope, operator=True).profile

    def remove_server(self, server_id: str, /, *, scope: Scope = APP) -> None:
        """Remove a server with its secrets."""
        state_of().store.remove(server_id, scope=scope)

    def remove_servers(self, *, scope: Scope) -> None:
        """Remove all servers of a tenant or a user, with their secrets: call it when you delete him."""
        state_of().store.remove_all(scope=scope)

    def check(self, server: ServerProfile | Mapping[str, Any], *, recipient: str = "") -> Iterator[Step]:
        """Test a server, stored or given by its fields; yield each step as it ends.

        :param recipient: where the test message goes; without it nothing is sent.
        """
        return try_server(state_of(), server, recipient=recipient, operator=True)

    @staticmethod
    def hook_active(app: Flask) -> bool:
        """Whether mail of ``app`` really goes through this extension."""
        return hook.hook_status(app).active


def _pool_limits(settings: Settings) -> PoolLimits:
    return PoolLimits(
        per_server=settings.pool_size,
        idle_seconds=settings.pool_idle_seconds,
        age_seconds=settings.pool_age_seconds,
        messages=settings.pool_messages,
        idle_total=settings.pool_idle_total,
    )


def _named(callback: Callback | None) -> Callable[[], str | None]:
    """Make the host's callback return a text or None, whatever type its ids have."""

    def name() -> str | None:
        value = callback() if callback is not None else None
        return None if value is None else str(value) or None

    return name


def _none_known(_owner: str) -> Iterable[str]:
    return ()


def _announcer(app: Flask) -> Callable[[ServerEvent], None]:
    def announce(event: ServerEvent) -> None:
        server_changed.send(app, event=event)

    return announce
