"""Trust in one single certificate: its SHA-256 fingerprint, however people write it, and the comparison with it.

The fingerprint takes the place of the authority's signature and of the name. It does not take the place of the dates:
an expired certificate is refused whatever its fingerprint.
"""

from __future__ import annotations

import hmac
import re
from datetime import UTC, datetime
from hashlib import sha256

from ..errors import CertificateChanged, CertificateRefused
from ..findings import Stage
from ..i18n import gettext as _
from ..safe_text import printable
from .certificates import certificate_facts

#: What stands before the digits of every fingerprint that is kept.
PREFIX = "SHA256:"

#: OpenSSL's numbers for the dates of a certificate (X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED).
_NOT_YET_VALID, _EXPIRED = 9, 10

#: What programs write before the digits: ``sha256 Fingerprint=`` (openssl), ``SHA256:``, ``SHA-256 fingerprint: ``.
_LEAD = re.compile(r"(?:sha-?256)?\s*(?:fingerprint)?\s*[:=]?\s*(?=[0-9a-f])", re.IGNORECASE)
_DIGITS = re.compile(r"[0-9A-Fa-f]{64}")
_SHA1 = re.compile(r"(?:sha-?1)?\s*(?:fingerprint)?\s*[:=]?\s*((?:[0-9a-f]{2}[:\s-]?){20})", re.IGNORECASE)


def canonical_fingerprint(text: str) -> str:
    """Return a fingerprint in the form in which it is kept and shown: ``SHA256:AB:CD:…``.

    :raises ValueError: it is none; the text is a sentence for the field.
    """
    text = text.strip()
    if _SHA1.fullmatch(text):
        raise ValueError(_("This is the older SHA-1 fingerprint. Enter the SHA-256 fingerprint of the certificate."))
    lead = _LEAD.match(text)
    digits = re.sub(r"[:\s-]", "", text[lead.end() :] if lead else text)
    if not _DIGITS.fullmatch(digits):
        raise ValueError(
            _("Enter the SHA-256 fingerprint of the certificate: 64 digits and letters from A to F, such as AB:12:…")
        )
    return PREFIX + ":".join(digits[start : start + 2].upper() for start in range(0, len(digits), 2))


def fingerprint_of(der: bytes) -> str:
    """Return the fingerprint of a certificate, in the form in which it is kept."""
    return canonical_fingerprint(sha256(der).hexdigest())


def check_pinned(der: bytes | None, fingerprint: str, host: str, *, now: datetime | None = None) -> None:
    """Accept the certificate of a connection only if it is the trusted one, and within its dates.

    :param der: the certificate as it came over the wire.
    :param fingerprint: the trusted one, in the form in which it is kept.
    :param host: for the text of an error.
    :param now: the time to judge by; None for the present.
    :raises CertificateChanged: it is another one.
    :raises CertificateRefused: it is the trusted one, but expired or not valid yet.
    """
    found = fingerprint_of(der) if der else ""
    if not hmac.compare_digest(found.encode(), fingerprint.encode("utf-8", "surrogatepass")):
        raise _changed(host, trusted=fingerprint, found=found)
    facts = certificate_facts(der) if der else None
    now = now or datetime.now(UTC)
    if facts is None or facts.not_after is None or facts.not_before is None:
        raise _refused(_("The dates of the certificate of %(host)s cannot be read.", host=host), 0)
    if facts.not_after < now:
        day = f"{facts.not_after:%Y-%m-%d}"
        raise _refused(_("The certificate of %(host)s expired on %(date)s.", host=host, date=day), _EXPIRED)
    if facts.not_before > now:
        day = f"{facts.not_before:%Y-%m-%d}"
        text = _("The certificate of %(host)s becomes valid only on %(date)s.", host=host, date=day)
        raise _refused(text, _NOT_YET_VALID)


def _changed(host: str, *, trusted: str, found: str) -> CertificateChanged:
    error = CertificateChanged(
        _(
            "%(host)s shows another certificate (%(found)s) than the trusted one (%(trusted)s).",
            host=host,
            found=found or _("none"),
            trusted=printable(trusted, 200),
        ),
        stage=Stage.CERTIFICATE,
    )
    error.trusted, error.found = trusted, found
    return error


def _refused(text: str, verify_code: int) -> CertificateRefused:
    error = CertificateRefused(text, stage=Stage.CERTIFICATE)
    error.verify_code = verify_code
    error.tls_reason = "CERTIFICATE_VERIFY_FAILED"
    return error
