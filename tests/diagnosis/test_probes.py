"""What is found out around a failure: a zoo of ports on loopback, and what no probe may ever do."""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from flask_smtpservers.diagnosis import Context, diagnose
from flask_smtpservers.diagnosis.check import check
from flask_smtpservers.diagnosis.context import Fact, context_of
from flask_smtpservers.diagnosis.probes import Surroundings
from flask_smtpservers.errors import CertificateRefused, HostNotFound, TLSFailed
from flask_smtpservers.findings import Diagnosis, Stage
from flask_smtpservers.secret import Secret
from flask_smtpservers.sending.trial import try_server
from flask_smtpservers.smtp.certificates import CertificateFacts
from flask_smtpservers.smtp.deadline import Deadline
from flask_smtpservers.smtp.endpoint import Endpoint, Security
from flask_smtpservers.smtp.guard import Guard
from flask_smtpservers.smtp.network import Address, SystemNetwork
from flask_smtpservers.smtp.probing import knows_authorities
from flask_smtpservers.smtp.session import Session

from ..apps import Host
from ..peers.hostile import (
    GoneError,
    Hostile,
    Peer,
    Step,
    answer,
    close,
    hang,
    hear_bytes,
    hostile,
    listen,
    say,
    server_context,
    start_tls,
)
from ..peers.mailbox import PASSWORD, USERNAME, Mailbox
from .conftest import HOST, FakeSession

# aiosmtpd knows nothing of the TLS in front of its SMTPS port, and warns at every connection there.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")

#: A port from which no answer ever comes.
HOLE = -1
HELLO = answer("250-hello\n250-STARTTLS\n250 AUTH PLAIN")
GMAIL, MICROSOFT = "smtp.gmail.com", "smtp.office365.com"


@dataclass
class Town:
    """A network of our own: well-known ports lead to loopback, all others are shut; it notes what is dialled.

    :param ports: the real port behind each port, or :data:`HOLE`.
    :param names: the address of each name, or None where the resolver has no answer; others do not exist.
    :param holes: what a hole does.
    """

    ports: dict[int, int] = field(default_factory=dict)
    names: dict[str, str | None] = field(default_factory=lambda: {HOST: "127.0.0.1"})
    dialled: list[tuple[str, int]] = field(default_factory=list)
    holes: Callable[[float], None] = lambda seconds: None

    def resolve(self, host: str, port: int, deadline: Deadline) -> list[Address]:
        ip = self.names.get(host, "")
        if not ip:
            error = HostNotFound("no", stage=Stage.RESOLVE)
            error.resolver_failed = ip is None
            raise error
        return [Address(socket.AF_INET, ip, port)]

    def dial(self, address: Address, timeout: float) -> socket.socket:
        self.dialled.append((address.ip, address.port))
        really = self.ports.get(address.port)
        if really is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        if really == HOLE:
            self.holes(timeout)
            raise TimeoutError("timed out")
        return SystemNetwork().dial(Address(socket.AF_INET, "127.0.0.1", really), timeout)


@dataclass
class Zoo:
    """Runs the check of one set of settings in a town."""

    ca: trustme.CA
    town: Town = field(default_factory=Town)
    guard: Guard = field(default_factory=lambda: Guard(["127.0.0.0/8"]))
    more: dict[str, Any] = field(default_factory=dict)
    servers: list[Hostile] = field(default_factory=list)
    stack: ExitStack = field(default_factory=ExitStack)

    def settle(self, port: int, script: Sequence[Step], *names: str) -> Hostile:
        """Let a server with a certificate for ``names`` live behind a port."""
        server = self.stack.enter_context(hostile(list(script), context=server_context(self.ca, *names)))
        self.town.ports[port] = server.port
        self.servers.append(server)
        return server

    def endpoint(self, port: int, security: str, host: str = HOST, **fields: Any) -> Endpoint:
        values: dict[str, Any] = {
            "timeout_seconds": 0.5,
            "ca_certificate": self.ca.cert_pem.bytes().decode(),
            "ehlo_name": "client.example.test",
            "username": USERNAME,
            "password": Secret(PASSWORD),
            **fields,
        }
        return Endpoint(host=host, port=port, security=Security(security), **values)

    def diagnose(self, port: int, security: str, host: str = HOST, **fields: Any) -> Diagnosis:
        endpoint = self.endpoint(port, security, host, **fields)
        deadline = Deadline(6.0)
        around = Surroundings(
            endpoint, network=self.town, guard=self.guard, deadline=deadline, **{"seconds": 1.2, **self.more}
        )
        steps = check(
            Session(endpoint, network=self.town, guard=self.guard, deadline=deadline),
            sender="shop@example.test",
            context=context_of(endpoint, sender="shop@example.test"),
            inspect=around.certificate,
            probe=around.look,
        )
        return next(step.diagnosis for step in steps if step.diagnosis)


