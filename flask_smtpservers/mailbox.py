"""A display name with an address, read strictly: no reader may find another address in it (RFC 5322 §3.4).

What a form takes and what is sent are read here, by the same rules: an address that can be saved can be sent.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.headerregistry import Address
from enum import Enum, auto
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

import idna

from .errors import MessageRefused
from .i18n import gettext as _
from .safe_text import collapse, unsafe_character

#: RFC 5321 §4.5.3.1: the longest local part, domain and path (without its angle brackets), in octets.
LOCAL_LIMIT, DOMAIN_LIMIT, ADDRESS_LIMIT = 64, 255, 254

# Without "%" and "!": relays once took them for routes, and readers still differ (RFC 5321 appendix C).
# Letters beyond ASCII are those of RFC 6531; which of them are fine, :func:`_local_part` looks at one by one.
_ATOM = r"[A-Za-z0-9#$&'*+/=?^_`{|}~\u0080-\U0010ffff-]+"
_DOT_ATOM = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
#: What stands before the @ of nearly every address; the rules below would find nothing wrong with it.
_PLAIN_LOCAL = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*")
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
    def is_ascii(self) -> bool:
        """Whether every server takes the address; another one needs the extension SMTPUTF8 (RFC 6531)."""
        return self.address.isascii()

    @property
    def key(self) -> str:
        """What tells mailboxes apart: the local part exactly, the domain without case (RFC 5321 §2.4)."""
        local, _at, domain = self.address.rpartition("@")
        return f"{local}@{domain.lower()}"

    def __str__(self) -> str:
        """Return the mailbox as a person writes it: the name quoted where it must be, non-ASCII left as it is."""
        local, _at, domain = self.address.rpartition("@")
        return str(Address(display_name=self.name, username=local, domain=domain))


@lru_cache(maxsize=256)
def mailbox(name: str, address: str) -> Mailbox:
    """Make a mailbox from its two parts; neither can leak into the other.

    :raises MessageRefused: the address is wrong, or the name holds control characters.
    """
    return Mailbox(_clean_name(name), parse_address(address))


@lru_cache(maxsize=256)
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


@lru_cache(maxsize=256)
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


class Fault(Enum):
    """What is wrong with a text that is no address."""

    CONTROL = auto()
    SHAPE = auto()
    LOCAL = auto()
    LOCAL_TOO_LONG = auto()
    ROUTE = auto()
    DOMAIN = auto()
    TOO_LONG = auto()


class NotAnAddress(ValueError):
    """The text is no addr-spec that every reader understands alike; ``fault`` tells why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.name)
        self.fault = fault


def parse_address(text: str) -> str:
    """Check an addr-spec and return it as :func:`addr_spec` does; blanks around it are dropped.

    :raises MessageRefused: with what is wrong, as a sentence.
    """
    _refuse_unsafe(text)
    try:
        return addr_spec(text.strip(" "))
    except NotAnAddress as error:
        fault = error.fault
    match fault:
        case Fault.SHAPE:
            sentence = _('"%(text)s" is not an e-mail address: write it like name@example.org.', text=text)
        case Fault.DOMAIN:
            sentence = _('"%(text)s" is not one e-mail address: the part after the @ is wrong.', text=text)
        case Fault.TOO_LONG:
            sentence = _('"%(text)s" is too long for an e-mail address.', text=text)
        case _:
            sentence = _('"%(text)s" is not one e-mail address: the part before the @ is wrong.', text=text)
    raise MessageRefused(sentence)


def addr_spec(text: str) -> str:
    """Check an addr-spec and return it with the domain in A-labels (UTS #46, IDNA 2008) and the local part in form C.

    ASCII stays as it is. Local parts beyond ASCII are fine (RFC 6531); whether a server takes them shows when it is
    asked. Quoted ones are refused: few servers take them, and readers differ about them.

    :raises NotAnAddress: it is none, or more than one.
    """
    if unsafe_character(text):
        raise NotAnAddress(Fault.CONTROL)
    local, at, domain = text.rpartition("@")
    if not at or not local or not domain:
        raise NotAnAddress(Fault.SHAPE)
    local, checked = _local_part(local), _checked_domain(domain)
    if not checked:
        raise NotAnAddress(Fault.DOMAIN)
    address = f"{local}@{checked}"
    if len(address.encode()) > ADDRESS_LIMIT:
        raise NotAnAddress(Fault.TOO_LONG)
    return address


def _local_part(local: str) -> str:
    if local.isascii() and len(local) <= LOCAL_LIMIT and _PLAIN_LOCAL.fullmatch(local):
        return local
    local = unicodedata.normalize("NFC", local)  # RFC 6532 §3.1
    if len(local.encode()) > LOCAL_LIMIT:
        raise NotAnAddress(Fault.LOCAL_TOO_LONG)
    # The compatibility form is what some readers compare: a wide percent sign is to them what the plain one is.
    compatible = unicodedata.normalize("NFKC", local)
    if "%" in compatible or "!" in compatible:
        raise NotAnAddress(Fault.ROUTE)
    encoded_word = "=?" in local and "?=" in local
    if encoded_word or not all(_DOT_ATOM.fullmatch(form) for form in (local, compatible)):
        raise NotAnAddress(Fault.LOCAL)
    if not local.isascii() and not all(map(_is_readable, local.split("."))):
        raise NotAnAddress(Fault.LOCAL)
    return local


def _is_readable(atom: str) -> bool:
    """Whether an atom has letters, marks, digits, punctuation and symbols only, and does not begin with a mark.

    A mark would change the sign before it; blanks and signs without a shape make two addresses look like one.
    """
    kinds = [unicodedata.category(sign)[0] for sign in atom]
    return kinds[0] != "M" and not {"C", "Z"}.intersection(kinds)


@lru_cache(maxsize=512)
def _checked_domain(domain: str) -> str:
    """Return the domain in A-labels, or an empty text if it is none."""
    if len(domain) > DOMAIN_LIMIT:
        return ""  # before anything is computed of it
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
    return domain if all(_LABEL.fullmatch(label) for label in labels) and not labels[-1].isdigit() else ""


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
