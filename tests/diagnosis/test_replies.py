"""What servers say, and the one cause behind it, as a table."""

from __future__ import annotations

import pytest

from flask_smtpservers.diagnosis import Context, diagnose
from flask_smtpservers.diagnosis.context import Fact, PasswordShape
from flask_smtpservers.errors import (
    AuthenticationFailed,
    CertificateRefused,
    DataRefused,
    HeloRefused,
    ProtocolError,
    RecipientsRefused,
    SenderRefused,
    SendError,
)
from flask_smtpservers.findings import Stage
from flask_smtpservers.smtp.endpoint import Security

CLASSES = {
    "greeting": ProtocolError,
    "ehlo": HeloRefused,
    "auth": AuthenticationFailed,
    "mail_from": SenderRefused,
    "rcpt_to": RecipientsRefused,
    "data": DataRefused,
}


def refusal(stage: str, words: str) -> SendError:
    code, _, text = words.partition(" ")
    first = text.partition(" ")[0]
    enhanced = first if first.count(".") == 2 and first.replace(".", "").isdigit() else None
    error = CLASSES[stage]("It refused.", stage=Stage(stage), code=int(code), enhanced=enhanced, reply=text)
    if isinstance(error, ProtocolError):
        error.disconnected = True
    return error


def at(host: str = "mail.example.com", **more: object) -> Context:
    values: dict[str, object] = {"port": 587, "security": Security.STARTTLS, "username": "me@example.com"}
    return Context(host=host, **(values | more))  # type: ignore[arg-type]


GMAIL, M365, SENDGRID = "smtp.gmail.com", "smtp.office365.com", "smtp.sendgrid.net"

LOGIN = [
    ("mail.example.com", "535 5.7.8 Error: authentication failed: (reason unavailable)", "bad_credentials"),
    ("mail.example.com", "535 Incorrect authentication data", "bad_credentials"),
    ("mail.example.com", "535 5.7.1 Your account was suspended", "account_suspended"),
    ("mail.example.com", "535 5.7.8 authentication failed: generic failure", "server_misconfigured"),
    ("mail.example.com", "535 5.7.8 Connection lost to authentication server", "server_temporary_failure"),
    ("mail.example.com", "454 4.7.0 Temporary authentication failure", "server_temporary_failure"),
    ("mail.example.com", "504 5.5.1 Unrecognized authentication type", "auth_method_unsupported"),
    ("mail.example.com", "534 5.7.9 Authentication mechanism is too weak", "auth_method_unsupported"),
    ("mail.example.com", "538 5.7.11 Encryption is required for this mechanism", "starttls_required"),
    ("mail.example.com", "503 AUTH is not advertised here", "auth_not_offered"),
    (GMAIL, "535 5.7.8 Username and Password not accepted. - gsmtp", "app_password_required"),
    (GMAIL, "534 5.7.9 An application-specific password is required", "app_password_required"),
    (GMAIL, "534 5.7.14 Please log in with your web browser first", "web_login_required"),
    (GMAIL, "454 4.7.0 Too many login attempts, try again later", "rate_limited"),
    ("smtp.mail.yahoo.com", "535 5.7.0 (#AUTH005) Too many bad auth attempts", "app_password_required"),
    ("smtp.aol.com", "535 5.7.0 (#MBR1212) Incorrect username or password", "app_password_required"),
    ("smtp.mail.me.com", "535 5.7.8 authentication failed", "app_password_required"),
    ("smtp.fastmail.com", "535 5.7.0 Incorrect username or password", "app_password_required"),
    ("smtp.qq.com", "535 Login fail. Please use the authorization code", "app_password_required"),
    ("smtp.163.com", "535 Error: authentication failed", "app_password_required"),
    ("smtp.163.com", "550 ????????", "smtp_access_not_enabled"),
    ("smtp.mail.ru", "535 5.7.0 NEOBHODIM parol prilozheniya", "app_password_required"),
    ("smtp.yandex.com", "535 5.7.8 This user does not have access rights to this service", "smtp_access_not_enabled"),
    ("mail.gmx.net", "535 Authentication credentials invalid", "smtp_access_not_enabled"),
    (M365, "535 5.7.139 SmtpClientAuthentication is disabled for the Tenant", "smtp_auth_disabled_tenant"),
    (M365, "535 5.7.139 SmtpClientAuthentication is disabled for the Mailbox", "smtp_auth_disabled_mailbox"),
    (M365, "535 5.7.139 the request did not meet the criteria", "signin_policy_blocked"),
    (M365, "535 5.7.139 locked by your organization's security defaults policy", "signin_policy_blocked"),
    (M365, "535 5.7.139 basic authentication is disabled", "basic_auth_disabled"),
    (M365, "535 5.7.139 the user credentials were incorrect", "bad_credentials"),
    (M365, "550 5.7.30 Basic authentication is not supported for Client Submission", "basic_auth_disabled"),
    (M365, "535 5.7.3 Authentication unsuccessful", "smtp_auth_disabled_mailbox"),
    ("smtp-mail.outlook.com", "535 5.7.3 Authentication unsuccessful", "basic_auth_disabled"),
    ("smtp.zoho.com", "535 Incorrect authentication data", "connection_intercepted"),
    (SENDGRID, "535 Authentication failed: Bad username / password", "wrong_username_form"),
    (SENDGRID, "451 Authentication failed: Maximum credits exceeded", "quota_exceeded"),
    ("smtp-relay.brevo.com", "525 5.7.1 Unauthorized IP address", "ip_not_allowlisted"),
    ("smtpout.secureserver.net", "535 Authentication not allowed on IBSMTP Servers", "wrong_endpoint"),
]


