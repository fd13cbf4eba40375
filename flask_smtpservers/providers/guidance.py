"""What is said about a provider in one line, and the words for its limits, its DNS and where all that was learnt.

The form, the result of a test and the help pages take these texts from here and from :mod:`.provider`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..i18n import N_
from ..i18n import gettext as _
from .provider import Provider, ProviderServer

#: What an entry can rest on, the best first.
EVIDENCE = {
    "operator": N_("Stated by whoever runs this app."),
    "vendor": N_("The provider's own page was read."),
    "vendor-copy": N_("A copy of the provider's own page was read."),
    "dataset": N_("Open lists of mail settings name the same servers."),
    "secondary": N_("Part of it comes from guides of others."),
    "unverified": N_("Part of it is general knowledge that was not checked."),
}
_ONLY_GENERAL = N_("It is general knowledge that was not checked: compare it with the provider's page.")

#: What providers limit.
LIMITS = {
    "messages_per_day": N_("Messages a day: %(number)s"),
    "messages_per_day_free": N_("Messages a day without a paid plan: %(number)s"),
    "messages_per_minute": N_("Messages a minute: %(number)s"),
    "messages_per_second": N_("Messages a second: %(number)s"),
    "messages_per_connection": N_("Messages over one connection: %(number)s"),
    "concurrent_connections": N_("Connections at once: %(number)s"),
    "recipients_per_day": N_("Recipients a day: %(number)s"),
    "external_recipients_per_day": N_("Recipients a day outside the organisation: %(number)s"),
    "recipients_per_message_smtp": N_("Recipients of one message: %(number)s"),
    "organisation_recipients_per_day": N_("Recipients a day of the whole organisation: %(number)s"),
    "organisation_recipients_per_10_min": N_("Recipients in ten minutes of the whole organisation: %(number)s"),
    "hve_accounts_per_tenant": N_("Such accounts in one organisation: %(number)s"),
    "requests_per_second": N_("Requests a second: %(number)s"),
    "sandbox_messages_per_day": N_("Messages a day until the account is released for sending: %(number)s"),
    "sandbox_messages_per_second": N_("Messages a second until the account is released for sending: %(number)s"),
}

#: How long it takes to get the secret from somebody who has the account already, in minutes.
_MINUTES = {"app-password": 2, "authorisation-code": 3, "api-key": 2, "smtp-key": 2, "token": 2}


class Way(NamedTuple):
    """One host of a provider with everything that it offers.

    :param region: the name of the region; empty for the usual servers.
    """

    region: str
    host: str
    servers: tuple[ProviderServer, ...]
    note: str


def need(provider: Provider) -> str:
    """Say in a few words what one must have before starting."""
    if provider.unsupported:
        if provider.oauth2 is not None:
            return _("Not possible here: it wants the sign-in in the browser (OAuth2)")
        return _("Not possible here")
    if not provider.needs_login:
        return _("You need: no password") if provider.is_public else _("You need: nothing")
    if provider.password_login == "admin-enabled":  # noqa: S105 - whether a password is taken
        return _("You need: the password, and SMTP allowed by your administrator")
    if provider.password == "account":  # noqa: S105 - the kind of secret
        return _("You need: the account's password")
    minutes = _MINUTES.get(provider.password)
    if minutes is None:
        return _("You need: %(secret)s", secret=provider.password_label)
    return _("You need: %(secret)s (%(minutes)s min)", secret=provider.password_label, minutes=minutes)


def usual_ways(provider: Provider) -> list[Way]:
    """Return every usual host once, in the provider's order."""
    return list(_ways(provider.servers))


def region_ways(provider: Provider) -> list[Way]:
    """Return every host of every region."""
    return [way for one in provider.regions for way in _ways(one.servers, _(one.name), one.note)]


def _ways(servers: tuple[ProviderServer, ...], region: str = "", note: str = "") -> Iterator[Way]:
    for host in dict.fromkeys(server.host for server in servers):
        here = tuple(server for server in servers if server.host == host)
        remark = note or here[0].note
        yield Way(region, host, here, _(remark) if remark else "")


def limits(provider: Provider) -> list[str]:
    """Return the limits that the provider states."""
    amounts = [
        _(LIMITS[name], number=f"{amount:,}") for name, amount in provider.limits.items() if isinstance(amount, int)
    ]
    note = str(provider.limits.get("note", ""))
    return [*amounts, *([_(note)] if note else [])]


def evidence(provider: Provider) -> list[str]:
    """Say what the entry rests on."""
    if provider.unverified:
        return [_(_ONLY_GENERAL)]
    read = "vendor" in provider.evidence  # then a copy adds nothing
    return [_(EVIDENCE[one]) for one in EVIDENCE if one in provider.evidence and not (read and one == "vendor-copy")]
