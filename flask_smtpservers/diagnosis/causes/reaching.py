"""Causes on the way to the server: the settings themselves, names, ports, routes, the wrong server."""

from __future__ import annotations

from ...findings import Mender
from ...i18n import N_
from .kinds import Cause, Variant

CAUSES = (
    Cause(
        "settings_malformed",
        N_("A setting cannot be right"),
        N_(
            "%(field)s holds something that cannot be right: a blank, a web or mail address, or a special character. "
            "Or it is empty."
        ),
        ("correct_setting_format",),
        Mender.YOU,
        (N_("The server name is a bare name such as smtp.example.com, without http:// and without a port."),),
    ),
    Cause(
        "host_not_found",
        N_("There is no server with this name"),
        N_("The name %(host)s does not exist."),
        ("check_host_spelling",),
        Mender.YOU,
        (N_("Your provider's help pages state the name of its outgoing (SMTP) server."),),
    ),
    Cause(
        "dns_resolver_failure",
        N_("Names cannot be looked up at the moment"),
        N_(
            "The machine on which this app runs could not look up %(host)s, because its name resolution (DNS) does "
            "not work. Your mail settings may be right."
        ),
        ("fix_dns_on_server",),
        Mender.OPERATOR,
        (N_("Try again in some minutes: such failures often pass."),),
        transient=True,
    ),
    Cause(
        "connection_refused",
        N_("No mail server answers there"),
        N_("Nothing accepts connections at %(host)s, port %(port)s."),
        ("check_host_port_service",),
        Mender.YOU,
        (N_("“localhost” means the machine or container on which this app runs, not your own computer."),),
    ),
    Cause(
        "port_blocked",
        N_("The connection is blocked on the way"),
        N_(
            "%(host)s did not let itself be reached at port %(port)s. Most often the hosting company or a firewall "
            "blocks outgoing mail on this port."
        ),
        ("use_unblocked_port", "open_firewall", "send_through_relay"),
        Mender.HOSTING,
        (
            N_("Ask whoever hosts this app to open outgoing connections to port %(port)s."),
            N_("Check that server name and port are those your provider documents."),
        ),
    ),
    Cause(
        "port_not_offered",
        N_("The provider does not offer this port"),
        N_("%(provider)s does not answer at port %(port)s."),
        ("use_provider_port",),
        Mender.YOU,
    ),
    Cause(
        "network_unreachable",
        N_("There is no route to the server"),
        N_(
            "The machine on which this app runs has no working network connection to %(host)s. Often its IPv6 "
            "is broken."
        ),
        ("fix_network_route",),
        Mender.OPERATOR,
        transient=True,
    ),
    Cause(
        "wrong_endpoint",
        N_("This is not the right server"),
        N_(
            "%(host)s answers at port %(port)s, but it is not the server that takes outgoing mail for this account: "
            "it may serve another region, another kind of account, or another purpose."
        ),
        ("use_right_endpoint",),
        Mender.YOU,
    ),
    Cause(
        "blocked_by_policy",
        N_("This app may not connect to that address"),
        N_("%(reason)s No connection was made."),
        ("allow_network",),
        Mender.OPERATOR,
        (N_("If you meant your mail provider, check the server name."),),
    ),
)

