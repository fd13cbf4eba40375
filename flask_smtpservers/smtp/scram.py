"""SCRAM-SHA-256 and SCRAM-SHA-1 (RFC 5802, RFC 7677): both sides prove that they know the password; none sends it."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from secrets import token_urlsafe
from typing import ClassVar

from ..i18n import gettext as _
from .endpoint import Endpoint
from .mechanisms import Mechanism, SignInError, decoded, remark_of, saslname
from .saslprep import saslprep

#: How many rounds of hashing a server may ask for: fewer make it easy to guess the password from the proof
#: (RFC 7677 §4), more are a way to keep this machine busy.
LEAST_ROUNDS, MOST_ROUNDS = 4096, 600_000

_BASE64 = r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"
#: The first message of a server. One that begins with ``m=`` demands an extension that we do not know.
_SERVER_FIRST = re.compile(rf"r=([\x21-\x2b\x2d-\x7e]+),s=({_BASE64}),i=([1-9][0-9]{{0,8}})(?:,.*)?")
_SERVER_FINAL = re.compile(rf"v=({_BASE64})(?:,.*)?")
_SERVER_ERROR = re.compile(r"e=([\x21-\x2b\x2d-\x7e]+)(?:,.*)?")
#: No channel binding: the client does not support it.
_GS2_HEADER = "n,,"


class Scram(Mechanism):
    """One attempt with SCRAM.

    :param nonce: printable ASCII without commas; a random one if not given.
    """

    digest: ClassVar[str]
    responses = 3

    def __init__(self, endpoint: Endpoint, secret: str, *, nonce: str = "") -> None:
        super().__init__(endpoint, secret)
        try:
            username, self._password = saslprep(endpoint.username), saslprep(secret).encode()
        except ValueError:
            text = _("The user name or the password holds characters that %(method)s does not allow.", method=self.name)
            raise SignInError(text) from None
        self.confidential.append(self._password.decode())
        self._nonce = nonce or token_urlsafe(24)
        self._first = f"n={saslname(username)},r={self._nonce}"
        self._expected: bytes | None = None
        self._heard_final = self._verified = False

    def initial(self) -> bytes | None:
        """Return the user name and our nonce."""
        return f"{_GS2_HEADER}{self._first}".encode()

    def respond(self, challenge: str) -> bytes | None:
        """Return our proof; then, when the server has given its own, an empty response."""
        if self._heard_final:
            return None
        message = decoded(challenge).decode("utf-8", "replace")
        if self._expected is None:
            return self._prove(message).encode()
        self._heard_final = True
        self._verify(message)
        return b""

    def conclude(self) -> None:
        """Insist on the server's proof."""
        if not self._verified:
            raise SignInError(_("The server did not prove that it knows the password."))

    def _prove(self, server_first: str) -> str:
        nonce, salt, rounds = self._parameters(server_first)
        salted = hashlib.pbkdf2_hmac(self.digest, self._password, salt, rounds)
        client_key = hmac.digest(salted, b"Client Key", self.digest)
        final = f"c={_base64(_GS2_HEADER.encode())},r={nonce}"
        everything = f"{self._first},{server_first},{final}".encode()
        stored_key = hashlib.new(self.digest, client_key).digest()
        signature = hmac.digest(stored_key, everything, self.digest)
        proof = _base64(bytes(ours ^ theirs for ours, theirs in zip(client_key, signature, strict=True)))
        self._expected = hmac.digest(hmac.digest(salted, b"Server Key", self.digest), everything, self.digest)
        # Passwords can be tried against either proof; the rest of the exchange is known to whoever reads a transcript.
        self.confidential.extend([proof, _base64(self._expected)])
        return f"{final},p={proof}"

    def _parameters(self, server_first: str) -> tuple[str, bytes, int]:
        found = _SERVER_FIRST.fullmatch(server_first)
        # The server's nonce goes on after ours, or somebody plays back what another server said.
        if not found or not found[1].startswith(self._nonce) or found[1] == self._nonce or not found[2]:
            raise SignInError(_("The server sent a challenge that cannot be understood."))
        rounds = int(found[3])
        if not LEAST_ROUNDS <= rounds <= MOST_ROUNDS:
            text = _(
                "The server asks for %(rounds)s rounds of hashing; %(least)s to %(most)s are allowed.",
                rounds=f"{rounds:,}",
                least=f"{LEAST_ROUNDS:,}",
                most=f"{MOST_ROUNDS:,}",
            )
            raise SignInError(text)
        return found[1], b64decode(found[2]), rounds

    def _verify(self, server_final: str) -> None:
        refused = _SERVER_ERROR.fullmatch(server_final)
        if refused:
            self.remark = remark_of(refused[1])
            return
        found = _SERVER_FINAL.fullmatch(server_final)
        if not found or not hmac.compare_digest(b64decode(found[1]), self._expected or b""):
            raise SignInError(_("The server did not prove that it knows the password."))
        self._verified = True


class ScramSHA256(Scram):
    """SCRAM with SHA-256 (RFC 7677)."""

    name = "SCRAM-SHA-256"
    digest = "sha256"


class ScramSHA1(Scram):
    """SCRAM with SHA-1 (RFC 5802), which is not broken in this use."""

    name = "SCRAM-SHA-1"
    digest = "sha1"


def _base64(data: bytes) -> str:
    return b64encode(data).decode("ascii")
