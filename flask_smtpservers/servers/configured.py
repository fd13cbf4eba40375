"""The servers of the app's configuration: read when the app starts, and locked for everybody in the browser.

They come first in the list, in the order of the configuration, and belong to the app. A default among them is the
default; a stored server that has the name of one of them sends nothing until it is called otherwise.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from ..config import Settings
from ..errors import ConfigurationError, InvalidServer, ServerLocked
from ..i18n import gettext as _
from ..permissions import APP, Scope
from ..providers.catalog import Catalog
from ..secret import Secret
from .cleaning import FieldRules, name_key
from .entries import entry_fields
from .fields import clean
from .profile import ServerProfile, StoredSecret
from .vault import referenced

_KEY = "SMTPSERVERS_SERVERS"
_REFERENCE = "env:"
_SECRETS = ("password", "client_key")
#: Stands in a profile for a secret that is in memory.
_IN_MEMORY = "configured"


@dataclass(frozen=True, slots=True)
class ConfiguredServer:
    """A server of the configuration.

    :param origins: where each field that is set comes from.
    """

    profile: ServerProfile
    origins: Mapping[str, str]
    password: Secret | StoredSecret | None = field(default=None, repr=False)
    client_key: Secret | None = field(default=None, repr=False)


class Configured:
    """All servers of the configuration.

    :param environment: where ``env:NAME`` is looked up; the process's own variables if None.
    :raises ConfigurationError: an entry is wrong; the text names it and its fields.
    """

    def __init__(
        self, settings: Settings, catalog: Catalog | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        self._environment: Mapping[str, str] = os.environ if environment is None else environment
        rules = FieldRules.of(settings, catalog, operator=True)
        first = -len(settings.servers)
        found: dict[str, ConfiguredServer] = {}
        for place, declared in enumerate(settings.servers):
            try:
                one = self._read(declared.entry, declared.origin, rules, first + place)
                if one.profile.public_id in found:
                    raise InvalidServer({"name": [_("Another server has this name already.")]})
                if one.profile.is_default and any(other.profile.is_default for other in found.values()):
                    raise InvalidServer({"is_default": [_("Another server is the default already.")]})
            except InvalidServer as error:
                raise ConfigurationError(f"{_KEY}: {declared.origin}: {error}") from None
            found[one.profile.public_id] = one
        self._found = found
        self._names = {name_key(one.profile.name) for one in found.values()}

    @property
    def servers(self) -> list[ServerProfile]:
        """The servers, in the order of the configuration."""
        return [one.profile for one in self._found.values()]

    @property
    def default(self) -> ServerProfile | None:
        """The one that is the default, if the configuration says so."""
        return next((one for one in self.servers if one.is_default), None)

    def __contains__(self, public_id: object) -> bool:
        return public_id in self._found

    def named(self, name: str) -> bool:
        """Say whether one of them has this name."""
        return name_key(name) in self._names

    def find(self, *, public_id: str = "", key: str = "") -> list[ServerProfile]:
        """Return those with this public id or this key of a name."""
        return [one for one in self.servers if one.public_id == public_id or (key and name_key(one.name) == key)]

    def origins(self, public_id: str) -> Mapping[str, str]:
        """Tell where each field of a server comes from."""
        return self._found[public_id].origins

    def refuse_change(self, public_id: str) -> None:
        """Refuse to change a server of the configuration.

        :raises ServerLocked: it is one.
        """
        if public_id in self._found:
            profile = self._found[public_id].profile
            text = _(
                "“%(name)s” is set up in the app's configuration (%(origin)s) and can only be changed there.",
                name=profile.name,
                origin=profile.origin,
            )
            raise ServerLocked(text)

    def over(self, stored: Iterable[ServerProfile], scope: Scope = APP) -> list[ServerProfile]:
        """Give stored servers as they are beside those of the configuration, which have the last word in the app.

        :param scope: whose are looked at, if they are of one scope.
        """
        if not self._found or scope != APP:
            return list(stored)
        return [self._beside(one) for one in stored]

    def _beside(self, stored: ServerProfile) -> ServerProfile:
        if stored.scope != APP:
            return stored
        if self.default is not None and stored.is_default:
            stored = replace(stored, is_default=False)
        if self.named(stored.name):
            reason = _("The app's configuration has a server of this name.")
            stored = replace(stored, suspended_at=datetime.fromtimestamp(0, UTC), suspended_reason=reason)
        return stored

    def password_of(self, profile: ServerProfile) -> Secret | None:
        """Return the password of a server, or look up its environment variable.

        :raises SecretUnreadable: the variable is not set.
        """
        password = self._found[profile.public_id].password
        return referenced(password.environment, self._environment) if isinstance(password, StoredSecret) else password

    def client_key_of(self, profile: ServerProfile) -> Secret | None:
        """Return the private key of a server's client certificate."""
        return self._found[profile.public_id].client_key

    # -- reading

    def _read(self, entry: object, origin: str, rules: FieldRules, position: int) -> ConfiguredServer:
        fields = entry_fields(entry)
        origins = dict.fromkeys(fields, origin)
        for name, value in fields.items():
            text = value.reveal() if isinstance(value, Secret) else value
            if not isinstance(text, str) or not text.startswith(_REFERENCE):
                continue
            variable = text.removeprefix(_REFERENCE)
            origins[name] = _("environment variable %(name)s", name=variable)
            if name != "password":  # that one is looked up when it is needed
                fields[name] = self._variable(name, variable, secret=isinstance(value, Secret))
        if "position" in fields:
            raise InvalidServer({"position": [_("The servers stand in the order of the configuration.")]})
        cleaned = clean(fields, base=None, rules=rules).values
        if cleaned["is_default"] and not cleaned["enabled"]:
            raise InvalidServer({"is_default": [_("A paused server cannot be the default; let it send first.")]})
        password, client_key = (cleaned.pop(name, None) for name in _SECRETS)
        profile = ServerProfile(
            public_id=sha256(f"{_KEY}\0{name_key(cleaned['name'])}".encode()).hexdigest()[:32],
            origin=origin,
            position=position,
            password=_kept(password),
            client_key=_kept(client_key),
            **cleaned,
        )
        return ConfiguredServer(profile, origins, password, client_key)

    def _variable(self, field_name: str, variable: str, *, secret: bool) -> Any:
        value = self._environment.get(variable)
        if value is None:
            raise InvalidServer({field_name: [_("The environment variable %(name)s is not set.", name=variable)]})
        return Secret(value) if secret else value


def _kept(secret: Secret | StoredSecret | None) -> StoredSecret | None:
    if secret is None:
        return None
    return StoredSecret(_IN_MEMORY, secret.environment if isinstance(secret, StoredSecret) else "")


def with_results(servers: Sequence[ServerProfile], results: Mapping[str, Mapping[str, Any]]) -> list[ServerProfile]:
    """Give servers of the configuration with how their last test ended, if it was of these very settings."""
    return [_with_result(one, results.get(one.public_id, {})) for one in servers]


def _with_result(profile: ServerProfile, result: Mapping[str, Any]) -> ServerProfile:
    if result.get("digest") != mark_of(profile):
        return profile
    expires = result.get("expires")
    return replace(
        profile,
        tested_at=datetime.fromisoformat(result["at"]),
        test_passed=result["passed"],
        test_title=result["title"],
        tested_by=result["by"],
        certificate_expires_at=datetime.fromisoformat(expires) if expires else None,
    )


def mark_of(profile: ServerProfile) -> str:
    """Name the settings that a test was of."""
    return sha256(f"{profile.digest}\0{profile.address}".encode()).hexdigest()[:16]
