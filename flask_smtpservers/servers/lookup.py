"""The one statement with which a send finds the servers that may take its message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, bindparam, literal, or_, select, true
from sqlalchemy.exc import OperationalError, ProgrammingError

from ..safe_text import has_controls
from .cleaning import name_key
from .connections import Reading
from .mailboxes import address_key
from .models import Tables
from .profile import ServerProfile
from .rows import profiles_of
from .schema import Schema

#: The option that switches all sending off.
SENDING = "sending"
OFF = "off"

#: On these a failing statement leaves the transaction around it intact; on others it spoils it.
_FORGIVING = frozenset({"sqlite", "mysql", "mariadb"})


@dataclass(frozen=True, slots=True)
class Candidates:
    """What is known when a message looks for its server.

    :param sending_enabled: the master switch.
    :param servers: those that can be meant: by name, by address, by domain, and the default; in the order of the list.
    :param table_missing: whether the tables do not exist (yet).
    :param any_server: whether there is any server at all, meant or not.
    """

    sending_enabled: bool
    servers: tuple[ServerProfile, ...]
    table_missing: bool = False
    any_server: bool = False


class Lookup:
    """Finds candidates with one SELECT, built once."""

    def __init__(self, tables: Tables, schema: Schema) -> None:
        self._tables = tables
        self._schema = schema
        self._whole = self._statement(frozenset(column.name for column in tables.server.columns))

    def find(self, reading: Reading, *, using: str | None, address: str) -> Candidates:
        """Read the candidates for a message.

        :param using: name or public id that was asked for.
        :param address: the address in the message's From.
        :raises SQLAlchemyError: the database failed, other than by lacking our tables or columns.
        """
        parameters = _parameters(using, address)
        connection = reading.connection
        blind = reading.ours or connection.dialect.name in _FORGIVING
        if blind or self._schema.known_complete(connection):
            try:
                return _candidates(connection.execute(self._whole, parameters).mappings())
            except (OperationalError, ProgrammingError):
                if not blind:
                    raise
                if reading.ours:
                    connection.rollback()
                columns = self._schema.readable(connection)
                if self._schema.known_complete(connection):
                    raise  # all is there, so it was something else
        else:
            columns = self._schema.readable(connection)
        if columns is None:
            return Candidates(sending_enabled=True, servers=(), table_missing=True)
        statement = self._statement(columns)
        return _candidates(connection.execute(statement, parameters).mappings())

    def _statement(self, columns: frozenset[str]) -> Select[Any]:
        server, option = self._tables.server, self._tables.option
        base = select(
            select(option.c.value).where(option.c.name == SENDING).scalar_subquery().label("sending_switch"),
            select(literal(1)).select_from(server).exists().label("any_server"),
        ).subquery("base")
        meant = or_(
            server.c.public_id == bindparam("using"),
            server.c.name_key == bindparam("name"),
            server.c.address_key == bindparam("address"),
            server.c.domain == bindparam("domain"),
            server.c.is_default == true(),
        )
        return (
            select(base, *(column for column in server.columns if column.name in columns))
            .select_from(base.outerjoin(server, meant))
            .order_by(server.c.position, server.c.id)
        )


def _parameters(using: str | None, address: str) -> dict[str, str | None]:
    # A text that no server can have, and that PostgreSQL would refuse to compare, is compared as NULL.
    wanted = using if using and not has_controls(using) else None
    sought, domain = ("", "") if has_controls(address) else address_key(address)
    return {
        "using": wanted,
        "name": name_key(wanted) if wanted else None,
        "address": sought or None,
        "domain": domain or None,
    }


def _candidates(rows: Any) -> Candidates:
    found: list[Mapping[str, Any]] = list(rows)  # never empty: the switch is there even without servers
    return Candidates(
        sending_enabled=found[0]["sending_switch"] != OFF,
        servers=tuple(profiles_of(row for row in found if row["public_id"] is not None)),
        any_server=bool(found[0]["any_server"]),
    )
