"""Forks workers that kill themselves at a named point: ``POINT URL CA_FILE`` on each line of standard input."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask_smtpservers.mail import builtin_of
from flask_smtpservers.outbox.claims import Claims
from flask_smtpservers.outbox.settling import Settling
from flask_smtpservers.outbox.worker import Worker
from flask_smtpservers.smtp.transaction import Transaction

from ..apps import hosting

#: The method at which a worker dies, and whether it has done its work by then.
POINTS: dict[str, tuple[type[Any], str, bool]] = {
    "claimed": (Claims, "_claim", True),
    "opened": (Settling, "open", True),
    "body written": (Claims, "intend", False),
    "intended": (Claims, "intend", True),
    "dot sent": (Transaction, "_verdict", False),
    "replied": (Settling, "settle", False),
    "settled": (Settling, "settle", True),
}


def deadly(method: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        if after:
            method(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    return run


def die(point: str, url: str, ca_file: str) -> None:
    kind, name, after = POINTS[point]
    setattr(kind, name, deadly(getattr(kind, name), after=after))
    with hosting(url, ca_file=Path(ca_file), create_tables=False) as host:
        Worker(host.app, lambda: builtin_of(host.app)).run_once()


def main() -> None:
    for line in sys.stdin:
        *point, url, ca_file = line.split()
        child = os.fork()
        if not child:
            die(" ".join(point), url, ca_file)
            os._exit(1)
        _, status = os.waitpid(child, 0)
        print("killed" if os.WIFSIGNALED(status) else "survived", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
