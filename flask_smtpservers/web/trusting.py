"""The button "Trust this certificate": the fingerprint of a server that no authority vouches for, accepted by a person.

It goes into the form, and is saved with it. What was typed or stored as a password does not go along: it was given for
a server that could not prove who it is, so it is given again, by whoever has compared the fingerprint.
"""

from __future__ import annotations

from flask import abort, request
from flask.typing import ResponseReturnValue

from ..i18n import gettext as _
from ..permissions import Action
from ..smtp.pinning import canonical_fingerprint
from ..state import state_of
from .access import allowed_quietly, protected, scope_of_request
from .form_page import show
from .sheet import Sheet, posted, stored
from .testing import try_form


@protected(Action.EDIT_SERVERS, Action.CHANGE_SECRETS)
def trust_certificate(server_id: str = "") -> ResponseReturnValue:
    """Put the fingerprint that was shown into the form; nothing is saved, and no password goes there by itself.

    :param server_id: a stored server; without it, what stands in the form that was sent.
    """
    try:
        fingerprint = canonical_fingerprint(request.form.get("certificate", "")[:200])
    except ValueError:
        abort(400)
    sheet = _sheet(server_id)
    sheet.form.set("certificate_fingerprint", fingerprint)
    if sheet.form.text("username").strip():
        sheet.password_demanded = True
        sheet.notices.append(
            _(
                "Below “Advanced” now stands the fingerprint of the certificate. Enter the password again, then test "
                "or save. Nothing is saved yet."
            )
        )
        return show(sheet)
    sheet.notices.append(_("Below “Advanced” now stands the fingerprint of the certificate. Nothing is saved yet."))
    return try_form(sheet) if allowed_quietly(Action.TEST_SERVERS) else show(sheet)


def _sheet(server_id: str) -> Sheet:
    store, scope = state_of().store, scope_of_request()
    if server_id:
        return stored(store.latest(server_id, scope=scope))
    of_form = request.form.get("server", "")
    return posted(store.latest(of_form, scope=scope) if of_form else None)
