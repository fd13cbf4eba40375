"""Writes what was measured as Markdown: a small table first, then the targets, then everything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from .crowd import Crowd
from .figures import digits, figure, milliseconds, per_cent, ratios, times
from .measure import Cell
from .peers import PEERS, REFERENCE
from .scenarios import FAR, FAR_LARGE, FAR_MANY, FIRST_STARTTLS, FIRST_TLS, NEAR, Scenario
from .targets import TARGETS, Cells, Target

NOTES = """\
- Times are medians of the rounds, for each message; ± is half the range of the rounds. In each round every peer sends
  once. Ratios are taken within a round and say how many times as long Flask-Mail's `mail.send()` takes. Seconds depend
  on the machine; flights do not.
- A flight is what the client sends before the server's next answer reaches it. TCP's handshake and the greeting come on
  top: two more round trips for each connection, one with implicit TLS.
- The link is a proxy in a process of its own, which delays bytes, and connections by TCP's handshake. It has unlimited
  bandwidth, loses nothing and does not start slowly: large messages are faster here than over a real link of this
  length, for all peers alike. It acknowledges what the client sends with the answer, or after 40 ms; a real server's
  acknowledgement would take a round trip. On loopback there is no proxy.
- smtplib waits for that acknowledgement before it sends the rest of a large message or the first command after the TLS
  handshake. That is why its 50 KB take 40 ms longer on loopback.
- Every peer makes its message anew with its own library from the same text, HTML and attachment; before the run, a
  recording server compared what arrived. After every sample the server's count of messages and recipients was compared.
- Every peer is a process of its own. "8 threads" are 8 connections of a pool for nodemailer and 8 tasks for aiosmtplib.
- All verify the server's certificate except Flask-Mail, and Flask-Mailman with STARTTLS, which cannot be told to.
- The server offers CRAM-MD5 besides PLAIN and LOGIN. smtplib, and what is made with it, prefers that, which takes one
  round trip more for each connection than PLAIN does.
