"""The blueprint: which address leads to which view, and what every answer has in common."""

from __future__ import annotations

import logging
from collections.abc import Callable

from flask import Blueprint, Response, current_app
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import NotFound

from ..errors import ServerNotFound, StoreUnavailable
from ..i18n import gettext as _
from . import checks, editing, headers, servers, testing
from .csrf import ForgedRequest
from .menu import smtpservers_menu
from .rendering import page

logger = logging.getLogger("flask_smtpservers")

_PAGE = ("GET",)
_FORM = ("GET", "POST")
_BUTTON = ("POST",)

#: Address, endpoint, methods. Whatever changes something takes POST only.
_ROUTES: tuple[tuple[str, Callable[..., ResponseReturnValue], tuple[str, ...]], ...] = (
    ("/", servers.list_servers, _PAGE),
    ("/add", editing.add_server, _FORM),
    ("/test", testing.test_unsaved, _BUTTON),
    ("/sending", servers.switch_sending, _BUTTON),
    ("/check", checks.self_check, _PAGE),
    ("/<server_id>/edit", editing.edit_server, _FORM),
    ("/<server_id>/password", servers.change_password, _FORM),
    ("/<server_id>/remove", servers.remove_server, _FORM),
    ("/<server_id>/enable", servers.enable_server, _BUTTON),
    ("/<server_id>/pause", servers.pause_server, _BUTTON),
    ("/<server_id>/default", servers.default_server, _BUTTON),
    ("/<server_id>/move", servers.move_server, _BUTTON),
    ("/<server_id>/test", testing.test_server, _FORM),
)


def make_blueprint(url_prefix: str) -> Blueprint:
    """Make the blueprint ``smtpservers`` with all pages below ``url_prefix``."""
    blueprint = Blueprint(
        "smtpservers",
        __name__,
        url_prefix=url_prefix.rstrip("/") or None,
        template_folder="../templates",
        static_folder="../static",
    )
    for rule, view, methods in _ROUTES:
        blueprint.add_url_rule(rule, view_func=view, methods=list(methods), provide_automatic_options=False)
    blueprint.after_request(headers.secure)
    blueprint.register_error_handler(ForgedRequest, _forged)
    blueprint.register_error_handler(CSRFError, _forged)
    blueprint.register_error_handler(ServerNotFound, _not_found)
    blueprint.register_error_handler(StoreUnavailable, _unavailable)
    blueprint.add_app_template_global(smtpservers_menu)
    return blueprint


def _forged(error: ForgedRequest | CSRFError) -> Response:
    """Say that nothing was done, and how to go on."""
    return page(
        "problem.html",
        400,
        heading=_("Please try again"),
        text=_("The page could not prove that this request came from you, so nothing was changed or sent."),
        reason=str(error.description or ""),
        advice=_("Go back, reload the page, and do it again."),
    )


def _not_found(error: ServerNotFound) -> ResponseReturnValue:  # noqa: ARG001 - Flask passes it
    """Answer like any unknown address, in the host's own manner."""
    return current_app.handle_user_exception(NotFound())


def _unavailable(error: StoreUnavailable) -> Response:
    """Say that the database failed and that nothing was written."""
    logger.error("the database of the SMTP servers does not answer", exc_info=error)
    return page(
        "problem.html",
        503,
        heading=_("The database does not answer"),
        text=_("Nothing was saved or changed. The app's mail is sent as before as far as possible."),
        reason="",
        advice=_("Try again in a moment. If it stays like this, the app's log says why."),
    )