@pytest.mark.parametrize(("host", "words", "cause"), LOGIN)
def test_refused_login(host: str, words: str, cause: str) -> None:
    """A refused login has one cause: by its sentence, else by the provider."""
    assert diagnose(refusal("auth", words), at(host)).cause == cause


SENDER = [
    ("mail.example.com", "530 5.7.0 Must issue a STARTTLS command first", "starttls_required"),
    ("mail.example.com", "530 5.7.0 Authentication required", "auth_required"),
    (M365, "530 5.7.57 Client not authenticated to send mail", "auth_required"),
    (M365, "530 5.7.57 Not authenticated. Error: 535 5.7.139 basic authentication is disabled", "basic_auth_disabled"),
    ("mail.example.com", "553 5.7.1 Sender address rejected: not owned by user me", "sender_not_owned"),
    ("mail.example.com", "553 5.7.1 Sender address rejected: not logged in", "auth_required"),
    ("mail.example.com", "501 5.1.7 Bad sender address syntax", "sender_address_invalid"),
    ("mail.example.com", "450 4.1.8 Sender address rejected: Domain not found", "sender_address_invalid"),
    ("mail.example.com", "553 5.5.4 Domain name required for sender address root", "sender_address_invalid"),
    ("smtp.163.com", "553 Mail from must equal authorized user", "sender_not_owned"),
    ("smtp.mail.me.com", "550 5.7.0 From address is not one of your addresses", "sender_not_owned"),
    (SENDGRID, "550 Unauthenticated senders not allowed", "auth_required"),
    ("mail.example.com", "552 5.3.4 Message size exceeds fixed limit", "message_too_large"),
    ("mail.example.com", "452 4.3.4 Message size exceeds fixed limit", "message_too_large"),
    ("mail.example.com", "452 4.3.1 Insufficient system resources", "server_temporary_failure"),
    ("mail.example.com", "550 5.1.0 192.0.2.1 is not allowed to send for x.org: SPF", "domain_auth_failed"),
    ("mail.example.com", "421 4.7.0 Too many connections", "rate_limited"),
    ("mail.example.com", "550 No", "sender_address_invalid"),
    ("smtp.mail.yahoo.com", "550 Mailbox unavailable", "sender_not_owned"),
    ("mail.example.com", "451 4.0.0 invalid return path: not owned by user", "sender_not_owned"),
    ("mail.example.com", "421 4.4.2 Connection expired, try reconnecting", "server_temporary_failure"),
    ("mail.example.com", "550 SMTP Authentifizierung erforderlich", "auth_required"),
    ("mail.example.com", "421 Trop de connexions", "rate_limited"),
    ("mail.example.com", "451 Mails per session limit", "rate_limited"),
]  # fmt: skip

