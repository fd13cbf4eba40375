"""The connection is cut at every moment there is; what was reported is compared with what arrived.

Never a false success, never a lost mail that was reported as accepted, and never two copies; a copy that nobody
reported as accepted only if the report was "in doubt".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask_mail import Message

from flask_smtpservers.errors import InDoubt, SendError

from ..apps import Host, hosting
from .conftest import Servers
from .kinds import KINDS, WAYS
from .postfix import Postfix, until
from .relay import Cut, Part, Relay, Side

RECIPIENTS = ["ann@example.test", "ben@example.test"]
#: More units than a side ever sends here.
FAR = 100


def batch(host: Host) -> Iterator[Callable[[Message], object]]:
    """Messages of one ``with mail.connect()`` block."""
    with host.mail.connect() as connection:
        yield connection.send
        yield connection.send


def singles(host: Host) -> Iterator[Callable[[Message], object]]:
    """Messages sent each by itself."""
    yield host.mail.send
    yield host.mail.send


SCENARIOS = {"batch": batch, "singles": singles}


def report_of(send: Callable[[Message], object], message: Message) -> str:
    try:
        send(message)
    except InDoubt:
        return "in doubt"
    except SendError:
        return "failed"
    return "accepted"


@contextmanager
def host_through(relay: Relay, server: str, way: str, ca_file: Path) -> Iterator[Host]:
    """A host app whose server is the other end of the relay."""
    kind, security = KINDS[server], WAYS[way][1]
    login = {} if security == "none" else {"username": kind.username, "password": kind.password}
    with hosting(ca_file=ca_file) as host, host.app.app_context():
        fields = {"name": "Shop", "host": "127.0.0.1", "port": relay.port, "security": security, **login}
        host.smtp.add_server(**fields, address="shop@example.test")
        yield host


def settle(running: object) -> None:
    """Wait until a server has delivered what it has."""
    if isinstance(running, Postfix):
        queues = [running.home / "queue" / name for name in ("incoming", "active")]
        until("an empty queue", lambda: not any(path.is_file() for queue in queues for path in queue.rglob("*")))


def cuts(side: Side) -> Iterator[list[Cut]]:
    """For every unit, each part of it; FIN and RST in turn."""
    for unit in range(FAR):
        yield [Cut(side, unit, part, rudely=bool((unit + number) % 2)) for number, part in enumerate(Part)]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    ("server", "way", "scenario"),
    [
        ("aiosmtpd", "plain", "batch"),
        ("aiosmtpd", "plain", "singles"),
        ("aiosmtpd", "smtps", "batch"),
        ("postfix", "plain", "batch"),
        ("postfix", "plain", "singles"),
    ],
)
def test_what_is_reported_is_what_arrived(
    servers: Servers, ca_file: Path, server: str, way: str, scenario: str, side: Side
) -> None:
    """Wherever the connection ends, each of two messages is accepted and there once, or failed and not there, or in
    doubt and there at most once; and it is in doubt only if its content had gone out whole.
    """
    running = servers.running(server)
    running.forget()
    reports: dict[str, str] = {}
    groundless: list[str] = []
    for tries in cuts(side):
        reached = False
        for cut in tries:
            with (
                Relay(getattr(running, WAYS[way][0]), cut, records=way != "plain") as relay,
                host_through(relay, server, way, ca_file) as host,
            ):
                for number, send in enumerate(SCENARIOS[scenario](host)):
                    subject = f"{cut} message {number}"
                    reports[subject] = report_of(send, Message(subject, recipients=RECIPIENTS, body="Hello"))
                    if reports[subject] == "in doubt" and way == "plain" and not went_out(relay, subject):
                        groundless.append(subject)
            reached = reached or relay.done
        if not reached:
            break
    else:
        pytest.fail("there is no end to it")

    settle(running)
    arrivals = KINDS[server].arrived(running, 0)
    copies = Counter((one.message["Subject"], one.recipient) for one in arrivals)
    wrong = [
        f"{subject}: reported {report}, {copies[subject, recipient]} copies for {recipient}"
        for subject, report in reports.items()
        for recipient in RECIPIENTS
        if copies[subject, recipient] not in {"accepted": (1,), "failed": (0,), "in doubt": (0, 1)}[report]
    ]
    assert wrong == []
    assert groundless == []
    assert set(reports.values()) == {"accepted", "failed", "in doubt"}


def went_out(relay: Relay, subject: str) -> bool:
    """Whether the client sent the whole content of that message, or may have: the relay had passed on the server's 354
    and hung up, so that it heard no more.
    """
    last = relay.heard[Side.SERVER][-1:]
    if relay.cut.side is Side.SERVER and relay.cut.part is Part.ALL and last and last[0].startswith(b"354"):
        return True
    return any(subject.encode() in content for content in relay.heard[Side.CLIENT])
