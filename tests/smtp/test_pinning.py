"""Trust in one certificate by its fingerprint: it takes the place of authority and name, of nothing else."""

from __future__ import annotations

import ssl
from contextlib import suppress
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import trustme

from flask_smtpservers.errors import CertificateChanged, CertificateRefused
from flask_smtpservers.findings import Stage
from flask_smtpservers.smtp.pinning import canonical_fingerprint, check_pinned, fingerprint_of

from ..peers.hostile import Step, answer, hostile, listen, say, server_context, start_tls
from . import certificates
from .certificates import DAY, NOW, serving
from .conftest import HOST, SECRET, Connect

DIGITS = "0123456789abcdef" * 4
KEPT = "SHA256:" + ":".join(["01:23:45:67:89:AB:CD:EF"] * 4)

OFFER = "250-mail.example.test\n250-AUTH PLAIN LOGIN\n250 STARTTLS"
SIGNED_IN = [answer("250-mail.example.test\n250 AUTH PLAIN LOGIN", "235 welcome"), listen()]
SCRIPTS: dict[str, list[Step]] = {
    "ssl": [start_tls(), say("220 hi"), *SIGNED_IN],
    "starttls": [say("220 hi"), answer(OFFER, "220 go"), start_tls(), *SIGNED_IN],
}
both = pytest.mark.parametrize("security", ["ssl", "starttls"])


def shown_by(context: ssl.SSLContext) -> str:
    """The fingerprint of the certificate that a server shows."""
    incoming, outgoing, back = ssl.MemoryBIO(), ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    near, far = client.wrap_bio(back, incoming), context.wrap_bio(incoming, outgoing, server_side=True)
    for _turn in range(3):
        for end in (near, far):
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
            back.write(outgoing.read())
    der = near.getpeercert(binary_form=True)
    assert der is not None
    return fingerprint_of(der)


@pytest.fixture
def own(tmp_path: Path) -> ssl.SSLContext:
    """A server whose certificate vouches for itself, under another name than ours."""
    return serving(tmp_path, *certificates.self_signed("nas.local", common_name="nas"))


# -- how people write it
@pytest.mark.parametrize(
    "text",
    [
        DIGITS,
        f"  {DIGITS.upper()} ",
        KEPT,
        KEPT.lower(),
        KEPT.replace("SHA256:", "sha256 Fingerprint="),
        KEPT.replace("SHA256:", "SHA-256 fingerprint: ").replace(":", " "),
        KEPT.removeprefix("SHA256:"),
    ],
)
def test_one_form_is_kept(text: str) -> None:
    """As openssl, browsers and our own pages write it; the form that is kept stays as it is."""
    assert canonical_fingerprint(text) == KEPT


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "64 digits"),
        (DIGITS[:-1], "64 digits"),
        (DIGITS + "0", "64 digits"),
        ("ﬀ" * 32, "64 digits"),
        ("SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU", "64 digits"),
        (DIGITS[:40], "SHA-1"),
        ("SHA1 Fingerprint=" + ":".join(["AB"] * 20), "SHA-1"),
        ("MD5 Fingerprint=" + ":".join(["AB"] * 16), "64 digits"),
    ],
)
def test_anything_else_is_none(text: str, word: str) -> None:
    """Nothing shorter, nothing weaker, nothing that only looks like it."""
    with pytest.raises(ValueError, match=word):
        canonical_fingerprint(text)


# -- on the wire
@both
def test_the_trusted_certificate_is_enough(connect: Connect, security: str, own: ssl.SSLContext) -> None:
    """Nobody vouches for it and it bears another name: without the fingerprint refused, with it signed in."""
    with hostile(SCRIPTS[security], context=own) as server:
        with pytest.raises(CertificateRefused):
            connect(server.port, security, username="u").open()
        server.settle()
        assert "AUTH" not in server.verbs
        trusted = shown_by(own)
        session = connect(server.port, security, username="u", certificate_fingerprint=trusted)
        seen = {progress.stage: progress for progress in session.opening()}
        assert session.authenticated
        assert session.tls is not None
        assert (session.tls.verified, session.tls.pinned) == (True, True)
        session.close()
    assert "trusted by its fingerprint" in seen[Stage.CERTIFICATE].seen
    assert seen[Stage.CERTIFICATE].expires_at == session.tls.not_after