RECIPIENT = [
    ("mail.example.com", "452 4.0.0 No", "server_temporary_failure"),
    ("mail.example.com", "450 No", "greylisted"),
    ("mail.example.com", "550 5.1.1 User unknown in virtual mailbox table", "recipient_rejected"),
    ("mail.example.com", "501 5.1.5 Recipient address reserved by RFC 2606", "recipient_rejected"),
    ("mail.example.com", "552 5.2.2 Mailbox full", "recipient_rejected"),
    ("mail.example.com", "450 4.1.2 Recipient address rejected: Domain not found", "recipient_rejected"),
    ("mail.example.com", "553 5.6.7 The server does not take addresses that are not ASCII", "recipient_rejected"),
    ("mail.example.com", "554 5.7.1 Relay access denied", "relay_denied"),
    ("mail.example.com", "454 4.7.1 Relay access denied", "relay_denied"),
    ("mail.example.com", "550 relay not permitted", "relay_denied"),
    ("mail.example.com", "450 4.2.0 Greylisted for 300 seconds", "greylisted"),
    ("mail.example.com", "451 4.7.1 Please try again later", "greylisted"),
    ("mail.example.com", "550 5.7.1 Client host [192.0.2.1] blocked using zen.spamhaus.org", "ip_blocked"),
    ("mail.example.com", "554 5.7.1 blocked using zen.spamhaus.org; Error: open resolver", "server_misconfigured"),
    ("mail.example.com", "504 5.5.2 Helo command rejected: need fully-qualified hostname", "helo_rejected"),
    ("mail.example.com", "553 5.7.1 Sender address rejected: not owned by user", "sender_not_owned"),
    ("mail.example.com", "550 Sender verify failed", "sender_address_invalid"),
    ("mail.example.com", "550 Verification failed for <root@box>", "sender_address_invalid"),
    ("mail.example.com", "450 4.2.1 receiving mail too quickly", "rate_limited"),
    ("mail.example.com", "452 4.5.3 Too many recipients", "quota_exceeded"),
    ("mail.example.com", "550 5.4.1 Recipient address rejected: Access denied", "recipient_rejected"),
    ("mail.example.com", "451 4.7.500 Server busy. Please try again later", "server_temporary_failure"),
    ("mail.example.com", "451 4.3.5 Server configuration problem", "server_misconfigured"),
    ("mail.example.com", "451 4.3.0 Temporary lookup failure", "server_misconfigured"),
    ("mail.example.com", "550 host is not permitted to relay: you have not logged into us", "relay_denied"),
    ("mail.example.com", "553 not in my list of rcpt hosts", "relay_denied"),
    ("mail.example.com", "554 5.7.1 Helo command blocked using dbl.example.org; Error: open resolver",
     "server_misconfigured"),
    ("mail.example.com", "552 5.2.2 user quota exceeded", "recipient_rejected"),
    ("mail.example.com", "552 exceeded storage allocation", "recipient_rejected"),
    ("mail.example.com", "550 5.2.1 This mailbox has been blocked", "recipient_rejected"),
    ("mail.example.com", "550 5.7.505 Access denied, banned recipient", "recipient_rejected"),
    ("mail.example.com", "451 too many errors detected from your IP", "ip_blocked"),
    ("smtp.mail.yahoo.com", "553 5.7.1 [TSS07] not accepted, the ip is in Spamhaus's list", "ip_blocked"),
    ("mail.example.com", "550 Taille limite du message atteinte", "message_too_large"),
]  # fmt: skip

