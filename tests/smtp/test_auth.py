"""Signing in: once, with one mechanism, over TLS, without a trace of the password (T05t, T07t-T10t, L03, L05, L09)."""

from __future__ import annotations

import traceback
from base64 import b64decode, b64encode
from collections.abc import Iterator
from types import TracebackType
from urllib.parse import quote

import pytest
import trustme

from flask_smtpservers.errors import AuthenticationFailed, NotOffered, ProtocolError, SendError, TimedOut
from flask_smtpservers.findings import Stage
from flask_smtpservers.secret import Secret
from flask_smtpservers.smtp import Deadline, choose_mechanism
from flask_smtpservers.smtp.auth import authenticate
from flask_smtpservers.smtp.reply import Reply

from ..peers.hostile import Step, answer, close, drip, hang, hear, hostile, listen, reset, say, start_tls
from .conftest import SECRET, Connect

USER = "u@example.test"
PLAIN = b64encode(f"\0{USER}\0{SECRET}".encode()).decode()
EHLO = "250-mail.example.test\n250 AUTH "


def offering(mechanisms: str, *steps: Step) -> list[Step]:
    return [say("220 hi"), answer(EHLO + mechanisms), *steps, listen()]


def test_plain_takes_one_round_trip(connect: Connect) -> None:
    """PLAIN goes with its initial response, UTF-8, whatever else is offered."""
    with hostile(offering("CRAM-MD5 LOGIN PLAIN XOAUTH2", answer("235 2.7.0 welcome"))) as server:
        session = connect(server.port, username="üser", password=Secret("pä ss€😀 ")).open()
        assert session.authenticated
        session.close()
        server.settle()
    assert server.verbs == ["EHLO", "AUTH", "QUIT"]
    assert b64decode(server.lines[1].removeprefix("AUTH PLAIN ")).decode() == "\0üser\0pä ss€😀 "


@pytest.mark.parametrize(
    "prompts",
    [
        ("334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 ok"),
        ("334 ", "334", "235 ok"),
        ("334 dXNlcg==", "334 !!! not base64", "235 ok"),
        ("334-two\n334 lines", "334 x", "235-two\n235 lines"),
    ],
)
def test_login(connect: Connect, prompts: tuple[str, ...]) -> None:
    """LOGIN is used where PLAIN is not offered; its prompts may say what they like (T09t)."""
    with hostile(offering("CRAM-MD5 LOGIN", answer(*prompts))) as server:
        session = connect(server.port, username=USER).open()
        assert session.authenticated
        session.close()
        server.settle()
    assert server.lines[1] == "AUTH LOGIN"
    assert [b64decode(line).decode() for line in server.lines[2:4]] == [USER, SECRET]


def test_plain_without_initial_response(connect: Connect) -> None:
    """A server that ignores the initial response and prompts gets it a second time, in the same attempt."""
    with hostile(offering("PLAIN", answer("334 ", "235 ok"))) as server:
        session = connect(server.port, username=USER).open()
        session.close()
        server.settle()
    assert server.lines[1:3] == [f"AUTH PLAIN {PLAIN}", PLAIN]


@pytest.mark.parametrize(
    ("mechanisms", "replies", "code", "permanent"),
    [
        ("CRAM-MD5 PLAIN LOGIN", ["535 5.7.8 no"], 535, True),
        ("LOGIN", ["334 a", "334 b", "535 5.7.8 no"], 535, True),
        ("LOGIN", ["535 5.7.8 no such user"], 535, True),
        ("LOGIN", ["334 a", "535 5.7.8 no"], 535, True),
        ("PLAIN", ["534 5.7.9 app password required"], 534, True),
        ("PLAIN", ["454 4.7.0 temporary"], 454, False),
        ("PLAIN", ["503 5.5.1 already authenticated"], 503, True),
        ("PLAIN", ["250 fine"], 250, True),
        ("PLAIN", ["421 4.7.0 too many errors"], 421, False),
    ],
)
def test_refused_logins(connect: Connect, mechanisms: str, replies: list[str], code: int, permanent: bool) -> None:
    """A refused login is refused: exactly one AUTH, no second mechanism, no second try (T08t, T09t)."""
    with hostile(offering(mechanisms, answer(*replies))) as server:
        session = connect(server.port, username=USER)
        with pytest.raises(AuthenticationFailed) as caught:
            session.open()
        server.settle()
    error = caught.value
    assert (error.stage, error.code, error.permanent, error.server) == (Stage.AUTH, code, permanent, "Shop mail")
    assert error.reply == replies[-1][4:]
    assert server.verbs.count("AUTH") == 1
    assert not session.authenticated
    assert not session.usable


