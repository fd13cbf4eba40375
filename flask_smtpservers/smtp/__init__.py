"""An SMTP client: strict with servers, bounded in time and memory, careful with secrets; needs no Flask, no database.

::

    with Session(endpoint, network=SystemNetwork(), guard=Guard(), deadline=Deadline(60)).open() as session:
        receipt = session.send(Envelope(sender="a@example.com", recipients=("b@example.net",)), content)
"""

from __future__ import annotations

from .auth import choose_mechanism
from .certificates import CertificateFacts
from .deadline import Deadline
from .endpoint import Endpoint, Security
from .envelope import Envelope, Receipt
from .guard import Guard
from .hostname import host_error, ip_literal
from .inspection import peer_certificate
from .limits import Limits
from .network import Address, LocalName, Network, SystemNetwork
from .pool import Loan, Pool, PoolLimits
from .reply import Reply
from .session import Progress, Session
from .tls import TLSFacts, check_key_pair, check_pem_bundle, client_context
from .transcript import Transcript

__all__ = [
    "Address",
    "CertificateFacts",
    "Deadline",
    "Endpoint",
    "Envelope",
    "Guard",
    "Limits",
    "Loan",
    "LocalName",
    "Network",
    "Pool",
    "PoolLimits",
    "Progress",
    "Receipt",
    "Reply",
    "Security",
    "Session",
    "SystemNetwork",
    "TLSFacts",
    "Transcript",
    "check_key_pair",
    "check_pem_bundle",
    "choose_mechanism",
    "client_context",
    "host_error",
    "ip_literal",
    "peer_certificate",
]
