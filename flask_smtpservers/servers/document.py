"""The settings of a scope as a file: what ``flask smtp export`` writes and ``flask smtp import`` reads.

No secret is in it, encrypted or not; of one that is kept it says ``has_password = true``, and of a reference to the
environment the name of the variable. Neither are tests, proofs and suspensions: they are what happened to a server.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import InvalidServer
from ..i18n import gettext as _
from ..permissions import APP, Scope
from ..policy import Mode
from ..secret import Secret
from . import toml
from .entries import entry_fields, is_flask_mail
from .history import SECRETS, values_of
from .profile import ServerProfile
from .reader import ServerReader

#: The version of what is written; a program that does not know a newer one refuses it.
FORMAT = 1
_KEYS = frozenset({"format", "sending_enabled", "modes", "kinds", "server"})
_SWITCH = {True: "on", False: "off"}


@dataclass(frozen=True, slots=True)
class KindServer:
    """The server that a kind of mail is assigned to.

    :param shared: whether it is one of the app's, in the settings of a tenant.
    """

    name: str
    shared: bool = False

    @property
    def plain(self) -> Any:
        """As it stands in a file."""
        return {"shared": self.name} if self.shared else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What a file says; what it does not say stays as it is.

    :param servers: the fields of each server, or why they cannot be read.
    :param sending: the master switch, or None.
    """

    servers: tuple[dict[str, Any] | InvalidServer, ...] = ()
    sending: bool | None = None
    modes: Mapping[Mode, bool]
    kinds: Mapping[str, KindServer]


# -- writing


def exported(store: ServerReader, scope: Scope = APP) -> dict[str, Any]:
    """Return the settings of a scope as plain values; servers of the app's configuration are not among them."""
    servers = [profile for profile in store.servers(scope=scope) if not profile.origin]
    values: dict[str, Any] = {"format": FORMAT}
    if not scope.owner:
        values["sending_enabled"] = store.sending_enabled(scope=scope)
        values["modes"] = {str(mode): _SWITCH[on] for mode, on in store.mode_switches(scope=scope).items()}
        values["kinds"] = {kind: one.plain for kind, one in assigned(store, scope).items()}
    values["server"] = [_server(profile) for profile in servers]
    return values


def assigned(store: ServerReader, scope: Scope) -> dict[str, KindServer]:
    """Tell which server each kind of mail is assigned to, by name; one that is gone is left out."""
    own = {one.public_id: KindServer(one.name) for one in store.servers(scope=scope)}
    shared = {one.public_id: KindServer(one.name, shared=True) for one in store.servers()} if scope.tenant else {}
    known = {**shared, **own}
    return {kind: known[one] for kind, one in sorted(store.kinds(scope=scope).items()) if one in known}


def _server(profile: ServerProfile) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in values_of(profile).items():
        if name not in SECRETS:
            values[name] = str(value) if isinstance(value, str) else value
            continue
        environment = profile.password.environment if name == "password" and profile.password else ""
        if environment:
            values["password"] = f"env:{environment}"
        values[f"has_{name}"] = value
    return values


def as_toml(values: Mapping[str, Any]) -> str:
    """Write what :func:`exported` returns as TOML."""
    return toml.written(values)


def as_json(values: Mapping[str, Any]) -> str:
    """Write what :func:`exported` returns as JSON."""
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


# -- reading


def read_document(text: str) -> Document:
    """Read a file, TOML or JSON: what was exported, written by hand, or the ``MAIL_*`` settings of an app.

    :raises InvalidServer: it cannot be read; the keys of ``fields`` are the places.
    """
    values = _parsed(text)
    if is_flask_mail(values):
        values = _one_server(values)
    errors: dict[str, list[str]] = {str(key): [_("There is no such setting here.")] for key in values.keys() - _KEYS}
    if values.get("format", FORMAT) != FORMAT:
        errors["format"] = [_("This file was written by a newer version of Flask-SMTPServers.")]
    sending = values.get("sending_enabled")
    if not isinstance(sending, bool | None):
        errors["sending_enabled"] = [_("This must be true or false.")]
    servers = values.get("server", [])
    if not isinstance(servers, list):
        errors["server"] = [_("This must be a list: write [[server]] before the fields of each server.")]
        servers = []
    modes = _modes(values.get("modes", {}), errors)
    kinds = _kinds(values.get("kinds", {}), errors)
    if errors:
        raise InvalidServer(errors)
    return Document(servers=tuple(map(_fields, servers)), sending=sending, modes=modes, kinds=kinds)


def _one_server(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {"server": [entry]}


def _parsed(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text) if text.lstrip().startswith(("{", "[")) and not _is_toml(text) else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        said = _("Neither TOML nor JSON: %(reason)s", reason=str(error))
        raise InvalidServer({"file": [said]}) from None
    if not isinstance(found, dict):
        raise InvalidServer({"file": [_("This is a list, and not a table with [[server]] entries.")]})
    return found


def _is_toml(text: str) -> bool:
    """Say whether a text that begins with a bracket is TOML: ``[[server]]`` and not ``[{"name": …``."""
    try:
        tomllib.loads(text)
    except ValueError:
        return False
    return True


def _fields(entry: object) -> dict[str, Any] | InvalidServer:
    try:
        fields = entry_fields(entry)
    except InvalidServer as error:
        return error
    for name in SECRETS:
        there = fields.pop(f"has_{name}", None)
        if there is False and not fields.get(name):
            fields[name] = None
        elif isinstance(fields.get(name), Secret) and not fields[name]:
            del fields[name]
    return fields


def _modes(given: object, errors: dict[str, list[str]]) -> dict[Mode, bool]:
    found: dict[Mode, bool] = {}
    for name, value in _items("modes", given, errors):
        if name not in set(Mode) or value not in _SWITCH.values():
            choices = ", ".join(Mode)
            errors[f"modes.{name}"] = [_("Each of %(choices)s may be “on” or “off”.", choices=choices)]
        else:
            found[Mode(name)] = value == "on"
    return found


def _kinds(given: object, errors: dict[str, list[str]]) -> dict[str, KindServer]:
    found: dict[str, KindServer] = {}
    for name, value in _items("kinds", given, errors):
        shared = isinstance(value, Mapping) and set(value) == {"shared"}
        server = value["shared"] if shared else value
        if not isinstance(server, str) or not server:
            errors[f"kinds.{name}"] = [_("This must be the name of a server.")]
        else:
            found[name] = KindServer(server, shared=shared)
    return found


def _items(place: str, given: object, errors: dict[str, list[str]]) -> list[tuple[str, Any]]:
    if not isinstance(given, Mapping):
        errors[place] = [_("This must be a table.")]
        return []
    return [(str(name), value) for name, value in given.items()]
