"""The settings of a server for any other mail program: a page to read out, copy or print. It never holds a password."""

from __future__ import annotations

from dataclasses import dataclass

from flask.typing import ResponseReturnValue

from ..i18n import gettext as _
from ..permissions import Action
from ..servers.profile import ServerProfile
from ..smtp.endpoint import Security
from ..state import state_of
from . import presenting
from .access import protected, scope_of_request
from .rendering import page


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of the table.

    :param words: as one reads it; the value itself may be less telling.
    :param value: what is typed into the other program; empty if it is chosen there from a list.
    """

    label: str
    words: str
    value: str = ""


@protected(Action.VIEW_SERVERS)
def client_settings(server_id: str) -> ResponseReturnValue:
    """Show what another program must be told to send through this server."""
    profile = state_of().store.get(server_id, scope=scope_of_request())
    settings = settings_of(profile)
    provider = presenting.provider_of(profile)
    return page(
        "client_settings.html",
        heading=_("Settings for other programs"),
        profile=profile,
        settings=settings,
        plain="\n".join(f"{setting.label}: {setting.words}" for setting in settings),
        hints=hints(profile),
        provider=provider,
    )


def settings_of(profile: ServerProfile) -> list[Setting]:
    """Return the table, in the order in which most programs ask."""
    found = [
        _typed(_("Outgoing server (SMTP)"), profile.host),
        _typed(_("Port"), str(profile.port)),
        Setting(_("Encryption"), encryption(profile.security)),
        Setting(_("Authentication"), authentication(profile)),
    ]
    if profile.username:
        found.append(_typed(_("User name"), profile.username))
    if profile.sender_name:
        found.append(_typed(_("Your name"), profile.sender_name))
    found.append(_typed(_("Mail address"), profile.address))
    if profile.reply_to:
        found.append(_typed(_("Reply address"), profile.reply_to))
    if profile.certificate_fingerprint:
        found.append(_typed(_("Fingerprint of the server's certificate"), profile.certificate_fingerprint))
    return found


def encryption(security: Security) -> str:
    """Name an encryption in the words that mail programs use for it."""
    match security:
        case Security.SSL:
            return _("SSL/TLS (encrypted from the start)")
        case Security.STARTTLS:
            return _("STARTTLS (required)")
        case _:
            return _("None")


def authentication(profile: ServerProfile) -> str:
    """Name the way to sign in, in the words that mail programs use for it."""
    if not profile.username:
        return _("No authentication")
    if profile.auth_mechanism in ("", "PLAIN", "LOGIN"):
        return _("Normal password")
    return _("Encrypted password (%(method)s)", method=profile.auth_mechanism)


def hints(profile: ServerProfile) -> list[str]:
    """Say what the table does not hold."""
    found: list[str] = []
    if profile.username:
        found.append(_("The password is not shown here or anywhere else: ask whoever looks after the mail account."))
    if profile.certificate_fingerprint:
        found.append(
            _("No authority has signed the server's certificate: accept it there only if its fingerprint is the same.")
        )
    elif profile.ca_certificate:
        found.append(_("The other program must know the certificate of your own authority."))
    if profile.client_certificate:
        found.append(_("The server wants a client certificate: the other program needs one, with its key."))
    found.append(_("These are for sending. How mail is fetched (IMAP or POP3), this app does not know."))
    return found


def _typed(label: str, value: str) -> Setting:
    return Setting(label, value, value)
