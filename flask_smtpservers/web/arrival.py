"""The arrival of a test message: the page behind its link, the one for its code, and what a result says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask import Response, abort, request
from flask.typing import ResponseReturnValue

from ..diagnosis.stages import label
from ..findings import Stage
from ..i18n import N_
from ..i18n import gettext as _
from ..permissions import Action
from ..sending.arrival import Awaited, enter_code, open_link
from ..servers.trials import CONFIRMABLE, Confirmation, Trial
from ..state import state_of
from . import dates
from .access import allowed_quietly, protected, scope_of_request
from .links import link
from .rendering import fragment, page
from .runs import Shown, shown_arrival

#: Status and headline of the page, by what became of the link.
_ANSWERS: Mapping[Confirmation, tuple[int, str]] = {
    Confirmation.CONFIRMED: (200, N_("Thank you: the message arrived")),
    Confirmation.ALREADY: (200, N_("This was confirmed before")),
    Confirmation.EXPIRED: (410, N_("This link is too old")),
    Confirmation.UNKNOWN: (404, N_("This test is not known any more")),
    Confirmation.FOREIGN: (404, N_("This link does not work")),
}


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is known of the arrival of one test message.

    :param step: the line among the steps of the test.
    :param url: where to ask again.
    """

    step: Shown
    text: str
    arrived: bool
    url: str


def awaited_arrival(awaited: Awaited) -> Arrival | None:
    """Return what the result page begins with; None if nobody can confirm anything."""
    return _arrival(awaited.trial) if awaited.awaits else None


def _arrival(trial: Trial) -> Arrival:
    url = link("test_result", trial_id=trial.public_id)
    name = label(Stage.ARRIVAL)
    if trial.arrived_at is None:
        text = _("Open the link in the message: this page then says how long it took to arrive.")
        return Arrival(shown_arrival(), text, arrived=False, url=url)
    step = Shown(name, "ok", "ok", _("Arrived"), _took(trial), _("The link in the message was opened"))
    return Arrival(step, _sentence(trial), arrived=True, url=url)


@protected(Action.TEST_SERVERS)
def test_result(trial_id: str) -> ResponseReturnValue:
    """Say how a test ended and whether its message has arrived meanwhile; the script asks for this again and again."""
    trial = state_of().trials.find(trial_id, scope=scope_of_request())
    if trial is None:
        abort(404)
    found = _arrival(trial)
    if "fragment" in request.args:
        return fragment("_arrived.html", arrival=found)
    return page("test_result.html", heading=_("Test of “%(name)s”", name=trial.server_name), arrival=found, trial=trial)


def arrival(token: str) -> ResponseReturnValue:
    """Note that a test message arrived.

    No login is asked for: whoever has the link has got the message, and learns nothing but that. A HEAD request, which
    must change nothing, is answered without a look.
    """
    if request.method == "HEAD":
        return Response(mimetype="text/html")
    confirmation, trial = open_link(state_of(), token)
    status, heading = _ANSWERS[confirmation]
    return page("arrival.html", status, heading=_(heading), **_values(confirmation, trial))


@protected(Action.TEST_SERVERS)
def confirm_arrival() -> ResponseReturnValue:
    """Take the code of a test message that went out without a link, because the app did not know its own address."""
    if request.method != "POST":
        return _code_page()
    code = request.form.get("code", "")[:100]
    confirmation, trial = enter_code(state_of(), code)
    if confirmation is Confirmation.UNKNOWN:
        error = _("No test message has this code. Compare it with the message, sign by sign.")
        return _code_page(code, error, status=422)
    heading = _("This code is too old") if confirmation is Confirmation.EXPIRED else _(_ANSWERS[confirmation][1])
    return page("arrival.html", _ANSWERS[confirmation][0], heading=heading, **_values(confirmation, trial))


def _code_page(code: str = "", error: str = "", *, status: int = 200) -> Response:
    return page("confirm_arrival.html", status, heading=_("Confirm arrival"), code=code, error=error)


def _values(confirmation: Confirmation, trial: Trial | None) -> dict[str, object]:
    url = ""
    if trial is not None and trial.scope == scope_of_request() and allowed_quietly(Action.TEST_SERVERS):
        url = link("test_result", trial_id=trial.public_id)
    good = confirmation in (Confirmation.CONFIRMED, Confirmation.ALREADY)
    return {"good": good, "texts": _texts(confirmation, trial), "result_url": url}


def _texts(confirmation: Confirmation, trial: Trial | None) -> list[str]:
    match confirmation:
        case Confirmation.CONFIRMED if trial is not None:
            of = _("It was the test message of “%(name)s”.", name=trial.server_name)
            return [_sentence(trial), of, _("The page of the test says so now. You can close this window.")]
        case Confirmation.ALREADY if trial is not None:
            of = _("It was the test message of “%(name)s”.", name=trial.server_name)
            return [_sentence(trial), of, _("Each one counts once, so nothing was changed.")]
        case Confirmation.EXPIRED:
            return [_("It was valid for %(number)s days.", number=CONFIRMABLE.days), _again()]
        case Confirmation.UNKNOWN:
            return [_("The message is older than the tests that this app remembers."), _again()]
        case _:
            cut = _("Perhaps a part of it is missing: copy the whole link from the message.")
            return [cut, _("Or it comes from another app, or from before this app's key was changed."), _again()]


def _again() -> str:
    return _("Send a new test message if you still want to know.")


def _took(trial: Trial) -> str:
    return "" if trial.seconds is None else dates.duration(trial.seconds)


def _sentence(trial: Trial) -> str:
    took = _took(trial)
    return _("Arrived after %(time)s.", time=took) if took else _("Arrived.")
