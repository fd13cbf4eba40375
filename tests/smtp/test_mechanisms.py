"""XOAUTH2, OAUTHBEARER and CRAM-MD5: what goes out, against the specifications' own examples, and hostile servers."""

from __future__ import annotations

import hmac
import json
from base64 import b64decode, b64encode

import pytest

from flask_smtpservers.errors import AuthenticationFailed, NotOffered, SecretUnreadable, SendError
from flask_smtpservers.findings import Stage
from flask_smtpservers.secret import Secret
from flask_smtpservers.smtp import Endpoint, Security
from flask_smtpservers.smtp.auth import authenticate
from flask_smtpservers.smtp.reply import Reply

from ..peers.hostile import Step, answer, hostile, listen, say
from .conftest import Connect

USER = "u@example.test"
TOKEN = "ya29.CANARY-token"
ERROR = b64encode(json.dumps({"status": "invalid_token", "schemes": "bearer", "scope": "mail"}).encode()).decode()
BOTH = pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])


class Tokens:
    """Gives out a token, and counts how often."""

    def __init__(self, token: str = TOKEN) -> None:
        self.token = token
        self.asked = 0

    def __call__(self) -> Secret:
        self.asked += 1
        return Secret(self.token)


def offering(mechanisms: str, *steps: Step) -> list[Step]:
    return [say("220 hi"), answer("250-mail.example.test\n250 AUTH " + mechanisms), *steps, listen()]


def dialogue(mechanism: str, endpoint: Endpoint, *replies: Reply) -> list[str]:
    """Sign in at a server that says ``replies`` whatever it hears; return what it heard."""
    heard: list[str] = []
    coming = iter(replies)

    def exchange(line: str, shown: str, scrub: object) -> Reply:
        assert shown in ("", "***", f"AUTH {mechanism}", f"AUTH {mechanism} ***")
        heard.append(line)
        return next(coming)

    authenticate(exchange, mechanism, endpoint)
    return heard


def endpoint(username: str, *, host: str = "server.example.com", port: int = 587, secret: str) -> Endpoint:
    return Endpoint(
        host=host,
        port=port,
        security=Security.SSL,
        username=username,
        password=Secret(secret),
        token=lambda: Secret(secret),
    )


# -- the examples of the specifications
def test_the_example_of_google() -> None:
    """The XOAUTH2 response in Google's documentation comes out to the letter."""
    account = endpoint("someuser@example.com", secret="ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg")
    heard = dialogue("XOAUTH2", account, Reply(235, ("ok",)))
    assert "".join(heard) == (
        "AUTH XOAUTH2 dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhk"
        "SFJoZG1semRHRXVZMjl0Q2cBAQ=="
    )


def test_the_example_of_rfc_7628() -> None:
    """The OAUTHBEARER response of RFC 7628 §4.1 (at port 587) comes out to the letter."""
    account = endpoint("user@example.com", secret="vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==")
    heard = dialogue("OAUTHBEARER", account, Reply(235, ("ok",)))
    assert "".join(heard) == (
        "AUTH OAUTHBEARER bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9NTg3AWF1dGg9QmVhcmVy"
        "IHZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB"
    )


def test_the_example_of_rfc_2195() -> None:
    """The CRAM-MD5 digest of RFC 2195 §2 comes out to the letter."""
    challenge = Reply(334, ("PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+",))
    heard = dialogue("CRAM-MD5", endpoint("tim", secret="tanstaaftanstaaf"), challenge, Reply(235, ("ok",)))
    assert heard == ["AUTH CRAM-MD5", "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw"]


def test_names_with_a_comma_or_an_equals_sign() -> None:
    """What would end a user name in OAUTHBEARER is escaped (RFC 5801 §4)."""
    line = dialogue("OAUTHBEARER", endpoint("a,b=c@example.com", secret="t"), Reply(235, ("ok",)))[0]
    assert b64decode(line.removeprefix("AUTH OAUTHBEARER ")).startswith(b"n,a=a=2Cb=3Dc@example.com,\x01host=")


# -- tokens
@pytest.mark.parametrize(
    ("offered", "chosen"), [("PLAIN LOGIN OAUTHBEARER XOAUTH2", "XOAUTH2"), ("PLAIN OAUTHBEARER", "OAUTHBEARER")]
)
def test_a_token_and_no_password(connect: Connect, offered: str, chosen: str) -> None:
    """A token signs in by itself in one round trip, and is asked for once."""
    tokens = Tokens()
    with hostile(offering(offered, answer("235 ok"))) as server:
        session = connect(server.port, username=USER, password=None, token=tokens)
        assert tokens.asked == 0
        session.open().close()
        server.settle()
    assert server.verbs == ["EHLO", "AUTH", "QUIT"]
    assert server.lines[1].startswith(f"AUTH {chosen} ")
    assert tokens.asked == 1