@pytest.fixture
def zoo(ca: trustme.CA) -> Iterator[Zoo]:
    made = Zoo(ca)
    with made.stack:
        yield made


def found(said: Diagnosis) -> tuple[str, dict[str, Any]]:
    return said.cause, dict(said.correction)


# -- port and encryption


@pytest.mark.parametrize("port", [465, 587, 4711])
def test_plain_on_the_ssl_port(zoo: Zoo, mailbox: Mailbox, port: int) -> None:
    """A port that greets in clear is told as one, whatever its number, and STARTTLS is proposed because it works."""
    zoo.town.ports = {port: mailbox.submission}
    assert found(zoo.diagnose(port, "ssl")) == ("starttls_mode_needed", {"security": "starttls"})
    assert mailbox.logins == []


@pytest.mark.parametrize("port", [465, 587, 4711])
@pytest.mark.parametrize("security", ["starttls", "none"])
def test_tls_on_the_starttls_port(zoo: Zoo, mailbox: Mailbox, port: int, security: str) -> None:
    """A port that is encrypted from the first byte is told as one, whatever its number."""
    zoo.town.ports = {port: mailbox.smtps}
    said = zoo.diagnose(port, security, plaintext_auth=True)
    assert found(said) == ("implicit_tls_needed", {"security": "ssl"})
    assert mailbox.logins == []


def test_no_encryption_where_it_is_wanted(zoo: Zoo, mailbox: Mailbox) -> None:
    """STARTTLS at the same port is proposed after it was tried."""
    zoo.town.ports = {587: mailbox.submission}
    assert found(zoo.diagnose(587, "none")) == ("starttls_required", {"security": "starttls"})


def test_ssl_where_starttls_is_missing(zoo: Zoo, mailbox: Mailbox) -> None:
    """The encrypted port beside it is proposed; encryption is never switched off."""
    zoo.settle(587, [say("220 hi"), answer("250 hello"), listen()])
    zoo.town.ports[465] = mailbox.smtps
    said = zoo.diagnose(587, "starttls")
    assert found(said) == ("starttls_not_offered", {"port": 465, "security": "ssl"})
    assert "465" in said.steps[0]


@pytest.mark.parametrize(("security", "cause"), [("ssl", "tls_version_or_cipher"), ("starttls", "implicit_tls_needed")])
def test_a_port_of_old_tls(zoo: Zoo, security: str, cause: str) -> None:
    """An alert is an answer in TLS: it tells how the port begins, although nothing works there."""
    zoo.settle(4711, [hear_bytes(5), lambda peer: peer.send(b"\x15\x03\x01\x00\x02\x02\x46"), listen()])
    assert found(zoo.diagnose(4711, security)) == (cause, {})


def test_a_wrong_version_of_tls() -> None:
    """What OpenSSL calls a wrong version is an old TLS where the port was seen to speak TLS."""
    error = TLSFailed("no", stage=Stage.TLS)
    error.tls_reason = "WRONG_VERSION_NUMBER"
    context = Context(host=HOST, port=465, security=Security.SSL)
    assert diagnose(error, context).cause == "starttls_mode_needed"
    assert diagnose(error, replace(context, facts=frozenset({Fact.SPEAKS_TLS}))).cause == "tls_version_or_cipher"


