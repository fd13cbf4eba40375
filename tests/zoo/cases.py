"""The zoo: every way in which a server can fail a person who typed in its settings, and what the app must make of it.

Each row has the servers, the settings as they were typed, and what is expected: the cause, the fix, who must act, and
what a button does about it. Replies are in the words of those whose servers they play.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from flask_smtpservers.findings import Mender

from ..peers.hostile import Step, close, drip, hang, listen, reset, say
from ..peers.mailbox import PASSWORD, USERNAME
from . import certificates
from .certificates import Showing
from .keepers import answers, greets, in_clear, smtp
from .town import FORBIDDEN, HOLE, NO_ROUTE

HOST = "mail.example.test"
GMAIL, MICROSOFT, OUTLOOK = "smtp.gmail.com", "smtp.office365.com", "smtp-mail.outlook.com"
SENDGRID, SES, YAHOO = "smtp.sendgrid.net", "email-smtp.us-east-1.amazonaws.com", "smtp.mail.yahoo.com"
RELAY = "smtp-relay.gmail.com"
#: Names that exist whoever asks.
WELL_KNOWN = (GMAIL, MICROSOFT)
#: Where a test message goes, in the cases that need one.
ANN = "ann@example.test"

YOU, PROVIDER, HOSTING, OPERATOR, NOBODY = Mender.YOU, Mender.PROVIDER, Mender.HOSTING, Mender.OPERATOR, Mender.NOBODY


@dataclass(frozen=True)
class Door:
    """A server behind a port.

    :param shows: its certificate.
    :param host: the name that the good certificate is for; empty takes the one in the settings.
    """

    script: Sequence[Step]
    shows: Showing = certificates.good
    host: str = ""


@dataclass(frozen=True)
class Case:
    """One way to fail.

    :param doors: port -> the server behind it, or a constant of :mod:`.town`; other ports are shut.
    :param typed: fields in which the settings differ from the usual ones.
    :param recipient: where the test message goes; empty sends none.
    :param names: names that exist, besides the server's own and the well-known ones; None for no answer.
    :param button: the fields that it changes, empty for none.
    """

    name: str
    doors: Mapping[int, Door | int]
    cause: str
    fix: str
    who: Mender
    _: KW_ONLY
    typed: Mapping[str, Any] = field(default_factory=dict)
    names: Mapping[str, str | None] = field(default_factory=dict)
    recipient: str = ""
    button: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def fields(self) -> dict[str, Any]:
        """The settings as somebody typed them."""
        return {
            "name": "Zoo",
            "host": HOST,
            "port": 587,
            "security": "starttls",
            "username": USERNAME,
            "password": PASSWORD,
            "address": USERNAME,
            "timeout_seconds": 1,
            **self.typed,
        }


def at(host: str = HOST, port: int = 587, security: str = "starttls", **more: Any) -> dict[str, Any]:
    """Settings that differ in where the server is."""
    return {"host": host, "port": port, "security": security, **more}


def ssl(host: str = HOST, port: int = 465, **more: Any) -> dict[str, Any]:
    """Settings with SSL."""
    return at(host, port, "ssl", **more)


#: Without a login, as for a relay.
NOBODY_IN: dict[str, Any] = {"username": "", "password": ""}
#: What works.
SUBMISSION, SMTPS = Door(smtp()), Door(smtp(tls="ssl"))
TO_STARTTLS = {"security": "starttls"}
TO_587: Mapping[str, str | int] = {"port": 587, "security": "starttls"}
TO_465: Mapping[str, str | int] = {"port": 465, "security": "ssl"}


def refusing(command: str, reply: str | Step, **more: Any) -> dict[int, Door | int]:
    """A server at port 587 that says or does something else to one command."""
    return {587: Door(smtp({command: reply}, **more))}


REACHING = [
    Case("no such name", {}, "host_not_found", "check_host_spelling", YOU, typed=at("mail.example.org"),
         names={"mail.example.org": ""}),
    Case("a slip in Gmail's name", {587: Door(smtp(), host=GMAIL)}, "host_not_found", "check_host_spelling", YOU,
         typed=at("smpt.gmail.com"), names={"smpt.gmail.com": ""}, button={"host": GMAIL}),
    Case("no resolver", {}, "dns_resolver_failure", "fix_dns_on_server", OPERATOR,
         names={HOST: None, GMAIL: None, MICROSOFT: None}),
    Case("nothing listens", {}, "connection_refused", "check_host_port_service", YOU),
    Case("465 is shut, 587 works", {587: SUBMISSION}, "port_not_offered", "use_provider_port", YOU, typed=ssl(),
         button=TO_587),
    Case("Microsoft has no 465", {465: HOLE, 587: SUBMISSION}, "port_not_offered", "use_provider_port", YOU,
         typed=ssl(MICROSOFT), button=TO_587),
    Case("587 is a black hole, 465 works", {587: HOLE, 465: SMTPS}, "port_blocked", "use_unblocked_port", HOSTING,
         button=TO_465),
    Case("only 2525 gets through", {587: HOLE, 465: HOLE, 2525: SUBMISSION},
         "port_blocked", "use_unblocked_port", HOSTING, button={"port": 2525}),
    Case("every port is a black hole", dict.fromkeys((465, 587, 2525), HOLE), "port_blocked", "open_firewall", HOSTING),
    Case("a firewall of this machine", {587: FORBIDDEN, 465: FORBIDDEN, 2525: FORBIDDEN},
         "port_blocked", "open_firewall", HOSTING),
    Case("no route", dict.fromkeys((465, 587, 2525), NO_ROUTE), "network_unreachable", "fix_network_route", OPERATOR),
    Case("a silent port", {587: Door([hang()])}, "server_temporary_failure", "retry_later", NOBODY),
    Case("a tarpit: one letter now and then",
         {587: Door([drip(b"220 mail.example.test, please be patient\r\n", 0.3)])},
         "server_temporary_failure", "retry_later", NOBODY),
    Case("a port that resets", {587: Door([reset()])}, "port_blocked", "open_firewall", HOSTING),
    Case("a port that hangs up in good order", {587: Door([close()])},
         "server_temporary_failure", "reconnect_and_retry", NOBODY),
    Case("a port that resets, 465 works", {587: Door([reset()]), 465: SMTPS},
         "port_blocked", "use_unblocked_port", HOSTING, button=TO_465),
    Case("a silent port, 465 works", {587: Door([hang()]), 465: SMTPS}, "port_blocked", "use_unblocked_port", HOSTING,
         button=TO_465),
    Case("an unusual port hangs up, 587 works", {5870: Door([close()]), 587: SUBMISSION},
         "port_not_offered", "use_provider_port", YOU, typed=at(port=5870), button={"port": 587}),
    Case("half open: no word after the greeting", refusing("EHLO", hang()),
         "server_temporary_failure", "retry_later", NOBODY),
]  # fmt: skip

STRANGERS = [
    Case("an IMAP server", {143: Door(greets("* OK [CAPABILITY IMAP4rev1 STARTTLS] ready")), 587: SUBMISSION},
         "wrong_endpoint", "use_right_endpoint", YOU, typed=at(port=143), button={"port": 587}),
    Case("an IMAP server behind TLS", {993: Door([*smtp(greeting="* OK IMAP4rev1 ready", tls="ssl")]), 465: SMTPS},
         "wrong_endpoint", "use_right_endpoint", YOU, typed=ssl(port=993), button={"port": 465}),
    Case("a POP3 server", {110: Door(greets("+OK POP3 ready"))}, "wrong_endpoint", "use_right_endpoint", YOU,
         typed=at(port=110)),
    Case("an SSH server", {2222: Door(greets("SSH-2.0-OpenSSH_9.9"))}, "wrong_endpoint", "use_right_endpoint", YOU,
         typed=ssl(port=2222)),
    Case("an FTP server", {2121: Door(greets("220 files.example.test FTP server ready"))},
         "wrong_endpoint", "use_right_endpoint", YOU, typed=at(port=2121)),
    Case("a web server", {8080: Door(answers("HTTP/1.1 400 Bad Request", "", "<html>"))},
         "wrong_endpoint", "use_right_endpoint", YOU, typed=at(port=8080)),
    Case("Redis", {6379: Door(answers("-ERR unknown command"))}, "wrong_endpoint", "use_right_endpoint", YOU,
         typed=at(port=6379)),
    Case("a database that greets in its own language", {3306: Door([say("J\0\0\0\n11.4.2-MariaDB\0"), hang()])},
         "wrong_endpoint", "use_right_endpoint", YOU, typed=at(port=3306)),
    Case("the server for incoming mail", refusing("AUTH", "535 Authentication not allowed on IBSMTP Servers. IB401"),
         "wrong_endpoint", "use_right_endpoint", YOU),
]  # fmt: skip

ENCRYPTION = [
    Case("SSL on 587", {587: SUBMISSION}, "starttls_mode_needed", "choose_starttls", YOU, typed=ssl(port=587),
         button=TO_STARTTLS),
    Case("STARTTLS on 465", {465: SMTPS}, "implicit_tls_needed", "choose_ssl_tls", YOU, typed=at(port=465),
         button={"security": "ssl"}),
    Case("no encryption on 465", {465: SMTPS}, "implicit_tls_needed", "choose_ssl_tls", YOU,
         typed=at(port=465, security="none", **NOBODY_IN), button={"security": "ssl"}),
    Case("530 Must issue a STARTTLS command first",
         {587: Door(smtp({"MAIL": in_clear("530 5.7.0 Must issue a STARTTLS command first.")}))},
         "starttls_required", "choose_starttls", YOU, typed=at(security="none", **NOBODY_IN), button=TO_STARTTLS),
    Case("538 encryption needed, at 2525",
         {2525: Door(smtp({"MAIL": in_clear("538 5.7.11 Encryption required for requested mechanism")}))},
         "starttls_required", "choose_starttls", YOU, typed=at(port=2525, security="none", **NOBODY_IN),
         button=TO_STARTTLS),
    Case("no STARTTLS, 465 works", {587: Door(smtp(tls="none")), 465: SMTPS},
         "starttls_not_offered", "turn_off_starttls", YOU, button=TO_465),
    Case("no STARTTLS anywhere", {587: Door(smtp(tls="none"))}, "starttls_not_offered", "turn_off_starttls", YOU),
    Case("STARTTLS is stripped on the way", {587: Door(smtp(tls="none", features=f"{HOST}\nXXXXXXXA\nSIZE 1000"))},
         "connection_intercepted", "stop_interception", HOSTING),
    Case("454 TLS not available", refusing("STARTTLS", "454 4.7.0 TLS not available due to local problem"),
         "server_misconfigured", "contact_server_admin", PROVIDER),
    Case("hangs up when TLS begins", refusing("STARTTLS", close()),
         "server_misconfigured", "turn_off_starttls", PROVIDER),
    Case("a certificate that has run out", {587: Door(smtp(), certificates.expired)},
         "cert_expired", "renew_certificate", PROVIDER),
    Case("a certificate that is not valid yet", {587: Door(smtp(), certificates.early)},
         "cert_not_yet_valid", "set_clock", OPERATOR),
    Case("a certificate for another name, which leads here too",
         {587: Door(smtp(), certificates.named("web7.hoster.example"))},
         "cert_hostname_mismatch", "use_certificate_hostname", YOU, names={"web7.hoster.example": "127.0.0.1"},
         button={"host": "web7.hoster.example"}),
    Case("a certificate for another name, which leads elsewhere",
         {587: Door(smtp(), certificates.named("web7.hoster.example"))},
         "cert_hostname_mismatch", "use_certificate_hostname", YOU, names={"web7.hoster.example": "127.0.0.2"}),
    Case("a self-signed certificate", {587: Door(smtp(), certificates.self_made)},
         "cert_self_signed", "trust_or_replace_certificate", YOU),
    Case("a certificate of a private authority", {587: Door(smtp(), certificates.private_authority)},
         "cert_self_signed", "trust_or_replace_certificate", YOU),
    Case("a chain without its middle", {587: Door(smtp(), certificates.without_intermediate)},
         "cert_chain_incomplete", "install_full_chain", PROVIDER),
    Case("TLS 1.0 only", {587: Door(smtp(), certificates.old_versions)},
         "tls_version_or_cipher", "upgrade_tls", PROVIDER),
    Case("TLS 1.0 only, from the first byte", {465: Door(smtp(tls="ssl"), certificates.old_versions)},
         "tls_version_or_cipher", "upgrade_tls", PROVIDER, typed=ssl()),
    Case("a client certificate is wanted", {465: Door(smtp(tls="ssl"), certificates.for_members)},
         "client_certificate_needed", "add_client_certificate", YOU, typed=ssl()),
    Case("a stranger in Gmail's place, 465 is genuine",
         {587: Door(smtp(greeting="220 cpanel.hoster.example ESMTP Exim"),
             certificates.named("cpanel.hoster.example")), 465: SMTPS},
         "connection_intercepted", "stop_interception", HOSTING, typed=at(GMAIL), button=TO_465),
    Case("a stranger in Gmail's place, self-signed", {465: Door(smtp(tls="ssl"), certificates.self_made)},
         "connection_intercepted", "stop_interception", HOSTING, typed=ssl(GMAIL)),
    Case("a virus scanner opens the connection", {587: Door(smtp(), certificates.opened_by_scanner)},
         "connection_intercepted", "stop_interception", HOSTING),
]  # fmt: skip

SERVER = [
    Case("554 at the greeting",
         {587: Door(smtp(greeting="554 5.7.1 No service for 192.0.2.7: blocked using zen.spamhaus.example"))},
         "ip_blocked", "delist_or_change_ip", HOSTING),
    Case("421 at the greeting",
         {587: Door([say("421 4.7.0 mail.example.test Error: too many connections from 192.0.2.7"), listen()])},
         "rate_limited", "slow_down_and_retry", NOBODY),
    Case("421 later", refusing("MAIL", "421 4.3.2 Service shutting down, closing channel"),
         "server_temporary_failure", "retry_later", NOBODY),
    Case("the EHLO name is refused", refusing("EHLO", "501 Syntactically invalid EHLO argument(s)"),
         "helo_rejected", "set_ehlo_hostname", OPERATOR),
    Case("the EHLO name is refused, which shows at the recipient",
         refusing("RCPT", "504 5.5.2 <client>: Helo command rejected: need fully-qualified hostname"),
         "helo_rejected", "set_ehlo_hostname", OPERATOR),
    Case("hangs up at EHLO", refusing("EHLO", close()), "helo_rejected", "set_ehlo_hostname", OPERATOR),
    Case("Google's relay dislikes the name",
         refusing("EHLO", "421 4.7.0 Try again later, closing connection. (EHLO) 5a478bee46e88-gsmtp"),
         "helo_rejected", "set_ehlo_hostname", OPERATOR, typed=at(RELAY)),
    Case("nonsense instead of a reply", refusing("EHLO", "who are you and what do you want?"),
         "server_misconfigured", "contact_server_admin", PROVIDER),
    Case("its own block list does not answer",
         refusing("RCPT", "554 5.7.1 Service unavailable; blocked using zen.spamhaus.org; Error: open resolver"),
         "server_misconfigured", "contact_server_admin", PROVIDER),
]  # fmt: skip

WRONG_PASSWORD = "535 5.7.8 Error: authentication failed: UGFzc3dvcmQ6"


def microsoft(name: str, sentence: str, cause: str, fix: str, *, host: str = MICROSOFT) -> Case:
    """A sign-in that Microsoft refuses; an administrator can mend it."""
    doors = refusing("AUTH", f"{sentence} [AM0PR07CA0026.eurprd07.prod.outlook.com]")
    return Case(f"Microsoft: {name}", doors, cause, fix, PROVIDER, typed=at(host))


LOGIN = [
    Case("no login is offered", {587: Door(smtp(auth=""))}, "auth_not_offered", "remove_credentials", YOU),
    Case("only methods of a Windows domain", {587: Door(smtp(auth="GSSAPI NTLM"))},
         "auth_method_unsupported", "change_auth_method", PROVIDER),
    Case("only CRAM-MD5", {587: Door(smtp(auth="CRAM-MD5"))}, "auth_method_unsupported", "change_auth_method", YOU),
    Case("504 unknown method", refusing("AUTH", "504 5.7.4 Unrecognized authentication type"),
         "auth_method_unsupported", "change_auth_method", PROVIDER),
    Case("a wrong password", refusing("AUTH", WRONG_PASSWORD), "bad_credentials", "retype_credentials", YOU),
    Case("blanks around the password", {587: SUBMISSION}, "bad_credentials", "retype_credentials", YOU,
         typed={"password": f" {PASSWORD} ", "keep_password_blanks": True}, button={"keep_password_blanks": 0}),
    Case("a user name without its domain", {587: SUBMISSION}, "bad_credentials", "retype_credentials", YOU,
         typed={"username": "u"}, button={"username": USERNAME}),
    Case("501 wants the full address",
         {587: Door(smtp({"AUTH PLAIN AHVzZXIA": "501 5.5.2 Cannot Decode response: invalid user name"}))},
         "wrong_username_form", "fix_username", YOU, typed={"username": "user", "address": USERNAME},
         button={"username": USERNAME}),
    Case("454 cannot check now", refusing("AUTH", "454 4.7.0 Temporary authentication failure"),
         "server_temporary_failure", "retry_later", NOBODY),
    Case("535, but its login service is down",
         refusing("AUTH", "535 5.7.8 Error: authentication failed: Connection lost to authentication server"),
         "server_temporary_failure", "retry_later", NOBODY),
    Case("535 generic failure: saslauthd is down",
         refusing("AUTH", "535 5.7.8 Error: authentication failed: generic failure"),
         "server_misconfigured", "contact_server_admin", PROVIDER),
    Case("Gmail: the account's own password",
         refusing("AUTH", "535-5.7.8 Username and Password not accepted. For more information, go to\n"
             "535 5.7.8  https://support.google.com/mail/?p=BadCredentials a1-20020a - gsmtp"),
         "app_password_required", "create_app_password", YOU, typed=at(GMAIL)),
    Case("Gmail: 534 with two steps",
         refusing("AUTH", "534-5.7.9 Application-specific password required. Learn more at\n"
             "534 5.7.9  https://support.google.com/mail/?p=InvalidSecondFactor a1-20020a - gsmtp"),
         "app_password_required", "create_app_password", YOU, typed=at(GMAIL)),
    Case("Gmail: 534 sign in with a browser",
         refusing("AUTH", "534-5.7.14 Please log in via your web browser and\n534-5.7.14 then try again.\n"
             "534 5.7.14  https://support.google.com/mail/answer/78754 a1-20020a - gsmtp"),
         "web_login_required", "sign_in_on_web", YOU, typed=at(GMAIL)),
    microsoft("off for the organisation",
              "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit "
              "https://aka.ms/smtp_auth_disabled for more information.",
              "smtp_auth_disabled_tenant", "enable_smtp_auth_tenant"),
    microsoft("off for the mailbox",
              "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox. Visit "
              "https://aka.ms/smtp_auth_disabled for more information.",
              "smtp_auth_disabled_mailbox", "enable_smtp_auth_mailbox"),
    microsoft("no more passwords", "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.",
              "basic_auth_disabled", "use_oauth_or_other_relay", host=OUTLOOK),
    microsoft("no more passwords, 5.7.30", "550 5.7.30 Basic authentication is not supported for Client Submission.",
              "basic_auth_disabled", "use_oauth_or_other_relay"),
    microsoft("security defaults",
              "535 5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults "
              "policy. Contact your administrator.",
              "signin_policy_blocked", "relax_signin_policy"),
    microsoft("5.7.3 and no reason", "535 5.7.3 Authentication unsuccessful", "smtp_auth_disabled_mailbox",
              "enable_smtp_auth_mailbox"),
    Case("QQ: authorisation code",
         refusing("AUTH", "535 Login Fail. Please enter your authorization code to login. More information in "
             "http://service.mail.qq.com/cgi-bin/help?subtype=1&&id=28&&no=1001256"),
         "app_password_required", "create_app_password", YOU, typed=at("smtp.qq.com")),
    Case("QQ: hangs up at the login", refusing("AUTH", close()), "app_password_required", "create_app_password", YOU,
         typed=at("smtp.qq.com")),
    Case("163: the account's own password",
         {465: Door(smtp({"AUTH": "535 Error: authentication failed"}, tls="ssl"))},
         "app_password_required", "create_app_password", YOU, typed=ssl("smtp.163.com")),
    Case("163: SMTP is off, in GBK",
         {465: Door(smtp({"AUTH": "550 \xd3\xc3\xbb\xa7\xce\xde\xc8\xa8\xb5\xc7\xc2\xbd"}, tls="ssl"))},
         "smtp_access_not_enabled", "enable_smtp_in_account", YOU, typed=ssl("smtp.163.com")),
    Case("Yahoo: #AUTH005", refusing("AUTH", "535 5.7.0 (#AUTH005) Too many bad auth attempts."),
         "app_password_required", "create_app_password", YOU, typed=at(YAHOO)),
    Case("iCloud: the account's own password",
         refusing("AUTH", "535 5.7.8 Error: authentication failed: UGFzc3dvcmQ6"),
         "app_password_required", "create_app_password", YOU, typed=at("smtp.mail.me.com")),
    Case("Yandex: SMTP is off",
         {465: Door(smtp({"AUTH": "535 5.7.8 Error: authentication failed: This user does not have access rights to "
                          "this service"}, tls="ssl"))},
         "smtp_access_not_enabled", "enable_smtp_in_account", YOU, typed=ssl("smtp.yandex.com")),
    Case("SES: keys for its programming interface", refusing("AUTH", "535 Authentication Credentials Invalid"),
         "wrong_credential_kind", "use_smtp_credentials", YOU,
         typed=at(SES, username="AKIAIOSFODNN7EXAMPLE", password="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")),
    Case("SES: an address as user name", refusing("AUTH", "535 Authentication Credentials Invalid"),
         "wrong_username_form", "fix_username", YOU, typed=at(SES)),
    Case("SendGrid: the account's name instead of the word apikey", {587: Door(smtp(login=("apikey", PASSWORD)))},
         "wrong_username_form", "fix_username", YOU, typed=at(SENDGRID), button={"username": "apikey"}),
    Case("SendGrid: a revoked key",
         refusing("AUTH", "535 Authentication failed: The provided authorization grant is invalid or revoked"),
         "bad_credentials", "retype_credentials", YOU, typed=at(SENDGRID, username="apikey")),
    Case("SendGrid: no credits left", refusing("AUTH", "451 Authentication failed: Maximum credits exceeded"),
         "quota_exceeded", "reduce_volume_or_upgrade", YOU, typed=at(SENDGRID, username="apikey")),
    Case("Brevo: this machine's address is not on the list", refusing("AUTH", "525 5.7.1 Unauthorized IP address"),
         "ip_not_allowlisted", "allowlist_ip", PROVIDER, typed=at("smtp-relay.brevo.com")),
    Case("a login is needed and none is set",
         refusing("MAIL", "530 5.7.57 Client not authenticated to send mail. [AM0PR07CA0026]"),
         "auth_required", "add_credentials", YOU, typed=at(MICROSOFT, **NOBODY_IN)),
]  # fmt: skip

SENDING = [
    Case("the sender belongs to somebody else",
         refusing("MAIL FROM:<boss@example.test>",
             f"553 5.7.1 <boss@example.test>: Sender address rejected: not owned by user {USERNAME}"),
         "sender_not_owned", "use_own_sender_address", YOU, typed={"address": "boss@example.test"},
         button={"address": USERNAME}),
    Case("163: mail from must be the user",
         {465: Door(smtp({"MAIL FROM:<boss@example.test>": "553 Mail from must equal authorized user"}, tls="ssl"))},
         "sender_not_owned", "use_own_sender_address", YOU, typed=ssl("smtp.163.com", address="boss@example.test"),
         button={"address": USERNAME}),
    Case("SendGrid: the sender is not verified",
         refusing(".", "550 The from address does not match a verified Sender Identity.", login=("apikey", PASSWORD)),
         "sender_not_verified", "verify_sender", YOU, typed=at(SENDGRID, username="apikey"), recipient=ANN),
    Case("the sender's domain does not exist",
         refusing("RCPT", "450 4.1.8 <u@example.test>: Sender address rejected: Domain not found"),
         "sender_address_invalid", "fix_sender_address", YOU),
    Case("the account is blocked", refusing("RCPT", "550 5.1.8 Access denied, bad outbound sender AS(42004)"),
         "account_suspended", "contact_provider", PROVIDER),
    Case("no such recipient",
         refusing("RCPT", "550 5.1.1 <ann@example.test>: Recipient address rejected: User unknown"),
         "recipient_rejected", "fix_recipient", YOU, recipient=ANN),
    Case("no relaying", refusing("RCPT", "554 5.7.1 <ann@example.test>: Relay access denied"),
         "relay_denied", "authenticate_to_relay", YOU, recipient=ANN),
    Case("greylisting", refusing("RCPT", "450 4.2.0 <ann@example.test>: Recipient address rejected: Greylisted"),
         "greylisted", "retry_later", NOBODY, recipient=ANN),
    Case("a bare 451, as rspamd says it", refusing("RCPT", "451 4.7.1 Try again later"),
         "greylisted", "retry_later", NOBODY, recipient=ANN),
    Case("too many mails",
         refusing("RCPT", "450 4.2.1 The user you are trying to contact is receiving mail at a rate that is too fast"),
         "rate_limited", "slow_down_and_retry", NOBODY, recipient=ANN),
    Case("larger than the server's SIZE", {587: Door(smtp(features=f"{HOST}\nSIZE 100"))},
         "message_too_large", "shrink_message", YOU, recipient=ANN),
    Case("552 at the end of the content", refusing(".", "552 5.3.4 Message size exceeds fixed limit"),
         "message_too_large", "shrink_message", YOU, recipient=ANN),
    Case("552: the recipient's mailbox is full",
         refusing("RCPT", "552 5.2.2 <ann@example.test>: Mailbox is over quota"),
         "recipient_rejected", "fix_recipient", YOU, recipient=ANN),
    Case("Gmail: the day's amount is used up",
         refusing("MAIL", "550-5.4.5 Daily user sending limit exceeded. For more information on Gmail\n"
             "550 5.4.5 sending limits go to https://support.google.com/a/answer/166852 a1 - gsmtp"),
         "quota_exceeded", "reduce_volume_or_upgrade", YOU, typed=at(GMAIL)),
    Case("SES: still in the sandbox",
         refusing(".", "554 Message rejected: Email address is not verified. The following identities failed the "
                  f"check in region US-EAST-1: {ANN}", login=("AKIAIOSFODNN7EXAMPLE", PASSWORD)),
         "sandbox_restricted", "leave_sandbox", YOU, typed=at(SES, username="AKIAIOSFODNN7EXAMPLE"), recipient=ANN),
    Case("SPF, DKIM and DMARC do not cover it",
         refusing(".",
             "550 5.7.26 Unauthenticated email from example.test is not accepted due to domain's DMARC policy."),
         "domain_auth_failed", "set_up_spf_dkim", YOU, recipient=ANN),
    Case("taken for spam", refusing(".", "554 5.7.1 Spam message rejected"),
         "content_rejected", "change_content", YOU, recipient=ANN),
    Case("headers that it does not like", refusing(".", "554 Transaction failed. Reject due to policy restrictions."),
         "message_malformed", "fix_message_headers", OPERATOR, recipient=ANN),
    Case("no word after the content", refusing(".", close()), "in_doubt", "look_before_resending", YOU, recipient=ANN),
    Case("a refusal that says nothing", refusing("AUTH", "555 no"), "bad_credentials", "retype_credentials", YOU),
]  # fmt: skip

CASES = [*REACHING, *STRANGERS, *ENCRYPTION, *SERVER, *LOGIN, *SENDING]
