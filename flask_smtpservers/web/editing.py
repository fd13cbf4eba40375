"""Adding and editing a server: one form, one page, and several buttons that send it.

``fill``  fill in what the chosen provider prescribes;  ``fix``  apply a proposed correction;
``look``  only look at the input (the script asks so while somebody types);  none of these: save.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue

from ..errors import InvalidServer, ServerChanged, StoreUnavailable
from ..i18n import gettext as _
from ..permissions import Action
from ..providers import catalog
from ..servers.fields import Cleaned, FieldRules, FieldWarning, clean
from ..state import state_of
from . import dates, kept, presets, proof
from .access import actor, protected
from .form_page import correction_of, encryption_words, fingerprint, show
from .forms import LABELS, ServerForm, place_of, whole
from .rendering import tell
from .sheet import Conflict, Line, Sheet, blank, posted, stored

logger = logging.getLogger("flask_smtpservers")


@protected(Action.EDIT_SERVERS)
def add_server() -> ResponseReturnValue:
    """Show the form for a new server, and save it."""
    return _answer(posted(None)) if request.method == "POST" else show(blank())


@protected(Action.EDIT_SERVERS)
def edit_server(server_id: str) -> ResponseReturnValue:
    """Show the form for a stored server, and save it."""
    profile = state_of().store.get(server_id)
    return _answer(posted(profile)) if request.method == "POST" else show(stored(profile))


def _answer(sheet: Sheet) -> ResponseReturnValue:
    """Do what the pressed button says."""
    if "fill" in request.form:
        return _fill(sheet)
    if "fix" in request.form:
        return _fix(sheet)
    if "look" in request.form:
        return show(sheet)
    return _save(sheet)


def _fill(sheet: Sheet) -> ResponseReturnValue:
    provider = catalog.provider(sheet.form.text("provider"))
    if provider is None:
        sheet.notices.append(_("Choose a provider from the list first."))
    else:
        presets.fill(sheet.form, provider, address=sheet.form.address)
        sheet.follow_choice()
        if provider.unsupported:
            sheet.notices.append(provider.unsupported)
    return show(sheet)


def _fix(sheet: Sheet) -> ResponseReturnValue:
    correction = correction_of(request.form["fix"])
    sheet.form.correct(correction)
    sheet.follow_correction()
    words = (_change_words(name, value) for name, value in correction.items())
    sheet.notices.append(_("Changed – %(changes)s. Test it or save it.", changes=", ".join(words)))
    return show(sheet)


def _change_words(name: str, value: str) -> str:
    if name == "security":
        return _("Encryption: %(value)s", value=encryption_words(value))
    return _("%(field)s: %(value)s", field=_(LABELS[place_of(name)]), value=value)


def _save(sheet: Sheet) -> ResponseReturnValue:
    store = state_of().store
    fields = sheet.fields()
    try:
        cleaned = sheet.clean()
        warnings = _new_warnings(sheet, cleaned)
        if warnings and request.form.get("keep") != fingerprint(warnings):
            sheet.to_confirm = warnings
            return show(sheet, status=422)
        if sheet.profile is None:
            saved = store.add(fields, actor=actor())
        else:
            version = whole(sheet.form.text("version"), 9) or 0
            saved = store.edit(sheet.profile.public_id, fields, version=version, actor=actor())
    except InvalidServer as error:
        sheet.refuse(error)
        return show(sheet, status=422)
    except ServerChanged:
        _meet(sheet)
        return show(sheet, status=409)
    except StoreUnavailable as error:
        logger.error("a server could not be saved: the database does not answer", exc_info=error)
        sheet.notices.append(
            _("The database does not answer. Nothing was saved or changed; your input is still here, so try again.")
        )
        return show(sheet, status=503)
    store.commit()
    kept.forget(sheet.form)
    tell("success", _("“%(name)s” was saved.", name=saved.profile.name))
    tell("notice", *saved.notices)
    tested = proof.apply(request.form.get("tested", ""), cleaned.values, sheet.profile, saved.profile)
    if saved.profile.enabled and saved.profile.tested_at is None and not tested:
        tell("notice", _("It has not been tested yet: press Test to see whether it works."))
    return redirect(url_for("smtpservers.list_servers", _anchor=f"server-{saved.profile.public_id}"), 303)


def _new_warnings(sheet: Sheet, cleaned: Cleaned) -> Sequence[FieldWarning]:
    """Return the warnings that the stored server did not have already: what was confirmed once is not asked again."""
    found = cleaned.warnings
    if sheet.profile is None:
        return found
    rules = FieldRules.of(state_of().settings)
    known = {warning.text for warning in clean({}, base=sheet.profile, rules=rules).warnings}
    return [warning for warning in found if warning.text not in known]


def _meet(sheet: Sheet) -> None:
    """Set the input beside what somebody else saved, and let the next "Save" replace that knowingly."""
    if sheet.profile is None:
        return
    store = state_of().store
    current = store.get(sheet.profile.public_id)
    theirs, yours = stored(current).form, sheet.form
    yours.hide_secrets()
    events = store.events(current.public_id, limit=1)
    if events and events[0].actor:
        when = dates.ago(events[0].at)
        title = _("Changed meanwhile by %(name)s, %(when)s", name=events[0].actor, when=when)
    else:
        title = _("Changed meanwhile by somebody else")
    silent = ("recipient", "smtp_secret", "client_key")
    lines = (
        Line(_(LABELS[name]), _shown(theirs, name), _shown(yours, name))
        for name in LABELS
        if name not in silent and _shown(theirs, name) != _shown(yours, name)
    )
    sheet.conflict = Conflict(title, tuple(lines))
    sheet.profile = current
    yours.set("version", str(current.version))


def _shown(form: ServerForm, name: str) -> str:
    value = form[name].data
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if name == "encryption" and form.ssl.data:
        return ""
    if name == "auth_mechanism" and not value:
        return _("Automatic")
    return str(value or "").strip()