def drop_the_hasty(peer: Peer) -> None:
    """Hang up on whoever talks before the greeting."""
    peer.connection.settimeout(0.2)
    with suppress(TimeoutError):
        peer.receive()
        raise GoneError
    peer.connection.settimeout(5)


def test_a_port_that_drops_the_hasty(zoo: Zoo) -> None:
    """A handshake before the greeting just ends; that the port greets in clear is only heard by waiting."""
    script = [drop_the_hasty, say("220 hi"), HELLO, answer("220 go"), start_tls(), HELLO, listen()]
    zoo.settle(4711, script, HOST)
    assert found(zoo.diagnose(4711, "ssl")) == ("starttls_mode_needed", {"security": "starttls"})


def test_a_refusal_in_clear(zoo: Zoo) -> None:
    """A refusal is a greeting in clear too, and no other kind of server."""
    zoo.settle(4711, [say("554 5.7.1 no service for you"), listen()])
    assert found(zoo.diagnose(4711, "ssl")) == ("starttls_mode_needed", {})


GREETERS = [
    ("* OK [CAPABILITY IMAP4rev1] ready", "This is a server for reading mail (IMAP)"),
    ("+OK POP3 ready", "This is a server for reading mail (POP3)"),
    ("SSH-2.0-OpenSSH_9.9", "This is not a mail server (SSH)"),
    ("220 files.example.test FTP server ready", "This is not a mail server (FTP)"),
    ("RFB 003.008", "This is not a mail server"),
]


@pytest.mark.parametrize(("greeting", "title"), GREETERS)
def test_a_greeter_of_another_kind(zoo: Zoo, mailbox: Mailbox, greeting: str, title: str) -> None:
    """With SSL the handshake fails, and what the port really is was heard; the mail server beside it is proposed."""
    server = zoo.settle(143, [say(greeting), listen()])
    zoo.town.ports[587] = mailbox.submission
    said = zoo.diagnose(143, "ssl")
    assert (said.title, *found(said)) == (title, "wrong_endpoint", {"port": 587, "security": "starttls"})
    assert said.said == greeting
    assert b"AUTH" not in server.received


def test_a_greeter_behind_tls(zoo: Zoo) -> None:
    """IMAP at its encrypted port is silent in clear; it is recognised behind the handshake."""
    zoo.settle(993, [start_tls(), say("* OK IMAP4rev1 ready"), listen()])
    said = zoo.diagnose(993, "starttls")
    assert (said.title, said.cause) == ("This is a server for reading mail (IMAP)", "wrong_endpoint")


@pytest.mark.parametrize("security", ["ssl", "starttls"])
def test_a_web_server(zoo: Zoo, security: str) -> None:
    """It says nothing until it is spoken to, and then that it understood nothing."""
    zoo.settle(8080, [hear_bytes(1), say("HTTP/1.1 400 Bad Request", "", "<html>"), close()])
    said = zoo.diagnose(8080, security)
    assert (said.title, said.cause) == ("This is a web server", "wrong_endpoint")


def test_a_silent_port(zoo: Zoo) -> None:
    """Silence in clear and under TLS claims nothing about the encryption."""
    zoo.settle(587, [hang()])
    assert found(zoo.diagnose(587, "starttls")) == ("server_temporary_failure", {})


# -- ports


def test_a_closed_port_beside_one_that_works(zoo: Zoo, mailbox: Mailbox) -> None:
    """The server itself says that nothing listens there, and another port of it is proposed."""
    zoo.town.ports = {587: mailbox.submission}
    said = zoo.diagnose(465, "ssl")
    assert found(said) == ("port_not_offered", {"port": 587, "security": "starttls"})
    assert said.steps[0] == "Use port 587 with STARTTLS."


def test_nothing_listens(zoo: Zoo) -> None:
    """Where no port answers, there is no mail server, and no port is proposed."""
    assert found(zoo.diagnose(465, "ssl")) == ("connection_refused", {})


