"""The hook into Flask-Mail: ``mail.send()`` goes out through the right server, and host code stays as it is.

Whatever way a host sends - a module-level ``Mail``, ``current_app.extensions["mail"]``, ``Mail(current_app)``, a batch
in ``with mail.connect()`` - it ends in Flask-Mail's ``connect()``, which makes Flask-Mail's own ``Connection`` and
offers no seam for another (pallets-eco/flask-mail issue 43). So that method is replaced, once per process; for apps
without this extension it does what it always did.
"""

from __future__ import annotations

import copy
import functools
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from types import TracebackType
from typing import Any
from weakref import WeakKeyDictionary

import flask_mail
from flask import Flask, current_app, has_app_context
from flask_mail import BadHeaderError, Connection, Mail, Message, email_dispatched, sanitize_address, sanitize_addresses

from .errors import ConfigurationError, MessageRefused
from .i18n import gettext as _
from .outbox.enqueue import Queued, Terms
from .secret import Secret
from .sending.builtin import BuiltIn
from .sending.checks import check_fields
from .sending.choice import Choice
from .sending.delivery import Delivery, Outcome, RecipientOutcome
from .sending.dispatch import Dispatcher, suppressed
from .sending.explanation import Explanation
from .sending.planning import Plan
from .sending.routing import Route
from .smtp.endpoint import Endpoint, Security
from .state import EXTENSION_KEY, AppState, state_of

__all__ = [
    "HeaderRefused",
    "HookState",
    "HookStatus",
    "Incomplete",
    "ServerConnection",
    "builtin_of",
    "builtin_profile",
    "deliver",
    "enqueue",
    "explain",
    "explanation",
    "hook_status",
    "install",
]


class HeaderRefused(MessageRefused, BadHeaderError):
    """A header of the message cannot be sent; also Flask-Mail's own error for that."""


class Incomplete(MessageRefused, AssertionError):
    """The message lacks recipients or a sender; also the ``AssertionError`` that Flask-Mail raises for that."""