VARIANTS = {
    ("settings_malformed", "localhost"): Variant(
        explanation=N_(
            "The server is set to %(host)s, which means the machine or container on which this app runs, and no "
            "mail server can be reached there."
        ),
        steps=(N_("Enter the name of the mail server itself, for example smtp.example.com."),),
    ),
    ("settings_malformed", "blank"): Variant(
        explanation=N_("The server was asked to check an empty user name."),
        steps=(N_("Enter user name and password; for a server without login leave both empty."),),
    ),
    ("settings_malformed", "no_password"): Variant(
        explanation=N_("A user name is set, but no password."),
        steps=(N_("Enter the password, or leave the user name empty if the server takes mail without a login."),),
    ),
    ("settings_malformed", "password"): Variant(
        explanation=N_(
            "The password holds a character that mail servers do not understand, such as an accented letter or an "
            "invisible blank from copying."
        ),
        steps=(
            N_("Type the password again instead of pasting it."),
            N_("If it really has such a character, give the account a password of plain letters, digits and signs."),
        ),
    ),
    ("host_not_found", "suggestion"): Variant(
        steps=(
            N_("Did you mean %(other_host)s? Then enter that as server name."),
            N_("Your provider's help pages state the name of its outgoing (SMTP) server."),
        ),
    ),
    ("host_not_found", "no_answer"): Variant(
        N_("This name cannot be looked up"),
        N_(
            "Other names can be looked up from here, but %(host)s cannot: it is misspelt, or the name servers of its "
            "domain do not answer."
        ),
    ),
    ("port_blocked", "all"): Variant(
        explanation=N_(
            "%(host)s did not let itself be reached at port %(port)s, nor at the other ports for mail that were tried. "
            "Either a firewall or the hosting company blocks outgoing mail, or the server is down."
        ),
        steps=(
            N_("Check that the server name is the one your provider documents."),
            N_("Ask whoever hosts this app whether outgoing mail is blocked, and which port can be opened."),
        ),
    ),
    ("port_blocked", "mute"): Variant(
        explanation=N_(
            "Something takes the connection to %(host)s at port %(port)s, but no mail server answers there, while "
            "another port of the same server works. Often a firewall or a mail scanner on the way is the reason."
        ),
    ),
    ("connection_refused", "closed"): Variant(
        explanation=N_(
            "Something accepted the connection to %(host)s, port %(port)s, and hung up at once. Usually the mail "
            "server behind it does not run."
        ),
    ),
    ("wrong_endpoint", "imap"): Variant(
        N_("This is a server for reading mail (IMAP)"),
        N_("At %(host)s, port %(port)s, an IMAP server answers. It gives out mail but does not send any."),
    ),
    ("wrong_endpoint", "pop"): Variant(
        N_("This is a server for reading mail (POP3)"),
        N_("At %(host)s, port %(port)s, a POP3 server answers. It gives out mail but does not send any."),
    ),
    ("wrong_endpoint", "http"): Variant(
        N_("This is a web server"),
        N_("At %(host)s, port %(port)s, a web server answers, not a mail server."),
    ),
    ("wrong_endpoint", "ssh"): Variant(
        N_("This is not a mail server (SSH)"),
        N_("At %(host)s, port %(port)s, an SSH server answers, not a mail server."),
    ),
    ("wrong_endpoint", "ftp"): Variant(
        N_("This is not a mail server (FTP)"),
        N_("At %(host)s, port %(port)s, an FTP server answers, not a mail server."),
    ),
    ("wrong_endpoint", "babble"): Variant(
        N_("This is not a mail server"),
        N_("What answers at %(host)s, port %(port)s, does not speak the language of mail servers (SMTP)."),
    ),
    ("wrong_endpoint", "region"): Variant(
        N_("This is the server of another region"),
        N_(
            "%(provider)s keeps accounts in several regions, each with its own server. %(host)s does not know this "
            "account, and that looks like a wrong password."
        ),
        (
            N_("Choose the server of the region in which the account lives; the address of its web mail shows it."),
            N_("If the region is right, enter user name and password again."),
        ),
    ),
    ("wrong_endpoint", "inbound"): Variant(
        explanation=N_("%(host)s takes incoming mail for its own mailboxes; one cannot sign in there to send."),
    ),
    ("settings_malformed", "reason"): Variant(explanation=N_("%(reason)s")),
    ("blocked_by_policy", "port"): Variant(
        N_("This app may not use that port"),
        steps=(
            N_("Use port 465 with SSL or 587 with STARTTLS."),
            N_("If your provider has only this port, ask the operator of this app to allow it."),
        ),
    ),
    ("blocked_by_policy", "plaintext"): Variant(
        N_("The password is not sent without encryption"),
        N_("%(host)s offers no encryption at port %(port)s, and this app does not send a password without it."),
        (
            N_("Use another port of the server: 465 with SSL, or 587 with STARTTLS."),
            N_(
                "For a server in a network that nobody else can listen to, the operator of this app can allow it "
                "with SMTPSERVERS_ALLOW_PLAINTEXT_AUTH."
            ),
        ),
    ),
}
