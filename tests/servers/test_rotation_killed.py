"""Table K: a change of keys that is killed half-way with ``kill -9`` leaves everything readable, and is run again."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from flask_smtpservers.secret import Secret

from ..databases import Database
from .conftest import FIELDS, a_key, host_app, settings

SERVERS = 5


@pytest.mark.parametrize(("number", "moment"), [(3, "before"), (3, "after")])
def test_a_rotation_killed_with_kill_9_is_run_again(database: Database, number: int, moment: str) -> None:
    """What was committed has the new key, the rest the old one; nothing is lost, whenever it happens."""
    if database.kind == "sqlite-memory":
        return  # it would end with its process
    old, new = a_key(), a_key()
    with host_app(database.url) as host, host.app.app_context():
        before = host.with_store(settings(encryption_keys=(old,)))
        for place in range(SERVERS):
            before.add({**FIELDS, "name": f"Server {place}"})
        host.db.engine.dispose()
        arguments = [database.url, new.reveal(), old.reveal(), str(number), moment]
        child = subprocess.run([sys.executable, "-m", "tests.servers.rotating", *arguments], check=False, timeout=60)
        assert child.returncode == -signal.SIGKILL
        both = host.with_store(settings(encryption_keys=(new, old)))
        assert both.unreadable() == []
        rotated = number if moment == "after" else number - 1
        assert len(host.with_store(settings(encryption_keys=(new,))).unreadable()) == SERVERS - rotated
        again = both.rotate()
        assert (again.changed, again.unchanged, again.failed) == (SERVERS - rotated, rotated, ())
        only = host.with_store(settings(encryption_keys=(new,)))
        assert {only.password_of(one) for one in only.servers()} == {Secret(str(FIELDS["password"]))}
