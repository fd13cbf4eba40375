"""SCRAM: both sides prove that they know the password, against the RFCs' examples, a small server, and rude ones."""

from __future__ import annotations

import unicodedata
from base64 import b64decode
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_smtpservers.errors import AuthenticationFailed, NotOffered
from flask_smtpservers.secret import Secret
from flask_smtpservers.smtp import Endpoint, Security
from flask_smtpservers.smtp.auth import authenticate
from flask_smtpservers.smtp.mechanisms import SignInError
from flask_smtpservers.smtp.reply import Reply
from flask_smtpservers.smtp.saslprep import saslprep
from flask_smtpservers.smtp.scram import ScramSHA1, ScramSHA256

from ..peers.hostile import Step, answer, hear, hostile, listen, say
from .conftest import SECRET, Connect
from .scram_server import ScramServer, base64, plain

USER = "u@example.test"
DIGESTS = {"SCRAM-SHA-1": "sha1", "SCRAM-SHA-256": "sha256"}
KINDS = pytest.mark.parametrize("mechanism", DIGESTS)


def account(username: str = USER, password: str = SECRET) -> Endpoint:
    return Endpoint(
        host="mail.example.test", port=587, security=Security.STARTTLS, username=username, password=Secret(password)
    )


def offering(*steps: Step) -> list[Step]:
    return [
        say("220 hi"),
        answer("250-mail.example.test\n250 AUTH PLAIN SCRAM-SHA-1 SCRAM-SHA-256"),
        *steps,
        listen(),
    ]


# -- the examples of the RFCs
@pytest.mark.parametrize(
    ("kind", "nonce", "first", "proof", "verdict"),
    [
        pytest.param(
            ScramSHA1,
            "fyko+d2lbbFgONRv9qkxdawL",
            "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
            id="RFC 5802",
        ),
        pytest.param(
            ScramSHA256,
            "rOprNGfwEbeRWgbNEkqO",
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
            "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
            id="RFC 7677",
        ),
    ],
)
def test_the_examples(kind: type[ScramSHA1 | ScramSHA256], nonce: str, first: str, proof: str, verdict: str) -> None:
    """The exchanges of RFC 5802 §5 and RFC 7677 §3 come out to the letter, and the server's proof is believed."""
    attempt = kind(account("user"), "pencil", nonce=nonce)
    assert attempt.initial() == f"n,,n=user,r={nonce}".encode()
    assert attempt.respond(base64(first)) == proof.encode()
    assert attempt.respond(base64(verdict)) == b""
    attempt.conclude()


# -- with a server
@KINDS
def test_signing_in(connect: Connect, mechanism: str) -> None:
    """Three lines sign in; neither password nor anything that it could be read from but the proof goes out."""
    peer = ScramServer(USER, SECRET, DIGESTS[mechanism])
    with hostile(offering(peer.first_step(), peer.final_step(), say("235 ok"))) as server:
        session = connect(server.port, username=USER, mechanism=mechanism).open()
        assert session.authenticated
        session.close()
        server.settle()
    assert peer.verified
    assert server.verbs.count("AUTH") == 1
    assert server.lines[1].startswith(f"AUTH {mechanism} ")
    assert server.lines[3:] == ["", "QUIT"]
    shown = session.transcript.lines()
    begin = shown.index(f"C: AUTH {mechanism} ***")
    assert shown[begin + 1].startswith("S: 334 cj")
    assert shown[begin + 2 : begin + 6] == ["C: ***", "S: 334 ***", "C: ", "S: 235 ok"]


def test_only_on_demand(connect: Connect) -> None:
    """SCRAM is used only if the settings name it, and then nothing else (T17)."""
    with hostile(offering(answer("235 ok"))) as server:
        connect(server.port, username=USER).open().close()
        server.settle()
    assert server.lines[1].startswith("AUTH PLAIN ")
    with (
        hostile([say("220 hi"), answer("250-x\n250 AUTH PLAIN"), listen()]) as server,
        pytest.raises(NotOffered, match="does not offer SCRAM-SHA-256; it offers: PLAIN"),
    ):
        connect(server.port, username=USER, mechanism="SCRAM-SHA-256").open()