def test_a_token_beside_a_password(connect: Connect) -> None:
    """Where there is a password the token is neither asked for nor sent, unless the mechanism is named."""
    tokens = Tokens()
    with hostile(offering("PLAIN XOAUTH2", answer("235 ok"))) as server:
        connect(server.port, username=USER, token=tokens).open().close()
        connect(server.port, username=USER, token=tokens, mechanism="XOAUTH2").open().close()
        server.settle()
    assert [line.split(" ")[1] for line in server.lines if line.startswith("AUTH")] == ["PLAIN", "XOAUTH2"]
    assert tokens.asked == 1


def test_a_token_without_its_mechanisms(connect: Connect) -> None:
    """A server that takes passwords only gets no token, and nobody asks for one."""
    tokens = Tokens()
    with hostile(offering("PLAIN LOGIN")) as server, pytest.raises(NotOffered, match="neither XOAUTH2 nor OAUTH"):
        connect(server.port, username=USER, password=None, token=tokens).open()
    assert tokens.asked == 0


@pytest.mark.parametrize(
    ("mechanism", "acknowledgement"), [("XOAUTH2", ""), ("OAUTHBEARER", b64encode(b"\x01").decode())]
)
def test_a_refused_token(connect: Connect, mechanism: str, acknowledgement: str) -> None:
    """The error that a server tells as JSON is acknowledged, and its status is in the text of the refusal (T11t)."""
    tokens = Tokens()
    with hostile(offering(mechanism, answer(f"334 {ERROR}", "535 5.7.8 try again"))) as server:
        session = connect(server.port, username=USER, password=None, token=tokens)
        with pytest.raises(AuthenticationFailed) as caught:
            session.open()
        server.settle()
    error = caught.value
    assert error.text == "The server did not accept the access token: invalid_token."
    assert (error.code, error.enhanced, error.permanent) == (535, "5.7.8", True)
    assert server.lines[2:] == [acknowledgement, "QUIT"]
    assert (server.verbs.count("AUTH"), tokens.asked) == (1, 1)
    shown = session.transcript.lines()
    assert shown[shown.index(f"C: AUTH {mechanism} ***") + 1 :][:3] == [
        f"S: 334 {ERROR}",
        f"C: {'***' if acknowledgement else ''}",
        "S: 535 5.7.8 try again",
    ]


@BOTH
@pytest.mark.parametrize(
    "error",
    [
        "!!! not base64",
        b64encode(b"not JSON").decode(),
        b64encode(b"[1, 2]").decode(),
        b64encode(b'{"status": null}').decode(),
        b64encode(b'{"status": {"a": 1}}').decode(),
        b64encode(b"[" * 1500).decode(),
        b64encode(b'"\xff"').decode(),
    ],
)
def test_errors_that_are_none(connect: Connect, mechanism: str, error: str) -> None:
    """Whatever stands in place of the JSON, the refusal after it is told, without a status."""
    with (
        hostile(offering(mechanism, answer(f"334 {error}", "535 no"))) as server,
        pytest.raises(AuthenticationFailed) as caught,
    ):
        connect(server.port, username=USER, password=None, token=Tokens()).open()
    assert (caught.value.text, caught.value.code) == ("The server did not accept the access token.", 535)


@pytest.mark.parametrize(
    ("status", "shown"), [(401, "401"), ("a\r\nb\x00é", "a??b???"), ("x" * 1000, "x" * 60), (f"is {TOKEN}", "is ***")]
)
def test_the_status_is_made_fit(connect: Connect, status: object, shown: str) -> None:
    """A status is shown printable, short, and without the token."""
    error = b64encode(json.dumps({"status": status}).encode()).decode()
    with (
        hostile(offering("XOAUTH2", answer(f"334 {error}", "535 no"))) as server,
        pytest.raises(AuthenticationFailed) as caught,
    ):
        connect(server.port, username=USER, password=None, token=Tokens()).open()
    assert caught.value.text == f"The server did not accept the access token: {shown}."


