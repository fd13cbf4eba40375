"""The extension itself: ``init_app`` wires the storeys together, and every other method is one thought long."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask

from . import mail as hook
from .cli import smtp_commands
from .config import Settings
from .errors import ConfigurationError
from .findings import Step
from .permissions import AccessPolicy
from .sending.choice import using
from .sending.delivery import Delivery
from .sending.routing import Route
from .sending.trial import try_server
from .servers import models
from .servers.drafts import Drafts
from .servers.keyring import Keyring
from .servers.profile import ServerEvent, ServerProfile
from .servers.store import ServerStore
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
        if settings.pages and not settings.secret_keys:
            raise ConfigurationError(
                "set SECRET_KEY before SMTPServers is set up: the pages need it for their session and form tokens"
            )
        db = db or app.extensions.get("sqlalchemy")
        if db is None:
            raise ConfigurationError("pass db=..., the app's Flask-SQLAlchemy: SMTPServers(app, db=db, ...)")
        models.attach(db, app)
        keyring = Keyring(settings)
        app.extensions[EXTENSION_KEY] = AppState(
            settings=settings,
            keyring=keyring,
            store=ServerStore(db, settings, keyring, on_event=_announcer(app)),
            drafts=Drafts(db, keyring),
            guard=Guard(settings.allowed_networks, settings.allowed_hosts),
            network=network or SystemNetwork(),
            pool=Pool(_pool_limits(settings)),
            access=access,
            owner=_named(owner),
            tenant=_named(tenant),
        )
        hook.install(app, mail)
        app.cli.add_command(smtp_commands)
        if settings.pages:
            app.register_blueprint(make_blueprint(url_prefix))

    # -- sending
    using = staticmethod(using)

    def send(self, message: Message, *, using: str | None = None) -> Delivery:
        """Send ``message`` now and return what the server said of each recipient.

        :param using: the name of the server to use; otherwise it is chosen as for ``mail.send``.
        :raises SendError: no recipient was accepted.
        :raises MessageRefused: the message cannot be sent as it is.
        """
        return hook.deliver(message, using=using)

    def explain(self, message: Message, *, using: str | None = None) -> Route:
        """Return which server would send ``message``, and why the others would not; nothing is sent."""
        return hook.explain(message, using=using)

    # -- servers
    def servers(self) -> list[ServerProfile]:
        """Return the app's servers in their order."""
        return state_of().store.servers()

    def add_server(self, **fields: Any) -> ServerProfile:
        """Add a server; ``password="env:NAME"`` refers to an environment variable.

        :raises InvalidServer: one or more fields are wrong; nothing was written.
        """
        return state_of().store.add(fields, operator=True).profile

    def edit_server(self, server_id: str, /, **fields: Any) -> ServerProfile:
        """Change the given fields of a server; those not given stay.

        :raises PasswordRequired: its destination changes and the password was not given again.
        """
        return state_of().store.edit(server_id, fields, operator=True).profile

    def remove_server(self, server_id: str, /) -> None:
        """Remove a server with its secrets."""
        state_of().store.remove(server_id)

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
        return None if value is None else str(value)

    return name


def _announcer(app: Flask) -> Callable[[ServerEvent], None]:
    def announce(event: ServerEvent) -> None:
        server_changed.send(app, event=event)

    return announce
