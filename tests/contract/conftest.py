"""Fixtures of the contract tests: a host app, and the same with one stored server that works."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..apps import Host, hosting, server_fields
from ..peers.mailbox import Mailbox


@pytest.fixture
def bare(mailbox: Mailbox, ca_file: Path) -> Iterator[Host]:
    """No stored server: mail goes through the app's own MAIL_* server, without encryption or login."""
    with hosting(ca_file=ca_file, MAIL_SERVER="localhost", MAIL_PORT=mailbox.plain) as made, made.app.app_context():
        yield made


@pytest.fixture
def shop(mailbox: Mailbox, ca_file: Path) -> Iterator[Host]:
    """One stored server, the default: STARTTLS, login, sends as ``Corner Shop <shop@example.test>``."""
    with hosting(ca_file=ca_file, MAIL_SERVER="localhost", MAIL_PORT=1) as made, made.app.app_context():
        made.smtp.add_server(**server_fields(mailbox))
        made.db.session.commit()
        yield made
