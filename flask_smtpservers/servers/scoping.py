"""Which rows belong to a scope: part of every query, so that what is another's is not even found."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Table, and_, or_

from ..errors import ConfigurationError
from ..permissions import Scope
from ..safe_text import has_controls

TENANT_LENGTH = 128
OWNER_LENGTH = 255


def columns_of(scope: Scope) -> dict[str, str]:
    """Give the columns that say whose a row is; "none" is an empty text.

    :raises ConfigurationError: the host's id of a tenant or user cannot be stored.
    """
    columns = {"tenant": scope.tenant or "", "owner": scope.owner or ""}
    for name, most in (("tenant", TENANT_LENGTH), ("owner", OWNER_LENGTH)):
        if has_controls(columns[name]) or len(columns[name]) > most:
            raise ConfigurationError(
                f"the id of the {name} must be a text of at most {most} characters without control characters"
            )
    return columns


def within(table: Table, scope: Scope) -> ColumnElement[bool]:
    """Make the condition that a row belongs to exactly this scope."""
    return and_(*(table.c[name] == value for name, value in columns_of(scope).items() if name in table.c))


def usable_in(server: Table, scope: Scope) -> ColumnElement[bool]:
    """Make the condition that a server of the app or of the scope's tenant: what its kinds of mail may go through."""
    tenant = columns_of(scope)["tenant"]
    return and_(or_(server.c.tenant == "", server.c.tenant == tenant), server.c.owner == "")