def test_a_black_hole_beside_a_port_that_works(zoo: Zoo, mailbox: Mailbox) -> None:
    """A port from which nothing comes back is blocked; the one that works is proposed."""
    zoo.town.ports = {587: HOLE, 465: mailbox.smtps}
    assert found(zoo.diagnose(587, "starttls")) == ("port_blocked", {"port": 465, "security": "ssl"})


def test_a_port_for_blocked_networks(zoo: Zoo, mailbox: Mailbox) -> None:
    """2525 is tried as well."""
    zoo.town.ports = {587: HOLE, 465: HOLE, 2525: mailbox.submission}
    assert found(zoo.diagnose(587, "starttls")) == ("port_blocked", {"port": 2525})


def test_only_black_holes(zoo: Zoo) -> None:
    """If no port can be reached, changing the port is no advice."""
    zoo.town.ports = dict.fromkeys((465, 587, 2525), HOLE)
    said = zoo.diagnose(587, "starttls")
    assert (said.fix, *found(said)) == ("open_firewall", "port_blocked", {})
    assert "other ports" in said.explanation


def test_an_unusual_port_beside_one_that_works(zoo: Zoo, mailbox: Mailbox) -> None:
    """Silence at a port that no mail server uses is not blamed on the way there."""
    zoo.town.ports = {4711: HOLE, 587: mailbox.submission}
    assert found(zoo.diagnose(4711, "ssl")) == ("port_not_offered", {"port": 587, "security": "starttls"})


@pytest.mark.parametrize(
    ("host", "port", "security", "works", "expected"),
    [
        (GMAIL, 587, "starttls", 465, ("port_blocked", {"port": 465, "security": "ssl"})),
        (MICROSOFT, 465, "ssl", 587, ("port_not_offered", {"port": 587, "security": "starttls"})),
    ],
)
def test_a_documented_provider(zoo: Zoo, host: str, port: int, security: str, works: int, expected: object) -> None:
    """What the provider documents decides between blocked and not offered."""
    zoo.town.names = {host: "127.0.0.1"}
    zoo.town.ports = {port: HOLE}
    hello = [say("220 hi"), HELLO]
    script = [start_tls(), *hello] if works == 465 else [*hello, answer("220 go"), start_tls(), HELLO]
    zoo.settle(works, [*script, listen()], host)
    assert found(zoo.diagnose(port, security, host)) == expected


def test_a_port_that_cannot_be_trusted_is_not_proposed(zoo: Zoo) -> None:
    """A mail server whose certificate is for another name answers, but gets no button."""
    zoo.settle(465, [start_tls(), say("220 hi"), HELLO, listen()], "other.example.test")
    assert found(zoo.diagnose(587, "starttls")) == ("port_not_offered", {})


def test_a_port_without_a_login_is_not_proposed(zoo: Zoo) -> None:
    """Where a user name is set, a server that offers no login is no way out."""
    zoo.settle(465, [start_tls(), say("220 hi"), answer("250 hello"), listen()], HOST)
    assert found(zoo.diagnose(587, "starttls")) == ("port_not_offered", {})
    assert found(zoo.diagnose(587, "starttls", username="", password=None)) == (
        "port_not_offered",
        {"port": 465, "security": "ssl"},
    )


# -- names


@pytest.mark.parametrize(
    ("own", "other", "cause"),
    [(None, None, "dns_resolver_failure"), ("", "", "dns_resolver_failure"), ("", "ok", "host_not_found"),
     (None, "ok", "host_not_found")],
)  # fmt: skip
def test_names(zoo: Zoo, own: str | None, other: str | None, cause: str) -> None:
    """A name is wrong if others resolve, whatever the resolver said of it; if none does, the name service is broken."""
    zoo.town.names = {"mail.example.org": own, "known.example.org": "127.0.0.1" if other else other}
    zoo.more = {"names": ["known.example.org"]}
    assert zoo.diagnose(465, "ssl", "mail.example.org").cause == cause
    assert zoo.town.dialled == []


