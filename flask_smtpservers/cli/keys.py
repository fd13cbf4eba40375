"""``flask smtp keys generate|rotate|check``: the keys that encrypt passwords."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import click

from ..errors import SecretUnreadable
from ..i18n import gettext as _
from ..i18n import ngettext
from ..secret import Secret
from ..servers.keyring import generate_key
from ..servers.profile import ServerProfile, StoredSecret
from ..state import AppState, state_of
from .output import EXIT_CODES, FAILED, complain, json_option, reporting, say, say_json, table

keys = click.Group("keys", help="The keys that encrypt stored passwords.", epilog=EXIT_CODES)


@keys.command("generate", epilog=EXIT_CODES)
@json_option
def generate(*, as_json: bool) -> None:
    """Print a new key. It is stored nowhere; keep it where the app's other secrets are."""
    key = generate_key()
    if as_json:
        say_json({"key": key})
        return
    say(key)
    # On standard error, so that the key alone can be piped to where it is kept.
    complain(_("Put this key in front of the others, and keep those until the passwords are encrypted anew:"))
    complain("  SMTPSERVERS_ENCRYPTION_KEYS=" + _("<new key>,<older keys>"))
    complain(_("Restart the app, then run `flask smtp keys rotate`. After that the older keys may go."))


@keys.command("rotate", epilog=EXIT_CODES)
@json_option
@reporting
def rotate(*, as_json: bool) -> None:
    """Encrypt every stored secret anew with the newest key. Running it again does no harm."""
    state = state_of()
    key_id = state.keyring.current_key_id
    rotation = state.store.rotate()
    state.store.commit()
    if as_json:
        failed = [{"id": profile.public_id, "name": profile.name} for profile in rotation.failed]
        counts = {"changed": rotation.changed, "unchanged": rotation.unchanged, "failed": failed}
        say_json({"newest_key": key_id, **counts})
    else:
        say(_("Newest key: %(key_id)s", key_id=key_id))
        say(ngettext("%(number)s server encrypted anew.", "%(number)s servers encrypted anew.", rotation.changed))
        say(ngettext("%(number)s server left as it was.", "%(number)s servers left as they were.", rotation.unchanged))
        for profile in rotation.failed:
            complain(_("“%(name)s” cannot be read, so it was left as it was.", name=profile.name))
        if rotation.failed:
            complain(_("`flask smtp keys check` says why. Keep the older keys until this is mended."))
    if rotation.failed:
        raise click.exceptions.Exit(FAILED)


@dataclass(frozen=True, slots=True)
class Sealed:
    """One stored secret.

    :param server: the name of its server.
    :param secret: ``password`` or ``client_key``.
    :param key_id: the key that sealed it; empty if that cannot be told.
    :param newest: whether that is the newest key.
    :param environment: the variable that the password is read from; empty if it is stored here.
    :param problem: why it cannot be read; empty if it can.
    """

    server: str
    server_id: str
    secret: str
    key_id: str
    newest: bool
    environment: str
    problem: str


@keys.command("check", epilog=EXIT_CODES)
@json_option
@reporting
def check(*, as_json: bool) -> None:
    """Tell which key sealed each stored secret, and which of them cannot be read."""
    state = state_of()
    newest = state.keyring.current_key_id
    found = [sealed for profile in state.store.every_server() for sealed in _secrets_of(state, profile, newest)]
    unreadable = [sealed for sealed in found if sealed.problem]
    if as_json:
        say_json(
            {"newest_key": newest, "derived": state.keyring.derived, "secrets": [asdict(sealed) for sealed in found]}
        )
    else:
        _tell(state, newest, found)
    if unreadable:
        raise click.exceptions.Exit(FAILED)


def _secrets_of(state: AppState, profile: ServerProfile, newest: str) -> Iterator[Sealed]:
    readers: tuple[tuple[str, StoredSecret | None, Callable[[ServerProfile], Secret | None]], ...] = (
        ("password", profile.password, state.store.password_of),
        ("client_key", profile.client_key, state.store.client_key_of),
    )
    for secret, stored, read in readers:
        if stored is None:
            continue
        key_id, problem = "", ""
        try:
            key_id = state.keyring.key_id(stored.token)
            read(profile)
        except SecretUnreadable as error:
            problem = str(error)
        yield Sealed(profile.name, profile.public_id, secret, key_id, key_id == newest, stored.environment, problem)


def _tell(state: AppState, newest: str, found: list[Sealed]) -> None:
    if state.keyring.derived:
        say(_("Newest key: %(key_id)s (derived from SECRET_KEY)", key_id=newest))
    else:
        say(_("Newest key: %(key_id)s (from SMTPSERVERS_ENCRYPTION_KEYS)", key_id=newest))
    if not found:
        say(_("No secret is stored."))
        return
    words = {"password": _("Password"), "client_key": _("Client key")}
    rows = [(one.server, words[one.secret], one.key_id or "?", _state_of(one)) for one in found]
    for line in table((_("Server"), _("Secret"), _("Key"), _("State")), rows):
        say(line)


def _state_of(sealed: Sealed) -> str:
    if sealed.problem:
        return _("cannot be read: %(problem)s", problem=sealed.problem)
    if sealed.environment:
        return _("read from the environment variable %(name)s", name=sealed.environment)
    return _("newest key") if sealed.newest else _("older key: run `flask smtp keys rotate`")
