"""``python -m flask_smtpservers.diagnosis FILE``: explain recorded failures, one JSON object per line.

Read from FILE, or from standard input for ``-``. Each line may have ``id``, ``provider``, ``stage``, ``settings``
(``host``, ``port``, ``security``, ``username_kind``), ``exception`` (the name of its class), ``code``, ``enhanced``,
``text`` and ``context`` (a fact in words); all may be missing. For each line that is not blank one JSON object is
printed: ``id``, ``cause``, ``fix``, ``transient``, ``title``. A line that is no JSON object gives ``unknown`` and is
named on standard error; the exit code is then 1.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .records import explain_record


def main(arguments: list[str]) -> int:
    """Explain the lines of a file; return the exit code (2: wrong use or no such file, 1: a line is no JSON object)."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m flask_smtpservers.diagnosis FILE|-\n")
        return 2
    code = 0
    try:
        for number, line in enumerate(_lines(arguments[0]), 1):
            if not line.strip():
                continue
            record = _record(line)
            if record is None:
                sys.stderr.write(f"line {number} is not a JSON object\n")
                code = 1
            sys.stdout.write(json.dumps(explain_record(record or {})) + "\n")
    except OSError as error:
        sys.stderr.write(f"{arguments[0]}: {error.strerror}\n")
        return 2
    return code


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _lines(name: str) -> Iterator[bytes]:
    if name == "-":
        yield from sys.stdin.buffer
        return
    with Path(name).open("rb") as file:
        yield from file


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
