"""What is measured: cases that differ in link, recipients, size, threads and security.

All combinations would take hours, so each of them is varied around the usual one: a text of 1 KB to one recipient.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scenario:
    """One case.

    :param link: the round trip in milliseconds; 0 is loopback, without a proxy.
    :param size: one of the sizes of :mod:`benchmarks.letters`.
    :param security: ``none`` (and no login), ``starttls`` or ``ssl`` (each with a login).
    :param first: measures the first message of a new sender, connecting included, instead of one among many.
    :param rounds: how often every peer is measured, if time allows.
    :param weight: its share of the time of the entire run.
    """

    link: int = 0
    recipients: int = 1
    size: str = "1 KB"
    threads: int = 1
    security: str = "starttls"
    first: bool = False
    rounds: int = 5
    weight: float = 10

    @property
    def key(self) -> tuple[object, ...]:
        """What tells it from others."""
        return (self.link, self.recipients, self.size, self.threads, self.security, self.first)

    @property
    def title(self) -> str:
        link = f"{self.link} ms link" if self.link else "loopback"
        security = {"none": "plaintext", "starttls": "STARTTLS + AUTH", "ssl": "implicit TLS + AUTH"}[self.security]
        parts = [
            link,
            "1 recipient" if self.recipients == 1 else f"{self.recipients} recipients",
            self.size,
            "1 thread" if self.threads == 1 else f"{self.threads} threads",
            security,
        ]
        return ", ".join([*parts, "first message"] if self.first else parts)


#: The cases that the first table and the picture show.
FAR = Scenario(50, rounds=5, weight=20)
FAR_MANY = Scenario(50, recipients=50, rounds=3, weight=80)
FAR_LARGE = Scenario(50, size="50 KB", rounds=4, weight=18)
NEAR = Scenario(0, rounds=9, weight=24)
MIDDLE = Scenario(10, rounds=5, weight=14)
NEAR_THREADS = Scenario(0, threads=8, rounds=7, weight=20)
FIRST_STARTTLS = Scenario(50, first=True, rounds=3, weight=18)
FIRST_TLS = Scenario(50, security="ssl", first=True, rounds=3, weight=18)

FULL = [
    NEAR,
    MIDDLE,
    FAR,
    Scenario(0, recipients=50, rounds=5, weight=16),
    Scenario(10, recipients=50, rounds=3, weight=24),
    FAR_MANY,
    Scenario(0, size="50 KB", rounds=5, weight=14),
    Scenario(10, size="50 KB", rounds=3, weight=10),
    FAR_LARGE,
    Scenario(50, recipients=50, size="50 KB", rounds=1, weight=36),
    Scenario(0, size="5 MB", rounds=3, weight=16),
    Scenario(10, size="5 MB", rounds=2, weight=14),
    Scenario(50, size="5 MB", rounds=2, weight=18),
    NEAR_THREADS,
    Scenario(10, threads=8, rounds=3, weight=10),
    Scenario(50, threads=8, rounds=3, weight=16),
    Scenario(50, recipients=50, threads=8, rounds=1, weight=36),
    Scenario(0, size="50 KB", threads=8, rounds=5, weight=14),
    Scenario(0, security="none", rounds=5, weight=12),
    Scenario(10, security="none", rounds=3, weight=8),
    Scenario(50, security="none", rounds=3, weight=12),
    Scenario(50, recipients=50, security="none", rounds=1, weight=36),
    Scenario(0, security="none", threads=8, rounds=5, weight=12),
    Scenario(0, size="5 MB", security="none", rounds=2, weight=10),
    FIRST_STARTTLS,
    FIRST_TLS,
]
QUICK = [
    Scenario(0, rounds=3, weight=8),
    Scenario(50, rounds=1, weight=8),
    Scenario(10, recipients=50, rounds=1, weight=10),
    Scenario(0, threads=8, rounds=2, weight=6),
]
#: Seconds for each run as a whole.
LIMITS = {"full": 480.0, "quick": 40.0}
