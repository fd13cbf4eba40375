"""What a server is to the rest of the program: a frozen value. Rows of the database never leave :mod:`.store`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

from ..permissions import Scope
from ..smtp.endpoint import Security
from .mailboxes import address_key

#: Names of the fields that a person or a program may set, in the order of the form.
FIELDS = (
    "name",
    "host",
    "port",
    "security",
    "username",
    "password",
    "auth_mechanism",
    "address",
    "sender_name",
    "sender_format",
    "sender_policy",
    "foreign_sender",
    "allowed_senders",
    "reply_to",
    "timeout_seconds",
    "max_connections",
    "pipelining",
    "ca_certificate",
    "certificate_fingerprint",
    "client_certificate",
    "client_key",
    "enabled",
    "draft",
    "is_default",
    "position",
    "provider",
)

#: A change of any of these sends the password to another place, or in another way: it must then be given again.
DESTINATION_FIELDS = (
    "host",
    "port",
    "security",
    "username",
    "auth_mechanism",
    "ca_certificate",
    "certificate_fingerprint",
)

#: What a test covers: with a change of any of these, an older one says nothing of what a mail meets.
COVERED_FIELDS = (
    *DESTINATION_FIELDS,
    "address",
    "timeout_seconds",
    "pipelining",
    "client_certificate",
    "password",
    "client_key",
)


class SenderPolicy(StrEnum):
    """What happens to an explicit sender that is not the server's own sending address."""

    KEEP = "keep"
    """The message keeps its sender."""
    FILL_NAME = "fill_name"
    """The message keeps its address; a missing display name is filled in from the server."""
    FORCE = "force"
    """The server's sending address and name replace the sender; the author moves to Reply-To."""


