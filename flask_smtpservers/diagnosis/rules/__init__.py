"""From a failure to its one cause. Read :data:`RULES` from above: the first rule that answers decides.

The order is that of the session, and within replies from the sentences that mean one thing only to those that many
servers use for many things. Sentences are matched before codes, because codes mislead: 5.7.1 alone has ten causes.
A rule knows one subject; none sends anything.
"""

from __future__ import annotations

from collections.abc import Callable

from ...errors import SMTPServersError
from ...findings import Diagnosis, Stage
from ..causes import worded
from ..context import Context
from ..kind import Kind
from ..placeholders import words_for
from ..symptom import Symptom, symptom_of
from ..wording import any_of
from . import encryption, login, message, own, policy, reaching
from .verdict import Verdict

__all__ = ["RULES", "Verdict", "decide", "diagnose"]

Rule = Callable[[Symptom], Verdict | None]


_MESSAGE_REFUSED = any_of(r"\b(message|e?mail)\b.{0,20}(reject|refus|not allowed|filtered|block)")


def by_step(symptom: Symptom) -> Verdict | None:
    """Fall back on the step at which it showed and on the class of its code."""
    if symptom.code is None and symptom.kind is not Kind.REPLY:
        return None
    match symptom.stage:
        case Stage.MAIL_FROM if not symptom.transient:
            return Verdict("sender_address_invalid", variant="unsure")
        case Stage.RCPT_TO if not symptom.transient:
            return Verdict("recipient_rejected")
        case Stage.RCPT_TO if symptom.code in (450, 451):
            return Verdict("greylisted")
        case Stage.DATA if not symptom.transient:
            return Verdict("content_rejected", variant="unsure")
        case Stage.STARTTLS if not symptom.transient:
            return Verdict("server_misconfigured")
        case None if symptom.permanent and symptom.says(_MESSAGE_REFUSED):
            return Verdict("content_rejected", variant="unsure")
        case _:
            return Verdict("server_temporary_failure") if symptom.transient else None


RULES: tuple[Rule, ...] = (
    # the settings and the way to the server
    reaching.malformed_setting,
    reaching.name_not_resolved,
    reaching.no_connection,
    reaching.not_smtp,
    # encryption
    encryption.certificate_refused,
    encryption.extension_missing,
    encryption.tls_failed,
    reaching.hung_up_or_mute,
    # replies that say one thing only
    policy.interception,
    policy.encryption_demanded,
    login.microsoft_sentence,
    login.login_sentence,
    login.sign_in_wanted,
    policy.address_list,
    message.domain_not_covered,
    policy.login_demanded,
    policy.name_refused,
    policy.account_blocked,
    message.test_mode,
    message.sender_unproved,
    # amounts and pace
    message.too_large,
    policy.used_up,
    policy.too_fast,
    login.login_refused,
    # this machine, then sender, recipient and message
    policy.machine_blocked,
    message.sender_invalid,
    message.sender_foreign,
    policy.relaying,
    policy.put_off,
    message.recipient_refused,
    message.badly_built,
    message.content_refused,
    policy.busy,
    by_step,
)

#: Causes for which the provider's own page helps.
_WITH_LINK = frozenset(
    [
        "app_password_required",
        "bad_credentials",
        "wrong_username_form",
        "wrong_credential_kind",
        "smtp_auth_disabled_tenant",
        "smtp_auth_disabled_mailbox",
        "basic_auth_disabled",
        "signin_policy_blocked",
        "smtp_access_not_enabled",
        "web_login_required",
        "account_suspended",
        "ip_not_allowlisted",
        "sender_not_owned",
        "sender_not_verified",
        "sandbox_restricted",
        "port_not_offered",
        "wrong_endpoint",
        "auth_required",
        "quota_exceeded",
    ]
)


def diagnose(error: BaseException, context: Context, stage: Stage | None = None) -> Diagnosis:
    """Explain a failure.

    :param error: an error of this package, or one of smtplib, ssl or socket.
    :param context: the settings and what else is known; never a password.
    :param stage: where it was raised, if the error itself does not say.
    :returns: exactly one cause; ``unknown`` if no rule answers.
    """
    symptom = symptom_of(error, context, stage)
    reply = getattr(error, "reply", "")
    if reply and symptom.code is not None:
        reply = f"{symptom.code} {reply}"
    said = reply or ("" if isinstance(error, SMTPServersError) else str(error))
    verdict = own.cause_of_class(error, context, stage) or decide(symptom)
    return explained(verdict, context, said=said or context.heard)


def decide(symptom: Symptom) -> Verdict:
    """Ask the rules in their order."""
    return next((verdict for rule in RULES if (verdict := rule(symptom))), Verdict("unknown"))


def explained(verdict: Verdict, context: Context, *, said: str = "") -> Diagnosis:
    """Put a verdict into words, in the language being spoken."""
    owner = context.known_provider if verdict.cause in _WITH_LINK else None
    return worded(
        verdict.cause,
        verdict.fix,
        verdict.variant,
        words={**words_for(context), **verdict.words},
        transient=verdict.transient,
        said=said,
        link=owner.docs_url if owner else "",
        provider=owner.id if owner else "",
    )
