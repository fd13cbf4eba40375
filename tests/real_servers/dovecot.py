"""A private Dovecot on loopback: a submission server that knows every way to sign in, and asks whether tokens hold."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import trustme

from ..peers.mailbox import PASSWORD, USERNAME, Mailbox
from .postfix import PATH, free_ports, ids_of, until

#: The one access token that is good.
TOKEN = "ya29.dovecot-CANARY"
#: Where the package dovecot-submissiond has its program.
SUBMISSION = "/usr/lib/dovecot/submission"

CONFIGURATION = """\
base_dir = {home}/run
state_dir = {home}/run
log_path = {home}/log
auth_verbose = yes
protocols = submission
listen = 127.0.0.1
hostname = mail.example.test
default_internal_user = dovecot
default_login_user = dovenull
ssl = required
ssl_cert = <{home}/server.pem
ssl_key = <{home}/server.pem
auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256 xoauth2 oauthbearer
auth_failure_delay = 0
mail_location = maildir:{home}/mail
submission_relay_host = 127.0.0.1
submission_relay_port = {relay}
submission_relay_trusted = no
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service submission-login {{
  inet_listener submission {{
    port = {submission}
  }}
}}
passdb {{
  driver = passwd-file
  mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256
  args = {home}/users
}}
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {home}/oauth2
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={home}/mail
}}
"""

OAUTH2 = """\
introspection_mode = post
introspection_url = http://127.0.0.1:{port}/introspect
username_attribute = email
active_attribute = active
active_value = true
"""


def why_not() -> str:
    """Why Dovecot cannot run here; empty if it can."""
    if shutil.which("dovecot", path=PATH) is None or not Path(SUBMISSION).exists():
        return "no Dovecot (apt install dovecot-core dovecot-submissiond)"
    return "" if os.geteuid() == 0 else "Dovecot runs only as root"


class _Introspection(BaseHTTPRequestHandler):
    """Whose a token is (RFC 7662)."""

    def do_POST(self) -> None:
        """Answer for the one good token."""
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        good = form.get("token") == [TOKEN]
        body = json.dumps({"active": True, "email": USERNAME} if good else {"active": False}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing: the request shows a token."""


@dataclass
class Dovecot:
    """One port, ``submission`` (STARTTLS and login required), that passes mail on to ``relay``."""

    ca: trustme.CA
    relay: Mailbox
    host: str = "localhost"
    submission: int = 0
    home: Path = field(default_factory=Path)

    def start(self) -> Dovecot:
        # Not pytest's tmp_path: Dovecot gives up root's rights and must still get in.
        self.home = Path(tempfile.mkdtemp(prefix="smtpservers-dovecot-"))
        self.home.chmod(0o755)
        self._introspection = ThreadingHTTPServer(("127.0.0.1", 0), _Introspection)
        threading.Thread(target=self._introspection.serve_forever, name="introspection", daemon=True).start()
        self._configure()
        self._process = subprocess.Popen(
            ["dovecot", "-F", "-c", str(self.home / "configuration")],
            env={"PATH": PATH},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )
        try:
            until("Dovecot to greet", self._greets)
        except BaseException as error:
            error.add_note(self.log())
            self.stop()
            raise
        return self

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._introspection.shutdown()
        self._introspection.server_close()
        shutil.rmtree(self.home, ignore_errors=True)

    def log(self) -> str:
        """What Dovecot logged so far."""
        path = self.home / "log"
        return path.read_text(errors="replace") if path.exists() else "(Dovecot logged nothing)"

    def _configure(self) -> None:
        home = self.home
        uid, gid = ids_of("nobody")
        (home / "mail").mkdir()
        os.chown(home / "mail", uid, gid)
        (self.submission,) = free_ports(1)
        values = {"home": home, "uid": uid, "gid": gid, "relay": self.relay.plain, "submission": self.submission}
        (home / "configuration").write_text(CONFIGURATION.format(**values))
        (home / "oauth2").write_text(OAUTH2.format(port=self._introspection.server_address[1]))
        # {PLAIN} is the only form of a password that serves every mechanism
        (home / "users").write_text(f"{USERNAME}:{{PLAIN}}{PASSWORD}\n")
        certificate = self.ca.issue_cert("localhost", "127.0.0.1")
        (home / "server.pem").write_bytes(certificate.private_key_and_cert_chain_pem.bytes())
        (home / "server.pem").chmod(0o600)

    def _greets(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"Dovecot ended with status {self._process.returncode}")
        try:
            with socket.create_connection(("127.0.0.1", self.submission), timeout=5) as connection:
                return connection.recv(4).startswith(b"220")
        except OSError:
            return False
