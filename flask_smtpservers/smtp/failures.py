"""From what the system raises to what we raise: the one place where low-level errors are mapped."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterable

from ..errors import (
    CertificateRefused,
    ConnectionFailed,
    ConnectionRefused,
    ProtocolError,
    SendError,
    TimedOut,
    TLSFailed,
)
from ..findings import Stage
from ..i18n import gettext as _
from .network import host_not_found

#: The system found no way to even try this address, which is usual for IPv6 on a machine without it.
_NO_WAY = {errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EHOSTUNREACH, errno.EPROTONOSUPPORT}


class HangupError(ConnectionError):
    """The server closed the connection in good order; in a handshake OpenSSL says so itself."""


def failure(error: OSError, stage: Stage, host: str) -> SendError:
    """Turn an error of the socket, of TLS or of the resolver into ours.

    :param error: what was raised.
    :param stage: the stage at which it was raised.
    :param host: the host that was meant, for the text.
    """
    if isinstance(error, SendError):
        return error
    if isinstance(error, socket.gaierror) or stage is Stage.RESOLVE:
        return host_not_found(host, error)
    if isinstance(error, TimeoutError):
        return TimedOut(_timeout_text(stage, host), stage=stage)
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate_refused(error, host)
    if isinstance(error, ssl.SSLError) or (stage is Stage.TLS and not isinstance(error, HangupError)):
        return _tls_failed(error, stage, host)
    if stage is Stage.CONNECT:
        return _not_connected(error, host)
    return _hung_up(error, stage, host)


def most_telling(errors: Iterable[OSError]) -> OSError:
    """Of the errors of several addresses, return the one that says most about the server.

    A refusal comes from the server, a time-out from the way there; "no route" only says that this machine has no IPv6.
    """

    def rank(error: OSError) -> int:
        if isinstance(error, ConnectionRefusedError):
            return 3
        if isinstance(error, TimeoutError):
            return 2
        return 0 if error.errno in _NO_WAY else 1

    return max(errors, key=rank)


def _timeout_text(stage: Stage, host: str) -> str:
    if stage is Stage.CONNECT:
        return _("%(host)s did not answer in time.", host=host)
    if stage is Stage.GREETING:
        return _("%(host)s was reached but sent no greeting in time.", host=host)
    if stage is Stage.TLS:
        return _("%(host)s did not finish the TLS handshake in time.", host=host)
    if stage is Stage.DATA:
        return _("%(host)s did not take the message in time.", host=host)
    return _("%(host)s did not reply in time.", host=host)


def _certificate_refused(error: ssl.SSLCertVerificationError, host: str) -> CertificateRefused:
    reason = getattr(error, "verify_message", "") or _("the reason is unknown")
    text = _("The certificate of %(host)s is not trusted: %(reason)s.", host=host, reason=reason)
    refused = CertificateRefused(text, stage=Stage.CERTIFICATE)
    refused.verify_code = getattr(error, "verify_code", 0)
    refused.tls_reason = getattr(error, "reason", "") or "CERTIFICATE_VERIFY_FAILED"
    return refused


def _tls_failed(error: OSError, stage: Stage, host: str) -> TLSFailed:
    # Errors that were not raised by OpenSSL itself have no reason at all.
    reason = getattr(error, "reason", "") or ""
    broken_off = isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError))
    if broken_off:
        reason = "UNEXPECTED_EOF_WHILE_READING"
    words = reason.replace("_", " ").lower() or _system_words(error)
    failed = TLSFailed(
        _("No encrypted connection to %(host)s came about: %(reason)s.", host=host, reason=words),
        stage=stage,
        permanent=isinstance(error, ssl.SSLError) and not broken_off,
    )
    failed.tls_reason = reason
    if not isinstance(error, ssl.SSLError):
        failed.errno = error.errno
    return failed


def _not_connected(error: OSError, host: str) -> ConnectionFailed:
    kind = ConnectionRefused if isinstance(error, ConnectionRefusedError) else ConnectionFailed
    failed = kind(
        _("No connection to %(host)s came about: %(reason)s.", host=host, reason=_system_words(error)),
        stage=Stage.CONNECT,
    )
    failed.errno = error.errno
    return failed


def _hung_up(error: OSError, stage: Stage, host: str) -> ProtocolError:
    failed = ProtocolError(_("%(host)s closed the connection.", host=host), stage=stage)
    failed.disconnected = True
    failed.errno = error.errno
    return failed


def _system_words(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
