"""A host app with sentry-sdk as it comes, in which every function of ours breaks once, each in its own send.

Run by ``test_sentry.py`` in a process of its own, because the SDK patches Flask, SQLAlchemy and more for good. Prints
one line of JSON for each function: its name, the response's status, and what would have been sent to Sentry. The first
line is of a view of the host's that shows the password, to prove that it would be seen.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import CodeType, FrameType
from typing import Any

import sentry_sdk
import trustme
from flask_mail import Message
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from ..apps import Host, hosting, server_fields
from ..peers.mailbox import PASSWORD, Mailbox


class BugError(Exception):
    """What no code of ours expects."""


class Kept(Transport):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        super().__init__()
        self.envelopes: list[Envelope] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.envelopes.append(envelope)

    def text(self) -> str:
        """All of it since the last time."""
        sentry_sdk.flush()
        text = "".join(item.get_bytes().decode() for envelope in self.envelopes for item in envelope.items)
        self.envelopes.clear()
        return text


@contextmanager
def calls(entered: Callable[[CodeType], None]) -> Iterator[None]:
    """Tell of each function of the package that is entered; what ``entered`` raises, that function raises."""

    def trace(frame: FrameType, event: str, _argument: Any) -> None:
        if "/flask_smtpservers/" in frame.f_code.co_filename:
            entered(frame.f_code)

    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(None)


def functions_of(host: Host) -> list[CodeType]:
    """All functions that a send goes through."""
    seen: dict[CodeType, None] = {}
    with calls(lambda code: void(seen.setdefault(code))):
        host.app.test_client().get("/send")
    return list(seen)


def void(_: object) -> None:
    """Drop a value."""


def broken_at(host: Host, broken: CodeType) -> int:
    """Send while one function is broken; return the response's status."""

    def entered(code: CodeType) -> None:
        if code is broken:
            raise BugError

    with calls(entered):
        return host.app.test_client().get("/send").status_code


def report(function: str, status: int, sent: str) -> None:
    """Tell the parent process."""
    print(json.dumps({"function": function, "status": status, "sent": sent}))  # noqa: T201


def main() -> None:
    """Break one function after the other."""
    kept = Kept()
    sentry_sdk.init("http://key@sentry.invalid/1", transport=kept)
    ca = trustme.CA()
    mailbox = Mailbox(ca).start()
    with TemporaryDirectory() as folder:
        ca_file = Path(folder) / "ca.pem"
        ca.cert_pem.write_to_path(str(ca_file))
        # one message for each connection: every send signs in
        with hosting(ca_file=ca_file, SMTPSERVERS_POOL_MESSAGES=1) as host:

            @host.app.get("/send")
            def send() -> str:
                host.mail.send(Message("Hello", recipients=["ann@example.test"], body="Hello"))
                return "sent"

            @host.app.get("/leak")
            def leak() -> str:
                held = f"the password is {PASSWORD}"
                raise BugError(len(held))

            with host.app.app_context():
                host.smtp.add_server(**server_fields(mailbox))
            report("leak", host.app.test_client().get("/leak").status_code, kept.text())
            for code in functions_of(host):
                report(code.co_qualname, broken_at(host, code), kept.text())
    mailbox.stop()


if __name__ == "__main__":
    main()
