"""Whether the certificate that was refused may be trusted by its fingerprint, and what a person must see of it."""

from __future__ import annotations

from datetime import UTC, datetime

from ..errors import CertificateChanged
from ..findings import Diagnosis, SeenCertificate
from ..smtp.pinning import canonical_fingerprint
from .context import Context

#: Causes by which nobody known vouches for the certificate. Under any other, something else is to be mended: the name,
#: the dates, the list of authorities, the way to the server.
_UNVOUCHED = frozenset(["cert_self_signed", "cert_chain_incomplete", "certificate_changed"])


def trustable(diagnosis: Diagnosis, context: Context, error: Exception | None = None) -> SeenCertificate | None:
    """Return the certificate if its fingerprint may be trusted in place of an authority; None if not.

    Never a provider's: its servers show certificates that everybody trusts, so another one is somebody else's. Never
    one that is out of date, which no fingerprint would mend.

    :param diagnosis: why the certificate was refused.
    :param context: the settings that failed, and the certificate.
    :param error: the failure; what it says was shown must be what was looked at since.
    """
    facts = context.certificate
    if facts is None or facts.not_before is None or facts.not_after is None:
        return None
    vouched = diagnosis.cause not in _UNVOUCHED
    # A self-made certificate under another name, which was pasted as an authority.
    if vouched and not (diagnosis.cause == "cert_hostname_mismatch" and facts.self_signed):
        return None
    if context.is_public_service or not facts.not_before <= datetime.now(UTC) <= facts.not_after:
        return None
    fingerprint, trusted = canonical_fingerprint(facts.fingerprint), ""
    if isinstance(error, CertificateChanged):
        if error.found != fingerprint:
            return None
        trusted = error.trusted
    return SeenCertificate(
        fingerprint=fingerprint,
        subject=facts.subject,
        names=facts.subject_names,
        issuer=facts.issuer,
        not_before=facts.not_before,
        not_after=facts.not_after,
        trusted=trusted,
    )
