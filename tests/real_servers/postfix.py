"""A private Postfix on loopback: its own configuration, queue and mailbox, and nothing that leaves the machine."""

from __future__ import annotations

import email
import email.policy
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import TypeVar

import trustme

USERNAME = "shop@example.test"
PASSWORD = "postfix-CANARY"
TOOLS = ("postfix", "postconf", "saslpasswd2")
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])

T = TypeVar("T")

# Every address at example.test has the one mailbox; ``bad*`` and ``temp*`` have none, and other domains do not exist.
MAIN = """\
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
maillog_file = {home}/log
maillog_file_prefixes = {home}
inet_interfaces = all
inet_protocols = ipv4
myhostname = mail.example.test
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
smtpd_peername_lookup = no
virtual_mailbox_domains = example.test, xn--bcher-kva.example.test
virtual_mailbox_base = {home}/mail
virtual_mailbox_maps = static:inbox/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
default_transport = error:5.1.2 nothing leaves this machine
relay_transport = error:5.1.2 nothing leaves this machine
message_size_limit = 1048576
smtpd_tls_chain_files = {home}/server.pem
smtpd_tls_security_level = may
smtpd_sasl_path = smtpd
cyrus_sasl_config_path = {home}/sasl
smtpd_sasl_local_domain = example.test
broken_sasl_auth_clients = no
smtpd_sender_restrictions = check_sender_access regexp:{home}/senders, reject_authenticated_sender_login_mismatch
smtpd_sender_login_maps = regexp:{home}/owners
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_recipient_restrictions = check_recipient_access regexp:{home}/recipients
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_error_sleep_time = 0
"""

