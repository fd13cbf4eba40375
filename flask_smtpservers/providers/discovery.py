"""From an address to the server that it may send through: what is known, then what the domain says, then a guess.

Every answer from the network is verified before it is shown as found: public address, verified TLS for that very
name, EHLO. No user name and no password is sent, and a better source that can still answer is waited for, no worse one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from ..smtp.deadline import Deadline
from ..smtp.endpoint import Security
from ..smtp.guard import Guard
from .address import MailAddress, parse_address
from .candidate import DISCOVERED_PORTS, Candidate, Discovery, Key, Source, Trust, from_preset, recognised
from .catalog import Catalog, packaged
from .environment import Environment
from .ispdb import Ispdb
from .lookups import Answer, Asker, Lookup, unanswered
from .parallel import Crew
from .probe import Probed, ProbeLimits, Verdict, probe
from .provider import Provider
from .records import guesses
from .summary import Finding, summary

__all__ = ["Candidate", "Discovery", "Source", "Timing", "Trust", "discover"]

Mode = Literal["network", "offline"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long things may take, in seconds, and how many connections there may be at once.

    :param lookups: DNS records and pages, all of them together.
    :param total: everything; then what is known is returned.
    """

    lookups: float = 4.0
    total: float = 10.0
    probe: ProbeLimits = field(default_factory=ProbeLimits)
    connections: int = 12


def discover(
    address: str,
    *,
    environment: Environment,
    guard: Guard,
    mode: Mode = "network",
    catalog: Catalog | None = None,
    ispdb: Ispdb | None = None,
    ca_file: str | None = None,
    timing: Timing | None = None,
    allow_special_use: bool = False,
) -> Discovery:
    """Find the servers that ``address`` may send through. The local part is never sent anywhere.

    :param address: what a person typed.
    :param environment: what may be asked; not touched with ``mode="offline"``.
    :param guard: what may be connected to. Presets may use their own ports, all others only usual ones.
    :param mode: ``network`` asks the domain and probes; ``offline`` only reads what is on this machine.
    :param catalog: the providers that the app knows; None for the packaged ones.
    :param ispdb: the operator's database, if there is one (:func:`~.ispdb.ispdb_at`).
    :param ca_file: path of a PEM file of authorities to trust besides the system's.
    :param allow_special_use: accepts domains under ``.test``, ``.internal`` and the like; those that ``catalog`` knows
        are accepted anyway.
    :raises ValueError: ``address`` is none; the text is a sentence.
    """
    catalog = catalog or packaged()
    # An internal domain can only be known from the operator's own list; what is found beside it is judged as usual.
    known = catalog.provider_of_address(address) is not None
    mailbox = parse_address(address, allow_special_use=allow_special_use or known)
    asker = Asker(mailbox, environment, ispdb, catalog, allow_special_use=allow_special_use)
    search = _Search(mailbox, environment, guard, catalog, ca_file, timing or Timing())
    search.recognise(catalog.provider_of_address(str(mailbox)))
    search.take(asker.ispdb_offline())
    if mode == "offline" or search.hopeless:
        return search.result(checked=False)
    # One after the other: who is known already is not asked about, and nobody is bothered with guesses in vain.
    if not search.pursue() and not search.pursue(asker.lookups()):
        search.guess()
        search.pursue()
    return search.result(checked=True)


