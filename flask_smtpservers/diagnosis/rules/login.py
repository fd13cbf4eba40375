"""What a refused login means: sentences first, then the provider and the form of what was entered."""

from __future__ import annotations

import re

from ...findings import Stage
from ...providers.provider import Provider, UsernameRule
from ..context import Context, Fact
from ..symptom import Symptom
from ..wording import any_of
from .encryption import login_not_offered
from .verdict import Verdict

#: The words of some services' own way to an app password.
_OWN_WORDS = {
    "gmail": "gmail",
    "google-relay": "gmail",
    "yahoo": "yahoo",
    "icloud": "icloud",
    "qq": "code",
    "netease": "code",
}
#: Large services whose servers are not Exim: its wording from them means that another server answered.
_NEVER_EXIM = frozenset(
    [
        "gmail",
        "google-relay",
        "microsoft365",
        "outlook",
        "yahoo",
        "icloud",
        "zoho",
        "sendgrid",
        "mailgun",
        "amazon-ses",
        "mandrill",
        "postmark",
        "brevo",
        "sparkpost",
        "mailjet",
        "qq",
        "netease",
        "fastmail",
    ]
)


_POLICY = any_of(
    r"security defaults|did not meet the criteria|conditional access|locked by your organi|multi-?factor|\bmfa\b"
)
_NO_MORE_PASSWORDS = any_of(r"basic auth\w* is (disabled|not supported|no longer)|5\.7\.30\b(?!.*dkim)")


def microsoft_sentence(symptom: Symptom) -> Verdict | None:
    """Read Microsoft's sentences: 5.7.139 alone has five causes, and 5.7.57 wraps them."""
    if symptom.says(r"smtpclientauth\w* is disabled for the tenant"):
        return Verdict("smtp_auth_disabled_tenant")
    if symptom.says(r"smtpclientauth\w* is disabled"):
        return Verdict("smtp_auth_disabled_mailbox")
    if symptom.says(_NO_MORE_PASSWORDS):
        return Verdict("basic_auth_disabled")
    if symptom.says(_POLICY):
        return Verdict("signin_policy_blocked")
    if symptom.says(r"credentials were incorrect"):
        return Verdict("bad_credentials")
    if symptom.service in ("microsoft365", "outlook") and symptom.says(r"5\.7\.3\b|authentication unsuccessful"):
        return _silent_microsoft(symptom)
    if symptom.says(r"5\.7\.57\b|not authenticated to send"):
        return Verdict("auth_required")
    return None


_NO_METHOD = any_of(
    r"unrecogni[sz]ed auth|mechanism (is )?too weak|no (compatible|suitable|supported|common) auth|unsupported auth",
    r"no longer supported|auth\w* (mechanism|type|method) (is )?(not|un)|invalid auth\w* (mechanism|method|type)",
    r"4\.7\.12\b",
)
_APP_PASSWORD = any_of(r"application[- ]specific|app(lication)?[- ]?(specific )?password|parol prilozh")
_CODE = any_of(r"auth?ori[sz]ation code|授权码|\bauth code")
_WEB_LOGIN = any_of(
    r"web ?browser|use web\b|via (the )?web|log ?in (on|at|via|through|with) .{0,20}\bweb|not a robot|captcha"
)
_SIGN_IN = any_of(r"(please|to continue.{0,40}) (sign|log) ?in to your|sign ?in to (verify|confirm|unlock)")
_SMTP_OFF = any_of(
    r"no permission|not have access rights|无权|not subscribed",
    r"(smtp|imap|pop3?) (access |service )?(is )?(disabled|off|closed)",
    r"(smtp|imap|pop3?) (access |service )?(is |was )?not (been )?(enabled|activated|open|allowed)",
)
_NOT_NOW = any_of(r"connection lost to auth|temporar|try again later|internal (server )?error")
_LOGIN_BROKEN = any_of(r"generic failure|no worthy mechs|no mechanism available|unable to open")
_NO_AUTH_COMMAND = any_of(r"advertis|not (recogni|implement|support|enabled)|unrecogni|bad sequence|unknown command")


