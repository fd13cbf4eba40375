"""The one thing that a person types: an address, split into its parts, and what counts as a mail domain."""

from __future__ import annotations

from dataclasses import dataclass

import idna

from ..i18n import gettext as _
from ..mailbox import NotAnAddress, addr_spec
from ..smtp.hostname import host_error, ip_literal

#: Endings that lead to nobody on the internet (RFC 6761, RFC 6762, RFC 7686, RFC 8375, RFC 9476).
SPECIAL_USE = (
    "localhost",
    "local",
    "internal",
    "arpa",  # home.arpa among them
    "onion",
    "invalid",
    "test",
    "example",
)

_DOTS = str.maketrans({"\u3002": ".", "\uff0e": ".", "\uff61": "."})  # what IDNA takes for a dot (RFC 3490 §3.1)


@dataclass(frozen=True, slots=True)
class MailAddress:
    """An address in its two parts.

    :param local: as typed; discovery never sends it anywhere.
    :param domain: A-labels, lower case, two or more of them, no final dot.
    """

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"


def parse_address(text: str, *, allow_special_use: bool = False) -> MailAddress:
    """Split a typed address at its last ``@``.

    :param allow_special_use: accepts domains under ``.test``, ``.internal`` and the like.
    :raises ValueError: the text is a sentence that says what is wrong.
    """
    local, at, domain = text.strip().rpartition("@")
    if not at or not local or not domain:
        raise ValueError(_("Enter a full mail address, such as me@example.com."))
    name = domain_of(domain, allow_special_use=allow_special_use)
    try:
        address = addr_spec(f"{local}@{name}")
    except NotAnAddress:
        raise ValueError(
            _("The part of a mail address before the @ has at most 64 characters, no blanks and no other @.")
        ) from None
    return MailAddress(address.removesuffix(f"@{name}"), name)


def domain_of(text: str, *, allow_special_use: bool = False) -> str:
    """Bring a mail domain into its one form.

    :raises ValueError: it is none; the text is a sentence.
    """
    name = ascii_name(text)
    if name is None or not is_domain(name, allow_special_use=True):
        raise ValueError(_("What follows the @ is not the domain of a mail address, such as example.com."))
    if not allow_special_use and not is_domain(name):
        raise ValueError(_("%(domain)s is not a domain on the internet; nothing can be looked up for it.", domain=name))
    return name


def ascii_name(text: str) -> str | None:
    """Return a name as lower-case A-labels without a final dot; None if IDNA does not know how."""
    name = text.translate(_DOTS).removesuffix(".")
    if name.isascii():
        return name.lower()
    try:
        return idna.encode(name, uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        return None


def is_domain(name: str, *, allow_special_use: bool = False) -> bool:
    """Tell whether ``name`` is a full name on the internet: LDH labels, two or more, no address, no special use."""
    if host_error(name) is not None or ip_literal(name) is not None or "." not in name:
        return False
    return allow_special_use or name.rpartition(".")[2] not in SPECIAL_USE


def is_under(name: str, domain: str) -> bool:
    """Tell whether ``name`` is ``domain`` or lies below it, on label boundaries."""
    return name == domain or name.endswith(f".{domain}")
