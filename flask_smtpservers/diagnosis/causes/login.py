"""Causes around the login: wrong, of the wrong kind, switched off, or missing."""

from __future__ import annotations

from ...findings import Mender
from ...i18n import N_
from .kinds import Cause, Variant

CAUSES = (
    Cause(
        "app_password_required",
        N_("An app password is needed"),
        N_(
            "%(provider)s does not accept the normal password of the account here. It wants a password made for "
            "apps, which you create in the account's security settings."
        ),
        ("create_app_password",),
        Mender.YOU,
        (
            N_("Many providers offer app passwords only after two-step verification has been turned on."),
            N_("Check that the user name is the one your provider states, usually the full mail address."),
        ),
    ),
    Cause(
        "bad_credentials",
        N_("The server refused user name or password"),
        N_("%(host)s was reached, but it does not accept this user name with this password."),
        ("retype_credentials", "remove_credentials"),
        Mender.YOU,
        (
            N_("Sign in at your provider's web mail with the same user name to see whether the account works."),
            N_("If the account uses two-step verification, create an app password at your provider and enter that."),
        ),
    ),
    Cause(
        "wrong_username_form",
        N_("The user name has the wrong form"),
        N_("%(provider)s wants another kind of user name than “%(username)s”."),
        ("fix_username",),
        Mender.YOU,
    ),
    Cause(
        "wrong_credential_kind",
        N_("This is not the credential for SMTP"),
        N_(
            "%(provider)s gives out separate credentials for sending by SMTP. The password of the account or a key "
            "for its programming interface (API) is not accepted."
        ),
        ("use_smtp_credentials",),
        Mender.YOU,
    ),
    Cause(
        "smtp_auth_disabled_tenant",
        N_("SMTP sign-in is switched off in your organisation"),
        N_("Your Microsoft 365 organisation has switched off the sign-in by SMTP. The password may be right."),
        ("enable_smtp_auth_tenant",),
        Mender.PROVIDER,
        (N_("The change takes up to an hour; then test again."),),
    ),
    Cause(
        "smtp_auth_disabled_mailbox",
        N_("SMTP sign-in is switched off for this mailbox"),
        N_("Microsoft 365 does not let this mailbox sign in by SMTP. The password may be right."),
        ("enable_smtp_auth_mailbox", "use_oauth_or_other_relay"),
        Mender.PROVIDER,
        (N_("The change takes up to an hour; then test again."),),
    ),
    Cause(
        "basic_auth_disabled",
        N_("Microsoft no longer accepts passwords here"),
        N_(
            "Microsoft has ended the sign-in with user name and password for this account; an app password does not "
            "help either."
        ),
        ("use_oauth_or_other_relay",),
        Mender.PROVIDER,
    ),
    Cause(
        "signin_policy_blocked",
        N_("A security policy refuses this sign-in"),
        N_(
            "The sign-in was stopped by a policy of your Microsoft 365 organisation: Security Defaults, Conditional "
            "Access or multi-factor authentication. The password may be right."
        ),
        ("relax_signin_policy", "use_oauth_or_other_relay"),
        Mender.PROVIDER,
        (
            N_(
                "If the account signs in with per-user multi-factor authentication and its organisation allows app "
                "passwords, create one and enter it here."
            ),
            N_("Let the administrator also check that “Authenticated SMTP” is on for this mailbox."),
        ),
    ),
    Cause(
        "smtp_access_not_enabled",
        N_("SMTP is switched off for this account"),
        N_("%(provider)s has sending from other programs switched off for this account."),
        ("enable_smtp_in_account", "contact_provider"),
        Mender.YOU,
        (N_("Some providers then show an authorisation code or app password: enter that instead of the password."),),
    ),
    Cause(
        "web_login_required",
        N_("The provider wants you to confirm the sign-in"),
        N_("%(provider)s found this sign-in unusual: the device or the place is new to it."),
        ("sign_in_on_web",),
        Mender.YOU,
        (N_("Then test again, once."),),
    ),
    Cause(
        "account_suspended",
        N_("The account is blocked"),
        N_("The account or its domain is blocked, disabled, unpaid or not yet activated for sending."),
        ("contact_provider",),
        Mender.PROVIDER,
        (N_("Find out whether somebody else has used the account to send spam; if so, change its password."),),
    ),
    Cause(
        "auth_method_unsupported",
        N_("No common way to sign in"),
        N_("%(host)s offers no way to sign in that this app knows."),
        ("change_auth_method",),
        Mender.PROVIDER,
    ),
    Cause(
        "auth_not_offered",
        N_("The server takes no login"),
        N_("%(host)s offers no login at port %(port)s, but a user name is set."),
        ("remove_credentials", "contact_server_admin"),
        Mender.YOU,
        (N_("If you need a login, use the submission port: 587 with STARTTLS, or 465 with SSL."),),
    ),
    Cause(
        "auth_required",
        N_("The server wants a login"),
        N_("%(host)s takes mail only after a login, and none took place."),
        ("add_credentials",),
        Mender.YOU,
    ),
    Cause(
        "ip_not_allowlisted",
        N_("This machine's address is not on the provider's list"),
        N_("%(provider)s accepts this account only from listed addresses, and that of this machine is missing."),
        ("allowlist_ip",),
        Mender.PROVIDER,
        (N_("The address of this machine is %(ip)s."),),
    ),
)