MESSAGE = [
    (M365, "550 5.7.60 Client does not have permissions to send as this sender", "sender_not_owned"),
    (M365, "554 5.2.0 STOREDRV SendAsDeniedException", "sender_not_owned"),
    (M365, "554 5.2.0 STOREDRV SubmissionQuotaExceededException", "quota_exceeded"),
    (M365, "554 5.2.0 STOREDRV MapiExceptionMaxSubmissionExceeded", "message_too_large"),
    (M365, "432 4.3.2 Concurrent connections limit exceeded", "rate_limited"),
    (SENDGRID, "550 The from address does not match a verified Sender Identity", "sender_not_verified"),
    (GMAIL, "550 5.4.5 Daily user sending limit exceeded", "quota_exceeded"),
    (GMAIL, "552 5.7.0 its content presents a potential security issue", "content_rejected"),
    ("smtp.163.com", "554 DT:SPM 163 smtp10", "content_rejected"),
    ("smtp.zoho.com", "553 Relaying disallowed as x@example.com", "sender_not_owned"),
    ("live.smtp.mailtrap.io", "550 5.7.0 too many emails per second", "rate_limited"),
    ("smtp.mailgun.org", "554 Sandbox subdomains are for test purposes only", "sandbox_restricted"),
    ("mail.example.com", "550 maximum allowed line length is 998 octets", "message_malformed"),
    ("mail.example.com", "550 5.7.1 Unauthenticated email is not accepted by DMARC policy", "domain_auth_failed"),
    ("mail.example.com", "550 5.7.25 The IP address sending this message has no PTR record", "ip_blocked"),
    ("mail.example.com", "451 4.3.0 queue file write error", "server_temporary_failure"),
    ("mail.example.com", "554 5.7.1 Spam message rejected", "content_rejected"),
    (GMAIL, "550 5.7.1 This message does not pass authentication checks", "domain_auth_failed"),
    (GMAIL, "550 5.7.30 DKIM does not pass", "domain_auth_failed"),
    (GMAIL, "550 5.7.29 not sent over a TLS connection", "starttls_required"),
    ("smtp-mail.outlook.com", "550 5.3.4 To continue sending messages, please sign in to your account.",
     "web_login_required"),
    ("mail.example.com", "552 message line is too long", "message_malformed"),
    ("mail.example.com", "550 5.7.1 Messages having no From: header are not accepted", "message_malformed"),
    ("mail.example.com", "550 5.3.5 System incorrectly configured", "server_misconfigured"),
    ("mail.example.com", "554 Message rejected: the account is paused", "account_suspended"),
    ("smtp.mail.yahoo.com", "554 [PH01] not accepted for policy reasons", "content_rejected"),
    ("mail.example.com", "550 (IP based) policy", "ip_blocked"),
    ("mail.example.com", "554 No", "content_rejected"),
    ("mail.example.com", "550 Go away, see https://example.com/spam/greylist", "content_rejected"),
]  # fmt: skip

BEFORE = [
    ("greeting", "554 5.7.1 No service for you", "ip_blocked"),
    ("greeting", "421 4.3.2 Too many connections from your address", "rate_limited"),
    ("greeting", "421 4.3.0 Temporary system problem", "server_temporary_failure"),
    ("greeting", "451 Request aborted on MFE proxy", "connection_intercepted"),
    ("ehlo", "501 Syntactically invalid EHLO argument(s)", "helo_rejected"),
    ("ehlo", "421 4.7.0 Try again later, closing connection. (EHLO)", "helo_rejected"),
    ("ehlo", "550 Blacklisted", "ip_blocked"),
    ("ehlo", "500 no", "helo_rejected"),
    ("ehlo", "421 EHLO refused: too many connections", "rate_limited"),
    ("greeting", "421 Cannot connect to SMTP server 192.0.2.9, connect error 10060", "connection_intercepted"),
]


@pytest.mark.parametrize(
    ("stage", "host", "words", "cause"),
    [("mail_from", *row) for row in SENDER]
    + [("rcpt_to", *row) for row in RECIPIENT]
    + [("data", *row) for row in MESSAGE]
    + [(stage, "mail.example.com", words, cause) for stage, words, cause in BEFORE],
)
def test_refusal(stage: str, host: str, words: str, cause: str) -> None:
    """Each refusal has one cause; the sentence counts more than the step and the code."""
    assert diagnose(refusal(stage, words), at(host)).cause == cause


@pytest.mark.parametrize(
    ("host", "username", "shape", "cause"),
    [
        (GMAIL, "me@gmail.com", PasswordShape(fits_provider=False), "app_password_required"),
        (GMAIL, "me@gmail.com", PasswordShape(fits_provider=True), "bad_credentials"),
        (SENDGRID, "apikey", PasswordShape(fits_provider=True), "bad_credentials"),
        (SENDGRID, "shop@example.com", None, "wrong_username_form"),
        ("smtp-relay.brevo.com", "x@smtp-brevo.com", PasswordShape(other_kind=True), "wrong_credential_kind"),
        ("email-smtp.us-east-1.amazonaws.com", "ses-user.2024", None, "wrong_username_form"),
        ("email-smtp.us-east-1.amazonaws.com", "AKIAIOSFODNN7EXAMPLE", None, "wrong_credential_kind"),
        ("smtp.postmarkapp.com", "token", None, "wrong_credential_kind"),
        ("mail.example.com", "me", PasswordShape(shell_characters=True), "bad_credentials"),
        ("mail.example.com", "", None, "settings_malformed"),
    ],
)
def test_the_form_of_the_credentials_counts(host: str, username: str, shape: PasswordShape | None, cause: str) -> None:
    """The same bare refusal means different things for different user names and passwords."""
    said = diagnose(refusal("auth", "535 Authentication failed"), at(host, username=username, password=shape))
    assert said.cause == cause


