"""Which other ways into a server are worth trying after a failure. Pure: nothing is tried here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..findings import Stage
from ..smtp.endpoint import Security
from ..smtp.probing import RELAY_PORT
from .causes import CAUSES
from .context import Context
from .kind import Kind
from .rules import Verdict
from .symptom import Symptom

#: The most ways that are tried after one failure: each is a connection.
MOST_WAYS = 5
#: Where mail servers take mail for sending, the most usual first (RFC 8314 §3); 2525 is what providers add for
#: networks that block the others.
USUAL = ((587, Security.STARTTLS), (465, Security.SSL), (2525, Security.STARTTLS))
#: Of the names in a certificate and of a provider's ways so many are tried.
_FEW = 2

#: What another port or encryption may mend.
_MENDED_BY_PORT = frozenset(
    [
        "choose_ssl_tls",
        "choose_starttls",
        "turn_off_starttls",
        "use_provider_port",
        "use_unblocked_port",
        "stop_interception",
        "use_right_endpoint",
    ]
)
_MENDED_BY_HOST = frozenset(["check_host_spelling", "use_right_endpoint"])


class Way(NamedTuple):
    """A way into a server."""

    host: str
    port: int
    security: Security


def mode_is_in_doubt(symptom: Symptom) -> bool:
    """Tell whether the port may begin in another way than the settings say: encrypted, or in clear."""
    if symptom.code is not None:
        return False
    if symptom.security is Security.SSL:
        return symptom.at(Stage.TLS) and symptom.kind in (Kind.TLS, Kind.CLOSED, Kind.TIMED_OUT)
    return symptom.at(Stage.GREETING) and symptom.kind in (Kind.CLOSED, Kind.TIMED_OUT)


def ways_to_try(symptom: Symptom, verdict: Verdict) -> list[Way]:
    """Choose the ways that could work where the settings failed, the best first; none if no other way can help.

    :param verdict: what would be said without trying anything.
    """
    fix = verdict.fix or CAUSES[verdict.cause].fixes[0]
    context = symptom.context
    if context.port is None or context.security is None or not context.host:
        return []
    ways: list[Way] = []
    if fix == "use_certificate_hostname":
        ways += _names_of_certificate(context)
    if fix in _MENDED_BY_HOST:
        ways += _suggested(context)
    no_way_in = symptom.at(Stage.CONNECT) or mode_is_in_doubt(symptom) or _greeted_otherwise(symptom)
    if symptom.kind is not Kind.NAME and (no_way_in or fix in _MENDED_BY_PORT):
        ways += _other_mode(symptom, fix)
        ways += _other_ports(context)
    settings = Way(context.host, context.port, context.security)
    return [way for way in dict.fromkeys(ways) if way != settings][:MOST_WAYS]


def _greeted_otherwise(symptom: Symptom) -> bool:
    return symptom.at(Stage.GREETING) and symptom.kind is Kind.GARBLED


def _other_mode(symptom: Symptom, fix: str) -> Iterator[Way]:
    """Yield the ways into the same port in which encryption begins at another time."""
    context = symptom.context
    if context.port is None:
        return
    doubt = mode_is_in_doubt(symptom)
    if (doubt and context.security is Security.SSL) or fix == "choose_starttls":
        yield Way(context.host, context.port, Security.STARTTLS)
    # TLS never begins at once at the port for relaying, and servers there remember who talks before the greeting.
    if ((doubt and context.security is not Security.SSL) or fix == "choose_ssl_tls") and context.port != RELAY_PORT:
        yield Way(context.host, context.port, Security.SSL)


def _other_ports(context: Context) -> Iterator[Way]:
    """Yield the documented ways into the same host, then the usual ones."""
    host, owner = context.host, context.known_provider
    documented = [
        (server.port, server.security) for server in (owner.all_servers if owner else ()) if server.host == host.lower()
    ]
    for port, security in (*documented, *USUAL):
        if port != context.port and security is not Security.NONE:
            yield Way(host, port, security)


def _suggested(context: Context) -> Iterator[Way]:
    """Yield the ways into the server that was probably meant: those of the settings first, if they are documented."""
    host = context.catalog.suggest_host(context.host)
    owner = context.catalog.provider_of_host(host) if host else None
    if host is None or owner is None:
        return
    ways = [Way(host, server.port, server.security) for server in owner.all_servers if server.host == host]
    ways = [way for way in dict.fromkeys(ways) if way.security is not Security.NONE]
    yield from sorted(ways, key=lambda way: (way.port, way.security) != (context.port, context.security))[:_FEW]


def _names_of_certificate(context: Context) -> list[Way]:
    if context.port is None or context.security is None:
        return []
    names = (name for name in context.certificate_names if not name.startswith("*") and not _is_address(name))
    return [Way(name, context.port, context.security) for name in names if name != context.host.lower()][:_FEW]


def _is_address(name: str) -> bool:
    return Context(host=name).is_address
