"""A wrong password typed by an admin in one process never stops the mail of another."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import session

from ..apps import hosting, server_fields
from ..databases import Database, databases
from ..peers.mailbox import PASSWORD, Mailbox
from ..web.browser import Browser, add_token_page, form_of, words

ROOT = Path(__file__).parents[2]

#: A worker that sends a mail for each line that it reads, each on a connection with a login of its own.
WORKER = """
import sys
from pathlib import Path
from flask_mail import Message
from tests.apps import hosting
url, ca_file = sys.argv[1:]
with hosting(url, ca_file=Path(ca_file), create_tables=False, SMTPSERVERS_POOL_MESSAGES=1) as host:
    for line in sys.stdin:
        with host.app.app_context():
            try:
                letter = Message(line.strip(), sender="shop@example.test", recipients=["ann@example.test"], body="Hi")
                host.mail.send(letter)
                print("sent", flush=True)
            except Exception as error:
                print(type(error).__name__, flush=True)
"""


@contextmanager
def worker(database: Database, ca_file: Path) -> Iterator[subprocess.Popen[str]]:
    arguments = [sys.executable, "-c", WORKER, database.url, str(ca_file)]
    with subprocess.Popen(arguments, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        yield running
        assert running.stdin is not None
        running.stdin.close()
        assert running.wait(30) == 0


def send(running: subprocess.Popen[str], subject: str) -> str:
    """Have the worker send a mail, and return how that went."""
    assert running.stdin is not None
    assert running.stdout is not None
    running.stdin.write(f"{subject}\n")
    running.stdin.flush()
    return running.stdout.readline().strip()


# SQLite in memory cannot be shared by processes.
@pytest.mark.parametrize("database", databases()[1:], indirect=True)
def test_live_mail_never_fails(database: Database, mailbox: Mailbox, ca_file: Path) -> None:
    """Saved, tested, failed: each mail meanwhile goes out. Only a change that somebody insists on stops it."""
    init = {"owner": lambda: session.get("user")}
    with hosting(database.url, ca_file=ca_file, init=init) as host, worker(database, ca_file) as running:
        add_token_page(host.app)
        with host.app.app_context():
            shop = host.smtp.add_server(**server_fields(mailbox)).public_id
            host.db.session.commit()
        admin = Browser(host.app)
        results = [send(running, "before")]

        admin.post(f"/{shop}/password", {"smtp_secret": "a wrong one"})
        results.append(send(running, "saved"))
        form = form_of(admin.get(f"/{shop}/change"), "smtp-change-form")
        answer = admin.client.post(
            f"/smtp/{shop}/change/test", data={"csrf_token": admin.token(), **form}, buffered=False
        )
        page = ""
        for number, piece in enumerate(answer.iter_encoded()):
            page += piece.decode()
            results.append(send(running, f"during the test {number}"))
        assert "The old settings stay in use" in page
        results.append(send(running, "after the test"))
        assert len(results) > 10
        assert set(results) == {"sent"}

        admin.use_change(shop)
        assert send(running, "insisted") == "AuthenticationFailed"
        admin.post(f"/{shop}/password", {"smtp_secret": PASSWORD})
        form = form_of(admin.get(f"/{shop}/change"), "smtp-change-form")
        assert "The new settings are in use." in words(admin.post(f"/{shop}/change/test", form))
        assert send(running, "mended") == "sent"
    assert len(mailbox.letters) == len(results) + 1
