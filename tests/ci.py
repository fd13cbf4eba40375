"""What pytest does about tests that skip (in CI a skip fails, elsewhere one line says why), and about busy machines."""

from __future__ import annotations

import os
from collections.abc import Generator
from fnmatch import fnmatch
from typing import Any

import pytest
from hypothesis import settings

# How long one example takes says nothing on a machine that does other things as well; Hypothesis's own profile for CI
# has no deadline either.
if not os.environ.get("CI"):
    settings.register_profile("busy", deadline=None)
    settings.load_profile("busy")

#: The only tests that may skip (or be expected to fail) in CI: combinations that a defect upstream breaks.
#: A pattern of test ids -> the defect.
MAY_SKIP = {
    "*mapped_as_dataclass*": "Flask-SQLAlchemy 3.1.1 with SQLAlchemy 2.1: pallets-eco/flask-sqlalchemy #1420",
}


def _in_ci() -> bool:
    return bool(os.environ.get("CI"))


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return str(getattr(report, "wasxfail", "")) or str(report.longrepr)


def _fail_a_skip(report: Any) -> None:
    """Turn an unnamed skip into a failure: nobody reads the count of skipped tests in CI's output."""
    if report.skipped and _in_ci() and not any(fnmatch(report.nodeid.lower(), pattern) for pattern in MAY_SKIP):
        reason = _reason(report)
        report.outcome = "failed"
        report.__dict__.pop("wasxfail", None)
        report.longrepr = (
            f"{report.nodeid} would skip, which it may not do in CI (tests/ci.py names those that may): {reason}"
        )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Judge the skips of tests and fixtures."""
    report = yield
    _fail_a_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Judge the skips of whole modules."""
    report = yield
    _fail_a_skip(report)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line why tests were skipped, also with ``-q``."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        reasons = dict.fromkeys(_reason(report).partition("\n")[0][:100] for report in skipped)
        number = "1 test" if len(skipped) == 1 else f"{len(skipped)} tests"
        terminalreporter.write_line(f"Skipped {number}: {'; '.join(reasons)}", yellow=True)
