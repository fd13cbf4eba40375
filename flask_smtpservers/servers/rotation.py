"""Sealing all stored secrets again with the newest key, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from sqlalchemy import Connection, RowMapping, Table, select

from ..errors import SecretUnreadable
from .models import Tables
from .profile import ServerProfile
from .rows import profile_of, row_of
from .vault import Vault
from .waiting import waiting_of

_SECRETS = ("password_token", "client_key_token")


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a rotation did.

    :param changed: how many servers' secrets were sealed again.
    :param unchanged: how many had the newest key already, or no secret.
    :param failed: the servers with a secret that cannot be decrypted; they were left as they are.
    """

    changed: int
    unchanged: int
    failed: tuple[ServerProfile, ...]


class Turn(Enum):
    """How one row came out."""

    CHANGED = auto()
    UNCHANGED = auto()
    FAILED = auto()
    AGAIN = auto()


def turn(connection: Connection, tables: Tables, vault: Vault, public_id: str) -> Turn:
    """Seal the secrets of one server again, and those of its change that waits for a test."""
    server, waiting = tables.server, tables.waiting
    mine, this = server.c.public_id == public_id, waiting.c.server_id == public_id
    row = connection.execute(select(server).where(mine).with_for_update()).mappings().first()
    if row is None:
        return Turn.UNCHANGED
    profile = profile_of(dict(row))
    turns = [_seal_again(connection, server, "public_id", row, vault, profile)]
    row = connection.execute(select(waiting).where(this).with_for_update()).mappings().first()
    if row is not None:
        wanted = waiting_of(dict(row), profile).profile
        turns.append(_seal_again(connection, waiting, "server_id", row, vault, wanted))
    return next((kind for kind in (Turn.AGAIN, Turn.FAILED, Turn.CHANGED) if kind in turns), Turn.UNCHANGED)


def _seal_again(
    connection: Connection, table: Table, key: str, row: RowMapping, vault: Vault, profile: ServerProfile
) -> Turn:
    """Seal the secrets in one row again, unless somebody changes them in the same moment.

    The row is written only if its tokens are still those that were read (compare and swap), and only the tokens are
    written: an edit that happens meanwhile is not lost, and is not told that anything changed.
    """
    try:
        fresh = vault.reseal(profile)
    except SecretUnreadable:
        return Turn.FAILED
    if fresh is profile:
        return Turn.UNCHANGED
    tokens = {name: row_of(fresh)[name] for name in _SECRETS if row[name]}
    if not tokens:
        return Turn.UNCHANGED
    same = [table.c[name].is_not_distinct_from(row[name]) for name in (key, *_SECRETS)]
    written = connection.execute(table.update().where(*same).values(tokens))
    return Turn.CHANGED if written.rowcount == 1 else Turn.AGAIN
