"""What the help pages say of usual failures."""

from __future__ import annotations

import pytest

from flask_smtpservers.diagnosis.causes import CAUSES
from flask_smtpservers.diagnosis.usual import usual_failures
from flask_smtpservers.providers.catalog import packaged
from flask_smtpservers.providers.provider import Provider


def causes(name: str) -> list[str]:
    one = packaged().provider(name)
    assert one is not None
    return [diagnosis.cause for diagnosis in usual_failures(one, packaged())]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gmail", ["app_password_required", "bad_credentials"]),
        ("qq", ["app_password_required", "bad_credentials", "sender_not_owned"]),
        (
            "microsoft365",
            [
                "bad_credentials",
                "smtp_auth_disabled_mailbox",
                "smtp_auth_disabled_tenant",
                "signin_policy_blocked",
                "port_not_offered",
                "sender_not_owned",
            ],
        ),
        ("outlook", ["basic_auth_disabled", "port_not_offered"]),
        ("microsoft365-relay", ["ip_not_allowlisted", "port_blocked"]),
        ("zoho", ["bad_credentials", "wrong_endpoint", "sender_not_owned"]),
        ("sendgrid", ["bad_credentials", "sender_not_verified"]),
        ("amazon-ses", ["wrong_credential_kind", "wrong_endpoint", "sender_not_verified", "sandbox_restricted"]),
        ("mailpit", ["connection_refused"]),
        ("tuta", []),
        ("loops", []),
    ],
)
def test_the_causes_of_a_provider(name: str, expected: list[str]) -> None:
    """What its passwords, switches, regions and sender rules lead to."""
    assert causes(name) == expected


@pytest.mark.parametrize("one", packaged().providers, ids=lambda one: one.id)
def test_every_failure_is_told_in_whole_sentences(one: Provider) -> None:
    """Known causes, each headline once, steps without gaps; nothing that cannot be said before it happens."""
    found = usual_failures(one, packaged())
    assert len({diagnosis.title for diagnosis in found}) == len(found)
    for diagnosis in found:
        assert diagnosis.cause in CAUSES
        assert diagnosis.cause != "unknown"
        assert diagnosis.steps
        assert all("%(" not in step and "{" not in step for step in diagnosis.steps)
