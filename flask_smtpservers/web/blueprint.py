"""The blueprint: which address leads to which view, and what every answer has in common."""

from __future__ import annotations

import logging
from collections.abc import Callable
from inspect import unwrap

from flask import Blueprint, Response, current_app
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import NotFound

from ..errors import ServerLocked, ServerNotFound, StoreUnavailable
from ..i18n import gettext as _
from ..permissions import Action
from . import (
    adopting,
    arrival,
    checks,
    client_settings,
    editing,
    explaining,
    exporting,
    headers,
    health,
    history,
    personal,
    personal_servers,
    provider_help,
    proving,
    received,
    reports,
    servers,
    set_up,
    stale,
    testing,
    trusting,
    used_for,
    waiting,
    ways,
)
from .access import protected
from .csrf import ForgedRequest
from .links import SHARED
from .menu import smtpservers_menu
from .rendering import page
from .status import smtp_status

logger = logging.getLogger("flask_smtpservers")

_PAGE = ("GET",)
_FORM = ("GET", "POST")
_BUTTON = ("POST",)

#: Address, endpoint, methods. Whatever changes something takes POST only. Those that are shared (:data:`.links.SHARED`)
#: are there once more below ``/me``, about the person's own servers.
_ROUTES: tuple[tuple[str, Callable[..., ResponseReturnValue], tuple[str, ...]], ...] = (
    ("/", servers.list_servers, _PAGE),
    ("/add", editing.add_server, _FORM),
    ("/set-up", set_up.set_up, _FORM),
    ("/set-up/check", set_up.check_set_up, _BUTTON),
    ("/test", testing.test_unsaved, _BUTTON),
    ("/sending", servers.switch_sending, _BUTTON),
    ("/built-in", ways.use_builtin, _BUTTON),
    ("/adopt", adopting.adopt_builtin, _BUTTON),
    ("/report/<ticket>", reports.test_report, _PAGE),
    ("/check", checks.self_check, _PAGE),
    ("/tests/<trial_id>", arrival.test_result, _PAGE),
    ("/arrival", arrival.confirm_arrival, _FORM),
    ("/arrival/<token>", arrival.arrival, _PAGE),
    ("/headers", received.read_pasted, _FORM),
    ("/health", health.health, _PAGE),
    ("/history", history.show_history, _PAGE),
    ("/export", exporting.export_servers, _PAGE),
    ("/used-for", used_for.used_for, _PAGE),
    ("/used-for", used_for.assign_kinds, _BUTTON),
    ("/which-server", explaining.which_server, _FORM),
    ("/help/", provider_help.help_index, _PAGE),
    ("/help/<provider_id>", provider_help.help_page, _PAGE),
    ("/<server_id>/edit", editing.edit_server, _FORM),
    ("/<server_id>/password", servers.change_password, _FORM),
    ("/<server_id>/remove", servers.remove_server, _FORM),
    ("/<server_id>/enable", servers.enable_server, _BUTTON),
    ("/<server_id>/pause", servers.pause_server, _BUTTON),
    ("/<server_id>/default", servers.default_server, _BUTTON),
    ("/<server_id>/move", servers.move_server, _BUTTON),
    ("/<server_id>/test", testing.test_server, _FORM),
    ("/<server_id>/change", waiting.waiting_change, _PAGE),
    ("/<server_id>/change/test", waiting.test_change, _BUTTON),
    ("/<server_id>/change/use", waiting.use_change, _BUTTON),
    ("/<server_id>/change/discard", waiting.discard_change, _BUTTON),
    ("/<server_id>/history", history.server_history, _PAGE),
    ("/<server_id>/history/<int:entry>", history.restore_server, _PAGE),
    ("/<server_id>/settings", client_settings.client_settings, _PAGE),
    ("/<server_id>/trust", trusting.trust_certificate, _BUTTON),
    ("/trust", trusting.trust_certificate, _BUTTON),
    ("/personal", personal_servers.personal_servers, _PAGE),
    ("/personal/<server_id>/suspend", personal_servers.suspend_personal_server, _BUTTON),
    ("/personal/<server_id>/resume", personal_servers.resume_personal_server, _BUTTON),
    ("/me", personal.my_servers, _PAGE),
    ("/me/<server_id>/prove", proving.prove_address, _BUTTON),
    ("/me/confirm/<token>", proving.confirm_address, _FORM),
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
        if view.__name__ in SHARED:
            _add_own(blueprint, rule, view, methods)
    blueprint.after_request(headers.secure)
    blueprint.register_error_handler(ForgedRequest, _forged)
    blueprint.register_error_handler(CSRFError, _forged)
    blueprint.register_error_handler(ServerNotFound, _not_found)
    blueprint.register_error_handler(ServerLocked, _locked)
    blueprint.register_error_handler(StoreUnavailable, _unavailable)
    blueprint.add_app_template_global(smtpservers_menu)
    blueprint.add_app_template_global(smtp_status)
    blueprint.add_app_template_global(personal.personal_section, "smtpservers_personal")
    return blueprint


def _add_own(
    blueprint: Blueprint, rule: str, view: Callable[..., ResponseReturnValue], methods: tuple[str, ...]
) -> None:
    """Add a page once more, about the person's own servers; having some is all that is asked for there."""
    bare: Callable[..., ResponseReturnValue] = unwrap(view)
    own = protected(Action.MANAGE_PERSONAL, personal=True)(bare)
    name = f"my_{bare.__name__}"
    blueprint.add_url_rule(f"/me{rule}", name, own, methods=list(methods), provide_automatic_options=False)


def _forged(error: ForgedRequest | CSRFError) -> Response:
    """Say that nothing was done, and how to go on; what was typed into a form stays."""
    again = stale.form_again(str(error.description or ""))
    return again or page(
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


def _locked(error: ServerLocked) -> Response:
    """Say where a server of the configuration can be changed."""
    return page(
        "problem.html",
        403,
        heading=_("This server cannot be changed here"),
        text=str(error),
        reason="",
        advice=_("Nothing was changed. Whoever runs the app can change its configuration."),
    )


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
