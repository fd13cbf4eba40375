"""The rule that nothing skips in CI holds, and elsewhere the reasons are told."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SUITE = """
import pytest

def test_passes(): pass

@pytest.mark.skipif(True, reason="no Chromium")
def test_marked(): pass

@pytest.fixture
def postfix(): pytest.skip("no Postfix")

def test_fixture(postfix): pass

@pytest.mark.xfail
def test_expected_to_fail(): raise ValueError

@pytest.mark.skipif(True, reason="an upstream defect")
def test_mapped_as_dataclass(): pass
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A small project whose tests skip in every way."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "__init__.py").touch()
    (tmp_path / "tests" / "conftest.py").write_text('pytest_plugins = ["tests.ci"]\n')
    (tmp_path / "tests" / "test_suite.py").write_text(SUITE)
    shutil.copy(Path(__file__).parent / "ci.py", tmp_path / "tests" / "ci.py")
    return tmp_path


def run(suite: Path, *options: str, ci: bool) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, "tests"]
    environment = {**inherited, "CI": "true"} if ci else inherited
    return subprocess.run(command, cwd=suite, env=environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one-process", "two-processes"])
def test_in_ci_a_skip_fails(suite: Path, options: tuple[str, ...]) -> None:
    """Marked, in a fixture, or expected to fail: each fails in CI, but for those that are named."""
    done = run(suite, *options, ci=True)
    assert done.returncode == 1
    for name in ("test_marked", "test_fixture", "test_expected_to_fail"):
        assert f"test_suite.py::{name} would skip, which it may not do in CI" in done.stdout
    assert "1 passed, 1 skipped" in done.stdout


def test_in_ci_a_module_may_not_skip(suite: Path) -> None:
    """A module that skips as a whole fails too."""
    (suite / "tests" / "test_more.py").write_text("import pytest\npytest.importorskip('no_such_module')\n")
    done = run(suite, ci=True)
    assert done.returncode != 0
    assert "test_more.py would skip" in done.stdout


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one-process", "two-processes"])
def test_elsewhere_one_line_says_why(suite: Path, options: tuple[str, ...]) -> None:
    """On a developer's machine they skip, and one line has every reason once."""
    done = run(suite, *options, ci=False)
    assert done.returncode == 0
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("Skipped 3 tests: ")]
    assert all(line.count(reason) == 1 for reason in ("no Chromium", "no Postfix", "an upstream defect"))
