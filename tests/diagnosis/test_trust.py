"""When the certificate that was refused may be trusted by its fingerprint. Nothing here connects."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from flask_smtpservers.diagnosis.causes import CAUSES
from flask_smtpservers.diagnosis.context import Context
from flask_smtpservers.diagnosis.rules import Verdict, diagnose, explained
from flask_smtpservers.diagnosis.trust import trustable
from flask_smtpservers.errors import CertificateChanged
from flask_smtpservers.findings import Stage
from flask_smtpservers.providers.catalog import packaged
from flask_smtpservers.smtp.certificates import CertificateFacts

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
FACTS = CertificateFacts(
    subject_names=("nas.example.org", "192.0.2.9"),
    subject="NAS",
    issuer="NAS",
    not_before=NOW - DAY,
    not_after=NOW + DAY,
    self_signed=True,
    fingerprint="ab" * 32,
)
SHOWN = "SHA256:" + ":".join(["AB"] * 32)
OTHER = "SHA256:" + ":".join(["CD"] * 32)
OWN = Context(host="mail.example.org", certificate=FACTS)


def changed(found: str = SHOWN) -> CertificateChanged:
    error = CertificateChanged("another certificate", stage=Stage.CERTIFICATE)
    error.trusted, error.found = OTHER, found
    return error


@pytest.mark.parametrize("cause", CAUSES)
def test_only_where_nobody_vouches_for_it(cause: str) -> None:
    """Of all causes three; and another name only if the certificate vouches for itself."""
    offered = trustable(explained(Verdict(cause), OWN), OWN)
    unvouched = {"cert_self_signed", "cert_chain_incomplete", "certificate_changed", "cert_hostname_mismatch"}
    assert (offered is not None) is (cause in unvouched)
    if offered is not None:
        assert (offered.fingerprint, offered.subject, offered.issuer) == (SHOWN, "NAS", "NAS")
        assert (offered.names, offered.trusted) == (("nas.example.org", "192.0.2.9"), "")
    issued = replace(OWN, certificate=replace(FACTS, self_signed=False))
    assert (trustable(explained(Verdict(cause), issued), issued) is not None) is (
        cause in unvouched - {"cert_hostname_mismatch"}
    )


@pytest.mark.parametrize(
    "change",
    [
        {"certificate": None},
        {"certificate": replace(FACTS, not_after=NOW - timedelta(seconds=1))},
        {"certificate": replace(FACTS, not_before=NOW + DAY)},
        {"certificate": replace(FACTS, not_after=None)},
        {"host": "smtp.gmail.com"},
        {"host": "smtp.office365.com"},
        {"host": "smtp.mailtrap.io"},
    ],
    ids=["not seen", "expired", "not yet valid", "without dates", "Gmail", "Microsoft 365", "a test service"],
)
def test_never(change: dict[str, object]) -> None:
    """A certificate that no fingerprint would mend, and a provider's, which is somebody else's then."""
    context = replace(OWN, **change)
    assert trustable(explained(Verdict("cert_self_signed"), context), context) is None


def test_every_provider() -> None:
    """None of the catalogue's public hosts; the programs of one's own machine may be trusted."""
    for owner in packaged().providers:
        for host in owner.hosts:
            context = replace(OWN, host=host, provider=owner)
            offered = trustable(explained(Verdict("cert_self_signed"), context), context)
            assert (offered is None) is owner.is_public, host


def test_a_changed_certificate() -> None:
    """One cause whatever else is known; both fingerprints; and nothing is offered but the very one that was shown."""
    diagnosis = diagnose(changed(), OWN, Stage.CERTIFICATE)
    assert (diagnosis.cause, diagnosis.fix, diagnosis.transient) == (
        "certificate_changed",
        "compare_fingerprint",
        False,
    )
    assert SHOWN in diagnosis.explanation
    assert OTHER in diagnosis.explanation
    offered = trustable(diagnosis, OWN, changed())
    assert offered is not None
    assert (offered.fingerprint, offered.trusted) == (SHOWN, OTHER)
    assert trustable(diagnosis, OWN, changed(found=OTHER)) is None
    assert "none" in diagnose(changed(found=""), OWN, Stage.CERTIFICATE).explanation
