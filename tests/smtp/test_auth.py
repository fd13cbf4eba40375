"""Signing in: once, with one mechanism, over TLS, without a trace of the password (T05t, T07t-T10t, L03, L05, L09)."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest
import trustme

from flask_smtpservers.errors import AuthenticationFailed, NotOffered, TimedOut
from flask_smtpservers.findings import Stage
from flask_smtpservers.secret import Secret
from flask_smtpservers.smtp import Endpoint, Security, choose_mechanism
from flask_smtpservers.smtp.auth import MECHANISMS, authenticate
from flask_smtpservers.smtp.reply import Reply

from ..peers.hostile import Step, answer, hang, hear, hostile, listen, say, start_tls
from .conftest import SECRET, Connect

USER = "u@example.test"
TOKENS = {"token": lambda: Secret("ya29.token"), "password": None}
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


@pytest.mark.parametrize(
    ("mechanisms", "names"),
    [("CRAM-MD5 XOAUTH2 SCRAM-SHA-256", "CRAM-MD5, SCRAM-SHA-256, XOAUTH2"), ("", "none"), ("plainish", "PLAINISH")],
)
def test_no_mechanism_for_a_password(connect: Connect, mechanisms: str, names: str) -> None:
    """Where neither PLAIN nor LOGIN is offered no AUTH is sent, and the error tells what is offered (T17)."""
    with hostile(offering(mechanisms)) as server:
        with pytest.raises(NotOffered) as caught:
            connect(server.port, username=USER).open()
        server.settle()
    error = caught.value
    assert error.text == f"The server offers neither PLAIN nor LOGIN; it offers: {names}."
    assert (error.server, error.wanted, sorted(error.offered)) == ("Shop mail", "", sorted(mechanisms.upper().split()))
    assert server.verbs == ["EHLO", "QUIT"]


def test_a_fixed_mechanism_that_is_not_offered(connect: Connect) -> None:
    """A mechanism that the settings name is used or none: the error names it and what is offered (T17)."""
    with hostile(offering("PLAIN LOGIN")) as server:
        with pytest.raises(NotOffered) as caught:
            connect(server.port, username=USER, mechanism="CRAM-MD5").open()
        server.settle()
    error = caught.value
    assert error.text == "The server does not offer CRAM-MD5; it offers: LOGIN, PLAIN."
    assert (error.stage, error.wanted, error.offered) == (Stage.AUTH, "CRAM-MD5", ("PLAIN", "LOGIN"))
    assert (error.permanent, server.verbs) == (True, ["EHLO", "QUIT"])


@pytest.mark.parametrize(
    ("offered", "fixed", "token", "chosen"),
    [
        ("CRAM-MD5 LOGIN PLAIN SCRAM-SHA-256", "", False, "PLAIN"),
        ("CRAM-MD5 LOGIN", "", False, "LOGIN"),
        ("LOGIN PLAIN", "LOGIN", False, "LOGIN"),
        ("LOGIN PLAIN CRAM-MD5", "CRAM-MD5", False, "CRAM-MD5"),
        ("LOGIN PLAIN SCRAM-SHA-1 SCRAM-SHA-256", "SCRAM-SHA-256", False, "SCRAM-SHA-256"),
        ("LOGIN PLAIN OAUTHBEARER XOAUTH2", "", True, "XOAUTH2"),
        ("LOGIN PLAIN OAUTHBEARER", "", True, "OAUTHBEARER"),
        ("LOGIN PLAIN OAUTHBEARER XOAUTH2", "OAUTHBEARER", True, "OAUTHBEARER"),
        ("LOGIN PLAIN OAUTHBEARER XOAUTH2", "PLAIN", True, "PLAIN"),
    ],
)
def test_the_choice(offered: str, fixed: str, token: bool, chosen: str) -> None:
    """PLAIN, else LOGIN; with a token XOAUTH2, else OAUTHBEARER; the others only if the settings name them."""
    assert choose_mechanism(offered.split(), fixed=fixed, token=token) == chosen


@pytest.mark.parametrize(
    ("offered", "fixed", "token", "text"),
    [
        ("LOGIN PLAIN", "", True, "The server offers neither XOAUTH2 nor OAUTHBEARER; it offers: LOGIN, PLAIN."),
        ("NTLM", "NTLM", False, "The sign-in method NTLM is not known here."),
        ("PLAIN", "plain", False, "The server does not offer plain; it offers: PLAIN."),
        ("", "PLAIN", False, "The server does not offer PLAIN; it offers: none."),
    ],
)
def test_no_choice(offered: str, fixed: str, token: bool, text: str) -> None:
    """What is not offered, or not known, is not used, and nothing else in its place."""
    with pytest.raises(NotOffered) as caught:
        choose_mechanism(offered.split(), fixed=fixed, token=token)
    assert caught.value.text == text


def test_mechanisms_are_read_as_servers_write_them(connect: Connect) -> None:
    """Small letters, the old form ``AUTH=LOGIN``, and both forms at once."""
    with hostile(
        [say("220 hi"), answer("250-x\n250-auth=login\n250 Auth cram-md5 plain"), answer("235 ok"), listen()]
    ) as server:
        session = connect(server.port, username=USER).open()
    assert session.features["AUTH"].split() == ["LOGIN", "CRAM-MD5", "PLAIN"]


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_no_sign_in_without_encryption(connect: Connect, mechanism: str) -> None:
    """Without TLS no AUTH is sent unless the operator allows it, though the server offers it (T05t, T07t)."""
    more = TOKENS if mechanism in ("XOAUTH2", "OAUTHBEARER") else {}
    with hostile(offering(mechanism, answer("235 ok"))) as server:
        with pytest.raises(NotOffered, match="not sent without encryption") as caught:
            connect(server.port, username=USER, plaintext_auth=False, mechanism=mechanism, **more).open()
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
    with hostile(offering("PLAIN", answer("334 ", "235 ok"))) as server:
        connect(server.port, username=USER, password=Secret(password)).open().close()
        server.settle()
    assert b64decode(server.lines[2]).decode() == f"\0{USER}\0{password}"


@pytest.mark.parametrize(("length", "replies"), [(356, ["235 ok"]), (357, ["334 go on", "235 ok"])])
def test_the_initial_response_fits_the_command_line(connect: Connect, length: int, replies: list[str]) -> None:
    """AUTH has 512 octets at most with its initial response; a longer one follows on a line of its own."""
    response = b64encode(f"\0{USER}\0{'x' * length}".encode()).decode()
    with hostile(offering("PLAIN", answer(*replies))) as server:
        connect(server.port, username=USER, password=Secret("x" * length)).open().close()
        server.settle()
    expected = [f"AUTH PLAIN {response}"] if len(replies) == 1 else ["AUTH PLAIN", response]
    assert server.lines[1:] == [*expected, "QUIT"]
    assert len(server.lines[1]) + len("\r\n") <= 512


def test_an_unknown_mechanism() -> None:
    """A mechanism that is none of ours is a mistake of the caller."""
    endpoint = Endpoint(
        host="mail.example.test", port=25, security=Security.NONE, username=USER, password=Secret(SECRET)
    )
    with pytest.raises(RuntimeError, match="no mechanism NTLM"):
        authenticate(lambda *_: Reply(235, ("",)), "NTLM", endpoint)


def test_time_out_while_signing_in(connect: Connect, ca: trustme.CA) -> None:
    """A server that falls silent at AUTH is a time-out of that stage."""
    script = [start_tls(), say("220 hi"), answer(EHLO + "PLAIN"), hear(), hang()]
    with hostile(script, ca=ca) as server, pytest.raises(TimedOut) as caught:
        connect(server.port, "ssl", username=USER).open()
    assert (caught.value.stage, caught.value.server) == (Stage.AUTH, "Shop mail")
