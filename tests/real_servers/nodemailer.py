"""nodemailer's ``smtp-server`` on loopback, in a Node.js process."""

from __future__ import annotations

import base64
import json
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme

from ..peers.mailbox import PASSWORD, USERNAME
from .arrivals import Arrival
from .postfix import until
from .unpack import smtp_server_folder

PROGRAM = Path(__file__).with_name("nodemailer_server.js")


@dataclass
class Nodemailer:
    """Three ports: ``plain`` (STARTTLS offered, no login), ``submission`` (STARTTLS, then login) and ``smtps`` (TLS at
    once, login). Recipients ``bad*`` get 550, ``temp*`` 450; senders ``badsender*`` 550, at MAIL FROM.
    """

    ca: trustme.CA
    host: str = "localhost"
    plain: int = 0
    submission: int = 0
    smtps: int = 0
    home: Path = field(default_factory=Path)

    def start(self) -> Nodemailer:
        self.home = Path(tempfile.mkdtemp(prefix="smtpservers-nodemailer-"))
        certificate = self.ca.issue_cert("localhost", "127.0.0.1", "mail.example.test")
        given = {
            "module": str(smtp_server_folder() / "node_modules" / "smtp-server"),
            "key": certificate.private_key_pem.bytes().decode(),
            "cert": b"".join(pem.bytes() for pem in certificate.cert_chain_pems).decode(),
            "username": USERNAME,
            "password": PASSWORD,
            "size": 1_048_576,
            "journal": str(self.home / "journal"),
        }
        self.forget()
        self._process = subprocess.Popen(
            ["node", str(PROGRAM), json.dumps(given)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        ports = self._process.stdout.readline()
        if not ports:
            self.stop()
            raise RuntimeError("node did not start; it said why on standard error")
        self.plain, self.submission, self.smtps = (json.loads(ports)[name] for name in ("plain", "submission", "smtps"))
        return self

    def stop(self) -> None:
        self._process.terminate()
        self._process.communicate(timeout=10)
        for path in self.home.iterdir():
            path.unlink()
        self.home.rmdir()

    def happened(self, event: str, **wanted: Any) -> list[dict[str, Any]]:
        """What the server noted of ``event``: connection, login, mail or error."""
        notes = [json.loads(line) for line in (self.home / "journal").read_text().splitlines()]
        return [note for note in notes if {"event": event, **wanted}.items() <= note.items()]

    def forget(self) -> None:
        """Empty the mailbox and the journal."""
        (self.home / "journal").write_text("")

    def wait(self, count: int = 1) -> list[Arrival]:
        """Return what arrived as soon as it came to ``count`` recipients."""
        until(f"{count} messages", lambda: len(self._arrived()) >= count)
        return self._arrived()

    def _arrived(self) -> list[Arrival]:
        return [
            Arrival(note["sender"], _as_sent(recipient), base64.b64decode(note["content"]))
            for note in self.happened("mail")
            for recipient in note["recipients"]
        ]


def _as_sent(address: str) -> str:
    """Bring back the A-labels of a domain, which smtp-server decodes."""
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.encode('idna').decode()}"
