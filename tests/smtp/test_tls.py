"""Encryption: only verified, never given up, never talked into (T01t-T06t of the threat model)."""

from __future__ import annotations

import errno
import os
import select
import socket
import ssl
import threading
import warnings
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from flask_smtpservers.errors import (
    CertificateRefused,
    NotOffered,
    ProtocolError,
    SendError,
    TimedOut,
    TLSFailed,
)
from flask_smtpservers.findings import Stage
from flask_smtpservers.secret import Secret
from flask_smtpservers.smtp import (
    Address,
    Deadline,
    Endpoint,
    Guard,
    Security,
    Session,
    SystemNetwork,
    client_context,
    peer_certificate,
)
from flask_smtpservers.smtp.tls import CACHE_SIZE

from ..peers.hostile import (
    Step,
    answer,
    close,
    hang,
    hear,
    hear_bytes,
    hostile,
    listen,
    reset,
    say,
    send,
    server_context,
    start_tls,
    void,
)
from . import certificates
from .certificates import DAY, NOW, serving
from .conftest import HOST, Connect, Loopback

OFFER = "250-mail.example.test\n250-AUTH PLAIN LOGIN\n250 STARTTLS"
SIGNED_IN = [answer("250-mail.example.test\n250 AUTH PLAIN LOGIN", "235 welcome"), listen()]
SCRIPTS: dict[str, list[Step]] = {
    "ssl": [start_tls(), say("220 hi"), *SIGNED_IN],
    "starttls": [say("220 hi"), answer(OFFER, "220 go"), start_tls(), *SIGNED_IN],
}
both = pytest.mark.parametrize("security", ["ssl", "starttls"])


@pytest.fixture
def bad_context(request: pytest.FixtureRequest, ca: trustme.CA, tmp_path: Path) -> ssl.SSLContext:
    """A server's context with the flaw that the test names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issue = {
        "unknown authority": lambda: trustme.CA().issue_cert(HOST),
        "expired": lambda: ca.issue_cert(HOST, not_before=NOW - 3 * DAY, not_after=NOW - DAY),
        "not yet valid": lambda: ca.issue_cert(HOST, not_before=NOW + DAY, not_after=NOW + 3 * DAY),
        "another name": lambda: ca.issue_cert("other.example.test"),
        "wildcard too deep": lambda: ca.issue_cert("*.test"),
        "only an address": lambda: ca.issue_cert("127.0.0.1"),
    }.get(request.param)
    if issue is not None:
        issue().configure_cert(context)
        return context
    if request.param == "common name only":
        return serving(tmp_path, *certificates.without_names(ca, HOST))
    return serving(tmp_path, *certificates.self_signed(HOST))


@both
@pytest.mark.parametrize(
    ("bad_context", "verify_code"),
    [
        ("self-signed", {18}),
        ("unknown authority", {19, 20}),
        ("expired", {10}),
        ("not yet valid", {9}),
        ("another name", {62}),
        ("wildcard too deep", {62}),
        ("only an address", {62}),
        ("common name only", {62}),
    ],
    indirect=["bad_context"],
)
def test_certificates_that_are_refused(
    connect: Connect, security: str, bad_context: ssl.SSLContext, verify_code: set[int]
) -> None:
    """A certificate with any flaw ends it: the reason is kept, and nothing went over that connection (T01t)."""
    with hostile(SCRIPTS[security], context=bad_context) as server:
        session = connect(server.port, security, username="u")
        seen = []
        with pytest.raises(CertificateRefused) as caught:
            seen.extend(progress.stage for progress in session.opening())
        server.settle()
    assert caught.value.verify_code in verify_code
    assert (caught.value.stage, caught.value.server, caught.value.permanent) == (Stage.CERTIFICATE, "Shop mail", True)
    assert isinstance(caught.value, ssl.SSLCertVerificationError)
    assert seen[-1] is Stage.TLS
    assert set(server.verbs) <= {"EHLO", "STARTTLS"}
    assert not session.usable


@both
def test_a_certificate_that_goes_bad(connect: Connect, ca: trustme.CA, security: str) -> None:
    """A server that was fine the last time is verified again: when its certificate is not, no AUTH goes out (T12t)."""
    with hostile(SCRIPTS[security], context=server_context(ca)) as server:
        connect(server.port, security, username="u").open().close()
        server.settle()
        server.context = server_context(trustme.CA())
        with pytest.raises(CertificateRefused):
            connect(server.port, security, username="u").open()
        server.settle()
    assert server.connections == 2
    assert server.verbs.count("AUTH") == 1


@both
def test_a_certificate_for_the_address_when_the_host_is_one(connect: Connect, ca: trustme.CA, security: str) -> None:
    """An IP literal is verified against the certificate's addresses, and only those (S10)."""
    with hostile(SCRIPTS[security], context=server_context(ca, "127.0.0.1")) as server:
        connect(server.port, security, username="u", host="127.0.0.1").open().close()
    with hostile(SCRIPTS[security], context=server_context(ca, HOST)) as server:
        with pytest.raises(CertificateRefused) as caught:
            connect(server.port, security, username="u", host="127.0.0.1").open()
        assert caught.value.verify_code == 64


