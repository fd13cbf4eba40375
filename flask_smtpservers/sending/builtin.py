"""The app's own server, as its ``MAIL_*`` settings describe it."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from ipaddress import ip_address

from ..config import Settings
from ..secret import Secret
from ..smtp.endpoint import Endpoint, Security
from .routing import BUILT_IN


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltIn:
    """What the app's ``MAIL_*`` settings say.

    :param default_sender: ``MAIL_DEFAULT_SENDER`` as it was given: a text, a pair, a callable, or None.
    """

    host: str
    port: int
    security: Security
    username: str = ""
    password: Secret | None = field(default=None, repr=False)
    default_sender: object = None

    @property
    def has_password(self) -> bool:
        """Whether there is a password."""
        return bool(self.password)

    @property
    def digest(self) -> str:
        """A digest of everything that a session depends on."""
        password = self.password.reveal() if self.password else ""
        parts = ("built-in", self.host, str(self.port), self.security, self.username, password)
        return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()

    def endpoint(self, settings: Settings) -> Endpoint:
        """Return where to connect. The operator wrote these settings himself, so the network guard does not apply.

        A password goes to this machine without TLS, as it never leaves it; elsewhere only if the operator allows it.
        """
        signs_in = self.username and self.has_password  # as in Flask-Mail: one without the other is not used
        return Endpoint(
            name=BUILT_IN,
            host=self.host,
            port=self.port,
            security=self.security,
            username=self.username if signs_in else "",
            password=self.password if signs_in else None,
            ca_file=settings.ca_file,
            verify_certificate=settings.builtin_verify,
            plaintext_auth=settings.allow_plaintext_auth or _is_this_machine(self.host),
            guarded=False,
            ehlo_name=settings.ehlo_name or "",
        )


def _is_this_machine(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
