"""The ways of sending that are compared: one module for each library, all with the interface of :mod:`.base`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .base import Peer


class Entry(NamedTuple):
    """Where a peer is, and how the report names it."""

    module: str
    name: str
    title: str
    #: the distribution whose version the report shows
    package: str
    #: whether its connections last from message to message
    keeps: bool
    ours: bool = False


#: In the order of the report. The first is what the others are compared with.
PEERS = {
    entry.name: entry
    for entry in [
        Entry("flaskmail", "flask-mail", "Flask-Mail `mail.send()`", "flask-mail", keeps=False),
        Entry("mailman", "flask-mailman", "Flask-Mailman `send()`", "flask-mailman", keeps=False),
        Entry("djangomail", "django", "Django `send()`", "django", keeps=False),
        Entry("flaskmail", "flask-mail-connect", "Flask-Mail `with mail.connect()`", "flask-mail", keeps=True),
        Entry("djangomail", "django-open", "Django, connection kept open", "django", keeps=True),
        Entry("stdlib", "smtplib-open", "smtplib, connection kept open", "python", keeps=True),
        Entry("aio", "aiosmtplib-open", "aiosmtplib, connection kept open", "aiosmtplib", keeps=True),
        Entry("node", "nodemailer", "nodemailer, pool", "nodemailer", keeps=True),
        Entry("ours", "ours", "**Flask-SMTPServers `mail.send()`**", "flask-smtpservers", keeps=True, ours=True),
        Entry(
            "ours",
            "ours-connect",
            "**Flask-SMTPServers `with mail.connect()`**",
            "flask-smtpservers",
            keeps=True,
            ours=True,
        ),
    ]
}
REFERENCE = "flask-mail"
BATCH = "flask-mail-connect"


def make(name: str) -> Peer:
    """Import the peer's module and return the peer.

    :raises ImportError: its library is not installed.
    :raises UnavailableError: something else that it needs is missing.
    """
    peer: Peer = import_module(f".{PEERS[name].module}", __name__).PEERS[name]()
    return peer
