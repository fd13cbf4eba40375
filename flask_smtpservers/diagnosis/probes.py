"""Looking around after a failure: a few short, parallel probes that decide between causes before one is claimed.

A probe looks a name up, listens to a port, or goes into a server as far as EHLO. None signs in, names a sender or
hands anything over, and none goes where the guard forbids.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextvars import copy_context
from dataclasses import replace
from functools import partial
from typing import TypeVar

from ..errors import AddressBlocked, SendError
from ..findings import Stage
from ..smtp.certificates import CertificateFacts
from ..smtp.deadline import Deadline
from ..smtp.endpoint import Endpoint, Security
from ..smtp.guard import Guard
from ..smtp.inspection import peer_certificate
from ..smtp.network import Address, Network
from ..smtp.probing import Attempt, Heard, Speech, addresses_of, knows_authorities, listen, try_way, without_login
from .context import Alternative, Context, Fact
from .kind import Kind
from .rules import decide
from .rules.own import cause_of_class
from .symptom import Symptom, symptom_of
from .ways import Way, mode_is_in_doubt, ways_to_try

#: How long all that follows one failure may take, in seconds.
SECONDS = 3.0
#: How long a greeting in clear is waited for; where the session has waited in vain already, hardly at all.
_PATIENCE, _GLANCE = 1.0, 0.1
#: With less time than this nothing can be told from silence, so nothing is asked.
_LEAST = 0.5
#: Other names that are looked up, at most.
_MOST_NAMES = 3

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Surroundings:
    """What can be found out around a server that failed. For one run; all its probes share :data:`SECONDS`.

    :param endpoint: the settings that failed; what belongs to a login is never used.
    :param network: the way to the outside.
    :param guard: decides where a probe may go.
    :param deadline: the end of the whole check.
    :param names: host names that are known to exist, to tell a wrong name from a broken name service.
    :param reference: gives a server whose certificate is known to be good, to tell an incomplete chain from a missing
        list of authorities; None contacts no other server.
    :param seconds: how long all of it may take.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        network: Network,
        guard: Guard,
        deadline: Deadline,
        names: Sequence[str] = (),
        reference: Callable[[], Endpoint | None] | None = None,
        seconds: float = SECONDS,
    ) -> None:
        self._endpoint = without_login(endpoint)
        self._login = endpoint.username
        self._network, self._guard = network, guard
        self._whole = deadline
        self._seconds = seconds
        self._names = names
        self._reference = reference
        self._limit: Deadline | None = None

    @property
    def _deadline(self) -> Deadline:
        """The end of all probes; the time runs from the first one."""
        if self._limit is None:
            self._limit = self._whole.within(self._seconds)
        return self._limit

    def certificate(self) -> CertificateFacts | None:
        """Fetch the certificate that the server shows.

        :raises SendError: it could not be fetched.
        """
        within = replace(self._endpoint, timeout_seconds=max(self._deadline.remaining(), 0.001))
        return peer_certificate(within, network=self._network, guard=self._guard, deadline=self._deadline)

    def look(self, error: Exception, context: Context, stage: Stage) -> Context:
        """Complete ``context`` with what decides why ``error`` came about, and with the ways that work instead.

        :param error: why the step failed.
        :param context: what is known without any probe.
        :param stage: the step.
        """
        if cause_of_class(error, context) is not None or self._deadline.remaining() < _LEAST:
            return context
        symptom = symptom_of(error, context, stage)
        if symptom.kind is Kind.NAME:
            context = self._with_names(context)
        elif symptom.kind is Kind.CERTIFICATE:
            context = self._with_trust(context, symptom)
        ways = ways_to_try(replace(symptom, context=context), decide(replace(symptom, context=context)))
        doubt = mode_is_in_doubt(symptom)
        if not (ways or doubt) or self._deadline.remaining() < _LEAST:
            return context
        return self._with_ways(context, ways, symptom if doubt else None)

    # -- names
    def _with_names(self, context: Context) -> Context:
        """Find out whether other names can be looked up."""
        owner, host = context.known_provider, context.host.lower()
        documented = owner.hosts if owner else ()
        wanted = (context.catalog.suggest_host(context.host), *documented, *self._names)
        names = [name for name in dict.fromkeys(wanted) if name and name != host and "{" not in name][:_MOST_NAMES]
        found = self._together({name: partial(self._exists, name) for name in names})
        if any(found.values()):
            return _knowing(context, Fact.OTHER_NAMES_RESOLVE)
        # An answer that did not come in time is one as well, as long as there was a question.
        asked = [name for name in names if found.get(name, False) is not None]
        return _knowing(context, Fact.OTHER_NAMES_FAIL) if asked else context

    def _exists(self, name: str) -> bool | None:
        """Tell whether a name has an address; None if it may not be asked for."""
        try:
            return bool(self._addresses(name, self._endpoint.port))
        except AddressBlocked:
            return None
        except SendError:
            return False

    # -- trust
    def _with_trust(self, context: Context, symptom: Symptom) -> Context:
        """Find out whether this machine can verify anything at all."""
        if decide(symptom).cause not in ("cert_chain_incomplete", "ca_store_outdated"):
            return context
        if self._endpoint.ca_file is None and not knows_authorities():
            return _knowing(context, Fact.AUTHORITIES_MISSING)
        reference = self._reference() if self._reference else None
        if reference is None:
            return context
        attempt = self._together({"reference": partial(self._verify, reference)}).get("reference")
        if attempt is None or not attempt.encrypted:
            return context
        return _knowing(context, Fact.OTHERS_VERIFY if attempt.verified else Fact.AUTHORITIES_MISSING)

    def _verify(self, reference: Endpoint) -> Attempt | None:
        bare = self._in_time(without_login(reference))
        try:
            addresses = addresses_of(bare, network=self._network, guard=self._guard, deadline=self._deadline)
        except SendError:
            return None
        attempt = try_way(bare, addresses, network=self._network, guard=self._guard, deadline=self._deadline)
        unreadable = attempt.stage not in (None, Stage.CERTIFICATE)
        return None if unreadable else attempt

    # -- ways
    def _with_ways(self, context: Context, ways: Sequence[Way], doubtful: Symptom | None) -> Context:
        """Try the ways at once, and listen to the port if its mode is in doubt."""
        hosts = dict.fromkeys([context.host, *(way.host for way in ways)])
        found = self._together({host: partial(self._addresses_if_allowed, host) for host in hosts})
        own = {address.ip for address in found.get(context.host) or ()}
        tasks: dict[Way | None, Callable[[], Attempt | Heard | None]] = {}
        for way in ways:
            addresses = found.get(way.host) or []
            # A name out of a certificate leads to the same server, or it is no business of ours.
            strange = way.host in context.certificate_names and own.isdisjoint(address.ip for address in addresses)
            if addresses and not strange and self._allowed(way):
                tasks[way] = partial(self._try, way, addresses)
        if doubtful is not None and found.get(context.host):
            tasks[None] = partial(self._listen, (found[context.host] or [])[0], doubtful)
        results = self._together(tasks)
        heard = results.get(None)
        attempts = {way: result for way, result in results.items() if way and isinstance(result, Attempt)}
        tried = [way for way in tasks if way is not None]
        return _concluded(context, tried, attempts, heard if isinstance(heard, Heard) else None)

    def _try(self, way: Way, addresses: Sequence[Address]) -> Attempt:
        endpoint = replace(self._endpoint, host=way.host, port=way.port, security=way.security, username=self._login)
        endpoint = self._in_time(self._guarded(endpoint))
        return try_way(endpoint, addresses, network=self._network, guard=self._guard, deadline=self._deadline)

    def _listen(self, address: Address, symptom: Symptom) -> Heard:
        waited = symptom.security is not Security.SSL and symptom.kind is Kind.TIMED_OUT
        return listen(
            self._endpoint.host,
            address,
            network=self._network,
            deadline=self._deadline,
            patience=_GLANCE if waited else _PATIENCE,
        )

    # -- the means
    def _guarded(self, endpoint: Endpoint) -> Endpoint:
        """Let the guard judge every host but the one in the settings, which may be the operator's own."""
        return endpoint if endpoint.host == self._endpoint.host else replace(endpoint, guarded=True)

    def _allowed(self, way: Way) -> bool:
        """Tell whether the guard lets host and port pass."""
        endpoint = self._guarded(replace(self._endpoint, host=way.host))
        try:
            if endpoint.guarded:
                self._guard.check_host(way.host, way.port)
        except AddressBlocked:
            return False
        return True

    def _addresses(self, host: str, port: int) -> list[Address]:
        endpoint = self._guarded(replace(self._endpoint, host=host, port=port))
        return addresses_of(endpoint, network=self._network, guard=self._guard, deadline=self._deadline)

    def _addresses_if_allowed(self, host: str) -> list[Address] | None:
        try:
            return self._addresses(host, self._endpoint.port)
        except SendError:
            return None

    def _in_time(self, endpoint: Endpoint) -> Endpoint:
        return replace(endpoint, timeout_seconds=max(self._deadline.remaining(), 0.001))

    def _together(self, tasks: Mapping[K, Callable[[], T]]) -> dict[K, T]:
        """Do all tasks at once; those that are not done at the deadline are missing in the result.

        Their threads are daemons, and end by their own limits in time.
        """
        results: dict[K, T] = {}
        limit = self._deadline

        def do(key: K, task: Callable[[], T]) -> None:
            results[key] = task()

        threads = [
            threading.Thread(target=copy_context().run, args=(do, key, task), name="smtpservers-probe", daemon=True)
            for key, task in tasks.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(limit.remaining())
        return dict(results)


def _concluded(context: Context, tried: Sequence[Way], attempts: Mapping[Way, Attempt], heard: Heard | None) -> Context:
    """Draw the conclusions from what was tried and heard. Pure.

    :param tried: the ways, the best first; one that is not in ``attempts`` did not answer in time.
    :param heard: what the port of the settings did when it was listened to; None if it was not.
    """
    here = {way: attempt for way, attempt in attempts.items() if (way.host, way.port) == (context.host, context.port)}
    others = [way for way in tried if way.host == context.host and way.port != context.port]
    encrypted = any(attempt.encrypted for way, attempt in here.items() if way.security is Security.SSL)
    in_clear = any(attempt.answers for way, attempt in here.items() if way.security is Security.STARTTLS)
    words = [attempt.words for attempt in here.values() if attempt.words]
    facts: list[Fact] = []
    if encrypted or (heard and heard.speech is Speech.TLS):
        facts.append(Fact.SPEAKS_TLS)
    if in_clear or (heard and heard.speech is Speech.SMTP):
        facts.append(Fact.GREETS_IN_CLEAR)
    if any(way in attempts and attempts[way].answers for way in others):
        facts.append(Fact.OTHER_PORTS_WORK)
    elif others and not any(way in attempts and attempts[way].connected for way in others):
        facts.append(Fact.OTHER_PORTS_FAIL)
    return replace(
        _knowing(context, *facts),
        heard=(heard.words if heard and heard.words else "") or next(iter(words), ""),
        alternatives=tuple(_alternatives(tried, attempts)),
    )


def _alternatives(tried: Sequence[Way], attempts: Mapping[Way, Attempt]) -> Iterable[Alternative]:
    for way in tried:
        attempt = attempts.get(way)
        if attempt is not None and attempt.answers:
            yield Alternative(way.host, way.port, way.security, attempt.verified)


def _knowing(context: Context, *facts: Fact) -> Context:
    return replace(context, facts=context.facts.union(facts))
