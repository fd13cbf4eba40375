"""The benchmark's arithmetic and what it writes, from measurements made up here."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from benchmarks import crowd, letters
from benchmarks.figures import Figure, digits, figure, milliseconds, per_cent, ratios, times
from benchmarks.instructions import FEW, MANY, per_message
from benchmarks.measure import Cell, Measurement, measurement
from benchmarks.picture import svg
from benchmarks.proxy import Counts
from benchmarks.report import Run, markdown
from benchmarks.scenarios import FAR, FAR_MANY, FIRST_STARTTLS, FIRST_TLS, FULL, LIMITS, QUICK, Scenario
from benchmarks.targets import TARGETS, Cells, Target
from benchmarks.workers import Sample


def measured(
    seconds: float, flights: float | None = None, connections: float = 0, statements: float | None = None
) -> Measurement:
    return Measurement(seconds, 0.001, statements, flights, connections, 2000)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3.0], Figure(3, 3, 3)),
        ([1.0, 9.0], Figure(5, 1, 9)),
        ([5.0, 1.0, 2.0], Figure(2, 1, 5)),
    ],
)
def test_figure(values: list[float], expected: Figure) -> None:
    """A figure is the median with the range."""
    assert figure(values) == expected


def test_no_figure_of_nothing() -> None:
    """Without values there is no median, rather than a zero that looks like one."""
    with pytest.raises(ValueError, match="nothing"):
        figure([])


@pytest.mark.parametrize(
    ("reference", "values", "expected"),
    [
        ([7.0], [1.0], Figure(7, 7, 7)),
        ([8.0, 6.0, 9.0], [1.0, 2.0, 3.0], Figure(3, 3, 8)),  # round by round: 8, 3, 3
        ([8.0, 6.0], [2.0], Figure(4, 4, 4)),  # a round that only one of them has is left out
        ([1.0], [2.0], Figure(0.5, 0.5, 0.5)),
    ],
)
def test_ratios(reference: list[float], values: list[float], expected: Figure) -> None:
    """Ratios are taken within a round, and say how many times as long the reference takes."""
    assert ratios(reference, values) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(Figure(10, 8, 12), 0.2), (Figure(10, 10, 10), 0.0), (Figure(0, 0, 0), 0.0)],
)
def test_spread(value: Figure, expected: float) -> None:
    """The spread is half the range, as a share of the median."""
    assert value.spread == pytest.approx(expected)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (milliseconds(0.00077), "0.77"),
        (milliseconds(0.0515), "51.5"),
        (milliseconds(0.7142), "714"),
        (milliseconds(3.2184), "3,218"),
        (milliseconds(0.099951), "100"),
        (milliseconds(0.0099951), "10.0"),
        (digits(2), "2.00"),
        (times(0.953), "0.95×"),
        (times(0.999), "1.0×"),
        (times(7.04), "7.0×"),
        (times(9.96), "10×"),
        (times(28.3), "28×"),
        (per_cent(0.041), "± 4 %"),
    ],
)
def test_writing(written: str, expected: str) -> None:
    """Numbers are written with the digits that mean something."""
    assert written == expected


def test_measurement_is_for_each_message() -> None:
    """A sample of some messages is divided by their number."""
    assert measurement(Sample(4, 2.0, 0.4, 8), Counts(2, 22, 4000, 90)) == Measurement(0.5, 0.1, 2.0, 5.5, 0.5, 1000)


def test_measurement_without_link() -> None:
    """Without a proxy and a database, nothing of theirs is said."""
    assert measurement(Sample(4, 2.0, 0.4, None), None) == Measurement(0.5, 0.1, None, None, None, None)


def test_instructions_for_each_message() -> None:
    """What starting costs is in both totals and cancels out."""
    start = 2_000_000_000
    assert per_message(start + FEW * 3_000_000, start + MANY * 3_000_000) == pytest.approx(3.0)


def test_a_crowd_is_reported() -> None:
    """The list asks as much of the database as with few servers, and used servers leave next to nothing in memory."""
    run = Run("x", "x", "x", "x", [], crowd=crowd.measure(few=2, many=60))
    lines = [line for line in markdown(run).splitlines() if "60 servers" in line]
    assert len(lines) == 3
    assert lines[0].endswith("| reached |")
    assert lines[2].endswith("MB | reached |")


@pytest.mark.parametrize(
    ("scenario", "connections", "expected"),
    [(FIRST_STARTTLS, 1, 9), (FIRST_TLS, 1, 8), (FAR, 0, 7), (FAR, 0.5, 8)],
)
def test_round_trips(scenario: Scenario, connections: float, expected: float) -> None:
    """A connection costs TCP's handshake and the wait for the greeting, which implicit TLS has in its own handshake."""
    cells = Cells([Cell(scenario, {"ours": [measured(0.4, flights=7, connections=connections)]})])
    assert cells.round_trips(scenario, "ours") == expected


@pytest.mark.parametrize(
    ("at_most", "value", "expected"),
    [
        (True, 2.0, "reached"),
        (True, 2.5, "missed by 25 %"),
        (False, 2.0, "reached"),
        (False, 1.5, "missed by 25 %"),
        (False, None, "not measured"),
    ],
)
def test_verdict(at_most: bool, value: float | None, expected: str) -> None:
    """A limit is reached from its own side; what misses it says by how much."""
    assert Target("work", 2, lambda cells: None, str, at_most).verdict(value) == expected


