"""Whose servers a command is about: ``--tenant`` and ``--owner``."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from ..permissions import Scope

Command = Callable[..., Any]

_TENANT = click.option("--tenant", metavar="ID", help="A tenant's servers; without it the app's own.")
_OWNER = click.option("--owner", metavar="ID", help="The servers that this user has of his own.")


def scope_options(command: Command) -> Command:
    """Give ``command`` the two options; it gets them as ``scope``."""

    @_TENANT
    @_OWNER
    @wraps(command)
    def run(*args: Any, tenant: str | None, owner: str | None, **kwargs: Any) -> Any:
        return command(*args, scope=Scope(tenant or None, owner or None), **kwargs)

    return run


def tenant_option(command: Command) -> Command:
    """Give ``command`` the option ``--tenant``; it gets it as ``scope``."""

    @_TENANT
    @wraps(command)
    def run(*args: Any, tenant: str | None, **kwargs: Any) -> Any:
        return command(*args, scope=Scope(tenant or None), **kwargs)

    return run
