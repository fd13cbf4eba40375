"""One provider of outgoing mail: its servers, how one signs in, and the words that the form uses for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from ..i18n import N_
from ..i18n import gettext as _
from ..smtp.endpoint import Security


class UsernameRule(StrEnum):
    """What a provider wants as user name."""

    EMAIL = "email"
    LOCALPART = "localpart"
    LITERAL = "literal"
    CUSTOM = "custom"
    ACCOUNT = "account"
    API_KEY = "api-key"
    SAME_AS_PASSWORD = "same-as-password"  # noqa: S105 - a rule, not a password
    SENDER_ADDRESS = "sender-address"
    ANY = "any"
    NONE = "none"


#: What each kind of secret is called beside its field.
PASSWORD_WORDS = {
    "account": N_("Password"),
    "app-password": N_("App password"),
    "authorisation-code": N_("Authorisation code"),
    "api-key": N_("API key"),
    "secret-key": N_("Secret key"),
    "smtp-key": N_("SMTP key"),
    "smtp-password": N_("SMTP password"),
    "client-secret": N_("Client secret"),
    "token": N_("SMTP token"),
    "generated": N_("Generated password"),
    "bridge-password": N_("Password shown by Bridge"),
    "oauth2": N_("Password"),
    "none": N_("Password"),
}

USERNAME_HINTS = {
    UsernameRule.EMAIL: N_("The full mail address of the account."),
    UsernameRule.LOCALPART: N_("The part of the address before the @."),
    UsernameRule.LITERAL: N_("Always the word “%(word)s”."),
    UsernameRule.CUSTOM: N_("The SMTP user name that %(provider)s shows in its settings."),
    UsernameRule.ACCOUNT: N_("The name of the account, not a mail address."),
    UsernameRule.API_KEY: N_("The API key."),
    UsernameRule.SAME_AS_PASSWORD: N_("The same token as in the password field."),
    UsernameRule.SENDER_ADDRESS: N_("Exactly the sending address."),
    UsernameRule.ANY: N_("It is not checked; the account's address is usual."),
    UsernameRule.NONE: N_("Leave it empty: there is no login."),
}


@dataclass(frozen=True, slots=True)
class ProviderServer:
    """One way in: a host, a port, and when encryption begins there.

    :param host: a host name, or a pattern with ``{braces}`` that the reader fills in.
    :param domains: if not empty, only for addresses at these domains.
    """

    host: str
    port: int
    security: Security
    domains: tuple[str, ...] = ()
    note: str = ""

    @property
    def is_pattern(self) -> bool:
        """Whether ``host`` still has a part to fill in."""
        return "{" in self.host


@dataclass(frozen=True, slots=True)
class Region:
    """Another host of the same service: a data centre, a country, a kind of account."""

    id: str
    name: str
    servers: tuple[ProviderServer, ...]
    domains: tuple[str, ...] = ()
    mx: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class OAuth2:
    """Where a provider gives out tokens for SMTP; URLs may hold ``{tenant}``."""

    mechanism: str
    authorize_url: str = ""
    token_url: str = ""
    device_url: str = ""
    scopes: tuple[str, ...] = ()
    tenant: str = ""
    app_scope: str = ""
    app_permission: str = ""
    resource: str = ""
    pkce: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Provider:
    """A preset. ``providers.toml`` explains every field; its texts are English and translated where they are shown."""

    id: str
    name: str
    kind: str
    status: str = ""
    aliases: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    mx: tuple[str, ...] = ()
    mx_ambiguous: bool = False
    generic_smtp: bool = True
    servers: tuple[ProviderServer, ...] = ()
    regions: tuple[Region, ...] = ()
    username: UsernameRule = UsernameRule.EMAIL
    username_value: str = ""
    username_example: str = ""
    username_note: str = ""
    password: str = "account"  # noqa: S105 - the kind of secret
    password_pattern: str = ""
    password_note: str = ""
    password_login: str = "yes"  # noqa: S105 - whether a password is taken
    password_login_since: str = ""
    password_login_note: str = ""
    auth: tuple[str, ...] = ()
    sender: str = ""
    help: str = ""
    note: str = ""
    steps: tuple[str, ...] = ()
    docs_title: str = ""
    docs_url: str = ""
    docs_seen: bool = False
    evidence: tuple[str, ...] = ()
    source: str = ""
    checked: date | None = None
    see_also: tuple[str, ...] = ()
    legacy_hosts: tuple[str, ...] = ()
    relay_zone: str = ""
    no_ssl: bool = False
    oauth2: OAuth2 | None = None
    limits: Mapping[str, int | str] = field(default_factory=lambda: MappingProxyType({}))
    dns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def all_servers(self) -> tuple[ProviderServer, ...]:
        """The servers of every region, the preferred ones first, each once."""
        every = [*self.servers, *(server for region in self.regions for server in region.servers)]
        return tuple(dict.fromkeys(every))

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every current host name, each once."""
        return tuple(dict.fromkeys(server.host for server in self.all_servers))

    @property
    def unverified(self) -> bool:
        """Whether its servers are general knowledge: no page of its own and no open list was seen to name them."""
        return "unverified" in self.evidence and set(self.evidence) <= {"secondary", "unverified"}

    @property
    def is_public(self) -> bool:
        """Whether its servers are for everybody, with certificates that everybody trusts; no program of one's own."""
        return self.kind in ("mailbox", "hosting", "relay", "test")

    @property
    def needs_login(self) -> bool:
        """Whether a user name and a password are wanted at all."""
        return self.username is not UsernameRule.NONE

    def servers_for(self, domain: str) -> tuple[ProviderServer, ...]:
        """Return the servers for an address at ``domain``, the preferred one first."""
        domain = domain.lower()
        for region in self.regions:
            if domain in region.domains:
                return region.servers
        own = tuple(server for server in self.servers if domain in server.domains)
        return own or tuple(server for server in self.servers if not server.domains)

    def ports_for(self, security: Security | str, host: str = "") -> tuple[int, ...]:
        """Return the ports where ``security`` is offered, on ``host`` if given; empty if nowhere."""
        wanted = host.lower()
        ports = (
            server.port
            for server in self.all_servers
            if server.security == security and (not wanted or server.host == wanted)
        )
        return tuple(dict.fromkeys(ports))

    def server_at(self, host: str, port: int) -> ProviderServer | None:
        """Return the documented server at ``host`` and ``port``; None if that port is not offered there."""
        for server in self.all_servers:
            if server.port == port and server.host == host.lower():
                return server
        return None

    # -- words for people
    @property
    def password_label(self) -> str:
        """What the secret is called: Password, App password, API key …"""
        return _(PASSWORD_WORDS[self.password])

    @property
    def password_hint(self) -> str:
        """A sentence below the password field; empty if nothing is to be said."""
        return _(self.password_note) if self.password_note else ""

    @property
    def names_secret(self) -> bool:
        """Whether one gives the secret a name when it is made."""
        return self.password in ("app-password", "api-key", "smtp-key", "token")

    @property
    def username_hint(self) -> str:
        """A sentence below the user-name field."""
        if self.username_note and self.username is not UsernameRule.LITERAL:
            return _(self.username_note)
        return _(USERNAME_HINTS[self.username], word=self.username_value, provider=self.name)

    @property
    def unsupported(self) -> str:
        """Why this provider cannot be used here, as a sentence; empty if it can."""
        if self.status == "no-smtp":
            return _("%(provider)s does not offer SMTP. Choose another provider for sending.", provider=self.name)
        if self.status == "retired":
            return _("%(provider)s has been shut down. Choose another provider for sending.", provider=self.name)
        if self.password_login == "no":  # noqa: S105 - not a password
            return _(
                "%(provider)s takes neither a password nor an app password over SMTP any more, only the sign-in "
                "in the browser (OAuth2), which cannot be set up here. Choose another provider for sending.",
                provider=self.name,
            )
        if not self.generic_smtp:
            return _("%(provider)s does not take ordinary mail over SMTP.", provider=self.name)
        return ""

    @property
    def no_ssl_reason(self) -> str:
        """Why “Enable SSL” cannot be chosen, as a sentence; empty if it can."""
        if not self.no_ssl:
            return ""
        return _(
            "%(provider)s has no port that is encrypted from the first byte: use port %(port)s with STARTTLS.",
            provider=self.name,
            port=self.ports_for(Security.STARTTLS)[0],
        )

    @property
    def guide(self) -> tuple[str, ...]:
        """What to do before the credentials can be entered, step by step, translated."""
        return tuple(_(step) for step in self.steps)

    # -- what a person typed
    def tidy_password(self, text: str) -> str:
        """Join a secret that was copied in groups, as Google shows app passwords; others come back unchanged."""
        joined = "".join(text.split())
        return joined if joined != text and self.password_matches(joined) else text

    def password_matches(self, text: str) -> bool | None:
        """Tell whether ``text`` has the form of this provider's secrets; None if they have no known form."""
        if not self.password_pattern:
            return None
        return re.fullmatch(self.password_pattern, text, re.IGNORECASE) is not None

    def username_fits(self, username: str, sender: str = "") -> bool:
        """Tell whether ``username`` has the form that this provider wants; True where that cannot be told."""
        match self.username:
            case UsernameRule.EMAIL:
                return "@" in username
            case UsernameRule.LITERAL:
                return username == self.username_value
            case UsernameRule.SENDER_ADDRESS:
                return "@" in username if not sender else username.lower() == sender.lower()
            case UsernameRule.ACCOUNT | UsernameRule.API_KEY | UsernameRule.SAME_AS_PASSWORD:
                return "@" not in username
            case _:
                return True
