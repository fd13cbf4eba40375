"""The secrets of a server: sealed so that they open only for the destination that they were given for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256

from ..errors import SecretUnreadable
from ..i18n import gettext as _
from ..secret import Secret
from .keyring import Keyring
from .profile import ServerProfile, StoredSecret


class Vault:
    """Seal and open passwords and client keys.

    A reference to an environment variable is sealed as well: otherwise whoever can write to the database could have
    any variable of the process sent to a server of his own.

    :param environment: where references are looked up.
    """

    def __init__(self, keyring: Keyring, environment: Mapping[str, str] | None = None) -> None:
        self._keyring = keyring
        self._environment: Mapping[str, str] = os.environ if environment is None else environment

    def seal_password(self, profile: ServerProfile, value: Secret | StoredSecret) -> StoredSecret:
        """Seal a password, or a reference to an environment variable, for the destination of ``profile``.

        :raises ConfigurationError: there is no key.
        """
        if isinstance(value, StoredSecret):
            token = self._keyring.seal(Secret(value.environment), _password_context(profile, reference=True))
            return StoredSecret(token, value.environment)
        return StoredSecret(self._keyring.seal(value, _password_context(profile)))

    def seal_client_key(self, profile: ServerProfile, key: Secret) -> StoredSecret:
        """Seal a private key for the client certificate of ``profile``."""
        return StoredSecret(self._keyring.seal(key, _client_key_context(profile)))

    def password_of(self, profile: ServerProfile) -> Secret | None:
        """Open the password of a server; None if it has none.

        :raises SecretUnreadable: it cannot be decrypted, or the environment variable is not set.
        """
        stored = profile.password
        if stored is None:
            return None
        opened = self._keyring.open(stored.token, _password_context(profile, reference=bool(stored.environment)))
        if not stored.environment:
            return opened
        if opened != Secret(stored.environment):
            raise SecretUnreadable(_("The stored reference to an environment variable was changed in the database."))
        return referenced(stored.environment, self._environment)

    def client_key_of(self, profile: ServerProfile) -> Secret | None:
        """Open the private key of a server's client certificate; None if it has none.

        :raises SecretUnreadable: it cannot be decrypted.
        """
        stored = profile.client_key
        return None if stored is None else self._keyring.open(stored.token, _client_key_context(profile))

    def reseal(self, profile: ServerProfile) -> ServerProfile:
        """Return ``profile`` with its secrets sealed by the newest key; the same object if they are already.

        :raises SecretUnreadable: one of them cannot be decrypted.
        """
        password, client_key = profile.password, profile.client_key
        if password is not None:
            context = _password_context(profile, reference=bool(password.environment))
            token = self._keyring.reseal(password.token, context)
            if token is not None:
                profile = replace(profile, password=StoredSecret(token, password.environment))
        if client_key is not None:
            token = self._keyring.reseal(client_key.token, _client_key_context(profile))
            if token is not None:
                profile = replace(profile, client_key=StoredSecret(token))
        return profile


def referenced(name: str, environment: Mapping[str, str] | None = None) -> Secret:
    """Return the password that an environment variable holds.

    :raises SecretUnreadable: it is not set.
    """
    value = (os.environ if environment is None else environment).get(name, "")
    if not value:
        raise SecretUnreadable(_("The environment variable %(name)s with the password is not set.", name=name))
    return Secret(value)


def _password_context(profile: ServerProfile, *, reference: bool = False) -> tuple[str, ...]:
    return (
        profile.public_id,
        profile.host,
        str(profile.port),
        profile.security.value,
        profile.username,
        "password:environment" if reference else "password",
        _digest(profile.ca_certificate),
        # Only where one is named: what was sealed before there was such a field still opens.
        *([profile.auth_mechanism] if profile.auth_mechanism else []),
        *([f"certificate:{profile.certificate_fingerprint}"] if profile.certificate_fingerprint else []),
    )


def _client_key_context(profile: ServerProfile) -> tuple[str, ...]:
    return (profile.public_id, "client_key", _digest(profile.client_certificate))


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
