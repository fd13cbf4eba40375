"""Where a session goes and how it gets in: everything that :class:`~.session.Session` must know of a server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from ..secret import Secret


class Security(StrEnum):
    """When encryption begins (RFC 8314, RFC 3207)."""

    SSL = "ssl"
    """TLS from the first byte ("implicit TLS", usually port 465)."""
    STARTTLS = "starttls"
    """The server must offer STARTTLS and TLS must come about, or nothing is sent (usually port 587)."""
    NONE = "none"
    """No encryption."""

    @property
    def usual_port(self) -> int:
        """The port that providers document for it."""
        return {Security.SSL: 465, Security.STARTTLS: 587, Security.NONE: 25}[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One server as a session sees it.

    :param name: what to call it in errors.
    :param host: host name (A-labels) or IP literal.
    :param username: empty for a server that needs no login.
    :param token: gives an access token for ``username`` (XOAUTH2, OAUTHBEARER). It is called once whenever a session
        signs in with such a mechanism, must set its own limit in time, and may raise errors of this package, which are
        passed on; of any other only the kind is told.
    :param mechanism: the sign-in method to use, e.g. ``CRAM-MD5``. Empty chooses PLAIN, else LOGIN; or, with a token
        and without a password, XOAUTH2, else OAUTHBEARER.
    :param timeout_seconds: the limit for connecting and for each reply.
    :param ca_certificate: PEM of further certificate authorities to trust, for this server only.
    :param ca_file: path of the operator's PEM file of authorities to trust besides.
    :param client_certificate: PEM of a client certificate, with ``client_key`` as its private key.
    :param certificate_fingerprint: the one certificate to trust, as ``SHA256:AB:CD:…``, in place of authorities and
        name; see :mod:`.pinning`.
    :param verify_certificate: False only for the app's own server when its operator said so.
    :param plaintext_auth: whether the operator allows a login without TLS.
    :param guarded: whether the network guard applies.
    :param ehlo_name: the name to send with EHLO; empty takes this machine's.
    :param pipelining: False sends one command at a time even if the server offers PIPELINING (RFC 2920).
    """

    name: str = ""
    host: str
    port: int
    security: Security
    username: str = ""
    password: Secret | None = None
    token: Callable[[], Secret] | None = field(default=None, repr=False)
    mechanism: str = ""
    timeout_seconds: float = 10.0
    ca_certificate: str | None = None
    ca_file: str | None = None
    client_certificate: str | None = None
    client_key: Secret | None = field(default=None, repr=False)
    certificate_fingerprint: str = ""
    verify_certificate: bool = True
    plaintext_auth: bool = False
    guarded: bool = True
    ehlo_name: str = ""
    pipelining: bool = True
