"""Runs the scenarios: in each round every peer sends once, so that what disturbs the machine disturbs all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from .peers.base import Job
from .proxy import Counts, Links
from .scenarios import Scenario
from .server import PASSWORD, USERNAME, Server
from .workers import PeerError, Sample, Worker

#: Fast peers send as many messages as fit into this, so that the clock's grain does not matter.
SECONDS_PER_SAMPLE = 0.25
MOST_MESSAGES = 40


@dataclass(frozen=True)
class Measurement:
    """One sample, for each message: times in seconds, and what passed over the link (None without one)."""

    seconds: float
    cpu: float
    statements: float | None
    flights: float | None
    connections: float | None
    client_bytes: float | None


@dataclass
class Cell:
    """What came out of a scenario: the measurements of each peer, a round each; or why a peer has none."""

    scenario: Scenario
    results: dict[str, list[Measurement]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


def measurement(sample: Sample, passed: Counts | None) -> Measurement:
    """Divide a sample by its messages; with several threads, the time of one message is less than it takes."""
    count = sample.messages
    return Measurement(
        seconds=sample.seconds / count,
        cpu=sample.cpu / count,
        statements=None if sample.statements is None else sample.statements / count,
        flights=passed.flights / count if passed else None,
        connections=passed.connections / count if passed else None,
        client_bytes=passed.client_bytes / count if passed else None,
    )


class Bench:
    """The server, the links to it, and the peers."""

    def __init__(self, server: Server, links: Links, workers: dict[str, Worker], ca_file: str) -> None:
        self.server = server
        self.links = links
        self.workers = workers
        self.ca_file = ca_file

    def run(self, scenarios: Iterable[Scenario], seconds: float, tell: Callable[[Cell, float], None]) -> Iterator[Cell]:
        """Measure the scenarios within ``seconds`` in all, by their weight; at least one round is made of each."""
        left = list(scenarios)
        end = time.monotonic() + seconds
        while left:
            begun = time.monotonic()
            share = left[0].weight / sum(scenario.weight for scenario in left)
            cell = self.measure(left.pop(0), until=begun + max(0.0, end - begun) * share)
            tell(cell, time.monotonic() - begun)
            yield cell

    def measure(self, scenario: Scenario, until: float) -> Cell:
        """Measure one scenario; rounds that would not end by ``until`` are left out, except the first."""
        cell = Cell(scenario)
        port = self.server.ports[scenario.security]
        if scenario.link:
            port = self.links.port(port, scenario.link / 1000)
        senders = [_Sender(self, worker, self._job(scenario, port), scenario, cell) for worker in self.workers.values()]
        for sender in senders:
            sender.prepare()
        for number in range(scenario.rounds):
            begun = time.monotonic()
            for sender in senders:
                sender.round()
            if number + 1 < scenario.rounds and 2 * time.monotonic() - begun > until:
                break
        for sender in senders:
            sender.finish()
        return cell

    def _job(self, scenario: Scenario, port: int) -> Job:
        return Job(
            port,
            scenario.security,
            USERNAME,
            PASSWORD,
            self.ca_file,
            scenario.size,
            scenario.recipients,
            scenario.threads,
        )


class _Sender:
    """One peer in one scenario."""

    def __init__(self, bench: Bench, worker: Worker, job: Job, scenario: Scenario, cell: Cell) -> None:
        self.bench = bench
        self.worker = worker
        self.job = job
        self.scenario = scenario
        self.cell = cell
        self.count = job.threads

    @property
    def name(self) -> str:
        return self.worker.entry.name

    def prepare(self) -> None:
        """Open the connections of those that keep them, and learn how fast the peer is."""
        with self._noting_failure():
            if self.scenario.first:
                return
            self.worker.open(self.job)
            if self.worker.entry.keeps:
                self._sample(self.job.threads)
            if not (self.scenario.link and self.scenario.recipients > 1):  # there, one message more costs seconds
                self._adapt(self._sample(self.job.threads))

    def round(self) -> None:
        if self.name in self.cell.failures:
            return
        with self._noting_failure():
            if self.scenario.first:
                self.worker.open(self.job)
            sampled = self._sample(self.count)
            self.cell.results.setdefault(self.name, []).append(sampled)
            if self.scenario.first:
                self.worker.close()
            else:
                self._adapt(sampled)

    def finish(self) -> None:
        if not self.scenario.first:
            with self._noting_failure():
                self.worker.close()

    def _adapt(self, sampled: Measurement) -> None:
        rounds = min(MOST_MESSAGES, int(SECONDS_PER_SAMPLE / (sampled.seconds * self.job.threads)))
        self.count = max(1, rounds) * self.job.threads

    def _sample(self, count: int) -> Measurement:
        link = self.job.port if self.scenario.link else None
        arrived = self.bench.server.received()
        before = self.bench.links.counts(link) if link else None
        sample = self.worker.send(count)
        passed = self.bench.links.counts(link).since(before) if link and before else None
        if fault := self.bench.server.settled(count, count * self.job.recipients, since=arrived):
            raise PeerError(fault)
        return measurement(sample, passed)

    @contextmanager
    def _noting_failure(self) -> Iterator[None]:
        try:
            yield
        except PeerError as error:
            self.cell.failures.setdefault(self.name, str(error))
            self.cell.results.pop(self.name, None)
