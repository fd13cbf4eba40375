"""The fields that say where a server is, who signs in and how: host, encryption, port, user name, sign-in method."""

from __future__ import annotations

import re
from typing import Any

from ..i18n import gettext as _
from ..smtp.auth import PASSWORD_MECHANISMS
from ..smtp.endpoint import Security
from .cleaning import Cleaning
from .pasted import split_host

#: The longest that is read of a host field; a pasted URL may hold a user name and a password.
HOST_LENGTH = 2000
USERNAME_LENGTH = 500
#: What stands for the empty sign-in method, which chooses by itself.
AUTOMATIC = "automatic"


def clean_destination(work: Cleaning) -> None:
    """Check where and how to sign in; what was pasted into the host field goes to the other fields."""
    _host(work)
    _security(work)
    _port(work)
    _username(work)
    _auth_mechanism(work)


def _host(work: Cleaning) -> None:
    text = work.text("host", "", HOST_LENGTH)
    if text is None:
        return
    if not text:
        work.error("host", _("Enter the server, such as smtp.example.com."))
        return
    try:
        pasted = split_host(text)
    except ValueError as error:
        work.error("host", str(error))
        return
    host = pasted.host.lower()
    problem = work.rules.host_error(host)
    if problem:
        work.error("host", problem)
        return
    work.values["host"] = host
    if pasted.host != text:
        work.pasted = pasted
        work.notice(_("The pasted server address was split into its parts; check server, port and encryption."))


def _security(work: Cleaning) -> None:
    chosen = work.choice("security", Security, work.kept("security", None))
    alias = _alias(work)
    if alias is not None and work.given("security") and chosen not in (alias, None):
        work.error("security", _("The encryption is given twice, and differently."))
    if work.pasted is not None and work.pasted.security is not None:
        chosen = work.pasted.security
    elif alias is not None and not work.given("security"):
        chosen = alias
    if "security" not in work.errors:
        # Without a word about it the port tells. Unencrypted is never the default.
        guess = Security.SSL if str(_given_port(work)) == "465" else Security.STARTTLS
        work.values["security"] = chosen or guess


def _alias(work: Cleaning) -> Security | None:
    """Read Flask-Mail's kind of switches: ``use_ssl`` and ``use_tls`` (which is STARTTLS)."""
    use_ssl, use_tls = work.flag("use_ssl"), work.flag("use_tls")
    if use_ssl and use_tls:
        work.error("security", _("Choose either SSL or STARTTLS, not both."))
    elif use_ssl:
        return Security.SSL
    elif use_tls:
        return Security.STARTTLS
    elif use_ssl is False and use_tls is False:
        return Security.NONE
    elif use_ssl is False and work.kept("security", Security.SSL) is Security.SSL:
        return Security.STARTTLS
    return None


def _given_port(work: Cleaning) -> Any:
    if work.pasted is not None and (work.pasted.port or work.pasted.security):
        return work.pasted.port or None  # ssl without a port means its usual one, whatever the field held before
    given = work.fields.get("port")
    return work.trim("port", given) if isinstance(given, str) else given


def _port(work: Cleaning) -> None:
    given = _given_port(work)
    if given in (None, ""):
        security: Security | None = work.values.get("security")
        if security is not None:
            work.values["port"] = _usual_port(work, security)
        return
    text = str(given) if type(given) is int else given
    # ASCII digits only: int() would also take Arabic digits, "1_0" and "+5"
    if isinstance(text, str) and re.fullmatch(r"[0-9]{1,5}", text) and 1 <= int(text) <= 65535:
        work.values["port"] = int(text)
    else:
        work.error("port", _("A port is a whole number from 1 to 65535, usually 465 or 587."))


def _usual_port(work: Cleaning, security: Security) -> int:
    """Keep a port that was chosen by hand; one that only went with the encryption follows it."""
    base = work.base
    if base is None or "port" in work.fields:
        return security.usual_port
    if base.port == base.security.usual_port and security is not base.security:
        work.notice(_("The port was set to %(port)s, which goes with this encryption.", port=security.usual_port))
        return security.usual_port
    return base.port


def _username(work: Cleaning) -> None:
    username = work.text("username", "", USERNAME_LENGTH)
    if username is None:
        return
    if work.pasted is not None and work.pasted.username and not work.given("username"):
        username = work.trim("username", work.pasted.username)
        if not work.one_line("username", username, USERNAME_LENGTH):
            return
    work.values["username"] = username


def _auth_mechanism(work: Cleaning) -> None:
    """Read the sign-in method; an empty one means to choose by itself, also where another one was set before."""
    text = work.text("auth_mechanism", "", USERNAME_LENGTH)
    if text is None:
        return
    mechanism = "" if text.lower() == AUTOMATIC else text.upper()
    if mechanism and mechanism not in PASSWORD_MECHANISMS and "auth_mechanism" in work.fields:
        choices = ", ".join((AUTOMATIC, *PASSWORD_MECHANISMS))
        work.error("auth_mechanism", _("Choose one of: %(choices)s.", choices=choices))
        return
    work.values["auth_mechanism"] = mechanism
