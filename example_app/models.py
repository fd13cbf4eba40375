"""The shop's own tables. Those of Flask-SMTPServers join the same metadata by themselves."""

from __future__ import annotations

from flask_login import UserMixin
from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from .extensions import db

#: The branches of the shop: each may have SMTP servers of its own.
BRANCHES = {"harbour": "Harbour", "market": "Market Street"}


class User(UserMixin, db.Model):  # type: ignore[name-defined, misc]
    """Somebody who works in the shop.

    ``role`` is ``admin``, ``manager``, ``staff`` or ``trainee``; ``branch`` is empty for the head office.
    """

    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(80))
    email: Mapped[str] = mapped_column(String(254))
    role: Mapped[str] = mapped_column(String(10))
    branch: Mapped[str] = mapped_column(String(20))
    password_hash: Mapped[str] = mapped_column(String(255))

    @property
    def workplace(self) -> str:
        """Return the name of the branch, or "head office"."""
        return BRANCHES.get(self.branch, "head office")


class Customer(db.Model):  # type: ignore[name-defined, misc]
    """Somebody who gets the newsletter."""

    __tablename__ = "customer"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    address: Mapped[str] = mapped_column(String(254), unique=True)
