"""A process that changes the keys of all stored secrets and is killed in the midst of it: with ``kill -9``, by itself.

``python -m tests.servers.rotating URL NEW_KEY OLD_KEY NUMBER MOMENT``: at the NUMBERth row, before or after its commit.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from sqlalchemy import event

from flask_smtpservers.config import Settings
from flask_smtpservers.secret import Secret

from .conftest import host_app


def main(url: str, new: str, old: str, number: int, moment: str) -> None:
    written = 0

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        nonlocal written
        written += statement.startswith("UPDATE smtpservers_server")
        if moment == "before" and written == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def committed(_connection: Any) -> None:
        if moment == "after" and written == number:
            # The commit itself follows; the first statement after it is the end.
            event.listen(host.db.engine, "before_cursor_execute", lambda *_: os.kill(os.getpid(), signal.SIGKILL))

    with host_app(url, create=False) as host, host.app.app_context():
        event.listen(host.db.engine, "after_cursor_execute", note)
        event.listen(host.db.engine, "commit", committed)
        host.with_store(Settings(encryption_keys=(Secret(new), Secret(old)))).rotate()


if __name__ == "__main__":
    _program, url, new, old, number, moment = sys.argv
    main(url, new, old, int(number), moment)
