"""What the tests of discovery share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from .world import World, making


@pytest.fixture
def world(ca: trustme.CA, ca_file: Path) -> Iterator[World]:
    """See :class:`World`."""
    with making(ca, ca_file) as made:
        yield made
