"""``flask smtp worker`` and ``flask smtp outbox``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from flask_smtpservers.mail import hook_status
from flask_smtpservers.outbox.presence import SILENT
from flask_smtpservers.selfcheck import Check, CheckState, run_checks

from ..peers.mailbox import Mailbox
from .conftest import MINUTE, Shop


def run(shop: Shop, *arguments: str) -> Any:
    return shop.host.app.test_cli_runner().invoke(args=["smtp", *arguments])


def test_once(shop: Shop, mailbox: Mailbox) -> None:
    """What is due is delivered, and the list says what is left and why."""
    number = shop.enqueue("ann@example.test", "temp@example.test")
    done = run(shop, "worker", "--once")
    assert (done.exit_code, done.output) == (0, "1 attempt.\n")
    listed = run(shop, "outbox", "list").output
    assert number in listed
    assert "temp@example.test: deferred 450 4.2.0 greylisted" in listed
    assert "queued: 1" in listed
    assert json.loads(run(shop, "worker", "--once", "--json").output) == {"attempts": 0}


def test_retry_and_cancel(shop: Shop, mailbox: Mailbox) -> None:
    """Due at once; taken back; and an exit code that says that neither was possible."""
    number = shop.enqueue("temp@example.test")
    run(shop, "worker", "--once")
    assert run(shop, "outbox", "retry", number).exit_code == 0
    assert json.loads(run(shop, "worker", "--once", "--json").output) == {"attempts": 1}
    assert json.loads(run(shop, "outbox", "cancel", number, "--json").output) == {"done": {number: True}}
    assert run(shop, "outbox", "cancel", number).exit_code == 1
    assert run(shop, "outbox", "retry", number).exit_code == 1
    shown = json.loads(run(shop, "outbox", "list", "--state", "cancelled", "--json").output)
    assert shown["counts"] == {"cancelled": 1}
    (entry,) = shown["messages"]
    assert (entry["id"], entry["recipients"][0]["state"]) == (number, "cancelled")
    assert run(shop, "outbox", "list").output == "Nothing waits.\ncancelled: 1\n"


def test_nothing_is_delivered_while_it_is_suppressed(shop: Shop, mailbox: Mailbox) -> None:
    """A worker with MAIL_SUPPRESS_SEND says so and ends."""
    number = shop.enqueue()
    shop.host.app.extensions["mail"].suppress = True
    assert run(shop, "worker", "--once").exit_code == 1
    assert (shop.entry(number).state, mailbox.letters) == ("queued", [])


def test_a_process_that_is_asked_to_end(shop: Shop, mailbox: Mailbox) -> None:
    """It delivers while it runs, shows that it is there, and leaves in good order on SIGTERM."""
    root = Path(__file__).parent.parent.parent
    app = f"""
from pathlib import Path
from tests.apps import hosting
made = hosting({shop.database.url!r}, ca_file=Path({str(shop.ca_file)!r}), create_tables=False)
app = made.__enter__().app
"""
    (shop.ca_file.parent / "worker_app.py").write_text(app)
    command = [sys.executable, "-m", "flask", "--app", "worker_app", "smtp", "worker", "--threads", "2"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(shop.ca_file.parent), str(root)])}
    number = shop.enqueue()
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        while shop.entry(number).state != "done" or not shop.outbox.presence.count():
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
            assert process.returncode is None, process.stderr.read() if process.stderr else ""
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert len(mailbox.letters) == 1
    assert shop.outbox.presence.count() == 0


def test_workers_that_fell_silent_are_not_counted(shop: Shop) -> None:
    """After a minute."""
    shop.outbox.presence.show("one")
    shop.outbox.presence.show("two")
    assert shop.outbox.presence.count() == 2
    shop.clock.move(SILENT + 1)
    shop.outbox.presence.show("two")
    assert shop.outbox.presence.count() == 1


def test_the_self_check_misses_a_worker(shop: Shop) -> None:
    """Mail that is overdue is a warning, which says whether any worker runs; what is not due yet is none."""

    def found() -> Check:
        checks = run_checks(shop.host.state, hook=hook_status(shop.host.app))
        return next(check for check in checks if check.id == "outbox.waiting")

    shop.enqueue()
    assert found().state is CheckState.OK
    shop.clock.move(11 * MINUTE)
    assert found().state is CheckState.WARNING
    assert "overdue: 1. Workers that run: 0" in found().text
    shop.work()
    assert found().state is CheckState.OK
