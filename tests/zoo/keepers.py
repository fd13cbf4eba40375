"""The servers of the zoo: a mail server that works, and what it says or does in another way than it should."""

from __future__ import annotations

import ssl
from base64 import b64decode, b64encode
from collections.abc import Mapping

from ..peers.hostile import GoneError, Peer, Step, hang, hear_bytes, say, start_tls
from ..peers.mailbox import PASSWORD, USERNAME

#: A reply, or what is done in the place of one.
Deed = str | Step

_FINE = {
    "MAIL": "250 2.1.0 OK",
    "RCPT": "250 2.1.5 OK",
    "DATA": "354 go on",
    ".": "250 2.0.0 OK queued as Z1",
    "RSET": "250 2.0.0 OK",
    "QUIT": "221 2.0.0 bye",
}


def smtp(
    says: Mapping[str, Deed] | None = None,
    *,
    greeting: Deed = "220 mail.example.test ESMTP",
    tls: str = "starttls",
    auth: str = "PLAIN LOGIN",
    features: str = "mail.example.test\nSIZE 1000000",
    login: tuple[str, str] = (USERNAME, PASSWORD),
) -> list[Step]:
    """A mail server.

    :param says: how a command begins (or ``.`` for the end of the content) -> what it says or does then instead.
    :param tls: ``starttls``, ``ssl`` (from the first byte) or ``none``.
    :param auth: the methods that it offers once encrypted; empty for a server without login.
    :param features: its name and what else it offers, one in a line.
    :param login: whom it lets in.
    """
    before = [start_tls()] if tls == "ssl" else []
    return [*before, _done(greeting), _conversation(says or {}, tls, auth, features, login)]


def _conversation(says: Mapping[str, Deed], tls: str, auth: str, features: str, login: tuple[str, str]) -> Step:
    def step(peer: Peer) -> None:
        while True:
            line = peer.hear_until(b"\r\n").decode("latin-1").rstrip("\r\n")
            verb = line.split(" ")[0].upper()
            encrypted = isinstance(peer.connection, ssl.SSLSocket)
            other = next((deed for start, deed in says.items() if line.upper().startswith(start.upper())), None)
            if other is not None:
                _done(other)(peer)
            elif verb == "EHLO":
                offers = [*features.split("\n"), *(["STARTTLS"] if tls == "starttls" and not encrypted else [])]
                offers += [f"AUTH {auth}"] if auth and encrypted else []
                say(*(f"250-{offer}" for offer in offers), "250 HELP")(peer)
            elif verb == "STARTTLS":
                _done("220 2.0.0 go ahead")(peer)
                start_tls()(peer)
            elif verb == "AUTH":
                _sign_in(peer, line, login)
            else:
                _done(_FINE.get(verb, "500 5.5.1 unknown command"))(peer)
            if verb == "DATA" and other is None:
                peer.hear_until(b"\r\n.\r\n")
                _done(says.get(".", _FINE["."]))(peer)
            if verb == "QUIT":
                raise GoneError

    return step


def _sign_in(peer: Peer, line: str, login: tuple[str, str]) -> None:
    words = line.split(" ")
    if words[1:2] == ["PLAIN"] and len(words) == 3:
        given = tuple(b64decode(words[2]).decode().split("\0")[1:])
    else:
        given = tuple(_asked(peer, prompt) for prompt in ("Username:", "Password:"))
    _done("235 2.7.0 welcome" if given == login else "535 5.7.8 Error: authentication failed")(peer)


def _asked(peer: Peer, prompt: str) -> str:
    _done(f"334 {b64encode(prompt.encode()).decode()}")(peer)
    return b64decode(peer.hear_until(b"\r\n")).decode()


def _done(deed: Deed) -> Step:
    return say(*deed.split("\n")) if isinstance(deed, str) else deed


def in_clear(reply: str, fine: str = "250 2.1.0 OK") -> Step:
    """Say ``reply`` as long as nothing is encrypted."""
    return lambda peer: _done(fine if isinstance(peer.connection, ssl.SSLSocket) else reply)(peer)


def greets(*lines: str) -> list[Step]:
    """A server of another kind, which says so at once."""
    return [say(*lines), hang()]


def answers(*lines: str) -> list[Step]:
    """A server of another kind, which waits to be spoken to and then says what it made of it."""
    return [hear_bytes(1), say(*lines)]
