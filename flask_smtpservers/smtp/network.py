"""The seam to the outside: name resolution and TCP. Tests, and hosts with a proxy, pass their own."""

from __future__ import annotations

import errno
import ipaddress
import socket
import threading
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Protocol

from ..errors import HostNotFound
from ..findings import Stage
from ..i18n import gettext as _
from .deadline import Deadline
from .hostname import ip_literal


class LocalName(str):
    """A host name that is looked up as it stands: hosts file and search domains included.

    Any other name with a dot is looked up as an absolute one (with a dot at its end), so that a search domain cannot
    turn it into another host's name.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Address:
    """One address of a server.

    :param family: ``socket.AF_INET`` or ``socket.AF_INET6``.
    :param ip: the address as text, without a zone id.
    """

    family: int
    ip: str
    port: int

    @property
    def sockaddr(self) -> tuple[str, int] | tuple[str, int, int, int]:
        """What :meth:`socket.socket.connect` takes."""
        return (self.ip, self.port, 0, 0) if self.family == socket.AF_INET6 else (self.ip, self.port)


class Network(Protocol):
    """How a session finds and reaches a server."""

    def resolve(self, host: str, port: int, deadline: Deadline) -> list[Address]:
        """Look ``host`` up, once, before ``deadline``; a :class:`LocalName` is looked up as it stands.

        :raises HostNotFound: there is no such name, or name resolution does not work.
        """
        ...  # pragma: no cover

    def dial(self, address: Address, timeout: float) -> socket.socket:
        """Open a TCP connection to exactly this address within ``timeout`` seconds.

        :raises OSError: none came about.
        """
        ...  # pragma: no cover


class SystemNetwork:
    """The resolver and the sockets of this machine."""

    def resolve(self, host: str, port: int, deadline: Deadline) -> list[Address]:
        """Look ``host`` up with getaddrinfo, once; see :meth:`Network.resolve`."""
        literal = ip_literal(host)
        if literal is not None:
            family = socket.AF_INET if literal.version == 4 else socket.AF_INET6
            return [Address(family, str(literal), port)]
        name = host if isinstance(host, LocalName) or "." not in host else f"{host}."
        answers = _look_up(name, port, deadline)
        if isinstance(answers, OSError):
            raise host_not_found(host, answers)
        return _alternating([Address(family, str(where[0]), int(where[1])) for family, where in answers])

    def dial(self, address: Address, timeout: float) -> socket.socket:
        """Connect; see :meth:`Network.dial`. The peer must be the address that was vetted."""
        connection = socket.socket(address.family, socket.SOCK_STREAM)
        try:
            connection.settimeout(timeout)
            connection.connect(address.sockaddr)
            peer = _peer_of(connection)
            wanted = (ipaddress.ip_address(address.ip), address.port)
            if peer and (ipaddress.ip_address(peer[0]), peer[1]) != wanted:
                raise OSError(errno.EADDRNOTAVAIL, "connected to another address than the one asked for")
        except BaseException:
            connection.close()
            raise
        return connection


def _peer_of(connection: socket.socket) -> tuple[Any, ...]:
    """Return the other end; empty if it has hung up already, which whoever reads will notice."""
    try:
        peer: tuple[Any, ...] = connection.getpeername()
    except OSError as error:
        if error.errno != errno.ENOTCONN:
            raise
        return ()
    return peer


def host_not_found(host: str, cause: OSError) -> HostNotFound:
    """Turn a failed look-up into our error; ``resolver_failed`` tells a bad name from a broken resolver."""
    unknown = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
    if isinstance(cause, socket.gaierror) and cause.errno in unknown:
        error = HostNotFound(_("There is no host called %(host)s.", host=host), stage=Stage.RESOLVE)
    else:
        text = _("This machine could not look up %(host)s: name resolution does not work.", host=host)
        error = HostNotFound(text, stage=Stage.RESOLVE)
        error.resolver_failed = True
    error.errno = cause.errno
    return error


Answers = list[tuple[int, tuple[Any, ...]]]


def _look_up(name: str, port: int, deadline: Deadline) -> Answers | OSError:
    """Call getaddrinfo in a thread: it knows no time-out of its own, and a lost resolver can hold it for a minute.

    The thread is a daemon: it ends when the resolver gives up, and never keeps the process alive.
    """
    outcome: list[Answers | OSError] = []

    def ask() -> None:
        try:
            found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
            inet = (socket.AF_INET, socket.AF_INET6)
            outcome.append([(int(family), where) for family, _, _, _, where in found if family in inet])
        except OSError as error:
            outcome.append(error)
        except UnicodeError:
            outcome.append(socket.gaierror(socket.EAI_NONAME, "not a host name"))

    thread = threading.Thread(target=ask, name="smtpservers-resolve", daemon=True)
    thread.start()
    thread.join(deadline.remaining())
    if not outcome:
        return socket.gaierror(socket.EAI_AGAIN, "name resolution timed out")
    answers = outcome[0]
    return answers or socket.gaierror(socket.EAI_NONAME, "no IPv4 or IPv6 address")


def _alternating(addresses: list[Address]) -> list[Address]:
    """Keep the system's order, but let the families take turns (RFC 8305 §4): one that is broken costs one attempt."""
    first = [address for address in addresses if address.family == addresses[0].family]
    other = [address for address in addresses if address.family != addresses[0].family]
    return [address for pair in zip_longest(first, other) for address in pair if address is not None]