@both
def test_authorities(connect: Connect, ca: trustme.CA, ca_file: Path, security: str) -> None:
    """The right authority is accepted from the profile or from the operator's file; another one is not (T02t)."""
    other = trustme.CA().cert_pem.bytes().decode()
    with hostile(SCRIPTS[security], ca=ca) as server:
        for trust in (
            {},
            {"ca_certificate": None, "ca_file": str(ca_file)},
            {"ca_file": str(ca_file), "ca_certificate": other},
        ):
            session = connect(server.port, security, username="u", **trust).open()
            assert session.authenticated
            session.close()
        for trust in ({"ca_certificate": other}, {"ca_certificate": None}):
            with pytest.raises(CertificateRefused):
                connect(server.port, security, username="u", **trust).open()


@both
def test_a_pasted_server_certificate(connect: Connect, tmp_path: Path, security: str) -> None:
    """A self-signed server certificate is trusted when the admin pasted that very certificate."""
    pem, key = certificates.self_signed(HOST)
    with hostile(SCRIPTS[security], context=serving(tmp_path, pem, key)) as server:
        assert connect(server.port, security, username="u", ca_certificate=pem).open().authenticated


@both
def test_a_pasted_intermediate_authority(connect: Connect, ca: trustme.CA, security: str) -> None:
    """An intermediate authority may be trusted without its root: what was pasted is trusted as it is."""
    middle = ca.create_child_ca()
    with hostile(SCRIPTS[security], context=server_context(middle)) as server:
        assert (
            connect(server.port, security, username="u", ca_certificate=middle.cert_pem.bytes().decode()).open().usable
        )


@both
def test_facts(connect: Connect, ca: trustme.CA, security: str) -> None:
    """An open session tells what protects it."""
    with hostile(SCRIPTS[security], ca=ca) as server:
        session = connect(server.port, security).open()
    assert session.tls is not None
    assert session.tls.version in ("TLSv1.2", "TLSv1.3")
    assert session.tls.cipher
    assert session.tls.library == ssl.OPENSSL_VERSION
    assert session.tls.subject_names == (HOST,)
    assert "trustme" in session.tls.issuer
    assert session.tls.not_after is not None
    assert session.tls.not_after > datetime.now(UTC)
    assert session.tls.verified
    assert session.tls.certificate is not None
    assert not session.tls.certificate.self_signed


@both
def test_unverified_only_for_the_operator(connect: Connect, tmp_path: Path, security: str) -> None:
    """The app's own server goes unverified if its operator said so, and the step says it."""
    context = serving(tmp_path, *certificates.self_signed("other.test"))
    with hostile(SCRIPTS[security], context=context) as server:
        session = connect(server.port, security, verify_certificate=False)
        seen = {progress.stage: progress.seen for progress in session.opening()}
        assert "not checked" in seen[Stage.CERTIFICATE]
        assert session.tls is not None
        assert not session.tls.verified


@both
def test_old_tls_is_refused(connect: Connect, ca: trustme.CA, security: str) -> None:
    """TLS below 1.2 is no encryption (T06t)."""
    context = server_context(ca)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with hostile(SCRIPTS[security], context=context) as server:
        with pytest.raises(TLSFailed) as caught:
            connect(server.port, security, username="u").open()
        server.settle()
    assert (caught.value.stage, caught.value.permanent) == (Stage.TLS, True)
    assert caught.value.tls_reason
    assert "AUTH" not in server.verbs


