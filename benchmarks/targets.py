"""What this extension is meant to reach, in counts and ratios, and whether it did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .figures import digits, figure, ratios, times
from .measure import Cell, Measurement
from .peers import BATCH, REFERENCE
from .scenarios import FAR, FAR_MANY, FIRST_STARTTLS, FIRST_TLS, MIDDLE, NEAR, NEAR_THREADS, Scenario

OURS, OURS_BATCH = "ours", "ours-connect"


class Cells:
    """The cells of a run, found by their scenario."""

    def __init__(self, cells: list[Cell]) -> None:
        self._cells = {cell.scenario.key: cell for cell in cells}

    def rounds(self, scenario: Scenario, peer: str) -> list[Measurement]:
        """Return the peer's measurements; empty if there are none."""
        cell = self._cells.get(scenario.key)
        return cell.results.get(peer, []) if cell else []

    def seconds(self, scenario: Scenario, peer: str) -> list[float]:
        return [measured.seconds for measured in self.rounds(scenario, peer)]

    def flights(self, scenario: Scenario, peer: str) -> float | None:
        """Return the client's flights for each message, or None if they were not counted."""
        counts = [measured.flights for measured in self.rounds(scenario, peer) if measured.flights is not None]
        return figure(counts).median if counts else None

    def round_trips(self, scenario: Scenario, peer: str) -> float | None:
        """Return how often a message waits for the other end: flights, TCP's handshake, and the greeting after it.

        With implicit TLS the greeting answers the last flight of TLS's own handshake.
        """
        flights = self.flights(scenario, peer)
        if flights is None:
            return None
        opening = 1 if scenario.security == "ssl" else 2
        connections = figure([measured.connections or 0 for measured in self.rounds(scenario, peer)]).median
        return flights + opening * connections

    def faster(self, scenario: Scenario, peer: str, than: str) -> float | None:
        """Return how many times as long ``than`` takes, or None if one of them was not measured."""
        own, theirs = self.seconds(scenario, peer), self.seconds(scenario, than)
        return ratios(theirs, own).median if own and theirs else None

    def statements(self, scenario: Scenario, peer: str) -> float | None:
        counts = [measured.statements for measured in self.rounds(scenario, peer) if measured.statements is not None]
        return figure(counts).median if counts else None


@dataclass(frozen=True)
class Target:
    """One line of what is meant to be reached; ``at_most`` says on which side of the limit."""

    work: str
    limit: float
    measure: Callable[[Cells], float | None]
    write: Callable[[float], str]
    at_most: bool = False

    def verdict(self, value: float | None) -> str:
        """Say whether ``value`` reaches the limit, and by how much it does not."""
        if value is None:
            return "not measured"
        if value <= self.limit if self.at_most else value >= self.limit:
            return "reached"
        return f"missed by {abs(value - self.limit) / self.limit:.0%}".replace("%", " %")


def _count(work: str, limit: float, measure: Callable[[Cells], float | None]) -> Target:
    return Target(work, limit, measure, digits, at_most=True)


def _ratio(work: str, limit: float, scenario: Scenario, peer: str, than: str) -> Target:
    return Target(work, limit, lambda cells: cells.faster(scenario, peer, than), times)


TARGETS = [
    _count("flights of a further message, 1 recipient", 2, lambda cells: cells.flights(FAR, OURS)),
    _count("flights of a further message, 50 recipients", 2, lambda cells: cells.flights(FAR_MANY, OURS)),
    _count("round trips of the first message, STARTTLS", 10, lambda cells: cells.round_trips(FIRST_STARTTLS, OURS)),
    _count("round trips of the first message, implicit TLS", 8, lambda cells: cells.round_trips(FIRST_TLS, OURS)),
    _ratio("50 ms link, against `mail.send()` of Flask-Mail", 6.5, FAR, OURS, REFERENCE),
    _ratio("the same, 50 recipients", 25, FAR_MANY, OURS, REFERENCE),
    _ratio("50 ms link, `with mail.connect()` against Flask-Mail's", 1.8, FAR, OURS_BATCH, BATCH),
    _ratio("10 ms link, `with mail.connect()` against Flask-Mail's", 1.8, MIDDLE, OURS_BATCH, BATCH),
    _ratio("loopback, `with mail.connect()` against Flask-Mail's", 1, NEAR, OURS_BATCH, BATCH),
    _ratio("loopback, against `mail.send()` of Flask-Mail", 2.5, NEAR, OURS, REFERENCE),
    _ratio("loopback, 8 threads, against `mail.send()` of Flask-Mail", 3, NEAR_THREADS, OURS, REFERENCE),
    _count("SQL statements for each `mail.send()`", 1, lambda cells: cells.statements(NEAR, OURS)),
]
