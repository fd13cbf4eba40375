"""Self-checks: is this app set up so that its mail can go out? Each finding has a stable id, a sentence and a cure.

================================  ======================================================================
id                                what it looks at
================================  ======================================================================
``keys.none``                     there is a key to encrypt passwords with
``keys.derived``                  the key is one of its own, not derived from ``SECRET_KEY``
``hook.inactive``                 ``mail.send()`` of this app goes through the extension
``mail.reinitialised``            Flask-Mail was not initialised again after the extension
``mail.connection_class``         no ``Connection`` class of the host's own stands in the way
``mail.suppressed``               ``MAIL_SUPPRESS_SEND`` does not hold the mail back
``app.debug_mail``                Flask-Mail's debug output, which shows passwords, is off
``personal.address``              the app knows its own address, if users may have servers of their own
``database.unreachable``          the database answers; the checks below need it
``tables.missing``                the tables exist
``tables.old``                    the tables have every column that this version uses
``sending.off``                   sending is switched on
``servers.none_default``          one of the servers is the default
``servers.clear_text``            every server is reached with encryption
``secrets.unreadable``            every stored secret can be decrypted
``certificates.expiring``         no certificate, of a server or a client, ends soon
``outbox.waiting``                no mail of the outbox is overdue, as it is while no worker runs
================================  ======================================================================

A check that cannot be carried out, because the database is down or a table is missing, is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import MISSING, dataclass, fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from cryptography.x509 import load_pem_x509_certificate
from sqlalchemy import Boolean, Column, DateTime, Integer, Numeric
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

from .config import Settings
from .errors import ConfigurationError, StoreUnavailable
from .i18n import gettext as _
from .outbox.outbox import Outbox
from .sending.address_proof import can_send_proofs
from .servers import models
from .servers.keyring import Keyring
from .servers.profile import ServerProfile
from .servers.store import ServerStore
from .smtp.endpoint import Security
from .state import AppState

#: How long before its end a certificate is warned of that a person must renew: a client's, or one that is trusted by
#: its fingerprint. Authorities' are mostly renewed by machines, a month before their end.
EXPIRY_WARNING = timedelta(days=30)
RENEWAL_WARNING = timedelta(days=7)


class CheckState(StrEnum):
    """How a check ended, the worst first."""

    ERROR = "error"
    WARNING = "warning"
    OK = "ok"


_SEVERITY = {state: number for number, state in enumerate(CheckState)}


@dataclass(frozen=True, slots=True)
class Check:
    """What one self-check found.

    :param id: stable id from the list above.
    :param state: ``ok``, ``warning`` (mail goes out, something should be done) or ``error``.
    :param text: what was found, as whole sentences without secrets.
    :param cure: what to do about it; empty if it is ok.
    """

    id: str
    state: CheckState
    text: str
    cure: str = ""


class HookFacts(Protocol):
    """What the checks must know of the Flask-Mail hook of an app."""

    @property
    def active(self) -> bool:
        """Whether the app's mail goes through this extension."""
        ...

    @property
    def reinitialised(self) -> bool:
        """Whether Flask-Mail was initialised again after this extension."""
        ...

    @property
    def own_connection_class(self) -> bool:
        """Whether the host's Flask-Mail makes connections of a class of its own."""
        ...

    @property
    def suppressed(self) -> bool:
        """Whether ``MAIL_SUPPRESS_SEND`` holds the mail back."""
        ...

    @property
    def debug(self) -> bool:
        """Whether Flask-Mail's debug output is on."""
        ...


