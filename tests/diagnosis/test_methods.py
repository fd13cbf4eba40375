"""A sign-in method that is not there, or that goes wrong: which one to choose is said in so many words."""

from __future__ import annotations

from typing import Any

import pytest

from flask_smtpservers.diagnosis import diagnose
from flask_smtpservers.diagnosis.check import check
from flask_smtpservers.diagnosis.context import Context, context_of
from flask_smtpservers.errors import AuthenticationFailed, NotOffered
from flask_smtpservers.findings import Diagnosis, Mender, Stage
from flask_smtpservers.smtp.auth import choose_mechanism
from flask_smtpservers.smtp.endpoint import Security

from ..peers.hostile import Step, answer, hostile, listen, say, start_tls
from .conftest import MakeSession

MAIL = Context(
    host="mail.example.com",
    port=587,
    security=Security.STARTTLS,
    username="me",
    has_password=True,
    features=frozenset({"AUTH", "SIZE"}),
)


def explained(offered: str, **wanted: Any) -> Diagnosis:
    """What is said of a choice that fails."""
    with pytest.raises(NotOffered) as caught:
        choose_mechanism(offered.split(), **wanted)
    return diagnose(caught.value, MAIL)


def test_a_fixed_method_where_the_automatic_choice_would_do() -> None:
    """Whoever fixed the method can mend it: what is offered is named, and "Automatic"."""
    said = explained("PLAIN LOGIN", fixed="CRAM-MD5")
    assert said.cause == "auth_method_unsupported"
    assert said.explanation == "mail.example.com does not offer CRAM-MD5; it offers: PLAIN, LOGIN."
    assert said.steps == ("Choose “Automatic” as the sign-in method, under “Advanced”.",)
    assert (said.mender, said.transient) == (Mender.YOU, False)


@pytest.mark.parametrize("fixed", ["", "PLAIN"])
@pytest.mark.parametrize(
    ("offered", "method"),
    [
        ("CRAM-MD5 NTLM", "CRAM-MD5"),
        ("CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256", "SCRAM-SHA-256"),
        ("GSSAPI SCRAM-SHA-1", "SCRAM-SHA-1"),
    ],
)
def test_a_method_that_must_be_chosen(offered: str, method: str, fixed: str) -> None:
    """Where only methods are offered that are never used by themselves, the strongest is named."""
    said = explained(offered, fixed=fixed)
    assert (said.cause, said.mender) == ("auth_method_unsupported", Mender.YOU)
    assert offered.replace(" ", ", ") in said.explanation
    assert said.steps[0] == f"Choose {method} as the sign-in method, under “Advanced”."


@pytest.mark.parametrize("wanted", [{}, {"fixed": "CRAM-MD5"}, {"token": True}])
@pytest.mark.parametrize("offered", ["NTLM GSSAPI", ""])
def test_no_method_that_we_know(offered: str, wanted: dict[str, Any]) -> None:
    """Where nothing that is offered helps, the server's operator must."""
    said = explained(offered, **wanted)
    assert (said.cause, said.fix, said.mender) == ("auth_method_unsupported", "change_auth_method", Mender.PROVIDER)


def test_a_token_where_only_passwords_are_taken() -> None:
    """Nobody with a token is told to choose a method for passwords."""
    said = explained("PLAIN LOGIN SCRAM-SHA-256", token=True)
    assert (said.cause, said.mender) == ("auth_method_unsupported", Mender.PROVIDER)


def test_without_encryption_too() -> None:
    """Where the operator allows a login in clear a missing method is not taken for forbidden plain text."""
    with pytest.raises(NotOffered) as caught:
        choose_mechanism(["PLAIN"], fixed="CRAM-MD5")
    bare = Context(host="mail.example.com", port=25, security=Security.NONE, features=frozenset({"AUTH"}))
    assert diagnose(caught.value, bare).cause == "auth_method_unsupported"


@pytest.mark.parametrize("code", [235, 250, 334])
def test_a_sign_in_that_goes_wrong(code: int) -> None:
    """What was wrong with the server's part is told, not that user name or password were refused."""
    text = "The server did not prove that it knows the password."
    said = diagnose(AuthenticationFailed(text, stage=Stage.AUTH, code=code, permanent=True), MAIL)
    assert (said.cause, said.title) == ("auth_method_unsupported", "The sign-in went wrong")
    assert said.explanation == f"{text} So it was broken off."
    assert "Automatic" in said.steps[0]


@pytest.mark.parametrize(
    ("mechanism", "steps", "explanation"),
    [
        ("CRAM-MD5", [], "mail.example.test does not offer CRAM-MD5; it offers: PLAIN, SCRAM-SHA-256."),
        ("SCRAM-SHA-256", [answer("235 ok")], "The server did not prove that it knows the password. So it was broken"),
        ("PLAIN", [answer("334 x", "334 y")], "The server asked for more than PLAIN foresees. So it was broken off."),
    ],
)
def test_from_the_wire(session_to: MakeSession, ca: Any, mechanism: str, steps: list[Step], explanation: str) -> None:
    """The check tells it of a session that has just failed."""
    hello = answer("250-mail.example.test\n250-STARTTLS\n250 AUTH PLAIN SCRAM-SHA-256")
    script = [say("220 hi"), hello, answer("220 go"), start_tls(), hello, *steps, listen()]
    with hostile(script, ca=ca) as server:
        session = session_to(server.port, username="me", mechanism=mechanism)
        context = context_of(session.endpoint, sender="shop@example.test")
        failed = list(check(session, sender="shop@example.test", context=context))
    diagnosis = next(step.diagnosis for step in failed if step.diagnosis)
    assert diagnosis.cause == "auth_method_unsupported"
    assert diagnosis.explanation.startswith(explanation)
