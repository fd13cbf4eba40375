"""Workers at work: retries for those who need them, leases and fences, other servers, races, databases that fail."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from flask_mail import Message
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from flask_smtpservers.outbox.claims import Claim, LostClaim
from flask_smtpservers.outbox.pace import Pace
from flask_smtpservers.outbox.settling import Attempt
from flask_smtpservers.outbox.states import RecipientState, State
from flask_smtpservers.outbox.verdict import Finding, Verdict
from flask_smtpservers.sending.consequence import Blame
from flask_smtpservers.sending.delivery import Delivery, Outcome, RecipientOutcome
from flask_smtpservers.signals import mail_delivered

from ..apps import server_fields
from ..peers.hostile import Hostile, Peer, Step, answer, close, hear_content, hostile, listen, say
from ..peers.mailbox import Mailbox
from .conftest import HOUR, MINUTE, Shop


# -- retries
def test_each_recipient_by_himself(shop: Shop, mailbox: Mailbox) -> None:
    """One has it, one is refused for good, one is tried again: alone."""
    number = shop.enqueue("ann@example.test", "bad@example.test", "temp@example.test")
    shop.work()
    assert shop.states(number) == ["queued", "accepted", "refused", "deferred"]
    assert shop.work() == 0
    shop.clock.move(2 * MINUTE)
    assert shop.work() == 1
    assert len(mailbox.letters) == 1
    assert [row["outcome"] for row in shop.rows("attempt")] == ["accepted", "deferred"]
    shop.clock.move(49 * HOUR)
    shop.work()
    assert shop.states(number) == ["done", "accepted", "refused", "expired"]
    assert shop.rows("piece") == []


def test_many_recipients_take_several_transactions(shop: Shop, mailbox: Mailbox) -> None:
    """A hundred at once, each in an attempt of its own, none twice."""
    everyone = [f"p{number}@example.test" for number in range(230)]
    number = shop.enqueue(*everyone)
    assert shop.work() == 3
    assert sorted(one for letter in mailbox.letters for one in letter.recipients) == sorted(everyone)
    assert [row["recipients"] for row in shop.rows("attempt")] == [100, 100, 30]
    assert shop.entry(number).state is State.DONE


def test_a_refused_message_has_failed(shop: Shop) -> None:
    """Refused for everybody: its end, and its content is deleted."""
    number = shop.enqueue("bad@example.test")
    shop.work()
    assert shop.states(number) == ["failed", "refused"]
    assert (shop.rows("piece"), "550" in str(shop.entry(number).recipients)) == ([], True)


def test_a_server_that_refuses_the_login_is_asked_once(shop: Shop, mailbox: Mailbox) -> None:
    """Whatever number of messages waits; after its settings are edited, at once."""
    (server,) = shop.host.smtp.servers()
    shop.host.smtp.edit_server(server.public_id, password="another")
    shop.host.db.session.commit()
    numbers = [shop.enqueue() for _message in range(3)]
    shop.work()
    assert len(mailbox.logins) == 1
    shop.host.smtp.edit_server(server.public_id, **server_fields(mailbox))
    shop.host.db.session.commit()
    shop.clock.move(2 * HOUR)
    shop.work()
    assert {shop.entry(number).state for number in numbers} == {State.DONE}


def test_a_verdict_that_does_not_come(shop: Shop, mailbox: Mailbox) -> None:
    """Sent again through the same server only, not at once, twice at most, and then a person is asked."""
    with scripted(shop, ENVELOPE, answer("354 go"), hear_content(), close()) as server:
        number = shop.enqueue(using="Scripted")
        for copies in (1, 2, 3):
            shop.work()
            assert server.connections == copies
            shop.clock.move(10 * MINUTE)
            assert shop.work() == 0
            shop.clock.move(HOUR)
            shop.outbox.rests.note(shop.host.smtp.servers()[1].digest, Blame.NONE)
        assert shop.states(number) == ["unknown", "in_doubt"]
        assert shop.work() == 0
    assert not mailbox.letters
    assert shop.rows("piece")
    assert shop.outbox.ending.cancel(number)
    assert (shop.states(number), shop.rows("piece")) == (["cancelled", "in_doubt"], [])


# -- whose message it is
def begin(shop: Shop, server_id: str = "") -> tuple[Claim, Attempt]:
    """Claim the message and open an attempt, as a worker does that is then frozen."""
    claim = shop.outbox.claims.take()
    assert claim is not None
    (recipient,) = shop.rows("recipient")
    attempt = shop.outbox.settling.open(
        claim.id,
        claim.token,
        worker="frozen",
        server_id=server_id,
        server_name="a server",
        recipients={recipient["address"]: recipient["id"]},
    )
    assert attempt is not None
    return claim, attempt


def accepted(attempt: Attempt) -> Verdict:
    (address,) = attempt.recipients
    outcome = RecipientOutcome(address, Outcome.ACCEPTED, 250, "2.0.0", "taken at last")
    return Verdict((Finding(outcome, RecipientState.ACCEPTED),), queue_id="Q9")


def test_a_frozen_worker_sends_no_dot(shop: Shop, mailbox: Mailbox) -> None:
    """Its lease is over and another has delivered the message: it learns so before its dot."""
    number = shop.enqueue()
    claim, attempt = begin(shop)
    assert shop.work() == 0
    shop.clock.move(Pace().lease + 1)
    assert shop.work() == 1
    with pytest.raises(LostClaim):
        shop.outbox.claims.intend(claim, attempt.id)
    shop.outbox.settling.abandon(attempt)
    assert (shop.entry(number).state, len(mailbox.letters)) == (State.DONE, 1)


def test_a_lease_that_is_over_sends_no_dot_although_nobody_took_it(shop: Shop) -> None:
    """Somebody may take the message at any moment."""
    shop.enqueue()
    claim, attempt = begin(shop)
    shop.clock.move(Pace().lease + 1)
    with pytest.raises(LostClaim):
        shop.outbox.claims.intend(claim, attempt.id)


@pytest.mark.parametrize("at_most_once", [False, True])
def test_an_answer_counts_whenever_it_comes(shop: Shop, mailbox: Mailbox, *, at_most_once: bool) -> None:
    """A worker that was taken for dead after its dot has the server's answer: the doubt is over, no copy is sent."""
    number = shop.enqueue(at_most_once=at_most_once)
    claim, attempt = begin(shop)
    shop.outbox.claims.intend(claim, attempt.id)
    shop.clock.move(Pace().dot_lease + 1)
    shop.outbox.claims.recover()
    assert shop.states(number) == ["unknown" if at_most_once else "queued", "in_doubt"]
    assert shop.outbox.settling.settle(attempt, accepted(attempt)) is State.DONE
    shop.clock.move(HOUR)
    assert (shop.work(), shop.states(number), mailbox.letters) == (0, ["done", "accepted"], [])