def test_each_attempt_has_its_own_nonce(connect: Connect) -> None:
    """Two sessions never say the same first message."""
    with hostile(offering(answer("535 no"))) as server:
        for _attempt in range(2):
            with pytest.raises(AuthenticationFailed):
                connect(server.port, username=USER, mechanism="SCRAM-SHA-256").open()
        server.settle()
    first, second = (line for line in server.lines if line.startswith("AUTH"))
    assert first != second
    assert plain(first.rpartition(" ")[2]).startswith(f"n,,n={USER},r=")


@KINDS
def test_a_wrong_password(connect: Connect, mechanism: str) -> None:
    """A refusal tells the server's reason, and is final."""
    peer = ScramServer(USER, "another", DIGESTS[mechanism])
    with hostile(offering(peer.first_step(), peer.final_step(), say("535 5.7.8 no"))) as server:
        session = connect(server.port, username=USER, mechanism=mechanism)
        with pytest.raises(AuthenticationFailed) as caught:
            session.open()
        server.settle()
    error = caught.value
    assert error.text == "The server did not accept the user name and password: invalid-proof."
    assert (error.code, error.enhanced, error.permanent) == (535, "5.7.8", True)
    assert server.verbs.count("AUTH") == 1
    assert not session.authenticated


def test_a_bare_refusal(connect: Connect) -> None:
    """Servers that refuse without a reason are understood too."""
    peer = ScramServer(USER, "another")
    with (
        hostile(offering(peer.first_step(), answer("535 5.7.8 no"))) as server,
        pytest.raises(AuthenticationFailed, match="did not accept the user name and password\\.") as caught,
    ):
        connect(server.port, username=USER, mechanism="SCRAM-SHA-256").open()
    assert caught.value.code == 535


def test_an_ignored_initial_response(connect: Connect) -> None:
    """A server that asks for the first message with an empty challenge gets it, once."""
    peer = ScramServer(USER, SECRET)
    script = offering(hear(), say("334 "), peer.first_step(), peer.final_step(), say("235 ok"))
    with hostile(script) as server:
        connect(server.port, username=USER, mechanism="SCRAM-SHA-256").open().close()
        server.settle()
    assert server.lines[1] == f"AUTH SCRAM-SHA-256 {server.lines[2]}"


# -- servers that cheat
IMPOSTORS = {
    "a wrong signature": "v=" + base64(b"x" * 32),
    "a short signature": "v=" + base64(b"x"),
    "an empty signature": "v=",
    "no signature": "hello",
    "nothing": "",
    "a nonce": "r=abc,s=QSXC,i=4096",
    "not UTF-8": "\udcff",
}


@pytest.mark.parametrize("impostor", IMPOSTORS)
def test_an_impostor(connect: Connect, impostor: str) -> None:
    """A server that does not know the password is not believed, and hears nothing more."""
    peer = ScramServer(USER, SECRET)
    final = base64(IMPOSTORS[impostor].encode("utf-8", "surrogateescape"))
    with hostile(offering(peer.first_step(), answer(f"334 {final}", "235 welcome"))) as server:
        session = connect(server.port, username=USER, mechanism="SCRAM-SHA-256")
        with pytest.raises(AuthenticationFailed, match="The server did not prove that it knows the password") as caught:
            session.open()
        server.settle()
    assert (caught.value.code, caught.value.permanent) == (334, True)
    assert len(server.lines) == len(["EHLO", "AUTH", "proof"])
    assert not session.authenticated


@pytest.mark.parametrize("rounds", [0, 1])
def test_a_welcome_too_early(connect: Connect, rounds: int) -> None:
    """A 235 without the server's proof is no sign-in, before our proof nor after it."""
    peer = ScramServer(USER, SECRET)
    steps = [peer.first_step()] * rounds
    with hostile(offering(*steps, answer("235 welcome"))) as server:
        session = connect(server.port, username=USER, mechanism="SCRAM-SHA-256")
        with pytest.raises(AuthenticationFailed, match="The server did not prove that it knows the password"):
            session.open()
    assert not session.authenticated
    assert not session.usable


