"""The rules from the settings to the certificate, as a table: what failed, and its one cause."""

from __future__ import annotations

import errno
import smtplib
import socket
import ssl
from typing import Any

import pytest

from flask_smtpservers.diagnosis import Context, diagnose
from flask_smtpservers.diagnosis.context import Fact, PasswordShape
from flask_smtpservers.errors import (
    AddressBlocked,
    AuthenticationFailed,
    CertificateRefused,
    ConnectionFailed,
    ConnectionRefused,
    HeloRefused,
    HostNotFound,
    InDoubt,
    MessageRefused,
    NotOffered,
    ProtocolError,
    SecretUnreadable,
    SendError,
    TimedOut,
    TLSFailed,
)
from flask_smtpservers.findings import Mender, Stage
from flask_smtpservers.smtp.endpoint import Security


def settings(text: str, **more: Any) -> Context:
    """``host:port/security``, each may be missing."""
    address, _, security = text.rpartition("/") if "/" in text else (text, "", "")
    host, _, port = address.rpartition(":") if ":" in address else (address, "", "")
    return Context(host=host, port=int(port or 0) or None, security=Security(security) if security else None, **more)


def made(kind: type[SendError], stage: Stage, **attributes: Any) -> SendError:
    named = {name: attributes.pop(name) for name in ("code", "enhanced", "reply") if name in attributes}
    error = kind("It failed.", stage=stage, **named)
    for name, value in attributes.items():
        setattr(error, name, value)
    return error


NAME = made(HostNotFound, Stage.RESOLVE)
RESOLVER = made(HostNotFound, Stage.RESOLVE, resolver_failed=True)
REFUSED = made(ConnectionRefused, Stage.CONNECT, errno=errno.ECONNREFUSED)
SILENCE = made(TimedOut, Stage.CONNECT)
NO_ROUTE = made(ConnectionFailed, Stage.CONNECT, errno=errno.ENETUNREACH)
FORBIDDEN = made(ConnectionFailed, Stage.CONNECT, errno=errno.EACCES)
MUTE = made(TimedOut, Stage.GREETING)
LEFT = made(ProtocolError, Stage.GREETING, disconnected=True)


def greeted(words: str) -> SendError:
    return made(ProtocolError, Stage.GREETING, reply=words)


def tls(reason: str) -> SendError:
    return made(TLSFailed, Stage.TLS, tls_reason=reason)


def certificate(number: int) -> SendError:
    return made(CertificateRefused, Stage.CERTIFICATE, verify_code=number)


REACHING = [
    ("smtp.gmail.com :465/ssl", NAME, "settings_malformed"),
    ("https//mail.example.com:465/ssl", NAME, "settings_malformed"),
    ("me@example.com:465/ssl", NAME, "settings_malformed"),
    ("smtp.gmial.example:465/ssl", NAME, "host_not_found"),
    ("smtp.google.com:587/starttls", NAME, "host_not_found"),
    ("smtp.gmail.com:465/ssl", NAME, "dns_resolver_failure"),
    ("mail.example.com:465/ssl", RESOLVER, "dns_resolver_failure"),
    ("mail.example.com:587/starttls", REFUSED, "connection_refused"),
    ("localhost:25/none", REFUSED, "connection_refused"),
    ("smtp.gmail.com:587/starttls", REFUSED, "port_blocked"),
    ("smtp.gmail.com:80/ssl", REFUSED, "port_not_offered"),
    ("smtp.gmail.com:465/ssl", SILENCE, "port_blocked"),
    ("mail.example.com:25/none", SILENCE, "port_blocked"),
    ("smtp.office365.com:465/ssl", SILENCE, "port_not_offered"),
    ("smtp.mail.me.com:465/ssl", SILENCE, "port_not_offered"),
    ("smtp.gmail.com:587/starttls", NO_ROUTE, "network_unreachable"),
    ("localhost:25/none", NO_ROUTE, "settings_malformed"),
    ("mail.example.com:587/starttls", FORBIDDEN, "port_blocked"),
    # after the connection
    ("smtp.qq.com:465/none", MUTE, "implicit_tls_needed"),
    ("smtp.qq.com:465/starttls", LEFT, "implicit_tls_needed"),
    ("mail.example.com:465/starttls", LEFT, "implicit_tls_needed"),
    ("mail.example.com:587/starttls", MUTE, "server_temporary_failure"),
    ("localhost:1025/starttls", LEFT, "connection_refused"),
    ("mail.example.com:587/starttls", LEFT, "server_temporary_failure"),
    ("mail.example.com:143/none", greeted("* OK [CAPABILITY IMAP4rev1] ready"), "wrong_endpoint"),
    ("mail.example.com:110/none", greeted("+OK POP3 ready"), "wrong_endpoint"),
    ("mail.example.com:22/none", greeted("SSH-2.0-OpenSSH_9.9"), "wrong_endpoint"),
    ("mail.example.com:80/none", greeted("HTTP/1.1 400 Bad Request"), "wrong_endpoint"),
    ("mail.example.com:5432/none", greeted("??"), "wrong_endpoint"),
    ("smtp-relay.gmail.com:587/starttls", made(ProtocolError, Stage.EHLO, disconnected=True), "helo_rejected"),
    ("smtp.qq.com:465/ssl", made(ProtocolError, Stage.AUTH, disconnected=True), "app_password_required"),
    ("mail.example.com:587/starttls", made(TimedOut, Stage.AUTH), "server_temporary_failure"),
    ("mail.example.com:587/starttls", made(TimedOut, Stage.DATA), "server_temporary_failure"),
    ("mail.example.com:587/starttls", made(ProtocolError, Stage.EHLO, reply="250-x"), "server_misconfigured"),
]