# -- STARTTLS
@pytest.mark.parametrize(
    "offer", ["250 mail.example.test", "250-mail.example.test\n250 AUTH PLAIN", "250-x\n250 XSTARTTLS"]
)
def test_starttls_is_not_offered(connect: Connect, offer: str) -> None:
    """Without STARTTLS nothing is sent, least of all a password (T03t)."""
    with hostile([say("220 hi"), answer(offer), listen()]) as server:
        with pytest.raises(NotOffered) as caught:
            connect(server.port, "starttls", username="u").open()
        server.settle()
    assert (caught.value.stage, caught.value.code, caught.value.permanent) == (Stage.STARTTLS, None, True)
    assert server.verbs == ["EHLO", "QUIT"]


@pytest.mark.parametrize(
    ("reply", "permanent"), [("454 4.7.0 TLS not available", False), ("502 no", True), ("250 ok", False)]
)
def test_starttls_is_refused(connect: Connect, reply: str, permanent: bool) -> None:
    """Whatever is said to STARTTLS but 220 ends it (T03t)."""
    with hostile([say("220 hi"), answer(OFFER, reply), listen()]) as server:
        with pytest.raises(NotOffered) as caught:
            connect(server.port, "starttls", username="u").open()
        server.settle()
    assert (caught.value.stage, caught.value.code, caught.value.permanent) == (
        Stage.STARTTLS,
        int(reply[:3]),
        permanent,
    )
    assert server.verbs == ["EHLO", "STARTTLS", "QUIT"]


@pytest.mark.parametrize(
    ("steps", "kind"),
    [
        ([close()], (TLSFailed, ProtocolError)),
        ([reset()], (TLSFailed, ProtocolError)),
        ([hear(), hang()], TimedOut),
        ([send(b"garbage\r\n" * 20), listen()], (TLSFailed, ProtocolError)),
    ],
)
def test_no_handshake_after_220(connect: Connect, steps: list[Step], kind: type[SendError]) -> None:
    """A server that says 220 and then does no TLS gets nothing (T03t)."""
    with hostile([say("220 hi"), answer(OFFER, "220 go"), *steps]) as server:
        with pytest.raises(kind) as caught:
            connect(server.port, "starttls", username="u").open()
        server.settle()
    assert caught.value.stage in (Stage.STARTTLS, Stage.TLS)
    assert b"AUTH" not in server.received


def test_injection_with_the_220(connect: Connect, ca: trustme.CA) -> None:
    """Bytes that come with the 220 abort: they were not encrypted (T04t)."""
    script = [
        say("220 hi"),
        hear(),
        say(*OFFER.split("\n")),
        hear(),
        say("220 go", "250 AUTH PLAIN"),
        start_tls(),
        listen(),
    ]
    with hostile(script, ca=ca) as server:
        with pytest.raises(ProtocolError, match="out of turn") as caught:
            connect(server.port, "starttls", username="u").open()
        server.settle()
    assert (caught.value.stage, caught.value.reply) == (Stage.STARTTLS, "250 AUTH PLAIN")
    assert server.verbs == ["EHLO", "STARTTLS"]


def test_what_was_learnt_before_tls_is_forgotten(connect: Connect, ca: trustme.CA) -> None:
    """EHLO is said again after the handshake; AUTH that was offered before only is not used (T05t)."""
    script = [say("220 hi"), answer(OFFER, "220 go"), start_tls(), answer("250-mail.example.test\n250 SIZE"), listen()]
    with hostile(script, ca=ca) as server:
        session = connect(server.port, "starttls", username="u")
        with pytest.raises(NotOffered) as caught:
            session.open()
        server.settle()
    assert caught.value.stage is Stage.AUTH
    assert session.features == {"SIZE": ""}
    assert server.verbs == ["EHLO", "STARTTLS", "EHLO", "QUIT"]


