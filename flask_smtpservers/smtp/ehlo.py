"""EHLO: the name that is sent, and what the server's answer offers (RFC 5321 §4.1.1.1)."""

from __future__ import annotations

import re
import socket
from functools import cache

from ..errors import ConfigurationError
from .hostname import LOCALHOST, host_error
from .reply import Reply

#: What is sent when this machine has no proper name; it is true of every machine, and tells nothing about it.
ADDRESS_LITERAL = "[127.0.0.1]"

_ARGUMENT = re.compile(r"(?:[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[A-Za-z0-9.:]+\])\Z")
_KEYWORD = re.compile(r"[A-Z0-9][A-Z0-9-]*\Z")


@cache
def machine_name() -> str:
    """Return this machine's own name if it is fit for EHLO, else an address literal. Asked for once in a process.

    ``getfqdn`` is not used: it is a reverse look-up, which may take seconds and may answer with a container's id.
    """
    name = socket.gethostname()
    if host_error(name) is None and not name.lower().startswith(LOCALHOST) and not name[-1].isdigit():
        return name
    return ADDRESS_LITERAL


def ehlo_argument(configured: str) -> str:
    """Return the name to send: the configured one, else this machine's.

    :raises ConfigurationError: the configured one is neither a name nor an address literal.
    """
    if not configured:
        return machine_name()
    if len(configured) > 255 or not _ARGUMENT.match(configured):
        raise ConfigurationError(
            f"SMTPSERVERS_EHLO_NAME must be a host name such as app.example.com, not {configured!r}"
        )
    return configured


def features_of(reply: Reply) -> dict[str, str]:
    """Return keyword (upper-case) -> parameters of an EHLO reply; its first line is the server's name.

    Old servers say ``AUTH=PLAIN LOGIN``; this is read as ``AUTH PLAIN LOGIN``.
    """
    features: dict[str, str] = {}
    for line in reply.lines[1:]:
        keyword, _, parameters = line.partition(" ")
        if keyword.upper().startswith("AUTH="):
            keyword, parameters = "AUTH", f"{keyword[5:]} {parameters}"
        keyword = keyword.upper()
        if not _KEYWORD.match(keyword):
            continue
        if keyword == "AUTH":
            parameters = " ".join(dict.fromkeys(f"{features.get('AUTH', '')} {parameters}".upper().split()))
        features[keyword] = parameters.strip()
    return features
