"""What is known of a server before its failure is explained. Never a password, only what one can tell of its form."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from ipaddress import ip_address

from ..providers.catalog import Catalog, packaged
from ..providers.provider import Provider
from ..smtp.certificates import CertificateFacts
from ..smtp.endpoint import Endpoint, Security


class Fact(StrEnum):
    """Something that was found out beside the failure itself."""

    CLOUD_HOST = "cloud_host"
    """The app runs at a cloud or hosting company."""
    CONTAINER = "container"
    """The app runs in a container."""
    OTHER_PORTS_WORK = "other_ports_work"
    """Other ports of the same server answer from here."""
    OTHER_PORTS_FAIL = "other_ports_fail"
    """No other port for mail of the same server can be reached from here either."""
    OTHER_NAMES_FAIL = "other_names_fail"
    """Other names do not resolve either, or this one does elsewhere."""
    OTHER_NAMES_RESOLVE = "other_names_resolve"
    """Other names do resolve from here."""
    SPEAKS_TLS = "speaks_tls"
    """The port was seen to answer a TLS handshake at once."""
    GREETS_IN_CLEAR = "greets_in_clear"
    """The port was seen to greet in clear, as a mail server does."""
    OTHERS_VERIFY = "others_verify"
    """The certificate of another server was verified from here."""
    AUTHORITIES_MISSING = "authorities_missing"
    """This machine knows no certificate authorities, or could not verify another server that is known to be good."""
    LEAF_IN_DATE = "leaf_in_date"
    """The server's own certificate is within its dates."""
    FAILED_IDENTITY_IS_RECIPIENT = "failed_identity_is_recipient"
    """The address that the server names as not verified is the recipient's."""
    OTHER_REGION = "other_region"
    """The account lives in another region than the server."""
    PLAIN_MAIL_PASSES = "plain_mail_passes"
    """An ordinary message goes through."""
    NO_MESSAGE_ID = "no_message_id"
    """The message lacks a header that mail should have."""
    SENDER_LIST = "sender_list"
    """The relay accepts listed senders only."""
    OWN_SERVER = "own_server"
    """The server belongs to whoever asks."""
    FAILED_LOGINS = "failed_logins"
    """It began after logins had failed several times."""
    PERSONAL_ACCOUNT = "personal_account"
    """The account is a private person's, not a company's."""
    MODE_FITS = "mode_fits"
    """Port and encryption mode are known to fit each other."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another way into a mail server that was tried from here, up to EHLO.

    :param verified: whether it can be used with the settings as they are: encrypted, the certificate accepted, a
        login offered where one is set. If not, a mail server answers there, and that is all.
    """

    host: str
    port: int
    security: Security
    verified: bool


@dataclass(frozen=True, slots=True)
class PasswordShape:
    """What one can tell of a password without keeping it.

    :param empty: there is none.
    :param ascii: it has plain characters only.
    :param blanks: it begins or ends with a blank.
    :param shell_characters: it came through a shell or a file, and has characters that these may change.
    :param fits_provider: it has the form of the provider's secrets; None if they have no known form.
    :param other_kind: it has the form of a credential that is not for SMTP (an API key, an access key).
    """

    empty: bool = False
    ascii: bool = True
    blanks: bool = False
    shell_characters: bool = False
    fits_provider: bool | None = None
    other_kind: bool = False


#: Forms of keys that open a provider's programming interface but not its SMTP.
_API_KEYS = re.compile(r"xkeysib-.+|AKIA[A-Z0-9]{16}|key-[0-9a-f]{32}|[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8}")


def shape_of(password: str, provider: Provider | None = None, *, from_environment: bool = False) -> PasswordShape:
    """Describe the form of ``password``; the text itself is not kept.

    :param from_environment: whether it came through a shell or a file, which may have changed some characters.
    """
    return PasswordShape(
        empty=not password,
        ascii=password.isascii(),
        blanks=password != password.strip(),
        shell_characters=from_environment and any(sign in password for sign in "$!#`\"'\\"),
        fits_provider=provider.password_matches(password) if provider else None,
        other_kind=_API_KEYS.fullmatch(password) is not None,
    )


