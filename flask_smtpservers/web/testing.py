"""Testing a stored server, or what stands in the form ("Test SMTP Settings"); the result is streamed step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from flask import Response, request, url_for
from flask.typing import ResponseReturnValue

from ..errors import InvalidServer
from ..findings import Step
from ..i18n import gettext as _
from ..mailbox import mailbox
from ..permissions import Action
from ..sending.trial import try_server
from ..servers.mailboxes import check_address, split_mailbox
from ..servers.profile import ServerProfile
from ..state import state_of
from . import presenting
from .access import allowed_quietly, binding, own_address, protected
from .form_page import form_values, proposal, show
from .forms import LABELS
from .proof import Proof
from .rendering import fragment, page, streamed, tell
from .runs import Run
from .sheet import posted
from .turns import NoTurn, Turn, take_turn


@protected(Action.TEST_SERVERS)
def test_server(server_id: str) -> ResponseReturnValue:
    """Ask where the test message of a stored server shall go; then run the test."""
    profile = state_of().store.get(server_id)
    if request.method != "POST":
        return _form(profile, recipient=own_address())
    recipient = request.form.get("recipient", "").strip()
    try:
        address = _address(recipient)
        _check_whose(address)
    except ValueError as error:
        return _form(profile, recipient=recipient, error=str(error), status=422)

    def run(turn: Turn) -> Response:
        steps = _keeping(try_server(state_of(), profile, recipient=address))
        running = Run(turn.during(steps), profile.host, profile.username, address)
        if "fragment" in request.form:
            return fragment("_run.html", run=running)
        return streamed("test.html", run=running, **_values(profile, recipient, ""))

    return _in_turn(run, lambda: _form(profile, recipient=recipient, status=429))


@protected(Action.TEST_SERVERS, Action.EDIT_SERVERS)
def test_unsaved() -> ResponseReturnValue:
    """Test what stands in the form. Nothing is saved; a typed password stays usable for the form below the result."""
    server_id = request.form.get("server", "")
    sheet = posted(state_of().store.get(server_id) if server_id else None)
    recipient = sheet.form.text("recipient").strip()
    values: dict[str, Any] = {}
    address = ""
    try:
        values = sheet.clean().values
    except InvalidServer as error:
        sheet.refuse(error)
    try:
        address = _address(recipient)
    except ValueError as error:
        sheet.form.place({"recipient": [str(error)]})
    if sheet.form.faulty:
        return show(sheet, status=422)

    def run(turn: Turn) -> Response:
        # The profile tells which stored secrets may be used: clean() made sure that they stay at their destination.
        steps = try_server(state_of(), sheet.fields(), base=sheet.profile, recipient=address)
        proof = Proof(values, sheet.profile, binding())
        running = Run(turn.during(proof.watching(steps)), values["host"], values["username"], address)
        if "fragment" in request.form:
            return fragment("_run.html", run=running, proof=proof, proposal=proposal)
        heading = _("Test SMTP Settings")
        shown = {"run": running, "proof": proof, "proposal": proposal, **form_values(sheet)}
        return streamed("test_unsaved.html", heading=heading, **shown)

    return _in_turn(run, lambda: show(sheet, status=429))


def _in_turn(run: Callable[[Turn], Response], wait: Callable[[], Response]) -> Response:
    """Run a test if it may begin now; its turn ends with the test, or with a response that nobody reads.

    :param run: makes the response that runs it.
    :param wait: makes the page that is shown in its place; the sentence why is put above it.
    """
    try:
        turn = take_turn()
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


def _keeping(steps: Iterator[Step]) -> Iterator[Step]:
    """Pass the steps on, and make the noted result lasting, also if the reader leaves half-way."""
    try:
        yield from steps
    finally:
        state_of().store.commit()


def _form(profile: ServerProfile, *, recipient: str, error: str = "", status: int = 200) -> Response:
    return page("test.html", status, run=None, **_values(profile, recipient, error))


def _values(profile: ServerProfile, recipient: str, error: str) -> dict[str, Any]:
    return {
        "heading": _("Test “%(name)s”", name=profile.name),
        "row": presenting.row(profile, now=datetime.now(UTC)),
        "recipient": recipient,
        "error": error,
        "recipient_label": _(LABELS["recipient"]),
        "action": url_for("smtpservers.test_server", server_id=profile.public_id),
    }
