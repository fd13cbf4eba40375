"""From the settings to the greeting: malformed values, names, connections, hang-ups and strangers."""

from __future__ import annotations

import re
from dataclasses import replace

from ...findings import Stage
from ...i18n import gettext as _
from ...smtp.endpoint import Security
from ..context import Context, Fact
from ..kind import Kind
from ..symptom import Symptom
from .verdict import Verdict

#: Ports that begin in plain text by custom; 465 is the one that begins encrypted (RFC 8314 §7.3).
PLAIN_PORTS = (25, 26, 587, 588, 1025, 2525, 2587, 8025)
IMPLICIT_PORTS = (465, 994, 2465, 8465, 10465)


def malformed_setting(symptom: Symptom) -> Verdict | None:
    """Recognise a value that cannot be right, whatever the failure says."""
    context = symptom.context
    if context.host and host_is_malformed(context.host):
        return _malformed(_("The server name"))
    if symptom.kind is Kind.UNFIT:
        return _unfit_value(symptom)
    if symptom.at(Stage.AUTH) and context.password is not None and not context.password.ascii:
        return Verdict("settings_malformed", variant="password")
    if symptom.says(
        r"please run connect\(\) first|hostname cannot be an empty string|idna codec|label (empty|too long)"
        r"|^\W*invalid host(name)?\b"
    ):
        return _malformed(_("The server name"))
    if symptom.at(Stage.AUTH) and symptom.permanent and context.username is not None and not context.username.strip():
        return Verdict("settings_malformed", variant="blank")
    return None


def name_not_resolved(symptom: Symptom) -> Verdict | None:
    """Tell a wrong name from a name service that does not work."""
    if symptom.kind is not Kind.NAME:
        return None
    context = symptom.context
    if context.knows(Fact.OTHER_NAMES_RESOLVE) and not (context.is_public_service and context.host):
        # The name service works, but not for this name.
        other = context.catalog.suggest_host(context.host)
        if symptom.resolver_failed and not other:
            return Verdict("host_not_found", variant="no_answer", transient=True)
        return _no_such_name(other)
    again = r"temporar|eai again|errno -3\b|-3001|try again|timed? ?out|servfail|server misbehaving|refused"
    if symptom.resolver_failed or symptom.says(again) or context.knows(Fact.OTHER_NAMES_FAIL):
        return Verdict("dns_resolver_failure")
    if context.is_public_service and context.host:
        # A documented name does exist: containers without a resolver say "unknown" as well as "try again".
        return Verdict("dns_resolver_failure")
    return _no_such_name(context.catalog.suggest_host(context.host))


def no_connection(symptom: Symptom) -> Verdict | None:
    """Explain why no TCP connection came about."""
    if symptom.stage not in (Stage.CONNECT, None) or symptom.says(r"greeting|read timed out|reading response"):
        return None
    wrong_mode = mode_mismatch(symptom.context)
    if (
        wrong_mode
        and symptom.stage is None
        and symptom.kind is Kind.TIMED_OUT
        and not symptom.says(r"connect\b|etimedout")
    ):
        # Nobody says that the connection failed: two that wait for each other come to the same words.
        return wrong_mode
    if symptom.context.knows(Fact.FAILED_LOGINS) and symptom.kind in (Kind.REFUSED, Kind.TIMED_OUT, Kind.CLOSED):
        # Many servers shut out an address that guesses passwords, for a while.
        return Verdict("ip_blocked", "contact_server_admin")
    match symptom.kind:
        case Kind.FORBIDDEN:
            return _blocked(symptom.context)
        case Kind.REFUSED:
            return _refused(symptom)
        case Kind.UNREACHABLE:
            return _unreachable(symptom)
        case Kind.TIMED_OUT:
            return _no_answer(symptom)
        case Kind.CLOSED:
            return _blocked(symptom.context) if symptom.stage else None
        case _:
            return None