@pytest.mark.parametrize("mechanisms", ["PLAIN", "LOGIN"])
def test_endless_challenges(connect: Connect, mechanisms: str) -> None:
    """A server that asks for ever more gets three lines at most, and no QUIT where it waits for a response (T09t)."""
    with hostile(offering(mechanisms, answer(*["334 more"] * 10))) as server:
        with pytest.raises(AuthenticationFailed, match="asked for more") as caught:
            connect(server.port, username=USER).open()
        server.settle()
    assert caught.value.code == 334
    assert caught.value.permanent
    assert len(server.lines) <= 1 + 3
    assert "QUIT" not in server.verbs


@pytest.mark.parametrize("ehlo", ["250 mail.example.test", "250-mail.example.test\n250 SIZE"])
def test_auth_is_not_offered(connect: Connect, ehlo: str) -> None:
    """Where AUTH is not offered none is sent."""
    with hostile([say("220 hi"), answer(ehlo), listen()]) as server:
        with pytest.raises(NotOffered, match="does not offer to sign in") as caught:
            connect(server.port, username=USER).open()
        server.settle()
    assert (caught.value.stage, server.verbs) == (Stage.AUTH, ["EHLO", "QUIT"])


@pytest.mark.parametrize("mechanisms", ["CRAM-MD5 XOAUTH2", "", "plainish"])
def test_no_mechanism_of_ours(connect: Connect, mechanisms: str) -> None:
    """Mechanisms that we do not know are named in the error."""
    with hostile(offering(mechanisms)) as server, pytest.raises(NotOffered, match="no way of signing in") as caught:
        connect(server.port, username=USER).open()
    assert caught.value.server == "Shop mail"


def test_mechanisms_are_read_as_servers_write_them(connect: Connect) -> None:
    """Small letters, the old form ``AUTH=LOGIN``, and both forms at once."""
    with hostile(
        [say("220 hi"), answer("250-x\n250-auth=login\n250 Auth cram-md5 plain"), answer("235 ok"), listen()]
    ) as server:
        session = connect(server.port, username=USER).open()
    assert session.features["AUTH"].split() == ["LOGIN", "CRAM-MD5", "PLAIN"]
    assert choose_mechanism({"LOGIN", "PLAIN", "CRAM-MD5"}) == "PLAIN"
    assert choose_mechanism({"LOGIN", "CRAM-MD5"}) == "LOGIN"


def test_no_password_without_encryption(connect: Connect) -> None:
    """Without TLS no AUTH is sent unless the operator allows it, though the server offers it (T05t, T07t)."""
    with hostile(offering("PLAIN", answer("235 ok"))) as server:
        with pytest.raises(NotOffered, match="not sent without encryption") as caught:
            connect(server.port, username=USER, plaintext_auth=False).open()
        server.settle()
    assert (caught.value.stage, caught.value.permanent, server.verbs) == (Stage.AUTH, True, ["EHLO", "QUIT"])


