"""Setting up a server from an address alone: the address, what was found for it, and whether it works.

The page never sends a user name or a password before a person has seen the server and pressed "Check and save".
"""

from __future__ import annotations

from typing import Any

from flask import Response, redirect, request
from flask.typing import ResponseReturnValue

from ..i18n import gettext as _
from ..permissions import Action
from ..policy import Mode
from ..providers.candidate import Candidate, Discovery
from ..servers.finder import Finder
from ..servers.mailboxes import check_address, split_mailbox
from ..state import state_of
from .access import protected, scope_of_request
from .form_page import form_values, show
from .found import candidate_at, candidate_of, hidden_fields, question_of, sheet_for, show_found, usable
from .links import link
from .rendering import page, tell
from .sheet import Sheet, posted
from .testing import try_sheet
from .turns import NoTurn, search_turn
from .ways import offered

#: The longest address with its name that is looked at.
_LENGTH = 1000

#: What stands below "Server details".
_SERVER_DETAILS = ("name", "host", "port", "ssl", "encryption", "username")

#: What the compact form shows of the form of a server.
_VISIBLE = (*_SERVER_DETAILS, "recipient", "keep_blanks")


@protected(Action.EDIT_SERVERS, Action.TEST_SERVERS)
@offered(Mode.OWN)
def set_up() -> ResponseReturnValue:
    """Ask for an address; look for its servers; show the best of them, or another that was chosen."""
    if not _finder().enabled:
        return redirect(link("add_server"), 303)
    if request.method != "POST":
        return _ask("")
    typed = request.form.get("address", "").strip()[:_LENGTH]
    name, address = split_mailbox(typed)
    if "manual" in request.form:
        return show(sheet_for(None, typed, address))
    try:
        address = check_address(address)
        found = _find(address)
    except ValueError as error:
        return _ask(typed, error=str(error), status=422)
    except NoTurn as refusal:
        tell("warning", str(refusal))
        return _ask(typed, status=429)
    candidate = candidate_of(found, request.form.get("choose", ""))
    if candidate is None:
        return page("set_up.html", **_values(typed, found=found))
    sheet = sheet_for(candidate, typed if name else address, address)
    return page("set_up.html", **_values(typed, found=found, candidate=candidate, sheet=sheet))


@protected(Action.EDIT_SERVERS, Action.TEST_SERVERS)
@offered(Mode.OWN)
def check_set_up() -> ResponseReturnValue:
    """Check the server that was found, or what was made of it by hand; nothing is saved by it."""
    sheet = posted(None)
    typed = sheet.form.text("send_as")
    found = _recall(sheet.form.address)
    asked, host = request.form.get("asked", ""), sheet.form.plain_host().strip().lower()
    unconfirmed = asked != "" and asked == host and request.form.get("confirmed") != asked

    def beside() -> tuple[str, dict[str, Any]]:
        form = sheet.form  # a correction may have changed it meanwhile
        candidate = candidate_at(found, form.text("host"), form.text("port"), form.security) if found else None
        values = _values(typed, found=found, candidate=candidate, sheet=sheet)
        return "set_up.html", {**values, "unconfirmed": unconfirmed}

    def instead(status: int) -> Response:
        if found is None:  # in another process: the usual form knows as much
            return show(sheet, status=status)
        template, values = beside()
        return page(template, status, **values)

    if unconfirmed:
        if found is None:
            sheet.form.place({"host": [_("Make sure that %(host)s is your provider's server.", host=asked)]})
        return instead(422)
    return try_sheet(sheet, instead=instead, beside=beside)


def _finder() -> Finder:
    return state_of().finder_for(scope_of_request())


def _find(address: str) -> Discovery:
    known = _finder().recall(address)
    if known is not None:
        return usable(known)
    with search_turn():
        return usable(_finder().find(address))


def _recall(address: str) -> Discovery | None:
    try:
        known = _finder().recall(address)
    except ValueError:
        return None
    return usable(known) if known is not None else None


def _ask(typed: str, *, error: str = "", status: int = 200) -> Response:
    return page("set_up.html", status, **_values(typed, error=error))


def _values(
    typed: str,
    *,
    error: str = "",
    found: Discovery | None = None,
    candidate: Candidate | None = None,
    sheet: Sheet | None = None,
) -> dict[str, Any]:
    finder = _finder()
    values: dict[str, Any] = {
        "heading": _("Set up SMTP server"),
        "address": typed,
        "error": error,
        "asks_network": finder.asks_network,
        "asks_service": finder.asks_service,
        "found": show_found(found, candidate) if found is not None else None,
        "form": None,
        "unconfirmed": False,
    }
    if sheet is not None:
        values.update(form_values(sheet))
        values["hidden"] = list(hidden_fields(sheet.form, *_VISIBLE))
        values["question"] = question_of(candidate, found.address.domain) if candidate and found else ""
        form = sheet.form
        values["ask_username"] = candidate is not None and not candidate.username
        values["details_open"] = candidate is None or any(form[name].errors for name in _SERVER_DETAILS)
        values["confirmed"] = candidate is not None and request.form.get("confirmed") == candidate.host
    return values
