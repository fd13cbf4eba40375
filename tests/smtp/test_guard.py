"""The network guard (S01-S05, S12 of the threat model)."""

from __future__ import annotations

import ipaddress
import socket

import pytest

from flask_smtpservers.errors import AddressBlocked
from flask_smtpservers.findings import Stage
from flask_smtpservers.smtp import Address, Guard
from flask_smtpservers.smtp.guard import Verdict, classify

PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "198.18.0.1",
]
PRIVATE += ["192.0.0.1", "192.0.2.1", "198.51.100.1", "203.0.113.1", "192.88.99.1", "240.0.0.1", "255.255.255.254"]
PRIVATE += [
    "::1",
    "fc00::1",
    "fd12:3456::1",
    "fec0::1",
    "2001:db8::1",
    "3fff::1",
    "2001::1",
    "2001:20::1",
    "2620:4f:8000::1",
]
PRIVATE += ["100::1", "5f00::1", "4000::1", "64:ff9b:1::808:808", "::8.8.8.8", "2002:808:808::1"]
PRIVATE += [
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "2002:7f00:1::1",
    "2002:a00:1::",
]
HARD = ["0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.0.1", "224.0.0.1", "239.255.255.255", "255.255.255.255"]
HARD += ["100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"]
HARD += [
    "::",
    "fe80::1",
    "febf::1",
    "ff02::1",
    "::ffff:a9fe:a9fe",
    "::ffff:0.0.0.0",
    "::ffff:255.255.255.255",
    "64:ff9b::a9fe:a9fe",
]
HARD += ["2002:a9fe:a9fe::1", "::169.254.169.254", "64:ff9b:1::a9fe:a9fe", "2001:0:a9fe:a9fe::5601:5601"]
PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "172.32.0.1",
    "172.15.255.255",
    "100.128.0.1",
    "223.255.255.255",
    "126.255.255.255",
    "192.0.1.1",
]
PUBLIC += ["2606:4700::1111", "2a00:1450:4001::6d", "2001:4860:4860::8888", "64:ff9b::808:808", "::ffff:8.8.8.8"]

EVERYTHING = Guard(["0.0.0.0/0", "::/0"])


def address(ip: str, port: int = 587) -> Address:
    return Address(socket.AF_INET6 if ":" in ip else socket.AF_INET, ip, port)


@pytest.mark.parametrize(
    ("ip", "verdict"),
    [
        *((ip, Verdict.PUBLIC) for ip in PUBLIC),
        *((ip, Verdict.SPECIAL) for ip in PRIVATE),
        *((ip, Verdict.FORBIDDEN) for ip in HARD),
    ],
)
def test_registries(ip: str, verdict: Verdict) -> None:
    """Addresses are judged by the IANA registries, translated ones by what they carry within."""
    if ip in ("2001:0:a9fe:a9fe::5601:5601",):  # Teredo keeps the client inverted: this one is 169.254.169.254
        assert ipaddress.IPv6Address(ip).teredo == (
            ipaddress.ip_address("169.254.169.254"),
            ipaddress.ip_address("169.254.169.254"),
        )
    assert classify(ipaddress.ip_address(ip)) is verdict


@pytest.mark.parametrize("ip", PRIVATE + HARD)
def test_denied_by_default(ip: str) -> None:
    """Nothing that is not public may be used, as a literal or behind a name (S01, S02)."""
    with pytest.raises(AddressBlocked) as caught:
        Guard().check_host(ip)
    assert caught.value.stage is Stage.RESOLVE
    assert caught.value.permanent
    with pytest.raises(AddressBlocked, match=r"mail\.example\.com leads to"):
        Guard().vet("mail.example.com", [address(ip)])


@pytest.mark.parametrize("ip", PUBLIC)
def test_public_addresses(ip: str) -> None:
    """Public addresses need nobody's permission."""
    Guard().check_host(ip)
    Guard().vet("mail.example.com", [address(ip)])


@pytest.mark.parametrize("ip", PRIVATE)
def test_allowed_networks(ip: str) -> None:
    """The operator can allow what is not public."""
    EVERYTHING.check_host(ip)
    EVERYTHING.vet("mail.example.com", [address(ip)])


@pytest.mark.parametrize("ip", HARD)
def test_hard_denials(ip: str) -> None:
    """Link-local, metadata, multicast, broadcast and unspecified stay forbidden whatever is allowed (S04)."""
    with pytest.raises(AddressBlocked):
        EVERYTHING.check_host(ip)
    with pytest.raises(AddressBlocked):
        EVERYTHING.vet("mail.example.com", [address(ip)])


def test_one_bad_address_rejects_all() -> None:
    """A name with a public and a private address is rejected entirely (S05)."""
    for addresses in (["8.8.8.8", "10.0.0.1"], ["10.0.0.1", "8.8.8.8"], ["2606:4700::1111", "::1"]):
        with pytest.raises(AddressBlocked):
            Guard().vet("mail.example.com", [address(ip) for ip in addresses])


def test_an_allowed_network_allows_itself_only() -> None:
    """10.1.2.0/24 opens 10.1.2.3, in IPv6 clothes too, and not 10.1.3.3 (S12)."""
    guard = Guard([ipaddress.ip_network("10.1.2.0/24")])
    guard.check_host("10.1.2.3")
    guard.check_host("::ffff:10.1.2.3")
    for ip in ("10.1.3.3", "::ffff:10.1.3.3", "127.0.0.1"):
        with pytest.raises(AddressBlocked):
            guard.check_host(ip)


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "http://x.test", "a b.test", "mail", "localhost", ""])
def test_what_is_no_host(host: str) -> None:
    """What has not the form of a host is blocked before any look-up (S03, S08)."""
    with pytest.raises(AddressBlocked):
        Guard().check_host(host)


@pytest.mark.parametrize("network", ["127.0.0.0/8", "127.0.0.1/32", "::1/128"])
def test_localhost_goes_with_loopback(network: str) -> None:
    """The name localhost may be used when some loopback address may."""
    Guard([network]).check_host("localhost")


def test_allowed_hosts_are_names_only() -> None:
    """A name on the operator's list may be short, but where it leads is judged like everything else."""
    guard = Guard(allowed_hosts=["Mailer"])
    guard.check_host("mailer")
    assert guard.is_local_name("MAILER")
    assert not guard.is_local_name("smtp.example.com")
    with pytest.raises(AddressBlocked):
        guard.vet("mailer", [address("172.18.0.3")])
    Guard(["172.18.0.0/16"], ["mailer"]).vet("mailer", [address("172.18.0.3")])


def test_ports() -> None:
    """A guard may allow certain ports only (S09)."""
    guard = Guard(ports=[465, 587])
    guard.check_host("mail.example.com", 587)
    for port in (22, 6379):
        with pytest.raises(AddressBlocked, match=f"Port {port}"):
            guard.check_host("mail.example.com", port)
        with pytest.raises(AddressBlocked, match=f"Port {port}"):
            guard.vet("mail.example.com", [address("8.8.8.8", port)])


def test_an_address_that_is_none() -> None:
    """A resolver that answers nonsense is not followed."""
    with pytest.raises(AddressBlocked):
        EVERYTHING.vet("mail.example.com", [Address(socket.AF_INET, "nonsense", 25)])
