"""Every case of the zoo is understood, nobody learns the password, and every button leads to a server that works."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from flask_smtpservers.findings import Mender

from ..apps import Host, hosting
from .cases import CASES, Case
from .visit import GRACE, LIMIT, visit

#: How a diagnosis calls those who must act where the reader cannot.
CALLED = {
    Mender.PROVIDER: ("provider", "operator", "administrator", "admin "),
    Mender.HOSTING: ("hosts this app", "hosting company"),
    Mender.OPERATOR: ("runs this app", "developers of this app", "operator"),
}


@pytest.fixture(scope="module")
def zoo(ca_file: Path) -> Iterator[Host]:
    """One app for all cases."""
    with hosting(ca_file=ca_file, SMTPSERVERS_TEST_DEADLINE_SECONDS=LIMIT) as made:
        yield made


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_case(case: Case, zoo: Host, ca: trustme.CA) -> None:
    """One diagnosis, in time, with its cause, fix and button; the password went to nobody but a proven server, once."""
    seen = visit(case, zoo, ca)
    said = seen.diagnosis
    assert (said.cause, said.fix, said.mender, dict(said.correction)) == (
        case.cause,
        case.fix,
        case.who,
        dict(case.button),
    )
    assert seen.leaks == ()
    assert (seen.logins <= 1, seen.strays) == (True, 0)
    assert seen.seconds < LIMIT + GRACE
    assert 1 <= len(said.steps) <= 3
    if case.button:
        assert seen.after, "the button leads to a test that fails"
    elif said.mender in CALLED:
        words = " ".join((said.explanation, *said.steps)).lower()
        assert any(name in words for name in CALLED[said.mender]), words


def test_enough() -> None:
    """Forty and more, each under a name of its own."""
    assert len({case.name for case in CASES}) == len(CASES) >= 40
