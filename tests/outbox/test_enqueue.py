"""Writing into the outbox: part of the host's transaction, once for each key, encrypted, and checked at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from flask_mail import Message

from flask_smtpservers.errors import MessageRefused, ServerNotFound, StoreUnavailable
from flask_smtpservers.outbox.states import State

from ..apps import hosting
from ..peers.mailbox import Mailbox
from .conftest import HOUR, Shop


def letter(*recipients: str, body: str = "Thanks") -> Message:
    return Message("Order", recipients=list(recipients or ("ann@example.test",)), body=body)


def test_delivered_after_the_commit(shop: Shop, mailbox: Mailbox) -> None:
    """Nothing is sent before the commit, and then once."""
    queued = shop.host.smtp.enqueue(letter("ann@example.test", "bob@example.test"))
    shop.host.db.session.commit()
    assert not mailbox.letters
    assert shop.work() == 1
    assert shop.states(queued.id) == ["done", "accepted", "accepted"]
    assert shop.work() == 0
    (arrived,) = mailbox.letters
    assert arrived.message["Message-ID"] == queued.message_id
    assert arrived.recipients == ["ann@example.test", "bob@example.test"]


def test_gone_with_the_roll_back(shop: Shop, mailbox: Mailbox) -> None:
    """Rolled back with the host's transaction, and with a savepoint of it; what is outside of that stays."""
    session = shop.host.db.session
    shop.host.smtp.enqueue(letter())
    session.rollback()
    kept = shop.host.smtp.enqueue(letter())
    with pytest.raises(ZeroDivisionError), session.begin_nested():
        shop.host.smtp.enqueue(letter())
        raise ZeroDivisionError
    session.commit()
    shop.work()
    assert [row["public_id"] for row in shop.rows("message")] == [kept.id]
    assert len(mailbox.letters) == 1
    assert len(shop.rows("recipient")) == 1


def test_one_message_for_each_key(shop: Shop, mailbox: Mailbox) -> None:
    """The same key again is the first message; another tenant's is his own; without a key all are sent."""
    first = shop.host.smtp.enqueue(letter(), idempotency_key="order-17")
    shop.host.db.session.commit()
    again = shop.host.smtp.enqueue(letter(), idempotency_key="order-17")
    shop.host.smtp.enqueue(letter(), idempotency_key="order-17", tenant="acme")
    shop.host.db.session.commit()
    assert (again.id, again.message_id, again.again, first.again) == (first.id, first.message_id, True, False)
    shop.enqueue()
    shop.enqueue()
    shop.work()
    assert len(mailbox.letters) == 4


def test_the_same_key_at_the_same_time(shop: Shop, mailbox: Mailbox) -> None:
    """However many transactions try it at once, all succeed, one has written it, and the others say so."""
    ready = threading.Barrier(4)

    def write() -> bool:
        with shop.host.app.app_context():
            ready.wait(10)
            queued = shop.host.smtp.enqueue(letter(), idempotency_key="order-17")
            shop.host.db.session.commit()
            return queued.again

    with ThreadPoolExecutor(4) as pool:
        again = [one.result() for one in [pool.submit(write) for _transaction in range(4)]]
    assert sorted(again) == [False, True, True, True]
    shop.work()
    assert len(mailbox.letters) == 1


def test_encrypted_until_it_is_delivered(shop: Shop) -> None:
    """No word of it stands in the tables, and nothing at all of it afterwards."""
    shop.host.smtp.enqueue(letter(body="The secret is out"))
    shop.host.db.session.commit()
    kept = repr([shop.rows(name) for name in ("message", "piece", "recipient")])
    assert "secret is out" not in kept
    assert "Order" not in kept
    shop.work()
    assert shop.rows("piece") == []


def test_larger_than_a_packet_of_the_database(shop: Shop, mailbox: Mailbox) -> None:
    """A message of many megabytes is kept in pieces, and arrives whole."""
    shop.host.smtp.enqueue(letter(body="0123456789\n" * 400_000))
    shop.host.db.session.commit()
    assert len(shop.rows("piece")) > 4
    shop.work()
    assert mailbox.letters[0].content.count(b"0123456789\r\n") == 400_000


@pytest.mark.parametrize("terms", [{"idempotency_key": ""}, {"idempotency_key": "a\nb"}, {"expires": 0}])
def test_terms_that_cannot_be_kept(shop: Shop, terms: dict[str, object]) -> None:
    """They are refused, and nothing is written."""
    with pytest.raises(MessageRefused):
        shop.enqueue(**terms)
    assert shop.rows("message") == []


def test_what_is_wrong_is_raised_at_once(shop: Shop) -> None:
    """A header that cannot be sent, and a server that does not exist."""
    with pytest.raises(MessageRefused):
        shop.host.smtp.enqueue(Message("a\r\nBcc: eve@example.test", recipients=["ann@example.test"]))
    with pytest.raises(ServerNotFound):
        shop.enqueue(using="Nobody")
    assert shop.rows("message") == []


def test_suppressed(shop: Shop, mailbox: Mailbox) -> None:
    """With MAIL_SUPPRESS_SEND it is recorded and never sent; the signal comes with it."""
    shop.host.app.extensions["mail"].suppress = True
    with shop.host.mail.record_messages() as outbox:
        number = shop.enqueue()
    assert [message.subject for message in outbox] == ["Order"]
    assert shop.states(number) == ["suppressed", "suppressed"]
    assert (shop.work(), shop.rows("piece"), mailbox.letters) == (0, [], [])


def test_recorded_when_it_is_written(shop: Shop) -> None:
    """Flask-Mail's own signal comes once for each message."""
    with shop.host.mail.record_messages() as outbox:
        shop.enqueue(idempotency_key="one")
        shop.enqueue(idempotency_key="one")
    assert len(outbox) == 1


def test_expired(shop: Shop, mailbox: Mailbox) -> None:
    """One whose time is over is given up, and its content deleted."""
    number = shop.enqueue(expires=timedelta(minutes=5))
    other = shop.enqueue(expires=3600)
    shop.clock.move(HOUR // 2)
    shop.work()
    assert shop.states(number) == ["expired", "expired"]
    assert shop.entry(other).state is State.DONE
    assert (len(mailbox.letters), shop.rows("piece")) == (1, [])


def test_the_highest_come_first(shop: Shop, mailbox: Mailbox) -> None:
    """Priority goes before age."""
    shop.enqueue("low@example.test")
    shop.enqueue("high@example.test", priority=5)
    shop.work()
    assert [one.recipients[0] for one in mailbox.letters] == ["high@example.test", "low@example.test"]


def test_without_the_tables(ca_file: Path) -> None:
    """Nothing is written, and the error says what to do."""
    with hosting(ca_file=ca_file, create_tables=False) as host, host.app.app_context():
        with pytest.raises(StoreUnavailable, match="flask db upgrade"):
            host.smtp.enqueue(letter())
        host.db.create_all()
        assert host.smtp.enqueue(letter()).id