def test_a_welcome_after_a_refusal(connect: Connect) -> None:
    """A server that says that the proof is wrong and then 235 is not believed."""
    peer = ScramServer(USER, "another")
    with (
        hostile(offering(peer.first_step(), peer.final_step(), say("235 welcome"))) as server,
        pytest.raises(AuthenticationFailed, match="did not prove"),
    ):
        connect(server.port, username=USER, mechanism="SCRAM-SHA-256").open()


def test_endless_challenges(connect: Connect) -> None:
    """A server that goes on after its proof is left, with no more said to it than a sign-in takes (T09t)."""
    peer = ScramServer(USER, SECRET)
    with hostile(offering(peer.first_step(), peer.final_step(), say("334 "), answer(*["334 "] * 5))) as server:
        with pytest.raises(AuthenticationFailed, match="asked for more"):
            connect(server.port, username=USER, mechanism="SCRAM-SHA-256").open()
        server.settle()
    assert len(server.lines) == len(["EHLO", "AUTH", "proof", "empty"])


@pytest.mark.parametrize("rounds", [1, 4095, 600_001, 999_999_999, 10**12])
def test_rounds_out_of_bounds(connect: Connect, rounds: int) -> None:
    """A server can neither keep this machine busy with hashing, nor ask for a proof that is easy to break."""
    peer = ScramServer(USER, SECRET, rounds=rounds)
    with hostile(offering(peer.first_step(), answer("535 no"))) as server:
        with pytest.raises(AuthenticationFailed) as caught:
            connect(server.port, username=USER, mechanism="SCRAM-SHA-256").open()
        server.settle()
    told = f"The server asks for {rounds:,} rounds of hashing; 4,096 to 600,000 are allowed."
    assert caught.value.text == (told if rounds < 10**9 else "The server sent a challenge that cannot be understood.")
    assert len(server.lines) == len(["EHLO", "AUTH"])


@pytest.mark.parametrize(
    "message",
    [
        "",
        "r={nonce},s=QSXC,i=4096",
        "r=other{nonce}x,s=QSXC,i=4096",
        "r={nonce}x,s=,i=4096",
        "r={nonce}x,s=QSX,i=4096",
        "r={nonce}x,s=QS C,i=4096",
        "r={nonce}x,s=QSXC,i=04096",
        "r={nonce}x,s=QSXC,i=-4096",
        "r={nonce}x,s=QSXC,i=4096.0",
        "r={nonce}x,s=QSXC,i=٤٠٩٦",
        "r={nonce}x,s=QSXC",
        "r={nonce}x,i=4096,s=QSXC",
        "m=mandatory,r={nonce}x,s=QSXC,i=4096",
        "r={nonce}x y,s=QSXC,i=4096",
        "r={nonce}x\n,s=QSXC,i=4096\n",
        "e=other-error",
    ],
)
def test_first_messages_that_are_none(message: str) -> None:
    """What the grammar of RFC 5802 §7 does not know, and a nonce that is not ours gone on, ends the attempt."""
    attempt = ScramSHA256(account(), SECRET, nonce="ours")
    with pytest.raises(SignInError):
        attempt.respond(base64(message.format(nonce="ours")))
    with pytest.raises(SignInError):
        attempt.conclude()


def test_extensions_are_ignored() -> None:
    """Optional extensions after what is known change nothing but the signed text."""
    attempt = ScramSHA256(account(), SECRET, nonce="ours")
    peer = ScramServer(USER, SECRET)
    peer.after_first("n,," + f"n={USER},r=ours")
    peer.messages[1] += ",x=später"
    proof = attempt.respond(base64(peer.messages[1]))
    assert proof is not None
    assert attempt.respond(base64(peer.after_final(proof.decode()) + ",y=1")) == b""
    attempt.conclude()


# -- user names and passwords
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=20)


def converse(peer: ScramServer, account: Endpoint, mechanism: str) -> int:
    """Sign in at ``peer``; return how many lines it heard."""
    heard: list[str] = []

    def exchange(line: str, shown: str, scrub: object) -> Reply:
        heard.append(line)
        match len(heard):
            case 1:
                return Reply(334, (base64(peer.after_first(plain(line.rpartition(" ")[2]))),))
            case 2:
                return Reply(334, (base64(peer.after_final(plain(line))),))
            case _:
                return Reply(235 if peer.verified else 535, ("",))

    try:
        authenticate(exchange, mechanism, account)
    finally:
        heard_lines = len(heard)
    return heard_lines


