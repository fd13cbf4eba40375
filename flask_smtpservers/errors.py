"""Every error that the package raises.

::

    SMTPServersError
    ├── ConfigurationError              the app is set up wrongly; the text says the cure
    │   └── MissingExtraError           an optional library is missing; the text is the pip command
    ├── InvalidServer                   fields of a server are wrong: .fields maps name -> sentences
    │   └── PasswordRequired            the destination changed, so the password must be given again
    ├── ServerNotFound                  no server has that id or name
    ├── ServerChanged                   somebody else saved the server meanwhile
    ├── ServerLocked                    the server is set up in the app's configuration
    ├── StoreUnavailable                the database failed; nothing was written
    ├── SecretUnreadable                a stored secret cannot be decrypted
    ├── MessageRefused                  the message itself cannot be sent; nothing was transmitted
    └── SendError                       a server could not be reached or did not take the message
        ├── AddressBlocked              the network guard forbids the address
        ├── HostNotFound                name resolution failed
        ├── ConnectionFailed            no TCP connection (no route, reset)
        │   └── ConnectionRefused       nothing listens at that port
        ├── TimedOut                    a limit in time was reached
        ├── TLSFailed                   no TLS connection
        │   └── CertificateRefused      the certificate is not trusted
    │       └── CertificateChanged  it is not the one whose fingerprint is trusted
        ├── ProtocolError               the server broke the protocol or hung up
        ├── NotOffered                  STARTTLS, AUTH or a mechanism is not offered
        ├── AuthenticationFailed        the server refused the credentials
        ├── HeloRefused                 the server refused EHLO
        ├── SenderRefused               the server refused MAIL FROM
        │   └── MessageTooLarge         the message exceeds the server's SIZE
        ├── RecipientsRefused           the server refused every recipient
        ├── DataRefused                 the server refused the content
        └── InDoubt                     the content went out, the verdict did not come: do not send again blindly

Those under ``SendError`` also inherit the smtplib, ssl or OSError type that Flask-Mail raised in
their place, so that ``except smtplib.SMTPAuthenticationError`` in a host goes on working.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from smtplib import (
    SMTPAuthenticationError,
    SMTPDataError,
    SMTPException,
    SMTPHeloError,
    SMTPNotSupportedError,
    SMTPRecipientsRefused,
    SMTPSenderRefused,
    SMTPServerDisconnected,
)
from socket import gaierror
from ssl import SSLCertVerificationError, SSLError
from typing import Any, ClassVar

from .findings import Diagnosis, Stage


class SMTPServersError(Exception):
    """The root of all errors of this package."""


class ConfigurationError(SMTPServersError, RuntimeError):
    """The application is set up wrongly; the text says how to mend it."""


class MissingExtraError(ConfigurationError, ImportError):
    """An optional library is not installed; the text is the command that installs it."""

    def __init__(self, extra: str) -> None:
        super().__init__(f"pip install 'flask-smtpservers[{extra}]'")


class InvalidServer(SMTPServersError, ValueError):
    """One or more fields of a server cannot be accepted.

    :param fields: field name -> the sentences to show beside it.
    """

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        self.fields = {name: tuple(sentences) for name, sentences in fields.items()}
        super().__init__("; ".join(f"{name}: {' '.join(sentences)}" for name, sentences in self.fields.items()))


class PasswordRequired(InvalidServer):
    """The server's destination changed, so its stored password was not used and must be given again."""


class ServerNotFound(SMTPServersError, LookupError):
    """No server has this id or name."""


class ServerChanged(SMTPServersError):
    """Somebody else saved this server since it was read; nothing was written."""


class ServerLocked(SMTPServersError):
    """The server is set up in the app's configuration and can only be changed there; nothing was written."""


class StoreUnavailable(SMTPServersError):
    """The database failed; nothing was written."""


class SecretUnreadable(SMTPServersError):
    """A stored secret cannot be decrypted: the key is missing, or its row was changed behind our back."""


class MessageRefused(SMTPServersError, ValueError):
    """The message itself cannot be sent as it is; nothing was transmitted."""


