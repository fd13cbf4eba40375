"""Testing a stored server, or what stands in the form ("Test SMTP Settings"); the result is streamed step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from flask import Response, request
from flask.typing import ResponseReturnValue

from ..errors import InvalidServer
from ..findings import Step
from ..i18n import gettext as _
from ..mailbox import mailbox
from ..permissions import Action
from ..policy import Mode
from ..sending.arrival import Awaited, await_arrival
from ..sending.trial import try_server
from ..servers.mailboxes import check_address, split_mailbox
from ..servers.profile import ServerProfile
from ..state import state_of
from . import presenting
from .access import actor, allowed_quietly, binding, own_address, protected, refuse_locked, require, scope_of_request
from .arrival import awaited_arrival
from .corrections import changes, correction_of
from .form_page import form_values, show
from .forms import LABELS
from .links import link
from .outcome import after_sheet, after_stored
from .own_addresses import is_proved, proved_addresses, usual_recipient
from .past_tests import past_tests
from .proof import Proof
from .rendering import fragment, page, streamed, tell
from .reports import report_of
from .runs import Run
from .sheet import Sheet, posted, stored
from .turns import NoTurn, Turn, take_turn
from .ways import refused


@protected(Action.TEST_SERVERS)
def test_server(server_id: str) -> ResponseReturnValue:
    """Ask where the test message of a stored server shall go; then run the test."""
    profile = state_of().store.get(server_id, scope=scope_of_request())
    if request.method != "POST":
        return show_test(profile, recipient=usual_recipient())
    if "fix" in request.form:
        return _test_corrected(profile)
    recipient = request.form.get("recipient", "").strip()
    try:
        address = _address(recipient)
        _check_whose(address)
    except ValueError as error:
        return show_test(profile, recipient=recipient, error=str(error), status=422)

    def run(turn: Turn) -> Response:
        who = actor()
        awaited = await_arrival(state_of(), profile, name=profile.name, recipient=address, actor=who)
        steps = keeping(try_server(state_of(), profile, recipient=address, awaited=awaited, actor=who))
        running = _run(turn.during(steps), profile.host, profile.username, address, awaited)
        shown: dict[str, Any] = {"run": running, "after": after_stored(profile)}
        shown["report"] = report_of(running, profile.address)
        if "fragment" in request.form:
            return fragment("_run.html", **shown)
        return streamed("test.html", **shown, **_values(profile, recipient, ""))

    return in_turn((profile.host, profile.port), run, lambda: show_test(profile, recipient=recipient, status=429))


def _test_corrected(profile: ServerProfile) -> Response:
    """Test a stored server with a correction that is not stored; the form below the result saves it."""
    require(Action.EDIT_SERVERS)
    refuse_locked(profile.public_id)
    sheet = stored(profile)
    sheet.form.set("recipient", request.form.get("recipient", ""))
    return try_form(sheet)


@protected(Action.TEST_SERVERS, Action.EDIT_SERVERS)
def test_unsaved() -> ResponseReturnValue:
    """Test what stands in the form. Nothing is saved; a typed password stays usable for the form below the result."""
    server_id = request.form.get("server", "")
    refuse_locked(server_id)
    instead = None if server_id else refused(Mode.OWN)
    if instead is not None:
        return instead
    return try_form(posted(state_of().store.latest(server_id, scope=scope_of_request()) if server_id else None))


def try_form(sheet: Sheet) -> Response:
    """Test what stands in the form of a server, and show the form below the result."""
    return try_sheet(sheet, instead=lambda status: show(sheet, status=status), beside=lambda: _beside(sheet))


def try_sheet(
    sheet: Sheet, *, instead: Callable[[int], Response], beside: Callable[[], tuple[str, dict[str, Any]]]
) -> Response:
    """Test what stands in a form; if a correction was pressed (``fix``), with that applied.

    :param instead: makes the page that is shown if it cannot be tested, from its status.
    :param beside: returns the template that shows the test without the script, and its values.
    """
    changed = _correct(sheet) if "fix" in request.form else ""
    recipient = sheet.form.text("recipient").strip()
    values: dict[str, Any] = {}
    address = ""
    try:
        values = sheet.clean().values
    except InvalidServer as error:
        sheet.refuse(error)
    try:
        address = _address(recipient)
        _check_whose(address)
    except ValueError as error:
        sheet.form.place({"recipient": [str(error)]})
    if sheet.form.faulty:
        sheet.notices.extend([changed] if changed else [])
        return instead(422)

    def run(turn: Turn) -> Response:
        # The profile tells which stored secrets may be used: clean() made sure that they stay at their destination.
        scope = scope_of_request()
        awaited = await_arrival(state_of(), None, name=values["name"], recipient=address, actor=actor(), scope=scope)
        steps = try_server(
            state_of(), sheet.fields(), base=sheet.profile, scope=scope, recipient=address, awaited=awaited
        )
        proof = Proof(values, sheet.profile, binding(), awaited.trial.public_id)
        running = _run(
            turn.during(proof.watching(keeping(steps))), values["host"], values["username"], address, awaited
        )
        result: dict[str, Any] = {"run": running, "proof": proof, "changed": changed, "after": after_sheet(sheet)}
        result["report"] = report_of(running, values["address"])
        if "fragment" in request.form:
            if changed:
                sheet.put_away()
                result["corrected"] = sheet.form.correctable()
            return fragment("_run.html", **result)
        template, shown = beside()
        return streamed(template, **result, **shown)

    return in_turn((values["host"], values["port"]), run, lambda: instead(429))


def _run(steps: Iterator[Step], host: str, username: str, recipient: str, awaited: Awaited) -> Run:
    return Run(steps, host, username, recipient, state_of().settings.outbound_ips, awaited_arrival(awaited))


def _correct(sheet: Sheet) -> str:
    """Apply the correction that was pressed, and say what it changed."""
    correction = correction_of(request.form["fix"])
    had_password = "password" in sheet.secrets
    sheet.correct(correction)
    text = _("Changed – %(changes)s. Nothing is saved yet.", changes=changes(correction))
    if had_password and "password" not in sheet.secrets:
        sheet.password_demanded = True
        return _("%(text)s The password was entered for another server, so enter it again and test.", text=text)
    return text


def _beside(sheet: Sheet) -> tuple[str, dict[str, Any]]:
    return "test_unsaved.html", {"heading": _("Test SMTP Settings"), **form_values(sheet)}


def in_turn(target: tuple[str, int], run: Callable[[Turn], Response], wait: Callable[[], Response]) -> Response:
    """Run a test if it may begin now; its turn ends with the test, or with a response that nobody reads.

    :param target: host and port of what is tested.
    :param run: makes the response that runs it.
    :param wait: makes the page that is shown in its place; the sentence why is put above it.
    """
    try:
        turn = take_turn(*target)
    except NoTurn as refusal:
        if "fragment" in request.form:
            return fragment("_busy.html", 429, text=str(refusal))
        tell("warning", str(refusal))
        return wait()
    try:
        response = run(turn)
    except BaseException:
        turn.end()
        raise
    response.call_on_close(turn.end)  # for a reader who leaves before the first step
    return response


def _address(text: str) -> str:
    """Check the recipient of the test message; an empty one is right, then nothing is sent.

    :raises ValueError: it is no single address.
    """
    return check_address(split_mailbox(text)[1]) if text else ""


def _check_whose(address: str) -> None:
    """Let those who may only test send the test message to nobody but themselves.

    :raises ValueError: the address is somebody else's.
    """
    if address and scope_of_request().owner:
        _check_proved(address)
        return
    if not address or allowed_quietly(Action.EDIT_SERVERS):
        return
    try:
        own = _address(own_address())
    except ValueError:
        own = ""
    if mailbox("", address).key == (mailbox("", own).key if own else ""):
        return
    if own:
        raise ValueError(_("You may send the test message to your own address only: %(address)s.", address=own))
    raise ValueError(_("You may send the test message to your own address only, and this app knows none of you."))


def _check_proved(address: str) -> None:
    """Let a user send the test message of his own server only where it is known to be him.

    :raises ValueError: it is not.
    """
    if is_proved(address):
        return
    own = ", ".join(proved_addresses())
    if own:
        raise ValueError(_("You may send the test message to your own address only: %(address)s.", address=own))
    raise ValueError(
        _("A test message can be sent once your address is proved. Leave this empty: the settings are tested.")
    )


def keeping(steps: Iterator[Step]) -> Iterator[Step]:
    """Pass the steps on, and make the noted result lasting, also if the reader leaves half-way."""
    try:
        yield from steps
    finally:
        state_of().store.commit()


def show_test(profile: ServerProfile, *, recipient: str, error: str = "", status: int = 200) -> Response:
    """Render the page that asks where the test message of a stored server shall go."""
    return page("test.html", status, run=None, **_values(profile, recipient, error))


def _values(profile: ServerProfile, recipient: str, error: str) -> dict[str, Any]:
    return {
        "heading": _("Test “%(name)s”", name=profile.name),
        "row": presenting.row(profile, now=datetime.now(UTC)),
        "recipient": recipient,
        "error": error,
        "recipient_label": _(LABELS["recipient"]),
        "action": link("test_server", server_id=profile.public_id),
        "past_tests": past_tests(profile),
    }