@pytest.mark.parametrize(
    ("username", "password", "what"),
    [
        (USER, "pass\r\nMAIL FROM:<x>", "control character"),
        (USER, "pass\n", "control character"),
        (USER, "pa\0ss", "control character"),
        (USER, "pa\tss", "control character"),
        ("u\r\n", "pass", "control character"),
        ("u\0", "pass", "control character"),
        (USER, "pass\udcff", "control character"),
        (USER, None, "no password"),
    ],
)
def test_credentials_that_cannot_be_sent(connect: Connect, username: str, password: str | None, what: str) -> None:
    """Control characters, and no password at all, are refused before AUTH (T10t)."""
    with hostile(offering("PLAIN", answer("235 ok"))) as server:
        with pytest.raises(AuthenticationFailed, match=what) as caught:
            connect(server.port, username=username, password=None if password is None else Secret(password)).open()
        server.settle()
    assert (caught.value.code, caught.value.permanent, server.verbs) == (None, True, ["EHLO", "QUIT"])


def test_blanks_and_length_are_kept(connect: Connect) -> None:
    """Blanks around a password and 500 characters go out as they are (T10t)."""
    password = " " + "x" * 500 + " "
    with hostile(offering("PLAIN", answer("235 ok"))) as server:
        connect(server.port, username=USER, password=Secret(password)).open().close()
        server.settle()
    assert b64decode(server.lines[1].removeprefix("AUTH PLAIN ")).decode() == f"\0{USER}\0{password}"


# -- leaks
def spellings(username: str, password: str) -> list[str]:
    data = password.encode()
    encoded = [b64encode(text.encode()).decode() for text in (f"\0{username}\0{password}", password)]
    return [password, *encoded, *(text.rstrip("=")[:-2] for text in encoded), quote(password), data.hex()]


def frames(error: BaseException) -> Iterator[TracebackType]:
    """Every traceback entry of an exception and of the chain behind it."""
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        current = todo.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        todo += [current.__cause__, current.__context__]
        step = current.__traceback__
        while step is not None:
            yield step
            step = step.tb_next


def reachable(value: object, depth: int = 4) -> Iterator[str]:
    """The texts in a value, in its attributes, items and closures, as an error tracker could show them."""
    if isinstance(value, bytes | bytearray | memoryview):
        yield bytes(value).decode("latin-1")
    elif isinstance(value, str):
        yield value
    elif isinstance(value, Secret | type) or depth == 0:
        return
    elif isinstance(value, dict):
        for item in value.items():
            yield from reachable(item, depth - 1)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from reachable(item, depth - 1)
    else:
        yield repr(value)
        yield from reachable(getattr(value, "__dict__", {}), depth - 1)
        for cell in getattr(value, "__closure__", None) or ():
            yield from reachable(cell.cell_contents, depth - 1)


def assert_clean(error: BaseException, username: str, password: str) -> None:
    """Neither the error, nor its text, nor the locals of the package's frames show the password."""
    texts = [str(error), repr(error), repr(error.args), *reachable(vars(error))]
    texts += traceback.format_exception(error)
    for step in frames(error):
        if "flask_smtpservers" in step.tb_frame.f_code.co_filename:
            texts += reachable(dict(step.tb_frame.f_locals))
    for form in spellings(username, password):
        assert not [text for text in texts if form in text], form


PASSWORDS = pytest.mark.parametrize("password", [SECRET, "pässwört-CANARY-€", "p%s {x} CANARY+/ word"])

FAULTS: dict[str, list[Step]] = {
    "refused": [answer("535 5.7.8 no")],
    "reset": [hear(), reset()],
    "closed": [hear(), close()],
    "silent": [hear(), hang()],
    "drip": [hear(), drip(b"535 no no no no no no", 0.05)],
    "garbage": [answer("who are you?")],
    "mixed": [answer("535-a\n235 b")],
    "out of turn": [answer("334 \n334 ")],
}


