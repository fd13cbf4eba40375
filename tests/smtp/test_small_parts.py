"""Deadline, transcript, queue ids, and the mapping of the system's errors."""

from __future__ import annotations

import errno
import importlib
import pkgutil
import socket
import ssl

import pytest

import flask_smtpservers.smtp
from flask_smtpservers.errors import (
    CertificateRefused,
    ConnectionFailed,
    ConnectionRefused,
    HostNotFound,
    ProtocolError,
    SendError,
    TimedOut,
    TLSFailed,
)
from flask_smtpservers.findings import Stage
from flask_smtpservers.smtp import Deadline, Reply, Transcript
from flask_smtpservers.smtp.failures import HangupError, failure
from flask_smtpservers.smtp.queue_id import queue_id_of


class Clock:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_deadline() -> None:
    """A deadline counts down, never below nothing, and bounds the limits of single steps."""
    clock = Clock()
    deadline = Deadline(10, clock)
    assert (deadline.remaining(), deadline.expired, deadline.limit(3), deadline.limit(30)) == (10, False, 3, 10)
    step, long_step = deadline.within(4), deadline.within(400)
    clock.now += 5
    assert (step.remaining(), long_step.remaining(), deadline.remaining()) == (0, 5, 5)
    clock.now += 6
    assert (deadline.remaining(), deadline.expired, deadline.limit(3)) == (0, True, 0)
    assert repr(deadline) == "<Deadline in 0.000 s>"


# -- transcript
def test_transcript() -> None:
    """Lines say who spoke; long ones are cut."""
    transcript = Transcript(max_chars=10)
    transcript.add("S", "220 hi")
    transcript.add("C", "EHLO a.long.name.example")
    transcript.add("*", "connected")
    assert transcript.lines() == ["S: 220 hi", "C: EHLO a.lon", "*: connected"]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("AUTH PLAIN AHUAcA==", "AUTH PLAIN ***"),
        ("auth plain AHUAcA==", "auth plain ***"),
        ("AUTH XOAUTH2 dXNlcj1h", "AUTH XOAUTH2 ***"),
        ("AUTH LOGIN", "AUTH LOGIN"),
        ("AUTH LOGIN dXNlcg==", "AUTH LOGIN ***"),
    ],
)
def test_transcript_masks_credentials(line: str, shown: str) -> None:
    """An initial response is masked even if the caller forgot; what the server offers stays readable."""
    transcript = Transcript()
    transcript.add("C", line)
    transcript.add("S", "250 AUTH PLAIN LOGIN")
    assert transcript.lines() == [f"C: {shown}", "S: 250 AUTH PLAIN LOGIN"]


def test_transcript_is_bounded() -> None:
    """The beginning and the end are kept, and the gap is named."""
    transcript = Transcript(max_lines=6)
    for number in range(10_000):
        transcript.add("C", str(number))
    assert transcript.lines() == ["C: 0", "C: 1", "C: 2", "*: [9,994 lines]", "C: 9997", "C: 9998", "C: 9999"]


# -- queue ids
@pytest.mark.parametrize(
    ("text", "queue_id"),
    [
        ("2.0.0 Ok: queued as 4F6A12345", "4F6A12345"),
        ("2.0.0 Ok: queued as 4YvN3x0Zq7z9sT0", "4YvN3x0Zq7z9sT0"),
        ("Ok: queued as tGv3nRQ2T5a_-x1A.B", "tGv3nRQ2T5a_-x1A.B"),
        ("OK id=1rAbCd-0002Xy-3Z", "1rAbCd-0002Xy-3Z"),
        ("OK id=1rAbCd-00000001Xyz-3ZAb", "1rAbCd-00000001Xyz-3ZAb"),
        ("2.6.0 <a@b> [InternalId=12345678, Hostname=x.prod.outlook.com] 9 bytes Queued mail for delivery", "12345678"),
        (
            "2.0.0 OK  1700000000 d9443c01a7336-1cc5dd20ac5sm1234567plb.12 - gsmtp",
            "d9443c01a7336-1cc5dd20ac5sm1234567plb.12",
        ),
        (
            "Ok 0100018bd1e2f3a4-1a2b3c4d-5e6f-7a8b-9c0d-1e2f3a4b5c6d-000000",
            "0100018bd1e2f3a4-1a2b3c4d-5e6f-7a8b-9c0d-1e2f3a4b5c6d-000000",
        ),
        ("2.0.0 3AKDOoXa012345 Message accepted for delivery", "3AKDOoXa012345"),
        ("2.0.0 a1b2c3d4 Message accepted for delivery", "a1b2c3d4"),
        ("ok 1700000000 qp 12345", "12345"),
        (
            "2.0.0 Ok: queued as <202311141234.12345678901@smtp-relay.example.net>",
            "202311141234.12345678901@smtp-relay.example.net",
        ),
        ("OK queued as 6553d1b2-0a1b-4c2d-8e3f-123456789abc", "6553d1b2-0a1b-4c2d-8e3f-123456789abc"),
        ("Message Queued (6A1B2C3D-4E5F-6A7B-8C9D-0E1F2A3B4C5D.1)", "6A1B2C3D-4E5F-6A7B-8C9D-0E1F2A3B4C5D.1"),
        ("2.0.0 Message queued with id 1a2b3c.", "1a2b3c"),
        ("OK", ""),
        ("2.0.0 Ok", ""),
        ("Message accepted for delivery", ""),
        ("Great success", ""),
        ("OK: message queued", ""),
        ("Queued (0.123 seconds)", ""),
        ("", ""),
    ],
)
def test_queue_ids(text: str, queue_id: str) -> None:
    """The id is found in the wording of the common servers, and nothing is taken for one elsewhere."""
    assert queue_id_of(Reply(250, (text,))) == queue_id


