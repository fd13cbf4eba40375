"""Causes in the state and the policy of the server: broken, busy, or unwilling to talk to this machine."""

from __future__ import annotations

from ...findings import Mender
from ...i18n import N_
from .kinds import Cause, Variant

CAUSES = (
    Cause(
        "server_temporary_failure",
        N_("The server has a temporary problem"),
        N_("%(host)s says that it cannot do this now. Your settings look right."),
        ("retry_later", "reconnect_and_retry", "contact_server_admin"),
        Mender.NOBODY,
        (N_("If it lasts longer than an hour, ask the server's operator."),),
        transient=True,
    ),
    Cause(
        "server_misconfigured",
        N_("The server itself is broken"),
        N_("%(host)s has a lasting fault of its own. Only its operator can repair it."),
        ("contact_server_admin", "turn_off_starttls"),
        Mender.PROVIDER,
    ),
    Cause(
        "ip_blocked",
        N_("The server refuses this machine's address"),
        N_(
            "%(host)s takes no mail from the address of the machine on which this app runs: it stands on a block "
            "list, has no proper name, or was locked out after failed logins."
        ),
        ("delist_or_change_ip", "send_through_relay", "contact_server_admin"),
        Mender.HOSTING,
        (
            N_("Whoever hosts this app can have its address taken off such lists, or give the machine another one."),
            N_("The address of this machine is %(ip)s."),
        ),
    ),
    Cause(
        "rate_limited",
        N_("The server asks for a slower pace"),
        N_("There were too many connections, logins or messages in a short time. Nothing is wrong with the settings."),
        ("slow_down_and_retry",),
        Mender.NOBODY,
        transient=True,
    ),
    Cause(
        "helo_rejected",
        N_("The server does not accept this machine's name"),
        N_("%(host)s refuses the name that this machine gives itself when it says hello (EHLO)."),
        ("set_ehlo_hostname",),
        Mender.OPERATOR,
    ),
    Cause(
        "in_doubt",
        N_("Nobody knows whether the message was taken"),
        N_(
            "The whole message went out, but the connection ended before %(host)s said whether it took it. It may "
            "arrive; sending it again may deliver it twice."
        ),
        ("look_before_resending",),
        Mender.YOU,
    ),
    Cause(
        "allowance_reached",
        N_("The allowance of this server is used up"),
        N_("This server's own allowance, as set in this app, is used up for now."),
        ("raise_allowance",),
        Mender.YOU,
        (N_("It starts anew at the time shown in the server's settings."),),
        transient=True,
    ),
    Cause(
        "secret_unreadable",
        N_("The stored password cannot be read"),
        N_(
            "The password of this server is stored encrypted, and it cannot be decrypted: the key is missing, or "
            "the record was changed from outside."
        ),
        ("enter_password_again",),
        Mender.YOU,
        (
            N_(
                "If this concerns every server, the operator of this app has lost or changed "
                "SMTPSERVERS_ENCRYPTION_KEYS or SECRET_KEY."
            ),
        ),
    ),
    Cause(
        "unknown",
        N_("The server could not be used"),
        N_("Something went wrong that this app cannot explain. The exact words of the failure are all that is known."),
        ("read_and_ask",),
        Mender.PROVIDER,
    ),
)

VARIANTS = {
    ("server_temporary_failure", "slow"): Variant(
        N_("The server is too slow"),
        N_("%(host)s can be reached, but did not finish its answer in time."),
        (
            N_("Try again in some minutes."),
            N_("If it always happens, raise the time-out of this server, or ask the server's operator."),
        ),
    ),
    ("server_temporary_failure", "closed"): Variant(
        N_("The server hung up"),
        N_("%(host)s closed the connection without saying why."),
        (
            N_("Try again in some minutes."),
            N_("If it always happens at this step, ask the server's operator; the steps above show how far it got."),
        ),
    ),
    ("server_misconfigured", "garbled"): Variant(
        explanation=N_(
            "%(host)s sends what no mail server should, too much or something that makes no sense at this point, so "
            "the connection was ended."
        ),
    ),
    ("server_misconfigured", "starttls"): Variant(
        explanation=N_(
            "%(host)s offers STARTTLS but breaks off as soon as the encryption is to begin. Only its operator can "
            "repair that."
        ),
    ),
    ("server_misconfigured", "resolver"): Variant(
        explanation=N_(
            "%(host)s looks senders up in a block list through a public name server, which the list does not "
            "answer. You are not listed; only the server's operator can repair it."
        ),
    ),
    ("ip_blocked", "direct"): Variant(
        explanation=N_(
            "%(host)s takes no mail directly from machines such as the one on which this app runs. Mail must go "
            "through a provider with a login."
        ),
    ),
}
