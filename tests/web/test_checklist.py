"""The checklist: what a run has proved is ticked, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from flask_smtpservers.diagnosis.stages import stages
from flask_smtpservers.findings import Diagnosis, Stage, Step, StepState
from flask_smtpservers.smtp.endpoint import Security
from flask_smtpservers.web.checklist import checklist

OK, FAILED, NOT_REACHED = StepState.OK, StepState.FAILED, StepState.NOT_REACHED


def run(security: Security, *, login: bool = True, failed: Stage | None = None, cause: str = "") -> Sequence[Step]:
    steps: list[Step] = []
    state = OK
    for stage in stages(security, login=login, send=True):
        if stage is failed:
            steps.append(Step(stage, FAILED, diagnosis=Diagnosis(cause, "", "", "", (), False)))
            state = NOT_REACHED
        else:
            steps.append(Step(stage, state))
    return steps


@pytest.mark.parametrize(
    ("steps", "kinds"),
    [
        # credentials, web site, blanks, app password, other programs, port and encryption, firewall, allow-list
        (run(Security.SSL), "ok idle ok ok ok ok ok ok"),
        (run(Security.STARTTLS, login=False), "paused paused ok paused paused ok ok ok"),
        (run(Security.NONE, login=False), "paused paused ok paused paused ok ok ok"),
        (
            run(Security.SSL, failed=Stage.AUTH, cause="bad_credentials"),
            "failed idle ok idle idle ok ok idle",
        ),
        (
            run(Security.SSL, failed=Stage.TLS, cause="starttls_mode_needed"),
            "idle idle ok idle idle failed ok idle",
        ),
        (
            run(Security.STARTTLS, failed=Stage.TLS, cause="tls_version_or_cipher"),
            "idle idle ok idle idle failed ok idle",
        ),
        (
            run(Security.STARTTLS, failed=Stage.CERTIFICATE, cause="cert_expired"),
            "idle idle ok idle idle ok ok idle",
        ),
        (
            run(Security.STARTTLS, failed=Stage.TLS, cause="unknown"),
            "idle idle ok idle idle idle ok idle",
        ),
        (
            run(Security.SSL, failed=Stage.CONNECT, cause="port_blocked"),
            "idle idle ok idle idle idle failed idle",
        ),
        (
            run(Security.SSL, failed=Stage.RCPT_TO, cause="ip_not_allowlisted"),
            "ok idle ok ok ok ok ok failed",
        ),
    ],
)
def test_points(steps: Sequence[Step], kinds: str) -> None:
    """Eight points, whatever happened."""
    assert [point.kind for point in checklist(steps)] == kinds.split()


def test_blanks_around_a_password_are_their_own_point() -> None:
    """A refused password with blanks at its ends is first of all a matter of the blanks."""
    diagnosis = Diagnosis("bad_credentials", "", "", "", (), False, correction={"keep_password_blanks": 0})
    steps = [Step(Stage.SETTINGS, OK), Step(Stage.AUTH, FAILED, diagnosis=diagnosis)]
    assert [point.kind for point in checklist(steps)][:3] == ["idle", "idle", "failed"]


def test_the_point_about_lists_names_the_apps_addresses() -> None:
    assert checklist((), ("203.0.113.7", "2001:db8::7"))[-1].text.endswith("from 203.0.113.7, 2001:db8::7.")
