"""What follows from each kind of failure: the table that fail-over, queue and breaker share."""

from __future__ import annotations

import pytest

from flask_smtpservers import errors
from flask_smtpservers.errors import SMTPServersError
from flask_smtpservers.findings import Stage
from flask_smtpservers.sending.consequence import (
    Blame,
    Consequence,
    Elsewhere,
    Fate,
    consequence_of,
    consequence_of_reply,
)

DOWN = Consequence(Fate.DEFERRED, Blame.COUNT, Elsewhere.YES)
UNSAFE = Consequence(Fate.DEFERRED, Blame.OPEN, Elsewhere.YES)
PERSON = Consequence(Fate.DEFERRED, Blame.STOP, Elsewhere.YES)
NOT_NOW = Consequence(Fate.DEFERRED, Blame.NONE, Elsewhere.YES)
NEVER = Consequence(Fate.REFUSED, Blame.NONE, Elsewhere.NO)
SENDER = Consequence(Fate.REFUSED, Blame.NONE, Elsewhere.IF_PERMITTED)
DOUBT = Consequence(Fate.IN_DOUBT, Blame.COUNT, Elsewhere.NO)
NEXT = Consequence(Fate.NEXT_TRANSACTION, Blame.NONE, Elsewhere.NO)


def failed(name: str, stage: Stage, code: int | None = None, enhanced: str | None = None) -> SMTPServersError:
    """Make the error of that class, as the transport raises it."""
    kind: type[errors.SendError] = getattr(errors, name)
    return kind("It failed.", stage=stage, code=code, enhanced=enhanced)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (failed("HostNotFound", Stage.RESOLVE), DOWN),
        (failed("ConnectionRefused", Stage.CONNECT), DOWN),
        (failed("TimedOut", Stage.CONNECT), DOWN),
        (failed("TimedOut", Stage.DATA), DOWN),
        (failed("ProtocolError", Stage.GREETING), DOWN),
        (failed("ProtocolError", Stage.GREETING, 554), DOWN),
        (failed("HeloRefused", Stage.EHLO, 550), DOWN),
        (failed("AddressBlocked", Stage.RESOLVE), PERSON),
        (failed("TLSFailed", Stage.TLS), UNSAFE),
        (failed("CertificateRefused", Stage.CERTIFICATE), UNSAFE),
        (failed("NotOffered", Stage.STARTTLS), UNSAFE),
        (failed("AuthenticationFailed", Stage.AUTH, 535, "5.7.8"), PERSON),
        (failed("AuthenticationFailed", Stage.AUTH, 534, "5.7.9"), PERSON),
        (failed("AuthenticationFailed", Stage.AUTH, 454, "4.7.0"), DOWN),
        (failed("AuthenticationFailed", Stage.AUTH, 421), DOWN),
        (failed("SenderRefused", Stage.MAIL_FROM, 530, "5.7.0"), PERSON),
        (failed("SenderRefused", Stage.MAIL_FROM, 451), NOT_NOW),
        (failed("SenderRefused", Stage.MAIL_FROM, 421), DOWN),
        (failed("SenderRefused", Stage.MAIL_FROM, 553, "5.7.1"), SENDER),
        (failed("SenderRefused", Stage.MAIL_FROM, 552, "5.3.4"), NEVER),
        (failed("MessageTooLarge", Stage.MAIL_FROM), NEVER),
        (failed("DataRefused", Stage.DATA, 451), NOT_NOW),
        (failed("DataRefused", Stage.DATA, 421), DOWN),
        (failed("DataRefused", Stage.DATA, 554, "5.6.0"), NEVER),
        (failed("InDoubt", Stage.DATA), DOUBT),
        (failed("InDoubt", Stage.DATA, 421), DOUBT),
        (errors.MessageRefused("It cannot be sent."), NEVER),
        (errors.SecretUnreadable("The key is missing."), PERSON),
    ],
    ids=lambda value: f"{type(value).__name__} {getattr(value, 'code', '')}" if isinstance(value, Exception) else "",
)
def test_what_follows_from_an_attempt_that_failed(error: SMTPServersError, expected: Consequence) -> None:
    assert consequence_of(error) == expected


@pytest.mark.parametrize(
    ("code", "enhanced", "expected"),
    [
        (450, "4.7.1", NOT_NOW),
        (451, None, NOT_NOW),
        (452, None, NOT_NOW),
        (452, "4.5.3", NEXT),
        (552, "5.5.3", NEXT),
        (552, "5.2.2", NEVER),
        (550, "5.1.1", NEVER),
        (530, "5.7.0", PERSON),
        (421, "4.3.2", DOWN),
        (0, None, DOWN),
    ],
)
def test_what_follows_for_one_recipient(code: int, enhanced: str | None, expected: Consequence) -> None:
    assert consequence_of_reply(code, enhanced) == expected


def test_of_several_refused_recipients_the_most_hopeful_counts() -> None:
    error = errors.RecipientsRefused("All were refused.", stage=Stage.RCPT_TO, code=550)
    error.recipients = {"a@example.org": (550, b"no"), "b@example.org": (450, b"greylisted")}
    assert consequence_of(error) == NOT_NOW
    error.recipients.pop("b@example.org")
    assert consequence_of(error) == NEVER


def test_only_a_message_in_doubt_is_in_doubt() -> None:
    """Whatever another class of error carries, it never makes a message look as if it may have been delivered."""
    for name in ("ProtocolError", "TimedOut", "ConnectionFailed", "DataRefused"):
        for code in (None, 421, 450, 550):
            assert consequence_of(failed(name, Stage.DATA, code)).fate is not Fate.IN_DOUBT