ENCRYPTION = [
    ("smtp.gmail.com:587/ssl", tls("WRONG_VERSION_NUMBER"), "starttls_mode_needed"),
    ("mail.example.com:2500/ssl", tls("RECORD_LAYER_FAILURE"), "starttls_mode_needed"),
    ("mail.example.com:25/ssl", tls("UNEXPECTED_EOF_WHILE_READING"), "starttls_mode_needed"),
    ("mail.example.com:587/ssl", made(TimedOut, Stage.TLS), "starttls_mode_needed"),
    ("mail.example.com:587/ssl", made(TLSFailed, Stage.TLS, errno=errno.ECONNRESET), "starttls_mode_needed"),
    ("mobile.charter.net:587/ssl", tls("UNEXPECTED_EOF_WHILE_READING"), "server_misconfigured"),
    ("mail.example.com:587/starttls", tls("WRONG_VERSION_NUMBER"), "tls_version_or_cipher"),
    ("mail.example.com:465/ssl", tls("UNSUPPORTED_PROTOCOL"), "tls_version_or_cipher"),
    ("mail.example.com:465/ssl", tls("TLSV1_ALERT_PROTOCOL_VERSION"), "tls_version_or_cipher"),
    ("mail.example.com:465/ssl", tls("DH_KEY_TOO_SMALL"), "tls_version_or_cipher"),
    ("mail.example.com:465/ssl", tls("SSLV3_ALERT_HANDSHAKE_FAILURE"), "tls_version_or_cipher"),
    ("mail.example.com:465/ssl", tls("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "client_certificate_needed"),
    ("mail.example.com:587/starttls", tls("UNEXPECTED_EOF_WHILE_READING"), "server_misconfigured"),
    ("mail.example.com:465/ssl", certificate(10), "cert_expired"),
    ("mail.example.com:465/ssl", certificate(9), "cert_not_yet_valid"),
    ("mail.example.com:465/ssl", certificate(18), "cert_self_signed"),
    ("smtp.gmail.com:465/ssl", certificate(18), "connection_intercepted"),
    ("mail.example.com:465/ssl", certificate(19), "cert_self_signed"),
    ("smtp.office365.com:587/starttls", certificate(19), "connection_intercepted"),
    ("mail.example.com:465/ssl", certificate(20), "cert_chain_incomplete"),
    ("mail.example.com:465/ssl", certificate(21), "cert_chain_incomplete"),
    ("mailserver.internal:465/ssl", certificate(20), "cert_self_signed"),
    ("smtp.gmail.com:465/ssl", certificate(20), "ca_store_outdated"),
    ("mail.example.com:465/ssl", certificate(62), "cert_hostname_mismatch"),
    ("192.0.2.1:465/ssl", certificate(64), "cert_hostname_mismatch"),
    ("smtp.gmail.com:465/ssl", certificate(62), "connection_intercepted"),
    ("mail.example.com:587/starttls", made(NotOffered, Stage.STARTTLS), "starttls_not_offered"),
    ("mail.example.com:587/starttls", made(NotOffered, Stage.STARTTLS, code=502, reply="no"), "starttls_not_offered"),
    ("mail.example.com:587/starttls", made(NotOffered, Stage.STARTTLS, code=454, reply="4.7.0 TLS not available"),
     "server_misconfigured"),
    ("mail.example.com:587/starttls", made(NotOffered, Stage.AUTH), "auth_not_offered"),
    ("smtp.gmail.com:587/none", made(NotOffered, Stage.AUTH), "starttls_required"),
]  # fmt: skip


@pytest.mark.parametrize(("where", "error", "cause"), REACHING + ENCRYPTION)
def test_cause(where: str, error: SendError, cause: str) -> None:
    """Each failure on the way to a login has one cause."""
    assert diagnose(error, settings(where)).cause == cause


def test_a_server_that_asks_for_more() -> None:
    """A login that goes on after the password is one that we do not know."""
    error = made(AuthenticationFailed, Stage.AUTH, code=334, reply="another question")
    assert diagnose(error, settings("mail.example.com", username="me")).cause == "auth_method_unsupported"


def test_a_refusal_of_the_second_hello() -> None:
    """EHLO is said again after the handshake, and may be refused there."""
    error = made(HeloRefused, Stage.TLS, code=501, reply="no")
    assert diagnose(error, settings("mail.example.com:587/starttls")).cause == "helo_rejected"


def test_an_answer_out_of_step() -> None:
    """A reply that makes no sense where it comes is the server's fault."""
    error = made(ProtocolError, Stage.RCPT_TO, code=354, reply="go ahead")
    assert diagnose(error, settings("mail.example.com:587/starttls")).cause == "server_misconfigured"


@pytest.mark.parametrize(
    ("features", "cause"),
    [
        (["STARTTLS"], "starttls_required"),
        (["STARTTLS", "AUTH"], "starttls_required"),
        (["SIZE"], "auth_not_offered"),
        (["AUTH"], "blocked_by_policy"),
    ],
)
def test_login_without_encryption(features: list[str], cause: str) -> None:
    """Whether the server hides the login, has none, or we refused to send a password in clear, EHLO tells."""
    context = settings("mail.example.com:25/none", username="me", features=frozenset(features))
    assert diagnose(made(NotOffered, Stage.AUTH), context).cause == cause


def test_no_common_mechanism() -> None:
    """A server that offers other ways of signing in only is told apart from one that offers none."""
    context = settings("mail.example.com:587/starttls", username="me", features=frozenset({"AUTH", "SIZE"}))
    assert diagnose(made(NotOffered, Stage.AUTH), context).cause == "auth_method_unsupported"


def test_a_stripped_starttls_is_interception() -> None:
    """A middlebox overwrites the keyword STARTTLS with X."""
    context = settings("mail.example.com:587/starttls", features=frozenset({"XXXXXXXA", "SIZE"}))
    assert diagnose(made(NotOffered, Stage.STARTTLS), context).cause == "connection_intercepted"


@pytest.mark.parametrize(
    ("facts", "cause"),
    [((Fact.CLOUD_HOST,), "port_blocked"), ((Fact.OTHER_PORTS_WORK,), "port_blocked"), ((), "network_unreachable")],
)
def test_what_else_is_known_counts(facts: tuple[Fact, ...], cause: str) -> None:
    """At a hosting company "no route" is a firewall."""
    assert diagnose(NO_ROUTE, settings("smtp.gmail.com:587/starttls", facts=frozenset(facts))).cause == cause


def test_the_guard() -> None:
    """A forbidden address names the operator's setting and takes over the guard's own sentence."""
    error = AddressBlocked("db.example.com leads to 10.0.0.5, which is not public.", stage=Stage.RESOLVE)
    said = diagnose(error, settings("db.example.com:25/none"))
    assert (said.cause, said.mender) == ("blocked_by_policy", Mender.OPERATOR)
    assert "10.0.0.5" in said.explanation
    assert "SMTPSERVERS_ALLOWED_NETWORKS" in said.steps[0]


def test_the_guard_about_a_port() -> None:
    """A forbidden port is told as such."""
    error = AddressBlocked("Port 6379 may not be used.", stage=Stage.RESOLVE)
    said = diagnose(error, settings("mail.example.com:6379/none"))
    assert (said.cause, said.title) == ("blocked_by_policy", "This app may not use that port")


def test_the_guard_about_a_malformed_host() -> None:
    """What is no host name is a matter of the settings, not of policy."""
    error = AddressBlocked("“mail example” is not a host name.", stage=Stage.RESOLVE)
    said = diagnose(error, settings("mail example"))
    assert (said.cause, said.explanation) == ("settings_malformed", "“mail example” is not a host name.")


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (SecretUnreadable("gone"), "secret_unreadable"),
        (made(InDoubt, Stage.DATA), "in_doubt"),
        (made(AuthenticationFailed, Stage.AUTH, permanent=True), "settings_malformed"),
        (RuntimeError("surprise"), "unknown"),
    ],
)
def test_own_errors(error: Exception, cause: str) -> None:
    """Errors of our own have their cause, and what nobody foresaw is called unknown."""
    assert diagnose(error, settings("mail.example.com:587/starttls", username="me")).cause == cause


