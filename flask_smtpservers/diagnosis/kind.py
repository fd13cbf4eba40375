"""How something failed, by the class of the error or by the words of the system."""

from __future__ import annotations

from enum import StrEnum

from ..findings import Stage
from .wording import any_of


class Kind(StrEnum):
    """How something failed."""

    NAME = "name"
    """The host name was not resolved."""
    REFUSED = "refused"
    """The connection was refused."""
    UNREACHABLE = "unreachable"
    """There was no route."""
    FORBIDDEN = "forbidden"
    """The system forbade the connection."""
    TIMED_OUT = "timed_out"
    CLOSED = "closed"
    """The other side hung up."""
    GARBLED = "garbled"
    """The other side sent something that is not SMTP, or too much."""
    TLS = "tls"
    CERTIFICATE = "certificate"
    NOT_OFFERED = "not_offered"
    """The server lacks STARTTLS, AUTH or another extension."""
    REPLY = "reply"
    """The server said no."""
    UNFIT = "unfit"
    """A value of ours could not be sent; nothing was."""
    OTHER = "other"


#: Names of exception classes, the special before the general ones; an error's own class and its bases are looked up.
KINDS = {
    "gaierror": Kind.NAME,
    "herror": Kind.NAME,
    "HostNotFound": Kind.NAME,
    "ConnectionRefusedError": Kind.REFUSED,
    "TimeoutError": Kind.TIMED_OUT,
    "timeout": Kind.TIMED_OUT,
    "SSLCertVerificationError": Kind.CERTIFICATE,
    "CertificateError": Kind.CERTIFICATE,
    "SSLError": Kind.TLS,
    "SSLEOFError": Kind.TLS,
    "SSLZeroReturnError": Kind.TLS,
    "UnicodeError": Kind.UNFIT,
    "UnicodeEncodeError": Kind.UNFIT,
    "SMTPNotSupportedError": Kind.NOT_OFFERED,
    "SMTPAuthenticationError": Kind.REPLY,
    "SMTPSenderRefused": Kind.REPLY,
    "SMTPRecipientsRefused": Kind.REPLY,
    "SMTPDataError": Kind.REPLY,
    "SMTPHeloError": Kind.REPLY,
    "SMTPConnectError": Kind.REPLY,
    "SMTPResponseException": Kind.REPLY,
    "SMTPServerDisconnected": Kind.CLOSED,
    "ConnectionResetError": Kind.CLOSED,
    "BrokenPipeError": Kind.CLOSED,
    "ConnectionAbortedError": Kind.CLOSED,
    "EOFError": Kind.CLOSED,
    "PermissionError": Kind.FORBIDDEN,
}

#: Where a failure of this class shows, if nobody says.
STAGES = {
    "gaierror": Stage.RESOLVE,
    "ConnectionRefusedError": Stage.CONNECT,
    "SMTPConnectError": Stage.GREETING,
    "SMTPHeloError": Stage.EHLO,
    "SMTPAuthenticationError": Stage.AUTH,
    "UnicodeEncodeError": Stage.AUTH,
    "SMTPSenderRefused": Stage.MAIL_FROM,
    "SMTPRecipientsRefused": Stage.RCPT_TO,
    "SMTPDataError": Stage.DATA,
}

_BY_WORDS = (
    (
        Kind.NAME,
        any_of(
            r"getaddrinfo|enotfound|errno -[235]\b|\beai |name or service not known|nodename nor servname|no such host",
            r"nxdomain|name resolution|no address associated|could not resolve host|dns query",
        ),
    ),
    (
        Kind.CERTIFICATE,
        any_of(r"certificate|\bcert |alt ?names|x509|unknown ca\b|issuer|leaf signature|\bpkix|self[- ]signed"),
    ),
    (
        Kind.TLS,
        any_of(
            r"\bssl|\btls.*(alert|version|handshake|record|packet)|handshake|schannel|wrong version number|frame size"
        ),
    ),
    (
        Kind.UNREACHABLE,
        any_of(r"unreachable|e(net|host)unreach|no route to host|cannot assign requested address|eaddrnotavail"),
    ),
    (
        Kind.REFUSED,
        any_of(
            r"econnrefused|refused (the|our|your) connection|connection refused \(|refused it",
            r"err(no|or):? (111|61|10061)\b|[:(]\s?connection refused\W*$",
            r"verbindung .{0,20}(verweigert|abgelehnt)|connexion refus|conexi\S+n rechazada|积极拒绝|拒绝连接",
        ),
    ),
    (
        Kind.TIMED_OUT,
        any_of(
            r"etimedout|time[ds]? out|time-?out|超时|zeit\S*berschreitung|d\S+lai .{0,20}(d\S+pass|expir)",
            r"tiempo de espera",
        ),
    ),
    (Kind.FORBIDDEN, any_of(r"permission denied|eacces|error 10013\b|errno (13|10013)\b")),
    (
        Kind.CLOSED,
        any_of(
            r"connection (was )?(unexpectedly )?(closed|reset|aborted)|econnreset|\beof\b|forcibly closed|broken pipe",
            r"never received|(empty|short) response|unexpectedly disconnected|end of file|response: -1\b",
            r"got code \W+ ?with message|connection (closed|reset) by|closed (the )?connection unexpectedly",
        ),
    ),
    (
        Kind.NOT_OFFERED,
        any_of(
            r"(starttls|auth) (extension )?not supported|not support(ed)? .*(starttls|auth)|unencrypted connection",
            r"(starttls|tls|auth)\b.{0,30}not offered|does not advertise the (starttls|auth)",
        ),
    ),
    (Kind.UNFIT, any_of(r"codec can't encode|unicodeencodeerror")),
)


def kind_of_words(text: str, default: Kind = Kind.OTHER) -> Kind:
    """Guess from the system's words how something failed."""
    return next((kind for kind, words in _BY_WORDS if words.search(text)), default)
