"""Whether a server is what a candidate says: reach it, verify its certificate, hear its EHLO, and leave.

No user name and no password is known here, so none can be sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from ..errors import AddressBlocked, CertificateRefused, NotOffered, SendError, TimedOut, TLSFailed
from ..smtp.deadline import Deadline
from ..smtp.ehlo import ADDRESS_LITERAL
from ..smtp.endpoint import Endpoint
from ..smtp.guard import Guard
from ..smtp.network import Address, Network
from ..smtp.session import Session
from .candidate import Candidate, Source, note_on_mechanisms

if TYPE_CHECKING:
    import socket


class Verdict(StrEnum):
    """What a probe found. A closed list, because it may be shown to people who must not learn more of our network."""

    VERIFIED = "verified"
    OTHER_CERTIFICATE = "other-certificate"
    """The certificate is not trusted, or is for another name."""
    UNENCRYPTED = "unencrypted"
    """No TLS came about although it must."""
    FORBIDDEN = "forbidden"
    """The network guard forbids it."""
    TIMED_OUT = "timed-out"
    NOT_FOUND = "not-found"
    """Anything else."""

    @property
    def disqualifies(self) -> bool:
        """Whether the server is not to be shown at all, rather than shown as unchecked."""
        return self in (Verdict.OTHER_CERTIFICATE, Verdict.UNENCRYPTED, Verdict.FORBIDDEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeLimits:
    """How long one probe may take, in seconds: to connect, for each reply, and in all."""

    connect: float = 3.0
    reply: float = 4.0
    total: float = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What became of one candidate.

    :param features: what the server offered after TLS; only of a verified one.
    """

    verdict: Verdict
    features: Mapping[str, str] = field(default_factory=dict)

    def applied_to(self, candidate: Candidate) -> Candidate:
        """Return the candidate with what was learnt."""
        if self.verdict is not Verdict.VERIFIED:
            return candidate
        mechanisms = _mechanisms(self.features)
        return replace(
            candidate,
            verified=True,
            mechanisms=mechanisms,
            size_limit=_size(self.features),
            smtputf8="SMTPUTF8" in self.features,
            note=candidate.note or ("" if _needs_no_login(candidate) else note_on_mechanisms(mechanisms)),
        )


def probe(
    candidate: Candidate,
    *,
    network: Network,
    guard: Guard,
    deadline: Deadline,
    limits: ProbeLimits,
    ca_file: str | None = None,
) -> Probed:
    """Probe a candidate.

    :param deadline: the end of the whole search.
    """
    endpoint = Endpoint(
        host=candidate.host,
        port=candidate.port,
        security=candidate.security,
        timeout_seconds=limits.reply,
        ca_file=ca_file,
        ehlo_name=ADDRESS_LITERAL,  # this machine's own name is nobody's business yet
    )
    brisk = _Brisk(network, limits.connect)
    session = Session(endpoint, network=brisk, guard=guard, deadline=deadline.within(limits.total))
    try:
        with session.open():
            features = dict(session.features)
    except SendError as error:
        return Probed(verdict=_verdict(error))
    if candidate.source is Source.GUESS and not _mechanisms(features):
        # A guessed host without sign-in is where the domain receives mail, not where its people send it from.
        return Probed(verdict=Verdict.NOT_FOUND)
    return Probed(verdict=Verdict.VERIFIED, features=features)


def _mechanisms(features: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(features.get("AUTH", "").split())


def _size(features: Mapping[str, str]) -> int | None:
    """Read the largest message size; 0 means that there is no fixed limit (RFC 1870 §4)."""
    size = features.get("SIZE", "")
    return int(size) or None if size.isascii() and size.isdigit() and len(size) <= 20 else None


def _needs_no_login(candidate: Candidate) -> bool:
    if candidate.provider is not None:
        return not candidate.provider.needs_login
    return not candidate.username


def _verdict(error: SendError) -> Verdict:
    match error:
        case CertificateRefused():
            return Verdict.OTHER_CERTIFICATE
        case TLSFailed() | NotOffered():
            return Verdict.UNENCRYPTED
        case AddressBlocked():
            return Verdict.FORBIDDEN
        case TimedOut():
            return Verdict.TIMED_OUT
        case _:
            return Verdict.NOT_FOUND


class _Brisk:
    """A network that gives up sooner than a session's own limit for connecting."""

    def __init__(self, network: Network, seconds: float) -> None:
        self._network = network
        self._seconds = seconds

    def resolve(self, host: str, port: int, deadline: Deadline) -> list[Address]:
        return self._network.resolve(host, port, deadline)

    def dial(self, address: Address, timeout: float) -> socket.socket:
        return self._network.dial(address, min(timeout, self._seconds))
