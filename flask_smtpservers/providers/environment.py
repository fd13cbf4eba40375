"""The seam to the outside for discovery: DNS records, pages over HTTPS, and the network that sessions use.

Resolving and dialling are those of :class:`~flask_smtpservers.smtp.network.Network`: sessions take no other, it obeys
deadlines, and what it resolves is vetted by the one guard.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ..errors import MissingExtraError, SendError
from ..smtp.deadline import Deadline
from ..smtp.guard import Guard
from ..smtp.https import https_get
from ..smtp.network import Network, SystemNetwork
from .records import MX, SRV


class Environment(Protocol):
    """What discovery may ask. Called from several threads at once."""

    @property
    def network(self) -> Network:
        """How hosts are found and reached."""
        ...  # pragma: no cover

    def mx(self, domain: str, deadline: Deadline) -> list[MX]:
        """Return the MX records of a domain, none if it has none.

        :raises OSError: nobody answered.
        :raises MissingExtraError: the library for it is not installed.
        """
        ...  # pragma: no cover

    def srv(self, name: str, deadline: Deadline) -> list[SRV]:
        """Return the SRV records of a name such as ``_submission._tcp.example.com``; raises as :meth:`mx` does."""
        ...  # pragma: no cover

    def fetch(self, url: str, deadline: Deadline) -> bytes | None:
        """Return the page at a URL, None if there is none or it may not be fetched."""
        ...  # pragma: no cover


class SystemEnvironment:
    """The name servers and the network of this machine.

    :param guard: what may be connected to.
    :param network: the way to the outside.
    :param ca_file: path of a PEM file of authorities to trust besides the system's.
    :param nameservers: IP addresses of the name servers to ask; none for the system's.
    :param dns_port: the port of those name servers.
    """

    #: The longest wait for one DNS query, and for all tries of it, in seconds.
    QUERY_SECONDS, QUESTION_SECONDS = 2.0, 3.0

    def __init__(
        self,
        *,
        guard: Guard,
        network: Network | None = None,
        ca_file: str | None = None,
        nameservers: Sequence[str] = (),
        dns_port: int = 53,
    ) -> None:
        self._network = network or SystemNetwork()
        self._guard = guard
        self._ca_file = ca_file
        self._nameservers = list(nameservers)
        self._dns_port = dns_port

    @property
    def network(self) -> Network:
        """See :class:`Environment`."""
        return self._network

    def mx(self, domain: str, deadline: Deadline) -> list[MX]:
        """See :class:`Environment`."""
        return [MX(one.preference, _name(one.exchange)) for one in self._ask(domain, "MX", deadline)]

    def srv(self, name: str, deadline: Deadline) -> list[SRV]:
        """See :class:`Environment`."""
        return [SRV(one.priority, one.weight, one.port, _name(one.target)) for one in self._ask(name, "SRV", deadline)]

    def fetch(self, url: str, deadline: Deadline) -> bytes | None:
        """See :class:`Environment`. Whatever goes wrong there, the domain publishes nothing that can be used."""
        try:
            return https_get(url, network=self._network, guard=self._guard, deadline=deadline, ca_file=self._ca_file)
        except SendError:
            return None

    def _ask(self, name: str, kind: str, deadline: Deadline) -> list[Any]:
        try:
            import dns.exception
            import dns.resolver
        except ImportError:
            raise MissingExtraError("discovery") from None
        try:
            resolver = dns.resolver.Resolver(configure=not self._nameservers)
            if self._nameservers:
                resolver.nameservers, resolver.port = list(self._nameservers), self._dns_port
            resolver.timeout = self.QUERY_SECONDS
            lifetime = deadline.limit(self.QUESTION_SECONDS)
            # The final dot keeps search domains out: they would ask about another domain.
            answer = resolver.resolve(f"{name}.", kind, lifetime=lifetime, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN:
            return []
        except dns.exception.DNSException as error:
            raise OSError(f"no answer to the question for {kind} of {name}: {type(error).__name__}") from error
        return list(answer.rrset or ())


def _name(name: Any) -> str:
    """Return a DNS name as text; the root as ``.``."""
    return str(name.to_text(omit_final_dot=True)).lower()