def not_smtp(symptom: Symptom) -> Verdict | None:
    """Recognise a server of another kind by how it greets."""
    context = symptom.context
    heard_now = symptom.at(Stage.GREETING, Stage.EHLO) or (symptom.stage is None and symptom.says(r"imap4rev"))
    words = f"{context.greeting} {symptom.text}".lower() if heard_now else ""
    words = f"{context.heard.lower()} {words}".strip()
    if symptom.at(Stage.TLS) and symptom.says(r"\bhttp request\b"):
        return Verdict("wrong_endpoint", variant="http")
    for variant, greeting in _STRANGERS:
        if words and re.search(greeting, words):
            return Verdict("wrong_endpoint", variant=variant)
    if context.heard and not context.knows(Fact.GREETS_IN_CLEAR):
        return Verdict("wrong_endpoint", variant="babble")
    if symptom.kind is Kind.GARBLED:
        greeted = symptom.at(Stage.GREETING)
        return (
            Verdict("wrong_endpoint", variant="babble")
            if greeted
            else Verdict("server_misconfigured", variant="garbled")
        )
    return None


_STRANGERS = (
    ("imap", r"\* ok|\* preauth|\* bye|imap4"),
    ("pop", r"(^|\s|')\+ok|pop3"),
    ("http", r"http/[12]|<html|<!doctype|400 bad request"),
    ("ssh", r"\bssh-[12]"),
    ("ftp", r"\bftp(d| server)|530 please login with user and pass"),
)


def hung_up_or_mute(symptom: Symptom) -> Verdict | None:
    """Explain a connection that ended, or a server that fell silent, without a word."""
    if symptom.kind not in (Kind.CLOSED, Kind.TIMED_OUT) or symptom.code is not None:
        return None
    wrong_mode = mode_mismatch(symptom.context)
    if wrong_mode and symptom.stage in (None, Stage.CONNECT, Stage.GREETING, Stage.TLS, Stage.EHLO):
        return wrong_mode
    if symptom.stage in (None, Stage.GREETING) and _unlikely_in_clear(symptom.context):
        return Verdict("implicit_tls_needed")
    if symptom.at(Stage.GREETING) and symptom.context.knows(Fact.OTHER_PORTS_WORK):
        # The server is up: what takes the connection here stands before it, or is not meant for mail.
        verdict = _no_answer(symptom)
        return replace(verdict, variant="mute") if verdict.cause == "port_blocked" else verdict
    if symptom.kind is Kind.TIMED_OUT:
        return Verdict("server_temporary_failure", variant="slow")
    return _hung_up(symptom)


def _unlikely_in_clear(context: Context) -> bool:
    """Tell whether nobody said how the connection began, at a port that begins encrypted."""
    return context.security is None and context.port in IMPLICIT_PORTS


def mode_mismatch(context: Context) -> Verdict | None:
    """Compare port and encryption: by what the port was seen to do, else by the provider's list, else by custom."""
    if context.port is None or context.security is None:
        return None
    if context.knows(Fact.SPEAKS_TLS):
        return Verdict("implicit_tls_needed") if context.security is not Security.SSL else None
    if context.knows(Fact.GREETS_IN_CLEAR):
        return Verdict("starttls_mode_needed") if context.security is Security.SSL else None
    owner = context.known_provider
    documented = {server.security for server in (owner.all_servers if owner else ()) if server.port == context.port}
    if not documented:
        documented = {Security.SSL} if context.port in IMPLICIT_PORTS else set()
        documented |= {Security.STARTTLS} if context.port in PLAIN_PORTS else set()
    if context.security is Security.SSL and documented and Security.SSL not in documented:
        return Verdict("starttls_mode_needed")
    if context.security is not Security.SSL and documented == {Security.SSL}:
        return Verdict("implicit_tls_needed")
    return None


def port_is_documented(context: Context) -> bool | None:
    """Tell whether the provider offers the port at all; None if the provider or the port is not known."""
    owner = context.known_provider
    if owner is None or context.port is None or not context.is_public_service:
        return None
    return any(server.port == context.port for server in owner.all_servers)


def _unfit_value(symptom: Symptom) -> Verdict:
    if symptom.at(Stage.MAIL_FROM):
        return Verdict("sender_address_invalid")
    if symptom.at(Stage.RCPT_TO):
        return Verdict("recipient_rejected")
    if symptom.at(Stage.DATA):
        return Verdict("message_malformed")
    missing = symptom.context.username and not symptom.context.has_password and symptom.context.password is None
    return Verdict("settings_malformed", variant="no_password" if missing else "password")


