"""Causes around encryption: when it begins, whose certificate it is, which TLS both sides know."""

from __future__ import annotations

from ...findings import Mender
from ...i18n import N_
from .kinds import Cause, Variant

CAUSES = (
    Cause(
        "implicit_tls_needed",
        N_("This port is encrypted from the start"),
        N_("Port %(port)s of %(host)s expects encryption from the first byte, but the settings begin without it."),
        ("choose_ssl_tls",),
        Mender.YOU,
    ),
    Cause(
        "starttls_mode_needed",
        N_("This port begins unencrypted: choose STARTTLS"),
        N_(
            "Port %(port)s of %(host)s begins in plain text and then switches to encryption, but the settings begin "
            "encrypted (SSL)."
        ),
        ("choose_starttls",),
        Mender.YOU,
        (N_("Or keep SSL and use port 465, if your provider offers it."),),
    ),
    Cause(
        "starttls_required",
        N_("The server demands encryption"),
        N_("%(host)s takes a login or mail only over an encrypted connection, and the settings use none."),
        ("choose_starttls",),
        Mender.YOU,
        (N_("Or switch on “Enable SSL” and use port 465."),),
    ),
    Cause(
        "starttls_not_offered",
        N_("The server does not offer STARTTLS"),
        N_("%(host)s has no STARTTLS at port %(port)s, so the connection cannot be encrypted there."),
        ("turn_off_starttls",),
        Mender.YOU,
        (
            N_(
                "Only for a relay inside your own network, which nobody else can listen to, choose “None” as "
                "encryption."
            ),
        ),
    ),
    Cause(
        "cert_self_signed",
        N_("The certificate is self-made"),
        N_(
            "%(host)s shows a certificate that it, or an authority unknown here, has signed. So nobody can tell "
            "whether it is the right server, and the password was not sent."
        ),
        ("trust_or_replace_certificate",),
        Mender.YOU,
        (N_("Or let the server's operator install a public certificate, for example from Let's Encrypt."),),
    ),
    Cause(
        "certificate_changed",
        N_("The certificate has changed"),
        N_(
            "%(host)s shows another certificate than the one that is trusted for it. Either its operator renewed it, "
            "or another server answers in its place. So neither user name nor password was sent. Trusted: %(trusted)s. "
            "Shown: %(found)s."
        ),
        ("compare_fingerprint",),
        Mender.YOU,
        (
            N_("If nobody renewed it, do not trust it: somebody may be listening. Tell whoever runs the server."),
            N_(
                "If the server has a certificate of a public authority now, empty the field “Fingerprint of the "
                "server's certificate” instead."
            ),
        ),
    ),
    Cause(
        "cert_hostname_mismatch",
        N_("The certificate is for another name"),
        N_(
            "The certificate of %(host)s is made out to another name. It may be another server, so the password was "
            "not sent."
        ),
        ("use_certificate_hostname", "trust_or_replace_certificate"),
        Mender.YOU,
        (N_("If that name means nothing to you, do not use this server: ask your provider."),),
    ),
    Cause(
        "cert_expired",
        N_("The certificate has expired"),
        N_("The certificate of %(host)s is out of date, so the password was not sent."),
        ("renew_certificate", "contact_provider"),
        Mender.PROVIDER,
    ),
    Cause(
        "cert_not_yet_valid",
        N_("The certificate is not valid yet"),
        N_(
            "The certificate of %(host)s becomes valid only later. Most often the clock of the machine on which this "
            "app runs is wrong."
        ),
        ("set_clock",),
        Mender.OPERATOR,
        (N_("If the clock is right, the server's operator has installed the wrong certificate."),),
    ),
    Cause(
        "cert_chain_incomplete",
        N_("The certificate cannot be traced to a known authority"),
        N_(
            "%(host)s does not send all the certificates between its own and a known authority, or a private "
            "authority issued it. So nobody can tell whether it is the right server, and the password was not sent."
        ),
        ("install_full_chain",),
        Mender.PROVIDER,
        (
            N_(
                "If it is your own authority, paste its certificate (PEM) into “Certificate of your own authority”, "
                "under “Advanced”."
            ),
        ),
    ),
    Cause(
        "ca_store_outdated",
        N_("The list of trusted authorities is missing or old"),
        N_(
            "The machine on which this app runs does not know the authority behind %(host)s, although everybody "
            "else does: its list of trusted authorities is missing or too old."
        ),
        ("update_ca_store",),
        Mender.OPERATOR,
        (N_("If that list is in order, something on the way answers in the provider's place: a mail scanner, say."),),
    ),
    Cause(
        "connection_intercepted",
        N_("Something on the way answers in the server's place"),
        N_(
            "You are not talking to %(provider)s: an antivirus program, a company proxy or the hosting company "
            "intercepts the connection to %(host)s."
        ),
        ("stop_interception",),
        Mender.HOSTING,
        (N_("Or try another port of your provider, such as 465 or 2525."),),
    ),
    Cause(
        "tls_version_or_cipher",
        N_("Both sides know no common encryption"),
        N_("%(host)s and this app share no version or method of TLS. Usually the server's is too old."),
        ("upgrade_tls",),
        Mender.PROVIDER,
    ),
    Cause(
        "client_certificate_needed",
        N_("The server wants a client certificate"),
        N_("%(host)s only talks to clients that show a certificate it trusts."),
        ("add_client_certificate",),
        Mender.YOU,
    ),
)

VARIANTS = {
    ("starttls_required", "ours"): Variant(
        N_("The password is not sent without encryption"),
        N_("The settings use no encryption, and this app does not send a password without it. %(host)s offers it."),
    ),
    ("starttls_not_offered", "public"): Variant(
        explanation=N_(
            "%(host)s has no STARTTLS at port %(port)s, so the connection cannot be encrypted there. A provider that "
            "normally offers it may be intercepted on the way; nothing was sent."
        ),
        steps=(
            N_("Switch on “Enable SSL” and use port %(ssl_port)s."),
            N_("If that fails too, ask whoever hosts this app whether mail connections are redirected or scanned."),
        ),
    ),
    ("starttls_not_offered", "ssl_works"): Variant(
        steps=(N_("Switch on “Enable SSL” and use port %(ssl_port)s: that was tried, and it works."),),
    ),
    ("cert_self_signed", "unknown"): Variant(
        N_("The certificate comes from an unknown authority"),
        N_(
            "The certificate of %(host)s was issued by an authority that this app does not know. So nobody can tell "
            "whether it is the right server, and the password was not sent."
        ),
    ),
    ("cert_hostname_mismatch", "named"): Variant(
        explanation=N_(
            "The certificate of %(host)s is made out to %(names)s. It may be another server, so the password was "
            "not sent."
        ),
        steps=(
            N_("If %(names)s belongs to your provider, enter that name as the server name."),
            N_("If it means nothing to you, do not use this server: ask your provider."),
        ),
    ),
    ("cert_hostname_mismatch", "address"): Variant(
        explanation=N_(
            "The server is entered as the address %(host)s, but its certificate is made out to a name. So the "
            "password was not sent."
        ),
        steps=(
            N_("Enter the server's name instead of its address."),
            N_("Or let its operator issue a certificate that names %(host)s, and trust it here."),
        ),
    ),
}
