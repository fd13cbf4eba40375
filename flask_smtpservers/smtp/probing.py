"""Finding out what a port does, for the diagnosis. No login, no sender, no message ever leaves from here."""

from __future__ import annotations

import errno
import os
import re
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum

from ..errors import CertificateRefused, HostNotFound, SendError
from ..findings import Stage
from ..i18n import gettext as _
from .deadline import Deadline
from .endpoint import Endpoint, Security
from .guard import Guard
from .network import Address, LocalName, Network
from .reply import EXCERPT, printable
from .session import Session
from .tls import client_context

#: The most addresses of one server that one probe dials.
MOST_DIALS = 2
_RECEIVE = 4096
#: Here servers watch for clients that talk before their turn and remember them; TLS never begins at once.
RELAY_PORT = 25
_REPLY = re.compile(r"[245][0-9]{2}(?:[ -]|\Z)")
#: What may become a reply, from a server that drips.
_BEGINNING = re.compile(rb"[245][0-9]?")


class Speech(StrEnum):
    """What a port was heard to do."""

    SMTP = "smtp"
    """It greets in clear with a code, or refuses with one, as a mail server does (and an FTP server)."""
    TLS = "tls"
    """It answers a TLS handshake, if only with an alert."""
    OTHER = "other"
    """It says something else."""
    NOTHING = "nothing"
    """It accepts the connection and is silent, or hangs up."""
    SHUT = "shut"
    """No connection comes about."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a port was heard to do.

    :param words: the beginning of what it said in clear, printable.
    """

    speech: Speech
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """How far one way into a server goes, up to EHLO.

    :param answers: whether it greets as a mail server, trusted or not.
    :param encrypted: whether a TLS handshake came about, with a trusted certificate or not.
    :param verified: whether all went well: encrypted, the certificate accepted by the settings' own rules, EHLO
        answered, and a login offered where one is needed.
    :param connected: whether a TCP connection came about.
    :param words: what it said where a greeting or an answer was due, printable.
    :param stage: where it ended, None if it went well.
    """

    answers: bool
    encrypted: bool
    verified: bool
    connected: bool = True
    words: str = ""
    stage: Stage | None = None


def addresses_of(endpoint: Endpoint, *, network: Network, guard: Guard, deadline: Deadline) -> list[Address]:
    """Look the endpoint's host up, once, and let the guard judge every address; IPv4 comes first.

    :raises SendError: there is none, or the guard forbids one.
    """
    host = endpoint.host
    if endpoint.guarded:
        guard.check_host(host, endpoint.port)
    local = not endpoint.guarded or guard.is_local_name(host)
    found = network.resolve(LocalName(host) if local else host, endpoint.port, deadline)
    if not found:
        raise HostNotFound(_("%(host)s has no address.", host=host), stage=Stage.RESOLVE)
    if endpoint.guarded:
        guard.vet(host, found)
    # A broken IPv6 is no reason to say that a port is shut.
    return sorted(found, key=lambda address: address.family != socket.AF_INET)


def try_way(
    endpoint: Endpoint, addresses: Sequence[Address], *, network: Network, guard: Guard, deadline: Deadline
) -> Attempt:
    """Go in as a session would, as far as EHLO under encryption, and leave; nobody signs in.

    :param endpoint: host, port and security to try; what belongs to a login is dropped.
    :param addresses: where to go, as :func:`addresses_of` found it; the guard judges them again, with this port.
    """
    bare = without_login(endpoint)
    session = Session(bare, network=_Frugal(network, addresses), guard=guard, deadline=deadline)
    try:
        with session.open():
            features = session.features
    except SendError as error:
        return _failed(error, session)
    login = "AUTH" in features or not endpoint.username
    return Attempt(answers=True, encrypted=session.tls is not None, verified=login and session.tls is not None)