VARIANTS = {
    ("auth_method_unsupported", "automatic"): Variant(
        N_("The server does not offer that sign-in method"),
        N_("%(host)s does not offer %(method)s; it offers: %(methods)s."),
        (N_("Choose “Automatic” as the sign-in method, under “Advanced”."),),
        Mender.YOU,
    ),
    ("auth_method_unsupported", "other"): Variant(
        N_("The server wants another sign-in method"),
        N_("%(host)s offers these ways to sign in: %(methods)s."),
        (
            N_("Choose %(method)s as the sign-in method, under “Advanced”."),
            N_("If that fails with the right password, ask the server's operator to offer PLAIN or LOGIN as well."),
        ),
        Mender.YOU,
    ),
    ("auth_method_unsupported", "exchange"): Variant(
        N_("The sign-in went wrong"),
        N_("%(reason)s So it was broken off."),
        (
            N_("Choose another sign-in method, or “Automatic”."),
            N_("If that does not help, send the server's own words to its operator."),
        ),
    ),
    ("wrong_credential_kind", "unsure"): Variant(
        N_("The server refused user name or password"),
        N_(
            "%(provider)s gives out separate credentials for sending by SMTP: the password of the account, or a key "
            "for its programming interface (API), is not accepted."
        ),
        (
            N_("Check the user name. %(provider)s wants this: %(username_hint)s"),
            N_("The password field takes this: %(password_word)s. Create a new one at %(provider)s if in doubt."),
        ),
    ),
    ("smtp_access_not_enabled", "unsure"): Variant(
        N_("The provider refused the sign-in"),
        N_(
            "%(provider)s does not say why. Most often sending from other programs is switched off for the account, "
            "as it is in the beginning; otherwise user name or password is wrong."
        ),
        (
            N_("Sign in to the web mail and switch on “POP3/IMAP” in its settings, which covers SMTP."),
            N_("Check user name and password, and enter them again."),
            N_("If the account uses two-step verification, create an app password there and enter that."),
        ),
    ),
    ("app_password_required", "gmail"): Variant(
        explanation=N_(
            "Google does not accept the normal password of the account here, even if two-step verification is off; "
            "it also looks at the device and the place. It wants an app password of 16 letters."
        ),
        steps=(
            N_("Check that the user name is the full address of the Google Account."),
            N_("Turn on 2-Step Verification for the Google Account."),
            N_(
                "Create an app password at myaccount.google.com/apppasswords and enter its 16 letters here as the "
                "password."
            ),
        ),
    ),
    ("app_password_required", "yahoo"): Variant(
        steps=(
            N_("Check that the user name is the full address of the account."),
            N_("Sign in to the account security page, choose “External connections” and there “Create app password”."),
            N_("Enter the password that it shows here."),
        ),
    ),
    ("app_password_required", "icloud"): Variant(
        explanation=N_("Apple does not accept the password of the account here, only an app-specific password."),
        steps=(
            N_("Check that the user name is the full iCloud address, and that two-factor authentication is on."),
            N_("Create an app-specific password at account.apple.com, “Sign-In and Security”."),
            N_("Enter it here as the password, with its hyphens."),
        ),
    ),
    ("app_password_required", "code"): Variant(
        N_("An authorisation code is needed"),
        N_(
            "%(provider)s does not accept the password of the mailbox here. It wants the authorisation code (授权码) "
            "that its web mail gives out when SMTP is switched on."
        ),
        (
            N_("Check that the user name is the full mail address."),
            N_("In the web mail, open Settings (设置) and switch on the POP3/IMAP/SMTP service."),
            N_("Enter the authorisation code that it shows here as the password."),
        ),
    ),
    ("bad_credentials", "app_password"): Variant(
        explanation=N_(
            "%(provider)s does not accept this app password. It may be mistyped, belong to another account, or have "
            "ended when the account's password was changed."
        ),
        steps=(
            N_("Check that the user name is the full address of the account for which the app password was made."),
            N_("Delete the old app password, create a new one and enter it here."),
        ),
    ),
    ("bad_credentials", "key"): Variant(
        explanation=N_("%(provider)s does not accept this key: it is wrong, cut off, expired or revoked."),
        steps=(
            N_("Create a new key at %(provider)s that may send mail, and enter it here in full."),
            N_("User name: %(username_hint)s"),
        ),
    ),
    ("bad_credentials", "blanks"): Variant(
        N_("The server refused user name or password"),
        N_(
            "%(host)s was reached, but it does not accept this user name with this password. The password begins or "
            "ends with a blank, which often comes along when it is copied."
        ),
        (
            N_("Take the blanks off the password, and test again."),
            N_("If they do belong to it, check user name and password, and enter them again."),
        ),
    ),
    ("bad_credentials", "short_name"): Variant(
        N_("The server refused user name or password"),
        N_(
            "%(host)s was reached, but it does not accept this user name with this password. Most servers want the "
            "full mail address as the user name."
        ),
        (
            N_("Enter the full mail address as the user name: %(sender)s."),
            N_("If that is refused too, enter the password again."),
            N_("Sign in at your provider's web mail with the same user name to see whether the account works."),
        ),
    ),
    ("bad_credentials", "shell"): Variant(
        steps=(
            N_("Enter user name and password again."),
            N_(
                "If they come from a file or an environment variable, look for characters such as $, ! and #, which "
                "a shell changes unless they are quoted."
            ),
        ),
    ),
    ("bad_credentials", "relay"): Variant(
        steps=(
            N_("If this server takes mail without a login, leave user name and password empty."),
            N_("Otherwise enter both again."),
        ),
    ),
    ("smtp_auth_disabled_mailbox", "silent"): Variant(
        N_("Microsoft 365 refused the sign-in"),
        N_(
            "Microsoft 365 does not say why. Either user name or password is wrong, or “Authenticated SMTP” is "
            "switched off for this mailbox, which is the default."
        ),
        (
            N_("Check user name and password by signing in at outlook.office.com."),
            N_(
                "Ask an administrator to tick “Authenticated SMTP” for this mailbox: Microsoft 365 admin center > "
                "Users > Active users > the user > Mail > Manage email apps."
            ),
            N_("Let the administrator check that no security policy refuses this mailbox."),
        ),
    ),
}