def test_targets_without_measurements() -> None:
    """A run that measured nothing reaches nothing."""
    assert {target.verdict(target.measure(Cells([]))) for target in TARGETS} == {"not measured"}


RUN = Run(
    command="python -m benchmarks",
    date="2026-01-31",
    machine="2 cores",
    server="Postfix",
    cells=[
        Cell(
            FAR,
            {"flask-mail": [measured(0.7, 11, 1), measured(0.8, 11, 1)], "ours": [measured(0.1, 2), measured(0.1, 2)]},
        ),
        Cell(FAR_MANY, {"flask-mail": [measured(3.2, 61, 1)]}, {"ours": "SendError: no | thanks\nmore"}),
    ],
    versions={"flask-mail": "0.10.0"},
    skipped={"nodemailer": "there is no node on this machine"},
)


def test_markdown() -> None:
    """The report has the small table, the verdicts, and why something is missing."""
    text = markdown(RUN)
    assert "| **Flask-SMTPServers `mail.send()`** | 2 /  | 100 ms (7.5×) |" in text
    assert "| Flask-Mail `mail.send()` | 11 / 61 | 750 ms (1.0×) | 3,200 ms (1.0×) |" in text
    assert "| 50 ms link, against `mail.send()` of Flask-Mail | ≥ 6.5× | 7.5× | reached |" in text
    assert "nodemailer, pool was left out: there is no node on this machine" in text
    assert '**Flask-SMTPServers `mail.send()`** failed at "50 ms link, 50 recipients, 1 KB, 1 thread, STARTTLS' in text
    assert ": SendError: no | thanks more" in text


def test_markdown_tables_are_whole() -> None:
    """Every row of a table has as many columns as its head."""
    columns = 0
    for line in markdown(RUN).splitlines():
        cells = line.count(" | ") if line.startswith("| ") else 0
        assert not (columns and cells) or cells == columns
        columns = cells


def test_picture() -> None:
    """The picture is XML with a bar for each peer, its length in proportion, and colours for both kinds of paper."""
    root = ET.fromstring(svg(RUN.cells))
    bars = [float(bar.attrib["width"]) for bar in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert bars[0] / bars[1] == pytest.approx(7.5, rel=0.01)
    assert len(bars) == 3
    assert "prefers-color-scheme: dark" in svg(RUN.cells)


def test_scenarios_cover_every_level() -> None:
    """The full run has every link, size, number of recipients and threads, plaintext and STARTTLS; none twice."""
    assert {case.link for case in FULL} == {0, 10, 50}
    assert {case.recipients for case in FULL} == {1, 50}
    assert {case.size for case in FULL} == {"1 KB", "50 KB", "5 MB"}
    assert {case.threads for case in FULL} == {1, 8}
    assert {"none", "starttls"} <= {case.security for case in FULL}
    assert len({case.key for case in FULL}) == len(FULL)
    assert LIMITS["full"] < 600
    assert {case.key for case in QUICK} <= {case.key for case in FULL}


@pytest.mark.parametrize(
    ("size", "least", "most"), [("1 KB", 950, 1100), ("50 KB", 48_000, 54_000), ("5 MB", 5_000_000, 5_010_000)]
)
def test_letters_have_their_size(size: str, least: int, most: int) -> None:
    """A letter is as large as it is called, before it is encoded."""
    content = letters.letter(size)
    assert least <= len(content.text) + len(content.html or "") + len(content.attachment or b"") <= most


@pytest.mark.parametrize("size", ["1 KB", "50 KB", "5 MB"])
def test_letter_is_recognised(size: str) -> None:
    """A letter that arrived as it was meant has no faults."""
    raw = letters.email_message(size, 3).as_bytes()
    assert letters.faults(size, 3, raw=raw, sender=letters.SENDER, to=letters.recipients(3)) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"raw": (b"this morning", b"last evening")}, "text"),
        ({"raw": (b"Subject: Your", b"Subject: My")}, "Subject"),
        ({"raw": (b"From: shop", b"From: shoq")}, "From"),
        ({"raw": (b"Message-ID", b"X-Other")}, "Message-ID"),
        ({"sender": ("shop", "other")}, "envelope sender"),
    ],
)
def test_changed_letter_is_not_recognised(change: dict[str, tuple[bytes, bytes]], fault: str) -> None:
    """A letter that arrived otherwise is named by what differs."""
    arrived = {"raw": letters.email_message("1 KB", 1).as_bytes(), "sender": letters.SENDER}
    for name, (old, new) in change.items():
        arrived[name] = arrived[name].replace(old, new)  # type: ignore[attr-defined]
    assert letters.faults("1 KB", 1, **arrived, to=letters.recipients(1)) == [fault]  # type: ignore[arg-type]


def test_missing_recipient_is_noticed() -> None:
    """A recipient that the envelope lacks is a fault."""
    raw = letters.email_message("1 KB", 2).as_bytes()
    assert letters.faults("1 KB", 2, raw=raw, sender=letters.SENDER, to=letters.recipients(1)) == [
        "envelope recipients"
    ]


def test_weight_and_rounds_do_not_tell_cases_apart() -> None:
    """A case is found however often and long it was measured."""
    cells = Cells([Cell(replace(FAR, rounds=1, weight=1), {"ours": [measured(1.0)]})])
    assert cells.seconds(FAR, "ours") == [1.0]
