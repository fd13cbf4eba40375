"""The servers that the messages go to: a private Postfix that throws them away, or aiosmtpd where there is no Postfix.

Both count what they accepted, so that no peer is faster by not delivering.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import warnings
from abc import ABC, abstractmethod
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import trustme

USERNAME = "shop@example.test"
PASSWORD = "only for this benchmark"
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])

#: Stock Postfix, except that nothing leaves the machine and that no limit meant for strangers slows a client down.
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
default_transport = discard:
relay_transport = discard:
message_size_limit = 20971520
mailbox_size_limit = 0
smtpd_peername_lookup = no
smtpd_tls_chain_files = {home}/server.pem
smtpd_tls_security_level = may
smtpd_sasl_path = smtpd
cyrus_sasl_config_path = {home}/sasl
smtpd_sasl_local_domain = example.test
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject
mynetworks = 127.0.0.0/8
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
in_flow_delay = 0
default_process_limit = 200
"""
LOGIN = "-o smtpd_sasl_auth_enable=yes -o smtpd_relay_restrictions=permit_sasl_authenticated,reject"
MASTER = """\
127.0.0.1:{none} inet n - n - - smtpd -o smtpd_tls_security_level=none
127.0.0.1:{starttls} inet n - n - - smtpd -o smtpd_tls_security_level=encrypt {login}
127.0.0.1:{ssl} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes {login}
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
discard unix - - n - - discard
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""
SASL = """\
pwcheck_method: auxprop
auxprop_plugin: sasldb
mech_list: PLAIN LOGIN CRAM-MD5
sasldb_path: {home}/sasl/users
"""
QUEUED = re.compile(rb"postfix/qmgr\[\d+\]: \w+: from=<[^>]*>, size=(\d+), nrcpt=(\d+) \(queue active\)")
REMOVED = re.compile(rb"postfix/qmgr\[\d+\]: \w+: removed")


class Received(NamedTuple):
    """What a server accepted, and how much of it it has dealt with."""

    messages: int = 0
    recipients: int = 0
    finished: int = 0


class Server(ABC):
    """A server on three ports of 127.0.0.1: ``none`` (no login), ``starttls`` and ``ssl`` (with login)."""

    #: what the report says of it
    title: str

    def __init__(self, authority: trustme.CA) -> None:
        self.certificate = authority.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.bytes()
        self.ports: dict[str, int] = dict(zip(("none", "starttls", "ssl"), free_ports(3), strict=True))

    @abstractmethod
    def start(self) -> None:
        """Start it; when this returns, it greets."""

    @abstractmethod
    def stop(self) -> None:
        """Stop it and remove its files."""

    @abstractmethod
    def received(self) -> Received:
        """Return what it accepted since it was started."""

    def settled(self, messages: int, recipients: int, since: Received, seconds: float = 30) -> str:
        """Wait until it accepted and finished so much after ``since``. Return what is wrong, or nothing."""
        deadline = time.monotonic() + seconds
        while True:
            now = self.received()
            new = Received(*(after - before for after, before in zip(now, since, strict=True)))
            if new == (messages, recipients, messages):
                return ""
            if time.monotonic() > deadline or new.messages > messages or new.recipients > recipients:
                sent, arrived = f"{messages} to {recipients} recipients", f"{new.messages} to {new.recipients}"
                return f"messages sent: {sent}; but the server accepted {arrived}"
            time.sleep(0.005)


class Postfix(Server):
    """A Postfix of our own, with its configuration and queue in a temporary folder. Only root can start one."""

    @staticmethod
    def why_not() -> str:
        """Return why it cannot run here, or nothing."""
        if any(shutil.which(tool, path=PATH) is None for tool in ("postfix", "postconf", "saslpasswd2")):
            return "there is no Postfix (on Debian: apt install postfix sasl2-bin libsasl2-modules)"
        return "" if os.geteuid() == 0 else "Postfix can only be started by root"

    def start(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="smtpservers-postfix-"))
        self.home.chmod(0o755)  # Postfix gives up root's rights and must still get to its queue
        self._position, self._received = 0, Received()
        for name in ("queue", "data", "sasl"):
            (self.home / name).mkdir(mode=0o755)
        shutil.chown(self.home / "data", "postfix")
        (self.home / "main.cf").write_text(MAIN.format(home=self.home))
        (self.home / "master.cf").write_text(MASTER.format(**self.ports, login=LOGIN))
        (self.home / "sasl" / "smtpd.conf").write_text(SASL.format(home=self.home))
        (self.home / "server.pem").write_bytes(self.certificate)
        (self.home / "server.pem").chmod(0o600)
        local, _, domain = USERNAME.partition("@")
        users = str(self.home / "sasl" / "users")
        self._run("saslpasswd2", "-p", "-c", "-f", users, "-u", domain, local, given=PASSWORD)
        shutil.chown(users, "postfix")
        self._run("postfix", "-c", str(self.home), "start")
        for port in self.ports.values():
            until_open(port)
        version = self._run("postconf", "-c", str(self.home), "-h", "mail_version").strip()
        self.title = f"Postfix {version}, which offers PIPELINING, and AUTH PLAIN LOGIN CRAM-MD5"

    def stop(self) -> None:
        with suppress(RuntimeError):
            self._run("postfix", "-c", str(self.home), "stop")
        shutil.rmtree(self.home, ignore_errors=True)

    def received(self) -> Received:
        with (self.home / "log").open("rb") as log:
            log.seek(self._position)
            new = log.read()
        new = new[: new.rfind(b"\n") + 1]
        self._position += len(new)
        queued = QUEUED.findall(new)
        messages, recipients, finished = self._received
        self._received = Received(
            messages + len(queued),
            recipients + sum(int(count) for _size, count in queued),
            finished + len(REMOVED.findall(new)),
        )
        return self._received

    def _run(self, *command: str, given: str | None = None) -> str:
        environment = {**os.environ, "PATH": PATH, "MAIL_CONFIG": str(self.home)}
        done = subprocess.run(
            command, input=given, env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed: {done.stdout}{done.stderr}")
        return done.stdout


class Aiosmtpd(Server):
    """aiosmtpd in a process of its own. It also keeps the last message, to see what a peer really sends."""

    title = "aiosmtpd, which has no PIPELINING: flights and ratios say little about a real server"

    def start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self.ports, self.certificate), daemon=True)
        self._process.start()
        theirs.close()
        for port in self.ports.values():
            until_open(port)

    def stop(self) -> None:
        self._pipe.close()  # the process ends by itself when it sees that
        self._process.join(5)

    def received(self) -> Received:
        return Received(*self._ask("received"))

    def last(self) -> tuple[str, list[str], bytes]:
        """Return envelope sender, envelope recipients and content of the last message."""
        sender, recipients, content = self._ask("last")
        return sender, recipients, content

    def _ask(self, question: str) -> Any:
        self._pipe.send(question)
        return self._pipe.recv()


class _Sink:
    """aiosmtpd's handler: counts, and keeps the last message."""

    def __init__(self) -> None:
        self.received = (0, 0, 0)
        self.last: tuple[str | None, list[str], bytes] = (None, [], b"")

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        messages, recipients, finished = self.received
        self.received = (messages + 1, recipients + len(envelope.rcpt_tos), finished + 1)
        self.last = (envelope.mail_from, envelope.rcpt_tos, envelope.content)
        return "250 2.0.0 Ok"