@PASSWORDS
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("fault", FAULTS)
def test_no_leak_when_signing_in_fails(connect: Connect, fault: str, mechanism: str, password: str) -> None:
    """However signing in fails, no frame, no chained exception and no text holds the password (L03)."""
    before = [answer("334 a", "334 b")] if mechanism == "LOGIN" else []
    with hostile(offering(mechanism, *before, *FAULTS[fault])) as server:
        session = connect(server.port, username=USER, password=Secret(password), timeout_seconds=5)
        with pytest.raises(SendError) as caught:
            for step in session.opening():
                if step.stage is Stage.EHLO and fault in ("silent", "drip"):
                    session.deadline = Deadline(0.1)
    assert caught.value.stage is Stage.AUTH
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None
    assert_clean(caught.value, USER, password)
    assert not [line for line in session.transcript.lines() for form in spellings(USER, password) if form in line]


@PASSWORDS
@pytest.mark.parametrize("form", range(5))
def test_echoes_are_scrubbed(connect: Connect, form: int, password: str) -> None:
    """A server that quotes the password back, in whatever spelling, whole or cut, gets it masked (L05)."""
    echo = [*spellings(USER, password), quote(password).lower()][form]
    sent = echo.encode().decode("latin-1")
    with hostile(offering("PLAIN", answer(f"535-5.7.8 bad: AUTH PLAIN {sent}\n535 5.7.8 [{sent}]"))) as server:
        session = connect(server.port, username=USER, password=Secret(password))
        with pytest.raises(AuthenticationFailed) as caught:
            session.open()
    assert "***" in caught.value.reply
    assert_clean(caught.value, USER, password)
    printable = "".join(character if character.isascii() else "?" * len(character.encode()) for character in password)
    for text in (caught.value.reply, str(caught.value.smtp_error), *session.transcript.lines()):
        assert not [form for form in (*spellings(USER, password), printable) if form in text]


def test_malformed_echoes_are_scrubbed(connect: Connect) -> None:
    """Also what is no reply at all is masked before it is shown."""
    script = offering("PLAIN", answer(f"bad command AUTH PLAIN {PLAIN} ({SECRET})"))
    with hostile(script) as server, pytest.raises(ProtocolError) as caught:
        connect(server.port, username=USER).open()
    assert "bad command" in caught.value.reply
    assert_clean(caught.value, USER, SECRET)


@pytest.mark.parametrize(
    "kind", [KeyboardInterrupt, GeneratorExit, SystemExit, RuntimeError, UnicodeError, ValueError, OSError]
)
def test_no_leak_when_interrupted(kind: type[BaseException]) -> None:
    """An interrupt, or a bug of ours, in the midst of signing in shows nothing either (L09)."""

    def exchange(line: str, shown: str, scrub: object) -> Reply:
        raise kind(line) if issubclass(kind, Exception) else kind()

    expected = RuntimeError if issubclass(kind, Exception) else kind
    with pytest.raises(expected) as caught:
        authenticate(exchange, "PLAIN", USER, Secret(SECRET))
    assert_clean(caught.value, USER, SECRET)


def test_no_leak_after_success(connect: Connect) -> None:
    """An open session keeps no copy of the password but the Secret itself."""
    with hostile(offering("PLAIN", answer("235 ok"), answer("nonsense"))) as server:
        session = connect(server.port, username=USER).open()
        with pytest.raises(ProtocolError) as caught:
            session.mail_from("a@example.test")
    assert_clean(caught.value, USER, SECRET)
    for form in spellings(USER, SECRET):
        assert not [text for text in reachable(session, depth=7) if form in text]


def test_an_unknown_mechanism() -> None:
    """A mechanism that is none of ours is a mistake of the caller."""
    with pytest.raises(RuntimeError, match="no mechanism CRAM-MD5"):
        authenticate(lambda *_: Reply(235, ("",)), "CRAM-MD5", USER, Secret(SECRET))


def test_time_out_while_signing_in(connect: Connect, ca: trustme.CA) -> None:
    """A server that falls silent at AUTH is a time-out of that stage."""
    script = [start_tls(), say("220 hi"), answer(EHLO + "PLAIN"), hear(), hang()]
    with hostile(script, ca=ca) as server, pytest.raises(TimedOut) as caught:
        connect(server.port, "ssl", username=USER).open()
    assert (caught.value.stage, caught.value.server) == (Stage.AUTH, "Shop mail")