- Messages that keep a connection were preceded by one that opened it, except in the rows "first message".
- Ours looks its server up in a SQLite file for each message; the others have theirs in their configuration."""


@dataclass
class Run:
    """All that the report says."""

    command: str
    date: str
    machine: str
    server: str
    cells: list[Cell]
    versions: dict[str, str] = field(default_factory=dict)
    #: peers that could not be measured, and why
    skipped: dict[str, str] = field(default_factory=dict)
    #: millions of instructions for each message
    instructions: dict[str, float] = field(default_factory=dict)
    crowd: Crowd | None = None
    remarks: list[str] = field(default_factory=list)


def markdown(run: Run, *, picture: bool = True) -> str:
    """Return the report; ``picture`` says whether results.svg lies beside it."""
    cells = Cells(run.cells)
    versions = ", ".join(f"{package} {version}" for package, version in sorted(run.versions.items()))
    skipped = [f"- {PEERS[name].title} was left out: {reason}" for name, reason in run.skipped.items()]
    failed = [
        f'- {PEERS[name].title} failed at "{cell.scenario.title}": {" ".join(reason.split())}'
        for cell in run.cells
        for name, reason in cell.failures.items()
    ]
    parts = [
        "# Results",
        f"`{run.command}` on {run.date}; {run.machine}.\n\nVersions: {versions}.\n\nServer: {run.server}.",
        "\n".join(skipped + failed),
        "![Time for each message over a link of 50 ms](results.svg)" if picture else "",
        _summary(run, cells),
        "## Targets",
        _targets(run, cells),
        _first(run, cells),
        "## All cases\n\nMilliseconds for each message, and the ratio to Flask-Mail's `mail.send()`.",
        *(_case(cell) for cell in run.cells if not cell.scenario.first),
        "## Notes",
        "\n".join([*(f"- {remark}" for remark in run.remarks), NOTES]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table, its first column to the left and the others to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _measured(run: Run) -> list[str]:
    return [name for name in PEERS if any(name in cell.results for cell in run.cells)]


def _summary(run: Run, cells: Cells) -> str:
    head = [
        "STARTTLS + AUTH, 1 thread",
        "flights, 1 / 50 recipients",
        "50 ms link, 1 KB",
        "50 recipients",
        "50 KB HTML",
        "loopback, 1 KB",
        "CPU",
    ]
    if run.instructions:
        head.append("instructions")
    rows = []
    for name in _measured(run):
        row = [
            PEERS[name].title,
            f"{_number(cells.flights(FAR, name))} / {_number(cells.flights(FAR_MANY, name))}",
            *(_compared(cells, scenario, name) for scenario in (FAR, FAR_MANY, FAR_LARGE, NEAR)),
            _cpu(cells, NEAR, name),
        ]
        if run.instructions:
            row.append(f"{run.instructions[name]:.1f} M" if name in run.instructions else "")
        rows.append(row)
    return table(head, rows)


def _targets(run: Run, cells: Cells) -> str:
    rows = []
    for target in [*TARGETS, *_counted(run)]:
        value = target.measure(cells)
        limit = f"{'≤' if target.at_most else '≥'} {target.write(target.limit)}"
        rows.append([target.work, limit, "" if value is None else target.write(value), target.verdict(value)])
    return table(["", "target", "measured", ""], rows)


def _counted(run: Run) -> Iterator[Target]:
    """Return the targets of what was counted without a server."""

    def at_most(work: str, limit: float, value: float, write: Callable[[float], str]) -> Target:
        return Target(work, limit, lambda _cells: value, write, at_most=True)

    if "ours" in run.instructions:
        work = "instructions for a further message of 1 KB"
        yield at_most(work, 3.0, run.instructions["ours"], lambda value: f"{value:.1f} M")
    if run.crowd is not None:
        (few, few_statements), (many, statements) = run.crowd.statements.items()
        list_page = f"list page with {many:,} servers"
        yield at_most(f"statements of the {list_page}", few_statements, statements, digits)
        yield at_most(f"time of the {list_page}, against {few}", 2, run.crowd.slower, times)
        yield at_most(f"memory of {many:,} servers in use", 30, run.crowd.memory / 1e6, lambda value: f"{value:.1f} MB")


def _first(run: Run, cells: Cells) -> str:
    if not any(cell.scenario.first for cell in run.cells):
        return ""
    rows = [
        [
            PEERS[name].title,
            *(
                part
                for scenario in (FIRST_STARTTLS, FIRST_TLS)
                for part in (_number(cells.round_trips(scenario, name)), _compared(cells, scenario, name))
            ),
        ]
        for name in _measured(run)
    ]
    title = "## The first message over a 50 ms link\n\nConnecting and signing in included.\n\n"
    return title + table(["", "round trips, STARTTLS", "time", "round trips, implicit TLS", "time"], rows)


def _case(cell: Cell) -> str:
    reference = [measured.seconds for measured in cell.results.get(REFERENCE, [])]
    rows = []
    for name, rounds in cell.results.items():
        seconds = figure([measured.seconds for measured in rounds])
        ratio = ratios(reference, [measured.seconds for measured in rounds]) if reference else None
        flights = [measured.flights for measured in rounds if measured.flights is not None]
        sent = [measured.client_bytes for measured in rounds if measured.client_bytes is not None]
        connections = [measured.connections for measured in rounds if measured.connections is not None]
        rows.append(
            [
                PEERS[name].title,
                f"{milliseconds(seconds.median)} {per_cent(seconds.spread)}"
                if len(rounds) > 1
                else milliseconds(seconds.median),
                f"{times(ratio.median)} ({times(ratio.low)} to {times(ratio.high)})" if ratio else "",
                milliseconds(figure([measured.cpu for measured in rounds]).median),
                _number(figure(flights).median if flights else None),
                _number(figure(connections).median if connections else None),
                f"{figure(sent).median:,.0f}" if sent else "",
            ]
        )
    rounds_made = max((len(rounds) for rounds in cell.results.values()), default=0)
    counted = f"{rounds_made} round{'s' if rounds_made != 1 else ''}"
    head = ["", "ms", "ratio", "CPU ms", "flights", "connections", "bytes sent"]
    return f"<details><summary>{cell.scenario.title} ({counted})</summary>\n\n{table(head, rows)}\n\n</details>"


def _compared(cells: Cells, scenario: Scenario, name: str) -> str:
    """Write the time and, if there is one, the ratio to the reference."""
    if not (seconds := cells.seconds(scenario, name)):
        return ""
    ratio = cells.faster(scenario, name, REFERENCE)
    return f"{milliseconds(figure(seconds).median)} ms" + (f" ({times(ratio)})" if ratio is not None else "")


def _cpu(cells: Cells, scenario: Scenario, name: str) -> str:
    rounds = cells.rounds(scenario, name)
    return f"{milliseconds(figure([measured.cpu for measured in rounds]).median)} ms" if rounds else ""


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value - round(value)) < 0.05 else digits(value)
