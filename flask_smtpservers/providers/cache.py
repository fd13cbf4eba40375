"""What was found for a domain, remembered for a while, so that a domain is not asked for each address anew."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from .candidate import Discovery

#: Seconds for which a verified server is remembered, and anything less; what is down now may be up soon.
FOUND, NOT_FOUND = 3600.0, 300.0

#: The most domains that are remembered.
DOMAINS = 1000


@dataclass(eq=False)
class DiscoveryCache:
    """Answers by domain and language; safe with threads. Holds nothing of whoever asked.

    :param clock: seconds.
    """

    clock: Callable[[], float] = time.monotonic
    domains: int = DOMAINS
    _kept: dict[tuple[str, str], tuple[float, Discovery]] = field(default_factory=dict, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def get(self, domain: str, language: str = "") -> Discovery | None:
        """Return what was found lately; None if nothing is remembered."""
        with self._lock:
            until, found = self._kept.get((domain, language), (0.0, None))
            return found if until > self.clock() else None

    def put(self, found: Discovery, language: str = "") -> None:
        """Remember an answer; the oldest goes if there are too many."""
        verified = found.best is not None and found.best.verified
        with self._lock:
            self._kept.pop((found.address.domain, language), None)
            while len(self._kept) >= self.domains:
                del self._kept[next(iter(self._kept))]
            until = self.clock() + (FOUND if verified else NOT_FOUND)
            self._kept[found.address.domain, language] = (until, found)
