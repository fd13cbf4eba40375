"""PIPELINING, when it goes wrong: 421 at any place, too few replies or too many, and what was handed over by then."""

from __future__ import annotations

import select
import socket
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flask_smtpservers.errors import (
    DataRefused,
    InDoubt,
    ProtocolError,
    RecipientsRefused,
    SenderRefused,
    SendError,
    TimedOut,
)
from flask_smtpservers.findings import Stage
from flask_smtpservers.smtp import Envelope, Limits, Receipt, Session

from ..peers.hostile import Peer, Step, answer, close, hang, hear, hear_content, hostile, listen, reset, say, void
from .conftest import Connect
from .flights import accepting, greeting, people, together
from .test_hostile import Interrupted, Interrupting
from .test_sending import CONTENT, A, B, C, envelope, finished

# -- 421, too few replies, too many
GOOD = ["250 ok", "250 ok", "250 ok", "354 go"]
POSITIONS = pytest.mark.parametrize("position", range(len(GOOD)))
STAGES = [Stage.MAIL_FROM, Stage.RCPT_TO, Stage.RCPT_TO, Stage.DATA]


@POSITIONS
@pytest.mark.parametrize("rest", [[listen()], [close()], [say("421 again"), close()]], ids=["open", "close", "more"])
def test_421(connect: Connect, position: int, rest: list[Step]) -> None:
    """A 421 at any place ends it for everybody, without another word; nothing was handed over."""
    replies = [*GOOD[:position], "421 4.3.2 bye"]
    with hostile(greeting(hear(4), say(*replies), *rest)) as server:
        session = connect(server.port).open()
        with pytest.raises(SendError) as caught:
            session.send(envelope(A, B), CONTENT)
        assert not session.usable
        server.settle()
    error = caught.value
    assert type(error) is [SenderRefused, RecipientsRefused, RecipientsRefused, DataRefused][position]
    assert (error.code, error.stage, error.permanent, error.content_sent) == (421, STAGES[position], False, False)
    assert server.lines[-1] == "DATA"
    if isinstance(error, RecipientsRefused):
        assert error.recipients == {A: (421, b"4.3.2 bye"), B: (421, b"4.3.2 bye")}


def test_421_rules_over_other_refusals(connect: Connect) -> None:
    """One 421 among other refusals is what the error says: the session is over."""
    with hostile(greeting(hear(5), say("250 ok", "450 later", "550 no", "421 bye"), listen())) as server:
        session = connect(server.port).open()
        with pytest.raises(RecipientsRefused) as caught:
            session.send(envelope(A, B, C), CONTENT)
    assert (caught.value.code, {code for code, _ in caught.value.recipients.values()}) == (421, {450, 550, 421})


ENDINGS: list[tuple[list[Step], type[SendError]]] = [
    ([listen()], TimedOut),
    ([close()], ProtocolError),
    ([reset()], ProtocolError),
    ([say("garbage"), listen()], ProtocolError),
]


@POSITIONS
@pytest.mark.parametrize(("ending", "kind"), ENDINGS, ids=["silent", "closed", "reset", "garbage"])
def test_too_few_replies(connect: Connect, position: int, ending: list[Step], kind: type[SendError]) -> None:
    """Silence, a hang-up or garbage in place of a reply: not sent, not in doubt, and the stage of that command."""
    before = [say(*GOOD[:position])] if position else []
    with hostile(greeting(hear(4), *before, *ending)) as server:
        session = connect(server.port, timeout_seconds=0.3).open()
        with pytest.raises(kind) as caught:
            session.send(envelope(A, B), CONTENT)
        assert not session.usable
        server.settle()
    error = caught.value
    assert (type(error), error.stage, error.content_sent, error.permanent) == (kind, STAGES[position], False, False)
    assert error.server == "Shop mail"
    assert server.lines[-1] == "DATA"


@pytest.mark.parametrize(("ending", "kind"), ENDINGS, ids=["silent", "closed", "reset", "garbage"])
@pytest.mark.parametrize(
    ("replies", "refusal"),
    [
        (["550 5.7.1 not you"], SenderRefused),
        (["550 5.7.1 not you", "503 no"], SenderRefused),
        (["250 ok", "550 5.1.1 no", "550 5.1.1 no"], RecipientsRefused),
    ],
)
def test_a_refusal_is_not_hidden_by_what_follows(
    connect: Connect, replies: list[str], refusal: type[SendError], ending: list[Step], kind: type[SendError]
) -> None:
    """A server that refuses and hangs up has refused: that is lasting, a hang-up is not."""
    with hostile(greeting(hear(4), say(*replies), *ending)) as server:
        session = connect(server.port, timeout_seconds=0.3).open()
        with pytest.raises(refusal) as caught:
            session.send(envelope(A, B), CONTENT)
        assert not session.usable
    assert (type(caught.value), caught.value.code, caught.value.permanent) == (refusal, 550, True)


