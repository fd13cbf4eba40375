"""Certificates: what one says, and whether what an admin pasted can be used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from ..i18n import gettext as _
from ..secret import Secret

#: The largest bundle of authorities that is taken (the system's own has about 220 kB).
MAX_BUNDLE = 512 * 1024

#: Names of one certificate that are kept; some bear hundreds.
_MAX_NAMES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFacts:
    """What a server's certificate says about itself, whether it is trusted or not.

    :param subject_names: the DNS names and IP addresses that it is valid for; the common name if it has none.
    :param subject: whom it is made out to, by its own words.
    :param issuer: who issued it, e.g. ``Let's Encrypt R11``.
    :param not_before: from when it is valid, UTC.
    :param not_after: until when it is valid, UTC.
    :param self_signed: whether issuer and subject are one.
    :param fingerprint: SHA-256 of the whole certificate, as lower-case hexadecimal digits.
    """

    subject_names: tuple[str, ...]
    subject: str = ""
    issuer: str
    not_before: datetime | None
    not_after: datetime | None
    self_signed: bool
    fingerprint: str


def certificate_facts(der: bytes) -> CertificateFacts | None:
    """Read a certificate as it came over the wire; None if it cannot be parsed at all."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        return CertificateFacts(
            subject_names=_subject_names(certificate),
            subject=_display_name(certificate.subject),
            issuer=_display_name(certificate.issuer),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            self_signed=certificate.issuer == certificate.subject,
            fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
        )
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The server chose these bytes. Facts are for reading only; trust was decided by OpenSSL.
        return None


def _subject_names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        return tuple(_plain(str(attribute.value)) for attribute in common)
    dns = [_plain(name) for name in names.get_values_for_type(x509.DNSName)]
    ips = [str(ip) for ip in names.get_values_for_type(x509.IPAddress)]
    return tuple((dns + ips)[:_MAX_NAMES])


def _display_name(name: x509.Name) -> str:
    """Return the organisation and common name, which is what people know an authority by."""
    parts: list[str] = []
    for oid in (x509.NameOID.ORGANIZATION_NAME, x509.NameOID.COMMON_NAME):
        parts += [str(attribute.value) for attribute in name.get_attributes_for_oid(oid)]
    return _plain(" ".join(parts) or name.rfc4514_string())


def _plain(text: str) -> str:
    """Return the server's words without control characters, and cut."""
    return "".join(character if character.isprintable() else "?" for character in text)[:200]


def load_bundle(pem: str) -> list[x509.Certificate]:
    """Read the certificates of a PEM text.

    :raises ValueError: it holds none, or something else; the text is a sentence for the field.
    """
    if "PRIVATE KEY" in pem:
        raise ValueError(_("This holds a private key. Paste only the certificate; keep the key secret."))
    if len(pem) > MAX_BUNDLE:
        raise ValueError(_("This is too large for a certificate."))
    if "-----BEGIN CERTIFICATE-----" not in pem:
        raise ValueError(
            _("This is not a certificate in PEM form: it must contain a line -----BEGIN CERTIFICATE-----.")
        )
    try:
        return x509.load_pem_x509_certificates(pem.encode("utf-8", "replace"))
    except (ValueError, UnsupportedAlgorithm):
        pass
    raise ValueError(_("The certificate cannot be read; it may have been cut off when it was copied."))


def bundle_facts(pem: str) -> list[CertificateFacts]:
    """Tell what the certificates of a PEM text say; none if it cannot be read."""
    try:
        found = [certificate_facts(one.public_bytes(Encoding.DER)) for one in load_bundle(pem)]
    except ValueError:
        return []
    return [facts for facts in found if facts is not None]


def check_pem_bundle(pem: str) -> None:
    """Check the PEM text of certificate authorities that an admin pasted.

    :raises ValueError: it cannot be used; the text is a sentence for the field.
    """
    load_bundle(pem)


def check_key_pair(cert_pem: str, key: Secret, *, now: datetime | None = None) -> datetime:
    """Check that a client certificate and its private key belong together and can be used.

    :param cert_pem: the certificate, then any intermediate ones.
    :param key: the private key as PEM, without a passphrase.
    :param now: the time to judge by; None for the present.
    :returns: when the certificate expires, UTC.
    :raises ValueError: they cannot be used; the text is a sentence for the field and holds nothing of the key.
    """
    certificate = load_bundle(cert_pem)[0]
    private, error = _load_key(key)
    if private is None:
        raise ValueError(error)
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        raise ValueError(_("The private key does not belong to the client certificate."))
    expiry = certificate.not_valid_after_utc
    if expiry <= (now or datetime.now(UTC)):
        raise ValueError(_("The client certificate expired on %(date)s.", date=f"{expiry:%Y-%m-%d}"))
    return expiry


def _load_key(key: Secret) -> tuple[PrivateKeyTypes | None, str]:
    """Return the key, or why it cannot be read; never an exception, whose frames would hold the key."""
    try:
        return load_pem_private_key(key.reveal().encode("utf-8", "replace"), password=None), ""
    except TypeError:
        return None, _("The private key has a passphrase; paste it without one.")
    except (ValueError, UnsupportedAlgorithm):
        return None, _("The private key cannot be read; it must be PEM, with a line -----BEGIN PRIVATE KEY-----.")
