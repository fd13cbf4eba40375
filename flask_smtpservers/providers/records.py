"""What DNS records say about outgoing mail. Pure: records in, candidates out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..smtp.endpoint import Security
from .address import MailAddress, ascii_name, is_domain, is_under
from .candidate import DISCOVERED_PORTS, Candidate, Source, Trust, from_network, from_preset
from .catalog import Catalog
from .provider import Provider, ProviderServer

#: Firms that filter or forward incoming mail for others: an MX there says nothing about where mail is sent from.
FILTERS = (
    "antispamcloud.com",
    "antispameurope.com",
    "arsmtp.com",
    "barracudanetworks.com",
    "esvacloud.com",
    "expurgate.de",
    "expurgate.net",
    "hornetsecurity.com",
    "hydra.sophos.com",
    "improvmx.com",
    "iphmx.com",
    "mailcontrol.com",
    "mailspamprotection.com",
    "messagelabs.com",
    "mimecast.co.za",
    "mimecast.com",
    "mimecast-offshore.com",
    "mx.cloudflare.net",
    "mxlogic.net",
    "ppe-hosted.com",
    "pphosted.com",
    "retarus.com",
    "spamexperts.com",
    "spamtitan.com",
    "trendmicro.com",
    "trendmicro.eu",
    "vadesecure.com",
)

#: The services of RFC 8314 §5.1 and RFC 6186 §3.1, with what their names say about encryption.
SRV_SERVICES = {"_submissions._tcp": Security.SSL, "_submission._tcp": Security.STARTTLS}
#: The most servers that one answer may make us try.
MAX_SERVERS = 4


@dataclass(frozen=True, slots=True)
class MX:
    """Where a domain's mail is received (RFC 5321 §5.1); the exchange ``.`` means nowhere (RFC 7505)."""

    preference: int
    exchange: str


@dataclass(frozen=True, slots=True)
class SRV:
    """Where a service is (RFC 2782); the target ``.`` means that it is decidedly not offered."""

    priority: int
    weight: int
    port: int
    target: str


@dataclass(frozen=True, slots=True)
class Incoming:
    """What is concluded from a domain's MX records.

    :param host: the best of them, lower case, without a final dot; empty if there is none to conclude from.
    :param filtered: whether a filter stands in front, so that nothing can be concluded.
    """

    host: str = ""
    filtered: bool = False


def incoming(records: Iterable[MX], *, allow_special_use: bool = False) -> Incoming:
    """Read the MX records of a domain: only the most preferred counts."""
    named = sorted((record.preference, ascii_name(record.exchange) or "") for record in records)
    if not named:
        return Incoming()
    host = named[0][1]
    if not is_domain(host, allow_special_use=allow_special_use):
        return Incoming()  # a null MX is among these
    if any(is_under(host, suffix) for suffix in FILTERS):
        return Incoming(filtered=True)
    return Incoming(host)


def from_mx(mailbox: MailAddress, host: str, catalog: Catalog) -> tuple[Provider | None, list[Candidate]]:
    """Return the preset of the firm that receives the mail, and its servers for this region."""
    provider = catalog.provider_of_mx(host)
    if provider is None:
        return None, []
    servers = _region_servers(provider, host) or provider.servers_for(mailbox.domain)
    found = from_preset(mailbox, provider, servers, source=Source.MX_PRESET, trust=Trust.MEDIUM)
    return provider, found[:MAX_SERVERS]


def _region_servers(provider: Provider, host: str) -> tuple[ProviderServer, ...]:
    """Of the regions whose MX this is, take the one that says it most exactly."""
    matches = [(len(suffix), region) for region in provider.regions for suffix in region.mx if is_under(host, suffix)]
    return max(matches, key=lambda match: match[0])[1].servers if matches else ()


def from_srv(
    mailbox: MailAddress, service: str, records: Iterable[SRV], *, allow_special_use: bool = False
) -> list[Candidate]:
    """Turn the SRV records of one service into candidates; what they say of encryption is in the service's name.

    DNS is not authenticated here, so a target outside the domain is of low trust (RFC 6186 §6).
    """
    ordered = sorted(records, key=lambda record: (record.priority, -record.weight))
    usable: list[tuple[str, int]] = []
    for record in ordered:
        host = ascii_name(record.target) or ""
        if record.port in DISCOVERED_PORTS and is_domain(host, allow_special_use=allow_special_use):
            usable.append((host, record.port))
    first = list(SRV_SERVICES).index(service) * MAX_SERVERS
    return [
        from_network(
            mailbox,
            host,
            port,
            SRV_SERVICES[service],
            source=Source.SRV,
            trust=Trust.MEDIUM if is_under(host, mailbox.domain) else Trust.LOW,
            place=first + place,
        )
        for place, (host, port) in enumerate(usable[:MAX_SERVERS])
    ]


def declines(records: Iterable[SRV]) -> bool:
    """Whether the domain says that it does not offer this service (RFC 2782, target ``.``)."""
    targets = [record.target for record in records]
    return bool(targets) and all(target in (".", "") for target in targets)


def guesses(mailbox: MailAddress, declined: Iterable[Security] = ()) -> Iterator[Candidate]:
    """Yield the usual names, implicit TLS first (RFC 8314 §3.3), except what the domain says it does not offer.

    Port 25 is where others deliver to the domain; it is never guessed.
    """
    hosts = [f"smtp.{mailbox.domain}", f"mail.{mailbox.domain}", mailbox.domain]
    ways = [way for way in (Security.SSL, Security.STARTTLS) if way not in set(declined)]
    for place, (security, host) in enumerate((security, host) for security in ways for host in hosts):
        if is_domain(host, allow_special_use=True):
            port = security.usual_port
            yield from_network(mailbox, host, port, security, source=Source.GUESS, trust=Trust.LOW, place=place)
