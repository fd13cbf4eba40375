"""What people paste into the host field: ``smtp://user@host:587`` and the like, taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from ..i18n import gettext as _
from ..secret import Secret
from ..smtp.endpoint import Security

#: Schemes of outgoing mail, and when encryption begins if the scheme says so.
_SCHEMES: dict[str, Security | None] = {
    "smtp": None,
    "submission": None,
    "smtp+starttls": Security.STARTTLS,
    "smtp+tls": Security.STARTTLS,
    "smtps": Security.SSL,
    "smtp+ssl": Security.SSL,
    "submissions": Security.SSL,
}
_INCOMING = frozenset({"imap", "imaps", "pop", "pop3", "pops", "pop3s"})


@dataclass(frozen=True, slots=True)
class Pasted:
    """The parts of a pasted address; what it did not say is None or empty."""

    host: str
    port: str | None = None
    security: Security | None = None
    username: str = ""
    password: Secret | None = None


def split_host(text: str) -> Pasted:
    """Take apart what stands in the host field: a host, ``host:port``, or a URL of outgoing mail.

    The parts are not checked.

    :raises ValueError: it is something else; the sentence shows nothing of the text, which may hold a password.
    """
    scheme, separator, rest = text.partition("://")
    if separator:
        return _split_url(scheme.lower(), rest)
    if "@" in text:
        raise ValueError(_("This is a mail address. Enter the name of the server, such as smtp.example.com."))
    if "/" in text or "\\" in text:
        raise ValueError(_("Enter only the name of the server, such as smtp.example.com, without a path."))
    host, port = _split_port(text)
    return Pasted(host, port)


def _split_url(scheme: str, rest: str) -> Pasted:
    if scheme in ("http", "https"):
        raise ValueError(
            _("This is the address of a web page. Enter the name of the mail server, such as smtp.example.com.")
        )
    if scheme in _INCOMING:
        raise ValueError(_("This is a server for incoming mail. Enter the one for outgoing mail (SMTP)."))
    if scheme not in _SCHEMES:
        raise ValueError(_("Enter only the name of the server, such as smtp.example.com."))
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in rest[len(authority) :]:
        # Somebody did not encode a sign in the password: what looks like the host is the user name.
        raise ValueError(_("Enter only the name of the server here, and user name and password in their own fields."))
    credentials, _at, place = authority.rpartition("@")
    username, _colon, password = credentials.partition(":")
    host, port = _split_port(place)
    return Pasted(
        host.removeprefix("[").removesuffix("]"),
        port,
        _SCHEMES[scheme],
        unquote(username),
        Secret(unquote(password)) if password else None,
    )


def _split_port(text: str) -> tuple[str, str | None]:
    """Split ``host:port`` and ``[2001:db8::1]:port``; an IPv6 address without brackets has no port."""
    bracketed = re.fullmatch(r"\[([^\[\]]*)\]:(.*)", text, re.DOTALL)
    if bracketed is not None:
        return bracketed[1], bracketed[2]
    host, colon, port = text.partition(":")
    if not colon or ":" in port:
        return text, None
    return host, port
