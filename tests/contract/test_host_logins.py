"""``flask_smtpservers.access``: real hosts with Flask-Login, Flask-Security and Flask-Principal, and who gets where."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask, session
from flask_login import LoginManager, UserMixin
from flask_mail import Mail
from flask_principal import Identity, Permission, Principal, RoleNeed
from flask_security import Security, SQLAlchemyUserDatastore
from flask_security.models import fsqla_v3
from flask_sqlalchemy import SQLAlchemy
from flask_wtf.csrf import generate_csrf

from flask_smtpservers import Scope, SMTPServers
from flask_smtpservers.access import flask_login_access, flask_principal_access, flask_security_access

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:flask_security", "ignore::DeprecationWarning:passlib"
)

#: Everybody: tenant and role.
PEOPLE = {
    "ann": ("acme", "admin"),
    "ben": ("bolt", "admin"),
    "cem": ("acme", ""),
    "dan": (None, "admin"),
    "eve": (None, "vendor"),
}


@dataclass
class House:
    """A host, and how somebody signs in."""

    app: Flask
    smtp: SMTPServers
    sign_in: Callable[[Any, str], None]

    def status(self, name: str, path: str = "/smtp/", **form: str) -> int:
        client = self.app.test_client()
        if name:
            self.sign_in(client, name)
        if form:
            return client.post(path, data={**form, "csrf_token": client.get("/token").text}).status_code
        return client.get(path).status_code

    def owners(self) -> list[str | None]:
        with self.app.app_context():
            return [server.owner for server in self.smtp.servers(scope=Scope())]


def made(app: Flask, db: SQLAlchemy, mail: Mail, arguments: Any, sign_in: Callable[[Any, str], None]) -> House:
    smtp = SMTPServers(app, db=db, mail=mail, **arguments)
    app.add_url_rule("/token", "token", generate_csrf)
    with app.app_context():
        db.create_all()
        smtp.add_server(name="Shared", host="mail.example.com", address="a@example.com")
        for tenant in ("acme", "bolt"):
            smtp.add_server(scope=Scope(tenant), name=tenant, host="mail.example.com", address=f"a@{tenant}.test")
        db.session.commit()
    return House(app, smtp, sign_in)


def bare(**config: Any) -> tuple[Flask, SQLAlchemy, Mail]:
    app = Flask("host")
    app.config.update(
        SECRET_KEY="x", SQLALCHEMY_DATABASE_URI="sqlite://", SMTPSERVERS_PERSONAL=True, WTF_CSRF_ENABLED=False, **config
    )
    return app, SQLAlchemy(app), Mail(app)


class Person(UserMixin):
    """A user of a host with Flask-Login."""

    def __init__(self, name: str) -> None:
        self.id = name
        self.tenant, self.role = PEOPLE[name]


def login_house(*, tenants: bool) -> House:
    app, db, mail = bare()
    LoginManager(app).user_loader(Person)
    arguments = flask_login_access(
        is_admin=lambda user: user.role == "admin",
        tenant=(lambda user: user.tenant) if tenants else None,
        runs_app=lambda user: user.role == "vendor",
    )

    def sign_in(client: Any, name: str) -> None:
        with client.session_transaction() as cookie:
            cookie["_user_id"] = name

    return made(app, db, mail, arguments, sign_in)


def security_house(*, tenants: bool) -> House:
    app, db, mail = bare(
        SECURITY_PASSWORD_SALT="salt",
        SECURITY_PASSWORD_HASH="plaintext",
        SECURITY_PASSWORD_SCHEMES=["plaintext"],
        SECURITY_EMAIL_VALIDATOR_ARGS={"check_deliverability": False, "test_environment": True},
    )
    fsqla_v3.FsModels.set_db_info(db)

    class Role(db.Model, fsqla_v3.FsRoleMixin):  # type: ignore[name-defined,misc]
        pass

    class User(db.Model, fsqla_v3.FsUserMixin):  # type: ignore[name-defined,misc]
        tenant = db.Column(db.String(20))

    users: Any = SQLAlchemyUserDatastore(db, User, Role)
    Security(app, users)
    arguments = flask_security_access(
        "admin", tenant=(lambda user: user.tenant) if tenants else None, app_role="vendor"
    )

    def sign_in(client: Any, name: str) -> None:
        client.post("/login", data={"email": f"{name}@example.test", "password": "long-enough-password"})

    house = made(app, db, mail, arguments, sign_in)
    with app.app_context():
        for name, (tenant, role) in PEOPLE.items():
            user = users.create_user(email=f"{name}@example.test", password="long-enough-password", tenant=tenant)
            if role:
                users.add_role_to_user(user, users.find_or_create_role(role))
        db.session.commit()
    return house


def principal_house(*, tenants: bool) -> House:
    app, db, mail = bare()
    principal = Principal(app, use_sessions=False)

    @principal.identity_loader
    def load() -> Identity | None:
        name = session.get("name")
        if name is None:
            return None
        identity = Identity(name)
        if PEOPLE[name][1]:
            identity.provides.add(RoleNeed(PEOPLE[name][1]))
        return identity

    arguments = flask_principal_access(
        Permission(RoleNeed("admin")),
        tenant=(lambda identity: PEOPLE[identity.id][0]) if tenants else None,
        app_permission=Permission(RoleNeed("vendor")),
    )

    def sign_in(client: Any, name: str) -> None:
        with client.session_transaction() as cookie:
            cookie["name"] = name

    return made(app, db, mail, arguments, sign_in)


HOUSES = {"login": login_house, "security": security_house, "principal": principal_house}


@pytest.fixture(params=HOUSES)
def library(request: pytest.FixtureRequest) -> Iterator[Callable[..., House]]:
    houses: list[House] = []

    def make(**options: bool) -> House:
        houses.append(HOUSES[request.param](**options))
        return houses[-1]

    yield make
    for house in houses:
        with house.app.app_context():
            db = house.app.extensions["sqlalchemy"]
            db.session.remove()
            db.engine.dispose()


def test_without_tenants_admins_look_after_the_apps_servers(library: Callable[..., House]) -> None:
    house = library(tenants=False)
    assert {name: house.status(name) for name in PEOPLE} == {"ann": 200, "ben": 200, "cem": 403, "dan": 200, "eve": 200}
    assert house.status("") in (302, 401, 403)


def test_with_tenants_each_admin_looks_after_his_own(library: Callable[..., House]) -> None:
    """An admin without a tenant is not the vendor for that."""
    house = library(tenants=True)
    with house.app.app_context():
        ids = {scope: house.smtp.servers(scope=Scope(scope))[0].public_id for scope in (None, "acme", "bolt")}
    found = {
        name: [house.status(name, f"/smtp/{ids[scope]}/edit") for scope in ("acme", "bolt", None)] for name in PEOPLE
    }
    assert found == {
        "ann": [200, 404, 404],
        "ben": [404, 200, 404],
        "cem": [403, 403, 403],
        "dan": [403, 403, 403],
        "eve": [404, 404, 200],
    }
    assert house.status("ann", "/smtp/check") == 403
    assert house.status("eve", "/smtp/check") == 200


def test_everybody_who_is_signed_in_has_servers_of_his_own(library: Callable[..., House]) -> None:
    house = library(tenants=True)
    assert {house.status(name, "/smtp/me") for name in PEOPLE} == {200}
    assert house.status("", "/smtp/me") in (302, 401, 403)


def test_who_it_was_stands_in_the_history(library: Callable[..., House]) -> None:
    house = library(tenants=False)
    with house.app.app_context():
        server = house.smtp.servers()[0]
    assert house.status("ann", f"/smtp/{server.public_id}/pause", go="1") == 303
    with house.app.app_context():
        (event, *_earlier) = house.app.extensions["smtpservers"].store.events(server.public_id)
    assert event.actor in ("ann", "1")


def test_a_user_of_flask_security_stays_who_he_is_when_his_password_changes() -> None:
    """Flask-Security's session id is another then; his servers must not be lost by it."""
    house = security_house(tenants=False)
    arguments = flask_security_access("admin")

    def who() -> str:
        return str(arguments["owner"]())

    house.app.add_url_rule("/who", "who", who)
    seen = []
    for _round in range(2):
        client = house.app.test_client()
        house.sign_in(client, "ann")
        seen.append(client.get("/who").text)
        with house.app.app_context():
            users = house.app.extensions["security"].datastore
            users.set_uniquifier(users.find_user(email="ann@example.test"))
            users.commit()
    assert seen == ["1", "1"]
    with house.app.app_context():
        db = house.app.extensions["sqlalchemy"]
        db.session.remove()
        db.engine.dispose()


def test_the_libraries_are_not_needed_to_import_this() -> None:
    libraries = ("flask_login", "flask_security", "flask_principal")
    code = f"import sys, flask_smtpservers.access; print(sys.modules.keys() & set({libraries}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
