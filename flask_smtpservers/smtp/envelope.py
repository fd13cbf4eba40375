"""The envelope of a message: its addresses and options, checked before they become commands (RFC 5321 §3.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import idna

from ..errors import MessageRefused
from ..i18n import gettext as _
from .reply import Reply

#: The longest address, in octets (RFC 5321 §4.5.3.1.3: a path of 256 includes the angle brackets).
MAX_ADDRESS = 254

_MAIL_KEYWORDS = frozenset({"BODY", "SIZE", "SMTPUTF8", "RET", "ENVID"})
_RCPT_KEYWORDS = frozenset({"NOTIFY", "ORCPT"})
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~]+))?\Z")
_UNFIT = re.compile(r"[\x00-\x20\x7f<>\ud800-\udfff]")
_PLAIN_DOMAIN = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\Z|\[[A-Za-z0-9.:-]+\]\Z")


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who sends to whom.

    :param sender: the envelope sender (addr-spec); empty for the null sender of notifications.
    :param recipients: addr-specs; one RCPT each, repeated ones once.
    :param mail_options: parameters of MAIL, of: BODY, SIZE, SMTPUTF8, RET, ENVID.
    :param rcpt_options: parameters of every RCPT, of: NOTIFY, ORCPT.
    """

    sender: str
    recipients: tuple[str, ...]
    mail_options: tuple[str, ...] = ()
    rcpt_options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a message that the server took.

    :param accepted: the recipients that the server took responsibility for.
    :param refused: the others, each with the server's reply (or ours, where the address could not even be sent).
    :param reply: the reply to the content.
    :param queue_id: the server's id of the message; empty if it named none.
    """

    accepted: tuple[str, ...]
    refused: Mapping[str, Reply]
    reply: Reply
    queue_id: str


@dataclass(frozen=True, slots=True)
class Path:
    """An address in the form in which it travels: ``text`` is the addr-spec with its domain in A-labels."""

    text: str

    @property
    def needs_utf8(self) -> bool:
        """Whether it takes the SMTPUTF8 extension (RFC 6531), because its local part is not ASCII."""
        return not self.text.isascii()


def path_of(address: str) -> Path:
    """Bring an address into the form in which it travels.

    :raises MessageRefused: it could break the command (or is too long, or has an impossible domain).
    """
    if _UNFIT.search(address):
        text = _(
            "The address %(address)s holds a blank, a control character or an angle bracket.",
            address=ascii(address[:80]),
        )
        raise MessageRefused(text)
    local, at, domain = address.rpartition("@")
    if at and not _PLAIN_DOMAIN.match(domain):
        domain = _ascii_domain(address, domain)
    path = f"{local}{at}{domain}"
    if len(path.encode("utf-8", "replace")) > MAX_ADDRESS:
        raise MessageRefused(_("The address %(address)s is too long.", address=ascii(address[:80])))
    return Path(path)


def _ascii_domain(address: str, domain: str) -> str:
    """UTS #46, non-transitional: ``faß.de`` is not ``fass.de``."""
    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        pass
    raise MessageRefused(_("The domain of the address %(address)s cannot exist.", address=ascii(address[:80])))


def mail_parameters(options: Iterable[str]) -> dict[str, str]:
    """Check parameters of MAIL; return keyword (upper-case) -> the parameter as it is sent.

    :raises MessageRefused: one is not of the list, or could break the command.
    """
    checked = _parameters(options, _MAIL_KEYWORDS)
    if checked.get("BODY", "BODY=7BIT").upper() not in ("BODY=7BIT", "BODY=8BITMIME"):
        raise MessageRefused(_("BODY may be 7BIT or 8BITMIME only."))
    return checked


def rcpt_parameters(options: Iterable[str]) -> dict[str, str]:
    """Check parameters of RCPT; see :func:`mail_parameters`."""
    return _parameters(options, _RCPT_KEYWORDS)


def _parameters(options: Iterable[str], keywords: frozenset[str]) -> dict[str, str]:
    checked: dict[str, str] = {}
    for option in options:
        found = _PARAMETER.match(option)
        if not found or found[1].upper() not in keywords:
            names = ", ".join(sorted(keywords))
            text = _(
                "The option %(option)s cannot be used here; allowed are: %(names)s.",
                option=ascii(option[:80]),
                names=names,
            )
            raise MessageRefused(text)
        checked[found[1].upper()] = option
    return checked


def check_content(content: bytes) -> None:
    """Make sure that every line of the content ends in CRLF and nothing else does.

    Bare CR and LF let a server see another end of the message than we do (SMTP smuggling, CVE-2023-51764).

    :raises MessageRefused: it holds a bare CR, a bare LF or a NUL.
    """
    pairs = content.count(b"\r\n")
    if content.count(b"\n") != pairs or content.count(b"\r") != pairs or b"\0" in content:
        raise MessageRefused(_("The message holds a line end other than CRLF, or a NUL."))


_LEADING_DOT = re.compile(rb"^\.", re.MULTILINE)


def dot_stuffed(content: bytes) -> bytes:
    """Return the content as it travels: leading dots doubled, with the final dot (RFC 5321 §4.5.2)."""
    if content.startswith(b".") or b"\n." in content:
        content = _LEADING_DOT.sub(b"..", content)
    return content + (b".\r\n" if content.endswith(b"\r\n") or not content else b"\r\n.\r\n")
