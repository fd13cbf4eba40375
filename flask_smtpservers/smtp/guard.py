"""Where a session may connect to: the network guard (server-side request forgery, DNS rebinding).

The lists are those of the IANA special-purpose address registries (RFC 6890 and its successors), written down here
because :attr:`ipaddress.IPv4Address.is_global` changes between Python versions and knows no translated addresses.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Sequence
from enum import IntEnum

from ..errors import AddressBlocked
from ..findings import Stage
from ..i18n import gettext as _
from .hostname import LOCALHOST, IPAddress, host_error, ip_literal
from .network import Address

__all__ = ["Guard", "Verdict", "classify", "host_error"]

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(*texts: str) -> tuple[IPNetwork, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


#: Never a mail server, whatever anybody allows.
FORBIDDEN = _networks(
    "0.0.0.0/8",  # this network
    "169.254.0.0/16",  # link-local; cloud metadata
    "224.0.0.0/4",  # multicast
    "255.255.255.255/32",  # broadcast
    "100.100.100.200/32",  # Alibaba Cloud metadata
    "168.63.129.16/32",  # Azure platform services
    "192.0.0.192/32",  # Oracle Cloud metadata
    "::/128",  # unspecified
    "fe80::/10",  # link-local
    "ff00::/8",  # multicast
    "fd00:ec2::254/128",  # AWS metadata
    "fd20:ce::254/128",  # Google Cloud metadata
)

#: Not public; the operator may allow some of it.
SPECIAL = _networks(
    "10.0.0.0/8",  # private, RFC 1918
    "100.64.0.0/10",  # shared address space, RFC 6598
    "127.0.0.0/8",  # loopback
    "172.16.0.0/12",  # private
    "192.0.0.0/24",  # IETF protocol assignments
    "192.0.2.0/24",  # documentation
    "192.31.196.0/24",  # AS112
    "192.52.193.0/24",  # AMT
    "192.88.99.0/24",  # 6to4 relays
    "192.168.0.0/16",  # private
    "192.175.48.0/24",  # AS112
    "198.18.0.0/15",  # benchmarks
    "198.51.100.0/24",  # documentation
    "203.0.113.0/24",  # documentation
    "240.0.0.0/4",  # reserved
    "2001::/23",  # IETF protocol assignments, Teredo and ORCHID among them
    "2001:db8::/32",  # documentation
    "2002::/16",  # 6to4
    "2620:4f:8000::/48",  # AS112
    "3fff::/20",  # documentation
)

#: All that is handed out as public IPv6; everything else is special.
_GLOBAL_IPV6 = ipaddress.IPv6Network("2000::/3")
#: Translated by the network itself: the address within decides alone (RFC 4291 §2.5.5.2, RFC 6052).
_TRANSPARENT = (ipaddress.IPv6Network("::ffff:0:0/96"), ipaddress.IPv6Network("64:ff9b::/96"))
#: Carry an IPv4 address in their last 32 bits, but are special themselves.
_EMBEDDING = (ipaddress.IPv6Network("::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_LOOPBACK = _networks("127.0.0.0/8", "::1/128")


class Verdict(IntEnum):
    """What an address is to the guard; the greater, the worse."""

    PUBLIC = 0
    SPECIAL = 1
    FORBIDDEN = 2


def classify(ip: IPAddress) -> Verdict:
    """Judge one address by the registries, together with the address that it may carry within."""
    if isinstance(ip, ipaddress.IPv6Address):
        return _classify_ipv6(ip)
    if _in(ip, FORBIDDEN):
        return Verdict.FORBIDDEN
    return Verdict.SPECIAL if _in(ip, SPECIAL) else Verdict.PUBLIC


def _classify_ipv6(ip: ipaddress.IPv6Address) -> Verdict:
    if _in(ip, FORBIDDEN):
        return Verdict.FORBIDDEN
    if _in(ip, _TRANSPARENT):
        return classify(_last_four_bytes(ip))
    carried = [_last_four_bytes(ip)] if _in(ip, _EMBEDDING) and ip != ipaddress.IPv6Address("::1") else []
    if ip.sixtofour is not None:
        carried.append(ip.sixtofour)
    if ip.teredo is not None:
        carried.append(ip.teredo[1])
    if ip not in _GLOBAL_IPV6 or _in(ip, SPECIAL):
        return max([Verdict.SPECIAL, *(classify(inner) for inner in carried)])
    return Verdict.PUBLIC


def _in(ip: IPAddress, networks: Iterable[IPNetwork]) -> bool:
    return any(ip in network for network in networks)


def _last_four_bytes(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)


class Guard:
    """Decides which hosts and addresses a session may use. Immutable; one for all sessions of a kind.

    :param allowed_networks: what the operator allows besides public addresses. Link-local addresses, cloud metadata,
        multicast, broadcast and the unspecified address stay forbidden whatever stands here.
    :param allowed_hosts: names that the operator allows although they have no dot or stand only in the machine's
        hosts file. Their addresses are judged like all others.
    :param ports: the only ports that may be used; None for all.
    """

    def __init__(
        self,
        allowed_networks: Iterable[IPNetwork | str] = (),
        allowed_hosts: Collection[str] = (),
        ports: Collection[int] | None = None,
    ) -> None:
        self.allowed_networks = tuple(ipaddress.ip_network(str(network)) for network in allowed_networks)
        self.allowed_hosts = frozenset(host.lower() for host in allowed_hosts)
        self.ports = None if ports is None else frozenset(ports)

    @property
    def allows_loopback(self) -> bool:
        """Whether some loopback address may be used, and so the name ``localhost``."""
        return any(
            network.version == loopback.version and network.overlaps(loopback)
            for network in self.allowed_networks
            for loopback in _LOOPBACK
        )

    def is_local_name(self, host: str) -> bool:
        """Whether ``host`` is to be looked up as it stands, hosts file and search domains included."""
        return host.lower() in self.allowed_hosts or host.lower() == LOCALHOST

    def check_host(self, host: str, port: int | None = None) -> None:
        """Refuse what is no host name, and literal addresses and ports that may not be used; looks nothing up.

        :raises AddressBlocked: the text says why.
        """
        error = host_error(host, allowed_hosts=self.allowed_hosts, allow_localhost=self.allows_loopback)
        if error:
            raise AddressBlocked(error, stage=Stage.RESOLVE)
        if port is not None and self.ports is not None and port not in self.ports:
            raise AddressBlocked(_("Port %(port)s may not be used.", port=port), stage=Stage.RESOLVE)
        literal = ip_literal(host)
        if literal is not None and not self.permits(literal):
            raise self._blocked(host, str(literal))

    def vet(self, host: str, addresses: Sequence[Address]) -> None:
        """Check every address that ``host`` has; one that is not allowed rejects them all.

        :raises AddressBlocked: the text names the address.
        """
        for address in addresses:
            if self.ports is not None and address.port not in self.ports:
                raise AddressBlocked(_("Port %(port)s may not be used.", port=address.port), stage=Stage.RESOLVE)
            try:
                ip = ipaddress.ip_address(address.ip)
            except ValueError:
                raise self._blocked(host, address.ip) from None
            if not self.permits(ip):
                raise self._blocked(host, address.ip)

    def permits(self, ip: IPAddress) -> bool:
        """Whether a session may connect to ``ip``."""
        verdict = classify(ip)
        if verdict is Verdict.SPECIAL:
            inner = _last_four_bytes(ip) if isinstance(ip, ipaddress.IPv6Address) and _in(ip, _TRANSPARENT) else ip
            return _in(inner, self.allowed_networks) or _in(ip, self.allowed_networks)
        return verdict is Verdict.PUBLIC

    def _blocked(self, host: str, ip: str) -> AddressBlocked:
        text = _(
            "%(host)s leads to %(address)s, which is not a public address; the operator has not allowed it.",
            host=host,
            address=ip,
        )
        return AddressBlocked(text, stage=Stage.RESOLVE)
