"""``python -m flask_smtpservers.diagnosis FILE``: explain recorded failures, one JSON object per line.

Read from FILE, or from standard input for ``-``. Each line may have ``id``, ``provider``, ``stage``, ``settings``
(``host``, ``port``, ``security``, ``username_kind``), ``exception`` (the name of its class), ``code``, ``enhanced``,
``text`` and ``context`` (a fact in words); all may be missing. For each line one JSON object is printed: ``id``,
``cause``, ``fix``, ``transient``, ``title``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from .records import explain_record


def main(arguments: list[str]) -> int:
    """Explain the lines of a file; return the exit code (2: wrong use, 1: a line is no JSON object)."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m flask_smtpservers.diagnosis FILE|-\n")
        return 2
    for number, line in enumerate(_lines(arguments[0]), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if not isinstance(record, dict):
            sys.stderr.write(f"line {number} is not a JSON object\n")
            return 1
        sys.stdout.write(json.dumps(explain_record(record), ensure_ascii=False) + "\n")
    return 0


def _lines(name: str) -> Iterator[str]:
    if name == "-":
        yield from sys.stdin
        return
    with Path(name).open(encoding="utf-8") as file:
        yield from file


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