@BOTH
def test_a_long_token(connect: Connect, mechanism: str) -> None:
    """A token that does not fit the command line follows by itself, and its refusal is still understood."""
    token = "t" * 3000
    with hostile(offering(mechanism, answer("334 ", f"334 {ERROR}", "535 no"))) as server:
        with pytest.raises(AuthenticationFailed, match="invalid_token"):
            connect(server.port, username=USER, password=None, token=Tokens(token)).open()
        server.settle()
    assert server.lines[1] == f"AUTH {mechanism}"
    assert f"auth=Bearer {token}\x01\x01" in b64decode(server.lines[2]).decode()
    assert len(server.lines) == len(["EHLO", "AUTH", "token", "acknowledgement", "QUIT"])


@BOTH
def test_a_server_that_ignores_the_initial_response(connect: Connect, mechanism: str) -> None:
    """An empty challenge asks for the token once more, in the same attempt; it is no error message."""
    tokens = Tokens()
    with hostile(offering(mechanism, answer("334 ", "235 ok"))) as server:
        connect(server.port, username=USER, password=None, token=tokens).open().close()
        server.settle()
    assert server.lines[1] == f"AUTH {mechanism} {server.lines[2]}"
    assert tokens.asked == 1


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER", "CRAM-MD5"])
def test_endless_challenges(connect: Connect, mechanism: str) -> None:
    """A server that asks for ever more gets AUTH and one answer, and no QUIT where it waits for a response (T09t)."""
    with hostile(offering(mechanism, answer(*[f"334 {ERROR}"] * 10))) as server:
        with pytest.raises(AuthenticationFailed, match="asked for more") as caught:
            connect(server.port, username=USER, token=Tokens(), mechanism=mechanism).open()
        server.settle()
    assert (caught.value.code, caught.value.permanent) == (334, True)
    assert len(server.lines) == len(["EHLO", "AUTH", "answer"])
    assert "QUIT" not in server.verbs


@BOTH
@pytest.mark.parametrize(
    ("replies", "text", "code", "permanent"),
    [
        (["535 5.7.3 Authentication unsuccessful"], "The server did not accept the access token.", 535, True),
        (["454 4.7.0 later"], "The server could not check the access token now.", 454, False),
        ([f"334 {ERROR}", "454 4.7.0 later"], "The server could not check the access token now.", 454, False),
        (["500 5.5.2 Line too long"], "The server did not accept the access token.", 500, True),
        (["421 4.7.0 closing"], "The server could not check the access token now.", 421, False),
    ],
)
def test_other_refusals(
    connect: Connect, mechanism: str, replies: list[str], text: str, code: int, permanent: bool
) -> None:
    """A refusal without JSON, one for now only, and one that says that it is over."""
    with hostile(offering(mechanism, answer(*replies))) as server:
        with pytest.raises(AuthenticationFailed) as caught:
            connect(server.port, username=USER, password=None, token=Tokens()).open()
        server.settle()
    assert (caught.value.text, caught.value.code, caught.value.permanent) == (text, code, permanent)
    assert server.verbs.count("AUTH") == 1


@BOTH
@pytest.mark.parametrize(
    ("username", "token", "text"),
    [
        (USER, "", "The access token is empty, or holds characters that no token has."),
        (USER, "to ken", "The access token is empty, or holds characters that no token has."),
        (USER, "token\x01\x01", "The access token is empty, or holds characters that no token has."),
        (USER, "töken", "The access token is empty, or holds characters that no token has."),
        (USER, "token\r\nQUIT", "The access token is empty, or holds characters that no token has."),
        ("u\x01auth=x", "token", "The user name or the password holds a control character."),
        (USER, None, "There is a user name but no access token."),
    ],
)
def test_tokens_that_cannot_be_sent(
    connect: Connect, mechanism: str, username: str, token: str | None, text: str
) -> None:
    """What would break the message, and no token at all, is refused before AUTH (T10t)."""
    tokens = None if token is None else Tokens(token)
    with hostile(offering(mechanism, answer("235 ok"))) as server:
        with pytest.raises(AuthenticationFailed) as caught:
            connect(server.port, username=username, token=tokens, mechanism=mechanism).open()
        server.settle()
    assert (caught.value.text, caught.value.code, server.verbs) == (text, None, ["EHLO", "QUIT"])


