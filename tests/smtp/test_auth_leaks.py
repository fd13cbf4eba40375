"""However signing in ends, nobody sees the password, the token, or what was made of them (L03, L05, L09)."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from flask_smtpservers.errors import AuthenticationFailed, ProtocolError, SendError
from flask_smtpservers.findings import Stage
from flask_smtpservers.secret import Secret
from flask_smtpservers.smtp import Deadline, Endpoint, Security, Session
from flask_smtpservers.smtp.auth import MECHANISMS, PASSWORD_MECHANISMS, authenticate
from flask_smtpservers.smtp.reply import Reply
from flask_smtpservers.smtp.scrubbing import Scrubber

from ..peers.hostile import Hostile, Peer, Step, answer, close, drip, hang, hear, hostile, listen, reset, say
from .conftest import SECRET, Connect
from .leaks import assert_clean, reachable, spellings
from .scram_server import ScramServer

USER = "u@example.test"
CHALLENGE = b64encode(b"<1896.697170952@mail.example.test>").decode()
EVERY_MECHANISM = pytest.mark.parametrize("mechanism", MECHANISMS)


def before(mechanism: str, secret: str) -> list[Step]:
    """The server's part up to the line that holds the secret, or what was made of it."""
    match mechanism:
        case "LOGIN":
            return [answer("334 a", "334 b")]
        case "CRAM-MD5":
            return [answer(f"334 {CHALLENGE}")]
        case "SCRAM-SHA-256":
            return [ScramServer(USER, secret).first_step()]
        case "SCRAM-SHA-1":
            return [ScramServer(USER, secret, "sha1").first_step()]
        case _:
            return []


def offering(mechanism: str, *steps: Step) -> list[Step]:
    return [say("220 hi"), answer(f"250-mail.example.test\n250 AUTH {mechanism}"), *steps, listen()]


def credentials(mechanism: str, secret: str) -> dict[str, Any]:
    """Fields of an endpoint that signs in with ``mechanism``."""
    fields: dict[str, Any] = {"username": USER, "mechanism": mechanism}
    if mechanism in PASSWORD_MECHANISMS:
        return fields | {"password": Secret(secret)}
    return fields | {"password": None, "token": lambda: Secret(secret)}


def derived(server: Hostile) -> list[str]:
    """What the client sent that is as good as the password to whoever sees it: digest, proof, and their lines."""
    if len(server.lines) < 3:
        return []
    line = server.lines[2]
    try:
        sent = b64decode(line, validate=True).decode()
    except ValueError:
        return []
    return [line, *re.findall(r"p=(\S+)|([0-9a-f]{32})$", sent)[0]] if re.search(r"p=|[0-9a-f]{32}$", sent) else []


def forms_of(server: Hostile, secret: str) -> list[str]:
    return [form for form in (*spellings(USER, secret), *derived(server)) if form]


SECRETS = {
    mechanism: [SECRET, "p%s{x}CANARY+/word"] + ["pässwört-CANARY-€"] * (mechanism in PASSWORD_MECHANISMS)
    for mechanism in MECHANISMS
}
EVERY_SECRET = pytest.mark.parametrize(
    ("mechanism", "secret"), [(mechanism, secret) for mechanism in MECHANISMS for secret in SECRETS[mechanism]]
)

FAULTS: dict[str, list[Step]] = {
    "refused": [answer("535 5.7.8 no")],
    "reset": [hear(), reset()],
    "closed": [hear(), close()],
    "silent": [hear(), hang()],
    "drip": [hear(), drip(b"535 no no no no no no", 0.05)],
    "garbage": [answer("who are you?")],
    "mixed": [answer("535-a\n235 b")],
    "out of turn": [answer("334 \n334 ")],
    "more": [answer("334 bW9yZQ==", "334 bW9yZQ==", "334 bW9yZQ==")],
}


@EVERY_SECRET
@pytest.mark.parametrize("fault", FAULTS)
def test_no_leak_when_signing_in_fails(connect: Connect, fault: str, mechanism: str, secret: str) -> None:
    """However signing in fails, no frame, no chained exception and no text holds the secret (L03)."""
    with hostile(offering(mechanism, *before(mechanism, secret), *FAULTS[fault])) as server:
        session = connect(server.port, timeout_seconds=5, **credentials(mechanism, secret))
        with pytest.raises(SendError) as caught:
            for step in session.opening():
                if step.stage is Stage.EHLO and fault in ("silent", "drip"):
                    session.deadline = Deadline(0.1)
        session.close()
    assert caught.value.stage is Stage.AUTH
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None
    assert_clean(caught.value, forms_of(server, secret))
    for form in forms_of(server, secret):
        assert not [line for line in session.transcript.lines() if form in line]


