"""Encryption of stored secrets: AES-256-GCM, each token bound to its context and marked with the id of its key."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ..config import PREFIX, Settings
from ..errors import ConfigurationError, SecretUnreadable
from ..i18n import gettext as _
from ..secret import Secret

KEY_BYTES = 32
NONCE_BYTES = 12  # 96 bits, the size that GCM is specified for (NIST SP 800-38D §8.2)
TAG_BYTES = 16
VERSION = "1"

_SETTING = f"{PREFIX}ENCRYPTION_KEYS"
_INFO = b"flask-smtpservers keyring 1"
_TOKEN = re.compile(r"([0-9]+)\.([0-9a-f]{16})\.([A-Za-z0-9_-]+)")


def generate_key() -> str:
    """Make a new random key in the form that ``SMTPSERVERS_ENCRYPTION_KEYS`` takes: base64 of 32 bytes."""
    return base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).decode()


class Keyring:
    """Seal secrets with the newest key and open them with whichever key they were sealed with.

    :param settings: ``encryption_keys``, newest first, are used if there are any; ``secret_keys`` can then still
        open what was sealed before. Without ``encryption_keys`` the keys are derived from ``secret_keys``.
    :raises ConfigurationError: a key has the wrong form or is given twice; the text never shows a key.
    """

    def __init__(self, settings: Settings) -> None:
        configured = [_decode(secret, number) for number, secret in enumerate(settings.encryption_keys, start=1)]
        if len(set(configured)) < len(configured):
            raise ConfigurationError(
                f"{_SETTING} holds the same key twice; remove one, or make a new one with `flask smtp keys generate`"
            )
        # Flask lets SECRET_KEY stand among its fall-backs as well, so doubles are no mistake here.
        derived = [_derive(secret) for secret in settings.secret_keys]
        keys = list(dict.fromkeys(configured + derived))
        self._ciphers = {_identify(key): AESGCM(key) for key in keys}
        self._current = _identify(keys[0]) if keys else ""
        self._derived = not configured

    def __repr__(self) -> str:
        return f"<Keyring of {len(self._ciphers)} keys>"

    @property
    def derived(self) -> bool:
        """Whether new secrets are sealed with a key that is only derived from ``SECRET_KEY``."""
        return self._derived

    @property
    def current_key_id(self) -> str:
        """The id of the key that seals new secrets.

        :raises ConfigurationError: there is no key at all.
        """
        if not self._current:
            raise ConfigurationError(
                "There is no key to encrypt passwords with: make one with `flask smtp keys generate` and set it as "
                f"{_SETTING}, or set the app's SECRET_KEY"
            )
        return self._current

    def key_id(self, token: str) -> str:
        """Tell which key sealed ``token``.

        :raises SecretUnreadable: it is no token of ours.
        """
        return _parse(token)[0]

    def seal(self, secret: Secret, context: Sequence[str]) -> str:
        """Encrypt ``secret`` so that it opens only with the same ``context``.

        :param context: what the secret belongs to, e.g. the id, host and port of its server.
        :returns: a token of ASCII letters, digits, ``.``, ``-`` and ``_``.
        :raises ConfigurationError: there is no key.
        """
        key_id = self.current_key_id
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._ciphers[key_id].encrypt(
            nonce, secret.reveal().encode("utf-8", "surrogatepass"), _associated(context)
        )
        return f"{VERSION}.{key_id}.{base64.urlsafe_b64encode(nonce + sealed).decode().rstrip('=')}"

    def open(self, token: str, context: Sequence[str]) -> Secret:
        """Decrypt ``token``.

        :raises SecretUnreadable: its key is missing, it was damaged, or it was sealed for another context.
        """
        key_id, data = _parse(token)
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise SecretUnreadable(
                _(
                    "It was encrypted with the key %(key_id)s, which is missing. Put that key back into %(setting)s "
                    "(or into SECRET_KEY_FALLBACKS if it was derived from SECRET_KEY), or enter the secret again.",
                    key_id=key_id,
                    setting=_SETTING,
                )
            )
        try:
            opened = cipher.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], _associated(context))
        except InvalidTag:
            opened = None
        if opened is None:  # raised out here, so that no frame of the cipher hangs on the error
            raise SecretUnreadable(
                _(
                    "It does not belong to these settings: the stored entry was damaged, "
                    "or changed by something other than this program. Enter the secret again."
                )
            )
        return Secret(opened.decode("utf-8", "surrogatepass"))

    def reseal(self, token: str, context: Sequence[str]) -> str | None:
        """Seal a token again with the newest key.

        :returns: the new token, or None if ``token`` has the newest key already.
        :raises SecretUnreadable: it cannot be opened, whichever key it has.
        """
        secret = self.open(token, context)
        if self.key_id(token) == self.current_key_id:
            return None
        return self.seal(secret, context)


def _decode(secret: Secret, number: int) -> bytes:
    text = secret.reveal().replace("-", "+").replace("_", "/")  # both alphabets of RFC 4648
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigurationError(
            f"Key {number} of {_SETTING} is not the base64 form of {KEY_BYTES} bytes; "
            "make one with `flask smtp keys generate`"
        )
    return key


def _derive(secret: Secret) -> bytes:
    kdf = HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=_INFO)
    return kdf.derive(secret.reveal().encode("utf-8", "surrogatepass"))


def _identify(key: bytes) -> str:
    return hashlib.sha256(_INFO + b" id" + key).hexdigest()[:16]


def _associated(context: Sequence[str]) -> bytes:
    return json.dumps(list(context), ensure_ascii=True, separators=(",", ":")).encode()


def _parse(token: str) -> tuple[str, bytes]:
    match = _TOKEN.fullmatch(token)
    if match is not None and match[1] == VERSION:
        try:
            data = base64.b64decode(match[3] + "=" * (-len(match[3]) % 4), altchars=b"-_", validate=True)
        except binascii.Error:
            data = b""
        if len(data) >= NONCE_BYTES + TAG_BYTES:
            return match[2], data
    raise SecretUnreadable(_("What is stored is no encrypted secret of this program. Enter the secret again."))