def test_a_misspelt_name(zoo: Zoo) -> None:
    """The right name is tried, and proposed with a port that works there."""
    zoo.town.names = {GMAIL: "127.0.0.1"}
    zoo.settle(587, [say("220 hi"), HELLO, answer("220 go"), start_tls(), HELLO, listen()], GMAIL)
    said = zoo.diagnose(465, "ssl", "smpt.gmail.com")
    assert found(said) == ("host_not_found", {"host": GMAIL, "port": 587, "security": "starttls"})


# -- certificates


def test_the_name_in_the_certificate(zoo: Zoo, mailbox: Mailbox) -> None:
    """The name that the certificate bears is proposed if it leads to the same server and is trusted there."""
    zoo.town.names = {"mail.customer.test": "127.0.0.1", HOST: "127.0.0.1", "localhost": "127.0.0.1"}
    zoo.town.ports = {587: mailbox.submission}
    said = zoo.diagnose(587, "starttls", "mail.customer.test")
    assert said.cause == "cert_hostname_mismatch"
    assert said.correction["host"] in ("localhost", HOST)
    assert mailbox.logins == []


def test_a_name_that_leads_elsewhere(zoo: Zoo, mailbox: Mailbox) -> None:
    """A name in a stranger's certificate is not followed to another address."""
    zoo.town.names = {"mail.customer.test": "127.0.0.1", HOST: "127.0.0.2"}
    zoo.town.ports = {587: mailbox.submission}
    said = zoo.diagnose(587, "starttls", "mail.customer.test")
    assert found(said) == ("cert_hostname_mismatch", {})
    assert {ip for ip, _ in zoo.town.dialled} == {"127.0.0.1"}


def test_a_stranger_in_the_providers_place(zoo: Zoo) -> None:
    """A provider never shows a stranger's name; a port at which the provider itself answers is proposed."""
    zoo.town.names = {GMAIL: "127.0.0.1"}
    starttls = [say("220 cpanel.hoster.example ESMTP Exim"), HELLO, answer("220 go"), start_tls(), HELLO, listen()]
    zoo.settle(587, starttls, "cpanel.hoster.example")
    zoo.settle(465, [start_tls(), say("220 smtp.gmail.com ESMTP"), HELLO, listen()], GMAIL)
    said = zoo.diagnose(587, "starttls", GMAIL)
    assert found(said) == ("connection_intercepted", {"port": 465, "security": "ssl"})


@pytest.mark.parametrize(
    ("greeting", "cause"),
    [("cpanel.hoster.example ESMTP Exim", "connection_intercepted"), ("mx.google.com ESMTP", "starttls_not_offered")],
)
def test_a_stranger_without_starttls(zoo: Zoo, greeting: str, cause: str) -> None:
    """STARTTLS that a provider always has is missing: the greeting tells whether it is the provider at all."""
    zoo.town.names = {GMAIL: "127.0.0.1"}
    zoo.settle(587, [say(f"220 {greeting}"), answer("250 hello"), listen()])
    assert found(zoo.diagnose(587, "starttls", GMAIL)) == (cause, {})


@pytest.mark.parametrize(
    ("host", "reference_is_good", "cause"),
    [
        (HOST, True, "cert_chain_incomplete"),
        (HOST, False, "ca_store_outdated"),
        (GMAIL, True, "connection_intercepted"),
        (GMAIL, False, "ca_store_outdated"),
    ],
)
def test_another_server_verifies_from_here(zoo: Zoo, host: str, reference_is_good: bool, cause: str) -> None:
    """An unknown authority is this machine's fault if a server that is known to be good is not verified either."""
    other = trustme.CA()
    zoo.town.names = {host: "127.0.0.1", "good.example.test": "127.0.0.1"}
    zoo.settle(465, [start_tls(), say("220 hi"), HELLO, listen()], host)
    zoo.settle(2465, [start_tls(), say("220 hi"), HELLO, listen()], "good.example.test")
    known = (zoo.ca if reference_is_good else other).cert_pem.bytes().decode()
    zoo.more = {"reference": lambda: zoo.endpoint(2465, "ssl", "good.example.test", ca_certificate=known)}
    assert zoo.diagnose(465, "ssl", host, ca_certificate=other.cert_pem.bytes().decode()).cause == cause


