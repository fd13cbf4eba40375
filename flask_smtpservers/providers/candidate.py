"""What discovery finds: servers that an address may send through, where each was learnt, and how far to trust that."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from ..i18n import gettext as _
from ..smtp.auth import AUTOMATIC_WITH_TOKEN, PASSWORD_MECHANISMS
from ..smtp.endpoint import Security
from .address import MailAddress, is_under
from .catalog import Catalog
from .provider import Provider, ProviderServer, UsernameRule

#: Ports that a record or a page of an outsider may name; presets have their own.
DISCOVERED_PORTS = frozenset({25, 465, 587, 994, 2465, 2525, 2587})


_TOKEN_MECHANISMS = frozenset(AUTOMATIC_WITH_TOKEN)

#: Stands before the @ while a search is made for everybody at a domain; see :meth:`Discovery.addressed_to`.
ANYBODY = "anybody-at-this-domain"

#: Host, port and security: what makes two candidates the same server.
Key = tuple[str, int, Security]


class Source(StrEnum):
    """Where a candidate was learnt, the best source first."""

    PRESET = "preset"
    """The bundled list, by the address's domain."""
    ISPDB = "ispdb"
    """The operator's database, by the address's domain."""
    AUTOCONFIG = "autoconfig"
    """The domain's own page of settings."""
    MX_PRESET = "mx"
    """The bundled list, by who takes the domain's incoming mail."""
    MX_ISPDB = "mx-ispdb"
    """The operator's database, by who takes the domain's incoming mail."""
    SRV = "srv"
    """The domain's SRV records (RFC 6186, RFC 8314)."""
    GUESS = "guess"
    """A usual name."""


