"""Who may do what, and in whose settings: every view is wrapped in :func:`protected`, and the rest is denied."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from hashlib import sha256
from importlib import import_module
from typing import Any, ParamSpec

from flask import abort, current_app, request, session
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import Forbidden, HTTPException

from ..permissions import APP, Action, Scope
from ..servers.scoping import columns_of
from ..state import state_of
from . import csrf

logger = logging.getLogger("flask_smtpservers")

P = ParamSpec("P")

#: Where the session keeps the random value that binds drafts to it.
NONCE_KEY = "smtpservers_nonce"

#: Where the WSGI environment of a request keeps its scope.
_SCOPE_KEY = "flask_smtpservers.scope"

#: What somebody does with his own servers; all of it is the one permission to have some.
_WITH_OWN = frozenset({Action.VIEW_SERVERS, Action.EDIT_SERVERS, Action.CHANGE_SECRETS, Action.TEST_SERVERS})
_WITH_OWN |= {Action.MANAGE_PERSONAL, Action.VIEW_HISTORY}
#: What concerns whoever runs the app, whatever tenant he looks at.
_OF_APP = frozenset({Action.VIEW_CHECKS, Action.VIEW_HEALTH, Action.SWITCH_MODES})


def protected(
    *actions: Action, personal: bool = False
) -> Callable[[Callable[P, ResponseReturnValue]], Callable[P, ResponseReturnValue]]:
    """Let a view run only if the host allows all ``actions``, and a POST only with a valid CSRF token.

    :param personal: whether the view is about the person's own servers, and not those of the app or the tenant.
    """

    def decorate(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
            if personal:
                if not state_of().settings.personal:
                    abort(404)
                if not actor():
                    return refusal()
                request.environ[_SCOPE_KEY] = Scope(tenant_scope().tenant, actor())
            for action in actions:
                if not allowed(action):
                    return refusal()
            if request.method not in ("GET", "HEAD"):  # views act on POST only
                csrf.check(state_of().settings.external_url)
            if not _shows_only():
                refuse_locked(str(kwargs.get("server_id", "")))
            return view(*args, **kwargs)

        return guarded

    return decorate


#: What can be done with a server of the app's configuration: nothing that changes it.
_OF_LOCKED = frozenset({"client_settings", "server_history", "test_server"})


def _shows_only() -> bool:
    """Say whether the page of this request changes no server: the one to edit it is shown for a locked one as well."""
    name = (request.endpoint or "").rpartition(".")[2]
    return name in _OF_LOCKED or (name == "edit_server" and request.method in ("GET", "HEAD"))


def refuse_locked(server_id: str) -> None:
    """Keep whoever looks after the app's servers from changing one of the app's configuration.

    :raises ServerLocked: with the sentence that says where it is set up.
    """
    if server_id and scope_of_request() == APP:  # for all others there is no such server
        state_of().store.configured.refuse_change(server_id)


def scope_of_request() -> Scope:
    """Tell whose servers this request is about: the person's own on his page, else those of the tenant or the app.

    It is the same all through a request. Everything that a page reads or changes is of this scope, so what is another's
    is not even found.
    """
    scope = request.environ.get(_SCOPE_KEY)
    if not isinstance(scope, Scope):
        scope = request.environ[_SCOPE_KEY] = tenant_scope()
    return scope


@contextmanager
def for_person(scope: Scope) -> Iterator[None]:
    """Let a part of a page of the host be about the person's own servers."""
    before = request.environ.get(_SCOPE_KEY)
    request.environ[_SCOPE_KEY] = scope
    try:
        yield
    finally:
        request.environ[_SCOPE_KEY] = before


def tenant_scope() -> Scope:
    """Give the scope of the administration: the tenant of this request, or the app where the host names none."""
    return Scope(state_of().tenant())


def allowed(action: Action, scope: Scope | None = None) -> bool:
    """Ask the host. Only True allows; an error denies and is logged.

    :param scope: whose settings it concerns; those of this request if it is None.
    :raises HTTPException: the host's callback answered with one, e.g. ``abort(401)`` or its login page.
    """
    access = state_of().access
    if access is None:
        return False
    try:
        scope = APP if action in _OF_APP else scope or scope_of_request()
        if scope.owner:
            if action not in _WITH_OWN or scope.owner != actor() or not state_of().settings.personal:
                return False
            action = Action.MANAGE_PERSONAL
        return access(action, scope) is True
    except HTTPException:
        raise
    except Exception:  # whatever goes wrong in the host's callbacks must deny, never allow
        logger.exception("access(%r, ...) failed, so it was denied", str(action))
        return False


def allowed_quietly(action: Action, scope: Scope | None = None) -> bool:
    """Like :func:`allowed` for menus and buttons, where a host that aborts means no."""
    try:
        return allowed(action, scope)
    except HTTPException:
        return False


def may_have_own() -> bool:
    """Whether the person of this request may have servers of his own."""
    if not state_of().settings.personal:
        return False
    owner = actor()
    return bool(owner) and allowed_quietly(Action.MANAGE_PERSONAL, Scope(tenant_scope().tenant, owner))


def require(action: Action, scope: Scope | None = None) -> None:
    """Deny the rest of a view that needs one more permission, e.g. because a password was typed."""
    if not allowed(action, scope):
        abort(403)


def refusal() -> ResponseReturnValue:
    """Send somebody who is not signed in to the host's login, and tell everybody else that it is forbidden."""
    manager: Any = getattr(current_app, "login_manager", None)
    if manager is not None and not import_module("flask_login").current_user.is_authenticated:
        answer: ResponseReturnValue = manager.unauthorized()
        return answer
    raise Forbidden


def actor() -> str:
    """Name the person of this request for the history, as the host's ``owner`` does."""
    return state_of().owner() or ""


def person() -> str:
    """Return a name of the person in front of the page for previews, as far as the host tells one."""
    if getattr(current_app, "login_manager", None) is None:
        return actor()
    user = import_module("flask_login").current_user
    names = (getattr(user, key, None) for key in ("name", "full_name", "username"))
    return next((name for name in names if isinstance(name, str) and name), actor())


def own_address() -> str:
    """Return the address of the person in front of the page, if the host tells one; else an empty text."""
    name = actor()
    if "@" in name:
        return name
    if getattr(current_app, "login_manager", None) is None:
        return ""
    address = getattr(import_module("flask_login").current_user, "email", None)
    return address if isinstance(address, str) and "@" in address else ""


def binding() -> str:
    """Return what ties a draft to this browser session, this person, and whose settings it is about."""
    nonce = session.get(NONCE_KEY)
    if not isinstance(nonce, str):
        nonce = session[NONCE_KEY] = secrets.token_urlsafe(16)
    parts = (nonce, actor() or login_id(), *columns_of(scope_of_request()).values())
    return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def form_mark() -> str:
    """Return what a form carries to be known again as this person's, in this session."""
    return sha256(f"form:{binding()}".encode()).hexdigest()


def login_id() -> str:
    """Return who is signed in as Flask-Login knows it, for hosts that name no owner."""
    if getattr(current_app, "login_manager", None) is None:
        return ""
    return str(import_module("flask_login").current_user.get_id() or "")