def run_checks(state: AppState, *, hook: HookFacts, now: datetime | None = None) -> list[Check]:
    """Carry out every check; the worst findings come first.

    Must run inside the app's context. It changes nothing and connects to no mail server.

    :param hook: the state of the Flask-Mail hook, as :func:`flask_smtpservers.mail.hook_status` returns it.
    :param now: the time to compare expiry dates with; the current time if not given.
    """
    checks = [*_key_checks(state.keyring), *_hook_checks(hook), _personal_check(state.settings)]
    try:
        checks.extend(_database_checks(state.store, now or datetime.now(UTC)))
        if any(check.id == "tables.old" and check.state is CheckState.OK for check in checks):
            checks.append(_outbox_check(state.outbox))
    except StoreUnavailable as error:
        checks.append(
            Check(
                "database.unreachable",
                CheckState.ERROR,
                str(error),
                _("See that the database runs and that SQLALCHEMY_DATABASE_URI is right, then run the checks again."),
            )
        )
    return sorted(checks, key=lambda check: _SEVERITY[check.state])


def _verdict(check_id: str, fault: tuple[CheckState, str, str] | None, fine: str) -> Check:
    return Check(check_id, *fault) if fault else Check(check_id, CheckState.OK, fine)


def _key_checks(keyring: Keyring) -> Iterator[Check]:
    try:
        key_id = keyring.current_key_id
    except ConfigurationError:
        yield Check(
            "keys.none",
            CheckState.ERROR,
            _("There is no key to encrypt passwords with, so no password can be saved or read."),
            _("Make a key with `flask smtp keys generate` and set it as SMTPSERVERS_ENCRYPTION_KEYS."),
        )
        return
    yield Check("keys.none", CheckState.OK, _("Passwords are encrypted with the key %(key_id)s.", key_id=key_id))
    derived = (
        CheckState.WARNING,
        _("The key that encrypts passwords is derived from SECRET_KEY. If SECRET_KEY changes, they are lost."),
        _(
            "Make a key of its own with `flask smtp keys generate`, set it as SMTPSERVERS_ENCRYPTION_KEYS, "
            "then run `flask smtp keys rotate`."
        ),
    )
    yield _verdict(
        "keys.derived", derived if keyring.derived else None, _("The key comes from SMTPSERVERS_ENCRYPTION_KEYS.")
    )


def _hook_checks(hook: HookFacts) -> Iterator[Check]:
    inactive = (
        CheckState.ERROR,
        _("mail.send() does not go through Flask-SMTPServers, so the servers that were set up are not used."),
        _(
            "Call Mail.init_app before SMTPServers.init_app, and see that nothing replaces "
            "flask_mail.Mail.connect or app.extensions['mail'] afterwards."
        ),
    )
    yield _verdict("hook.inactive", None if hook.active else inactive, _("mail.send() goes through Flask-SMTPServers."))
    reinitialised = (
        CheckState.WARNING,
        _("Flask-Mail was initialised again after Flask-SMTPServers."),
        _("Make one Mail object only, and call its init_app before SMTPServers.init_app."),
    )
    yield _verdict(
        "mail.reinitialised",
        reinitialised if hook.reinitialised else None,
        _("Flask-Mail was not initialised again after Flask-SMTPServers."),
    )
    own_class = (
        CheckState.WARNING,
        _("The app makes mail connections with a class of its own, so they do not use the servers that were set up."),
        _("Take the app's own Connection class and its own connect() away, or send with smtp.send(message)."),
    )
    yield _verdict(
        "mail.connection_class",
        own_class if hook.own_connection_class else None,
        _("Flask-Mail's connections are made by Flask-SMTPServers."),
    )
    suppressed = (
        CheckState.WARNING,
        _("MAIL_SUPPRESS_SEND is on, so no mail leaves this app."),
        _("Set MAIL_SUPPRESS_SEND = False; it follows TESTING if it is not set."),
    )
    yield _verdict("mail.suppressed", suppressed if hook.suppressed else None, _("MAIL_SUPPRESS_SEND is off."))
    debug = (
        CheckState.WARNING,
        _(
            "MAIL_DEBUG is on: every mail is shown on standard error, and a connection that Flask-Mail itself makes "
            "shows the password as well."
        ),
        _("Set MAIL_DEBUG = False; it follows the app's debug mode if it is not set."),
    )
    yield _verdict("app.debug_mail", debug if hook.debug else None, _("Flask-Mail's debug output is off."))


