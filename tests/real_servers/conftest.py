"""A real Postfix for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trustme

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