# -- echoes
def echo(quoted: Callable[[str], str]) -> Step:
    """Refuse a line, and quote it in the refusal, twice, as ``quoted`` puts it."""

    def step(peer: Peer) -> None:
        line = peer.hear_until(b"\r\n").decode().rstrip()
        words = quoted(line.rpartition(" ")[2]).encode()
        peer.send(b"535-5.7.8 bad: %b\r\n535 5.7.8 [%b]\r\n" % (words, words))

    return step


def inside(line: str) -> str:
    return b64decode(line, validate=True).decode()


def small_escapes(text: str) -> str:
    return re.sub("%[0-9A-F]{2}", lambda escape: escape[0].lower(), text)


ECHOES: dict[str, Callable[[str], str]] = {
    "the line": lambda line: f"AUTH {line}",
    "the line, cut": lambda line: line.rstrip("=")[:-2],
    "what is in it": lambda line: inside(line).replace("\x00", "|"),
    "what is in it, in hex": lambda line: inside(line).encode().hex(),
    "what is in it, in hex, cut": lambda line: inside(line).encode().hex()[:-1],
    "what is in it, percent-encoded": lambda line: quote(inside(line), safe=""),
    "what is in it, percent-encoded, in small letters": lambda line: small_escapes(quote(inside(line), safe="")),
    "what is in it, elsewhere": lambda line: b64encode(f"ab{inside(line)}cd".encode()).decode(),
    "what is in it, for URLs": lambda line: b64encode(inside(line).encode()).decode().translate({43: "-", 47: "_"}),
}


@EVERY_SECRET
@pytest.mark.parametrize("quoted", ECHOES)
def test_echoes_are_scrubbed(connect: Connect, quoted: str, mechanism: str, secret: str) -> None:
    """A server that quotes back what it heard, in whatever form, whole or cut, gets it masked (L05)."""
    with hostile(offering(mechanism, *before(mechanism, secret), echo(ECHOES[quoted]))) as server:
        session = connect(server.port, **credentials(mechanism, secret))
        with pytest.raises(AuthenticationFailed) as caught:
            session.open()
    assert "***" in caught.value.reply
    forms = forms_of(server, secret)
    assert_clean(caught.value, forms)
    printable = "".join(character if character.isascii() else "?" * len(character.encode()) for character in secret)
    for text in (caught.value.reply, str(caught.value.smtp_error), *session.transcript.lines()):
        assert not [form for form in (*forms, printable) if form in text]


@EVERY_MECHANISM
def test_malformed_echoes_are_scrubbed(connect: Connect, mechanism: str) -> None:
    """Also what is no reply at all is masked before it is shown."""

    def step(peer: Peer) -> None:
        line = peer.hear_until(b"\r\n").decode().rstrip()
        peer.send(f"bad command {line} ({SECRET})\r\n".encode())

    with hostile(offering(mechanism, *before(mechanism, SECRET), step)) as server:
        session = connect(server.port, **credentials(mechanism, SECRET))
        with pytest.raises(ProtocolError) as caught:
            session.open()
    assert "bad command" in caught.value.reply
    assert_clean(caught.value, forms_of(server, SECRET))
    for text in (caught.value.reply, *session.transcript.lines()):
        assert not [form for form in forms_of(server, SECRET) if form in text]


def test_a_token_in_an_error_message(connect: Connect) -> None:
    """A token that a server quotes in its JSON is masked in clear as well as in the challenge as it came (T11t)."""
    for padding in ("", "x", "xx"):
        error = b64encode(f'{{"a": "{padding}", "status": "no: {SECRET}"}}'.encode()).decode()
        with hostile(offering("XOAUTH2", answer(f"334 {error}", "535 no"))) as server:
            session = connect(server.port, **credentials("XOAUTH2", SECRET))
            with pytest.raises(AuthenticationFailed, match=r"access token: no: \*\*\*\.") as caught:
                session.open()
        assert_clean(caught.value, [SECRET, error])
        assert not [line for line in session.transcript.lines() if SECRET in line or error in line]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("535 5.7.8 Authentication failed: see https://mail.example.test/help?p=BadCredentials", None),
        ("2.7.0 queued as 4bXyZ1234567890", None),
        ("bad secret-word!", "bad ***!"),
        ("hex 7365637265742d776f7264.", "hex ***."),
        (f"in {b64encode(b'xx-secret-word-yyyyyyyyyyy').decode()}, as said", "in ***, as said"),
        ("in w7_Dv8O_w7/Dv, or w7/Dv8O/w7, as said", "in ***, or ***, as said"),
    ],
)
def test_only_secrets_are_masked(text: str, shown: str | None) -> None:
    """The rest of a server's words stays as it is: an admin needs them. Neighbours of a secret go with it."""
    assert Scrubber(["secret-word", "", "ÿÿÿÿÿÿÿÿ"])(text) == (shown or text)


