"""Real servers for the tests of this folder: each is started when it is first asked for, once in each process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import trustme

from ..peers.mailbox import Mailbox
from . import dovecot as dovecots
from .dovecot import Dovecot
from .kinds import KINDS
from .postfix import Postfix, why_not


@pytest.fixture(scope="session")
def _running_postfix(ca: trustme.CA) -> Iterator[Postfix]:
    if reason := why_not():
        pytest.skip(reason)
    running = Postfix(ca).start()
    yield running
    running.stop()


@pytest.fixture
def postfix(_running_postfix: Postfix) -> Postfix:
    """A real Postfix on loopback with an empty mailbox; one for each test process."""
    _running_postfix.forget()
    return _running_postfix


@pytest.fixture(scope="session")
def dovecot(ca: trustme.CA, _running_mailbox: Mailbox) -> Iterator[Dovecot]:
    """A real Dovecot on loopback that passes mail on to the mailbox; one for each test process."""
    if reason := dovecots.why_not():
        pytest.skip(reason)
    running = Dovecot(ca, _running_mailbox).start()
    yield running
    running.stop()


class Servers:
    """The servers of the matrix (:mod:`.kinds`)."""

    def __init__(self, ca: trustme.CA, started: dict[str, Any], stack: ExitStack) -> None:
        self._ca = ca
        self._started = started
        self._stack = stack

    def running(self, name: str) -> Any:
        """The server of that name; the test skips if it is not installed."""
        if name not in self._started:
            kind = KINDS[name]
            if reason := kind.why_not():
                pytest.skip(reason)
            self._started[name] = kind.start(self._ca)
            self._stack.callback(self._started[name].stop)
        return self._started[name]


@pytest.fixture(scope="session")
def servers(ca: trustme.CA) -> Iterator[Servers]:
    """The servers of the matrix."""
    with ExitStack() as stack:
        yield Servers(ca, {}, stack)