# -- the system's errors
def verification(code: int, message: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, message
    return error


@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize(
    "error",
    [
        TimeoutError("timed out"),
        ConnectionRefusedError(errno.ECONNREFUSED, "refused"),
        ConnectionResetError(errno.ECONNRESET, "reset"),
        BrokenPipeError(errno.EPIPE, "pipe"),
        ConnectionAbortedError(errno.ECONNABORTED, "aborted"),
        HangupError("bye"),
        OSError(errno.ENETUNREACH, "unreachable"),
        OSError(errno.EBADF, "bad descriptor"),
        OSError("no number"),
        PermissionError(errno.EACCES, "denied"),
        socket.gaierror(socket.EAI_NONAME, "unknown"),
        ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"),
        ssl.SSLEOFError(8, "EOF occurred in violation of protocol"),
        ssl.SSLZeroReturnError(6, "closed"),
        verification(10, "certificate has expired"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_error_is_mapped(error: OSError, stage: Stage) -> None:
    """Whatever the system raises, at whatever stage, becomes one of our errors with a sentence."""
    mapped = failure(error, stage, "mail.example.test")
    assert isinstance(mapped, SendError)
    assert "mail.example.test" in mapped.text
    assert mapped.text.endswith(".")
    assert mapped.stage in (stage, Stage.CERTIFICATE, Stage.RESOLVE)


@pytest.mark.parametrize(
    ("error", "stage", "kind"),
    [
        (TimeoutError(), Stage.CONNECT, TimedOut),
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), Stage.CONNECT, ConnectionRefused),
        (OSError(errno.EHOSTUNREACH, "x"), Stage.CONNECT, ConnectionFailed),
        (ConnectionResetError(errno.ECONNRESET, "x"), Stage.TLS, TLSFailed),
        (ConnectionResetError(errno.ECONNRESET, "x"), Stage.MAIL_FROM, ProtocolError),
        (HangupError(), Stage.TLS, ProtocolError),
        (ssl.SSLError(1, "x"), Stage.GREETING, TLSFailed),
        (verification(62, "Hostname mismatch"), Stage.TLS, CertificateRefused),
        (socket.gaierror(socket.EAI_AGAIN, "x"), Stage.RESOLVE, HostNotFound),
        (OSError(errno.EIO, "x"), Stage.RESOLVE, HostNotFound),
    ],
)
def test_the_kind_of_error(error: OSError, stage: Stage, kind: type[SendError]) -> None:
    """Each has its own kind, and keeps the system's number."""
    mapped = failure(error, stage, "mail.example.test")
    assert type(mapped) is kind
    if error.errno and isinstance(mapped, ConnectionFailed | HostNotFound):
        assert mapped.errno == error.errno
    if isinstance(mapped, CertificateRefused):
        assert mapped.verify_code == 62


def test_our_own_errors_stay() -> None:
    """An error that is ours already is not mapped again."""
    error = TimedOut("x", stage=Stage.AUTH)
    assert failure(error, Stage.DATA, "x") is error


# -- the package
def test_public_names() -> None:
    """``__all__`` is sorted, true, and all that the package shows besides its modules."""
    names = flask_smtpservers.smtp.__all__
    modules = {module.name for module in pkgutil.iter_modules(flask_smtpservers.smtp.__path__)}
    shown = {name for name in vars(flask_smtpservers.smtp) if not name.startswith("_")} - modules - {"annotations"}
    assert list(names) == sorted(names)
    assert shown == set(names)
    for module in modules:
        importlib.import_module(f"flask_smtpservers.smtp.{module}")