@pytest.mark.parametrize(
    ("mechanism", "message"),
    [
        ("PLAIN", f"\0{USER}\0{SECRET[:3]}"),
        ("XOAUTH2", f"user={USER}\x01auth=Bearer {SECRET[:3]}"),
        ("OAUTHBEARER", f"n,a={USER},\x01host=mail.example.test\x01port=25\x01auth=Bearer {SECRET[:3]}"),
    ],
)
def test_beginnings_are_masked(connect: Connect, mechanism: str, message: str) -> None:
    """A message that is cut off soon after its secret begins is masked as well."""
    cut = b64encode(message.encode()).decode().rstrip("=")
    with (
        hostile(offering(mechanism, answer(f"535 bad {cut}"))) as server,
        pytest.raises(AuthenticationFailed) as caught,
    ):
        connect(server.port, **credentials(mechanism, SECRET)).open()
    assert caught.value.reply == "bad ***"


def test_the_prepared_form_is_masked(connect: Connect) -> None:
    """A password is masked as typed, and as SCRAM prepares it."""
    with (
        hostile(offering("SCRAM-SHA-256", answer("535 not CANARY-IX"))) as server,
        pytest.raises(AuthenticationFailed) as caught,
    ):
        connect(server.port, **credentials("SCRAM-SHA-256", "CANARY-\u2168")).open()
    assert caught.value.reply == "not ***"


# -- interruptions
@EVERY_MECHANISM
@pytest.mark.parametrize(
    "kind", [KeyboardInterrupt, GeneratorExit, SystemExit, RuntimeError, UnicodeError, ValueError, OSError]
)
def test_no_leak_when_interrupted(kind: type[BaseException], mechanism: str) -> None:
    """An interrupt, or a bug of ours, in the midst of signing in shows nothing either (L09)."""

    def exchange(line: str, shown: str, scrub: object) -> Reply:
        raise kind(line) if issubclass(kind, Exception) else kind()

    endpoint = Endpoint(host="h", port=25, security=Security.SSL, **credentials(mechanism, SECRET))
    expected = RuntimeError if issubclass(kind, Exception) else kind
    with pytest.raises(expected) as caught:
        authenticate(exchange, mechanism, endpoint)
    assert_clean(caught.value, spellings(USER, SECRET))


@pytest.mark.parametrize("kind", [KeyboardInterrupt, RuntimeError, AuthenticationFailed])
def test_no_leak_from_whoever_fetches_tokens(kind: type[BaseException]) -> None:
    """Neither the frames of the callable nor what led to its error are kept: they know refresh tokens."""

    def token() -> Secret:
        refresh_token = SECRET
        try:
            raise ValueError(refresh_token)
        except ValueError as error:
            if kind is AuthenticationFailed:
                raise AuthenticationFailed("Sign in anew.", stage=Stage.AUTH) from error
            raise kind(refresh_token if kind is RuntimeError else "") from error

    endpoint = Endpoint(host="h", port=25, security=Security.SSL, username=USER, token=token)
    with pytest.raises(AuthenticationFailed if issubclass(kind, Exception) else kind) as caught:
        authenticate(lambda *_: Reply(235, ("",)), "XOAUTH2", endpoint)
    assert_clean(caught.value, spellings(USER, SECRET))
    assert "refresh_token" not in str([step.frame.f_locals for step in caught.traceback[1:]])


@EVERY_MECHANISM
def test_no_leak_after_success(connect: Connect, mechanism: str) -> None:
    """An open session keeps no copy of a password but the Secret itself, and none of a token."""
    steps = before(mechanism, SECRET)
    if mechanism.startswith("SCRAM"):
        peer = ScramServer(USER, SECRET, "sha1" if mechanism == "SCRAM-SHA-1" else "sha256")
        steps = [peer.first_step(), peer.final_step(), say("235 ok")]
    else:
        steps.append(answer("235 ok"))
    with hostile(offering(mechanism, *steps, answer("nonsense"))) as server:
        session = connect(server.port, **credentials(mechanism, SECRET)).open()
        assert signed_in(session)
        with pytest.raises(ProtocolError) as caught:
            session.mail_from("a@example.test")
    forms = forms_of(server, SECRET)
    assert_clean(caught.value, forms)
    found = list(reachable(session, depth=7))
    for form in forms:
        # The test's own callable, a closure, gives out the token.
        assert not [text for text in found if form in text and (mechanism in PASSWORD_MECHANISMS or text != SECRET)]


def signed_in(session: Session) -> bool:
    return session.authenticated