def _personal_check(settings: Settings) -> Check:
    if not settings.personal:
        return Check("personal.address", CheckState.OK, _("Users cannot have servers of their own here."))
    fault = (
        CheckState.WARNING,
        _(
            "Users' own servers need SMTPSERVERS_EXTERNAL_URL: the app does not know its own address, so no link is "
            "sent by which a user proves his."
        ),
        _("Set SMTPSERVERS_EXTERNAL_URL, SERVER_NAME or TRUSTED_HOSTS."),
    )
    fine = _("The app knows its own address, for the links by which users prove theirs.")
    return _verdict("personal.address", None if can_send_proofs(settings) else fault, fine)


def _database_checks(store: ServerStore, now: datetime) -> Iterator[Check]:
    missing = store.missing_tables()
    if missing:
        yield Check(
            "tables.missing",
            CheckState.ERROR,
            _(
                "These tables do not exist: %(tables)s. Mail goes through the app's own settings.",
                tables=_list(missing),
            ),
            _("Run `flask db migrate` and `flask db upgrade`, or call db.create_all() if the app has no migrations."),
        )
        return
    yield Check("tables.missing", CheckState.OK, _("All tables exist."))
    columns = store.missing_columns()
    if columns:
        yield _old_tables(columns)
    else:
        yield Check("tables.old", CheckState.OK, _("The tables have every column that this version uses."))
    yield from _server_checks(store, now)


def _old_tables(columns: Sequence[str]) -> Check:
    operations = "; ".join(add_column(*name.rsplit(".", 1)) for name in columns)
    return Check(
        "tables.old",
        CheckState.ERROR,
        _(
            "These columns do not exist yet: %(columns)s. Mail goes out all the same, but servers cannot be changed.",
            columns=_list(columns),
        ),
        _(
            "Run `flask db migrate`, see that the new migration has these operations, then run `flask db upgrade`: "
            "%(operations)s",
            operations=operations,
        ),
    )


def add_column(table: str, name: str) -> str:
    """Return the Alembic operation that adds a column, with a default for the rows that are there already."""
    column = models.metadata.tables[table].columns[name]
    parts = [repr(name), _type(column.type), f"nullable={column.nullable}"]
    if not column.nullable:
        parts.append(f"server_default={_server_default(column)}")
    return f"op.add_column({table!r}, sa.Column({', '.join(parts)}))"


def _type(kind: TypeEngine[Any]) -> str:
    """Write a column type as a migration does, with its MariaDB variant if it has one."""
    mariadb = kind.dialect_impl(mysql.dialect())
    text = f"sa.{kind!r}"
    if type(mariadb).__module__.startswith(mysql.__name__):
        text += f".with_variant(mysql.{mariadb!r}, 'mysql', 'mariadb')"
    return text


def _server_default(column: Column[Any]) -> str:
    """Write the value of a new column in rows that are there already: a server's usual one, else an empty one."""
    usual = next((field.default for field in fields(ServerProfile) if field.name == column.name), MISSING)
    if isinstance(column.type, Boolean):
        return "sa.true()" if usual is True else "sa.false()"
    if isinstance(column.type, DateTime):
        return "'1970-01-01 00:00:00'"
    if usual in (MISSING, None):
        usual = 0 if isinstance(column.type, Integer | Numeric) else ""
    return repr(str(usual))


def _server_checks(store: ServerStore, now: datetime) -> Iterator[Check]:
    off = (
        CheckState.WARNING,
        _("Sending is switched off: no mail leaves this app, and what it sends now is dropped."),
        _("Switch sending on at the top of the page “SMTP Servers”."),
    )
    yield _verdict("sending.off", None if store.sending_enabled() else off, _("Sending is switched on."))
    servers = [server for server in store.servers() if server.usable]
    yield _default_check(servers)
    yield _clear_text_check(servers)
    yield _unreadable_check(store.unreadable())
    yield _certificate_check(servers, now)