def login_sentence(symptom: Symptom) -> Verdict | None:
    """Read what the server says about the login itself."""
    if symptom.stage not in (Stage.AUTH, None) and symptom.code not in (534, 535):
        return None
    if symptom.says(r"not allowed on ib ?smtp|wrong (server|region|data ?cent)"):
        return Verdict("wrong_endpoint")
    if symptom.code in (500, 502, 503) and symptom.says(_NO_AUTH_COMMAND):
        return login_not_offered(symptom)
    if symptom.at(Stage.AUTH) and symptom.code is not None and symptom.code < 400:
        # The server answered, but neither with a refusal nor as the method foresees.
        words = {"reason": symptom.sentence}
        return Verdict("auth_method_unsupported", variant="exchange" if symptom.sentence else "", words=words)
    if (symptom.code == 504 and not symptom.says(r"[eh]e?[hl]lo|qualified|sender")) or symptom.says(_NO_METHOD):
        return Verdict("auth_method_unsupported")
    if symptom.says(_APP_PASSWORD) or symptom.shows(r"invalidsecondfactor"):
        return _app_password(symptom)
    if symptom.says(_CODE):
        return Verdict("app_password_required", variant="code")
    if symptom.says(_WEB_LOGIN):
        return Verdict("web_login_required")
    # NetEase's own sentence is GBK, of which only question marks may be left.
    if symptom.says(_SMTP_OFF) or (symptom.at(Stage.AUTH) and symptom.code == 550 and symptom.service == "netease"):
        return Verdict("smtp_access_not_enabled")
    at_login = symptom.at(Stage.AUTH) or symptom.code in (454, 535) or symptom.says(r"\b(auth|log ?in)")
    if at_login and symptom.says(_NOT_NOW) and not symptom.says(r"too many"):
        return Verdict("server_temporary_failure")
    if symptom.says(_LOGIN_BROKEN):
        return Verdict("server_misconfigured")
    return None


def sign_in_wanted(symptom: Symptom) -> Verdict | None:
    """Recognise a service that lets nothing more through until somebody signs in on its pages, at whatever step."""
    return Verdict("web_login_required") if symptom.says(_SIGN_IN) else None


def login_refused(symptom: Symptom) -> Verdict | None:
    """Decide what a bare refusal means, by provider and by the form of user name and password."""
    refused = symptom.at(Stage.AUTH) and symptom.permanent
    if not refused and symptom.code not in (534, 535):
        return None
    context, owner, service = symptom.context, symptom.provider, symptom.service
    if symptom.says(r"incorrect authentication data") and service in _NEVER_EXIM:
        return Verdict("connection_intercepted")
    if context.knows(Fact.OTHER_REGION):
        return Verdict("wrong_endpoint", variant="region")
    if service == "outlook":
        return Verdict("basic_auth_disabled")
    if owner is not None and owner.password in ("app-password", "authorisation-code"):
        if context.password is not None and context.password.fits_provider:
            if context.username and not owner.username_fits(context.username, context.sender):
                return Verdict("wrong_username_form")
            return Verdict("bad_credentials", variant="app_password")
        return _app_password(symptom)
    if service == "gmx":
        return Verdict("smtp_access_not_enabled", variant="unsure")
    if owner is not None and owner.kind == "relay":
        return _relay_login(symptom, context, owner)
    if owner is not None and context.username and not owner.username_fits(context.username, context.sender):
        return Verdict("wrong_username_form")
    return _plain_refusal(symptom)


def _relay_login(symptom: Symptom, context: Context, owner: Provider) -> Verdict:
    """Decide for a sending service: its user names and its keys have forms of their own."""
    username, shape = context.username, context.password
    if symptom.says(r"expired|revoked|grant is invalid|api key (is )?(invalid|not found)|invalid (api )?(key|token)"):
        return Verdict("bad_credentials", variant="key")
    if shape is not None and shape.other_kind:
        return Verdict("wrong_credential_kind")
    if username and owner.id == "amazon-ses" and not re.fullmatch(r"[A-Z0-9]{16,32}", username):
        return Verdict("wrong_username_form")
    is_token = owner.username is UsernameRule.SAME_AS_PASSWORD
    if username and not is_token and not owner.username_fits(username, context.sender):
        return Verdict("wrong_username_form")
    if shape is not None and shape.fits_provider:
        return Verdict("bad_credentials", variant="key")
    if symptom.says(r"bad username") and username is None:
        return Verdict("wrong_username_form")
    if owner.username is UsernameRule.LITERAL and username == owner.username_value:
        return Verdict("bad_credentials", variant="key")
    return Verdict("wrong_credential_kind", variant="unsure")


def _plain_refusal(symptom: Symptom) -> Verdict:
    context = symptom.context
    if symptom.code == 501 or symptom.says(r"invalid user ?name|(full|complete) e-?mail address as"):
        return Verdict("wrong_username_form")
    if context.password is not None and context.password.blanks:
        return Verdict("bad_credentials", variant="blanks")
    if context.password is not None and context.password.shell_characters:
        return Verdict("bad_credentials", variant="shell")
    if symptom.provider is None and context.full_username:
        return Verdict("bad_credentials", variant="short_name")
    if context.username == _PLACEHOLDER:
        return Verdict("bad_credentials", "remove_credentials", "relay")
    return Verdict("bad_credentials")


#: A user name that nobody has: it stands in examples.
_PLACEHOLDER = "username"


def _silent_microsoft(symptom: Symptom) -> Verdict:
    shape = symptom.context.password
    if symptom.service == "outlook":
        return Verdict("basic_auth_disabled")
    if shape is not None and shape.shell_characters:
        return Verdict("bad_credentials", variant="shell")
    return Verdict("smtp_auth_disabled_mailbox", variant="silent")


def _app_password(symptom: Symptom) -> Verdict:
    return Verdict("app_password_required", variant=_OWN_WORDS.get(symptom.service, ""))
