"""The server's side of SCRAM (RFC 5802), written from the RFC and independent of ours: it knows no password either."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from dataclasses import dataclass, field

from ..peers.hostile import GoneError, Peer, Step


def base64(text: str | bytes) -> str:
    return b64encode(text.encode() if isinstance(text, str) else text).decode()


def plain(line: str) -> str:
    return b64decode(line, validate=True).decode()


@dataclass
class ScramServer:
    """One account, ``username`` and ``password`` as prepared, and one exchange.

    Each ``after_…`` takes a message of the client and returns the server's answer; ``verified`` tells whether the
    client has proved itself.
    """

    username: str
    password: str
    digest: str = "sha256"
    salt: bytes = b"0123456789abcdef"
    rounds: int = 4096
    nonce: str = "server-nonce"
    verified: bool = False
    messages: list[str] = field(default_factory=list)

    def keys(self) -> tuple[bytes, bytes]:
        salted = hashlib.pbkdf2_hmac(self.digest, self.password.encode(), self.salt, self.rounds)
        client = hmac.new(salted, b"Client Key", self.digest).digest()
        return hashlib.new(self.digest, client).digest(), hmac.new(salted, b"Server Key", self.digest).digest()

    def after_first(self, message: str) -> str:
        binding, authzid, bare = message.split(",", 2)
        assert (binding, authzid) == ("n", "")
        name, nonce = bare.split(",")
        assert name.removeprefix("n=").replace("=2C", ",").replace("=3D", "=") == self.username
        nonce = nonce.removeprefix("r=") + self.nonce
        self.messages = [bare, f"r={nonce},s={base64(self.salt)},i={self.rounds}"]
        return self.messages[1]

    def after_final(self, message: str) -> str:
        without_proof, _, proof = message.rpartition(",p=")
        binding, nonce = without_proof.split(",")
        assert plain(binding.removeprefix("c=")) == "n,,"
        assert f"{nonce}," in f"{self.messages[1]},"
        everything = ",".join([*self.messages, without_proof]).encode()
        stored_key, server_key = self.keys()
        signature = hmac.new(stored_key, everything, self.digest).digest()
        client_key = bytes(one ^ other for one, other in zip(b64decode(proof), signature, strict=True))
        self.verified = hashlib.new(self.digest, client_key).digest() == stored_key
        if not self.verified:
            return "e=invalid-proof"
        return "v=" + base64(hmac.new(server_key, everything, self.digest).digest())

    def first_step(self) -> Step:
        """Hear AUTH with the client's first message, and answer it."""

        def step(peer: Peer) -> None:
            message = plain(peer.hear_until(b"\r\n").decode().rstrip().rpartition(" ")[2])
            peer.send(f"334 {base64(self.after_first(message))}\r\n".encode())

        return step

    def final_step(self, *, shown: str | None = None) -> Step:
        """Hear the client's proof, answer it, and hear the empty response.

        :param shown: the answer, if not the right one.
        """

        def step(peer: Peer) -> None:
            answer = self.after_final(plain(peer.hear_until(b"\r\n").decode().rstrip()))
            peer.send(f"334 {base64(answer if shown is None else shown)}\r\n".encode())
            if peer.hear_until(b"\r\n") != b"\r\n":
                raise GoneError

        return step