def test_cancelled(shop: Shop, mailbox: Mailbox) -> None:
    """While it waits, and while a worker has it but has not sent the dot; not later."""
    first = shop.enqueue()
    assert shop.outbox.ending.cancel(first)
    second = shop.enqueue()
    claim = shop.outbox.claims.take()
    assert claim is not None
    assert shop.outbox.ending.cancel(second)
    with pytest.raises(LostClaim):
        shop.outbox.claims.intend(claim, 0)
    third = shop.enqueue()
    claim = shop.outbox.claims.take()
    assert claim is not None
    with shop.outbox.access.writing() as connection:
        connection.execute(shop.outbox.access.tables.message.update().values(state=State.SENDING))
    assert not shop.outbox.ending.cancel(third)
    assert not shop.outbox.ending.cancel("nothing of the kind")
    assert mailbox.letters == []


@pytest.mark.parametrize("days", [1, -1])
def test_a_clock_that_jumps(shop: Shop, mailbox: Mailbox, days: int) -> None:
    """Nothing is stuck: what was put off by a clock that was wrong is due, and so is what it leased."""
    shop.clock.move(-days * 24 * HOUR)
    waiting, leased = shop.enqueue("temp@example.test"), shop.enqueue(expires=5 * 24 * 3600)
    shop.work()
    shop.clock.move(days * 24 * HOUR)
    shop.work()
    assert [row["outcome"] for row in shop.rows("attempt")].count("deferred") == 2
    assert shop.entry(waiting).state is State.QUEUED
    assert shop.entry(leased).state is State.DONE


