"""The page of settings that a mail domain or a database publishes (draft-ietf-mailmaint-autoconfig): reading it.

The page comes from an outsider. It may be anything, so reading it never raises; what is not understood is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

from ..smtp.endpoint import Security
from .address import MailAddress, ascii_name, is_domain
from .candidate import DISCOVERED_PORTS

#: The most servers that one page may name; more would only be used to make us connect to them.
MAX_SERVERS = 4
MAX_BYTES = 64 * 1024

_SECURITY = {"SSL": Security.SSL, "STARTTLS": Security.STARTTLS}
_PLACEHOLDER = re.compile("%EMAIL(?:ADDRESS|LOCALPART|DOMAIN)%")
#: Ways of proving oneself that want no user name.
_NO_LOGIN = {"none", "client-ip-address"}


@dataclass(frozen=True, slots=True)
class PublishedServer:
    """One outgoing server of a page, with its placeholders filled in; ``username`` is empty if there is no login."""

    host: str
    port: int
    security: Security
    username: str


@dataclass(frozen=True, slots=True)
class Autoconfig:
    """What a page says about outgoing mail.

    :param servers: those with encryption, in the order of the page.
    :param domains: the mail domains that the page says it answers for.
    :param unencrypted: whether the page names servers, but none with encryption.
    """

    servers: tuple[PublishedServer, ...] = ()
    domains: tuple[str, ...] = ()
    unencrypted: bool = False


def autoconfig_urls(domain: str) -> tuple[str, str]:
    """Return where a domain may publish its page, the better place first. The address itself is never part of it."""
    return (
        f"https://autoconfig.{domain}/mail/config-v1.1.xml",
        f"https://{domain}/.well-known/autoconfig/mail/config-v1.1.xml",
    )


def read_autoconfig(content: bytes, mailbox: MailAddress, *, allow_special_use: bool = False) -> Autoconfig | None:
    """Read a page for one address.

    :returns: None if it is no such page, is too large, or holds a DOCTYPE or an ENTITY.
    """
    root = _parse(content)
    if root is None or root.tag != "clientConfig":
        return None
    elements = root.findall("./emailProvider/outgoingServer")
    offered = [element for element in elements if element.get("type", "smtp").lower() == "smtp"]
    found = (_server(element, mailbox, allow_special_use=allow_special_use) for element in offered)
    servers = tuple(dict.fromkeys(server for server in found if server is not None))
    sockets = {_text(element, "socketType").upper() for element in offered}
    return Autoconfig(
        servers=servers[:MAX_SERVERS],
        domains=tuple(_domains(root)),
        unencrypted=bool(offered) and not sockets & _SECURITY.keys(),
    )


def _parse(content: bytes) -> ElementTree.Element | None:
    """Parse XML that has no DTD; one could hold entities that grow without end, or that name files."""
    if len(content) > MAX_BYTES:
        return None
    # Decoded before the look at it: in UTF-16, or any other encoding, a DOCTYPE would not be seen among the bytes.
    text = content.decode("utf-8-sig", "replace")
    lowered = text.lower()
    if "<!doctype" in lowered or "<!entity" in lowered:
        return None
    try:
        return ElementTree.fromstring(text)  # noqa: S314 - the dangers are in the DTD, and there is none
    except (ElementTree.ParseError, ValueError, LookupError):
        return None


def _server(element: ElementTree.Element, mailbox: MailAddress, *, allow_special_use: bool) -> PublishedServer | None:
    security = _SECURITY.get(_text(element, "socketType").upper())
    host = ascii_name(_filled(_text(element, "hostname"), mailbox))
    port = _text(element, "port")
    if security is None or host is None or not is_domain(host, allow_special_use=allow_special_use):
        return None
    if not (port.isascii() and port.isdigit() and len(port) <= 5) or int(port) not in DISCOVERED_PORTS:
        return None
    return PublishedServer(host, int(port), security, _username(element, mailbox))


def _username(element: ElementTree.Element, mailbox: MailAddress) -> str:
    ways = {(way.text or "").strip().lower() for way in element.findall("authentication")}
    if ways and ways <= _NO_LOGIN:
        return ""
    template = _text(element, "username") or "%EMAILADDRESS%"
    if "%" in _PLACEHOLDER.sub("", template):
        return ""  # a placeholder that is not known here: the person fills it in
    username = _filled(template, mailbox)
    return username if username.isprintable() and len(username) <= 255 else ""


def _filled(text: str, mailbox: MailAddress) -> str:
    """Fill in the placeholders in one pass: what the address itself holds is never read as one."""
    parts = {"%EMAILADDRESS%": str(mailbox), "%EMAILLOCALPART%": mailbox.local, "%EMAILDOMAIN%": mailbox.domain}
    return _PLACEHOLDER.sub(lambda match: parts[match.group()], text)


def _domains(root: ElementTree.Element) -> Iterator[str]:
    for element in root.findall("./emailProvider/domain"):
        name = ascii_name((element.text or "").strip())
        if name is not None and is_domain(name, allow_special_use=True):
            yield name


def _text(element: ElementTree.Element, tag: str) -> str:
    return (element.findtext(tag) or "").strip()
