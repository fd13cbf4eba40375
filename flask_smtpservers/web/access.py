"""Who may do what: every view is wrapped in :func:`protected`, and whatever is not plainly allowed is denied."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from functools import wraps
from hashlib import sha256
from importlib import import_module
from typing import Any, ParamSpec

from flask import abort, current_app, request, session
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import Forbidden, HTTPException

from ..permissions import APP, Action
from ..state import state_of
from . import csrf

logger = logging.getLogger("flask_smtpservers")

P = ParamSpec("P")

#: Where the session keeps the random value that binds drafts to it.
NONCE_KEY = "smtpservers_nonce"


def protected(*actions: Action) -> Callable[[Callable[P, ResponseReturnValue]], Callable[P, ResponseReturnValue]]:
    """Let a view run only if the host allows all ``actions``, and a POST only with a valid CSRF token."""

    def decorate(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
            for action in actions:
                if not allowed(action):
                    return refusal()
            if request.method not in ("GET", "HEAD"):  # views act on POST only
                csrf.check(state_of().settings.external_url)
            return view(*args, **kwargs)

        return guarded

    return decorate


def allowed(action: Action) -> bool:
    """Ask the host. Only True allows; an error denies and is logged.

    :raises HTTPException: the host's callback answered with one, e.g. ``abort(401)`` or its login page.
    """
    access = state_of().access
    if access is None:
        return False
    try:
        return access(action, APP) is True
    except HTTPException:
        raise
    except Exception:  # whatever goes wrong in the host's callback must deny, never allow
        logger.exception("access(%r, ...) failed, so it was denied", str(action))
        return False


def allowed_quietly(action: Action) -> bool:
    """Like :func:`allowed` for menus and buttons, where a host that aborts means no."""
    try:
        return allowed(action)
    except HTTPException:
        return False


def require(action: Action) -> None:
    """Deny the rest of a view that needs one more permission, e.g. because a password was typed."""
    if not allowed(action):
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
    """Return what ties a draft to this browser session and this person."""
    nonce = session.get(NONCE_KEY)
    if not isinstance(nonce, str):
        nonce = session[NONCE_KEY] = secrets.token_urlsafe(16)
    return sha256(f"{nonce}:{actor() or login_id()}".encode("utf-8", "surrogatepass")).hexdigest()


def login_id() -> str:
    """Return who is signed in as Flask-Login knows it, for hosts that name no owner."""
    if getattr(current_app, "login_manager", None) is None:
        return ""
    return str(import_module("flask_login").current_user.get_id() or "")
