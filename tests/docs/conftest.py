"""What the code blocks of the documentation may take for granted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask_mail import Message

from flask_smtpservers.servers.keyring import generate_key

from ..apps import Host, hosting, server_fields
from ..peers.mailbox import Mailbox


@pytest.fixture
def host(mailbox: Mailbox, ca_file: Path) -> Iterator[Host]:
    """A host with two working servers, its default and one named "invoices", and the pages' kinds of mail."""
    kinds = {"receipts": "Receipts", "bulk": "Newsletters"}
    with hosting(ca_file=ca_file, SMTPSERVERS_KINDS=kinds) as host, host.app.app_context():
        host.smtp.add_server(**server_fields(mailbox))
        host.smtp.add_server(**server_fields(mailbox, name="invoices", address="invoices@example.com"))
        host.db.session.commit()
        yield host


@pytest.fixture
def names(host: Host, mailbox: Mailbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names that a reader has from the pages before, or from their own app."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMTP_KEY", generate_key())
    monkeypatch.setitem(os.environ, "SHOP_PASSWORD", "secret")
    return {
        "__name__": "shop",
        "app": host.app,
        "db": host.db,
        "mail": host.mail,
        "smtp": host.smtp,
        "current_user": SimpleNamespace(is_authenticated=True, is_admin=True, is_staff=False, get_id=lambda: "7"),
        "message": Message("Hello", recipients=["ann@example.com"], body="It works."),
    }
