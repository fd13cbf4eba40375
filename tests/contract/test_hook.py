"""The hook itself: put in once, out of the way of other apps, and able to tell whether it works."""

from __future__ import annotations

import inspect
from typing import Any
from unittest import mock

import flask_mail
import pytest
from flask import Flask
from flask_mail import Connection, Mail, Message

from flask_smtpservers import SMTPServers
from flask_smtpservers.mail import HookState, ServerConnection, hook_status, install

from ..apps import Host


def test_it_is_put_in_once(shop: Host) -> None:
    before = inspect.getattr_static(Mail, "connect")
    install(shop.app, shop.mail)
    install(shop.app)
    assert inspect.getattr_static(Mail, "connect") is before
    assert not hasattr(before.__wrapped__, "__wrapped__")


def test_it_looks_like_what_it_replaces(shop: Host) -> None:
    assert Mail.connect.__name__ == "connect"
    assert Mail.connect.__doc__ == "Opens a connection to the mail host."
    assert Mail.connect.__module__ == "flask_mail"


def test_other_apps_are_not_touched(shop: Host) -> None:
    """An app without the extension, in the same process."""
    other = Flask("other")
    other.config.update(TESTING=True, MAIL_DEFAULT_SENDER="x@example.test")
    mail = Mail(other)
    with other.app_context():
        assert type(mail.connect()) is Connection
        with mail.record_messages() as outbox:
            mail.send(Message("x", recipients=["a@example.test"]))
    assert len(outbox) == 1
    assert type(shop.mail.connect()) is ServerConnection


def test_something_else_under_our_key_is_not_ours() -> None:
    app = Flask("other")
    app.config["TESTING"] = True
    mail = Mail(app)
    app.extensions["smtpservers"] = object()
    with app.app_context():
        assert type(mail.connect()) is Connection


def test_the_extension_keeps_flask_mails_object(shop: Host) -> None:
    assert type(shop.app.extensions["mail"]) is flask_mail._Mail
    assert vars(shop.app.extensions["mail"]) == vars(
        shop.mail.init_mail(shop.app.config, shop.app.debug, shop.app.testing)
    )


def test_active(shop: Host) -> None:
    status = hook_status(shop.app)
    assert (status.state, status.active, status.reinitialised) == (HookState.ACTIVE, True, False)
    assert SMTPServers.hook_active(shop.app)
    assert not status.suppressed
    assert not status.debug


def test_what_flask_mail_is_set_to(shop: Host) -> None:
    shop.app.extensions["mail"].suppress = True
    shop.app.extensions["mail"].debug = 1
    status = hook_status(shop.app)
    assert status.suppressed
    assert status.debug


def test_initialised_again(shop: Host, mailbox: Any) -> None:
    """Flask-User and others make a second ``Mail(app)``; mail still goes through the stored server."""
    again = Mail(shop.app)
    status = hook_status(shop.app)
    assert (status.active, status.reinitialised) == (True, True)
    again.send(Message("x", recipients=["a@example.test"]))
    assert mailbox.letters[0].sender == "shop@example.test"


def test_a_double(shop: Host) -> None:
    shop.app.extensions["mail"] = mock.Mock(spec=Mail)
    assert hook_status(shop.app).state is HookState.TEST_DOUBLE


def test_replaced_by_another(shop: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mail, "connect", lambda self: None)
    status = hook_status(shop.app)
    assert (status.state, status.active, status.own_connection_class) == (HookState.REPLACED, False, True)


def test_wrapped_by_another(shop: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tracing library wraps what it finds; what it wraps is still ours."""
    import functools

    inner = inspect.getattr_static(Mail, "connect")

    @functools.wraps(inner)
    def traced(self: Any) -> Any:
        return inner(self)

    monkeypatch.setattr(Mail, "connect", traced)
    assert hook_status(shop.app).active
    before = inspect.getattr_static(Mail, "connect")
    install(shop.app, shop.mail)
    assert inspect.getattr_static(Mail, "connect") is before


def test_a_connection_class_of_the_hosts_own(shop: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flask_mail, "Connection", type("Own", (Connection,), {}))
    status = hook_status(shop.app)
    assert (status.state, status.own_connection_class) == (HookState.OWN_CONNECTION, True)


def test_a_mail_class_that_connects_by_itself() -> None:
    from flask_sqlalchemy import SQLAlchemy

    class HostMail(Mail):
        def connect(self) -> Connection:
            return Connection(self.state)

    app = Flask("x")
    app.config.update(SECRET_KEY="x", SQLALCHEMY_DATABASE_URI="sqlite://", SMTPSERVERS_PAGES=False)
    mail = HostMail(app)
    SMTPServers(app, db=SQLAlchemy(app), mail=mail)
    status = hook_status(app)
    assert (status.state, status.active) == (HookState.REPLACED, False)
    with app.app_context():
        assert type(mail.connect()) is Connection


def test_without_flask_mail_the_app_gets_one() -> None:
    from flask_sqlalchemy import SQLAlchemy

    app = Flask("x")
    app.config.update(SECRET_KEY="x", SQLALCHEMY_DATABASE_URI="sqlite://", SMTPSERVERS_PAGES=False)
    SMTPServers(app, db=SQLAlchemy(app))
    assert hook_status(app).active
    assert hook_status(Flask("y")).state is HookState.NO_MAIL


def test_a_mail_that_was_not_initialised_yet_is() -> None:
    """With what the host's own class makes of the settings."""
    from flask_sqlalchemy import SQLAlchemy

    class HostMail(Mail):
        def init_mail(self, config: Any, debug: Any = False, testing: bool = False) -> Any:
            state = super().init_mail(config, debug, testing)
            state.server = "smtp.host.test"
            return state

    app = Flask("x")
    app.config.update(SECRET_KEY="x", SQLALCHEMY_DATABASE_URI="sqlite://", SMTPSERVERS_PAGES=False)
    SMTPServers(app, db=SQLAlchemy(app), mail=HostMail())
    assert app.extensions["mail"].server == "smtp.host.test"
    assert hook_status(app).active