class Trust(StrEnum):
    """How far a candidate can be trusted before a person has confirmed it."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One server that an address may send through.

    :param username: what to fill in; empty if it is not known or none is wanted.
    :param provider: the preset that knows the host, with its guidance.
    :param place: the order within the source.
    :param verified: whether the server was reached, with TLS verified for this very name, and answered EHLO.
    :param mechanisms: the sign-in methods that it offered after TLS.
    :param size_limit: the largest message that it takes, in bytes; None if it did not say.
    :param smtputf8: whether it takes internationalised addresses.
    :param note: a sentence about this candidate; may be empty.
    :param confirm: the question that a person must say yes to before a password may go there; empty if none.
    """

    host: str
    port: int
    security: Security
    username: str
    source: Source
    trust: Trust
    provider: Provider | None = None
    place: int = 0
    verified: bool = False
    mechanisms: tuple[str, ...] = ()
    size_limit: int | None = None
    smtputf8: bool = False
    note: str = ""
    confirm: str = ""

    @property
    def key(self) -> Key:
        """What makes it the same server as another."""
        return self.host, self.port, self.security

    @property
    def rank(self) -> tuple[int, int]:
        """The smaller, the better."""
        return rank_of(self.source), self.place

    @property
    def takes_passwords(self) -> bool | None:
        """Whether a password can be used there; None if that was not seen."""
        if not self.verified or not self.mechanisms:
            return None
        return _password_works(self.mechanisms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """The answer to one search.

    :param candidates: the best first, then up to three alternatives. Unverified ones come only from the bundled list or
        the operator's database.
    :param provider: the preset that the domain was recognised as, even if it has no candidates.
    :param reason: why there are no candidates, as a sentence; empty if there are some.
    :param notes: sentences on what was left out, and why better answers were dropped.
    :param skipped: sources that could not be asked because an optional library is missing.
    """

    address: MailAddress
    candidates: tuple[Candidate, ...] = ()
    provider: Provider | None = None
    reason: str = ""
    notes: tuple[str, ...] = ()
    skipped: tuple[Source, ...] = ()

    @property
    def best(self) -> Candidate | None:
        """The candidate to fill into the form."""
        return self.candidates[0] if self.candidates else None

    def addressed_to(self, mailbox: MailAddress) -> Discovery:
        """Return the answer to a search for :data:`ANYBODY` as the one for somebody at the same domain."""
        mine = (replace(one, username=one.username.replace(ANYBODY, mailbox.local)) for one in self.candidates)
        return replace(self, address=mailbox, candidates=tuple(mine))


def rank_of(source: Source) -> int:
    """Say how good a source is; the smaller, the better."""
    return list(Source).index(source)


def from_preset(
    mailbox: MailAddress, provider: Provider, servers: Iterable[ProviderServer], *, source: Source, trust: Trust
) -> list[Candidate]:
    """Make candidates of a preset's servers; those with a part to fill in are left out."""
    return [
        Candidate(
            host=server.host,
            port=server.port,
            security=server.security,
            username=username_for(mailbox, provider),
            source=source,
            # What rests on general knowledge alone is not shown like what a vendor's page says.
            trust=Trust.MEDIUM if provider.unverified else trust,
            provider=provider,
            place=place,
            note=provider.unsupported,
            confirm=_confirm_provider(mailbox, provider) if source is Source.MX_PRESET else "",
        )
        for place, server in enumerate(servers)
        if not server.is_pattern and server.security is not Security.NONE
    ]


def from_network(
    mailbox: MailAddress,
    host: str,
    port: int,
    security: Security,
    *,
    source: Source,
    trust: Trust,
    place: int = 0,
    username: str | None = None,
) -> Candidate:
    """Make a candidate of what a record or a page says; a host outside the address's domain is to be confirmed.

    :param username: None for the full address (RFC 6186 §4).
    """
    ask = trust is not Trust.HIGH and not is_under(host, mailbox.domain)
    return Candidate(
        host=host,
        port=port,
        security=security,
        username=str(mailbox) if username is None else username,
        source=source,
        trust=trust,
        place=place,
        confirm=_confirm_host(mailbox, host) if ask else "",
    )


def recognised(candidate: Candidate, mailbox: MailAddress, catalog: Catalog) -> Candidate:
    """Add to a candidate that a record or a page named the preset that knows its host, if there is one."""
    provider = candidate.provider or catalog.provider_of_host(candidate.host, str(mailbox))
    if provider is None or provider is candidate.provider:
        return candidate
    return replace(candidate, provider=provider, note=candidate.note or provider.unsupported)


def username_for(mailbox: MailAddress, provider: Provider) -> str:
    """Return the user name as far as the address tells it; empty otherwise."""
    match provider.username:
        case UsernameRule.EMAIL | UsernameRule.SENDER_ADDRESS | UsernameRule.ANY:
            return str(mailbox)
        case UsernameRule.LOCALPART:
            return mailbox.local
        case UsernameRule.LITERAL:
            return provider.username_value
        case _:
            return ""


def note_on_mechanisms(mechanisms: tuple[str, ...]) -> str:
    """Say what stands in the way of signing in with a password; empty if nothing does."""
    if not mechanisms:
        return _("The server offers no sign-in at all.")
    if _password_works(mechanisms):
        return ""
    if not _TOKEN_MECHANISMS.isdisjoint(mechanisms):
        return _("The server takes only access tokens (OAuth2); a password will not work there.")
    return _("The server offers only sign-in methods that are not known here: %(names)s.", names=", ".join(mechanisms))


def _password_works(mechanisms: tuple[str, ...]) -> bool:
    return not set(PASSWORD_MECHANISMS).isdisjoint(mechanisms)


def _confirm_host(mailbox: MailAddress, host: str) -> str:
    return _(
        "%(domain)s says its mail goes out through %(host)s. Is that your provider?", domain=mailbox.domain, host=host
    )


def _confirm_provider(mailbox: MailAddress, provider: Provider) -> str:
    return _(
        "Mail to %(domain)s is received by %(provider)s. Is that also where you send from?",
        domain=mailbox.domain,
        provider=provider.name,
    )
