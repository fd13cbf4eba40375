"""The shop's tables and those of Flask-SMTPServers, as ``flask db migrate`` wrote them; repeated types have names."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

COLLATION = {"charset": "utf8mb4", "collation": "utf8mb4_bin"}
OPTIONS = {
    "mariadb_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_engine": "InnoDB",
}


def exact(length: int) -> sa.String:
    """Text that MariaDB, too, compares byte for byte."""
    return sa.String(length).with_variant(mysql.VARCHAR(length, **COLLATION), "mysql", "mariadb")


def long() -> sa.Text:
    return sa.Text().with_variant(mysql.LONGTEXT(**COLLATION), "mysql", "mariadb")


def time() -> sa.DateTime:
    return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "customer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("address"),
    )
    op.create_table(
        "smtpservers_draft",
        sa.Column("id", exact(64), nullable=False),
        sa.Column("binding", exact(64), nullable=False),
        sa.Column("payload", long(), nullable=False),
        sa.Column("expires_at", time(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **OPTIONS,
    )
    with op.batch_alter_table("smtpservers_draft", schema=None) as batch_op:
        batch_op.create_index("smtpservers_draft_expires_at", ["expires_at"], unique=False)

    op.create_table(
        "smtpservers_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", time(), nullable=False),
        sa.Column("tenant", exact(128), server_default="", nullable=False),
        sa.Column("owner", exact(255), server_default="", nullable=False),
        sa.Column("actor", exact(255), nullable=False),
        sa.Column("action", exact(32), nullable=False),
        sa.Column("server_id", exact(32), nullable=False),
        sa.Column("server_name", exact(100), nullable=False),
        sa.Column("fields", exact(512), nullable=False),
        sa.Column("old_values", long(), nullable=True),
        sa.Column("new_values", long(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        **OPTIONS,
    )
    with op.batch_alter_table("smtpservers_event", schema=None) as batch_op:
        batch_op.create_index("smtpservers_event_at", ["at"], unique=False)
        batch_op.create_index("smtpservers_event_server_id", ["server_id", "id"], unique=False)

    op.create_table(
        "smtpservers_kind",
        sa.Column("tenant", exact(128), nullable=False),
        sa.Column("kind", exact(64), nullable=False),
        sa.Column("server_id", exact(32), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "kind"),
        **OPTIONS,
    )
    with op.batch_alter_table("smtpservers_kind", schema=None) as batch_op:
        batch_op.create_index("smtpservers_kind_server_id", ["server_id"], unique=False)

    op.create_table(
        "smtpservers_option",
        sa.Column("tenant", exact(128), server_default="", nullable=False),
        sa.Column("name", exact(64), nullable=False),
        sa.Column("value", exact(255), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "name"),
        **OPTIONS,
    )
    op.create_table(
        "smtpservers_proof",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("tenant", exact(128), server_default="", nullable=False),
        sa.Column("owner", exact(255), nullable=False),
        sa.Column("server_id", exact(32), nullable=False),
        sa.Column("address_key", exact(320), nullable=False),
        sa.Column("ticket", exact(64), nullable=False),
        sa.Column("asked_at", time(), nullable=False),
        sa.Column("used_at", time(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        **OPTIONS,
    )
    with op.batch_alter_table("smtpservers_proof", schema=None) as batch_op:
        batch_op.create_index("smtpservers_proof_address_key", ["address_key"], unique=False)
        batch_op.create_index("smtpservers_proof_asked_at", ["asked_at"], unique=False)
        batch_op.create_index("smtpservers_proof_server_id", ["server_id", "id"], unique=False)
        batch_op.create_index("smtpservers_proof_ticket", ["ticket"], unique=True)

    op.create_table(
        "smtpservers_server",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public_id", exact(32), nullable=False),
        sa.Column("tenant", exact(128), server_default="", nullable=False),
        sa.Column("owner", exact(255), server_default="", nullable=False),
        sa.Column("name", exact(100), nullable=False),
        sa.Column("name_key", exact(255), nullable=False),
        sa.Column("host", exact(255), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("security", exact(16), nullable=False),
        sa.Column("username", exact(512), nullable=False),
        sa.Column("password_token", long(), nullable=True),
        sa.Column("password_environment", exact(255), nullable=True),
        sa.Column("auth_mechanism", exact(32), server_default="", nullable=False),
        sa.Column("address", exact(320), nullable=False),
        sa.Column("address_key", exact(320), nullable=False),
        sa.Column("domain", exact(255), nullable=False),
        sa.Column("sender_name", exact(255), nullable=False),
        sa.Column("sender_format", exact(255), nullable=False),
        sa.Column("sender_policy", exact(16), nullable=False),
        sa.Column("foreign_sender", exact(16), server_default="keep", nullable=False),
        sa.Column("allowed_senders", long(), nullable=True),
        sa.Column("reply_to", exact(320), nullable=False),
        sa.Column("timeout_seconds", sa.Double(), nullable=False),
        sa.Column("max_connections", sa.Integer(), server_default="0", nullable=False),
        sa.Column("pipelining", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("ca_certificate", long(), nullable=False),
        sa.Column("certificate_fingerprint", exact(128), server_default="", nullable=False),
        sa.Column("client_certificate", long(), nullable=False),
        sa.Column("client_key_token", long(), nullable=True),
        sa.Column("provider", exact(64), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("draft", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("password_changed_at", time(), nullable=True),
        sa.Column("certificate_expires_at", time(), nullable=True),
        sa.Column("tested_at", time(), nullable=True),
        sa.Column("test_passed", sa.Boolean(), nullable=True),
        sa.Column("test_title", exact(255), nullable=False),
        sa.Column("suspended_at", time(), nullable=True),
        sa.Column("suspended_reason", exact(255), server_default="", nullable=False),
        sa.Column("address_verified_at", time(), nullable=True),
        sa.Column("tested_by", exact(255), server_default="", nullable=False),
        sa.Column("retest_since", time(), nullable=True),
        sa.Column("arrived_at", time(), nullable=True),
        sa.Column("failing_since", time(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        **OPTIONS,
    )
    with op.batch_alter_table("smtpservers_server", schema=None) as batch_op:
        batch_op.create_index("smtpservers_server_address_key", ["address_key"], unique=False)
        batch_op.create_index("smtpservers_server_domain", ["domain"], unique=False)
        batch_op.create_index("smtpservers_server_is_default", ["is_default"], unique=False)
        batch_op.create_index("smtpservers_server_name_key", ["tenant", "owner", "name_key"], unique=True)
        batch_op.create_index("smtpservers_server_public_id", ["public_id"], unique=True)

    op.create_table(
        "smtpservers_trial",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public_id", exact(32), nullable=False),
        sa.Column("tenant", exact(128), server_default="", nullable=False),
        sa.Column("owner", exact(255), server_default="", nullable=False),
        sa.Column("server_id", exact(32), nullable=False),
        sa.Column("server_name", exact(100), nullable=False),
        sa.Column("settings", exact(64), nullable=False),
        sa.Column("actor", exact(255), nullable=False),
        sa.Column("recipient", exact(320), nullable=False),
        sa.Column("ticket", exact(64), nullable=True),
        sa.Column("started_at", time(), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=True),
        sa.Column("title", exact(255), nullable=False),
        sa.Column("cause", exact(64), nullable=False),
        sa.Column("queue_id", exact(255), nullable=False),
        sa.Column("sent_at", time(), nullable=True),
        sa.Column("arrived_at", time(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        **OPTIONS,
    )
    with op.batch_alter_table("smtpservers_trial", schema=None) as batch_op:
        batch_op.create_index("smtpservers_trial_public_id", ["public_id"], unique=True)
        batch_op.create_index("smtpservers_trial_server_id", ["server_id", "id"], unique=False)
        batch_op.create_index("smtpservers_trial_started_at", ["started_at"], unique=False)
        batch_op.create_index("smtpservers_trial_ticket", ["ticket"], unique=True)

    op.create_table(
        "smtpservers_turn",
        sa.Column("id", exact(32), nullable=False),
        sa.Column("kind", exact(16), nullable=False),
        sa.Column("person", exact(64), nullable=False),
        sa.Column("budget", exact(64), nullable=False),
        sa.Column("tenant", exact(128), nullable=False),
        sa.Column("target", exact(64), nullable=False),
        sa.Column("begun_at", time(), nullable=False),
        sa.Column("until", time(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **OPTIONS,
    )
    with op.batch_alter_table("smtpservers_turn", schema=None) as batch_op:
        batch_op.create_index("smtpservers_turn_begun_at", ["begun_at"], unique=False)

    op.create_table(
        "smtpservers_waiting",
        sa.Column("server_id", exact(32), nullable=False),
        sa.Column("tenant", exact(128), server_default="", nullable=False),
        sa.Column("owner", exact(255), server_default="", nullable=False),
        sa.Column("mark", exact(32), nullable=False),
        sa.Column("made_at", time(), nullable=False),
        sa.Column("actor", exact(255), nullable=False),
        sa.Column("settings", long(), nullable=False),
        sa.Column("password_token", long(), nullable=True),
        sa.Column("password_environment", exact(255), nullable=True),
        sa.Column("client_key_token", long(), nullable=True),
        sa.PrimaryKeyConstraint("server_id"),
        **OPTIONS,
    )
    op.create_table(
        "smtpservers_attempt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("message", sa.Integer(), nullable=False),
        sa.Column("server_id", exact(32), nullable=False),
        sa.Column("server_name", exact(100), nullable=False),
        sa.Column("worker", exact(64), nullable=False),
        sa.Column("recipients", sa.Integer(), nullable=False),
        sa.Column("dot", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("settled", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", exact(16), server_default="", nullable=False),
        sa.Column("queue_id", exact(255), server_default="", nullable=False),
        sa.Column("reply", exact(500), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **OPTIONS,
    )
    with op.batch_alter_table("smtpservers_attempt", schema=None) as batch_op:
        batch_op.create_index("smtpservers_attempt_message", ["message"], unique=False)
        batch_op.create_index("smtpservers_attempt_server_id", ["server_id", "started_at"], unique=False)

    op.create_table(
        "smtpservers_message",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public_id", exact(32), nullable=False),
        sa.Column("tenant", exact(128), server_default="", nullable=False),
        sa.Column("owner", exact(255), server_default="", nullable=False),
        sa.Column("owner_named", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("kind", exact(64), server_default="", nullable=False),
        sa.Column("asked_for", exact(255), nullable=True),
        sa.Column("author", exact(320), server_default="", nullable=False),
        sa.Column("server_id", exact(32), server_default="", nullable=False),
        sa.Column("server_name", exact(100), server_default="", nullable=False),
        sa.Column("message_id", exact(998), nullable=False),
        sa.Column("header_from", exact(320), nullable=False),
        sa.Column("envelope_from", exact(320), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("idempotency_key", exact(255), nullable=True),
        sa.Column("priority", sa.Integer(), server_default="0", nullable=False),
        sa.Column("at_most_once", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("state", exact(16), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("lease_token", exact(32), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("claims", sa.Integer(), server_default="0", nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("doubts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("pinned_to", exact(32), nullable=True),
        sa.Column("reason", exact(500), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **OPTIONS,
    )
    with op.batch_alter_table("smtpservers_message", schema=None) as batch_op:
        batch_op.create_index("smtpservers_message_created_at", ["created_at"], unique=False)
        batch_op.create_index("smtpservers_message_due", ["state", "next_at"], unique=False)
        batch_op.create_index("smtpservers_message_expires_at", ["state", "expires_at"], unique=False)
        batch_op.create_index("smtpservers_message_key", ["tenant", "idempotency_key"], unique=True)
        batch_op.create_index("smtpservers_message_public_id", ["public_id"], unique=True)

    op.create_table(
        "smtpservers_piece",
        sa.Column("message", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sealed", long(), nullable=False),
        sa.PrimaryKeyConstraint("message", "position"),
        **OPTIONS,
    )
    op.create_table(
        "smtpservers_recipient",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("message", sa.Integer(), nullable=False),
        sa.Column("address", exact(320), nullable=False),
        sa.Column("state", exact(16), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=True),
        sa.Column("server_id", exact(32), nullable=True),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("enhanced", exact(16), nullable=True),
        sa.Column("reply", exact(500), server_default="", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        **OPTIONS,
    )
    with op.batch_alter_table("smtpservers_recipient", schema=None) as batch_op:
        batch_op.create_index("smtpservers_recipient_address", ["address"], unique=False)
        batch_op.create_index("smtpservers_recipient_message", ["message", "address"], unique=True)

    op.create_table(
        "smtpservers_worker",
        sa.Column("id", exact(64), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **OPTIONS,
    )
    with op.batch_alter_table("smtpservers_worker", schema=None) as batch_op:
        batch_op.create_index("smtpservers_worker_seen_at", ["seen_at"], unique=False)

    op.create_table(
        "user",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("username", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("branch", sa.String(length=20), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("username"),
    )


def downgrade() -> None:
    op.drop_table("user")
    with op.batch_alter_table("smtpservers_worker", schema=None) as batch_op:
        batch_op.drop_index("smtpservers_worker_seen_at")

    op.drop_table("smtpservers_worker")
    with op.batch_alter_table("smtpservers_recipient", schema=None) as batch_op:
        batch_op.drop_index("smtpservers_recipient_message")
        batch_op.drop_index("smtpservers_recipient_address")

    op.drop_table("smtpservers_recipient")
    op.drop_table("smtpservers_piece")
    with op.batch_alter_table("smtpservers_message", schema=None) as batch_op:
        batch_op.drop_index("smtpservers_message_public_id")
        batch_op.drop_index("smtpservers_message_key")
        batch_op.drop_index("smtpservers_message_expires_at")
        batch_op.drop_index("smtpservers_message_due")
        batch_op.drop_index("smtpservers_message_created_at")

    op.drop_table("smtpservers_message")
    with op.batch_alter_table("smtpservers_attempt", schema=None) as batch_op:
        batch_op.drop_index("smtpservers_attempt_server_id")
        batch_op.drop_index("smtpservers_attempt_message")

    op.drop_table("smtpservers_attempt")
    op.drop_table("smtpservers_waiting")
    with op.batch_alter_table("smtpservers_turn", schema=None) as batch_op:
        batch_op.drop_index("smtpservers_turn_begun_at")

    op.drop_table("smtpservers_turn")
    with op.batch_alter_table("smtpservers_trial", schema=None) as batch_op:
        batch_op.drop_index("smtpservers_trial_ticket")
        batch_op.drop_index("smtpservers_trial_started_at")
        batch_op.drop_index("smtpservers_trial_server_id")
        batch_op.drop_index("smtpservers_trial_public_id")

    op.drop_table("smtpservers_trial")
    with op.batch_alter_table("smtpservers_server", schema=None) as batch_op:
        batch_op.drop_index("smtpservers_server_public_id")
        batch_op.drop_index("smtpservers_server_name_key")
        batch_op.drop_index("smtpservers_server_is_default")
        batch_op.drop_index("smtpservers_server_domain")
        batch_op.drop_index("smtpservers_server_address_key")

    op.drop_table("smtpservers_server")
    with op.batch_alter_table("smtpservers_proof", schema=None) as batch_op:
        batch_op.drop_index("smtpservers_proof_ticket")
        batch_op.drop_index("smtpservers_proof_server_id")
        batch_op.drop_index("smtpservers_proof_asked_at")
        batch_op.drop_index("smtpservers_proof_address_key")

    op.drop_table("smtpservers_proof")
    op.drop_table("smtpservers_option")
    with op.batch_alter_table("smtpservers_kind", schema=None) as batch_op:
        batch_op.drop_index("smtpservers_kind_server_id")

    op.drop_table("smtpservers_kind")
    with op.batch_alter_table("smtpservers_event", schema=None) as batch_op:
        batch_op.drop_index("smtpservers_event_server_id")
        batch_op.drop_index("smtpservers_event_at")

    op.drop_table("smtpservers_event")
    with op.batch_alter_table("smtpservers_draft", schema=None) as batch_op:
        batch_op.drop_index("smtpservers_draft_expires_at")

    op.drop_table("smtpservers_draft")
    op.drop_table("customer")
