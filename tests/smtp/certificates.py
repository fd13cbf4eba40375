"""Certificates that nobody should trust, made for tests."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def key_pem(key: ec.EllipticCurvePrivateKey, passphrase: bytes | None = None) -> str:
    cipher = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, cipher).decode()


def self_signed(*dns: str, common_name: str = "mail.example.test") -> tuple[str, str]:
    """A certificate that vouches for itself: (PEM, PEM of its key)."""
    key = ec.generate_private_key(ec.SECP256R1())
    return _sign(common_name, dns, key, issuer=None, signer=key)


def without_names(ca: trustme.CA, common_name: str) -> tuple[str, str]:
    """A certificate of ``ca`` with a common name and no subjectAltName."""
    key = ec.generate_private_key(ec.SECP256R1())
    signer = load_pem_private_key(ca.private_key_pem.bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    issuer = x509.load_pem_x509_certificate(ca.cert_pem.bytes()).subject
    return _sign(common_name, (), key, issuer=issuer, signer=signer)


def _sign(
    common_name: str,
    dns: tuple[str, ...],
    key: ec.EllipticCurvePrivateKey,
    *,
    issuer: x509.Name | None,
    signer: ec.EllipticCurvePrivateKey,
) -> tuple[str, str]:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + 30 * DAY)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if dns:
        names = x509.SubjectAlternativeName([x509.DNSName(name) for name in dns])
        builder = builder.add_extension(names, critical=False)
    certificate = builder.sign(signer, hashes.SHA256())
    return certificate.public_bytes(Encoding.PEM).decode(), key_pem(key)


def serving(directory: Path, certificate: str, key: str) -> ssl.SSLContext:
    """A server's TLS context with this certificate."""
    path = directory / "server.pem"
    path.write_text(key + certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