def _serve(pipe: Connection, ports: dict[str, int], certificate: bytes) -> None:
    """Run aiosmtpd on the ports, and answer :class:`Aiosmtpd` with attributes of the handler, until it hangs up."""
    from aiosmtpd.smtp import SMTP, AuthResult

    # It warns of every connection that a login without STARTTLS, which implicit TLS is for it, would be unsafe.
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(certificate)
        file.flush()
        context.load_cert_chain(file.name)
    sink = _Sink()

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, login: Any) -> AuthResult:
        return AuthResult(success=(login.login, login.password) == (USERNAME.encode(), PASSWORD.encode()))

    common: dict[str, Any] = {"data_size_limit": 20 << 20, "hostname": "mail.example.test"}
    login: dict[str, Any] = {"auth_required": True, "authenticator": authenticate}
    factories = {
        "none": (lambda: SMTP(sink, **common), None),
        "starttls": (lambda: SMTP(sink, **common, **login, tls_context=context, require_starttls=True), None),
        "ssl": (lambda: SMTP(sink, **common, **login, auth_require_tls=False), context),
    }

    async def run() -> None:
        loop = asyncio.get_running_loop()
        for name, (factory, tls) in factories.items():
            await loop.create_server(factory, "127.0.0.1", ports[name], ssl=tls)
        with suppress(EOFError, asyncio.CancelledError):
            while True:
                question = await loop.run_in_executor(None, pipe.recv)
                pipe.send(getattr(sink, question))

    with suppress(KeyboardInterrupt):
        asyncio.run(run())


def free_ports(count: int) -> list[int]:
    """Return ports that nothing listens at."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def until_open(port: int, seconds: float = 20) -> None:
    """Wait until something accepts connections at ``port``.

    :raises TimeoutError: nothing does.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            if time.monotonic() > deadline:
                raise TimeoutError(f"nothing listens at port {port}") from None
            time.sleep(0.05)
        else:
            return