@pytest.mark.parametrize("ending", [close, reset])
def test_a_refused_recipient_does_not_stand_for_the_others(connect: Connect, ending: type[Step]) -> None:
    """If nobody knows of the second recipient, the hang-up is what is told."""
    with hostile(greeting(hear(4), say("250 ok", "550 5.1.1 no"), ending())) as server:
        session = connect(server.port).open()
        with pytest.raises(ProtocolError) as caught:
            session.send(envelope(A, B), CONTENT)
    assert caught.value.disconnected


@pytest.mark.parametrize(
    "replies",
    [
        [*GOOD, "250 more"],
        ["250 stray", *GOOD],
        ["250 ok", "550 no", "550 no", "554 no", "250 more"],
        ["550 no", "503 no", "503 no", "503 no", "503 more"],
        [*GOOD, "2"],
    ],
)
def test_too_many_replies(connect: Connect, replies: list[str]) -> None:
    """Then no reply is sure to belong to the command at its place: nothing goes out, and the session is closed."""
    with hostile(greeting(hear(4), say(*replies), listen())) as server:
        session = connect(server.port).open()
        with pytest.raises(ProtocolError, match="out of turn") as caught:
            session.send(envelope(A, B), CONTENT)
        assert (session.usable, caught.value.content_sent) == (False, False)
        server.settle()
    assert server.lines[-1] == "DATA"


@pytest.mark.parametrize(
    ("replies", "kind"),
    [
        (GOOD, ProtocolError),
        (["550 no", "503 no", "503 no", "503 no"], SenderRefused),
        (["250 ok", "550 no", "550 no", "554 no"], RecipientsRefused),
        (["250 ok", "550 no", "550 no", "354 go"], RecipientsRefused),
        (["250 ok", "250 ok", "550 no", "451 later"], DataRefused),
    ],
)
def test_421_behind_the_replies(connect: Connect, replies: list[str], kind: type[SendError]) -> None:
    """A server may say 421 at any time: the replies before it stand, but no content is sent any more."""
    with hostile(greeting(hear(4), say(*replies, "421 4.7.0 too many errors"), listen())) as server:
        session = connect(server.port).open()
        with pytest.raises(SendError) as caught:
            session.send(envelope(A, B), CONTENT)
        assert not session.usable
        server.settle()
    assert (type(caught.value), caught.value.content_sent) == (kind, False)
    assert server.lines[-1] == "DATA"
    if kind is ProtocolError:
        assert caught.value.code == 421


@pytest.mark.parametrize(
    ("position", "reply"), [(0, "354 go"), (1, "354 go"), (2, "334 go"), (3, "250 ok"), (3, "334 go")]
)
def test_replies_that_make_no_sense(connect: Connect, position: int, reply: str) -> None:
    """A 3yz where none belongs, or 250 to DATA: out of step, no content."""
    replies = [reply if position == place else good for place, good in enumerate(GOOD)]
    with hostile(greeting(together(*replies), listen())) as server:
        session = connect(server.port).open()
        with pytest.raises(ProtocolError, match="no sense") as caught:
            session.send(envelope(A, B), CONTENT)
        assert (session.usable, caught.value.stage) == (False, STAGES[position])
        server.settle()
    assert server.lines[-1] == "DATA"


# -- writing fails
def no_delay(peer: Peer) -> None:
    """Send what is said at once: a reset discards what still waits for an acknowledgement."""
    peer.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


@pytest.mark.parametrize(
    ("words", "kind", "code"),
    [
        ([], ProtocolError, None),
        (["421 4.4.2 idle for too long"], SenderRefused, 421),
        (["550 5.7.1 not you"], SenderRefused, 550),
        (["250 ok"], ProtocolError, None),
        (["250 ok", "421 4.3.2 bye"], RecipientsRefused, 421),
        (["250 ok", "550 no", "550 no", "554 no", "250 more"], ProtocolError, None),
    ],
)
def test_the_connection_is_gone_before_the_first_flight(
    connect: Connect, words: list[str], kind: type[SendError], code: int | None
) -> None:
    """If the commands cannot be written, what the server said before is read; the refusal is usually there."""
    opened = threading.Event()
    late: list[Step] = [lambda peer: void(opened.wait(5)), say(*words), reset()]
    with hostile([no_delay, *greeting(*late)]) as server:
        session = connect(server.port).open()
        opened.set()
        server.settle()
        poll = select.poll()
        poll.register(connect.sockets[0], 0)
        assert poll.poll(5000), "the reset has not arrived"
        with pytest.raises(kind) as caught:
            session.send(envelope(A, B), CONTENT)
        assert not session.usable
    assert (type(caught.value), caught.value.code, caught.value.content_sent) == (kind, code, False)


