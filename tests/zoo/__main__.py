"""Print the zoo's table: ``python -m tests.zoo``."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import trustme

from ..apps import hosting
from .cases import CASES, Case
from .visit import LIMIT, Visit, visit

#: Columns and their widths.
COLUMNS = {"server": 56, "typed": 38, "cause": 26, "fix": 28, "who": 9, "button": 40, "after": 6, "seconds": 7}


def row(case: Case, seen: Visit) -> list[str]:
    """The cells of a case."""
    fields, said = case.fields, seen.diagnosis
    button = ", ".join(f"{name}={value}" for name, value in said.correction.items())
    after = {True: "passed", False: "FAILED", None: ""}[seen.after]
    typed = f"{fields['host']}:{fields['port']} {fields['security']}"
    return [case.name, typed, said.cause, said.fix, said.mender.value, button, after, f"{seen.seconds:.2f}"]


def lines(rows: list[list[str]]) -> str:
    """The table."""
    widths = COLUMNS.values()
    return "\n".join(
        " | ".join(cell[:width].ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
        for cells in rows
    )


def main() -> None:
    """Visit every case."""
    warnings.simplefilter("ignore", DeprecationWarning)
    ca = trustme.CA()
    with TemporaryDirectory() as folder:
        ca_file = Path(folder) / "ca.pem"
        ca.cert_pem.write_to_path(str(ca_file))
        with hosting(ca_file=ca_file, SMTPSERVERS_TEST_DEADLINE_SECONDS=LIMIT) as app:
            rows = [list(COLUMNS), *(row(case, visit(case, app, ca)) for case in CASES)]
    sys.stdout.write(f"{lines(rows)}\n{len(CASES)} cases\n")


if __name__ == "__main__":
    main()
