"""``python -m example_app``: what ``make demo`` runs."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.request import urlopen

ROOT = Path(__file__).parent.parent.parent


@contextmanager
def demo(instance: Path, *options: str) -> Iterator[str]:
    """Run the demo; give what it printed up to its last line."""
    command = [sys.executable, "-m", "example_app", "--instance", str(instance), *options]
    # ports that no real demo on this machine uses
    command += ["--port", "5080", "--submission-port", "5980", "--smtps-port", "4760"]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONWARNINGS": "default"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    lines: list[str] = []
    try:
        for line in process.stdout:
            lines.append(line)
            if "Ctrl+C" in line:
                break
        yield "".join(lines)
    finally:
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert rest.strip() == ""


def servers_in(instance: Path) -> int:
    with closing(sqlite3.connect(instance / "shop.db")) as database:
        return int(database.execute("SELECT count(*) FROM smtpservers_server").fetchone()[0])


def test_demo(tmp_path: Path) -> None:
    """The demo prints where to go and what to enter, a second one beside it takes the next ports, and Ctrl+C ends both
    quietly. Started again it has kept its data. One that is asked for servers has some.
    """
    with demo(tmp_path / "one") as said, demo(tmp_path / "two", "--filled") as said_beside:
        url = re.search(r"http://127\.0\.0\.1:\d+/", said)[0]
        assert "Corner Shop" in urlopen(url).read().decode()
        assert all(word in said for word in ("ada / ada-demo", "sam / sam-demo", "localhost", "shop@corner-shop.test"))
        ports, ports_beside = re.findall(r"\b\d{4,5}\b", said), re.findall(r"\b\d{4,5}\b", said_beside)
        assert not set(ports) & set(ports_beside)
    assert [servers_in(tmp_path / instance) for instance in ("one", "two")] == [0, 4]
    before = {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()}
    with demo(tmp_path / "one") as said_again:
        assert said_again == said
    assert {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()} == before