def refused(number: int) -> CertificateRefused:
    error = CertificateRefused("no", stage=Stage.CERTIFICATE)
    error.verify_code = number
    return error


@pytest.mark.parametrize(
    ("host", "number", "known", "cause"),
    [
        (HOST, 10, {}, "cert_expired"),
        (HOST, 10, {"facts": frozenset({Fact.LEAF_IN_DATE})}, "ca_store_outdated"),
        (HOST, 19, {"certificate_issuer": "Avast Web/Mail Shield Root"}, "connection_intercepted"),
        (HOST, 20, {"certificate_issuer": "Let's Encrypt R11"}, "cert_chain_incomplete"),
        (GMAIL, 62, {"certificate_names": ("smtp-relay.gmail.com",)}, "connection_intercepted"),
        ("outlook.office365.com", 62, {"certificate_names": (MICROSOFT,)}, "cert_hostname_mismatch"),
    ],
)
def test_what_the_certificate_says(host: str, number: int, known: dict[str, Any], cause: str) -> None:
    """Its dates, its issuer and its names decide between causes that OpenSSL calls the same."""
    context = Context(host=host, port=465, security=Security.SSL, **known)
    assert diagnose(refused(number), context).cause == cause


def test_the_dates_of_the_certificate(zoo: Zoo) -> None:
    """A certificate that is within its dates is known as such, one that has run out is not."""
    now = datetime.now(UTC)
    for begins, cause in ((now - timedelta(days=9), "cert_expired"), (now - timedelta(days=1), "ca_store_outdated")):
        facts = CertificateFacts(
            subject_names=(HOST,),
            issuer="",
            not_before=begins,
            not_after=begins + timedelta(days=3),
            self_signed=False,
            fingerprint="",
        )
        session = FakeSession(zoo.endpoint(465, "ssl"), [refused(10)])
        context = Context(host=HOST, port=465, security=Security.SSL)
        steps = check(session, sender="a@b.test", context=context, inspect=lambda facts=facts: facts)
        assert [step.diagnosis.cause for step in steps if step.diagnosis] == [cause]


