"""The trusted fingerprint and the noted end of a certificate, on every database."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from flask_smtpservers.errors import PasswordRequired, SecretUnreadable

from .conftest import FIELDS, Host

DIGITS = "0123456789abcdef" * 4
KEPT = "SHA256:" + ":".join(["01:23:45:67:89:AB:CD:EF"] * 4)


def test_it_is_kept_in_one_form_and_binds_the_password(host: Host) -> None:
    """Whatever form it comes in; with another one in the row the password cannot be opened."""
    profile = host.store.add({**FIELDS, "certificate_fingerprint": DIGITS}).profile
    assert host.store.get(profile.public_id) == profile
    assert profile.certificate_fingerprint == KEPT
    assert host.store.edit(profile.public_id, {"certificate_fingerprint": KEPT}).profile == profile
    with pytest.raises(PasswordRequired):
        host.store.edit(profile.public_id, {"certificate_fingerprint": ""})
    password = host.store.password_of(profile)
    assert password is not None
    assert password.reveal() == FIELDS["password"]
    with host.db.engine.begin() as connection:
        connection.execute(text("UPDATE smtpservers_server SET certificate_fingerprint = ''"))
    host.db.session.rollback()
    with pytest.raises(SecretUnreadable):
        host.store.password_of(host.store.get(profile.public_id))


def test_the_end_of_the_certificate(host: Host) -> None:
    """Noted to the second; kept where a test has not seen it; gone with what leads to another certificate."""
    profile = host.store.add(FIELDS).profile
    end = host.clock.now + timedelta(days=30)
    host.store.record_test(profile, True, "", certificate_expires_at=end)
    assert host.store.get(profile.public_id).certificate_expires_at == end
    host.store.record_test(profile, False, "It was not reached")
    assert host.store.get(profile.public_id).certificate_expires_at == end
    host.store.edit(profile.public_id, {"password": "new"})
    assert host.store.get(profile.public_id).certificate_expires_at == end
    host.store.edit(profile.public_id, {"certificate_fingerprint": KEPT, "password": "new"})
    assert host.store.get(profile.public_id).certificate_expires_at is None


def test_an_edit_is_named_in_the_history(host: Host) -> None:
    """By the field's name."""
    profile = host.store.add(FIELDS).profile
    host.store.edit(profile.public_id, {"certificate_fingerprint": KEPT, "password": "new"}, actor="ann")
    event = host.store.events(profile.public_id, limit=1)[0]
    assert (event.actor, event.fields) == ("ann", ("password", "certificate_fingerprint"))
