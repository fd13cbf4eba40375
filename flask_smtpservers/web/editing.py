"""Adding and editing a server: one form, one page, and several buttons that send it.

``fill``  fill in what the chosen provider prescribes;  ``fix``  apply a proposed correction;
``look``  only look at the input (the script asks so while somebody types);  none of these: save, as ``save`` says:
``draft``, ``active``, or by default as the switches of the form stand.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from flask import redirect, request
from flask.typing import ResponseReturnValue

from ..errors import InvalidServer, ServerChanged, StoreUnavailable
from ..i18n import gettext as _
from ..permissions import Action
from ..policy import Mode
from ..servers.fields import Cleaned, FieldWarning, clean
from ..servers.profile import ServerProfile
from ..state import state_of
from . import dates, kept, presets, proof
from .access import actor, protected, scope_of_request
from .corrections import changes, correction_of
from .form_page import fingerprint, show
from .forms import LABELS, ServerForm, whole
from .links import link, place_in_list
from .locked import show_locked
from .proving import ask_for_proof
from .rendering import tell
from .sheet import Conflict, Line, Sheet, blank, field_rules, posted, stored
from .ways import offered

logger = logging.getLogger("flask_smtpservers")


@protected(Action.EDIT_SERVERS)
@offered(Mode.OWN)
def add_server() -> ResponseReturnValue:
    """Show the form for a new server, and save it."""
    return _answer(posted(None)) if request.method == "POST" else show(blank())


@protected(Action.EDIT_SERVERS)
def edit_server(server_id: str) -> ResponseReturnValue:
    """Show the form for a stored server, and save it."""
    profile = state_of().store.latest(server_id, scope=scope_of_request())
    if profile.origin:
        return show_locked(profile)
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
    provider = state_of().catalog.provider(sheet.form.text("provider"))
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
    sheet.correct(correction)
    sheet.notices.append(_("Changed – %(changes)s. Test it or save it.", changes=changes(correction)))
    return show(sheet)


def _save(sheet: Sheet) -> ResponseReturnValue:
    store = state_of().store
    as_draft = _use(sheet) == "draft"
    fields = sheet.fields()
    try:
        cleaned = sheet.clean()
        warnings = _new_warnings(sheet, cleaned)
        if warnings and request.form.get("keep") != fingerprint(warnings):
            sheet.to_confirm = warnings
            return show(sheet, status=422)
        if sheet.profile is None:
            saved = store.add(fields, scope=scope_of_request(), actor=actor())
        else:
            version = whole(sheet.form.text("version"), 9) or 0
            saved = store.propose(
                sheet.profile.public_id,
                fields,
                version=version,
                scope=scope_of_request(),
                actor=actor(),
                tested=proof.passed(request.form.get("tested", ""), cleaned.values, sheet.profile),
            )
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
    if saved.waiting is not None:
        tell("notice", *saved.notices)
        return redirect(link("waiting_change", server_id=saved.profile.public_id, _anchor="test"), 303)
    tell("success", _saved_words(saved.profile, as_draft=as_draft))
    tell("notice", *saved.notices)
    tested = proof.apply(request.form.get("tested", ""), cleaned.values, sheet.profile, saved.profile)
    if saved.profile.enabled and saved.profile.tested_at is None and not tested:
        tell("notice", _("It has not been tested yet: press Test to see whether it works."))
    ask_for_proof(saved.profile)
    return redirect(place_in_list(saved.profile.public_id), 303)


def _use(sheet: Sheet) -> str:
    """Read which button saves; one that confirms warnings stands for the one that was pressed before.

    A server that is in use does not become a draft: its change waits.
    """
    form = sheet.form
    pressed = form.text("save_as") if "keep" in request.form else request.form.get("save", "")
    if pressed == "draft" and sheet.profile is not None and sheet.profile.usable:
        pressed = ""
    form.set("save_as", pressed if pressed in ("draft", "active") else "")
    if pressed == "draft" and (sheet.profile is None or not sheet.profile.is_default):
        form.set("is_default", value=False)
    return form.text("save_as")


def _saved_words(saved: ServerProfile, *, as_draft: bool) -> str:
    if as_draft:
        return _("“%(name)s” was saved as a draft: it sends nothing until you activate it.", name=saved.name)
    return _("“%(name)s” was saved.", name=saved.name)


def _new_warnings(sheet: Sheet, cleaned: Cleaned) -> Sequence[FieldWarning]:
    """Return the warnings that the stored server did not have already: what was confirmed once is not asked again."""
    found = cleaned.warnings
    if sheet.profile is None:
        return found
    rules = field_rules()
    known = {warning.text for warning in clean({}, base=sheet.profile, rules=rules).warnings}
    return [warning for warning in found if warning.text not in known]


def _meet(sheet: Sheet) -> None:
    """Set the input beside what somebody else saved, and let the next "Save" replace that knowingly."""
    if sheet.profile is None:
        return
    store = state_of().store
    current = store.latest(sheet.profile.public_id, scope=scope_of_request())
    theirs, yours = stored(current).form, sheet.form
    yours.hide_secrets()
    events = store.events(current.public_id, limit=1, scope=scope_of_request())
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
