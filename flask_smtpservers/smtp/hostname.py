"""What may stand in a host field: one strict reading of names and addresses, the same everywhere."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection

import idna

from ..i18n import gettext as _

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}\Z")
_IPV6 = re.compile(r"[0-9A-Fa-f:]+(?:[0-9.]+)?\Z")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\Z")
_NUMERIC = re.compile(r"(?:0[xX][0-9A-Fa-f]*|[0-9]+)\Z")

#: Names of this machine (RFC 6761 §6.3).
LOCALHOST = "localhost"


def ip_literal(text: str) -> IPAddress | None:
    """Read a canonical IP literal: four plain decimal numbers, or IPv6 without a zone id; else None.

    The many other spellings that C libraries take for an address (``0177.1``, ``2130706433``) are not addresses here.
    """
    if _IPV4.match(text):
        return ipaddress.IPv4Address(text)
    if ":" in text and _IPV6.match(text):
        try:
            return ipaddress.IPv6Address(text)
        except ValueError:
            return None
    return None


def host_error(host: str, *, allowed_hosts: Collection[str] = (), allow_localhost: bool = False) -> str | None:
    """Say why ``host`` cannot stand as the host of a server.

    :param host: what was typed, already trimmed.
    :param allowed_hosts: names, in lower case, that the operator allows although they have no dot.
    :param allow_localhost: whether ``localhost`` may be used, because loopback addresses may.
    :returns: one sentence, or None if the host has the right form. Nothing is looked up.
    """
    if host.lower() in allowed_hosts:
        return _form_error(host)
    if ip_literal(host) is not None:
        return None
    if host.lower() == LOCALHOST:
        return None if allow_localhost else _("localhost may be used only if the operator allows loopback addresses.")
    return _form_error(host) or _name_error(host)


def _form_error(host: str) -> str | None:
    """Say what is wrong with the characters, whatever the host is."""
    if not host:
        return _("Enter a host name such as smtp.example.com.")
    if any(ord(character) <= 32 or ord(character) == 127 for character in host):
        return _("A host name holds no blanks or control characters.")
    if "://" in host or "/" in host:
        return _("Enter only the host name, such as smtp.example.com, not a web address or a path.")
    if "@" in host:
        return _("This is an e-mail address; enter the name of the mail server, such as smtp.example.com.")
    if "%" in host:
        return _("An IPv6 address with a zone cannot be used; nor can a percent sign.")
    if host.startswith("["):
        return _("Write the IPv6 address without square brackets.")
    if ":" in host:
        return _("Enter the host name without the port; the port has its own field.")
    if not host.isascii():
        return _ascii_advice(host)
    return None


def _ascii_advice(host: str) -> str:
    try:
        name = idna.encode(host, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return _("A host name holds only the letters a to z, digits, hyphens and dots.")
    return _("Write the host name in its ASCII form: %(name)s", name=name)


def _name_error(host: str) -> str | None:
    """Say what is wrong with an ASCII name (RFC 1123 §2.1, RFC 1035 §2.3.4)."""
    if len(host) > 253:
        return _("A host name has at most 253 characters.")
    if host.endswith("."):
        return _("Leave out the dot at the end.")
    labels = host.split(".")
    if "" in labels:
        return _("The host name has a dot too many.")
    if any(len(label) > 63 for label in labels):
        return _("The part of a host name between two dots has at most 63 characters.")
    if _NUMERIC.match(labels[-1]):
        return _("This is neither a host name nor an IP address; an IPv4 address is written like 192.0.2.1.")
    if not all(_LABEL.match(label) for label in labels):
        return _("A host name holds only letters, digits and hyphens between its dots, and no hyphen beside a dot.")
    if len(labels) == 1:
        return _("The host name needs a dot, as in smtp.example.com; the operator can allow short names.")
    return None
