"""Setting up an app: what must be given, what happens by itself, and what each mistake is answered with."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from flask import Flask
from flask_mail import Mail, Message
from flask_sqlalchemy import SQLAlchemy

import flask_smtpservers
from flask_smtpservers import ConfigurationError, SMTPServers

from .apps import Host, hosting, server_fields
from .peers.mailbox import Mailbox


def bare_app(**config: Any) -> tuple[Flask, SQLAlchemy, Mail]:
    app = Flask("bare")
    app.config.update(SECRET_KEY="x", SQLALCHEMY_DATABASE_URI="sqlite://", **config)
    db, mail = SQLAlchemy(), Mail()
    db.init_app(app)
    mail.init_app(app)
    return app, db, mail


def allow(action: object, scope: object) -> bool:
    return True


def test_the_instance_serves_several_apps(mailbox: Mailbox) -> None:
    """One module-level instance; each app has its own servers."""
    smtp = SMTPServers()
    names = []
    for number in range(2):
        app, db, mail = bare_app(SMTPSERVERS_ALLOWED_NETWORKS="127.0.0.0/8")
        smtp.init_app(app, db=db, mail=mail, access=allow)
        with app.app_context():
            db.create_all()
            smtp.add_server(**server_fields(mailbox, name=f"Server {number}", host="127.0.0.1"))
            db.session.commit()
            names.append([server.name for server in smtp.servers()])
    assert names == [["Server 0"], ["Server 1"]]


def test_a_second_init_app_says_what_to_do() -> None:
    app, db, mail = bare_app()
    SMTPServers(app, db=db, mail=mail, access=allow)
    with pytest.raises(ConfigurationError, match="call init_app once"):
        SMTPServers().init_app(app, db=db, mail=mail, access=allow)


def test_without_access_nothing_starts() -> None:
    """Pages without a permission callback would be open or useless: the text shows how to write one."""
    app, db, mail = bare_app()
    with pytest.raises(ConfigurationError, match=r"access=lambda action, scope"):
        SMTPServers(app, db=db, mail=mail)
    assert "smtpservers" not in app.blueprints


def test_without_a_secret_key_the_pages_could_not_work() -> None:
    """Said when the app starts, not by an error page to the admin."""
    app, db, mail = bare_app()
    app.config["SECRET_KEY"] = None
    with pytest.raises(ConfigurationError, match="set SECRET_KEY"):
        SMTPServers(app, db=db, mail=mail, access=allow)


def test_without_pages_no_access_is_needed() -> None:
    app, db, mail = bare_app(SMTPSERVERS_PAGES=False)
    SMTPServers(app, db=db, mail=mail)
    assert "smtpservers" not in app.blueprints


def test_db_and_mail_are_found_by_themselves() -> None:
    """The three-line form: the app already has Flask-SQLAlchemy, and may not have Flask-Mail yet."""
    app = Flask("bare")
    app.config.update(SECRET_KEY="x", SQLALCHEMY_DATABASE_URI="sqlite://")
    SQLAlchemy(app)
    SMTPServers(app, access=allow)
    assert "mail" in app.extensions
    assert SMTPServers.hook_active(app)


def test_without_db_the_text_says_which_argument_is_missing() -> None:
    app = Flask("bare")
    app.config.update(SECRET_KEY="x")
    with pytest.raises(ConfigurationError, match="pass db="):
        SMTPServers(app, access=allow)


def test_options_without_an_app_are_not_swallowed() -> None:
    with pytest.raises(ConfigurationError, match=r"pass access to init_app"):
        SMTPServers(access=allow)


def test_the_prefix_is_the_hosts_choice() -> None:
    with hosting(init={"url_prefix": "/admin/mail"}) as host:
        assert host.app.test_client().get("/admin/mail/").status_code == 200


def test_before_the_tables_exist_mail_goes_out_and_the_page_says_what_to_do(mailbox: Mailbox, ca_file: Any) -> None:
    """Between deploying the code and running the migration nothing breaks."""
    with hosting(
        create_tables=False,
        ca_file=ca_file,
        MAIL_SERVER="127.0.0.1",
        MAIL_PORT=mailbox.plain,
        MAIL_DEFAULT_SENDER="app@example.test",
    ) as host:
        with host.app.app_context():
            host.mail.send(Message("Hello", recipients=["ann@example.test"], body="Hi"))
        page = host.app.test_client().get("/smtp/")
    assert [letter.recipients for letter in mailbox.letters] == [["ann@example.test"]]
    assert page.status_code == 200
    assert "flask db upgrade" in page.text


def test_with_no_server_mail_goes_through_the_apps_own_settings(mailbox: Mailbox, ca_file: Any) -> None:
    with hosting(ca_file=ca_file, MAIL_SERVER="localhost", MAIL_PORT=mailbox.plain) as host, host.app.app_context():
        host.mail.send(Message("Hello", recipients=["ann@example.test"], body="Hi"))
    assert mailbox.letters[0].sender == "app@example.test"


def test_the_public_methods(host: Host, mailbox: Mailbox) -> None:
    """Add, look, explain, send, check, edit, remove: what the README shows."""
    with host.app.app_context():
        server = host.smtp.add_server(**server_fields(mailbox))
        message = Message("Receipt", recipients=["ann@example.test", "bad@example.test"], body="Thanks")
        assert host.smtp.explain(message).server == server
        delivery = host.smtp.send(message)
        assert delivery.server_name == "Shop"
        assert [(r.address, r.outcome.value, r.code) for r in delivery.recipients] == [
            ("ann@example.test", "accepted", 250),
            ("bad@example.test", "refused", 550),
        ]
        assert delivery.queue_id == "Q1"
        assert [step.state.value for step in host.smtp.check(server)] == ["ok"] * 11
        assert host.smtp.edit_server(server.public_id, name="Till").name == "Till"
        host.smtp.remove_server(server.public_id)
        assert host.smtp.servers() == []
    assert mailbox.letters[0].message["From"] == "Corner Shop <shop@example.test>"


@pytest.mark.parametrize(
    "module",
    ["flask_smtpservers", "flask_smtpservers.smtp", "flask_smtpservers.diagnosis", "flask_smtpservers.providers"],
)
def test_the_lower_storeys_load_without_flask(module: str) -> None:
    """Anyone can use the SMTP client, the diagnosis and the presets alone."""
    heavy = ("flask", "sqlalchemy", "wtforms", "flask_mail")
    code = f"import sys, {module}; sys.exit(any(name in sys.modules for name in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_public_names() -> None:
    """What ``__all__`` promises can be imported, and nothing else is found."""
    for name in flask_smtpservers.__all__:
        assert getattr(flask_smtpservers, name).__name__ == name
    assert set(flask_smtpservers._HOMES) == set(flask_smtpservers.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Frobnicate'"):
        flask_smtpservers.Frobnicate  # noqa: B018
