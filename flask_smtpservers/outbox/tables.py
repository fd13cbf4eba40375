"""The tables of the outbox. Times are whole milliseconds since 1970 in UTC: every database compares them alike.

A message's row is its entry in the log as well; what it said is kept apart, sealed, and deleted when its fate is known.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, false

from ..servers.models import TABLE, Tables, exact, long, metadata

#: A content is kept in pieces of so many characters: MariaDB takes no packet over 16 MB unless it is told to.
PIECE = 1_000_000

_message = Table(
    "smtpservers_message",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("public_id", exact(32), nullable=False),
    Column("tenant", exact(128), nullable=False, server_default=""),
    Column("owner", exact(255), nullable=False, server_default=""),
    Column("owner_named", Boolean, nullable=False, server_default=false()),
    Column("kind", exact(64), nullable=False, server_default=""),
    Column("asked_for", exact(255)),
    Column("author", exact(320), nullable=False, server_default=""),
    Column("server_id", exact(32), nullable=False, server_default=""),
    Column("server_name", exact(100), nullable=False, server_default=""),
    Column("message_id", exact(998), nullable=False),
    Column("header_from", exact(320), nullable=False),
    Column("envelope_from", exact(320), nullable=False),
    Column("size", Integer, nullable=False),
    Column("idempotency_key", exact(255)),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("at_most_once", Boolean, nullable=False, server_default=false()),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Column("state", exact(16), nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("next_at", BigInteger, nullable=False),
    Column("lease_token", exact(32)),
    Column("lease_until", BigInteger),
    Column("claims", Integer, nullable=False, server_default="0"),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("doubts", Integer, nullable=False, server_default="0"),
    Column("pinned_to", exact(32)),
    Column("reason", exact(500), nullable=False, server_default=""),
    Index("smtpservers_message_public_id", "public_id", unique=True),
    Index("smtpservers_message_key", "tenant", "idempotency_key", unique=True),
    Index("smtpservers_message_due", "state", "next_at"),
    Index("smtpservers_message_expires_at", "state", "expires_at"),
    Index("smtpservers_message_created_at", "created_at"),
    **TABLE,
)

_piece = Table(
    "smtpservers_piece",
    metadata,
    Column("message", Integer, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("sealed", long(), nullable=False),
    **TABLE,
)

_recipient = Table(
    "smtpservers_recipient",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("message", Integer, nullable=False),
    Column("address", exact(320), nullable=False),
    Column("state", exact(16), nullable=False),
    Column("attempt", Integer),
    Column("server_id", exact(32)),
    Column("code", Integer),
    Column("enhanced", exact(16)),
    Column("reply", exact(500), nullable=False, server_default=""),
    Column("at", BigInteger),
    Index("smtpservers_recipient_message", "message", "address", unique=True),
    Index("smtpservers_recipient_address", "address"),
    **TABLE,
)

_attempt = Table(
    "smtpservers_attempt",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("message", Integer, nullable=False),
    Column("server_id", exact(32), nullable=False),
    Column("server_name", exact(100), nullable=False),
    Column("worker", exact(64), nullable=False),
    Column("recipients", Integer, nullable=False),
    Column("dot", Boolean, nullable=False, server_default=false()),
    Column("settled", Boolean, nullable=False, server_default=false()),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("outcome", exact(16), nullable=False, server_default=""),
    Column("queue_id", exact(255), nullable=False, server_default=""),
    Column("reply", exact(500), nullable=False, server_default=""),
    Index("smtpservers_attempt_message", "message"),
    Index("smtpservers_attempt_server_id", "server_id", "started_at"),
    **TABLE,
)

_worker = Table(
    "smtpservers_worker",
    metadata,
    Column("id", exact(64), primary_key=True),
    Column("started_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Index("smtpservers_worker_seen_at", "seen_at"),
    **TABLE,
)


@dataclass(frozen=True, eq=False)
class OutboxTables:
    """The tables of the outbox as they stand in one host's metadata."""

    message: Table
    piece: Table
    recipient: Table
    attempt: Table
    worker: Table


def outbox_tables(tables: Tables) -> OutboxTables:
    """Find the outbox's tables among those of one host."""
    ours = (_message, _piece, _recipient, _attempt, _worker)
    return OutboxTables(*(tables.others[table.name] for table in ours))
