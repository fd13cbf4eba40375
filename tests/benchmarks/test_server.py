"""A peer that does not deliver what it says is found out by the server's count."""

from __future__ import annotations

import pytest
import trustme

from benchmarks.server import QUEUED, REMOVED, Received, Server


class Scripted(Server):
    """A server whose count is ``now``."""

    title = "scripted"

    def __init__(self, authority: trustme.CA, now: Received) -> None:
        super().__init__(authority)
        self.now = now

    def start(self) -> None:
        """Nothing to start."""

    def stop(self) -> None:
        """Nothing to stop."""

    def received(self) -> Received:
        return self.now


@pytest.mark.parametrize(
    ("now", "fault"),
    [
        (Received(7, 25, 7), ""),
        (Received(6, 25, 6), "messages sent: 2 to 20 recipients; but the server accepted 1 to 20"),
        (Received(7, 24, 7), "messages sent: 2 to 20 recipients; but the server accepted 2 to 19"),
        (Received(8, 25, 8), "messages sent: 2 to 20 recipients; but the server accepted 3 to 20"),
        (Received(7, 26, 7), "messages sent: 2 to 20 recipients; but the server accepted 2 to 21"),
        (Received(7, 25, 6), "messages sent: 2 to 20 recipients; but the server accepted 2 to 20"),
    ],
)
def test_settled(ca: trustme.CA, now: Received, fault: str) -> None:
    """Messages and recipients since the last count must be exactly those that were sent, and dealt with."""
    assert Scripted(ca, now).settled(2, 20, since=Received(5, 5, 5), seconds=0) == fault


def test_lines_of_the_log() -> None:
    """Postfix's queue manager writes one line when it takes a message, with its recipients, and one when it is done."""
    log = (
        b"Nov 20 postfix/qmgr[20944]: 0BB94240182: from=<shop@example.test>, size=7022, nrcpt=13 (queue active)\n"
        b"Nov 20 postfix/discard[21033]: 0BB94240182: to=<a@example.test>, relay=none, dsn=2.0.0, status=sent\n"
        b"Nov 20 postfix/qmgr[20944]: 0BB94240182: removed\n"
    )
    assert QUEUED.findall(log) == [(b"7022", b"13")]
    assert len(REMOVED.findall(log)) == 1
