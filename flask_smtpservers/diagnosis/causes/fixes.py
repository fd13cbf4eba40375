"""The closed list of fixes, each with the sentence that tells a person what to do."""

from __future__ import annotations

from ...i18n import N_
from .kinds import Fix

FIXES = (
    Fix("add_credentials", N_("Enter the user name and the password of your account.")),
    Fix("add_client_certificate", N_("Add the client certificate and its key that the server's operator gave you.")),
    Fix(
        "allow_network",
        N_(
            "The operator of this app can allow it: SMTPSERVERS_ALLOWED_NETWORKS lists networks, "
            "SMTPSERVERS_ALLOWED_HOSTS names without a dot."
        ),
    ),
    Fix("allowlist_ip", N_("Add the public address of this machine to the list of allowed addresses at the provider.")),
    Fix(
        "authenticate_to_relay",
        N_("Enter user name and password, and use port 587 with STARTTLS or port 465 with SSL."),
    ),
    Fix(
        "change_auth_method",
        N_(
            "Use an encrypted port at which the server accepts user name and password (PLAIN or LOGIN), or ask its "
            "operator to offer that."
        ),
    ),
    Fix("change_content", N_("Change the subject, the text, the links or the attachment, and send it again.")),
    Fix(
        "check_host_port_service",
        N_("Check server name and port. If it is your own mail server, make sure that it runs."),
    ),
    Fix("check_host_spelling", N_("Check the spelling of the server name.")),
    Fix("choose_ssl_tls", N_("Switch on “Enable SSL”, or use port 587 with STARTTLS.")),
    Fix("choose_starttls", N_("Switch off “Enable SSL” and choose STARTTLS.")),
    Fix(
        "compare_fingerprint",
        N_(
            "Ask whoever runs the server whether the certificate was renewed and which SHA-256 fingerprint it has now. "
            "Trust the new one only if all of it is the same."
        ),
    ),
    Fix("contact_provider", N_("Sign in at your provider and follow its notice, or write to its support.")),
    Fix("contact_server_admin", N_("Send the server's own words to its operator.")),
    Fix("correct_setting_format", N_("Enter it again, without blanks and special characters.")),
    Fix(
        "create_app_password",
        N_("Create an app password in the security settings of your account and enter it here as the password."),
    ),
    Fix("delist_or_change_ip", N_("Have the address removed from the list that the server names in its own words.")),
    Fix(
        "enable_smtp_auth_mailbox",
        N_(
            "Ask an administrator to tick “Authenticated SMTP” for this mailbox: Microsoft 365 admin center > Users > "
            "Active users > the user > Mail > Manage email apps."
        ),
    ),
    Fix(
        "enable_smtp_auth_tenant",
        N_(
            "Ask an administrator to tick “Authenticated SMTP” for this one mailbox, which overrules the setting of "
            "the organisation: Microsoft 365 admin center > Users > Active users > the user > Mail > Manage email apps."
        ),
    ),
    Fix(
        "enable_smtp_in_account",
        N_("Sign in to the web mail and switch on SMTP in its settings, often called “POP3/IMAP/SMTP”."),
    ),
    Fix("enter_password_again", N_("Enter the password of this server again.")),
    Fix(
        "fix_dns_on_server",
        N_("Ask whoever runs this app to check the DNS settings of its machine, or of its container."),
    ),
    Fix("fix_message_headers", N_("Send the server's own words to the developers of this app: no setting helps.")),
    Fix("fix_network_route", N_("Ask whoever runs this app to repair the network route, or to prefer IPv4.")),
    Fix("fix_recipient", N_("Correct the recipient's address.")),
    Fix("fix_sender_address", N_("Enter a real, existing sending address, for example no-reply@your-domain.")),
    Fix(
        "fix_username",
        N_("Correct the user name. %(provider)s wants this: %(username_hint)s"),
        N_("Enter the user name in the form that your provider states, usually the full mail address."),
    ),
    Fix("grant_send_permission", N_("Let the administrator give the account the right to send as that address.")),
    Fix(
        "install_full_chain",
        N_("The server's operator must install the full chain of certificates (often called fullchain.pem)."),
    ),
    Fix("leave_sandbox", N_("Ask the provider to end the test mode, or confirm this recipient there.")),
    Fix("look_before_resending", N_("Look into the recipient's mailbox before you send it again.")),
    Fix("open_firewall", N_("Ask whoever hosts this app to open outgoing connections to port %(port)s.")),
    Fix("raise_allowance", N_("Raise the allowance of this server, or send through another one.")),
    Fix(
        "read_and_ask",
        N_("Read the exact words of the failure, and send them to the server's operator if they do not help you."),
    ),
    Fix("reconnect_and_retry", N_("Try again: a new connection will be opened.")),
    Fix(
        "reduce_volume_or_upgrade", N_("Wait until the limit starts anew, usually within a day, or take a larger plan.")
    ),
    Fix(
        "relax_signin_policy",
        N_(
            "Ask an administrator to let this one mailbox sign in by SMTP, with a Conditional Access exception for "
            "this server's address; the protection of everybody else stays as it is."
        ),
    ),
    Fix("remove_credentials", N_("Leave user name and password empty.")),
    Fix("renew_certificate", N_("The server's operator must renew its certificate and restart the mail service.")),
    Fix("retry_later", N_("Try again in some minutes.")),
    Fix("retype_credentials", N_("Check user name and password, and enter them again.")),
    Fix("send_through_relay", N_("Send through a provider with a login, on port 465 or 587, instead of directly.")),
    Fix("set_clock", N_("Ask whoever runs this app to set the clock of its machine.")),
    Fix(
        "set_ehlo_hostname",
        N_("Ask whoever runs this app to give its machine a real host name, such as mail.your-domain, for EHLO."),
    ),
    Fix(
        "set_up_spf_dkim",
        N_("Add the SPF and DKIM records of this sending service to the DNS of the domain; its help pages list them."),
    ),
    Fix("shrink_message", N_("Send smaller attachments, or a link instead.")),
    Fix("sign_in_on_web", N_("Sign in on the provider's web site, follow its notice and confirm that it was you.")),
    Fix("slow_down_and_retry", N_("Wait some minutes, and send fewer messages at once.")),
    Fix(
        "stop_interception",
        N_(
            "Ask whoever hosts this app to switch off mail scanning, or the redirection of mail connections, for "
            "this server."
        ),
    ),
    Fix(
        "trust_or_replace_certificate",
        N_(
            "If it is your own server, trust its certificate by the fingerprint that whoever runs it reads to you, or "
            "paste the certificate of its authority (PEM) into “Certificate of your own authority”."
        ),
    ),
    Fix("turn_off_starttls", N_("Switch on “Enable SSL” and use port 465, if the server offers that.")),
    Fix("update_ca_store", N_("Ask whoever runs this app to install or update the package ca-certificates.")),
    Fix("upgrade_tls", N_("The server's operator must update its TLS to version 1.2 or newer.")),
    Fix("use_ascii_address", N_("Use an address of plain letters.")),
    Fix(
        "use_certificate_hostname",
        N_("If the name in the certificate belongs to your provider, enter it as the server name."),
    ),
    Fix(
        "use_oauth_or_other_relay",
        N_("Send through another provider, or sign in with OAuth2 where the app offers that."),
    ),
    Fix("use_own_sender_address", N_("Use the address of the signed-in account as the sending address.")),
    Fix(
        "use_provider_port",
        N_("Use port %(other_port)s with %(other_security)s."),
        N_("Use the port that your provider documents, mostly 465 with SSL or 587 with STARTTLS."),
    ),
    Fix(
        "use_right_endpoint",
        N_("Enter %(other_host)s, the outgoing (SMTP) server of %(provider)s."),
        N_("Enter the outgoing (SMTP) server that your provider's help pages state."),
    ),
    Fix(
        "use_smtp_credentials",
        N_(
            "Create SMTP credentials at %(provider)s and enter those; the password field takes this: %(password_word)s."
        ),
    ),
    Fix(
        "use_unblocked_port",
        N_("Try port %(other_port)s with %(other_security)s."),
        N_("Try another port that your provider offers, such as 587 or 2525."),
    ),
    Fix("verify_sender", N_("Verify the address or its domain at %(provider)s, or send from one that is verified.")),
)
