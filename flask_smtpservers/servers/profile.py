"""What a server is to the rest of the program: a frozen value. Rows of the database never leave :mod:`.store`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from ..smtp.endpoint import Security

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
    "reply_to",
    "timeout_seconds",
    "max_connections",
    "pipelining",
    "ca_certificate",
    "client_certificate",
    "client_key",
    "enabled",
    "is_default",
    "position",
    "provider",
)

#: A change of any of these sends the password to another place, or in another way: it must then be given again.
DESTINATION_FIELDS = ("host", "port", "security", "username", "auth_mechanism", "ca_certificate")


class SenderPolicy(StrEnum):
    """What happens to an explicit sender that is not the server's own sending address."""

    KEEP = "keep"
    """The message keeps its sender."""
    FILL_NAME = "fill_name"
    """The message keeps its address; a missing display name is filled in from the server."""
    FORCE = "force"
    """The server's sending address and name replace the sender; the author moves to Reply-To."""


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """A secret as it stands in the database: an encrypted token, or the name of an environment variable."""

    token: str = field(default="", repr=False)
    environment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerProfile:
    """A stored SMTP server.

    :param public_id: random id, made before the insert; URLs and encryption use it.
    :param security: ``ssl``, ``starttls`` or ``none``.
    :param username: empty for a server that needs no login.
    :param auth_mechanism: the sign-in method, e.g. ``CRAM-MD5``; empty chooses by itself (PLAIN, else LOGIN).
    :param address: the sending address (addr-spec).
    :param sender_name: the display name of the sending address; may be empty.
    :param sender_format: how the display name is made, e.g. ``{user} via {app}``.
    :param reply_to: address for replies, or empty.
    :param timeout_seconds: the limit for connecting and for each reply.
    :param max_connections: the most connections at once from one process; 0 for the app's usual number.
    :param pipelining: False sends one command at a time even where the server offers PIPELINING (RFC 2920).
    :param ca_certificate: PEM of authorities to trust for this server, or empty.
    :param client_certificate: PEM of the client certificate, or empty.
    :param provider: id of the preset it was made from, or empty.
    :param position: order in the list, from 0.
    :param version: grows with every change; detects two editors.
    :param password_changed_at: when the password was last set, UTC.
    :param tested_at: when it was last tested, UTC; None after a change of what the test covers.
    :param test_passed: how that test ended.
    :param test_title: the headline of the failed test's diagnosis.
    """

    public_id: str
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
    reply_to: str = ""
    timeout_seconds: float = 10.0
    max_connections: int = 0
    pipelining: bool = True
    ca_certificate: str = ""
    client_certificate: str = ""
    client_key: StoredSecret | None = field(default=None, repr=False)
    provider: str = ""
    enabled: bool = True
    is_default: bool = False
    position: int = 0
    version: int = 1
    password_changed_at: datetime | None = None
    tested_at: datetime | None = None
    test_passed: bool | None = None
    test_title: str = ""

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
            self.client_certificate,
            *(f"{secret.token}{secret.environment}" if secret else "" for secret in (self.password, self.client_key)),
        )
        return sha256("\0".join(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerEvent:
    """One entry of a server's history. Secrets appear by name only, never with a value.

    :param at: when, UTC.
    :param actor: who, as the host's ``owner`` callable named him; empty for the command line.
    :param action: ``added``, ``edited``, ``password``, ``removed``, ``enabled``, ``paused``, ``default``, ``moved``; or
        ``sending_on`` and ``sending_off``, which concern no server, so that id and name are empty.
    :param fields: the names of the fields that changed.
    """

    at: datetime
    actor: str
    action: str
    server_id: str
    server_name: str
    fields: tuple[str, ...] = ()