def test_a_machine_without_authorities(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither a file nor a directory of authorities: that is known without asking anybody."""
    assert knows_authorities()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert not knows_authorities()
    (tmp_path / "5ad8a5d6.0").touch()
    assert knows_authorities()


# -- what no probe does

SCRIPTS: list[tuple[int, str, list[Step]]] = [
    (587, "ssl", [say("220 hi"), HELLO, answer("220 go"), start_tls(), HELLO, listen()]),
    (587, "none", [say("220 hi"), answer("250-hello\n250 STARTTLS"), answer("220 go"), start_tls(), HELLO, listen()]),
    (465, "starttls", [start_tls(), say("220 hi"), HELLO, listen()]),
    (587, "ssl", [say("* OK"), listen()]),
    (587, "ssl", [say("220 hi"), listen()]),
]


@pytest.mark.parametrize(("port", "security", "script"), SCRIPTS)
def test_no_probe_hands_anything_over(zoo: Zoo, port: int, security: str, script: list[Step]) -> None:
    """Whatever the server offers: no login, no sender, no message, not a letter of the password."""
    server = zoo.settle(port, script, HOST)
    for other in {465, 587, 2525} - {port}:
        zoo.settle(other, script, HOST)
    zoo.diagnose(port, security)
    for server in zoo.servers:
        server.settle()
        assert not {"AUTH", "MAIL", "RCPT", "DATA"}.intersection(server.verbs)
        assert PASSWORD.encode() not in server.received
    assert zoo.servers[0].connections > 1


def test_a_relay_port_is_not_spoken_to_before_its_turn(zoo: Zoo) -> None:
    """At port 25 servers remember who talks before the greeting."""
    server = zoo.settle(25, [listen()])
    zoo.diagnose(25, "none", username="", password=None)
    server.settle()
    assert server.connections == 2
    assert server.received == b""


def test_a_handful_of_connections(zoo: Zoo) -> None:
    """However many ports a provider has, few are tried."""
    zoo.town.names = {"mail.smtp2go.com": "127.0.0.1"}
    zoo.town.ports = {587: HOLE}
    zoo.diagnose(587, "starttls", "mail.smtp2go.com")
    assert len(zoo.town.dialled) == 1 + 5


def test_the_time_is_bounded(zoo: Zoo) -> None:
    """All probes together take their time and no more, even over a network that heeds no limit."""
    stop = threading.Event()
    first: list[float] = []

    def stuck(seconds: float) -> None:
        if first:
            stop.wait(10)
        first.append(seconds)

    zoo.town.ports = dict.fromkeys((465, 587, 2525), HOLE)
    zoo.town.holes = stuck
    zoo.more = {"seconds": 0.6}
    begun = time.monotonic()
    said = zoo.diagnose(587, "starttls")
    taken = time.monotonic() - begun
    stop.set()
    assert found(said) == ("port_blocked", {})
    assert 0.5 < taken < 2


def test_without_time_nothing_is_concluded(zoo: Zoo) -> None:
    """When the check has used up its time, no port is called dead because it was not waited for."""
    zoo.town.ports = dict.fromkeys((465, 587, 2525), HOLE)
    zoo.more = {"seconds": 0.1}
    said = zoo.diagnose(587, "starttls")
    assert (said.fix, said.cause) == ("use_unblocked_port", "port_blocked")
    assert zoo.town.dialled == [("127.0.0.1", 587)]
    zoo.more["names"] = ["known.example.org"]
    assert zoo.diagnose(587, "starttls", "mail.example.org").cause == "host_not_found"


def test_a_forbidden_address_is_not_probed(zoo: Zoo) -> None:
    """What the guard refuses is refused to the probes as well."""
    zoo.town.names = {HOST: "10.0.0.5"}
    assert found(zoo.diagnose(587, "starttls")) == ("blocked_by_policy", {})
    assert zoo.town.dialled == []


def test_a_forbidden_port_is_not_probed(zoo: Zoo) -> None:
    """Whoever may use some ports only learns nothing of others."""
    zoo.guard = Guard(["127.0.0.0/8"], ports=[587, 465])
    zoo.town.ports = {587: HOLE, 465: HOLE}
    zoo.diagnose(587, "starttls")
    assert {port for _, port in zoo.town.dialled} == {587, 465}


def test_what_may_not_be_asked_is_no_answer(zoo: Zoo) -> None:
    """A port that was not tried because it is forbidden is not called dead."""
    zoo.guard = Guard(["127.0.0.0/8"], ports=[587])
    zoo.town.ports = {587: HOLE}
    assert zoo.diagnose(587, "starttls").fix == "use_unblocked_port"


def test_a_forbidden_name_in_a_certificate(zoo: Zoo, mailbox: Mailbox) -> None:
    """A certificate cannot send the probes to an inner address."""
    zoo.town.names = {"mail.customer.test": "127.0.0.1", HOST: "10.0.0.5"}
    zoo.town.ports = {587: mailbox.submission}
    zoo.diagnose(587, "starttls", "mail.customer.test")
    assert {ip for ip, _ in zoo.town.dialled} == {"127.0.0.1"}


@pytest.mark.parametrize("reached", [False, True])
def test_a_host_that_changes_its_address_is_judged_again(zoo: Zoo, reached: bool) -> None:
    """A name that led outside for the session and leads inside for the probes is not followed."""
    if reached:
        zoo.settle(587, [hang()])
    town, asked = zoo.town, []

    class Rebinding(Town):
        def resolve(self, host: str, port: int, deadline: Deadline) -> list[Address]:
            asked.append(host)
            return [Address(socket.AF_INET, "127.0.0.1" if len(asked) == 1 else "169.254.169.254", port)]

    zoo.town = Rebinding(town.ports, town.names)
    zoo.diagnose(587, "starttls")
    assert zoo.town.dialled == [("127.0.0.1", 587)]


def test_a_refused_login_needs_no_probe(zoo: Zoo, mailbox: Mailbox) -> None:
    """Where the server's words tell all, nothing else is asked: not a connection more."""
    zoo.town.ports = {587: mailbox.submission}
    said = zoo.diagnose(587, "starttls", password=Secret("wrong"))
    assert said.cause == "bad_credentials"
    assert zoo.town.dialled == [("127.0.0.1", 587)]


# -- in the app


def tried(app: Host, **changes: Any) -> Diagnosis:
    """The diagnosis of a stored server that cannot be used."""
    fields = {
        "name": f"{changes}",
        "address": "x@example.test",
        "username": USERNAME,
        "password": PASSWORD,
        "host": HOST,
    }
    with app.app.app_context():
        profile = app.state.store.add({**fields, **changes}).profile
        return next(step.diagnosis for step in try_server(app.state, profile) if step.diagnosis)


def test_trying_a_stored_server(host: Host, mailbox: Mailbox) -> None:
    """What works instead is found out with the app's own network and guard, and stands in the diagnosis."""
    host.state.network = town = Town({587: mailbox.submission})
    assert found(tried(host, port=465, security="ssl")) == ("port_not_offered", {"port": 587, "security": "starttls"})
    assert found(tried(host, port=587, security="ssl")) == ("starttls_mode_needed", {"security": "starttls"})
    assert {ip for ip, _ in town.dialled} == {"127.0.0.1"}
    assert mailbox.logins == []


def test_trying_a_stored_server_of_a_wrong_name(host: Host) -> None:
    """A name that is known to exist is looked up and not connected to."""
    host.state.network = town = Town(names={GMAIL: "198.18.0.1"})
    host.state.guard = Guard(["127.0.0.0/8", "198.18.0.0/15"])
    assert tried(host, host="mail.example.org", port=465, security="ssl").cause == "host_not_found"
    town.names = {}
    assert tried(host, host="mail.example.net", port=465, security="ssl").cause == "dns_resolver_failure"
    assert town.dialled == []


def test_another_server_of_the_app_is_the_reference(host: Host, zoo: Zoo) -> None:
    """A server that passed its last test, on the word of a public authority, tells whether this machine can verify."""
    strange = trustme.CA()
    zoo.town.names["good.example.test"] = "127.0.0.1"
    zoo.settle(465, [start_tls(), say("220 hi"), HELLO, listen()], "good.example.test")
    bad = server_context(strange, HOST)
    server = zoo.stack.enter_context(hostile([start_tls(), listen()], context=bad))
    zoo.town.ports[4465] = server.port
    host.state.network = zoo.town
    with host.app.app_context():
        fields = {
            "name": "good",
            "host": "good.example.test",
            "port": 465,
            "security": "ssl",
            "address": "x@example.test",
        }
        good = host.state.store.add(fields).profile
        host.state.store.record_test(good, passed=True, title="")
    assert tried(host, port=4465, security="ssl").cause == "cert_chain_incomplete"
    assert ("127.0.0.1", 465) in zoo.town.dialled


def test_a_server_of_its_own_trust_is_no_reference(host: Host, zoo: Zoo) -> None:
    """One whose certificate is trusted by its fingerprint says nothing about the machine's authorities."""
    zoo.town.names["good.example.test"] = "127.0.0.1"
    bad = server_context(trustme.CA(), HOST)
    zoo.town.ports[4465] = zoo.stack.enter_context(hostile([start_tls(), listen()], context=bad)).port
    host.state.network = zoo.town
    with host.app.app_context():
        fields = {"host": "good.example.test", "port": 465, "security": "ssl", "address": "x@example.test"}
        own = host.state.store.add({**fields, "certificate_fingerprint": "ab" * 32}).profile
        host.state.store.record_test(own, passed=True, title="")
    tried(host, port=4465, security="ssl")
    assert ("127.0.0.1", 465) not in zoo.town.dialled
