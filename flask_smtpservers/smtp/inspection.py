"""Reading a server's certificate when it was refused, for the diagnosis. Nothing is verified, nothing handed over."""

from __future__ import annotations

from dataclasses import replace

from ..findings import Stage
from .certificates import CertificateFacts
from .deadline import Deadline
from .endpoint import Endpoint
from .guard import Guard
from .limits import Limits
from .network import Network
from .session import Session


def peer_certificate(
    endpoint: Endpoint, *, network: Network, guard: Guard, deadline: Deadline, limits: Limits | None = None
) -> CertificateFacts | None:
    """Fetch the facts of the certificate that a server shows, trusted or not, and leave.

    A connection of its own is made, up to the TLS handshake and no further: no login, no client certificate.

    :returns: None if the server showed none that can be read, or encrypts nothing.
    :raises SendError: the server was not reached, or no handshake came about.
    """
    bare = replace(
        endpoint,
        username="",
        password=None,
        client_certificate=None,
        client_key=None,
        certificate_fingerprint="",
        verify_certificate=False,
    )
    session = Session(bare, network=network, guard=guard, deadline=deadline, limits=limits)
    steps = session.opening()
    try:
        for progress in steps:
            if progress.stage is Stage.TLS:
                return session.tls.certificate if session.tls else None
    finally:
        session.close()
    return None