class ServerConnection(Connection):
    """Flask-Mail's connection, through which each message finds its own server.

    Nothing is connected before the first message. Sessions belong to the app's pool, and stay open after the block.
    ``host`` stays None. If a caller puts an object there, messages go to its ``sendmail``, as in Flask-Mail.
    """

    def __init__(self, mail: Any, app: Flask) -> None:
        super().__init__(mail)
        self._app = app
        self._dispatcher = Dispatcher(
            app,
            state_of(app),
            _builtin_from(mail),
            entering=self._entering,
            debug=bool(mail.debug),
            messages=mail.max_emails if isinstance(mail.max_emails, int) and mail.max_emails > 0 else None,
        )

    def __enter__(self) -> ServerConnection:
        self.num_emails = 0
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if self.host is not None:
            # Whatever the server says to QUIT, it has taken what it has taken. SMTPException is an OSError.
            with suppress(OSError):
                self.host.quit()

    def configure_host(self) -> None:  # type: ignore[override]
        """Close the sessions. Hosts call this to connect anew; the next message does that by itself."""
        self._dispatcher.renew()

    def send(self, message: Message, envelope_from: str | tuple[str, str] | None = None) -> None:
        """Verify and send a message, as Flask-Mail does.

        :param envelope_from: the envelope sender, if it is to be another than the From address.
        :raises Incomplete: it has no recipients or no sender.
        :raises HeaderRefused: a header holds what it must not.
        :raises MessageRefused: it cannot be sent as it is for another reason.
        :raises SendError: no recipient was accepted.
        """
        self.deliver(message, envelope_from)

    def deliver(
        self, message: Message, envelope_from: str | tuple[str, str] | None = None, *, said: Choice | None = None
    ) -> Delivery:
        """Send a message like :meth:`send`, and return what became of it.

        :param said: what was said of it; otherwise what the ``using`` blocks around say.
        """
        plan = self._checked(message, said)
        if message.date is None:
            message.date = time.time()
        if self.host is not None:
            delivery = self._send_by_host(message, envelope_from)
        elif self.mail.suppress:
            delivery = suppressed(message, _("MAIL_SUPPRESS_SEND is on."))
        else:
            plan = plan or self._dispatcher.plan(message, said)
            delivery = self._send_as_planned(message, plan, envelope_from)
        if plan is None or plan.route is not None:
            email_dispatched.send(current_app._get_current_object(), message=message)  # type: ignore[attr-defined]
        self._count()
        return delivery

    def enqueue(self, message: Message, terms: Terms, *, said: Choice | None = None) -> Queued:
        """Verify a message like :meth:`send`, and write it into the outbox, in the host's transaction.

        :raises MessageRefused: it cannot be sent as it is.
        """
        self._checked(message, said)
        if message.date is None:
            message.date = time.time()
        plan, question = self._dispatcher.plan_for_later(message, said)
        shipment = self._dispatcher.written(message, plan, own_serialiser=_serialises_itself(message))
        route = None if self.mail.suppress else plan.route
        author = self._dispatcher.sender(plan).header.address
        queued = state_of(self._app).outbox.intake.put(shipment, terms, question, route, author)
        if not queued.again:
            email_dispatched.send(current_app._get_current_object(), message=message)  # type: ignore[attr-defined]
        return queued

    def plan(self, message: Message, said: Choice | None = None) -> Plan:
        """Choose the server for a message; nothing is sent.

        :raises MessageRefused: the server refuses the message's sender.
        """
        plan = self._dispatcher.plan(message, said)
        if plan.route is not None and plan.has_sender:
            self._dispatcher.sender(plan)
        return plan

    def explain(self, message: Message, said: Choice | None = None) -> Explanation:
        """Tell what would become of a message, also if it would not be sent; nothing is.

        :raises MessageRefused: the sender is no single address, or there is no such kind of mail.
        """
        return self._dispatcher.explain(message, said)

    def _checked(self, message: Message, said: Choice | None) -> Plan | None:
        """Check what Flask-Mail checks, in its order, and the rest of the fields as well.

        :returns: the plan, if it was needed to know whether there is a sender.
        """
        if not message.send_to:
            raise Incomplete(_("No recipients have been added"))
        plan = None
        if not message.sender:
            plan = self._dispatcher.plan(message, said)
            if not plan.has_sender:
                raise Incomplete(
                    _("The message does not specify a sender and a default sender has not been configured")
                )
        try:
            check_fields(message)
        except MessageRefused as error:
            raise HeaderRefused(str(error)) from error
        if _has_bad_headers(message):
            raise HeaderRefused(_("A header of the message holds a line break."))
        return plan

    def _send_as_planned(self, message: Message, plan: Plan, envelope_from: object) -> Delivery:
        own = _serialises_itself(message)
        return self._dispatcher.send(message, plan, envelope_from=envelope_from, own_serialiser=own)

    def _send_by_host(self, message: Message, envelope_from: str | tuple[str, str] | None) -> Delivery:
        """Use what the caller put into ``host``, in exactly the way in which Flask-Mail does."""
        refused = self.host.sendmail(  # type: ignore[union-attr]
            sanitize_address(envelope_from or message.sender),
            list(sanitize_addresses(message.send_to)),
            message.as_bytes(),
            message.mail_options,
            message.rcpt_options,
        )
        lost = refused if isinstance(refused, dict) else {}
        outcomes = (
            RecipientOutcome(address, Outcome.REFUSED if address in lost else Outcome.ACCEPTED)
            for address in sanitize_addresses(message.send_to)
        )
        return Delivery(server_name="", server_id=None, recipients=tuple(outcomes), message_id=message.msgId)

    def _count(self) -> None:
        """Count as Flask-Mail does. The pool sees to it that no session carries more than ``MAIL_MAX_EMAILS``."""
        self.num_emails += 1
        if self.num_emails == self.mail.max_emails:
            self.num_emails = 0

    def _entering(self) -> AbstractContextManager[Any]:
        """Return the app's context if another one, or none, is current; the one that is there keeps its db session."""
        here = has_app_context() and current_app._get_current_object() is self._app  # type: ignore[attr-defined]
        return nullcontext() if here else self._app.app_context()