# -- which server
def test_what_admins_change_holds_for_mail_that_waits(shop: Shop, mailbox: Mailbox) -> None:
    """A paused server's mail waits, unless another may send as its sender."""
    (first,) = shop.host.smtp.servers()
    number = shop.enqueue()
    shop.host.smtp.add_server(**server_fields(mailbox, name="Second", address="second@example.test"))
    shop.host.smtp.edit_server(first.public_id, enabled=False, is_default=False)
    second = shop.host.smtp.servers()[1]
    shop.host.smtp.edit_server(second.public_id, is_default=True)
    shop.host.db.session.commit()
    shop.work()
    assert shop.entry(number).state is State.QUEUED
    assert "Second" in shop.entry(number).reason
    shop.host.smtp.edit_server(second.public_id, allowed_senders="shop@example.test")
    shop.host.db.session.commit()
    shop.clock.move(2 * MINUTE)
    shop.work()
    (letter,) = mailbox.letters
    assert (shop.entry(number).state, letter.message["From"]) == (State.DONE, "Corner Shop <shop@example.test>")


def test_a_server_of_another_name_is_still_the_same(shop: Shop, mailbox: Mailbox) -> None:
    """Renamed, and not the default any more: mail that was written for it goes through it."""
    (first,) = shop.host.smtp.servers()
    asked, by_default = shop.enqueue(using="Shop"), shop.enqueue()
    other = shop.host.smtp.add_server(**server_fields(mailbox, name="Second", address="second@example.test"))
    shop.host.smtp.edit_server(other.public_id, is_default=True)
    shop.host.smtp.edit_server(first.public_id, name="Corner")
    shop.host.db.session.commit()
    shop.work()
    assert [shop.entry(number).state for number in (asked, by_default)] == [State.DONE, State.DONE]
    assert {row["server_name"] for row in shop.rows("attempt")} == {"Corner"}


def test_a_pinned_message_waits_for_its_server(shop: Shop, mailbox: Mailbox) -> None:
    """What may have been delivered goes through no other server, although another could send it."""
    (first,) = shop.host.smtp.servers()
    number = shop.enqueue()
    claim, attempt = begin(shop, first.public_id)
    shop.outbox.claims.intend(claim, attempt.id)
    shop.clock.move(Pace().dot_lease + 1)
    shop.outbox.claims.recover()
    other = shop.host.smtp.add_server(
        **server_fields(mailbox, name="Second", address="second@example.test", allowed_senders="shop@example.test")
    )
    shop.host.smtp.edit_server(first.public_id, enabled=False, is_default=False)
    shop.host.smtp.edit_server(other.public_id, is_default=True)
    shop.host.db.session.commit()
    shop.clock.move(HOUR)
    shop.work()
    assert (shop.states(number), mailbox.letters) == (["queued", "in_doubt"], [])
    shop.clock.move(49 * HOUR)
    shop.work()
    assert shop.states(number) == ["unknown", "in_doubt"]


def test_listeners_hear_of_it(shop: Shop) -> None:
    """The signals come from the worker, without the message."""
    heard: list[tuple[str, object]] = []

    def listen_to(_app: object, delivery: Delivery, message: object) -> None:
        heard.append((delivery.message_id, message))

    with mail_delivered.connected_to(listen_to, shop.host.app):
        number = shop.enqueue()
        shop.work()
    assert heard == [(shop.entry(number).message_id, None)]


def test_held_while_sending_is_switched_off(shop: Shop, mailbox: Mailbox) -> None:
    """It can be written, waits, and goes out when sending is on again."""
    shop.host.state.store.switch_sending(False)
    shop.host.db.session.commit()
    number = shop.enqueue()
    shop.work()
    assert (shop.entry(number).state, mailbox.letters) == (State.QUEUED, [])
    shop.host.state.store.switch_sending(True)
    shop.host.db.session.commit()
    shop.clock.move(2 * MINUTE)
    shop.work()
    assert shop.entry(number).state is State.DONE


def test_what_cannot_be_read_is_put_aside(shop: Shop) -> None:
    """Damaged, or encrypted with a key that is missing; it is kept, for the key may come back."""
    number = shop.enqueue()
    with shop.outbox.access.writing() as connection:
        connection.execute(shop.outbox.access.tables.piece.update().values(sealed="1.0000000000000000.AAAA"))
    shop.work()
    assert shop.entry(number).state is State.QUARANTINED
    assert shop.entry(number).reason
    assert shop.rows("piece")