@pytest.mark.parametrize(
    ("stage", "cause"),
    [
        (Stage.MAIL_FROM, "sender_address_invalid"),
        (Stage.RCPT_TO, "recipient_rejected"),
        (Stage.DATA, "message_malformed"),
    ],
)
def test_what_cannot_be_sent_at_all(stage: Stage, cause: str) -> None:
    """An address or a message that we refuse ourselves is explained by the step at which it happened."""
    assert diagnose(MessageRefused("no"), settings("mail.example.com"), stage).cause == cause


def test_a_user_name_without_a_password() -> None:
    """A missing password is said in so many words."""
    said = diagnose(made(AuthenticationFailed, Stage.AUTH), settings("mail.example.com", username="me"))
    assert said.explanation == "A user name is set, but no password."


def test_a_password_with_strange_characters() -> None:
    """A refused login with an accented letter in the password points to it."""
    error = made(AuthenticationFailed, Stage.AUTH, code=535, reply="5.7.8 no")
    context = settings("mail.example.com", username="me", password=PasswordShape(ascii=False))
    assert diagnose(error, context).cause == "settings_malformed"
    assert diagnose(REFUSED, context).cause == "connection_refused"


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "host_not_found"),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), "dns_resolver_failure"),
        (ConnectionRefusedError(111, "Connection refused"), "connection_refused"),
        (TimeoutError("timed out"), "port_blocked"),
        (OSError(101, "Network is unreachable"), "network_unreachable"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), "starttls_mode_needed"),
        (smtplib.SMTPServerDisconnected("Connection unexpectedly closed"), "server_temporary_failure"),
        (smtplib.SMTPAuthenticationError(535, b"5.7.8 no"), "bad_credentials"),
        (smtplib.SMTPRecipientsRefused({"a@b.c": (550, b"5.1.1 no such user")}), "recipient_rejected"),
        (smtplib.SMTPSenderRefused(552, b"5.3.4 too big", "a@b.c"), "message_too_large"),
        (smtplib.SMTPDataError(554, b"5.7.1 Spam message rejected"), "content_rejected"),
        (smtplib.SMTPHeloError(501, b"Syntactically invalid EHLO argument(s)"), "helo_rejected"),
        (UnicodeEncodeError("ascii", "é", 0, 1, "ordinal not in range"), "settings_malformed"),
    ],
)
def test_errors_of_the_standard_library(error: Exception, cause: str) -> None:
    """What smtplib, ssl and socket raise is explained as well."""
    assert diagnose(error, settings("mail.example.com")).cause == cause


def test_the_servers_own_words_stand_below() -> None:
    """The reply is quoted with its code; our own text is not passed off as the server's."""
    error = made(AuthenticationFailed, Stage.AUTH, code=535, enhanced="5.7.8", reply="5.7.8 no")
    assert diagnose(error, settings("mail.example.com")).said == "535 5.7.8 no"
    assert diagnose(SILENCE, settings("mail.example.com")).said == ""


def test_another_name_is_told() -> None:
    """The names in the certificate are shown, so that one can see whether they belong to the provider."""
    context = settings("mail.example.com:465/ssl", certificate_names=("*.hoster.example",))
    assert "*.hoster.example" in diagnose(certificate(62), context).explanation


def test_a_misspelt_host_gets_a_suggestion() -> None:
    """A near miss is named."""
    said = diagnose(NAME, settings("smpt.gmail.com:465/ssl"))
    assert "smtp.gmail.com" in said.steps[0]