@pytest.mark.parametrize(
    ("steps", "kind"),
    [
        ([close()], ProtocolError),
        ([hang()], TimedOut),
        ([answer("550 go away"), listen()], SendError),
        ([answer("nonsense")], ProtocolError),
    ],
)
def test_the_second_ehlo_belongs_to_tls(
    connect: Connect, ca: trustme.CA, steps: list[Step], kind: type[SendError]
) -> None:
    """A server that fails right after the handshake fails at the stage of encryption."""
    with hostile([say("220 hi"), answer(OFFER, "220 go"), start_tls(), *steps], ca=ca) as server:
        stages = []
        session = connect(server.port, "starttls")
        with pytest.raises(kind) as caught:
            stages.extend(progress.stage for progress in session.opening())
    assert session.features == {}
    assert (caught.value.stage, stages[-1]) == (Stage.TLS, Stage.STARTTLS)


# -- the wrong port
def test_ssl_on_a_starttls_port(connect: Connect) -> None:
    """A server that greets in the clear is no TLS server: OpenSSL's reason says so."""
    with hostile([say("220 hi"), listen()]) as server, pytest.raises(TLSFailed) as caught:
        connect(server.port, "ssl", username="u").open()
    assert (caught.value.stage, caught.value.tls_reason) == (Stage.TLS, "WRONG_VERSION_NUMBER")
    assert isinstance(caught.value, ssl.SSLError)


def test_starttls_on_an_ssl_port(connect: Connect, ca: trustme.CA) -> None:
    """A TLS server waits for us, and we for it: no greeting in time."""
    with hostile([start_tls()], ca=ca) as server, pytest.raises(TimedOut) as caught:
        connect(server.port, "starttls", username="u").open()
    assert caught.value.stage is Stage.GREETING


def test_a_reset_before_the_handshake() -> None:
    """A connection that was reset before TLS could begin is told as that, and its socket is closed."""
    connected = threading.Event()
    descriptors = []

    class Waiting(SystemNetwork):
        def dial(self, address: Address, timeout: float) -> socket.socket:
            connection = super().dial(address, timeout)
            descriptors.append(connection.fileno())
            connected.set()
            select.select([connection], [], [], 5)
            return connection

    with hostile([lambda peer: void(connected.wait(5)), reset()]) as server:
        endpoint = Endpoint(host="127.0.0.1", port=server.port, security=Security.SSL, guarded=False)
        session = Session(endpoint, network=Waiting(), guard=Guard(), deadline=Deadline(5))
        with pytest.raises(TLSFailed) as caught:
            session.open()
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptors[0])
    assert (caught.value.stage, caught.value.errno) == (Stage.TLS, errno.ECONNRESET)


@pytest.mark.parametrize(("step", "reason"), [(close(), "UNEXPECTED_EOF_WHILE_READING"), (reset(), "")])
def test_hanging_up_instead_of_a_handshake(connect: Connect, step: Step, reason: str) -> None:
    """A server that hangs up when TLS begins is a failure of TLS, and may be a passing one."""
    with hostile([hear_bytes(100), step]) as server, pytest.raises(TLSFailed) as caught:
        connect(server.port, "ssl").open()
    assert (caught.value.stage, caught.value.tls_reason, caught.value.permanent) == (Stage.TLS, reason, False)


def test_a_client_certificate_is_demanded(connect: Connect, ca: trustme.CA) -> None:
    """A server that wants a client certificate gets the one of the profile, and refuses without it."""
    context = server_context(ca)
    context.verify_mode = ssl.CERT_REQUIRED
    ca.configure_trust(context)
    own = ca.issue_cert("client.example.test")
    pem = "".join(blob.bytes().decode() for blob in own.cert_chain_pems)
    with hostile(SCRIPTS["ssl"], context=context) as server:
        session = connect(
            server.port,
            "ssl",
            username="u",
            client_certificate=pem,
            client_key=Secret(own.private_key_pem.bytes().decode()),
        )
        assert session.open().authenticated
        session.close()
        with pytest.raises(TLSFailed) as caught:
            connect(server.port, "ssl", username="u").open()
    assert "CERTIFICATE_REQUIRED" in caught.value.tls_reason