# -- races, and being stopped
def test_each_once_with_four_workers(shop: Shop, mailbox: Mailbox) -> None:
    """Workers that claim at the same time never have the same message."""
    count = 60
    with shop.host.db.session.begin_nested():
        for number in range(count):
            shop.host.smtp.enqueue(Message("Order", recipients=[f"p{number}@example.test"], body="Thanks"))
    shop.host.db.session.commit()
    workers = [threading.Thread(target=shop.work) for _worker in range(4)]
    for one in workers:
        one.start()
    for one in workers:
        one.join(120)
    shop.work()
    assert Counter(letter.recipients[0] for letter in mailbox.letters) == {
        f"p{number}@example.test": 1 for number in range(count)
    }
    assert shop.outbox.listing.counts() == {State.DONE: count}
    assert len(shop.rows("attempt")) == count


@contextmanager
def scripted(shop: Shop, *steps: Step) -> Iterator[Hostile]:
    """A server named Scripted, which does what its script says after the greeting."""
    with hostile([say("220 hi"), *steps]) as server:
        shop.host.smtp.add_server(
            name="Scripted", host="127.0.0.1", port=server.port, security="none", address="scripted@example.test"
        )
        shop.host.db.session.commit()
        yield server


ENVELOPE = answer("250 x", "250 x", "250 x")


def test_two_that_see_the_same_message(shop: Shop) -> None:
    """Both have found it before either claims it: one has it."""
    both = threading.Barrier(2)

    def meet(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if statement.startswith("UPDATE smtpservers_message"):
            both.wait(10)

    def take() -> Claim | None:
        with shop.host.app.app_context():
            return shop.outbox.claims.take()

    shop.enqueue()
    engine = shop.host.db.engine
    event.listen(engine, "before_cursor_execute", meet)
    try:
        with ThreadPoolExecutor(2) as pool:
            claims = [one.result() for one in [pool.submit(take) for _worker in range(2)]]
    finally:
        event.remove(engine, "before_cursor_execute", meet)
    assert sum(claim is not None for claim in claims) == 1


def test_stopped_before_the_dot(shop: Shop) -> None:
    """The dot is kept back and the message given back."""
    worker = shop.worker()
    with scripted(shop, ENVELOPE, lambda _peer: worker.stop(), answer("354 go"), listen()) as server:
        number = shop.enqueue(using="Scripted")
        worker.run_once()
        server.settle()
    assert b"Thanks" in server.received
    assert b"\r\n.\r\n" not in server.received
    assert shop.states(number) == ["queued", "pending"]
    assert [row["outcome"] for row in shop.rows("attempt")] == ["abandoned"]


# -- databases that fail
@dataclass
class Outage(logging.Handler):
    """Lets every write of the outbox fail, until the worker has complained about it."""

    shop: Shop
    on: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    def __hash__(self) -> int:
        return id(self)

    def emit(self, record: logging.LogRecord) -> None:
        if "could not be written yet" in record.getMessage():
            self.on = False

    def fail(self, _connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if self.on and not statement.lstrip().upper().startswith("SELECT"):
            raise OperationalError(statement, {}, Exception("disk full"))

    def begin(self, _peer: Peer) -> None:
        self.on = True


@pytest.fixture
def outage(shop: Shop) -> Iterator[Outage]:
    made, log, engine = Outage(shop), logging.getLogger("flask_smtpservers"), shop.host.db.engine
    event.listen(engine, "before_cursor_execute", made.fail)
    log.addHandler(made)
    yield made
    log.removeHandler(made)
    event.remove(engine, "before_cursor_execute", made.fail)


def test_no_dot_without_the_intent(shop: Shop, outage: Outage) -> None:
    """If it cannot be written that the dot is about to be sent, it is not sent."""
    with scripted(shop, ENVELOPE, outage.begin, answer("354 go"), listen()) as server:
        number = shop.enqueue(using="Scripted")
        shop.work()
        server.settle()
    assert not outage.on
    assert b"Thanks" in server.received
    assert b"\r\n.\r\n" not in server.received
    assert shop.states(number) == ["queued", "pending"]


def test_what_a_server_said_is_kept_until_it_is_written(shop: Shop, outage: Outage) -> None:
    """The database fails between the dot and its answer: the message is done, and no second copy is sent."""
    with scripted(shop, ENVELOPE, answer("354 go"), hear_content(), outage.begin, say("250 taken"), listen()) as server:
        number = shop.enqueue(using="Scripted")
        shop.work()
        shop.clock.move(HOUR)
        shop.work()
        assert server.connections == 1
    assert not outage.on
    assert shop.states(number) == ["done", "accepted"]
