"""Handing one message over: transactions of 100, dead sessions, and never a failure after an acceptance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flask_smtpservers.errors import (
    ConnectionRefused,
    DataRefused,
    InDoubt,
    MessageRefused,
    MessageTooLarge,
    ProtocolError,
    RecipientsRefused,
    SenderRefused,
    SendError,
    TimedOut,
    TLSFailed,
)
from flask_smtpservers.findings import Stage
from flask_smtpservers.sending.delivery import Outcome
from flask_smtpservers.sending.sessions import Line
from flask_smtpservers.sending.transmit import Shipment, transmit
from flask_smtpservers.sending.wire import Content
from flask_smtpservers.smtp.deadline import Deadline
from flask_smtpservers.smtp.envelope import Envelope, Receipt
from flask_smtpservers.smtp.pool import Pool
from flask_smtpservers.smtp.reply import Reply

OK = Reply(250, ("2.0.0 OK queued as Q1",))
NO = Reply(550, ("5.1.1 no such user",))
CONTENT = Content(b"Subject: x\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n", "<1@x.test>")

Act = Callable[[Envelope], Receipt]


class FakeSession:
    """A session that does what its script says, one act for each transaction."""

    def __init__(self, script: list[Act], features: dict[str, str] | None = None) -> None:
        self.script = script
        self.features = {"8BITMIME": ""} if features is None else features
        self.sent: list[tuple[Envelope, bytes]] = []
        self.usable = False
        self.closed = 0
        self.deadline: Deadline | None = None

    def open(self) -> FakeSession:
        self.usable = True
        return self

    def send(self, envelope: Envelope, content: bytes, before_dot: Callable[[], None] | None = None) -> Receipt:
        self.sent.append((envelope, content))
        return self.script.pop(0)(envelope)

    def alive(self) -> bool:
        return self.usable

    def close(self) -> None:
        self.usable = False
        self.closed += 1


def accept(envelope: Envelope) -> Receipt:
    refused = {address: NO for address in envelope.recipients if address.startswith("bad")}
    accepted = tuple(address for address in envelope.recipients if address not in refused)
    return Receipt(accepted=accepted, refused=refused, reply=OK, queue_id="Q1")


def refuse_all(envelope: Envelope) -> Receipt:
    error = RecipientsRefused("all refused", stage=Stage.RCPT_TO, code=550, enhanced="5.1.1", reply="5.1.1 no")
    error.recipients = dict.fromkeys(envelope.recipients, (550, b"5.1.1 no such user"))
    raise error


def fail(kind: type[SendError], stage: Stage, *, content_sent: bool = False, **more: Any) -> Act:
    def act(envelope: Envelope) -> Receipt:
        error = kind("it failed", stage=stage, **more)
        error.content_sent = error.content_sent or content_sent
        raise error

    return act


class Bench:
    """Sessions over fakes: each new session takes the next script."""

    def __init__(self, *scripts: list[Act], features: dict[str, str] | None = None) -> None:
        self.scripts = list(scripts)
        self.features = features
        self.made: list[FakeSession] = []
        self.pool = Pool()

    def make(self) -> Any:
        self.made.append(FakeSession(self.scripts.pop(0), self.features))
        return self.made[-1]

    def line(self, digest: str = "one", seconds: float = 60, messages: int | None = None) -> Line:
        return Line(self.pool, digest, self.make, Deadline(seconds), messages=messages)


def shipment(*recipients: str) -> Shipment:
    return Shipment(content=CONTENT, sender="a@x.test", recipients=recipients or ("b@x.test",))


def test_everyone_accepted() -> None:
    done = transmit(shipment("b@x.test", "c@x.test"), Bench([accept]).line())
    assert [(item.address, item.outcome, item.code, item.enhanced) for item in done.outcomes] == [
        ("b@x.test", Outcome.ACCEPTED, 250, "2.0.0"),
        ("c@x.test", Outcome.ACCEPTED, 250, "2.0.0"),
    ]
    assert done.queue_id == "Q1"


def test_some_refused_is_no_error() -> None:
    """The caller would send again, also to those who have it."""
    done = transmit(shipment("bad@x.test", "c@x.test"), Bench([accept]).line())
    assert [(item.outcome, item.code, item.text) for item in done.outcomes] == [
        (Outcome.REFUSED, 550, "5.1.1 no such user"),
        (Outcome.ACCEPTED, 250, "2.0.0 OK queued as Q1"),
    ]


def test_more_than_100_recipients_go_in_several_transactions() -> None:
    """Each with at most 100, over one session, each recipient once (RFC 5321 §4.5.3.1.8)."""
    bench = Bench([accept, accept, accept])
    everyone = tuple(f"u{n}@x.test" for n in range(250))
    done = transmit(shipment(*everyone), bench.line())
    (session,) = bench.made
    assert [len(envelope.recipients) for envelope, _content in session.sent] == [100, 100, 50]
    assert tuple(address for envelope, _content in session.sent for address in envelope.recipients) == everyone
    assert [item.address for item in done.outcomes] == list(everyone)


def test_all_refused_in_every_transaction_is_one_error() -> None:
    everyone = tuple(f"u{n}@x.test" for n in range(150))
    with pytest.raises(RecipientsRefused, match="all 150 recipients") as caught:
        transmit(shipment(*everyone), Bench([refuse_all, refuse_all]).line())
    assert set(caught.value.recipients) == set(everyone)


def test_refused_by_one_transaction_and_taken_by_the_next() -> None:
    everyone = tuple(f"u{n}@x.test" for n in range(150))
    done = transmit(shipment(*everyone), Bench([refuse_all, accept]).line())
    assert [item.outcome for item in done.outcomes] == [Outcome.REFUSED] * 100 + [Outcome.ACCEPTED] * 50
    assert done.outcomes[0].code == 550
    assert done.outcomes[0].enhanced == "5.1.1"


@pytest.mark.parametrize(
    ("failure", "second"),
    [
        (fail(DataRefused, Stage.DATA, code=554, reply="no"), Outcome.REFUSED),
        (fail(TimedOut, Stage.RCPT_TO), Outcome.REFUSED),
        (fail(InDoubt, Stage.DATA), Outcome.IN_DOUBT),
    ],
)
def test_a_failure_after_an_acceptance_is_told_and_not_raised(failure: Act, second: Outcome) -> None:
    """What was not tried any more was not taken either; it is not in doubt."""
    everyone = tuple(f"u{n}@x.test" for n in range(250))
    bench = Bench([accept, failure])
    done = transmit(shipment(*everyone), bench.line())
    assert [item.outcome for item in done.outcomes] == (
        [Outcome.ACCEPTED] * 100 + [second] * 100 + [Outcome.REFUSED] * 50
    )
    assert len(bench.made[0].sent) == 2


def test_a_doubt_is_raised_rather_than_a_refusal() -> None:
    """Who hears "refused" sends again; who is in doubt must not."""
    everyone = tuple(f"u{n}@x.test" for n in range(250))
    with pytest.raises(InDoubt):
        transmit(shipment(*everyone), Bench([refuse_all, fail(InDoubt, Stage.DATA)]).line())


@pytest.mark.parametrize(
    "failure",
    [
        fail(SenderRefused, Stage.MAIL_FROM, code=550),
        fail(DataRefused, Stage.DATA, code=554),
        fail(ProtocolError, Stage.DATA),
        fail(InDoubt, Stage.DATA),
        refuse_all,
    ],
)
def test_failures_are_raised(failure: Act) -> None:
    bench = Bench([failure])
    with pytest.raises(SendError):
        transmit(shipment(), bench.line())
    assert len(bench.made) == 1


@pytest.mark.parametrize(
    "death",
    [
        fail(ProtocolError, Stage.MAIL_FROM),
        fail(TimedOut, Stage.MAIL_FROM),
        fail(ConnectionRefused, Stage.MAIL_FROM),
        fail(SenderRefused, Stage.MAIL_FROM, code=421),
        fail(ProtocolError, Stage.MAIL_FROM, code=421),
        fail(ProtocolError, Stage.MAIL_FROM, code=502),
        fail(TLSFailed, Stage.MAIL_FROM),
        fail(ProtocolError, Stage.RCPT_TO),
        fail(RecipientsRefused, Stage.RCPT_TO, code=421),
        fail(ProtocolError, Stage.DATA),
        fail(DataRefused, Stage.DATA, code=421),
    ],
)
def test_a_kept_session_that_died_is_replaced_once(death: Act) -> None:
    """Nothing was handed over yet, so nothing can arrive twice."""
    bench = Bench([accept, death], [accept])
    transmit(shipment(), bench.line())
    transmit(shipment(), bench.line())
    assert [len(session.sent) for session in bench.made] == [2, 1]
    assert bench.made[0].closed == 1


@pytest.mark.parametrize(
    "failure",
    [
        fail(SenderRefused, Stage.MAIL_FROM, code=550),
        fail(SenderRefused, Stage.MAIL_FROM, code=451),
        fail(MessageTooLarge, Stage.MAIL_FROM, code=552),
        fail(RecipientsRefused, Stage.RCPT_TO, code=450),
        fail(TimedOut, Stage.RCPT_TO),
        fail(TimedOut, Stage.DATA),
        fail(DataRefused, Stage.DATA, code=451),
        fail(ProtocolError, Stage.DATA, content_sent=True),
        fail(TimedOut, Stage.DATA, content_sent=True),
        fail(InDoubt, Stage.DATA),
        fail(DataRefused, Stage.DATA, code=421, content_sent=True),
    ],
)
def test_a_kept_session_is_not_replaced_for_anything_else(failure: Act) -> None:
    bench = Bench([accept, failure], [accept])
    transmit(shipment(), bench.line())
    with pytest.raises(SendError):
        transmit(shipment(), bench.line())
    assert len(bench.made) == 1


def test_there_is_no_time_left_for_a_replacement() -> None:
    """The caller hears what happened, and not that a second attempt came too late."""
    bench = Bench([accept, fail(ProtocolError, Stage.MAIL_FROM)], [accept])
    transmit(shipment(), bench.line())
    with pytest.raises(ProtocolError):
        transmit(shipment(), bench.line(seconds=0))
    assert len(bench.made) == 1


def test_a_new_session_that_dies_is_not_replaced() -> None:
    bench = Bench([fail(ProtocolError, Stage.MAIL_FROM)], [accept])
    with pytest.raises(ProtocolError):
        transmit(shipment(), bench.line())
    assert len(bench.made) == 1


def test_the_replacement_is_not_replaced_either() -> None:
    dead = fail(ProtocolError, Stage.MAIL_FROM)
    bench = Bench([accept, dead], [dead], [accept])
    transmit(shipment(), bench.line())
    with pytest.raises(ProtocolError):
        transmit(shipment(), bench.line())
    assert len(bench.made) == 2


def test_sessions_are_kept_for_each_server_and_closed_together() -> None:
    """Another digest - another server, or the same after an edit - is another session."""
    bench = Bench([accept, accept], [accept])
    for digest in ("one", "two", "one"):
        transmit(shipment(), bench.line(digest))
    assert [len(session.sent) for session in bench.made] == [2, 1]
    bench.pool.close()
    assert [session.closed for session in bench.made] == [1, 1]


def test_fewer_messages_over_one_session() -> None:
    """A host may want fewer than the pool allows (MAIL_MAX_EMAILS); each transaction counts."""
    bench = Bench([accept, accept], [accept, accept], [accept])
    everyone = tuple(f"u{n}@x.test" for n in range(150))
    transmit(shipment(*everyone), bench.line(messages=2))
    for _ in range(3):
        transmit(shipment(), bench.line(messages=2))
    assert [len(session.sent) for session in bench.made] == [2, 2, 1]


def test_a_kept_session_gets_the_deadline_of_the_message() -> None:
    bench = Bench([accept, accept])
    transmit(shipment(), bench.line())
    second = bench.line()
    transmit(shipment(), second)
    assert bench.made[0].deadline is second.deadline


def test_a_session_that_is_not_usable_any_more_is_replaced() -> None:
    bench = Bench([accept], [accept])
    transmit(shipment(), bench.line())
    bench.made[0].usable = False
    transmit(shipment(), bench.line())
    assert len(bench.made) == 2


def test_eight_bit_content_is_sent_where_it_is_offered() -> None:
    bench = Bench([accept])
    transmit(shipment(), bench.line())
    assert bench.made[0].sent[0][1] == CONTENT.data


def test_without_8bitmime_the_content_is_ascii() -> None:
    bench = Bench([accept], features={"SIZE": ""})
    content = Content(CONTENT.data.replace(b"Subject", b"Content-Type: text/plain; charset=utf-8\r\nSubject"), "<1@x>")
    transmit(Shipment(content=content, sender="a@x.test", recipients=("b@x.test",)), bench.line())
    assert bench.made[0].sent[0][1].isascii()
    assert b"Gr=C3=BC=C3=9Fe" in bench.made[0].sent[0][1]


def test_a_message_that_the_session_refuses_is_not_half_counted() -> None:
    def refuse(envelope: Envelope) -> Receipt:
        raise MessageRefused("not this address")

    with pytest.raises(MessageRefused):
        transmit(shipment(), Bench([refuse]).line())
    everyone = tuple(f"u{n}@x.test" for n in range(150))
    done = transmit(shipment(*everyone), Bench([accept, refuse]).line())
    assert [item.outcome for item in done.outcomes] == [Outcome.ACCEPTED] * 100 + [Outcome.REFUSED] * 50
    assert done.outcomes[-1].text == "not this address"
