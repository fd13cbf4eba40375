"""What is allowed in the fields of a server but probably wrong, with the correction where one is known."""

from __future__ import annotations

from collections.abc import Iterator

from ..i18n import gettext as _
from ..providers.provider import UsernameRule
from ..secret import Secret
from ..smtp.endpoint import Security
from .cleaning import Cleaning, FieldWarning
from .credentials import keeps_password

#: Ports at which servers usually speak plainly first and encrypt with STARTTLS.
STARTTLS_PORTS = (25, 587, 2525)
SSL_PORT = 465


def advise(work: Cleaning) -> None:
    """Add the warnings to fields that were found right."""
    work.warnings.extend(_host(work))
    work.warnings.extend(_encryption(work))
    work.warnings.extend(_login(work))


def _host(work: Cleaning) -> Iterator[FieldWarning]:
    better = work.rules.catalog.suggest_host(work.values["host"])
    if better is not None:
        yield FieldWarning("host", _("Did you mean %(host)s?", host=better), {"host": better})


def _encryption(work: Cleaning) -> Iterator[FieldWarning]:
    """Warn only: some providers do speak TLS from the first byte at 587 or 2525."""
    security, port = work.values["security"], work.values["port"]
    if security is Security.SSL and port in STARTTLS_PORTS:
        text = _("Port %(port)s usually needs STARTTLS instead of SSL.", port=port)
        yield FieldWarning("security", text, {"security": Security.STARTTLS.value})
    elif security is not Security.SSL and port == SSL_PORT:
        text = _("Port %(port)s usually needs SSL (encryption from the start).", port=port)
        yield FieldWarning("security", text, {"security": Security.SSL.value})


def _login(work: Cleaning) -> Iterator[FieldWarning]:
    host, username, password = work.values["host"], work.values["username"], work.values.get("password")
    if not username:
        return
    address = work.values["address"]
    provider = work.rules.catalog.provider_of_host(host, address)
    if provider and isinstance(password, Secret) and provider.password_matches(password.reveal()) is False:
        text = _(
            "This does not look like what %(provider)s takes here (%(secret)s). Perhaps it is another password.",
            provider=provider.name,
            secret=provider.password_label,
        )
        yield FieldWarning("password", text)
    if password is None and not keeps_password(work):
        yield FieldWarning("password", _("Without a password nobody can sign in with this user name."))
    if provider is not None and provider.username is UsernameRule.EMAIL and "@" not in username:
        text = _("%(provider)s usually needs the whole mail address as user name.", provider=provider.name)
        yield FieldWarning("username", text, {"username": address})
