"""``access``, ``owner`` and ``tenant`` for hosts with Flask-Login, Flask-Security or Flask-Principal.

::

    smtp.init_app(app, db=db, mail=mail, **flask_login_access(is_admin=lambda user: user.is_admin))

The library is imported when the first request asks.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, NotRequired, TypedDict

from flask import g

from .permissions import AccessPolicy, Action, Scope

__all__ = ["AccessArguments", "flask_login_access", "flask_principal_access", "flask_security_access"]

Judge = Callable[[Any], bool]


class AccessArguments(TypedDict):
    """Arguments of :meth:`flask_smtpservers.SMTPServers.init_app`, to be passed on with ``**``."""

    access: AccessPolicy
    owner: Callable[[], object]
    tenant: NotRequired[Callable[[], object]]


def flask_login_access(
    *, is_admin: Judge, tenant: Callable[[Any], object] | None = None, runs_app: Judge | None = None
) -> AccessArguments:
    """Let Flask-Login's user decide.

    :param is_admin: whether a user looks after the mail servers: of his tenant if there are tenants, else of the app.
    :param tenant: the id of a user's tenant, or None for those who have none.
    :param runs_app: whether a user looks after the app's own servers, and those of any tenant.
    """
    return _arguments(_login_user, lambda user: user.get_id(), is_admin, tenant, runs_app)


def flask_security_access(
    role: str, *, tenant: Callable[[Any], object] | None = None, app_role: str | None = None
) -> AccessArguments:
    """Let the roles of Flask-Security decide.

    A user is known by his primary key ``id``: the id in the session changes with his password.

    :param role: who has it looks after the mail servers: of his tenant if there are tenants, else of the app.
    :param tenant: the id of a user's tenant, or None for those who have none.
    :param app_role: who has it looks after the app's own servers, and those of any tenant.
    """
    runs_app = None if app_role is None else lambda user: user.has_role(app_role)
    return _arguments(_login_user, lambda user: user.id, lambda user: user.has_role(role), tenant, runs_app)


def flask_principal_access(
    permission: Any, *, tenant: Callable[[Any], object] | None = None, app_permission: Any = None
) -> AccessArguments:
    """Let a ``Permission`` of Flask-Principal decide.

    :param permission: whoever it allows looks after the mail servers: of his tenant if there are tenants, else of the
        app.
    :param tenant: the tenant's id by a person's ``Identity``, or None for those who have none.
    :param app_permission: whoever it allows looks after the app's own servers, and those of any tenant.
    """
    runs_app = None if app_permission is None else lambda identity: bool(identity.can(app_permission))
    return _arguments(
        _identity, lambda identity: identity.id, lambda identity: bool(identity.can(permission)), tenant, runs_app
    )


def _login_user() -> Any:
    user = import_module("flask_login").current_user
    return user if user and user.is_authenticated else None


def _identity() -> Any:
    identity = getattr(g, "identity", None)
    return identity if identity is not None and identity.id is not None else None


def _arguments(
    person: Callable[[], Any],
    id_of: Callable[[Any], object],
    is_admin: Judge,
    tenant: Callable[[Any], object] | None,
    runs_app: Judge | None,
) -> AccessArguments:
    """Make the arguments.

    :param person: who is signed in, as the library knows him; None for nobody.
    """

    def owner() -> object:
        user = person()
        return None if user is None else id_of(user)

    def tenant_of_person() -> object:
        user = person()
        return None if user is None or tenant is None else tenant(user)

    def access(action: Action, scope: Scope) -> bool:
        user = person()
        if user is None:
            return False
        if scope.owner is not None:
            return action is Action.MANAGE_PERSONAL and scope.owner == str(id_of(user))
        if runs_app is not None and runs_app(user):
            return True
        own = None if tenant is None else tenant(user)
        if tenant is not None and own is None:
            return False  # somebody without a tenant is not an admin of the app for that
        return scope.tenant == (None if own is None else str(own)) and bool(is_admin(user))

    arguments = AccessArguments(access=access, owner=owner)
    if tenant is not None:
        arguments["tenant"] = tenant_of_person
    return arguments
