"""A network on loopback: names and ports lead where a case says, and what is dialled is noted."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass, field

from flask_smtpservers.errors import HostNotFound
from flask_smtpservers.findings import Stage
from flask_smtpservers.smtp.deadline import Deadline
from flask_smtpservers.smtp.network import Address, SystemNetwork

#: In the place of a port: nothing ever comes back, there is no way there, or the system forbids it.
HOLE, NO_ROUTE, FORBIDDEN = -1, -2, -3
_ERRORS = {
    HOLE: TimeoutError("timed out"),
    NO_ROUTE: OSError(errno.ENETUNREACH, "Network is unreachable"),
    FORBIDDEN: PermissionError(errno.EACCES, "Permission denied"),
}


@dataclass
class Town:
    """Where names and ports lead.

    :param names: names that exist; None for one that the resolver has no answer for.
    :param ports: the port of loopback behind each port, or one of the constants above; the others are shut.
    """

    names: dict[str, str | None] = field(default_factory=dict)
    ports: dict[int, int] = field(default_factory=dict)
    dialled: list[int] = field(default_factory=list)

    def resolve(self, host: str, port: int, deadline: Deadline) -> list[Address]:
        ip = self.names.get(host, "")
        if not ip:
            error = HostNotFound(f"{host} was not found.", stage=Stage.RESOLVE)
            error.resolver_failed = ip is None
            raise error
        return [Address(socket.AF_INET, ip, port)]

    def dial(self, address: Address, timeout: float) -> socket.socket:
        self.dialled.append(address.port)
        really = self.ports.get(address.port)
        if really is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        if really in _ERRORS:
            raise _ERRORS[really]
        return SystemNetwork().dial(Address(socket.AF_INET, "127.0.0.1", really), timeout)