class _Search:
    """One search: what was found so far, and what became of it."""

    def __init__(
        self,
        mailbox: MailAddress,
        environment: Environment,
        guard: Guard,
        catalog: Catalog,
        ca_file: str | None,
        timing: Timing,
    ) -> None:
        self._mailbox = mailbox
        self._network = environment.network
        # Short names and names of the hosts file that the operator allows are for him to type, not for an outsider.
        self._preset_guard = Guard(guard.allowed_networks, ports=guard.ports)
        ports = DISCOVERED_PORTS if guard.ports is None else DISCOVERED_PORTS & guard.ports
        self._guard = Guard(guard.allowed_networks, ports=ports)
        self._catalog = catalog
        self._ca_file = ca_file
        self._timing = timing
        self._deadline = Deadline(timing.total)
        self._crew: Crew[_Answered | _Judged] = Crew(timing.connections)
        self._provider: Provider | None = None
        self._found: dict[Key, Candidate] = {}
        self._begun: set[Key] = set()
        self._probed: dict[Key, Probed] = {}
        self._notes: list[str] = []
        self._skipped: list[Source] = []
        self._declined: list[Security] = []

    # -- what is found
    def recognise(self, provider: Provider | None) -> None:
        """Take the preset that answers for the domain."""
        self._provider = provider
        if provider is None or provider.status in ("no-smtp", "retired") or not provider.generic_smtp:
            return
        servers = provider.servers_for(self._mailbox.domain)
        self._keep(from_preset(self._mailbox, provider, servers, source=Source.PRESET, trust=Trust.HIGH))

    @property
    def hopeless(self) -> bool:
        """Whether it is known that nothing that could be found would be of use."""
        return self._provider is not None and bool(self._provider.unsupported)

    def take(self, answer: Answer) -> None:
        """Take what one question brought."""
        self._provider = self._provider or answer.provider
        self._notes += answer.notes
        self._declined += answer.declined
        self._keep(answer.candidates)

    def guess(self) -> None:
        """Take the usual names."""
        self._keep(guesses(self._mailbox, self._declined))

    def _keep(self, candidates: Iterable[Candidate]) -> None:
        """Keep candidates; what two sources name is of the better one, and probed once."""
        for candidate in candidates:
            known = self._found.get(candidate.key)
            if known is None or candidate.rank < known.rank:
                self._found[candidate.key] = recognised(candidate, self._mailbox, self._catalog)

    # -- what becomes of it
    def pursue(self, lookups: Iterable[Lookup] = ()) -> bool:
        """Ask, and probe whatever is found as soon as it is found.

        Ends when a candidate was verified and nothing better can come any more, or when everything has failed.

        :returns: whether a candidate was verified.
        """
        if self._deadline.expired:
            return bool(self._verified)
        end = self._deadline.within(self._timing.lookups)
        asked = set(lookups)
        for lookup in sorted(asked, key=lambda lookup: lookup.rank):
            self._crew.start(partial(_ask, lookup, end))
        self._probe_new()
        while (asked or self._unjudged) and not self._settled(asked):
            event = self._crew.next((end if asked else self._deadline).remaining())
            match event:
                case None if self._deadline.expired:
                    break
                case None:
                    self._notes.append(unanswered(self._mailbox))
                    asked.clear()
                case _Judged():
                    self._probed[event.key] = event.probed
                case _Answered() if event.lookup in asked:  # else it came too late
                    asked.remove(event.lookup)
                    self._skipped += [event.lookup.source] if event.answer.skipped else []
                    self.take(event.answer)
                    self._probe_new()
        return bool(self._verified)

    def _probe_new(self) -> None:
        for key, candidate in sorted(self._found.items(), key=lambda item: item[1].rank):
            if key not in self._begun:
                self._begun.add(key)
                self._crew.start(partial(self._probe, candidate))

    def _probe(self, candidate: Candidate) -> _Judged:
        bundled = candidate.source in (Source.PRESET, Source.MX_PRESET)
        probed = probe(
            candidate,
            network=self._network,
            guard=self._preset_guard if bundled else self._guard,
            deadline=self._deadline,
            limits=self._timing.probe,
            ca_file=self._ca_file,
        )
        return _Judged(candidate.key, probed)

    @property
    def _unjudged(self) -> list[Candidate]:
        return [candidate for key, candidate in self._found.items() if key not in self._probed]

    @property
    def _verified(self) -> list[Candidate]:
        good = (key for key, probed in self._probed.items() if probed.verdict is Verdict.VERIFIED)
        return sorted((self._found[key] for key in good), key=lambda candidate: candidate.rank)

    def _settled(self, asked: Iterable[Lookup]) -> bool:
        """Whether one was verified, and all better ones have failed or were not found."""
        if not self._verified:
            return False
        best = self._verified[0].rank
        return all(best < lookup.rank for lookup in asked) and all(best < other.rank for other in self._unjudged)

    def result(self, *, checked: bool) -> Discovery:
        """Sum it all up.

        :param checked: False if nothing was probed on purpose.
        """
        self._crew.stop()
        return summary(
            self._mailbox,
            [Finding(candidate, self._probed.get(key)) for key, candidate in self._found.items()],
            provider=self._provider,
            notes=self._notes,
            skipped=self._skipped,
            checked=checked,
        )


@dataclass(frozen=True, slots=True)
class _Answered:
    lookup: Lookup
    answer: Answer


@dataclass(frozen=True, slots=True)
class _Judged:
    key: Key
    probed: Probed


def _ask(lookup: Lookup, deadline: Deadline) -> _Answered:
    return _Answered(lookup, lookup.ask(deadline))