def test_commands_that_are_never_read(connect: Connect) -> None:
    """A server that reads nothing cannot hold us longer than one limit."""
    many = tuple(f"{'u' * 60}{number}@{'x' * 60}.{'y' * 60}.{'z' * 50}.test" for number in range(40_000))
    with hostile(greeting(hang())) as server:
        session = connect(server.port, timeout_seconds=0.3, limits=Limits(flight_commands=50_000)).open()
        started = time.monotonic()
        with pytest.raises(TimedOut) as caught:
            session.send(envelope(*many), CONTENT)
        assert time.monotonic() - started < 3
    assert (caught.value.stage, caught.value.content_sent) == (Stage.MAIL_FROM, False)


# -- what was handed over
CONTENT_STEPS: list[tuple[list[Step], type[SendError]]] = [
    ([hear_content(), hang()], InDoubt),
    ([hear_content(), close()], InDoubt),
    ([hear_content(), reset()], InDoubt),
    ([hear_content(), say("garbage"), listen()], InDoubt),
    ([hear_content(), say("354 more"), listen()], InDoubt),
    ([hear_content(), say("554 5.7.1 spam"), listen()], DataRefused),
    ([hear_content(), say("421 4.3.2 bye"), listen()], DataRefused),
]


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(("steps", "kind"), CONTENT_STEPS)
def test_content_sent(connect: Connect, steps: list[Step], kind: type[SendError], pipelining: bool) -> None:
    """As soon as content has gone out, the error says so: a caller must not send again by itself."""
    envelope_steps = together("250 ok", "250 ok", "354 go") if pipelining else answer("250 ok", "250 ok", "354 go")
    with hostile(greeting(envelope_steps, *steps)) as server:
        session = connect(
            server.port, pipelining=pipelining, timeout_seconds=0.3, limits=Limits(final_reply_seconds=0.2)
        ).open()
        with pytest.raises(kind) as caught:
            session.send(envelope(), CONTENT)
    assert caught.value.content_sent


def test_content_sent_is_about_the_present_message(connect: Connect) -> None:
    """And not about one that went over the same session before."""
    with hostile(greeting(*accepting(), hear(3), close())) as server:
        session = connect(server.port).open()
        session.send(envelope(), CONTENT)
        with pytest.raises(ProtocolError) as caught:
            session.send(envelope(), CONTENT)
    assert not caught.value.content_sent


def test_content_sent_step_by_step(connect: Connect) -> None:
    """The same for those who ask one thing at a time; and it is about the present message, not the one before."""
    script = greeting(*accepting(), answer("250 ok", "250 ok", "554 no"), listen())
    with hostile(script) as server:
        session = connect(server.port).open()
        session.send(envelope(), CONTENT)
        session.mail_from(A)
        session.rcpt_to(A)
        with pytest.raises(DataRefused) as caught:
            session.data(CONTENT)
    assert not caught.value.content_sent


@pytest.mark.parametrize("at", range(3, 6))
def test_interrupts_close(connect: Connect, at: int) -> None:
    """Whatever interrupts a flight closes the socket, and is not turned into something else."""
    with hostile(greeting(*accepting(), listen())) as server:
        session = connect(server.port, network=Interrupting(server.port, at))
        with pytest.raises(Interrupted):
            session.open().send(envelope(), CONTENT)
            session.alive()
        assert not session.usable
        assert [connection.fileno() for connection in connect.sockets] == [-1]


# -- the same answers, one by one or together
REPLIES = st.sampled_from(["250 ok", "251 ok", "550 5.1.1 no", "450 4.2.0 later", "552 5.3.4 big", "421 bye", "354 go"])


def outcome(session: Session, wanted: Envelope) -> object:
    try:
        receipt: Receipt = session.send(wanted, CONTENT)
    except SendError as error:
        return type(error), error.code, error.stage, getattr(error, "recipients", None), error.content_sent
    return receipt


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mail=REPLIES, rcpts=st.lists(REPLIES, min_size=1, max_size=4), data=REPLIES | st.just("354 go"))
def test_the_outcome_does_not_depend_on_the_flights(connect: Connect, mail: str, rcpts: list[str], data: str) -> None:
    """For whatever a server answers to each command, the caller hears the same, and as much content goes out."""

    def answering(peer: Peer) -> None:
        replies = {"MAIL": [mail], "RCPT": list(rcpts), "DATA": [data]}
        while True:
            verb = peer.hear_until(b"\r\n")[:4].decode()
            if verb == "QUIT" or not replies.get(verb):
                say("500 what?")(peer)
                continue
            reply = replies[verb].pop(0)
            say(reply)(peer)
            if verb == "DATA" and reply.startswith("354"):
                while peer.hear_until(b"\r\n") != b".\r\n":
                    pass
                say("250 2.0.0 Ok: queued as Q1")(peer)

    wanted = envelope(*people(len(rcpts)))
    outcomes, contents = [], []
    for pipelining in (True, False):
        with hostile(greeting(answering)) as server:
            session = connect(server.port, pipelining=pipelining).open()
            outcomes.append(outcome(session, wanted))
            finished(session, server)
        contents.append(server.received.count(b"hello"))
    assert outcomes[0] == outcomes[1]
    assert contents == [1 if isinstance(outcomes[0], Receipt) else 0] * 2
