"""nodemailer with its pool, in a Node.js process; npm puts it into a temporary folder."""

from __future__ import annotations

import atexit
import base64
import json
import shutil
import subprocess
import tempfile
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from ..letters import SENDER, letter, recipients
from .base import Job, Peer, UnavailableError

VERSION = "nodemailer@10"
PROGRAM = Path(__file__).with_name("node_sender.js")


@cache
def _installed() -> tempfile.TemporaryDirectory[str]:
    """Return the folder with nodemailer in it; it is removed when this process ends."""
    missing = [tool for tool in ("node", "npm") if shutil.which(tool) is None]
    if missing:
        raise UnavailableError(f"there is no {' and no '.join(missing)} on this machine")
    folder = tempfile.TemporaryDirectory(prefix="nodemailer-")
    atexit.register(folder.cleanup)
    command = [
        "npm",
        "install",
        "--loglevel=error",
        "--no-fund",
        "--no-audit",
        "--no-save",
        "--prefix",
        folder.name,
        VERSION,
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        raise UnavailableError("npm install nodemailer took more than two minutes") from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("npm error")] or [
            f"status {done.returncode}"
        ]
        raise UnavailableError(f"npm install nodemailer failed: {said[0]}")
    return folder


def version() -> str:
    """Return the version of the nodemailer that is used."""
    package = Path(_installed().name) / "node_modules" / "nodemailer" / "package.json"
    return str(json.loads(package.read_text())["version"])


class Pool(Peer):
    """``transport.sendMail()`` of a transport with ``pool: true``; "threads" are its connections."""

    def __init__(self) -> None:
        self.folder = _installed().name
        self.used = 0.0

    def open(self, job: Job) -> None:
        self.node = subprocess.Popen(
            ["node", str(PROGRAM)], cwd=self.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        content = letter(job.size)
        fields = {**asdict(content), "attachment": base64.b64encode(content.attachment or b"").decode()}
        self._ask(
            {
                "job": asdict(job),
                "letter": fields,
                "sender": SENDER,
                "to": recipients(job.recipients),
                "folder": self.folder,
            }
        )

    def send(self, count: int) -> None:
        self.used = float(self._ask({"send": count})["cpu"])

    def close(self) -> None:
        self.node.communicate(timeout=30)  # ends its input, at which it closes its pool

    def cpu_seconds(self) -> float:
        return self.used

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        if self.node.stdin is None or self.node.stdout is None:
            raise RuntimeError("node has no pipes")
        self.node.stdin.write(json.dumps(question) + "\n")
        answer = json.loads(self.node.stdout.readline() or '{"error": "node ended"}')
        if "error" in answer:
            raise RuntimeError(f"nodemailer: {answer['error']}")
        return dict(answer)


PEERS = {"nodemailer": Pool}
