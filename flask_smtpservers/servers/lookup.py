"""The one statement with which a send finds the servers that may take its message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import BindParameter, ColumnElement, Result, Select, and_, bindparam, null, or_, select, true
from sqlalchemy.exc import OperationalError, ProgrammingError

from ..permissions import APP, Scope
from ..policy import Mode
from ..safe_text import has_controls
from .cleaning import name_key
from .connections import Reading
from .mailboxes import address_key
from .models import Tables
from .profile import ServerProfile
from .rows import profiles_of
from .schema import Schema
from .scoping import columns_of

#: The option that switches all sending off.
SENDING = "sending"
ON = "on"
OFF = "off"

#: On these a failing statement leaves the transaction around it intact; on others it spoils it.
_FORGIVING = frozenset({"sqlite", "mysql", "mariadb"})
#: Longer than any address that is sent from; SQLite takes no pattern without end.
_LONGEST_ADDRESS = 512

#: The columns that exist, by the name of the table.
Columns = Mapping[str, frozenset[str]]


def mode_option(mode: Mode) -> str:
    """Name the option that switches a way to send on or off."""
    return f"mode.{mode}"


@dataclass(frozen=True, slots=True)
class Candidates:
    """What is known when a message looks for its server.

    :param sending_enabled: the master switch, of the app and of the tenant.
    :param servers: those that can be meant: by name, by address, by domain, by kind, a user's own, and the defaults;
        in the order of the list.
    :param kind_servers: public ids of the servers that the kind of mail is assigned to: the tenant's choice first.
    :param builtin_switch: whether the app's own server was switched on or off for the tenant; None if neither.
    :param table_missing: whether the tables do not exist (yet).
    """

    sending_enabled: bool
    servers: tuple[ServerProfile, ...]
    kind_servers: tuple[str, ...] = ()
    builtin_switch: bool | None = None
    table_missing: bool = False


class Lookup:
    """Finds candidates with one SELECT, built once."""

    def __init__(self, tables: Tables, schema: Schema) -> None:
        self._tables = tables
        self._schema = schema
        self._whole = self._statement(schema.known())

    def find(
        self, reading: Reading, *, using: str | None, address: str, kind: str | None = None, scope: Scope = APP
    ) -> Candidates:
        """Read the candidates for a message.

        :param using: name or public id that was asked for.
        :param address: the address in the message's From.
        :param kind: its kind of mail.
        :param scope: the tenant, and the user whose own servers may be meant.
        :raises SQLAlchemyError: the database failed, other than by lacking our tables or columns.
        """
        parameters = _parameters(using, address, kind, scope)
        connection = reading.connection
        blind = reading.ours or connection.dialect.name in _FORGIVING
        if blind or self._schema.known_complete(connection):
            try:
                return _candidates(connection.execute(self._whole, parameters))
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
        return _candidates(connection.execute(statement, parameters))

    def _statement(self, columns: Columns) -> Select[Any]:
        server, option, kind = self._tables.server, self._tables.option, self._tables.kind
        there = columns[server.name]
        assigned = select(kind.c.server_id).where(kind.c.kind == bindparam("kind"))
        tenants, kinds = "tenant" in columns[option.name], bool(columns[kind.name])
        switched_off = [option.c.name == SENDING, option.c.value == OFF]
        own_mode = select(option.c.value).where(
            option.c.name == mode_option(Mode.BUILTIN), option.c.tenant == bindparam("tenant")
        )
        base = select(
            select(option.c.value)
            .where(*switched_off, *([_of_tenant(option.c.tenant)] if tenants else []))
            .exists()
            .label("sending_off"),
            (own_mode.scalar_subquery() if tenants else null()).label("builtin_switch"),
            *(
                (assigned.where(kind.c.tenant == whose).scalar_subquery() if kinds else null()).label(name)
                for name, whose in (("tenant_kind", bindparam("tenant")), ("shared_kind", ""))
            ),
        ).subquery("base")
        meant = [
            server.c.public_id == bindparam("using"),
            server.c.name_key == bindparam("name"),
            server.c.address_key == bindparam("address"),
            server.c.domain == bindparam("domain"),
            server.c.is_default == true(),
        ]
        if "allowed_senders" in there:
            # Not the whole pattern is a parameter: SQLite would prepare the statement anew for each message.
            for name in ("sends", "sends_domain"):
                item: BindParameter[str] = bindparam(name)
                meant.append(server.c.allowed_senders.contains(item, escape="/"))
        if kinds:
            meant.append(server.c.public_id.in_(assigned.where(_of_tenant(kind.c.tenant))))
        wanted = or_(*meant)
        if {"tenant", "owner"} <= there:
            # A user's own servers are few; which of them is meant, if any, the rules say.
            personal = and_(server.c.tenant == bindparam("tenant"), server.c.owner == bindparam("owner"))
            wanted = or_(personal, and_(server.c.owner == "", _of_tenant(server.c.tenant), wanted))
        statement = (
            select(base, *(column for column in server.columns if column.name in there))
            .select_from(base.outerjoin(server, wanted))
            .order_by(server.c.position, server.c.id)
        )
        return cast("Select[Any]", statement)


def _of_tenant(column: ColumnElement[Any]) -> ColumnElement[bool]:
    return or_(column == "", column == bindparam("tenant"))


def _parameters(using: str | None, address: str, kind: str | None, scope: Scope) -> dict[str, str | None]:
    # A text that no server can have, and that PostgreSQL would refuse to compare, is compared as NULL.
    wanted = using if using and not has_controls(using) else None
    odd = has_controls(address) or len(address) > _LONGEST_ADDRESS
    sought, domain = ("", "") if odd else address_key(address)
    owned = columns_of(scope)
    return {
        "using": wanted,
        "name": name_key(wanted) if wanted else None,
        "address": sought or None,
        "domain": domain or None,
        "sends": _item(sought),
        "sends_domain": _item(domain),
        "kind": kind if kind and not has_controls(kind) else None,
        "tenant": owned["tenant"],
        "owner": owned["owner"] or None,
    }


def _item(text: str) -> str | None:
    """Make the pattern that finds one item of a list in which each stands between two line breaks."""
    if not text:
        return None
    literal = text.replace("/", "//").replace("%", "/%").replace("_", "/_")
    return f"\n{literal}\n"


def _candidates(result: Result[Any]) -> Candidates:
    columns = tuple(result.keys())
    found = [dict(zip(columns, row, strict=True)) for row in result]
    first = found[0]  # there is one even without servers, for the switches
    assigned = dict.fromkeys(first[name] for name in ("tenant_kind", "shared_kind") if first[name])
    switch = first["builtin_switch"]
    return Candidates(
        sending_enabled=not first["sending_off"],
        servers=tuple(profiles_of(row for row in found if row["public_id"] is not None)),
        kind_servers=tuple(assigned),
        builtin_switch=None if switch is None else switch == ON,
    )