@pytest.mark.parametrize(
    ("error", "kind", "text", "permanent"),
    [
        (RuntimeError(f"refresh of {TOKEN}"), AuthenticationFailed, "could not be had (RuntimeError)", False),
        (OSError("token endpoint"), AuthenticationFailed, "could not be had (OSError)", False),
        (AuthenticationFailed("Sign in anew.", stage=Stage.AUTH, permanent=True), AuthenticationFailed, "anew", True),
    ],
)
def test_a_token_that_cannot_be_had(
    connect: Connect, error: Exception, kind: type[SendError], text: str, permanent: bool
) -> None:
    """Errors of ours are passed on; of any other only the kind is told. No AUTH is sent."""

    def token() -> Secret:
        raise error

    with hostile(offering("XOAUTH2", answer("235 ok"))) as server:
        with pytest.raises(kind) as caught:
            connect(server.port, username=USER, password=None, token=token).open()
        server.settle()
    assert text in str(caught.value)
    assert (caught.value.permanent, caught.value.server) == (permanent, "Shop mail")
    assert (caught.value.__context__, caught.value.__cause__) == (None, None)
    assert server.verbs == ["EHLO", "QUIT"]


def test_a_stored_token_that_cannot_be_read(connect: Connect) -> None:
    """An error of ours that has nothing to do with sending is passed on too, and the connection is closed."""

    def token() -> Secret:
        raise SecretUnreadable("The key is missing.")

    with hostile(offering("XOAUTH2", answer("235 ok"))) as server:
        session = connect(server.port, username=USER, password=None, token=token)
        with pytest.raises(SecretUnreadable, match="The key is missing"):
            session.open()
        assert not session.usable
        server.settle()
    assert "AUTH" not in server.verbs


def test_the_way_to_a_token_is_not_shown() -> None:
    """The callable does not stand in an endpoint's repr: it may hold anything."""
    account = Endpoint(host="h", port=25, security=Security.SSL, token=Tokens())
    assert "oken" not in repr(account)


# -- CRAM-MD5
def test_cram_md5(connect: Connect) -> None:
    """The digest of the challenge goes out, UTF-8, and never the password."""
    challenge = b64encode(b"<17.4@mail.example.test>").decode()
    with hostile(offering("PLAIN CRAM-MD5", answer(f"334 {challenge}", "235 ok"))) as server:
        connect(server.port, username="üser", password=Secret("pä ss€"), mechanism="CRAM-MD5").open().close()
        server.settle()
    digest = hmac.new("pä ss€".encode(), b"<17.4@mail.example.test>", "md5").hexdigest()
    assert server.lines[1] == "AUTH CRAM-MD5"
    assert b64decode(server.lines[2]).decode() == f"üser {digest}"


def test_a_password_that_stands_in_the_challenge(connect: Connect) -> None:
    """Masking what a server says for the transcript does not touch what is computed from it."""
    challenge = b64encode(b"<aaaa@mail.example.test>").decode()
    password = challenge[4]
    with hostile(offering("CRAM-MD5", answer(f"334 {challenge}", "235 ok"))) as server:
        connect(server.port, username=USER, password=Secret(password), mechanism="CRAM-MD5").open().close()
        server.settle()
    digest = hmac.new(password.encode(), b"<aaaa@mail.example.test>", "md5").hexdigest()
    assert b64decode(server.lines[2]).decode() == f"{USER} {digest}"


@pytest.mark.parametrize(
    ("challenge", "text"),
    [
        ("", "The server's challenge is empty."),
        ("!!! not base64", "The server sent a challenge that cannot be understood."),
        ("PDE4OTYuNjk3M", "The server sent a challenge that cannot be understood."),
        ("PDE4!OTY=", "The server sent a challenge that cannot be understood."),
        ("PDE4=OTY", "The server sent a challenge that cannot be understood."),
    ],
)
def test_challenges_that_are_none(connect: Connect, challenge: str, text: str) -> None:
    """A challenge that says nothing, or is not base64, gets no digest and no QUIT."""
    with hostile(offering("CRAM-MD5", answer(f"334 {challenge}"))) as server:
        with pytest.raises(AuthenticationFailed) as caught:
            connect(server.port, username=USER, mechanism="CRAM-MD5").open()
        server.settle()
    assert (caught.value.text, caught.value.code, caught.value.permanent) == (text, 334, True)
    assert server.lines[1:] == ["AUTH CRAM-MD5"]


def test_a_machine_without_md5(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system forbids MD5 (FIPS) the error says so."""

    def digest(key: bytes, message: bytes, name: str) -> bytes:
        raise ValueError("[digital envelope routines] unsupported")

    monkeypatch.setattr("hmac.digest", digest)
    with (
        hostile(offering("CRAM-MD5", answer(f"334 {ERROR}"))) as server,
        pytest.raises(AuthenticationFailed, match="This machine does not allow MD5"),
    ):
        connect(server.port, username=USER, mechanism="CRAM-MD5").open()
