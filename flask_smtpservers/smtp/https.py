"""A guarded HTTPS GET, for the small pages in which a mail domain publishes its settings.

The name is looked up once, every address is vetted, and what was vetted is what is connected to; the certificate must
bear the name. Neither cookies nor credentials nor a ``Referer`` are sent, and no proxy is taken from the environment.
"""

from __future__ import annotations

import errno
import http.client
import io
import socket
import ssl
from contextlib import closing
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from ..errors import AddressBlocked, ProtocolError
from ..findings import Stage
from ..i18n import gettext as _
from .deadline import Deadline
from .failures import failure, most_telling
from .guard import Guard
from .hostname import host_error, ip_literal
from .network import Address, Network
from .tls import client_context

PORT = 443
MAX_BYTES = 64 * 1024
CONNECT_SECONDS = 2.0

#: What the status line and the headers may take besides the page.
_HEADER_BYTES = 16 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HEADERS = {"Accept": "text/xml, application/xml", "User-Agent": "Flask-SMTPServers", "Connection": "close"}


def https_get(
    url: str,
    *,
    network: Network,
    guard: Guard,
    deadline: Deadline,
    ca_file: str | None = None,
    connect_seconds: float = CONNECT_SECONDS,
    max_bytes: int = MAX_BYTES,
    redirects: int = 1,
) -> bytes | None:
    """Fetch a page.

    :param url: ``https://`` with a host name, on port 443.
    :param guard: which networks are allowed besides public addresses; its ports and short names do not count here.
    :param deadline: the end of everything, redirects included.
    :param connect_seconds: the limit for connecting, for all addresses together.
    :param redirects: how many redirects are followed; each target is checked like the first address.
    :returns: the body, or None if the server answered that it has no such page.
    :raises SendError: the page could not be fetched under these rules; :class:`AddressBlocked` if it may not be.
    """
    # The names that the operator allows are names of mail servers of his own; an outsider cannot point here at them.
    narrow = Guard(guard.allowed_networks, ports=(PORT,))
    while True:
        place = _checked(url)
        with closing(_connect(place, network, narrow, deadline, connect_seconds, ca_file)) as connection:
            status, location, body = _ask(connection, place, deadline, max_bytes)
        if status == 200:
            return body
        if status not in _REDIRECTS or not location:
            return None
        if redirects <= 0:
            raise ProtocolError(_("%(host)s redirects too often.", host=place.hostname), stage=Stage.EHLO)
        redirects -= 1
        url = urljoin(url, location)


def _checked(url: str) -> SplitResult:
    """Accept only ``https://name/path``."""
    try:
        place = urlsplit(url)
        port = place.port
    except ValueError:
        place, port = urlsplit(""), None
    host = place.hostname or ""
    printable = url.isascii() and all(" " < character < "\x7f" for character in url)
    plain = place.scheme == "https" and port in (None, PORT) and "@" not in place.netloc
    if not printable or not plain or ip_literal(host) is not None or host_error(host) is not None:
        raise AddressBlocked(_("Only pages at https://, on a host with a name, are fetched."), stage=Stage.RESOLVE)
    return place


def _connect(
    place: SplitResult, network: Network, guard: Guard, deadline: Deadline, seconds: float, ca_file: str | None
) -> ssl.SSLSocket:
    host, limit = place.hostname or "", deadline.within(seconds)
    guard.check_host(host, PORT)
    addresses = network.resolve(host, PORT, limit)
    guard.vet(host, addresses)
    stage = Stage.CONNECT
    try:
        connection = _dial(network, addresses, limit)
        try:
            stage = Stage.TLS
            context = client_context(ca_file)
            connection = secured = context.wrap_socket(connection, server_hostname=host, do_handshake_on_connect=False)
            secured.settimeout(_left(deadline))
            secured.do_handshake()
        except BaseException:
            connection.close()
            raise
    except OSError as error:
        raise failure(error, stage, host) from error
    return secured


def _dial(network: Network, addresses: list[Address], limit: Deadline) -> socket.socket:
    errors: list[OSError] = [TimeoutError("timed out")]
    for position, address in enumerate(addresses):
        try:
            return network.dial(address, _left(limit) / (len(addresses) - position))
        except OSError as error:
            errors.append(error)
    raise most_telling(errors[1:] or errors)


def _ask(
    connection: ssl.SSLSocket, place: SplitResult, deadline: Deadline, max_bytes: int
) -> tuple[int, str | None, bytes]:
    """Send the request and read the answer: status, Location, body."""
    host = place.hostname or ""
    client = http.client.HTTPConnection(host, PORT)
    client.sock = _Wire(connection, deadline, max_bytes + _HEADER_BYTES)
    client.auto_open = 0  # it must not find its own way to the host
    target = (place.path or "/") + (f"?{place.query}" if place.query else "")
    try:
        client.request("GET", target, headers={"Host": host, **_HEADERS})
        with client.getresponse() as answer:
            body = answer.read(max_bytes + 1) if answer.status == 200 else b""
            if len(body) > max_bytes:
                raise OSError(errno.EMSGSIZE, "the page is too large")
            if answer.status == 200 and answer.length:
                raise http.client.IncompleteRead(body, answer.length)
            return answer.status, answer.getheader("Location"), body
    except OSError as error:
        raise failure(error, Stage.EHLO, host) from error
    except (http.client.HTTPException, ValueError) as error:
        raise ProtocolError(_("%(host)s did not answer in HTTP.", host=host), stage=Stage.EHLO) from error


class _Wire(io.RawIOBase):
    """The connection as :mod:`http.client` wants it; every read has only what is left of the time and of the bytes.

    Closing it does nothing: http.client does so while the page is still to be read. Who made the connection closes it.
    """

    def __init__(self, connection: ssl.SSLSocket, deadline: Deadline, budget: int) -> None:
        self._connection = connection
        self._deadline = deadline
        self._budget = budget

    def makefile(self, *_mode: Any) -> io.BufferedReader:
        return io.BufferedReader(self)

    def sendall(self, data: bytes) -> None:
        self._connection.settimeout(_left(self._deadline))
        self._connection.sendall(data)

    def close(self) -> None:
        """See the class."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._budget <= 0:
            raise OSError(errno.EMSGSIZE, "the answer is too large")
        self._connection.settimeout(_left(self._deadline))
        received = self._connection.recv_into(buffer)
        self._budget -= received
        return received


def _left(limit: Deadline) -> float:
    """Return the seconds left.

    :raises TimeoutError: none are left; 0 would mean "do not wait" to a socket.
    """
    left = limit.remaining()
    if left <= 0:
        raise TimeoutError("timed out")
    return left