class SendError(SMTPServersError, SMTPException):
    """A server could not be reached, or did not take the message.

    :param text: what happened, without secrets.
    :param stage: the step at which it happened.
    :param server: the name of the server as the admin knows it (``Built-in`` for the app's own).
    :param code: the reply code, if the server replied (RFC 5321 §4.2).
    :param enhanced: the enhanced status code such as ``5.7.8`` (RFC 3463), if any.
    :param reply: the server's own words: printable, bounded, secrets masked.
    :param permanent: whether the same attempt would fail again; derived from ``code`` if not given.
    """

    #: Whether errors of this class are lasting when the server gave no reply code.
    permanent_without_code: ClassVar[bool] = False
    #: Whether any of the message's content had been handed to the system for sending. If not, the server cannot have
    #: the message, and sending it again cannot deliver it twice.
    content_sent: bool = False

    def __init__(
        self,
        text: str,
        *,
        stage: Stage,
        server: str = "",
        code: int | None = None,
        enhanced: str | None = None,
        reply: str = "",
        permanent: bool | None = None,
    ) -> None:
        Exception.__init__(self, text)
        self.text = text
        self.stage = stage
        self.server = server
        self.code = code
        self.enhanced = enhanced
        self.reply = reply
        if permanent is None:
            permanent = code >= 500 if code is not None else self.permanent_without_code
        self.permanent = permanent
        self.diagnosis: Diagnosis | None = None
        # smtplib's own attributes, for hosts that read them
        self.smtp_code = code if code is not None else -1
        self.smtp_error: Any = reply.encode("ascii", "replace")

    def __str__(self) -> str:
        return f"{self.server}: {self.text}" if self.server else self.text

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), dict(self.__dict__), self.errno))


def _rebuild(cls: type[SendError], attributes: dict[str, object], errno: int | None) -> SendError:
    error = cls.__new__(cls)
    error.errno = errno
    error.__dict__.update(attributes)
    error.args = (attributes["text"],)
    return error


class AddressBlocked(SendError):
    """The network guard forbids connecting to this address."""

    permanent_without_code = True


class HostNotFound(SendError, gaierror):
    """The host name could not be resolved.

    :param resolver_failed: True if name resolution itself did not work (EAI_AGAIN), not just this name.
    """

    resolver_failed: bool = False


class ConnectionFailed(SendError, ConnectionError):
    """No TCP connection came about, although the name resolved; ``errno`` says why where the system told."""


class ConnectionRefused(ConnectionFailed, ConnectionRefusedError):
    """Nothing listens at that address and port, or a firewall answers in its place."""


class TimedOut(SendError, TimeoutError):
    """A limit in time was reached before the final dot was sent."""


class TLSFailed(SendError, SSLError):
    """No TLS connection came about."""

    permanent_without_code = True
    #: OpenSSL's reason, e.g. ``WRONG_VERSION_NUMBER``.
    tls_reason: str = ""


class CertificateRefused(TLSFailed, SSLCertVerificationError):
    """The server's certificate is not trusted, has expired, or bears another name.

    ``verify_code`` is OpenSSL's X509_V_ERR number (10 expired, 9 not yet valid, 18 self-signed,
    19 self-signed in chain, 20 unknown issuer, 62 other host name, 64 other IP address).
    """

    verify_code: int = 0


class CertificateChanged(CertificateRefused):
    """The server shows another certificate than the one whose fingerprint its settings trust.

    ``trusted`` and ``found`` are the two fingerprints, as ``SHA256:AB:CD:…``; ``found`` is empty if it showed none.
    """

    trusted: str = ""
    found: str = ""


class ProtocolError(SendError, SMTPServerDisconnected):
    """The server hung up, or sent something that is not SMTP; ``disconnected`` tells which."""

    disconnected: bool = False


class NotOffered(SendError, SMTPNotSupportedError):
    """The server does not offer what the settings demand: STARTTLS, AUTH, or a mechanism.

    ``offered`` is what it offers in place of the mechanism, and ``wanted`` the one that the settings name, if they do.
    """

    permanent_without_code = True
    wanted: str = ""
    offered: tuple[str, ...] = ()


class AuthenticationFailed(SendError, SMTPAuthenticationError):
    """The server refused the user name or password."""


class HeloRefused(SendError, SMTPHeloError):
    """The server refused EHLO."""


class SenderRefused(SendError, SMTPSenderRefused):
    """The server refused the envelope sender, ``sender``."""

    sender: str = ""


class MessageTooLarge(SenderRefused):
    """The message is larger than the server's SIZE limit; the content was not sent."""

    permanent_without_code = True


class RecipientsRefused(SendError, SMTPRecipientsRefused):
    """The server refused every recipient; ``recipients`` maps address -> (code, text as bytes), as in smtplib."""

    recipients: dict[str, tuple[int, bytes]] = {}  # noqa: RUF012 - replaced on each instance, as smtplib does


class DataRefused(SendError, SMTPDataError):
    """The server refused DATA or the content."""


class InDoubt(SendError, SMTPServerDisconnected):
    """The whole content went out but no verdict came back: the message may have been accepted.

    Sending it again may deliver it twice (RFC 1047).
    """

    content_sent = True
