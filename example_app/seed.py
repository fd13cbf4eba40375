"""The people of the shop: five who work there and five who buy; and, if wanted, the servers of the shop."""

from __future__ import annotations

from dataclasses import dataclass

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy import select
from werkzeug.security import generate_password_hash

from flask_smtpservers import Scope

from .extensions import db, smtp
from .models import BRANCHES, Customer, User
from .postoffice import Account, PostOffice


@dataclass(frozen=True)
class DemoLogin:
    """A login that the sign-in page shows; a real app shows none."""

    username: str
    password: str
    name: str
    role: str
    branch: str
    may: str

    @property
    def who(self) -> str:
        return f"{self.name}, {BRANCHES.get(self.branch, 'head office')}: {self.may}"


LOGINS = (
    DemoLogin("ada", "ada-demo", "Ada Admin", "admin", "", "sets up the shop's SMTP servers"),
    DemoLogin("mia", "mia-demo", "Mia Manager", "manager", "harbour", "sets up those of her branch"),
    DemoLogin("max", "max-demo", "Max Manager", "manager", "market", "sets up those of his branch"),
    DemoLogin("sam", "sam-demo", "Sam Staff", "staff", "harbour", "may have an SMTP server of his own"),
    DemoLogin("tom", "tom-demo", "Tom Trainee", "trainee", "market", "sends mail and sets up nothing"),
)

CUSTOMERS = {
    "Grace Hopper": "grace@example.com",
    "Alan Turing": "alan@example.com",
    "Doe, John": "john@example.com",
    "Zoë Müller": "zoe@example.com",
    "Edsger Dijkstra": "edsger@example.com",
}


def seed() -> None:
    """Put the people in, unless they are there already."""
    for login in LOGINS:
        if _user(login.username) is None:
            db.session.add(
                User(
                    username=login.username,
                    name=login.name,
                    email=f"{login.username}@corner-shop.test",
                    role=login.role,
                    branch=login.branch,
                    password_hash=generate_password_hash(login.password),
                )
            )
    for name, address in CUSTOMERS.items():
        if db.session.scalar(select(Customer).filter_by(address=address)) is None:
            db.session.add(Customer(name=name, address=address))
    db.session.commit()


def seed_servers() -> None:
    """Set up what a visitor would set up by hand: a server of the shop, one of each branch, and Sam's own.

    Whoever has a server already keeps what he has.
    """
    office: PostOffice = current_app.extensions["post_office"]
    _add(Scope(), "Corner Shop", "orders@corner-shop.test", office.shop)
    _add(Scope("harbour"), "Corner Shop Harbour", office.harbour.username, office.harbour)
    _add(Scope("market"), "Corner Shop Market Street", office.market.username, office.market)
    sam = _user("sam")
    if sam is not None:
        _add(Scope(sam.branch, sam.username), sam.name, sam.email, office.sam)
    db.session.commit()


def _add(scope: Scope, name: str, address: str, account: Account) -> None:
    office: PostOffice = current_app.extensions["post_office"]
    if not smtp.servers(scope=scope):
        smtp.add_server(
            scope=scope,
            name=name,
            host=office.host,
            port=office.submission_port,
            security="starttls",
            username=account.username,
            password=account.password,
            address=address,
            sender_name=name,
        )


def _user(username: str) -> User | None:
    return db.session.scalar(select(User).filter_by(username=username))


@click.command("seed")
@click.option("--servers", is_flag=True, help="Add SMTP servers of the shop, its branches and Sam as well.")
@with_appcontext
def seed_command(*, servers: bool) -> None:
    """Add the demo logins and customers."""
    seed()
    if servers:
        seed_servers()
