"""Causes that lie in who sends, to whom, and what."""

from __future__ import annotations

from ...findings import Mender
from ...i18n import N_
from .kinds import Cause, Variant

CAUSES = (
    Cause(
        "sender_not_owned",
        N_("The account may not send from this address"),
        N_("You are signed in as %(username)s but send as %(sender)s, which the server does not allow."),
        ("use_own_sender_address", "grant_send_permission"),
        Mender.YOU,
        (N_("Or let the administrator give the account the right to send as that address."),),
    ),
    Cause(
        "sender_not_verified",
        N_("The sending address is not verified"),
        N_("%(provider)s first wants proof that %(sender)s, or its domain, is yours."),
        ("verify_sender",),
        Mender.YOU,
    ),
    Cause(
        "sender_address_invalid",
        N_("The sending address is not valid"),
        N_("The server does not accept %(sender)s: it is malformed, or its domain or mailbox does not exist."),
        ("fix_sender_address",),
        Mender.YOU,
    ),
    Cause(
        "relay_denied",
        N_("The server does not pass mail on for you"),
        N_("%(host)s does not forward mail to %(recipient)s for this client."),
        ("authenticate_to_relay", "allowlist_ip"),
        Mender.YOU,
        (N_("Or let the server's operator allow the address of this machine."),),
    ),
    Cause(
        "sandbox_restricted",
        N_("The account is still in its test mode"),
        N_("%(provider)s lets this account write only to confirmed addresses, and %(recipient)s is not one."),
        ("leave_sandbox",),
        Mender.YOU,
    ),
    Cause(
        "domain_auth_failed",
        N_("The sender's domain does not allow this server"),
        N_(
            "The receiver refuses the mail because the domain of %(sender)s does not allow this server to send for "
            "it (SPF, DKIM or DMARC)."
        ),
        ("set_up_spf_dkim", "use_own_sender_address", "send_through_relay"),
        Mender.YOU,
        (N_("Addresses at Gmail, Yahoo and the like can only be sent through those providers' own servers."),),
    ),
    Cause(
        "recipient_rejected",
        N_("The server does not accept the recipient"),
        N_("%(recipient)s is not accepted: it does not exist, is full or switched off, or is misspelt."),
        ("fix_recipient", "use_ascii_address"),
        Mender.YOU,
        (N_("Login and connection are fine: test with your own address."),),
    ),
    Cause(
        "greylisted",
        N_("The receiver delays first contacts"),
        N_("Nothing is wrong: the receiver puts off senders that it does not know yet, for 5 to 15 minutes."),
        ("retry_later",),
        Mender.NOBODY,
        transient=True,
    ),
    Cause(
        "quota_exceeded",
        N_("The sending limit is reached"),
        N_("The account has used up what it may send, usually per day or per hour, or its credits."),
        ("reduce_volume_or_upgrade",),
        Mender.YOU,
        transient=True,
    ),
    Cause(
        "message_too_large",
        N_("The message is too large"),
        N_("The message is larger than the server takes. Attachments grow by a third on the way."),
        ("shrink_message",),
        Mender.YOU,
    ),
    Cause(
        "content_rejected",
        N_("The server takes the message for spam or a danger"),
        N_("Its filter refuses the text, a link or an attachment. Login and connection are fine."),
        ("change_content",),
        Mender.YOU,
    ),
    Cause(
        "message_malformed",
        N_("The message is built wrongly"),
        N_("The server refuses how the message is built: a header is wrong or missing, or a line is too long."),
        ("fix_message_headers",),
        Mender.OPERATOR,
    ),
)

VARIANTS = {
    ("sender_address_invalid", "unsure"): Variant(
        N_("The server refused the sender"),
        N_(
            "The server does not accept %(sender)s and does not say clearly why: the address may be unknown, "
            "misspelt, or not allowed for this account."
        ),
        (
            N_("Check the sending address; with most providers it must be that of the signed-in account."),
            N_("Read the server's own words: they often name the reason."),
        ),
    ),
    ("content_rejected", "unsure"): Variant(
        N_("The server refused the message"),
        N_("The server took sender and recipient but not the message, and does not say clearly why."),
        (
            N_("Read the server's own words: they often name the reason."),
            N_("Try another text without links and attachments, to see whether a filter took it for spam."),
        ),
    ),
    ("recipient_rejected", "ascii"): Variant(
        explanation=N_("The server does not take addresses with other than plain letters, such as %(recipient)s."),
    ),
    ("relay_denied", "blank"): Variant(
        explanation=N_("%(host)s does not forward mail to %(recipient)s without a login, and none took place."),
    ),
}
