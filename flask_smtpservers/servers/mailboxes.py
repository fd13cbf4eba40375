"""Mail addresses as people type them: ``"Doe, John" <j@d.org>`` taken apart, put together, checked and compared."""

from __future__ import annotations

import re
import unicodedata

import email_validator
import idna

from ..i18n import gettext as _
from .texts import BLANKS

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

    Local parts outside ASCII are accepted (SMTPUTF8), quoted ones are not; nothing is looked up.

    :raises ValueError: it is no single address; the text is a sentence for the person who typed it.
    """
    if text.count("@") > 1 and re.search(r"[,;\s]", text):
        raise ValueError(_("Enter one address only."))
    local, at, domain = text.rpartition("@")
    if not (local and at and domain):
        raise ValueError(_("Enter a whole mail address such as billing@example.com."))
    if len(local.encode("utf-8", "replace")) > 64:  # RFC 5321 §4.5.3.1.1
        raise ValueError(_("The part before the @ is too long: 64 characters are allowed."))
    # email-validator refuses reserved names such as .test and .local, where internal servers live. A name below a
    # public domain passes, and all its other rules still apply.
    suffix = ".com" if _reserved(domain) else ""
    try:
        checked = email_validator.validate_email(
            f"{local}@{domain}{suffix}", check_deliverability=False, globally_deliverable=False
        )
    except email_validator.EmailNotValidError:
        raise ValueError(_("This is not a valid mail address. Enter one such as billing@example.com.")) from None
    return f"{checked.local_part}@{(checked.ascii_domain or '').lower().removesuffix(suffix)}"


def _reserved(domain: str) -> bool:
    labels = domain.lower()
    return any(labels == name or labels.endswith(f".{name}") for name in email_validator.SPECIAL_USE_DOMAIN_NAMES)


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
