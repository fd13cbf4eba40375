"""Who was asked to prove an address, and what the answer is worth, on every database."""

from __future__ import annotations

import pytest

from flask_smtpservers.permissions import Scope
from flask_smtpservers.servers.proving import PER_USER, Answer, ProofRefused

from .conftest import FIELDS, Host, settings

ANN, BOB = Scope(owner="7"), Scope(owner="8")


def test_a_link_counts_once_for_its_user(host: Host) -> None:
    """Each link once, each for its user; what others ask for is not touched."""
    store = host.with_store(settings(personal=True))
    anns, bobs = (store.add(FIELDS, scope=scope).profile for scope in (ANN, BOB))
    store.ask_proof(anns.public_id, "ticket-a", scope=ANN)
    store.ask_proof(bobs.public_id, "ticket-b", scope=BOB)
    assert store.proofs_asked(scope=ANN) == {anns.public_id: host.clock()}
    assert store.look_at_proof("ticket-a", scope=BOB) == (Answer.UNKNOWN, None)
    assert store.take_proof("ticket-a", scope=BOB) == (Answer.UNKNOWN, None)
    assert store.take_proof("ticket-c", scope=ANN) == (Answer.UNKNOWN, None)
    assert store.look_at_proof("ticket-a", scope=ANN)[0] is Answer.OPEN
    answer, proved = store.take_proof("ticket-a", scope=ANN, actor="ann")
    assert (answer, proved.address_verified_at) == (Answer.PROVED, host.clock())
    assert store.events(anns.public_id, scope=ANN)[0].action == "verified"
    assert not store.get(bobs.public_id, scope=BOB).proved
    assert store.proofs_asked(scope=ANN) == {}
    store.edit(anns.public_id, {"address": "other@example.com"}, scope=ANN)
    assert store.take_proof("ticket-a", scope=ANN)[0] is Answer.CHANGED
    store.edit(anns.public_id, {"address": FIELDS["address"]}, scope=ANN)
    assert store.take_proof("ticket-a", scope=ANN)[0] is Answer.EXPIRED  # it counts once
    host.clock.pass_by(minutes=2)
    store.ask_proof(anns.public_id, "ticket-d", scope=ANN)
    host.clock.pass_by(hours=24)
    assert store.take_proof("ticket-d", scope=ANN)[0] is Answer.EXPIRED
    store.remove(bobs.public_id, scope=BOB)
    assert store.look_at_proof("ticket-b", scope=BOB)[0] is Answer.UNKNOWN


def test_how_many_links_one_user_gets(host: Host) -> None:
    store = host.with_store(settings(personal=True))
    server = store.add(FIELDS, scope=ANN).profile
    for number in range(PER_USER):
        store.edit(server.public_id, {"address": f"a{number}@example.com"}, scope=ANN)
        host.clock.pass_by(minutes=2)
        store.ask_proof(server.public_id, f"ticket-{number}", scope=ANN)
    host.clock.pass_by(minutes=2)
    with pytest.raises(ProofRefused, match="10 links"):
        store.ask_proof(server.public_id, "ticket-x", scope=ANN)
    store.withdraw_proof("ticket-3")
    store.ask_proof(server.public_id, "ticket-y", scope=ANN)
