"""A display name with an address, read strictly: no reader may find another address in it (RFC 5322 §3.4)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.headerregistry import Address
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

import idna

from ..errors import MessageRefused
from ..i18n import gettext as _
from .safe_text import collapse, unsafe_character

#: RFC 5321 §4.5.3.1: the longest local part, domain and path (without its angle brackets), in octets.
LOCAL_LIMIT, DOMAIN_LIMIT, ADDRESS_LIMIT = 64, 255, 254

# Without "%" and "!": relays once took them for routes, and readers still differ (RFC 5321 appendix C).
_DOT_ATOM = re.compile(r"[A-Za-z0-9#$&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9#$&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\(.)")
_SPECIALS = re.compile(r'[()<>\[\]:;@\\,"]')


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A display name (may be empty) and an address whose domain is in A-labels. Make one with :func:`mailbox`."""

    name: str
    address: str

    @property
    def key(self) -> str:
        """What tells mailboxes apart: the local part exactly, the domain without case (RFC 5321 §2.4)."""
        local, _at, domain = self.address.rpartition("@")
        return f"{local}@{domain.lower()}"

    def __str__(self) -> str:
        """Return the mailbox as a person writes it: the name quoted where it must be, non-ASCII left as it is."""
        local, _at, domain = self.address.rpartition("@")
        return str(Address(display_name=self.name, username=local, domain=domain))


def mailbox(name: str, address: str) -> Mailbox:
    """Make a mailbox from its two parts; neither can leak into the other.

    :raises MessageRefused: the address is wrong, or the name holds control characters.
    """
    return Mailbox(_clean_name(name), parse_address(address))


def parse_mailbox(text: str) -> Mailbox:
    """Read exactly one mailbox: ``j@d.org``, ``Jane Doe <j@d.org>`` or ``"Doe, John" <j@d.org>``.

    :raises MessageRefused: it is more than one address, a group, has comments or a route, or control characters.
    """
    _refuse_unsafe(text)
    text = text.strip(" ")
    if not text.endswith(">"):
        return Mailbox("", parse_address(text))
    head, bracket, address = text[:-1].rpartition("<")
    if not bracket:
        raise MessageRefused(_('"%(text)s" is not an e-mail address.', text=text))
    return mailbox(_read_phrase(head.strip(" "), text), address)


def recover(text: str) -> Mailbox:
    """Read a sender that Flask-Mail made of a tuple: ``Doe, John <j@d.org>``, which quotes nothing.

    All before the last ``<`` is the name, whatever it looks like, so a name can never decide the address.

    :raises MessageRefused: the address is wrong, or there are control characters.
    """
    _refuse_unsafe(text)
    text = text.strip(" ")
    if not text.endswith(">") or "<" not in text:
        return Mailbox("", parse_address(text))
    name, _bracket, address = text[:-1].rpartition("<")
    return mailbox(_unquoted(name.strip(" ")), address)


def parse_address(text: str) -> str:
    """Check an addr-spec and return it with the domain in A-labels (UTS #46, IDNA 2008); ASCII keeps its case.

    Quoted local parts are refused: few servers take them, and readers differ about them.

    :raises MessageRefused: with what is wrong, as a sentence.
    """
    _refuse_unsafe(text)
    text = text.strip(" ")
    local, at, domain = text.rpartition("@")
    if not at or not local or not domain:
        raise MessageRefused(_('"%(text)s" is not an e-mail address: write it like name@example.org.', text=text))
    if not local.isascii():
        raise MessageRefused(
            _(
                '"%(text)s" has letters before the @ that most mail servers do not take.',
                text=text,
            )
        )
    encoded_word = local.startswith("=?") and local.endswith("?=")
    if not _DOT_ATOM.fullmatch(local) or encoded_word or len(local) > LOCAL_LIMIT:
        raise MessageRefused(_('"%(text)s" is not one e-mail address: the part before the @ is wrong.', text=text))
    address = f"{local}@{_domain(domain, text)}"
    if len(address) > ADDRESS_LIMIT:
        raise MessageRefused(_('"%(text)s" is too long for an e-mail address.', text=text))
    return address


def _domain(domain: str, text: str) -> str:
    checked = _checked_domain(domain)
    if not checked:
        raise MessageRefused(_('"%(text)s" is not one e-mail address: the part after the @ is wrong.', text=text))
    return checked


@lru_cache(maxsize=512)
def _checked_domain(domain: str) -> str:
    """Return the domain in A-labels, or an empty text if it is none."""
    if domain.startswith("[") and domain.endswith("]"):
        return domain if _is_literal(domain[1:-1]) else ""
    try:
        if not domain.isascii():
            domain = idna.encode(domain, uts46=True, std3_rules=True).decode("ascii")
        labels = domain.split(".")
        for label in labels:
            if label.lower().startswith("xn--"):
                idna.ulabel(label)
    except UnicodeError:  # idna's errors are of this kind
        return ""
    fine = all(_LABEL.fullmatch(label) for label in labels) and not labels[-1].isdigit() and len(domain) <= DOMAIN_LIMIT
    return domain if fine else ""


def _is_literal(text: str) -> bool:
    """Whether it is the inside of an address literal (RFC 5321 §4.1.3)."""
    try:
        if text[:5].lower() == "ipv6:":
            return IPv6Address(text[5:]).scope_id is None
        return bool(IPv4Address(text))
    except ValueError:
        return False


def _read_phrase(head: str, text: str) -> str:
    """Return the name before the angle brackets; unquoted, it may hold no character that could begin something else."""
    name = _unquoted(head)
    if name == head and _SPECIALS.search(head):
        raise MessageRefused(
            _(
                '"%(text)s" is not one e-mail address: put the name in quotation marks or pass a pair.',
                text=text,
            )
        )
    return name


def _unquoted(name: str) -> str:
    quoted = _QUOTED.fullmatch(name)
    return _ESCAPE.sub(r"\1", quoted.group(1)) if quoted else name


def _clean_name(name: str) -> str:
    """Return the display name as a person reads it; hosts also pass names that are already encoded (RFC 2047)."""
    _refuse_unsafe(name)
    if "=?" in name:
        name = decoded(name)
    unsafe = unsafe_character(name, bidi=False)
    if unsafe:
        shown = _shown(name)
        raise MessageRefused(
            _('The name "%(name)s" holds the control character %(unsafe)s.', name=shown, unsafe=unsafe)
        )
    return collapse(name)


def decoded(text: str) -> str:
    """Decode the encoded-words of a header value; text that only looks like them stays as it is."""
    try:
        return str(make_header(decode_header(text)))
    except (HeaderParseError, UnicodeError, LookupError):
        return text


def _refuse_unsafe(text: str) -> None:
    unsafe = unsafe_character(text)
    if unsafe:
        raise MessageRefused(_('"%(text)s" holds the control character %(unsafe)s.', text=_shown(text), unsafe=unsafe))


def _shown(text: str) -> str:
    """Make a text with control characters fit for an error message and a log line."""
    return text.encode("unicode_escape").decode("ascii")[:200]
