"""What an admin changes in one process holds for the next mail of every other: nothing is cached for a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from flask_mail import Message
from sqlalchemy import event

from ..apps import hosting, server_fields
from ..databases import Database, databases
from ..peers.mailbox import Mailbox

ROOT = Path(__file__).parents[2]

EDIT = """
import sys
from tests.apps import hosting
url, server, address, enabled = sys.argv[1:]
with hosting(url, create_tables=False) as host, host.app.app_context():
    host.smtp.edit_server(server, address=address, enabled=enabled == "yes")
    host.db.session.commit()
"""


def edit_elsewhere(database: Database, server_id: str, *, address: str, enabled: bool) -> None:
    """Edit a server in a process of its own."""
    arguments = [database.url, server_id, address, "yes" if enabled else "no"]
    done = subprocess.run(
        [sys.executable, "-c", EDIT, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


# SQLite in memory cannot be shared by processes.
@pytest.mark.parametrize("database", databases()[1:], indirect=True)
def test_the_next_mail_heeds_the_change(database: Database, mailbox: Mailbox, ca_file: Path) -> None:
    """Another address, then the server paused: each holds at once, at one SELECT for each mail."""
    statements: list[str] = []
    config = {"MAIL_SERVER": "localhost", "MAIL_PORT": mailbox.plain}
    with hosting(database.url, ca_file=ca_file, **config) as host, host.app.app_context():
        server = host.smtp.add_server(**server_fields(mailbox))
        host.mail.send(Message("One", recipients=["ann@example.test"], body="Hi"))
        event.listen(host.db.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))

        edit_elsewhere(database, server.public_id, address="new@example.test", enabled=True)
        host.mail.send(Message("Two", recipients=["ann@example.test"], body="Hi"))
        edit_elsewhere(database, server.public_id, address="new@example.test", enabled=False)
        host.mail.send(Message("Three", recipients=["ann@example.test"], body="Hi"))
        seen = [statement.split()[0] for statement in statements]

    assert [letter.sender for letter in mailbox.letters] == [
        "shop@example.test",
        "new@example.test",
        "app@example.test",
    ]
    assert seen == ["SELECT", "SELECT"]
