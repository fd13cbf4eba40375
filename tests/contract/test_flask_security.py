"""Flask-Security's mail, over HTTP, goes through the stored server (product.md D1)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_mail import Mail
from flask_security import Security, SQLAlchemyUserDatastore
from flask_security.models import fsqla_v3
from flask_sqlalchemy import SQLAlchemy

from flask_smtpservers import SMTPServers

from ..apps import server_fields
from ..peers.mailbox import USERNAME, Mailbox

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:flask_security", "ignore::DeprecationWarning:passlib"
)


@pytest.fixture(params=[None, "app@example.test", ("The App, Ltd", "app@example.test")])
def app(request: pytest.FixtureRequest, mailbox: Mailbox, ca_file: Path) -> Iterator[Flask]:
    """A host with Flask-Security and one user; MAIL_DEFAULT_SENDER not set, a text, or a pair."""
    app = Flask("shop")
    app.config.update(
        SECRET_KEY="x",
        SECURITY_PASSWORD_SALT="salt",
        SECURITY_PASSWORD_HASH="plaintext",
        SECURITY_PASSWORD_SCHEMES=["plaintext"],
        SECURITY_RECOVERABLE=True,
        SECURITY_EMAIL_VALIDATOR_ARGS={"check_deliverability": False, "test_environment": True},
        SQLALCHEMY_DATABASE_URI="sqlite://",
        WTF_CSRF_ENABLED=False,
        SMTPSERVERS_ALLOWED_NETWORKS="127.0.0.0/8",
        SMTPSERVERS_ALLOWED_HOSTS="localhost",
        SMTPSERVERS_CA_FILE=str(ca_file),
    )
    if request.param is not None:
        app.config["MAIL_DEFAULT_SENDER"] = request.param
    db, mail = SQLAlchemy(app), Mail(app)
    fsqla_v3.FsModels.set_db_info(db)

    class Role(db.Model, fsqla_v3.FsRoleMixin):  # type: ignore[name-defined,misc]
        pass

    class User(db.Model, fsqla_v3.FsUserMixin):  # type: ignore[name-defined,misc]
        pass

    users: Any = SQLAlchemyUserDatastore(db, User, Role)
    Security(app, users)
    smtp = SMTPServers(app, db=db, mail=mail, access=lambda action, scope: True)
    with app.app_context():
        db.create_all()
        users.create_user(email="ann@example.test", password="old-password")
        smtp.add_server(**server_fields(mailbox))
        db.session.commit()
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def test_password_reset(app: Flask, mailbox: Mailbox) -> None:
    """Ask for the reset, take the link out of the mail that arrived, set a new password, sign in with it."""
    client = app.test_client()
    assert client.post("/reset", data={"email": "ann@example.test"}).status_code in (200, 302)
    (letter,) = mailbox.letters
    assert (letter.username, letter.encrypted) == (USERNAME, True)
    assert letter.message["From"] == "Corner Shop <shop@example.test>"
    assert letter.sender == "shop@example.test"
    assert letter.message["To"] == "ann@example.test"
    plain = letter.message.get_body(("plain",))
    assert plain is not None
    link = re.search(r"http://localhost(/reset/\S+)", plain.get_content())
    assert link is not None
    changed = client.post(link[1], data={"password": "new-password", "password_confirm": "new-password"})
    assert changed.status_code in (200, 302)
    assert "password" in str(mailbox.letters[-1].message["Subject"]).lower()
    client = app.test_client()
    signed_in = client.post("/login", data={"email": "ann@example.test", "password": "new-password"})
    assert signed_in.status_code == 302
