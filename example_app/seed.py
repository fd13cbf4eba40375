"""The people of the shop: two who work there and five who buy."""

from __future__ import annotations

from dataclasses import dataclass

import click
from flask.cli import with_appcontext
from sqlalchemy import select
from werkzeug.security import generate_password_hash

from .extensions import db
from .models import Customer, User


@dataclass(frozen=True)
class DemoLogin:
    """A login that the sign-in page shows; a real app shows none."""

    username: str
    password: str
    name: str
    role: str
    may: str


LOGINS = (
    DemoLogin("ada", "ada-demo", "Ada Admin", "admin", "may set up SMTP servers"),
    DemoLogin("sam", "sam-demo", "Sam Staff", "staff", "may send mail, not set up servers"),
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
        if db.session.scalar(select(User).filter_by(username=login.username)) is None:
            hashed = generate_password_hash(login.password)
            email = f"{login.username}@corner-shop.test"
            db.session.add(
                User(username=login.username, name=login.name, email=email, role=login.role, password_hash=hashed)
            )
    for name, address in CUSTOMERS.items():
        if db.session.scalar(select(Customer).filter_by(address=address)) is None:
            db.session.add(Customer(name=name, address=address))
    db.session.commit()


@click.command("seed")
@with_appcontext
def seed_command() -> None:
    """Add the demo logins and customers."""
    seed()