@settings(deadline=None, max_examples=60)
@given(
    mechanism=st.sampled_from(sorted(DIGESTS)),
    username=WORDS,
    password=WORDS,
    salt=st.binary(min_size=1, max_size=40),
    rounds=st.integers(4096, 4200),
    nonce=st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=","), min_size=1),
)
def test_every_user_name_and_password(
    mechanism: str, username: str, password: str, salt: bytes, rounds: int, nonce: str
) -> None:
    """Whatever SASLprep allows signs in at a server that stores it prepared; the rest is refused before AUTH."""
    try:
        prepared = saslprep(username), saslprep(password)
    except ValueError:
        with pytest.raises(AuthenticationFailed, match="holds") as caught:
            authenticate(lambda *_: pytest.fail("something was sent"), mechanism, account(username, password))
        assert caught.value.code is None
        return
    peer = ScramServer(*prepared, DIGESTS[mechanism], salt, rounds, nonce)
    assert converse(peer, account(username, password), mechanism) == 3
    assert peer.verified


@settings(deadline=None, max_examples=30)
@given(password=st.text("abc ", min_size=1, max_size=3), other=st.text("abc ", min_size=1, max_size=3))
def test_every_other_password_is_refused(password: str, other: str) -> None:
    """A password signs in only where it is the right one."""
    peer = ScramServer(USER, other)
    if password == other:
        converse(peer, account(USER, password), "SCRAM-SHA-256")
        assert peer.verified
    else:
        with pytest.raises(AuthenticationFailed, match="did not accept"):
            converse(peer, account(USER, password), "SCRAM-SHA-256")
        assert not peer.verified


@settings(deadline=None, max_examples=200)
@given(challenges=st.lists(st.one_of(st.binary(max_size=60).map(base64), st.text(max_size=60)), max_size=5))
def test_no_babble_signs_in(challenges: list[str]) -> None:
    """Whatever a server says that does not know the password, the attempt fails in the same orderly way."""
    replies = iter([*(Reply(334, (challenge,)) for challenge in challenges), *[Reply(235, ("ok",))] * 4])
    with pytest.raises(AuthenticationFailed):
        authenticate(lambda *_: next(replies), "SCRAM-SHA-256", account())


# -- SASLprep
@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("I\u00adX", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("a\u00a0b\u2003c", "a b c"),
        ("A\u030a", "\u00c5"),
        ("\u0627\u0628\u0629", "\u0627\u0628\u0629"),
        ("pass😀", "pass😀"),
    ],
)
def test_saslprep(text: str, prepared: str) -> None:
    """The examples of RFC 4013 §3, blanks, composed letters, Arabic, and what Unicode 3.2 did not know."""
    assert saslprep(text) == prepared


@pytest.mark.parametrize(
    "text", ["\u0007", "\u0627\u0031", "a\u0627", "\u0627a\u0628", "\u00ad", "\ue000", "\ufffd", "\u202e", ""]
)
def test_saslprep_refuses(text: str) -> None:
    """Controls, private and display characters, mixed directions, and nothing at all are refused, unquoted."""
    with pytest.raises(ValueError) as caught:
        saslprep(text)
    assert not text or text not in str(caught.value)


@given(WORDS)
def test_saslprep_is_done_once(text: str) -> None:
    """Preparing what is prepared changes nothing, and it is in normal form."""
    with suppress(ValueError):
        prepared = saslprep(text)
        assert saslprep(prepared) == prepared
        assert unicodedata.ucd_3_2_0.is_normalized("NFKC", prepared)


def test_no_channel_binding() -> None:
    """The client says that it does not support channel binding."""
    attempt = ScramSHA256(account("a,b=c"), SECRET, nonce="n")
    assert attempt.initial() == b"n,,n=a=2Cb=3Dc,r=n"
    proof = attempt.respond(base64("r=nx,s=QSXC,i=4096"))
    assert proof is not None
    assert b64decode(proof.split(b",")[0].removeprefix(b"c=")) == b"n,,"