@pytest.mark.parametrize(
    "fields",
    [
        {"ca_certificate": "garbage"},
        {"ca_file": "/nowhere/ca.pem"},
        {"client_certificate": "garbage", "client_key": Secret("garbage")},
        {"client_certificate": "garbage"},
    ],
)
def test_trust_settings_that_cannot_be_used(connect: Connect, fields: dict[str, object]) -> None:
    """Settings that break are an error of the encryption stage, not a crash, and nothing is sent."""
    with hostile([listen()]) as server:
        with pytest.raises(TLSFailed) as caught:
            connect(server.port, "ssl", **fields).open()
        server.settle()
    assert caught.value.stage is Stage.TLS
    assert server.received == b""


# -- contexts
def test_contexts_are_shared(ca_file: Path, ca: trustme.CA) -> None:
    """One context for each set of trust settings; a renewed file and other keys get their own."""
    pem = ca.cert_pem.bytes().decode()
    assert client_context(str(ca_file), pem) is client_context(str(ca_file), pem)
    assert client_context(str(ca_file), pem) is not client_context(str(ca_file))
    assert client_context() is not client_context(verify=False)
    before = client_context(str(ca_file))
    ca_file.write_bytes(ca_file.read_bytes() + b"\n")
    assert client_context(str(ca_file)) is not before


def test_contexts_are_strict() -> None:
    """TLS 1.2 at least, certificate and name verified."""
    context = client_context()
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_the_cache_is_bounded(ca: trustme.CA) -> None:
    """Old contexts make room, the one that was not used for longest first."""
    pem = ca.cert_pem.bytes().decode()
    first, second = client_context(ca_pem=pem + "# 1"), client_context(ca_pem=pem + "# 2")
    for number in range(CACHE_SIZE - 1):
        client_context(ca_pem=f"{pem}# more {number}")
        assert client_context(ca_pem=pem + "# 1") is first
    assert client_context(ca_pem=pem + "# 2") is not second


def test_a_key_with_a_passphrase_asks_nobody(ca: trustme.CA) -> None:
    """OpenSSL must not ask on the terminal for a passphrase."""
    own = ca.issue_cert("client.example.test")
    key = certificates.ec.generate_private_key(certificates.ec.SECP256R1())
    with pytest.raises(ValueError, match="cannot be used together"):
        client_context(
            client_certificate=own.cert_chain_pems[0].bytes().decode(),
            client_key=Secret(certificates.key_pem(key, b"pass")),
        )


def test_keys_without_memory_files(ca: trustme.CA, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the system has no files in memory, the key is in a private file for a moment, and gone then."""
    monkeypatch.delattr("os.memfd_create", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    own = ca.issue_cert("client.example.test")
    client_context(
        client_certificate=own.cert_chain_pems[0].bytes().decode(),
        client_key=Secret(own.private_key_pem.bytes().decode()),
    )
    assert list(tmp_path.iterdir()) == []


# -- looking at a certificate that was refused
@both
def test_peer_certificate(ca: trustme.CA, tmp_path: Path, security: str) -> None:
    """The diagnosis can read a certificate that nobody trusts, without signing in or sending anything."""
    context = serving(tmp_path, *certificates.self_signed("other.test", "www.other.test", common_name="Box"))
    with hostile(SCRIPTS[security], context=context) as server:
        endpoint = Endpoint(
            host=HOST, port=25, security=Security(security), username="u", password=Secret("x"), timeout_seconds=0.5
        )
        facts = peer_certificate(
            endpoint, network=Loopback(server.port), guard=Guard(["127.0.0.0/8"]), deadline=Deadline(3)
        )
        server.settle()
    assert facts is not None
    assert facts.subject_names == ("other.test", "www.other.test")
    assert (facts.issuer, facts.self_signed) == ("Box", True)
    assert len(facts.fingerprint) == 64
    assert facts.not_before is not None
    assert facts.not_before < datetime.now(UTC)
    assert set(server.verbs) <= {"EHLO", "STARTTLS", "QUIT"}


def test_peer_certificate_without_encryption(connect: Connect) -> None:
    """A server that encrypts nothing has no certificate to show."""
    with hostile([say("220 hi"), answer("250 hi"), listen()]) as server:
        endpoint = Endpoint(host=HOST, port=25, security=Security.NONE, timeout_seconds=0.5)
        assert (
            peer_certificate(
                endpoint, network=Loopback(server.port), guard=Guard(["127.0.0.0/8"]), deadline=Deadline(3)
            )
            is None
        )
