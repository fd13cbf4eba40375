"""Mail addresses as people type them: ``"Doe, John" <j@d.org>`` taken apart, put together, checked and compared."""

from __future__ import annotations

import re
import unicodedata

import idna

from ..i18n import gettext as _
from ..mailbox import Fault, NotAnAddress, addr_spec
from ..safe_text import BLANKS

#: What a display name may hold without quotes: atoms (RFC 5322 §3.2.3), letters of any script, and single blanks.
_PLAIN = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(?: [\w!#$%&'*+/=?^`{|}~-]+)*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)


def split_mailbox(text: str) -> tuple[str, str]:
    """Take ``"Doe, John" <j@d.org>``, ``Doe, John <j@d.org>`` or ``j@d.org`` apart into name and address.

    A quoted name stays a name, whatever it looks like. Neither part is checked; text of another form comes back whole.
    """
    text = text.strip(BLANKS)
    if not text.endswith(">") or "<" not in text:
        return "", text
    name, _angle, address = text[:-1].rpartition("<")
    name = name.strip(BLANKS)
    quoted = _QUOTED.fullmatch(name)
    if quoted is not None:
        name = re.sub(r"\\(.)", r"\1", quoted[1], flags=re.DOTALL)
    elif "<" in name or ">" in name:
        return "", text  # two mailboxes, not one with a strange name
    return name, address.strip(BLANKS)


def format_mailbox(name: str, address: str) -> str:
    """Write name and address for people (not for headers), so that :func:`split_mailbox` gives back exactly these."""
    if not name:
        return address
    if _PLAIN.fullmatch(name) is None:
        name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{name} <{address}>"


def check_address(text: str) -> str:
    """Check one mail address and return it with its domain in lower-case ASCII form (A-labels).

    The rules are those of sending, so what passes here can be sent; IP addresses after the @ are refused besides.
    Local parts outside ASCII are accepted (SMTPUTF8), quoted ones are not; nothing is looked up.

    :raises ValueError: it is no single address; the text is a sentence for the person who typed it.
    """
    if text.count("@") > 1 and re.search(r"[,;\s]", text):
        raise ValueError(_("Enter one address only."))
    try:
        local, _at, domain = addr_spec(text).rpartition("@")
    except NotAnAddress as error:
        raise ValueError(_sentence(error.fault)) from None
    if domain.startswith("["):
        raise ValueError(_("Enter a domain name after the @, not an IP address."))
    return f"{local}@{domain.lower()}"


def _sentence(fault: Fault) -> str:
    match fault:
        case Fault.SHAPE:
            return _("Enter a whole mail address such as billing@example.com.")
        case Fault.LOCAL_TOO_LONG:
            return _("The part before the @ is too long: 64 characters are allowed.")
        case Fault.ROUTE:
            return _("The part before the @ holds a percent sign or an exclamation mark, which cannot be sent to.")
        case Fault.DOMAIN:
            return _("The part after the @ is not a valid domain. Enter one such as example.com.")
        case Fault.TOO_LONG:
            return _("This address is too long: 254 characters are allowed.")
        case _:
            return _("This is not a valid mail address. Enter one such as billing@example.com.")


def address_key(address: str) -> tuple[str, str]:
    """Give the forms under which an address and its domain are looked up; never raises, whatever the text.

    :returns: address and domain, in lower case, the domain in A-labels; empty for an empty text.
    """
    local, _at, domain = address.strip(BLANKS).rpartition("@")
    domain = domain.lower()
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode()
        except (idna.IDNAError, UnicodeError):
            domain = unicodedata.normalize("NFC", domain)
    if not domain:
        return "", ""
    return f"{unicodedata.normalize('NFC', local).lower()}@{domain}", domain
