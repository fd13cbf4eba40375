"""Workers that are killed at every point of an attempt: nothing is lost, and only a doubt can lead to a second copy."""

from __future__ import annotations

import asyncio

import pytest

from flask_smtpservers.outbox.pace import Pace

from ..peers.mailbox import Mailbox
from .conftest import MINUTE, Shop, Victims
from .victim import POINTS

#: Point: copies when the worker dies, and copies and state in the end: at least once, and at most once.
IN_THE_END = {
    "claimed": (0, (1, "done"), (1, "done")),
    "opened": (0, (1, "done"), (1, "done")),
    "body written": (0, (1, "done"), (1, "done")),
    "intended": (0, (1, "done"), (0, "unknown")),
    "dot sent": (1, (2, "done"), (1, "unknown")),
    "replied": (1, (2, "done"), (1, "unknown")),
    "settled": (1, (1, "done"), (1, "done")),
}


def test_every_point_is_tried() -> None:
    """The table has all points at which a worker can be killed."""
    assert set(IN_THE_END) == set(POINTS)


@pytest.mark.parametrize("at_most_once", [False, True], ids=["at-least-once", "at-most-once"])
@pytest.mark.parametrize("point", IN_THE_END)
def test_killed(shop: Shop, mailbox: Mailbox, victims: Victims, point: str, *, at_most_once: bool) -> None:
    """Killed, found when the lease is over, and brought to an end by another worker."""
    number = shop.enqueue(at_most_once=at_most_once)
    victims.die_at(point, shop)
    at_death, *ends = IN_THE_END[point]
    copies, state = ends[at_most_once]
    assert len(wait_for(mailbox, at_death)) == at_death
    shop.work()
    assert len(mailbox.letters) == at_death, "a message was taken from a worker whose lease is not over"
    shop.clock.move(Pace().dot_lease + 1)
    shop.work()
    if point in ("intended", "dot sent", "replied"):
        assert len(mailbox.letters) == at_death, "a copy that may be a second one was sent at once"
        shop.clock.move(20 * MINUTE)
        shop.work()
    assert (len(mailbox.letters), shop.entry(number).state) == (copies, state)
    assert len({letter.message["Message-ID"] for letter in mailbox.letters}) <= 1
    assert all(row["settled"] for row in shop.rows("attempt"))
    assert bool(shop.rows("piece")) is (state == "unknown")


def wait_for(mailbox: Mailbox, count: int) -> list[object]:
    """The letters, once the server has read what the dead process had handed to the system."""
    for _turn in range(500):
        if len(mailbox.letters) >= count:
            break
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0.01), mailbox._loop).result()
    return list(mailbox.letters)


def test_a_message_that_kills_its_workers(shop: Shop, mailbox: Mailbox, victims: Victims) -> None:
    """After five claims without an end it is put aside, and the others flow; a person may try it again."""
    poison = shop.enqueue(priority=1)
    for _death in range(5):
        victims.die_at("claimed", shop)
        end_of_leases(shop)
        shop.outbox.claims.recover()
    good = shop.enqueue()
    shop.work()
    assert (shop.entry(poison).state, shop.entry(good).state) == ("quarantined", "done")
    assert len(mailbox.letters) == 1
    assert shop.outbox.reviving.retry(poison)
    shop.work()
    assert shop.entry(poison).state == "done"


def end_of_leases(shop: Shop) -> None:
    """Let all leases be over, for the clock of the processes that die cannot be moved."""
    table = shop.outbox.access.tables.message
    with shop.outbox.access.writing() as connection:
        connection.execute(table.update().values(lease_until=1))