def _serialises_itself(message: Message) -> bool:
    return any(getattr(type(message), name, None) is not getattr(Message, name) for name in ("as_bytes", "_message"))


def _has_bad_headers(message: Message) -> bool:
    """Ask the message itself; subclasses look at more. Without a sender of its own it could not answer."""
    if isinstance(message.sender, str | tuple):
        return message.has_bad_headers()
    asked = copy.copy(message)
    asked.sender = ""
    return asked.has_bad_headers()


# -- the hook itself


class HookState(StrEnum):
    """Whether mail of an app goes through its servers, and if not, what stands in the way."""

    ACTIVE = "active"
    NO_MAIL = "no_mail"
    """The app has no Flask-Mail."""
    TEST_DOUBLE = "test_double"
    """``app.extensions["mail"]`` is no object of Flask-Mail's; it is left alone."""
    REPLACED = "replaced"
    """Something else has replaced ``connect()`` after us, or a class of the host's overrides it."""
    OWN_CONNECTION = "own_connection"
    """The host has put a class of its own in the place of ``flask_mail.Connection``; it is left alone."""


@dataclass(frozen=True, slots=True)
class HookStatus:
    """What is known of the hook for one app.

    :param reinitialised: whether Flask-Mail was initialised again after us; its newer settings then count.
    :param suppressed: whether ``MAIL_SUPPRESS_SEND`` holds the mail back.
    :param debug: whether ``MAIL_DEBUG`` is on.
    """

    state: HookState
    reinitialised: bool = False
    suppressed: bool = False
    debug: bool = False

    @property
    def active(self) -> bool:
        """Whether mail of the app really goes through its servers."""
        return self.state is HookState.ACTIVE

    @property
    def own_connection_class(self) -> bool:
        """Whether a class of the host's own stands in the way."""
        return self.state in (HookState.OWN_CONNECTION, HookState.REPLACED)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What ``init_app`` found: Flask-Mail's settings object, and the class of the host's ``Mail``."""

    settings: object
    mail_class: type[Any]


_MARK = "__smtpservers__"
#: The base of Flask-Mail's ``Mail`` and of its settings object, which defines ``connect()``.
_MIXIN = next(base for base in Mail.__mro__ if "connect" in vars(base))
#: Flask-Mail's own class, which a host may have replaced.
_THEIRS = Connection
_lock = Lock()
_seen: WeakKeyDictionary[Flask, _Seen] = WeakKeyDictionary()


def install(app: Flask, mail: Mail | None = None) -> None:
    """Let mail of ``app`` go through its servers; give it Flask-Mail if it has none.

    :param mail: the app's Flask-Mail, initialised or not.
    """
    if "mail" not in app.extensions:
        (mail or Mail()).init_app(app)
    with _lock:
        for kind in (Mail, type(app.extensions["mail"])):
            owner: Any = next((base for base in kind.__mro__ if "connect" in vars(base)), None)
            if owner is not None and issubclass(owner, _MIXIN) and not _is_ours(vars(owner)["connect"]):
                owner.connect = _hooked(vars(owner)["connect"])
    _seen[app] = _Seen(app.extensions["mail"], type(mail) if mail is not None else Mail)


def _hooked(original: Callable[[Any], Connection]) -> Callable[[Any], Connection]:
    @functools.wraps(original)
    def connect(self: Any) -> Connection:
        app: Any = getattr(self, "app", None) or current_app
        app = getattr(app, "_get_current_object", lambda: app)()
        if not isinstance(app.extensions.get(EXTENSION_KEY), AppState) or not _is_flask_mails(app):
            return original(self)
        return ServerConnection(app.extensions["mail"], app)

    setattr(connect, _MARK, True)
    return connect


def _is_flask_mails(app: Flask) -> bool:
    """Whether the app's mail really is Flask-Mail, with its own connections: doubles and host classes are left alone.

    The type is asked, for a mock with a spec says what ``isinstance`` wants to hear.
    """
    return issubclass(type(app.extensions.get("mail")), _MIXIN) and flask_mail.Connection is _THEIRS


def _is_ours(function: Any) -> bool:
    """Whether a ``connect`` is ours or wraps ours."""
    while function is not None:
        if vars(function).get(_MARK) is True:
            return True
        function = getattr(function, "__wrapped__", None)
    return False


def hook_status(app: Flask) -> HookStatus:
    """Tell whether mail of ``app`` goes through its servers, and what is worth knowing about its Flask-Mail."""
    mail = app.extensions.get("mail")
    seen = _seen.get(app)
    if mail is None or seen is None:
        return HookStatus(HookState.NO_MAIL)
    if not issubclass(type(mail), _MIXIN):
        return HookStatus(HookState.TEST_DOUBLE)
    if flask_mail.Connection is not _THEIRS:
        state = HookState.OWN_CONNECTION
    elif all(_is_ours(kind.connect) for kind in (Mail, type(mail), seen.mail_class)):
        state = HookState.ACTIVE
    else:
        state = HookState.REPLACED
    return HookStatus(
        state,
        reinitialised=mail is not seen.settings,
        suppressed=bool(mail.suppress),
        debug=bool(mail.debug),
    )


# -- for those who ask


def deliver(message: Message, said: Choice | None = None) -> Delivery:
    """Send ``message`` with the current app, and return what became of it.

    :param said: what was said of it; otherwise what the ``using`` blocks around say, as for ``mail.send``.
    """
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    if not _is_flask_mails(app):
        app.extensions["mail"].send(message)
        return suppressed(message, _("The app's Flask-Mail has been replaced, and was given the message."))
    with ServerConnection(app.extensions["mail"], app) as connection:
        return connection.deliver(message, said=said)


def enqueue(message: Message, terms: Terms, said: Choice | None = None) -> Queued:
    """Write ``message`` into the outbox of the current app.

    :param said: what was said of it; otherwise what the ``using`` blocks around say.
    """
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    if not _is_flask_mails(app):
        app.extensions["mail"].send(message)
        return Queued("", str(message.msgId))
    with ServerConnection(app.extensions["mail"], app) as connection:
        return connection.enqueue(message, terms, said=said)


def explain(message: Message, said: Choice | None = None) -> Route:
    """Return the server that would send ``message``, and why; nothing is sent.

    :raises MessageRefused: sending is switched off, or the server refuses the message's sender.
    :raises ServerNotFound: no server may send it.
    """
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    plan = ServerConnection(app.extensions["mail"], app).plan(message, said)
    if plan.route is None:
        raise MessageRefused(_("Sending is switched off."))
    return plan.route


def explanation(sender: str | None, recipients: Sequence[str], said: Choice) -> Explanation:
    """Tell what would become of a message: like :func:`explain`, also if it would not be sent.

    :param sender: its own sender; None if it has none.
    :raises MessageRefused: the sender is no single address, or there is no such kind of mail.
    """
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    message = Message(recipients=[*recipients], sender=sender)
    return ServerConnection(app.extensions["mail"], app).explain(message, said)


def builtin_of(app: Flask) -> BuiltIn:
    """Return what the ``MAIL_*`` settings of ``app`` say about its own server.

    :raises ConfigurationError: the app has no Flask-Mail.
    """
    mail = app.extensions.get("mail")
    if mail is None:
        raise ConfigurationError(_("The app has no Flask-Mail: call Mail(app) first."))
    return _builtin_from(mail)


def builtin_profile(app: Flask) -> Endpoint:
    """Return the endpoint of the app's own server."""
    return builtin_of(app).endpoint(state_of(app).settings)


def _builtin_from(mail: Any) -> BuiltIn:
    """Read Flask-Mail's settings object, which some hosts change while they run."""
    security = Security.SSL if mail.use_ssl else Security.STARTTLS if mail.use_tls else Security.NONE
    return BuiltIn(
        host=str(mail.server or "127.0.0.1"),
        port=int(mail.port or security.usual_port),
        security=security,
        username=str(mail.username or ""),
        password=Secret(str(mail.password)) if mail.password else None,
        default_sender=mail.default_sender,
    )
