"""What a search found, as plain values for JSON and as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..i18n import N_
from ..i18n import gettext as _
from ..smtp.endpoint import Security
from .candidate import Candidate, Discovery, Source, Trust

_SOURCES = {
    Source.PRESET: N_("It is in the list of providers that comes with this app."),
    Source.ISPDB: N_("It is in the database of mail settings that the operator of this app chose."),
    Source.AUTOCONFIG: N_("%(domain)s publishes it as its mail settings."),
    Source.MX_PRESET: N_("%(provider)s receives the mail of %(domain)s, and this is its server for sending."),
    Source.MX_ISPDB: N_("Whoever receives the mail of %(domain)s uses it, says the operator's database."),
    Source.SRV: N_("The DNS records of %(domain)s name it."),
    Source.GUESS: N_("It has a usual name at %(domain)s, and it answers."),
}

_TRUST = {
    Trust.HIGH: N_("Reliable"),
    Trust.MEDIUM: N_("Probably right"),
    Trust.LOW: N_("Please check"),
}

_SECURITY = {Security.SSL: N_("SSL"), Security.STARTTLS: N_("STARTTLS"), Security.NONE: N_("no encryption")}


def source_words(candidate: Candidate, domain: str) -> str:
    """Say where a server was learnt, as a sentence."""
    provider = candidate.provider.name if candidate.provider is not None else ""
    return _(_SOURCES[candidate.source], domain=domain, provider=provider)


def trust_words(trust: Trust) -> str:
    """Say how far it can be trusted, in a word or two."""
    return _(_TRUST[trust])


def security_words(security: Security) -> str:
    """Name an encryption as people know it."""
    return _(_SECURITY[security])


def record_of(found: Discovery, address: str = "") -> dict[str, Any]:
    """Return an answer as plain values; ``host``, ``port``, ``security``, ``source`` and ``trust`` may be None.

    :param address: as it was asked for; else as it was understood.
    """
    best = found.best
    if best is None:
        return refusal(address or str(found.address), found.reason, provider=_provider(found))
    return {
        "address": address or str(found.address),
        **_values(best),
        "reason": "",
        "alternatives": [_values(one) for one in found.candidates[1:]],
        "notes": list(found.notes),
    }


def refusal(address: str, reason: str, *, provider: str | None = None) -> dict[str, Any]:
    """Return the plain values of an answer without a server."""
    nothing = dict.fromkeys(("host", "port", "security", "source", "trust"))
    return {"address": address, **nothing, "provider": provider, "reason": reason}


def lines_of(found: Discovery) -> Iterator[str]:
    """Yield an answer as lines for people."""
    best = found.best
    if best is None:
        yield found.reason
    else:
        for number, one in enumerate(found.candidates):
            if number == 1:
                yield _("Others:")
            yield ("  " if number else "") + _place(one)
            if not number:
                yield from (f"  {line}" for line in _details(one, found.address.domain))
    yield from found.notes


def _place(candidate: Candidate) -> str:
    return _(
        "%(host)s, port %(port)s, %(encryption)s",
        host=candidate.host,
        port=candidate.port,
        encryption=security_words(candidate.security),
    )


def _details(candidate: Candidate, domain: str) -> Iterator[str]:
    yield f"{trust_words(candidate.trust)}. {source_words(candidate, domain)}"
    if candidate.username:
        yield _("User name: %(name)s", name=candidate.username)
    if candidate.provider is not None:
        yield _("Needed: %(secret)s", secret=candidate.provider.password_label)
    yield from (sentence for sentence in (candidate.note, candidate.confirm) if sentence)


def _values(candidate: Candidate) -> dict[str, Any]:
    return {
        "host": candidate.host,
        "port": candidate.port,
        "security": str(candidate.security),
        "source": str(candidate.source),
        "trust": str(candidate.trust),
        "username": candidate.username,
        "provider": candidate.provider.id if candidate.provider is not None else None,
        "verified": candidate.verified,
        "note": candidate.note,
        "confirm": candidate.confirm,
    }


def _provider(found: Discovery) -> str | None:
    return found.provider.id if found.provider is not None else None