def _outbox_check(outbox: Outbox) -> Check:
    waiting, workers = outbox.listing.overdue(), outbox.presence.count()
    fault = (
        CheckState.WARNING,
        _(
            "Mails of the outbox that are overdue: %(number)s. Workers that run: %(workers)s.",
            number=waiting,
            workers=workers,
        ),
        _("Start `flask smtp worker`. If one runs, see its log, or give it more threads."),
    )
    return _verdict("outbox.waiting", fault if waiting else None, _("No mail of the outbox is overdue."))


def _default_check(servers: Sequence[ServerProfile]) -> Check:
    lacking = (
        CheckState.WARNING,
        _("None of the servers in use is the default. Mail from other addresses goes through the app's own settings."),
        _("Make one of the servers the default."),
    )
    if not servers:
        return Check(
            "servers.none_default", CheckState.OK, _("No server is in use: mail goes through the app's own settings.")
        )
    fine = _("There is a default server.")
    return _verdict("servers.none_default", None if any(server.is_default for server in servers) else lacking, fine)


def _clear_text_check(servers: Sequence[ServerProfile]) -> Check:
    names = [server.name for server in servers if server.security is Security.NONE]
    fault = (
        CheckState.WARNING,
        _("Mail to these servers travels without encryption: %(names)s.", names=_list(names)),
        _("Choose SSL (usually port 465) or STARTTLS (usually port 587) for them, if they offer it."),
    )
    return _verdict("servers.clear_text", fault if names else None, _("Every server is reached with encryption."))


def _unreadable_check(servers: Sequence[ServerProfile]) -> Check:
    fault = (
        CheckState.ERROR,
        _(
            "The stored secrets of these servers cannot be read: %(names)s.",
            names=_list(server.name for server in servers),
        ),
        _(
            "Put the key that encrypted them back into SMTPSERVERS_ENCRYPTION_KEYS or SECRET_KEY_FALLBACKS, or set the "
            "environment variable that they name; `flask smtp keys check` tells which. Else enter the secrets again."
        ),
    )
    return _verdict("secrets.unreadable", fault if servers else None, _("Every stored secret can be read."))


def _certificate_check(servers: Sequence[ServerProfile], now: datetime) -> Check:
    ends = [(server, _end_of(server.client_certificate)) for server in servers if server.client_certificate]
    clients = [(server, end) for server, end in ends if end is None or end < now + EXPIRY_WARNING]
    own = [(server, server.certificate_expires_at) for server in servers if _ends_soon(server, now)]
    over = any(end is None or end <= now for _server, end in clients + own)
    texts, cures = [], []
    if own:
        texts.append(_("The certificates of these servers end soon or have ended: %(names)s.", names=_dated(own)))
        cures.append(_("Test those servers again; if nothing has changed, ask whoever runs them to renew it."))
    if clients:
        texts.append(
            _(
                "The client certificates of these servers end soon, have ended or cannot be read: %(names)s.",
                names=_dated(clients),
            )
        )
        cures.append(_("Get new client certificates and enter them with their keys on the servers' pages."))
    fault = (CheckState.ERROR if over else CheckState.WARNING, " ".join(texts), " ".join(cures))
    return _verdict("certificates.expiring", fault if texts else None, _("No certificate ends soon."))


def _ends_soon(server: ServerProfile, now: datetime) -> bool:
    end = server.certificate_expires_at
    return end is not None and end < now + (EXPIRY_WARNING if server.certificate_fingerprint else RENEWAL_WARNING)


def _dated(ends: Iterable[tuple[ServerProfile, datetime | None]]) -> str:
    return _list(f"{server.name} ({end.date().isoformat() if end else '?'})" for server, end in ends)


def _end_of(certificate: str) -> datetime | None:
    """Return when a certificate ends, UTC; None if it is none, because its row was changed behind our back."""
    try:
        return load_pem_x509_certificate(certificate.encode()).not_valid_after_utc
    except ValueError:
        return None


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)