@dataclass(frozen=True, kw_only=True)
class Context:
    """The settings of a server and what else is known of it. An empty value means: not known.

    :param security: None if not known.
    :param username: None if not known, empty for a server without login.
    :param provider: the preset that was chosen; without one, ``host`` tells the provider.
    :param catalog: the providers that the app knows.
    :param password: what can be told of the password's form.
    :param features: the keywords of the server's EHLO reply, in capitals; None if it was not reached.
    :param greeting: the server's greeting.
    :param heard: the first words of what answers at the port, where it was listened to after the failure.
    :param certificate_names: the names in the server's certificate.
    :param certificate_issuer: who issued it, by its own words.
    :param certificate: all that the server's certificate says, if it was refused.
    :param outbound_ips: this machine's public addresses, as the operator stated them.
    :param facts: what was found out beside the failure.
    :param alternatives: other ways at which a mail server answers, the best first; None if none were tried.
    """

    host: str = ""
    port: int | None = None
    security: Security | None = None
    username: str | None = None
    has_password: bool = False
    sender: str = ""
    recipient: str = ""
    provider: Provider | None = None
    catalog: Catalog = field(default_factory=packaged, repr=False)
    password: PasswordShape | None = None
    features: frozenset[str] | None = None
    greeting: str = ""
    heard: str = ""
    certificate_names: tuple[str, ...] = ()
    certificate_issuer: str = ""
    certificate: CertificateFacts | None = None
    outbound_ips: tuple[str, ...] = ()
    facts: frozenset[Fact] = frozenset()
    alternatives: tuple[Alternative, ...] | None = None

    @cached_property
    def known_provider(self) -> Provider | None:
        """The provider whose sending server ``host`` is; the chosen preset only if ``host`` can be one of its own."""
        if self.provider is not None and (not self.host or _belongs(self.host.lower(), self.provider)):
            return self.provider
        return self.catalog.provider_of_host(self.host, self.sender)

    @cached_property
    def inbound_provider(self) -> Provider | None:
        """The provider whose incoming mail ``host`` takes, if it is no sending server."""
        return None if self.catalog.provider_of_host(self.host) else self.catalog.provider_of_mx(self.host)

    @property
    def full_username(self) -> str:
        """The sending address, if the user name is only what stands before its ``@``; else an empty text."""
        local, at, _domain = self.sender.rpartition("@")
        return self.sender if at and local and local.lower() == (self.username or "").lower() else ""

    @property
    def is_public_service(self) -> bool:
        """Whether ``host`` is a documented server of a provider, with certificates that everybody trusts."""
        owner = self.known_provider
        return owner is not None and owner.is_public

    @property
    def is_loopback(self) -> bool:
        """Whether ``host`` means the machine itself."""
        return _in_network(self.host, "is_loopback") or self.host.lower() in ("localhost", "localhost.localdomain")

    @property
    def is_private(self) -> bool:
        """Whether ``host`` lies in a private network: an address there, a bare or an internal name."""
        host = self.host.lower().rstrip(".")
        inside = host.endswith((".local", ".localdomain", ".internal", ".lan", ".home.arpa", ".corp", ".intranet"))
        return bool(host) and (self.is_loopback or _in_network(host, "is_private") or inside or "." not in host)

    @property
    def is_address(self) -> bool:
        """Whether ``host`` is an IP address."""
        try:
            ip_address(self.host.strip("[]"))
        except ValueError:
            return False
        return True

    @property
    def greeted_by_stranger(self) -> bool:
        """Whether a provider's documented server greeted with a name of another domain than the provider's."""
        owner = self.known_provider
        name = re.match(r"[\w-]+(\.[\w-]+)+(?=[\s,;]|\Z)", self.greeting.lower())
        if owner is None or not self.is_public_service or not name:
            return False
        own = (self.host.lower(), *owner.hosts, *owner.legacy_hosts, *owner.mx, *owner.domains)
        return all(_domain(name[0]) != _domain(known) for known in own)

    @property
    def works(self) -> tuple[Alternative, ...]:
        """The alternatives that can be used as they are."""
        return tuple(way for way in self.alternatives or () if way.verified)

    def knows(self, *facts: Fact) -> bool:
        """Tell whether any of ``facts`` was found out."""
        return not self.facts.isdisjoint(facts)


def _belongs(host: str, provider: Provider) -> bool:
    """Tell whether a provider with these servers may run ``host`` too: same name, or same domain behind it."""
    if host in provider.hosts or host in provider.legacy_hosts or any(host.endswith(f".{mx}") for mx in provider.mx):
        return True
    parents = {name.partition(".")[2].rpartition("}.")[2] for name in provider.hosts}
    return any("." in parent and host.endswith(f".{parent}") for parent in parents)


def _domain(name: str) -> str:
    """Give the last two labels, which is enough to tell two companies apart."""
    return ".".join(name.rstrip(".").split(".")[-2:])


def _in_network(host: str, question: str) -> bool:
    try:
        return bool(getattr(ip_address(host.strip("[]")), question))
    except ValueError:
        return False


def context_of(
    endpoint: Endpoint,
    *,
    sender: str = "",
    recipient: str = "",
    provider: Provider | None = None,
    catalog: Catalog | None = None,
    outbound_ips: Collection[str] = (),
    from_environment: bool = False,
) -> Context:
    """Describe an endpoint; of the password only the form is kept.

    :param provider: the preset that was chosen, if any.
    :param catalog: the providers that the app knows; None for the packaged ones.
    :param outbound_ips: this machine's public addresses, as the operator stated them.
    :param from_environment: whether the password is an ``env:`` reference.
    """
    password = endpoint.password.reveal() if endpoint.password else ""
    bare = Context(
        host=endpoint.host,
        port=endpoint.port,
        security=endpoint.security,
        username=endpoint.username,
        has_password=bool(password),
        sender=sender,
        recipient=recipient,
        provider=provider,
        catalog=catalog or packaged(),
        outbound_ips=tuple(outbound_ips),
    )
    if not password:
        return bare
    return replace(bare, password=shape_of(password, bare.known_provider, from_environment=from_environment))
