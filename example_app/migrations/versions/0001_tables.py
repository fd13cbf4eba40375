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
        sa.Column("actor", exact(255), nullable=False),
        sa.Column("action", exact(32), nullable=False),
        sa.Column("server_id", exact(32), nullable=False),
        sa.Column("server_name", exact(100), nullable=False),
        sa.Column("fields", exact(512), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **OPTIONS,
    )
    with op.batch_alter_table("smtpservers_event", schema=None) as batch_op:
        batch_op.create_index("smtpservers_event_server_id", ["server_id", "id"], unique=False)

    op.create_table(
        "smtpservers_option",
        sa.Column("name", exact(64), nullable=False),
        sa.Column("value", exact(255), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        **OPTIONS,
    )
    op.create_table(
        "smtpservers_server",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public_id", exact(32), nullable=False),
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
        sa.Column("reply_to", exact(320), nullable=False),
        sa.Column("timeout_seconds", sa.Double(), nullable=False),
        sa.Column("max_connections", sa.Integer(), server_default="0", nullable=False),
        sa.Column("pipelining", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("ca_certificate", long(), nullable=False),
        sa.Column("client_certificate", long(), nullable=False),
        sa.Column("client_key_token", long(), nullable=True),
        sa.Column("provider", exact(64), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("password_changed_at", time(), nullable=True),
        sa.Column("tested_at", time(), nullable=True),
        sa.Column("test_passed", sa.Boolean(), nullable=True),
        sa.Column("test_title", exact(255), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **OPTIONS,
    )
    with op.batch_alter_table("smtpservers_server", schema=None) as batch_op:
        batch_op.create_index("smtpservers_server_address_key", ["address_key"], unique=False)
        batch_op.create_index("smtpservers_server_domain", ["domain"], unique=False)
        batch_op.create_index("smtpservers_server_is_default", ["is_default"], unique=False)
        batch_op.create_index("smtpservers_server_name_key", ["name_key"], unique=True)
        batch_op.create_index("smtpservers_server_public_id", ["public_id"], unique=True)

    op.create_table(
        "user",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("username", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("username"),
    )


def downgrade() -> None:
    op.drop_table("user")
    with op.batch_alter_table("smtpservers_server", schema=None) as batch_op:
        batch_op.drop_index("smtpservers_server_public_id")
        batch_op.drop_index("smtpservers_server_name_key")
        batch_op.drop_index("smtpservers_server_is_default")
        batch_op.drop_index("smtpservers_server_domain")
        batch_op.drop_index("smtpservers_server_address_key")

    op.drop_table("smtpservers_server")
    op.drop_table("smtpservers_option")
    with op.batch_alter_table("smtpservers_event", schema=None) as batch_op:
        batch_op.drop_index("smtpservers_event_server_id")

    op.drop_table("smtpservers_event")
    with op.batch_alter_table("smtpservers_draft", schema=None) as batch_op:
        batch_op.drop_index("smtpservers_draft_expires_at")

    op.drop_table("smtpservers_draft")
    op.drop_table("customer")
