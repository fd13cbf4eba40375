"""What other programs and their logs wrap around a failure, and what they tell beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..findings import Stage
from ..smtp.endpoint import Security
from .wording import any_of

#: Swift and Symfony Mailer quote the reply.
_QUOTED = re.compile(r"\bbut got (?:an? )?code \\?\"?\d{3}\\?\"?, with (?:the )?message \\?\"(.+?)(?:\\?\"|\Z)", re.S)
_EXPECTED = re.compile(r"\bexpected response code (\\?\"?\d{3}\\?\"?/?)+", re.I)
#: The fields of a log line of Postfix, whose names are not the server's words: ``from=<…> proto=ESMTP helo=<…>``.
_FIELDS = re.compile(r"\b(?:from|to|orig_to|proto|helo|relay|delays?|dsn|status|sasl_\w+)=(?:<[^>]*>|[^\s,;]*)[,;]?")
#: Sentences of a library or a mail program that stand beside every failure.
_STOCK = re.compile(
    r"(?:this usually means|one possibility is|the other possibility is).*?(?=--->|\Z)"
    r"|ehlo not accepted from server|invalid addresses;|secure ?\(ssl\): ?\w+|if you intended to (?:connect|use).*?\."
    r"|SMTPRecipientsRefused|SMTPFailedRecipient\w*|(?:using )?\d+ possible authenticators",
    re.I | re.S,
)


def server_words(text: str) -> str:
    """Leave of a text what the server or the system said."""
    quoted = _QUOTED.findall(text)
    if quoted:
        return str(quoted[-1])
    return _STOCK.sub(" ", _FIELDS.sub(" ", _EXPECTED.sub(" ", text)))


_STAGES = tuple(
    (stage, re.compile(marks, re.I))
    for stage, marks in (
        (Stage.DATA, r"(in reply to|after) (the )?(end of )?data|dataend|data (end|command)|reject: (data|end-of)"),
        (
            Stage.RCPT_TO,
            r"(in reply to|after) rcpt|reject: rcpt|recipients (were|failed)|rcpt(to| command)|recipient '",
        ),
        (Stage.RCPT_TO, r"(add|failed) recipient|(addressfailed|failedrecipient|recipientsrefused)|'rcpt'"),
        (Stage.MAIL_FROM, r"(in reply to|after) mail from|reject: mail|senderrefused|mail (from )?command failed"),
        (Stage.EHLO, r"(in reply to|after) [eh]e?[hl]lo|reject: [eh]e?[hl]lo|heloerror"),
        (
            Stage.AUTH,
            r"(in reply to|after|command:) ['\"]?auth|authenticationfailed|eauth\b|invalid login|setting \[auth",
        ),
        (Stage.GREETING, r"invalid greeting|response code \\?\"?220|after initial connection|reject: connect"),
        (Stage.DATA, r"message failed: \d{3}|smtpdataerror"),
    )
)


def stage_told(text: str) -> Stage | None:
    """Tell the step that a log names."""
    return next((stage for stage, marks in _STAGES if marks.search(text)), None)


@dataclass(frozen=True, slots=True)
class Told:
    """What a log tells of the settings and of the server; empty where it does not."""

    host: str = ""
    port: int | None = None
    security: Security | None = None
    greeting: str = ""


_NAME = r"(?P<host>[\w-]+(?:\.[\w-]+)+)"
_ENDPOINTS = tuple(
    re.compile(pattern, re.I)
    for pattern in (
        rf"host:? \"?{_NAME}\"?, (?:port:? )?(?P<port>\d+)(?:, isssl (?P<ssl>true|false))?",
        rf"host, port: {_NAME}, (?P<port>\d+)",
        rf"(?:opening|connect|connection) to (?P<scheme>ssl|tls|tcp|smtps?)?(?:://)?{_NAME}(?:\[[^\]]*\])?:(?P<port>\d+)",
        rf"exchange: '{_NAME}'",
        r"(?:dial tcp|etimedout|econnrefused|e\w+unreach) \S+?:(?P<port>\d+)\b",
    )
)
_GREETING = re.compile(r"(?<!\d)220[- ]([\w-]+(?:\.[\w-]+)+ E?SMTP[^\"\n]*)")


def told(text: str) -> Told:
    """Read host, port, encryption and greeting out of a log."""
    greeting = _GREETING.search(text)
    found = next((match for match in (pattern.search(text) for pattern in _ENDPOINTS) if match), None)
    parts = found.groupdict() if found else {}
    port = parts.get("port")
    return Told(
        host=parts.get("host") or "",
        port=int(port) if port and len(port) <= _PORT_DIGITS else None,
        security=_SECURITY.get((parts.get("ssl") or parts.get("scheme") or "").lower()),
        greeting=greeting[1] if greeting else "",
    )


_PORT_DIGITS = 5
_SECURITY = {"ssl": Security.SSL, "smtps": Security.SSL, "true": Security.SSL, "false": Security.NONE}

#: Error classes of other languages, by the name that Python has for the same.
PYTHON_NAMES = {
    "UnknownHostException": "gaierror",
    "ConnectException": "OSError",
    "SocketTimeoutException": "TimeoutError",
    "OpenTimeout": "TimeoutError",
    "ReadTimeout": "TimeoutError",
    "ECONNREFUSED": "ConnectionRefusedError",
    "ETIMEDOUT": "TimeoutError",
    "ENOTFOUND": "gaierror",
    "EAI_AGAIN": "gaierror",
    "SSLHandshakeException": "SSLError",
    "SslHandshakeException": "SSLError",
    "SSLException": "SSLError",
    "AuthenticationFailedException": "SMTPAuthenticationError",
    "AuthenticationException": "SMTPAuthenticationError",
    "EAUTH": "SMTPAuthenticationError",
    "SMTPAddressFailedException": "SMTPRecipientsRefused",
    "SmtpFailedRecipientException": "SMTPRecipientsRefused",
    "SMTPSenderFailedException": "SMTPSenderRefused",
}

#: Words of a failure of the system: a number beside them is no reply code.
SYSTEM_WORDS = any_of(r"errno|openssl|ssl routines|certificate verify|getaddrinfo|x509")