def _refused(symptom: Symptom) -> Verdict:
    context = symptom.context
    works = context.knows(Fact.OTHER_PORTS_WORK)
    if context.is_private and not works:
        return Verdict("connection_refused")
    if context.port != 25 and (port_is_documented(context) is False or (works and context.known_provider is None)):
        # The server is there and says itself that nothing listens at this port.
        return Verdict("port_not_offered")
    # A documented port that refuses: a firewall that answers in the server's place.
    blocked = port_is_documented(context) or context.knows(Fact.CLOUD_HOST) or works
    return _blocked(context) if blocked else Verdict("connection_refused")


def _unreachable(symptom: Symptom) -> Verdict:
    context = symptom.context
    if context.is_loopback:
        return Verdict("settings_malformed", variant="localhost")
    if port_is_documented(context) is False and context.port != 25:
        return Verdict("port_not_offered")
    if context.knows(Fact.CLOUD_HOST, Fact.OTHER_PORTS_WORK):
        return _blocked(context)
    ipv6 = symptom.says(r"\[?[0-9a-f]{1,4}(:[0-9a-f]{0,4}){3,}")
    if ipv6 and symptom.says(r"timed out|expired"):
        # IPv6 has no route, but IPv4 was tried too, and nothing came back.
        return _no_answer(symptom)
    # Without any IPv6 the last address tried fails so (EADDRNOTAVAIL), and hides that IPv4 was blocked before.
    if symptom.says(r"cannot assign|eaddrnotavail") and not ipv6:
        return Verdict("port_blocked")
    return Verdict("network_unreachable")


def _no_answer(symptom: Symptom) -> Verdict:
    context = symptom.context
    if port_is_documented(context) is False and context.port != 25:
        return Verdict("port_not_offered")
    unusual = context.port not in (*PLAIN_PORTS, *IMPLICIT_PORTS)
    if unusual and context.known_provider is None and context.knows(Fact.OTHER_PORTS_WORK):
        return Verdict("port_not_offered")
    straight_to_receiver = context.port == 25 and context.inbound_provider is not None
    if straight_to_receiver:
        return Verdict("port_blocked", "send_through_relay")
    return _blocked(context)


def _blocked(context: Context) -> Verdict:
    """Blame the way there; if no port can be reached, changing the port is no help."""
    if context.knows(Fact.OTHER_PORTS_FAIL):
        return Verdict("port_blocked", "open_firewall", "all")
    return Verdict("port_blocked")


def _hung_up(symptom: Symptom) -> Verdict:
    if symptom.at(Stage.GREETING) and (symptom.context.is_private or not symptom.context.host):
        return Verdict("connection_refused", variant="closed")
    if symptom.at(Stage.GREETING) and symptom.says(r"connection reset|econnreset|forcibly closed"):
        # Mail servers take their leave in good order: a reset before the first word comes from something on the way.
        return _blocked(symptom.context)
    if symptom.at(Stage.EHLO):
        # A server that drops the connection at EHLO dislikes the name in it.
        return Verdict("helo_rejected")
    if symptom.at(Stage.AUTH) and symptom.service in ("qq", "netease", "yahoo"):
        return Verdict("app_password_required", variant="yahoo" if symptom.service == "yahoo" else "code")
    if symptom.at(Stage.STARTTLS, Stage.TLS):
        return Verdict("server_misconfigured", "turn_off_starttls", "starttls")
    if symptom.at(Stage.DATA):
        return Verdict("message_malformed")
    return Verdict("server_temporary_failure", "reconnect_and_retry", "closed")


def host_is_malformed(host: str) -> bool:
    """Tell whether a text cannot be a host name: a blank, a web or mail address, a port inside."""
    if Context(host=host).is_address:
        return False
    return re.search(r"[\s@/:;,\"'<>()\\\[\]]", host) is not None or ".." in host or host.startswith((".", "-"))


def _malformed(field: str) -> Verdict:
    return Verdict("settings_malformed", words={"field": field})


def _no_such_name(other: str | None) -> Verdict:
    if other:
        return Verdict("host_not_found", variant="suggestion", words={"other_host": other})
    return Verdict("host_not_found")
