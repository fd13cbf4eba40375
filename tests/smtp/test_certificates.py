"""What an admin pastes: bundles of authorities, client certificates and keys (T02t)."""

from __future__ import annotations

import traceback
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from flask_smtpservers.secret import Secret
from flask_smtpservers.smtp import check_key_pair, check_pem_bundle
from flask_smtpservers.smtp.certificates import certificate_facts

from . import certificates


@pytest.fixture(scope="module")
def pair(ca: trustme.CA) -> tuple[str, str]:
    issued = ca.issue_cert("client.example.test")
    return issued.cert_chain_pems[0].bytes().decode(), issued.private_key_pem.bytes().decode()


def test_bundles(ca: trustme.CA) -> None:
    """One certificate or several, with comments and foreign letters between them."""
    pem = ca.cert_pem.bytes().decode()
    for text in (pem, pem + pem, f"# Größe\r\n{pem}\n\nmore\n{pem}", pem.replace("\n", "\r\n")):
        check_pem_bundle(text)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "not a certificate in PEM form"),
        ("garbage", "not a certificate in PEM form"),
        ("\ud800", "not a certificate in PEM form"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read"),
        ("-----BEGIN CERTIFICATE-----\nMIIB", "cannot be read"),
        ("-----BEGIN CERTIFICATE-----" + "A" * 600_000, "too large"),
    ],
)
def test_what_is_no_bundle(text: str, what: str) -> None:
    """Garbage is refused with a sentence for the field."""
    with pytest.raises(ValueError, match=what):
        check_pem_bundle(text)


def test_a_private_key_is_not_taken(pair: tuple[str, str]) -> None:
    """A private key in the wrong field is refused whatever stands beside it, and is not repeated."""
    certificate, key = pair
    for text in (key, certificate + key, key + certificate, key.replace("PRIVATE", "ENCRYPTED PRIVATE")):
        with pytest.raises(ValueError, match="holds a private key") as caught:
            check_pem_bundle(text)
        assert key.split("\n")[1] not in str(caught.value)


def test_a_pair(pair: tuple[str, str]) -> None:
    """A pair that belongs together gives its expiry."""
    certificate, key = pair
    expiry = check_key_pair(certificate, Secret(key))
    assert expiry.tzinfo is UTC
    assert expiry > datetime.now(UTC)


def test_an_expired_pair(pair: tuple[str, str]) -> None:
    """A pair that has expired is refused, with the day."""
    certificate, key = pair
    expiry = check_key_pair(certificate, Secret(key))
    with pytest.raises(ValueError, match=f"expired on {expiry:%Y-%m-%d}"):
        check_key_pair(certificate, Secret(key), now=expiry + timedelta(seconds=1))


@pytest.mark.parametrize("kind", ["another", "garbage", "certificate", "passphrase", "empty", "surrogate"])
def test_keys_that_cannot_be_used(pair: tuple[str, str], kind: str) -> None:
    """A key that is another's, no key, or protected, is refused; the error and its frames hold nothing of it."""
    certificate = pair[0]
    other = certificates.ec.generate_private_key(certificates.ec.SECP256R1())
    text, what = {
        "another": (certificates.key_pem(other), "does not belong"),
        "garbage": ("CANARY-garbage", "cannot be read"),
        "certificate": (certificate, "cannot be read"),
        "passphrase": (certificates.key_pem(other, b"pass"), "has a passphrase"),
        "empty": ("", "cannot be read"),
        "surrogate": ("CANARY\ud800", "cannot be read"),
    }[kind]
    with pytest.raises(ValueError, match=what) as caught:
        check_key_pair(certificate, Secret(text))
    assert caught.value.__context__ is None
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    frames = shown.partition("check_key_pair(cert_pem")[2] or shown.partition("raise ValueError")[2]
    assert "CANARY" not in frames


def test_facts_of_garbage() -> None:
    """A server may send anything as its certificate; facts are then missing, nothing else."""
    assert certificate_facts(b"\x30\x03garbage") is None