def test_an_account_of_another_region() -> None:
    """Right credentials at the wrong region's server look like a wrong password."""
    said = diagnose(
        refusal("auth", "535 Authentication Failed"), at("smtp.zoho.com", facts=frozenset({Fact.OTHER_REGION}))
    )
    assert said.cause == "wrong_endpoint"


@pytest.mark.parametrize(
    ("recipient", "cause"), [("guest@example.net", "sandbox_restricted"), ("x@y.z", "sender_not_verified")]
)
def test_whose_address_is_not_verified(recipient: str, cause: str) -> None:
    """Amazon's sentence is the same for both: the address in it decides."""
    words = "554 Message rejected: Email address is not verified: guest@example.net"
    context = at("email-smtp.us-east-1.amazonaws.com", sender="shop@example.org", recipient=recipient)
    assert diagnose(refusal("data", words), context).cause == cause


@pytest.mark.parametrize(
    ("username", "cause"), [("", "auth_required"), (None, "auth_required"), ("me", "ip_not_allowlisted")]
)
def test_client_host_rejected(username: str | None, cause: str) -> None:
    """A relay that knows neither login nor address wants the one that is missing."""
    said = diagnose(refusal("rcpt_to", "554 5.7.1 Client host rejected: Access denied"), at(username=username))
    assert said.cause == cause


@pytest.mark.parametrize(
    ("words", "transient"),
    [
        ("450 4.2.0 Greylisted", True),
        ("452 4.2.2 mailbox is over quota", True),
        ("550 5.1.1 no such user", False),
        ("454 4.7.1 Relay access denied", False),
        ("450 4.1.8 Sender address rejected: Domain not found", False),
    ],
)
def test_what_passes_by_itself(words: str, transient: bool) -> None:
    """Whether waiting helps follows from the cause: 4yz codes are often lasting."""
    assert diagnose(refusal("rcpt_to", words), at()).transient is transient


@pytest.mark.parametrize(
    ("stage", "words", "title"),
    [
        ("data", "554 5.7.1 Spam message rejected", "The server takes the message for spam or a danger"),
        ("data", "554 No", "The server refused the message"),
        ("mail_from", "550 5.1.7 Bad sender address", "The sending address is not valid"),
        ("mail_from", "550 No", "The server refused the sender"),
    ],
)
def test_no_more_is_claimed_than_was_said(stage: str, words: str, title: str) -> None:
    """A bare refusal is not dressed up as a known reason."""
    assert diagnose(refusal(stage, words), at()).title == title


def test_an_iam_policy_grants_the_sender() -> None:
    """Where the right to send is given by a policy, the policy is to change, not the sender."""
    error = refusal("data", "554 User is not authorized to perform ses:SendRawEmail on the identity")
    told = diagnose(error, at("email-smtp.eu-west-1.amazonaws.com"))
    assert (told.cause, told.fix) == ("sender_not_owned", "grant_send_permission")


@pytest.mark.parametrize(
    ("host", "fix"), [("10.0.0.5", "turn_off_starttls"), ("mail.example.com", "contact_server_admin")]
)
def test_broken_encryption_in_the_own_network(host: str, fix: str) -> None:
    """Only in the own network is doing without encryption a way out."""
    told = diagnose(refusal("ehlo", "454 4.7.0 TLS not available due to local problem"), at(host))
    assert (told.cause, told.fix) == ("server_misconfigured", fix)


def test_a_stranger_behind_the_certificate() -> None:
    """A certificate that is refused from a server that greeted with a stranger's name is a stranger's."""
    context = at(GMAIL, greeting="box.hoster.example ESMTP Exim")
    assert diagnose(CertificateRefused("No.", stage=Stage.CERTIFICATE), context).cause == "connection_intercepted"
