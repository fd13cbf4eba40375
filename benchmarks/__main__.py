"""``python -m benchmarks [--quick]``: run all peers side by side, and write the report and its picture."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import trustme

from . import crowd, letters
from .measure import Bench, Cell
from .peers import PEERS
from .peers.base import Job
from .picture import svg
from .proxy import Links
from .report import Run, markdown
from .scenarios import FULL, LIMITS, QUICK
from .server import PASSWORD, USERNAME, Aiosmtpd, Postfix, Server
from .workers import PeerError, Worker

HERE = Path(__file__).parent
S = TypeVar("S", bound=Server)
#: load for each core before the run from which on the report warns
BUSY = 0.3


def main() -> int:
    """Run the benchmark; return 1 if ours failed somewhere."""
    options = _options()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="smtpservers-bench-")))
        authority = trustme.CA()
        ca_file = str(folder / "ca.pem")
        authority.cert_pem.write_to_path(ca_file)
        links = Links()
        stack.callback(links.close)
        reason = Postfix.why_not()
        chosen: Server = Aiosmtpd(authority) if reason else Postfix(authority)
        server = stack.enter_context(_running(chosen))
        recorder = stack.enter_context(_running(Aiosmtpd(authority)))
        run = Run(_command(), f"{datetime.now(UTC):%Y-%m-%d}", _machine(), server.title, [])
        if (load := os.getloadavg()[0]) > BUSY * (os.cpu_count() or 1):
            run.remarks.append(f"The machine was busy (load {load:.1f}) when this began: distrust loopback times.")
            say(run.remarks[-1])
        if reason:
            say(f"{reason}; aiosmtpd is used instead")
            run.remarks.append(f"{reason}: this run is against aiosmtpd.")
        workers = _workers(options.peers, ca_file, run, stack)
        for name in list(workers):
            if fault := unlike(
                workers[name], recorder, ca_file, ["1 KB"] if options.quick else ["1 KB", "50 KB", "5 MB"]
            ):
                run.skipped[name] = fault
                say(f"{name} is left out: {fault}")
                del workers[name]
        scenarios, limit = (QUICK, LIMITS["quick"]) if options.quick else (FULL, LIMITS["full"])
        run.cells = list(Bench(server, links, workers, ca_file).run(scenarios, limit, tell))
        if not options.quick:
            run.crowd = crowd.measure()
            say(f"{crowd.MANY:,} servers: {run.crowd.memory / 1e6:.1f} MB, list {run.crowd.slower:.0f} times as slow")
        if options.instructions:
            from .instructions import measure_all

            run.instructions = measure_all(list(workers), server, ca_file, say)
    report = markdown(run, picture=not options.quick)
    if options.quick:
        print(report)
    else:
        options.output.mkdir(parents=True, exist_ok=True)
        (options.output / "RESULTS.md").write_text(report)
        (options.output / "results.svg").write_text(svg(run.cells))
        say(f"wrote {options.output / 'RESULTS.md'} and results.svg")
    return any(PEERS[name].ours for cell in run.cells for name in cell.failures)


def unlike(worker: Worker, recorder: Aiosmtpd, ca_file: str, sizes: list[str]) -> str:
    """Return in what a message of this peer differs from what it was told to send, or nothing."""
    for size in sizes:
        try:
            worker.open(Job(recorder.ports["starttls"], "starttls", USERNAME, PASSWORD, ca_file, size, recipients=3))
            worker.send(1)
            worker.close()
        except PeerError as error:
            return f"it cannot send {size}: {error}"
        sender, recipients, raw = recorder.last()
        if faults := letters.faults(size, 3, raw=raw, sender=sender, to=recipients):
            return f"what arrived of {size} differs in {', '.join(faults)}"
    return ""


def tell(cell: Cell, seconds: float) -> None:
    """Say how far the run is."""
    say(f"{cell.scenario.title}: {max(map(len, cell.results.values()), default=0)} rounds in {seconds:.0f} s")
    for name, reason in cell.failures.items():
        say(f"  {name} failed: {reason}")


def say(text: str) -> None:
    """Tell the person who waits; the report itself may go to standard output."""
    print(text, file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="less than a minute, few cases, printed instead of written"
    )
    parser.add_argument(
        "--instructions", action="store_true", help="also count instructions with valgrind (minutes more)"
    )
    parser.add_argument(
        "--peers", nargs="+", choices=list(PEERS), default=list(PEERS), metavar="PEER", help=", ".join(PEERS)
    )
    parser.add_argument(
        "--output", type=Path, default=HERE, metavar="FOLDER", help="where RESULTS.md and results.svg go"
    )
    return parser.parse_args()


def _workers(names: list[str], ca_file: str, run: Run, stack: ExitStack) -> dict[str, Worker]:
    """Start the peers; those that cannot run here are said and left out."""
    workers = {name: Worker(name, ca_file) for name in names}
    for name, worker in list(workers.items()):
        stack.callback(worker.end)
        if reason := worker.ready():
            say(f"{name} is left out: {reason}")
            run.skipped[name] = reason
            del workers[name]
        else:
            run.versions[worker.entry.package] = worker.version
    return workers


@contextmanager
def _running(server: S) -> Iterator[S]:
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _command() -> str:
    return " ".join(["python -m benchmarks", *sys.argv[1:]])


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


if __name__ == "__main__":
    begun = time.monotonic()
    status = main()
    say(f"{time.monotonic() - begun:.0f} s in all")
    sys.exit(status)
