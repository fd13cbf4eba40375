"""Corner Shop: a small Flask app whose admins set up its SMTP servers in the browser.

``make demo`` runs it. Every part that concerns Flask-SMTPServers is marked with "Flask-SMTPServers:".
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Flask, Response

from . import auth, seed, shop
from .extensions import csrf, db, login_manager, mail, migrate, smtp
from .keys import load_or_make_keys
from .postoffice import PostOffice

INSTANCE = Path(__file__).parent / "instance"
MIGRATIONS = str(Path(__file__).parent / "migrations")

# No inline script or style anywhere: the pages of Flask-SMTPServers need none either.
CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)


def create_app(instance: Path | str | None = None, *, office: PostOffice | None = None, **config: Any) -> Flask:
    """Make the app.

    :param instance: the folder of the database, the keys and the certificates.
    :param office: the built-in mail server, running or not.
    :param config: further settings.
    """
    app = Flask(__name__, instance_path=str(Path(instance or INSTANCE).resolve()))
    folder = Path(app.instance_path)
    folder.mkdir(parents=True, exist_ok=True)
    office = office or PostOffice(folder)

    app.config.update(
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder / 'shop.db'}",
        SESSION_COOKIE_SAMESITE="Lax",
        # The server that Flask-Mail knows. It sends whatever no server of the page "SMTP Servers" sends.
        MAIL_SERVER=office.host,
        MAIL_PORT=office.submission_port,
        MAIL_USE_TLS=True,
        MAIL_USERNAME=office.website.username,
        MAIL_PASSWORD=office.website.password,
        MAIL_DEFAULT_SENDER=("Corner Shop", "hello@corner-shop.test"),
        # Flask-SMTPServers: the built-in mail server stands on this machine and has a certificate of our own.
        SMTPSERVERS_APP_NAME="Corner Shop",
        SMTPSERVERS_ALLOWED_NETWORKS=["127.0.0.0/8", "::1/128"],
        SMTPSERVERS_ALLOWED_HOSTS=["localhost"],
        SMTPSERVERS_CA_FILE=str(office.ca_file),
        # Flask-SMTPServers: what kinds of mail the shop sends; see shop.py, which says the kind of each.
        SMTPSERVERS_KINDS={
            "receipts": "Receipts",
            "newsletter": {"label": "Newsletter", "bulk": True},
            "letters": {"label": "Letters to customers", "personal": True},
        },
        # Flask-SMTPServers: people may have a server of their own, in this demo only at the built-in mail server.
        SMTPSERVERS_PERSONAL=True,
        # Links that prove addresses lead to these hosts only; in production, set SMTPSERVERS_EXTERNAL_URL.
        TRUSTED_HOSTS=["127.0.0.1", "localhost"],
        SMTPSERVERS_PERSONAL_HOSTS=[f"{office.host}:{port}" for port in (office.submission_port, office.smtps_port)],
        # Flask-SMTPServers: its pages stand inside the shop's own frame and navigation.
        SMTPSERVERS_BASE_TEMPLATE="base.html",
        **load_or_make_keys(folder / "keys.json"),
    )
    app.config.update(config)

    db.init_app(app)
    migrate.init_app(app, db, directory=MIGRATIONS)
    csrf.init_app(app)
    login_manager.init_app(app)
    mail.init_app(app)
    # Flask-SMTPServers: this is all. Every mail.send() of the shop now goes through the right server.
    smtp.init_app(
        app,
        db=db,
        mail=mail,
        access=auth.may_manage_mail,
        owner=auth.current_user_name,
        tenant=auth.current_branch,
    )

    app.extensions["post_office"] = office
    app.register_blueprint(auth.blueprint)
    app.register_blueprint(shop.blueprint)
    app.cli.add_command(seed.seed_command)
    app.after_request(_harden)
    return app


def _harden(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    return response
