"""A form that was open for too long: its token is worth nothing any more, but what was typed into it is kept."""

from __future__ import annotations

from hmac import compare_digest

from flask import Response, request
from werkzeug.exceptions import HTTPException

from ..errors import SMTPServersError
from ..i18n import gettext as _
from ..permissions import Action
from ..state import state_of
from . import csrf
from .access import allowed_quietly, form_mark, scope_of_request
from .form_page import show
from .links import endpoint_of_request
from .rendering import tell
from .sheet import posted
from .testing import show_test

_EDITING = (Action.EDIT_SERVERS,)
_TESTING = (Action.EDIT_SERVERS, Action.TEST_SERVERS)

#: Who may see the form again, by the endpoint that it was sent to.
_FORMS = {
    "add_server": _EDITING,
    "edit_server": _EDITING,
    "test_unsaved": _TESTING,
    "check_set_up": _TESTING,
    "test_server": (Action.TEST_SERVERS,),
}


def form_again(reason: str) -> Response | None:
    """Show a form as it was sent, for another try; None if there is none, or if it may come from elsewhere.

    Typed secrets are put away for the next try only if the same person sends the form who opened it.

    :param reason: why it was not accepted, as a sentence.
    """
    actions = _FORMS.get(endpoint_of_request())
    if request.method != "POST" or actions is None or not csrf.proved_ours(state_of().settings.external_url):
        return None
    if not all(allowed_quietly(action) for action in actions):
        return None
    try:
        return _test_again(reason) if endpoint_of_request() == "test_server" else _form_again(reason)
    except (HTTPException, SMTPServersError):
        return None


def _test_again(reason: str) -> Response:
    profile = state_of().store.get((request.view_args or {}).get("server_id", ""), scope=scope_of_request())
    tell("warning", _("%(reason)s So nothing was sent. Press the button again.", reason=reason))
    return show_test(profile, recipient=request.form.get("recipient", ""), status=400)


def _form_again(reason: str) -> Response:
    server_id = (request.view_args or {}).get("server_id") or request.form.get("server", "")
    sheet = posted(state_of().store.latest(server_id, scope=scope_of_request()) if server_id else None)
    texts = [_("%(reason)s So nothing was saved or tested, but what you typed is still here.", reason=reason)]
    if sheet.secrets and not compare_digest(request.form.get("mark", "").encode(), form_mark().encode()):
        sheet.secrets, sheet.places, sheet.newly_typed = {}, {}, False
        texts.append(_("Only the password must be entered again."))
    texts.append(_("Press the button again."))
    tell("warning", " ".join(texts))
    return show(sheet, status=400)
