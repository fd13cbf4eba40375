"""Between rows of the table and frozen profiles."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from ..smtp.endpoint import Security
from .cleaning import name_key
from .mailboxes import address_key
from .profile import ForeignSender, SenderPolicy, ServerProfile, StoredSecret

logger = logging.getLogger("flask_smtpservers")

#: Without these columns a row is no server; any other may be missing while a migration has not been run yet.
ESSENTIAL = frozenset(
    {"id", "public_id", "name", "name_key", "host", "port", "security", "username", "address", "address_key", "domain"}
    | {"password_token", "password_environment", "enabled", "is_default", "position", "version"}
)

_PLAIN = (
    "public_id",
    "tenant",
    "owner",
    "name",
    "host",
    "port",
    "username",
    "auth_mechanism",
    "address",
    "sender_name",
    "sender_format",
    "reply_to",
    "timeout_seconds",
    "max_connections",
    "pipelining",
    "ca_certificate",
    "certificate_fingerprint",
    "client_certificate",
    "provider",
    "enabled",
    "draft",
    "is_default",
    "position",
    "version",
    "test_passed",
    "test_title",
    "tested_by",
    "suspended_reason",
)
_TIMES = (
    "password_changed_at",
    "certificate_expires_at",
    "tested_at",
    "retest_since",
    "arrived_at",
    "failing_since",
    "suspended_at",
    "address_verified_at",
)


def profile_of(row: Mapping[str, Any]) -> ServerProfile:
    """Make a profile of a row; a column that the table does not have yet gets the profile's default.

    :raises ValueError: the row holds something that this program never writes.
    """
    values: dict[str, Any] = {name: row[name] for name in _PLAIN if name in row}
    values.update((name, aware(row[name])) for name in _TIMES if name in row)
    if "sender_policy" in row:
        values["sender_policy"] = SenderPolicy(row["sender_policy"])
    if "foreign_sender" in row:
        values["foreign_sender"] = ForeignSender(row["foreign_sender"])
    values["allowed_senders"] = tuple((row.get("allowed_senders") or "").split())
    return ServerProfile(
        **values,
        security=Security(row["security"]),
        password=_secret(row.get("password_token"), row.get("password_environment")),
        client_key=_secret(row.get("client_key_token"), None),
    )


def profiles_of(rows: Iterable[Mapping[str, Any]]) -> list[ServerProfile]:
    """Make profiles of rows; a row that something else than this program damaged is left out, and logged."""
    profiles: list[ServerProfile] = []
    for row in rows:
        try:
            profiles.append(_remembered(tuple(row.items())))
        except ValueError:
            logger.exception("The stored SMTP server %s is damaged and was left out", row["public_id"])
    return profiles


@lru_cache(maxsize=256)
def _remembered(row: tuple[tuple[str, Any], ...]) -> ServerProfile:
    """Make the profile of a row once: every message reads its row, and hardly one of them finds it changed."""
    return profile_of(dict(row))


def row_of(profile: ServerProfile) -> dict[str, Any]:
    """Make the columns of a profile, with those under which it is looked up."""
    row: dict[str, Any] = {name: getattr(profile, name) for name in _PLAIN}
    row.update((name, naive(getattr(profile, name))) for name in _TIMES)
    address, domain = address_key(profile.address)
    row.update(
        name_key=name_key(profile.name),
        address_key=address,
        domain=domain,
        security=profile.security.value,
        sender_policy=profile.sender_policy.value,
        foreign_sender=profile.foreign_sender.value,
        allowed_senders=_list(profile.allowed_senders),
        password_token=profile.password.token if profile.password else None,
        password_environment=(profile.password.environment or None) if profile.password else None,
        client_key_token=profile.client_key.token if profile.client_key else None,
    )
    return row


def aware(moment: datetime | None) -> datetime | None:
    """Read a time of the database, which has no zone, as UTC."""
    return None if moment is None else moment.replace(tzinfo=UTC)


def naive(moment: datetime | None) -> datetime | None:
    """Write a time in UTC without its zone."""
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)


def _list(items: tuple[str, ...]) -> str | None:
    """Write a list so that each item, between two line breaks, can be looked for."""
    return "".join(f"\n{item}" for item in items) + "\n" if items else None


def _secret(token: str | None, environment: str | None) -> StoredSecret | None:
    return StoredSecret(token, environment or "") if token else None
