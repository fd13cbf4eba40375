"""How the tests of the configuration's servers ended: they have no rows, so each result is an option of the app."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from ..safe_text import printable
from .configured import mark_of
from .models import Tables
from .profile import ServerProfile
from .upsert import upsert

_PREFIX = "test."
#: The longest that is kept of a headline and of a person's name: an option holds 255 characters.
_TITLE, _BY = 70, 40


def write_result(
    connection: Connection,
    tables: Tables,
    profile: ServerProfile,
    *,
    passed: bool,
    title: str,
    by: str,
    at: datetime,
    expires: datetime | None,
) -> None:
    """Keep how a test ended."""
    result = {
        "digest": mark_of(profile),
        "at": at.isoformat(timespec="seconds"),
        "passed": passed,
        "title": _plain(title, _TITLE),
        "by": _plain(by, _BY),
        "expires": expires.date().isoformat() + "T00:00:00+00:00" if expires else "",
    }
    value = json.dumps(result, ensure_ascii=False, separators=(",", ":"))
    row = {"tenant": "", "name": f"{_PREFIX}{profile.public_id}", "value": value}
    connection.execute(upsert(connection.dialect.name, tables.option, row))


def _plain(text: str, limit: int) -> str:
    """Shorten a text to signs that JSON writes as they are."""
    return printable(text, limit).replace("\\", "/").replace('"', "'")


def read_results(connection: Connection, tables: Tables, *, tenants: bool) -> dict[str, dict[str, Any]]:
    """Read the results, by public id.

    :param tenants: whether the table has tenants yet.
    """
    option = tables.option
    statement = select(option.c.name, option.c.value).where(option.c.name.startswith(_PREFIX, autoescape=True))
    if tenants:
        statement = statement.where(option.c.tenant == "")
    return {row.name.removeprefix(_PREFIX): json.loads(row.value) for row in connection.execute(statement)}