class ForeignSender(StrEnum):
    """What happens to a sender that is neither the server's sending address nor one of its allowed senders."""

    KEEP = "keep"
    """The server sends it as it is."""
    REWRITE = "rewrite"
    """The server's sending address takes its place: the author stands in the display name and in Reply-To."""
    REFUSE = "refuse"
    """The message is not sent."""


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """A secret as it stands in the database: an encrypted token, or the name of an environment variable."""

    token: str = field(default="", repr=False)
    environment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerProfile:
    """A stored SMTP server.

    :param public_id: random id, made before the insert; URLs and encryption use it.
    :param tenant: the id of the tenant that it belongs to; empty for the app's own.
    :param owner: the id of the user whose own server it is; empty for a server of the app or of a tenant.
    :param security: ``ssl``, ``starttls`` or ``none``.
    :param username: empty for a server that needs no login.
    :param auth_mechanism: the sign-in method, e.g. ``CRAM-MD5``; empty chooses by itself (PLAIN, else LOGIN).
    :param address: the sending address (addr-spec).
    :param sender_name: the display name of the sending address; may be empty.
    :param sender_format: how the display name is made, e.g. ``{user} via {app}``.
    :param foreign_sender: what happens to a sender that is neither its own address nor allowed.
    :param allowed_senders: addresses and domains that it may also send for, in lower case.
    :param reply_to: address for replies, or empty.
    :param timeout_seconds: the limit for connecting and for each reply.
    :param max_connections: the most connections at once from one process; 0 for the app's usual number.
    :param pipelining: False sends one command at a time even where the server offers PIPELINING (RFC 2920).
    :param ca_certificate: PEM of authorities to trust for this server, or empty.
    :param certificate_fingerprint: the one certificate to trust, as ``SHA256:AB:CD:…``, whoever issued it and to
        whatever name; empty trusts authorities.
    :param client_certificate: PEM of the client certificate, or empty.
    :param provider: id of the preset it was made from, or empty.
    :param draft: whether it waits for its first activation; then it is never enabled.
    :param position: order in the list, from 0.
    :param version: grows with every change; detects two editors.
    :param password_changed_at: when the password was last set, UTC.
    :param certificate_expires_at: until when the server's certificate is valid, UTC, as the last test saw it.
    :param tested_at: when it was last tested, UTC; None after a change of what the test covers.
    :param test_passed: how that test ended.
    :param test_title: the headline of the failed test's diagnosis.
    :param tested_by: who tested it, as the host's ``owner`` callable named him, or the command that did.
    :param retest_since: when a change made the last test say nothing any more, UTC; None if it still holds.
    :param arrived_at: when it was last confirmed that a test message arrived, UTC.
    :param failing_since: since when the scheduled check has found it failing, UTC; None while it works.
    :param suspended_at: when an admin suspended it, UTC; a suspended server sends nothing until it is resumed.
    :param suspended_reason: what the admin said about it.
    :param origin: where the app's configuration sets it up; empty for a stored one, which can be changed.
    :param address_verified_at: when the owner proved that the sending address is his, UTC; see ``usable``.
    """

    public_id: str
    tenant: str = ""
    owner: str = ""
    name: str
    host: str
    port: int
    security: Security
    username: str = ""
    password: StoredSecret | None = field(default=None, repr=False)
    auth_mechanism: str = ""
    address: str
    sender_name: str = ""
    sender_format: str = "{name}"
    sender_policy: SenderPolicy = SenderPolicy.KEEP
    foreign_sender: ForeignSender = ForeignSender.KEEP
    allowed_senders: tuple[str, ...] = ()
    reply_to: str = ""
    timeout_seconds: float = 10.0
    max_connections: int = 0
    pipelining: bool = True
    ca_certificate: str = ""
    certificate_fingerprint: str = ""
    client_certificate: str = ""
    client_key: StoredSecret | None = field(default=None, repr=False)
    provider: str = ""
    enabled: bool = True
    draft: bool = False
    is_default: bool = False
    position: int = 0
    version: int = 1
    password_changed_at: datetime | None = None
    certificate_expires_at: datetime | None = None
    tested_at: datetime | None = None
    test_passed: bool | None = None
    test_title: str = ""
    tested_by: str = ""
    retest_since: datetime | None = None
    arrived_at: datetime | None = None
    failing_since: datetime | None = None
    suspended_at: datetime | None = None
    suspended_reason: str = ""
    address_verified_at: datetime | None = None
    origin: str = ""

    @property
    def scope(self) -> Scope:
        """Whose server it is."""
        return Scope(self.tenant or None, self.owner or None)

    @property
    def suspended(self) -> bool:
        """Whether an admin has suspended it."""
        return self.suspended_at is not None

    @property
    def proved(self) -> bool:
        """Whether its sending address may be used: a user must have proved that it is his."""
        return not self.owner or self.address_verified_at is not None

    @property
    def usable(self) -> bool:
        """Whether mail may go through it: it is enabled, not suspended, and its address is proved."""
        return self.enabled and not self.suspended and self.proved

    def may_send_as(self, address: str) -> bool:
        """Whether a sender is its own address, or one of its allowed senders."""
        key, domain = address_key(address)
        return key == address_key(self.address)[0] or not {key, domain}.isdisjoint(self.allowed_senders)

    @property
    def has_password(self) -> bool:
        """Whether a password is stored."""
        return self.password is not None

    @property
    def domain(self) -> str:
        """The domain of the sending address, in lower case."""
        return self.address.rpartition("@")[2].lower()

    @property
    def digest(self) -> str:
        """A digest of everything that a session depends on: another digest, another connection."""
        parts = (
            self.public_id,
            self.host,
            str(self.port),
            self.security,
            self.username,
            self.auth_mechanism,
            str(self.timeout_seconds),
            str(self.pipelining),
            self.ca_certificate,
            self.certificate_fingerprint,
            self.client_certificate,
            *(f"{secret.token}{secret.environment}" if secret else "" for secret in (self.password, self.client_key)),
        )
        return sha256("\0".join(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerEvent:
    """One entry of the history. Secrets appear by name only, never with a value.

    :param at: when, UTC.
    :param actor: who, as the host's ``owner`` callable named him; empty for the command line.
    :param action: ``added``, ``edited``, ``password``, ``removed``, ``enabled``, ``paused``, ``default``, ``moved``,
        ``suspended``, ``resumed``, ``verified``, ``kind``; for a change that waits for its test ``waiting``,
        ``discarded``, ``activated`` once it has passed, ``forced`` if it is used without; or ``sending_on``,
        ``sending_off``, ``mode_on``, ``mode_off`` and ``mode_usual``, which concern no server, so that id and name are
        empty.
    :param fields: the names of the fields that changed; for ``kind`` the kind of mail, for modes the way to send.
    :param before: the values that these fields had; of a secret only whether there was one. Empty for ``added``.
    :param after: the values that they got; empty for ``removed``, where ``before`` holds all of them.
    :param id: its number; 0 while it is not stored.
    :param tenant: the tenant whose settings were changed; empty for the app's.
    :param owner: the user whose settings were changed; empty for those of the app or of a tenant.
    """

    at: datetime
    actor: str
    action: str
    server_id: str
    server_name: str
    fields: tuple[str, ...] = ()
    before: Mapping[str, Any] = field(default_factory=dict, hash=False)
    after: Mapping[str, Any] = field(default_factory=dict, hash=False)
    id: int = field(default=0, compare=False)
    tenant: str = ""
    owner: str = ""
