"""The servers of the matrix, told apart by nothing but what is said of each here."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import trustme

from flask_smtpservers.findings import Stage

from ..peers import mailbox
from ..peers.mailbox import Mailbox
from . import postfix, unpack
from .arrivals import Arrival
from .exim import Exim
from .nodemailer import Nodemailer
from .opensmtpd import OpenSMTPD
from .postfix import Postfix

#: A way in -> the port's name and the security of the profile.
WAYS = {"plain": ("plain", "none"), "starttls": ("submission", "starttls"), "smtps": ("smtps", "ssl")}


@dataclass(frozen=True)
class Kind:
    """One kind of server: how to run it, how to ask it what happened, and what it is known to answer.

    :param why_not: why it cannot run here; empty if it can.
    :param arrived: what arrived, once there are so many messages, one for each recipient.
    :param connections: how many connections it noted.
    :param refused_logins: how many failed logins it noted.
    :param ids: the queue ids that it noted, in turn.
    :param size: the largest message, in bytes.
    :param utf8: whether it offers SMTPUTF8.
    :param sender_refused_at: the command that it refuses a sender at.
    :param temporary: what it answers to a recipient for whom one may try later.
    """

    start: Callable[[trustme.CA], Any]
    why_not: Callable[[], str]
    arrived: Callable[[Any, int], list[Arrival]]
    connections: Callable[[Any], int]
    refused_logins: Callable[[Any], int]
    ids: Callable[[Any], list[str]]
    username: str = mailbox.USERNAME
    password: str = mailbox.PASSWORD
    ways: tuple[str, ...] = tuple(WAYS)
    size: int = 1_048_576
    utf8: bool = True
    sender_refused_at: Stage = Stage.MAIL_FROM
    temporary: int = 450


def _logged(pattern: str) -> Callable[[Any], list[str]]:
    """What ``pattern`` finds in a server's log."""
    found = re.compile(pattern, re.MULTILINE)
    return lambda running: found.findall(running.log())


def _count(pattern: str) -> Callable[[Any], int]:
    logged = _logged(pattern)
    return lambda running: len(logged(running))


def _from_postfix(running: Postfix, count: int) -> list[Arrival]:
    return [Arrival(one.sender, one.recipient, one.content) for one in running.wait(count)]


def _from_mailbox(running: Mailbox, count: int) -> list[Arrival]:
    """The mailbox has a message before it says so: there is nothing to wait for."""
    return [
        Arrival(letter.sender, recipient, letter.content)
        for letter in running.letters
        for recipient in letter.recipients
    ]


def _waited_for(running: Exim | OpenSMTPD | Nodemailer, count: int) -> list[Arrival]:
    return running.wait(count)


KINDS = {
    "postfix": Kind(
        start=lambda ca: Postfix(ca).start(),
        why_not=postfix.why_not,
        arrived=_from_postfix,
        connections=_count(r"smtpd\[\d+\]: connect from "),
        refused_logins=_count(r"authentication failed:"),
        ids=_logged(r"(\w+): from=<.*\(queue active\)"),
        username=postfix.USERNAME,
        password=postfix.PASSWORD,
        sender_refused_at=Stage.RCPT_TO,
    ),
    "exim": Kind(
        start=lambda ca: Exim(ca).start(),
        why_not=lambda: unpack.why_no(Exim.package),
        arrived=_waited_for,
        connections=_count(r"SMTP connection from .* \(TCP/IP connection count"),
        refused_logins=_count(r"authenticator failed"),
        ids=_logged(r"(\S+) <= "),
        temporary=451,
    ),
    "opensmtpd": Kind(
        start=lambda ca: OpenSMTPD(ca).start(),
        why_not=lambda: unpack.why_no(OpenSMTPD.package),
        arrived=_waited_for,
        connections=_count(r"smtp connected"),
        refused_logins=lambda running: 0,
        ids=_logged(r"smtp message msgid=(\w+)"),
        ways=("plain",),
        utf8=False,
        sender_refused_at=Stage.RCPT_TO,
    ),
    "aiosmtpd": Kind(
        start=lambda ca: Mailbox(ca).start(),
        why_not=lambda: "",
        arrived=_from_mailbox,
        connections=lambda running: running.connections,
        refused_logins=lambda running: sum(1 for login in running.logins if login[1] != mailbox.PASSWORD),
        ids=lambda running: [f"Q{number + 1}" for number in range(len(running.letters))],
        size=20_971_520,
    ),
    "nodemailer": Kind(
        start=lambda ca: Nodemailer(ca).start(),
        why_not=unpack.why_no_smtp_server,
        arrived=_waited_for,
        connections=lambda running: len(running.happened("connection")),
        refused_logins=lambda running: len(running.happened("login", right=False)),
        ids=lambda running: [note["id"] for note in running.happened("mail")],
    ),
}
