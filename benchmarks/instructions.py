"""Counts the CPU instructions of a further message with valgrind: they hardly depend on the machine or its load.

``python -m benchmarks.instructions PEER COUNT JOB`` is what runs under valgrind; JOB is a :class:`Job` as JSON.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

from .peers import BATCH, PEERS, REFERENCE, make
from .peers.base import Job
from .server import PASSWORD, USERNAME, Server

#: Both runs start Python and connect; what they differ in are further messages.
FEW, MANY = 5, 25
COUNTED = (REFERENCE, BATCH, "smtplib-open", *(name for name, entry in PEERS.items() if entry.ours))
COLLECTED = re.compile(r"Collected : (\d+)")


def measure_all(names: list[str], server: Server, ca_file: str, say: Callable[[str], None]) -> dict[str, float]:
    """Return millions of instructions for each further message of 1 KB over STARTTLS, for some of the peers."""
    if shutil.which("valgrind") is None:
        say("instructions are left out: there is no valgrind on this machine")
        return {}
    job = Job(server.ports["starttls"], "starttls", USERNAME, PASSWORD, ca_file, "1 KB", recipients=1)
    counted = [name for name in COUNTED if name in names]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        totals = {(name, count): pool.submit(_total, name, count, job) for name in counted for count in (FEW, MANY)}
        found: dict[str, float] = {}
        for name in counted:
            try:
                found[name] = per_message(totals[name, FEW].result(), totals[name, MANY].result())
            except (RuntimeError, subprocess.TimeoutExpired) as error:
                say(f"instructions of {name} are left out: {error}")
            else:
                say(f"instructions of {name}: {found[name]:.1f} M for each message")
    return found


def per_message(few: int, many: int) -> float:
    """Return what one message costs, in millions, from the totals of :data:`FEW` and of :data:`MANY` messages."""
    return (many - few) / (MANY - FEW) / 1e6


def _total(name: str, count: int, job: Job) -> int:
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable, "-m", __spec__.name]
    environment = {**os.environ, "PYTHONHASHSEED": "0", "SSL_CERT_FILE": job.ca_file}
    done = subprocess.run(
        [*command, name, str(count), json.dumps(asdict(job))],
        env=environment, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    collected = COLLECTED.search(done.stderr)
    if done.returncode or not collected:
        raise RuntimeError(f"valgrind failed: {(done.stderr.strip().splitlines() or ['no output'])[-1]}")
    return int(collected[1])


def _send(name: str, count: int, job: Job) -> None:
    peer = make(name)
    peer.open(job)
    peer.send(count)
    peer.close()


if __name__ == "__main__":
    _send(sys.argv[1], int(sys.argv[2]), Job(**json.loads(sys.argv[3])))