@both
@pytest.mark.parametrize("shown", ["self-made", "by a known authority"])
def test_another_certificate_is_refused_before_a_word(
    connect: Connect, ca: trustme.CA, security: str, shown: str, own: ssl.SSLContext
) -> None:
    """Also one that everybody would trust: both fingerprints are told, and not even EHLO follows the handshake."""
    context = own if shown == "self-made" else server_context(ca)
    with hostile(SCRIPTS[security], context=context) as server:
        session = connect(server.port, security, username="u", certificate_fingerprint=KEPT)
        with pytest.raises(CertificateChanged) as caught:
            session.open()
        server.settle()
    error = caught.value
    assert (error.trusted, error.found) == (KEPT, shown_by(context))
    assert KEPT in str(error)
    assert error.found in str(error)
    assert (error.stage, error.server, error.permanent) == (Stage.CERTIFICATE, "Shop mail", True)
    assert server.verbs == ([] if security == "ssl" else ["EHLO", "STARTTLS"])
    assert SECRET not in repr(error.__dict__)
    assert not session.usable


@both
@pytest.mark.parametrize(
    ("dates", "code"),
    [
        ({"not_before": NOW - 3 * DAY, "not_after": NOW - DAY}, 10),
        ({"not_before": NOW + DAY, "not_after": NOW + 3 * DAY}, 9),
    ],
    ids=["expired", "not yet valid"],
)
def test_its_dates_still_count(
    connect: Connect, ca: trustme.CA, security: str, dates: dict[str, Any], code: int
) -> None:
    """No fingerprint makes a certificate good that is out of date."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert(HOST, **dates).configure_cert(context)
    with hostile(SCRIPTS[security], context=context) as server:
        session = connect(server.port, security, username="u", certificate_fingerprint=shown_by(context))
        with pytest.raises(CertificateRefused) as caught:
            session.open()
        server.settle()
    assert (type(caught.value), caught.value.verify_code) == (CertificateRefused, code)
    assert "AUTH" not in server.verbs


@both
def test_the_fingerprint_alone_decides(connect: Connect, security: str, own: ssl.SSLContext) -> None:
    """The text of the settings is compared as a whole: a part of it, or one in another form, is another one."""
    trusted = shown_by(own)
    with hostile(SCRIPTS[security], context=own) as server:
        for wrong in (trusted[:-1], trusted.lower(), trusted + " ", "SHA256:", "é" + trusted):
            with pytest.raises(CertificateChanged):
                connect(server.port, security, username="u", certificate_fingerprint=wrong).open()


def test_a_server_without_a_certificate() -> None:
    """An anonymous handshake shows none, which is not the trusted one."""
    with pytest.raises(CertificateChanged) as caught:
        check_pinned(None, KEPT, HOST)
    assert caught.value.found == ""


def test_a_certificate_that_cannot_be_read() -> None:
    """Its dates cannot be judged, so it is refused even if its fingerprint is right."""
    garbage = b"\x30\x03\x02\x01\x00"
    with pytest.raises(CertificateRefused, match="dates"):
        check_pinned(garbage, canonical_fingerprint(sha256(garbage).hexdigest()), HOST)


def test_the_last_second(own: ssl.SSLContext, tmp_path: Path) -> None:
    """It is good up to the moment that it names, and not a second longer."""
    pem = (tmp_path / "server.pem").read_text().partition("-----BEGIN CERTIFICATE-----")
    der = ssl.PEM_cert_to_DER_cert(pem[1] + pem[2])
    end = (NOW + 30 * DAY).replace(microsecond=0)
    check_pinned(der, fingerprint_of(der), HOST, now=end)
    with pytest.raises(CertificateRefused):
        check_pinned(der, fingerprint_of(der), HOST, now=end + timedelta(seconds=1))
