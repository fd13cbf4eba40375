"""An error tracker that records every frame's local variables sees no secret of ours, wherever a bug strikes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from .. import canary
from ..peers.mailbox import USERNAME

#: Holds the secret that it is given, and does nothing that could fail.
HOLDS_IT = "Secret.__init__"
ROOT = Path(__file__).parent.parent.parent


def test_no_bug_shows_the_password() -> None:
    """Each function that a send goes through raises once; what Sentry's SDK makes of it shows no password (L09)."""
    script = [sys.executable, "-m", "tests.contract.sentry_script"]
    done = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, check=True, timeout=100)
    leak, *runs = map(json.loads, done.stdout.splitlines())
    assert canary.leaks(leak["sent"]) == ["in clear"]
    caught = [run for run in runs if run["status"] == 500]
    assert len(caught) > 200
    assert all(run["sent"] for run in caught)
    assert any(USERNAME in run["sent"] for run in caught)  # local variables are recorded, and so are nested values
    assert [run["function"] for run in runs if canary.leaks(run["sent"])] == [HOLDS_IT]
    assert not any("a secret key for tests only" in run["sent"] for run in runs)
