"""Unsaved settings that were tested: kept for a short time, for one person in one browser session."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from flask_smtpservers.errors import StoreUnavailable
from flask_smtpservers.secret import Secret
from flask_smtpservers.servers.drafts import Drafts
from flask_smtpservers.servers.keyring import Keyring

from .conftest import Host, a_key, settings

VALUES = {
    "host": "smtp.example.com",
    "port": "587",
    "password": Secret("s3cret-CANARY"),
    "client_key": None,
    "enabled": True,
    "timeout_seconds": 2.5,
    "ca_certificate": "x" * 200_000,
    "sender_name": "Jörg 😀",
    "outcome": {"steps": ["resolve", "connect"]},
}
MINE = "session-nonce:ann"


def test_a_draft_comes_back_as_it_was(host: Host) -> None:
    """Texts, switches, numbers, nothing and secrets come back unchanged, as often as the page is reloaded."""
    draft = host.drafts.keep(VALUES, binding=MINE)
    assert host.drafts.take(draft, binding=MINE) == VALUES
    taken = host.drafts.take(draft, binding=MINE)
    assert taken is not None
    assert isinstance(taken["password"], Secret)


def test_nothing_of_it_can_be_read_in_the_database(host: Host) -> None:
    """Neither the password nor any other value, nor the person, stands in the row."""
    host.drafts.keep(VALUES, binding=MINE)
    with host.db.engine.connect() as connection:
        row = str(connection.execute(text("SELECT * FROM smtpservers_draft")).one())
    for hidden in ("CANARY", "smtp.example.com", "ann", "nonce"):
        assert hidden not in row


@pytest.mark.parametrize("binding", ["session-nonce:bob", "other:ann", "", "\0"])
def test_nobody_else_gets_it(host: Host, binding: str) -> None:
    """Another session or another user gets nothing, and the owner still has it."""
    draft = host.drafts.keep(VALUES, binding=MINE)
    assert host.drafts.take(draft, binding=binding) is None
    assert host.drafts.take(draft, binding=MINE) is not None


def test_it_cannot_be_moved_to_another_person_by_sql(host: Host) -> None:
    """The payload is sealed for its id and binding: a copied row does not open."""
    mine = host.drafts.keep(VALUES, binding=MINE)
    other = host.drafts.keep({}, binding="other")
    with host.db.engine.begin() as connection:
        payload = connection.execute(
            text("SELECT payload FROM smtpservers_draft WHERE id = :id"), {"id": mine}
        ).scalar()
        connection.execute(
            text("UPDATE smtpservers_draft SET payload = :payload WHERE id = :id"), {"payload": payload, "id": other}
        )
    assert host.drafts.take(other, binding="other") is None


def test_it_lasts_a_quarter_of_an_hour(host: Host) -> None:
    """After 15 minutes it is gone, and the next draft that anybody keeps deletes it."""
    draft = host.drafts.keep(VALUES, binding=MINE)
    host.clock.pass_by(minutes=14, seconds=59)
    assert host.drafts.take(draft, binding=MINE) is not None
    host.clock.pass_by(seconds=1)
    assert host.drafts.take(draft, binding=MINE) is None
    host.drafts.keep({}, binding="other")
    with host.db.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM smtpservers_draft")).scalar() == 1


def test_forgetting(host: Host) -> None:
    """Once saved it is deleted; an unknown id does no harm."""
    draft = host.drafts.keep(VALUES, binding=MINE)
    host.drafts.forget(draft)
    assert host.drafts.take(draft, binding=MINE) is None
    for unknown in (draft, "", "a\0b", "\ud800", "x" * 10_000):
        host.drafts.forget(unknown)
        assert host.drafts.take(unknown, binding=MINE) is None


def test_a_new_key_makes_it_unreadable_not_an_error(host: Host) -> None:
    """If the keys change meanwhile, there is no draft any more."""
    draft = host.drafts.keep(VALUES, binding=MINE)
    later = Drafts(host.db, Keyring(settings(encryption_keys=(a_key(),))), host.clock)
    assert later.take(draft, binding=MINE) is None


def test_it_is_kept_within_the_hosts_transaction(host: Host) -> None:
    """In a request whose session is open it becomes lasting with the store's commit."""
    host.db.session.execute(text("SELECT 1"))
    draft = host.drafts.keep(VALUES, binding=MINE)
    host.store.commit()
    host.db.session.rollback()
    assert host.drafts.take(draft, binding=MINE) == VALUES


def test_without_tables_it_says_what_to_run(sqlite_host: Host) -> None:
    """Before the migration nothing can be kept, and the error says so."""
    sqlite_host.db.drop_all()
    with pytest.raises(StoreUnavailable, match="flask db upgrade"):
        sqlite_host.drafts.keep(VALUES, binding=MINE)
    assert sqlite_host.drafts.take("x", binding=MINE) is None