def _failed(error: SendError, session: Session) -> Attempt:
    secured = session.tls is not None or isinstance(error, CertificateRefused)
    greeted = session.greeting is not None and session.greeting.code == 220
    # With SSL the certificate comes before the greeting, which then nobody has heard.
    unheard = isinstance(error, CertificateRefused) and session.endpoint.security is Security.SSL
    return Attempt(
        answers=greeted or unheard,
        encrypted=secured,
        verified=False,
        connected=session.peer is not None,
        words=error.reply if error.stage is Stage.GREETING and error.code is None else "",
        stage=error.stage,
    )


def without_login(endpoint: Endpoint) -> Endpoint:
    """Return the same way in without anything that signs in."""
    return replace(
        endpoint,
        username="",
        password=None,
        token=None,
        client_certificate=None,
        client_key=None,
    )


def listen(host: str, address: Address, *, network: Network, deadline: Deadline, patience: float) -> Heard:
    """Connect and wait for a greeting; where none comes, begin a TLS handshake and look at the first answer.

    Besides the beginning of that handshake nothing is sent.

    :param host: the name to ask for in the handshake.
    :param address: one that the guard has let pass.
    :param patience: how long to wait for a greeting in clear, in seconds.
    """
    try:
        connection = network.dial(address, max(deadline.remaining(), 0.001))
    except OSError:
        return Heard(Speech.SHUT)
    try:
        first = _received(connection, deadline.limit(patience))
        if first is None and address.port != RELAY_PORT:
            connection.settimeout(max(deadline.remaining(), 0.001))
            connection.sendall(_client_hello(host))
            first = _received(connection, deadline.remaining())
    except (OSError, ValueError):
        # It hung up, or the name is none that TLS could ask for: either way nothing was heard.
        first = None
    finally:
        connection.close()
    return _understood(first or b"")


def _received(connection: socket.socket, seconds: float) -> bytes | None:
    """Return the first bytes; None if none came in time, empty if the other side hung up."""
    connection.settimeout(max(seconds, 0.001))
    try:
        return connection.recv(_RECEIVE)
    except TimeoutError:
        return None


def _understood(data: bytes) -> Heard:
    if not data or _BEGINNING.fullmatch(data):
        return Heard(Speech.NOTHING)
    if (
        data[:1] in (b"\x15", b"\x16") and data[1:2] == b"\x03"
    ):  # alert or handshake, of SSL 3 or any TLS (RFC 8446 §5.1)
        return Heard(Speech.TLS)
    words = printable(data[:EXCERPT].partition(b"\n")[0].removesuffix(b"\r"))
    return Heard(Speech.SMTP if _REPLY.match(words) else Speech.OTHER, words)


def _client_hello(host: str) -> bytes:
    """Make the first message of a handshake that is not meant to be finished, so that nothing need be verified."""
    context = client_context(verify=False)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):  # it waits for the answer, which is read elsewhere
        context.wrap_bio(incoming, outgoing, server_hostname=host).do_handshake()
    return outgoing.read()


def knows_authorities() -> bool:
    """Tell whether this machine has any list of certificate authorities where OpenSSL looks for it."""
    if ssl.create_default_context().cert_store_stats()["x509_ca"]:
        return True
    # Those in a directory are loaded one by one when they are needed.
    folder = ssl.get_default_verify_paths().capath
    return bool(folder and os.path.isdir(folder) and os.listdir(folder))  # noqa: PTH112, PTH208 - a text, may be None


class _Frugal:
    """A network that looks nothing up again, and dials few of a server's addresses.

    :param addresses: what the host was found to have; the port is the one that is asked for.
    """

    def __init__(self, network: Network, addresses: Sequence[Address]) -> None:
        self._network = network
        self._addresses = addresses
        self._left = MOST_DIALS

    def resolve(self, host: str, port: int, deadline: Deadline) -> list[Address]:  # noqa: ARG002 - the protocol's
        """Give what was found before; see :meth:`.network.Network.resolve`."""
        return [replace(address, port=port) for address in self._addresses]

    def dial(self, address: Address, timeout: float) -> socket.socket:
        """Connect, a few times; see :meth:`.network.Network.dial`."""
        if self._left <= 0:
            raise OSError(errno.EADDRNOTAVAIL, "enough addresses were tried")
        self._left -= 1
        return self._network.dial(address, timeout)
