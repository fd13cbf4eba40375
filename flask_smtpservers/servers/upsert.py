"""Writing a row whether it is there or not, as each database says it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Executable, Table
from sqlalchemy.dialects import mysql, postgresql, sqlite


def upsert(dialect: str, table: Table, row: Mapping[str, Any]) -> Executable:
    """Write a row in one statement, whether there was one with its key or not.

    MariaDB locks the gap where a missing row would stand if it is looked for first, and then two that make the row
    at the same time end in a deadlock.
    """
    keys = list(table.primary_key)
    rest = {name: value for name, value in row.items() if table.c[name] not in set(keys)}
    if dialect in ("mysql", "mariadb"):
        return mysql.insert(table).values(row).on_duplicate_key_update(rest)
    insert = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    return insert.values(row).on_conflict_do_update(index_elements=keys, set_=rest)