SIGNED_IN = "-o smtpd_sasl_auth_enable=yes -o smtpd_client_restrictions=permit_sasl_authenticated,reject"
MASTER = """\
127.0.0.1:{plain} inet n - n - - smtpd
127.0.0.1:{submission} inet n - n - - smtpd -o smtpd_tls_security_level=encrypt {signed_in}
127.0.0.1:{smtps} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes {signed_in}
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""

SASL = """\
pwcheck_method: auxprop
auxprop_plugin: sasldb
mech_list: PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256
sasldb_path: {home}/sasl/users
"""


def why_not() -> str:
    """Why Postfix cannot run here; empty if it can."""
    missing = [tool for tool in TOOLS if shutil.which(tool, path=PATH) is None]
    if missing:
        return "no Postfix (apt install postfix sasl2-bin libsasl2-modules)"
    if os.geteuid() != 0:
        return "Postfix runs only as root"
    return ""


@dataclass(frozen=True)
class Delivered:
    """One message in the mailbox: what Postfix noted of the envelope, and the content as it was sent (CRLF)."""

    sender: str
    recipient: str
    received: str
    content: bytes

    @property
    def message(self) -> EmailMessage:
        return email.message_from_bytes(self.content, policy=email.policy.default)


def parse(raw: bytes) -> Delivered:
    """Split off the header fields that Postfix puts before the message: trace and envelope."""
    fields: dict[str, str] = {}
    rest = raw.replace(b"\r\n", b"\n")
    while rest.startswith((b"Return-Path:", b"X-Original-To:", b"Delivered-To:", b"Received:")):
        end = rest.index(b"\n") + 1
        while rest[end : end + 1] in (b" ", b"\t"):
            end = rest.index(b"\n", end) + 1
        name, _, value = rest[:end].decode().partition(":")
        fields.setdefault(name, " ".join(value.split()))
        rest = rest[end:]
    return Delivered(
        fields["Return-Path"].strip("<>"), fields["X-Original-To"], fields["Received"], rest.replace(b"\n", b"\r\n")
    )


def until(what: str, attempt: Callable[[], T], seconds: float = 20) -> T:
    """Repeat ``attempt`` until it returns something true; another program works meanwhile."""
    deadline = time.monotonic() + seconds
    while not (result := attempt()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.02)
    return result


@dataclass
class Postfix:
    """Three ports: ``plain`` (STARTTLS offered, no login), ``submission`` (STARTTLS and login required) and
    ``smtps`` (TLS from the first byte, login required). The login is :data:`USERNAME` and :data:`PASSWORD`; it may send
    from every address but ``badsender*``, which nobody may use, and ``boss@``, which is somebody else's.
    """

    ca: trustme.CA
    host: str = "localhost"
    plain: int = 0
    submission: int = 0
    smtps: int = 0
    home: Path = field(default_factory=Path)

    def start(self) -> Postfix:
        # Not pytest's tmp_path: Postfix gives up root's rights and must still get to its queue.
        self.home = Path(tempfile.mkdtemp(prefix="smtpservers-postfix-"))
        self.home.chmod(0o755)
        try:
            self._configure()
            self._run("postfix", "-c", str(self.home), "start")
            until("Postfix to greet", self._greets)
        except BaseException as error:
            error.add_note(self.log())
            self.stop()
            raise
        return self

    def stop(self) -> None:
        subprocess.run(
            ["postfix", "-c", str(self.home), "stop"], env=self._environment(), capture_output=True, check=False
        )
        shutil.rmtree(self.home, ignore_errors=True)

    def log(self) -> str:
        """What Postfix logged so far."""
        path = self.home / "log"
        return path.read_text(errors="replace") if path.exists() else "(Postfix logged nothing)"

    def forget(self) -> None:
        """Empty the mailbox."""
        for path in self._letters():
            path.unlink()

    def wait(self, count: int = 1) -> list[Delivered]:
        """Return the messages of the mailbox as soon as there are ``count``."""
        try:
            paths = until(f"{count} messages", lambda: found if len(found := self._letters()) >= count else None)
        except TimeoutError as error:
            error.add_note(self.log())
            raise
        return [parse(path.read_bytes()) for path in paths]

    def _letters(self) -> list[Path]:
        # a Maildir's file appears in new/ at once and whole
        return sorted((self.home / "mail" / "inbox" / "new").glob("*"))

    def _configure(self) -> None:
        home = self.home
        owner = ids_of("nobody")
        for name, user in {"queue": None, "data": "postfix", "mail": "nobody", "sasl": None}.items():
            (home / name).mkdir(mode=0o755)
            if user:
                shutil.chown(home / name, user)
        self.plain, self.submission, self.smtps = free_ports(3)
        (home / "main.cf").write_text(MAIN.format(home=home, uid=owner[0], gid=owner[1]))
        (home / "master.cf").write_text(MASTER.format(**vars(self), signed_in=SIGNED_IN))
        (home / "senders").write_text("/^badsender/ REJECT\n")
        (home / "owners").write_text(f"/^boss@/ boss@example.test\n/./ {USERNAME}\n")
        (home / "recipients").write_text("/^bad/ 550 5.1.1 no such user\n/^temp/ 450 4.2.0 greylisted\n")
        certificate = self.ca.issue_cert("localhost", "127.0.0.1", "mail.example.test")
        (home / "server.pem").write_bytes(certificate.private_key_and_cert_chain_pem.bytes())
        (home / "server.pem").chmod(0o600)
        (home / "sasl" / "smtpd.conf").write_text(SASL.format(home=home))
        local, _, domain = USERNAME.partition("@")
        users = home / "sasl" / "users"
        self._run("saslpasswd2", "-p", "-c", "-f", str(users), "-u", domain, local, given=PASSWORD)
        shutil.chown(users, "postfix")

    def _greets(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.plain), timeout=5) as connection:
                return connection.recv(4).startswith(b"220")
        except OSError:
            return False

    def _run(self, *command: str, given: str | None = None) -> None:
        done = subprocess.run(
            command, input=given, env=self._environment(), capture_output=True, text=True, check=False, timeout=60
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed: {done.stdout}{done.stderr}")

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "PATH": PATH, "MAIL_CONFIG": str(self.home)}


def ids_of(user: str) -> tuple[int, int]:
    """The numeric user and group of ``user``."""
    entry = pwd.getpwnam(user)
    return entry.pw_uid, entry.pw_gid


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens at."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
