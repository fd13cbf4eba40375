"""A change that waits for its test: the old settings stay in use until the new ones have passed it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from flask import Response, redirect, request
from flask.typing import ResponseReturnValue

from ..errors import ServerChanged, StoreUnavailable
from ..findings import Step
from ..i18n import gettext as _
from ..permissions import Action
from ..sending.arrival import Outcome, await_arrival
from ..sending.trial import try_server
from ..servers.waiting import Waiting
from ..state import state_of
from . import dates
from .access import actor, allowed_quietly, protected, require, scope_of_request
from .changes import difference
from .links import link, place_in_list
from .outcome import after_waiting
from .proving import ask_for_proof
from .rendering import page, streamed, tell
from .reports import report_of
from .runs import Run
from .sheet import stored
from .testing import in_turn, keeping, try_form
from .turns import Turn


@dataclass(slots=True)
class Activation:
    """Puts a change to use once its test has passed.

    :param activated: whether that has happened.
    :param refused: why it did not although the test passed.
    """

    waiting: Waiting
    actor: str
    activated: bool = False
    refused: str = ""
    outcome: Outcome = field(default_factory=Outcome)

    def after(self, steps: Iterator[Step]) -> Iterator[Step]:
        """Pass the steps on, to their end; a reader who leaves half-way activates nothing."""
        for step in steps:
            self.outcome.note(step, now=datetime.now(UTC))
            yield step
        if self.outcome.passed:
            self._activate()

    def _activate(self) -> None:
        store, profile = state_of().store, self.waiting.profile
        try:
            live = store.activate(profile.public_id, self.waiting.mark, scope=profile.scope, actor=self.actor)
            until = self.outcome.certificate_expires_at
            store.record_test(live, passed=True, title="", certificate_expires_at=until, tested_by=self.actor)
            store.commit()
        except (ServerChanged, StoreUnavailable) as error:
            self.refused = str(error)
        else:
            self.activated = True


@protected(Action.EDIT_SERVERS)
def waiting_change(server_id: str) -> ResponseReturnValue:
    """Show the change of a server that waits, and what can be done with it."""
    waiting = state_of().store.waiting(server_id, scope=scope_of_request())
    return _show(waiting) if waiting is not None else _gone(server_id)


@protected(Action.EDIT_SERVERS, Action.TEST_SERVERS)
def test_change(server_id: str) -> ResponseReturnValue:
    """Test a change that waits; once it has passed, it is used at once."""
    waiting = state_of().store.waiting(server_id, scope=scope_of_request())
    if waiting is None:
        return _gone(server_id)
    if "fix" in request.form:
        return try_form(stored(waiting.profile))
    if request.form.get("mark") != waiting.mark:
        return _other(server_id)

    def run(turn: Turn) -> Response:
        who, profile = actor(), waiting.profile
        awaited = await_arrival(state_of(), profile, name=profile.name, recipient="", actor=who)
        activation = Activation(waiting, who)
        steps = activation.after(keeping(try_server(state_of(), profile, awaited=awaited, actor=who)))
        running = Run(turn.during(steps), profile.host, profile.username, "", state_of().settings.outbound_ips)
        return streamed(
            "change.html",
            run=running,
            activation=activation,
            after=after_waiting(profile),
            report=report_of(running, profile.address),
            **_values(waiting),
        )

    return in_turn((waiting.profile.host, waiting.profile.port), run, lambda: _show(waiting, status=429))


@protected(Action.EDIT_SERVERS)
def use_change(server_id: str) -> ResponseReturnValue:
    """Use a change that waits although it has not passed a test."""
    waiting = state_of().store.waiting(server_id, scope=scope_of_request())
    if waiting is not None and _has_secrets(waiting):
        require(Action.CHANGE_SECRETS)
    try:
        profile = state_of().store.activate(
            server_id, request.form.get("mark", ""), forced=True, scope=scope_of_request(), actor=actor()
        )
    except ServerChanged:
        return _other(server_id)
    state_of().store.commit()
    tell("success", _("The new settings of “%(name)s” are in use.", name=profile.name))
    ask_for_proof(profile)
    return _to_list(server_id)


@protected(Action.EDIT_SERVERS)
def discard_change(server_id: str) -> ResponseReturnValue:
    """Throw a change that waits away."""
    try:
        profile = state_of().store.discard(
            server_id, request.form.get("mark", ""), scope=scope_of_request(), actor=actor()
        )
    except ServerChanged:
        return _other(server_id)
    state_of().store.commit()
    tell("success", _("The change of “%(name)s” was dropped; it goes on as before.", name=profile.name))
    return _to_list(server_id)


def _show(waiting: Waiting, *, status: int = 200) -> Response:
    return page("change.html", status, run=None, **_values(waiting))


def _values(waiting: Waiting) -> dict[str, Any]:
    when = dates.ago(waiting.made_at)
    saved = _("Saved %(when)s by %(name)s", when=when, name=waiting.actor) if waiting.actor else ""
    live = waiting.live
    return {
        "heading": _("Change of “%(name)s”", name=live.name),
        "profile": live,
        "mark": waiting.mark,
        "saved": saved or _("Saved %(when)s", when=when),
        "changes_made": difference(live, waiting.profile, waiting.fields),
        "in_use": live.usable,
        "may_force": not _has_secrets(waiting) or allowed_quietly(Action.CHANGE_SECRETS),
    }


def _has_secrets(waiting: Waiting) -> bool:
    return bool({"password", "client_key"} & set(waiting.fields))


def _gone(server_id: str) -> ResponseReturnValue:
    """Say that nothing waits: somebody used or dropped it."""
    state_of().store.get(server_id, scope=scope_of_request())  # an unknown server is not found
    tell("notice", _("No change waits any more: it was used or dropped."))
    return _to_list(server_id)


def _other(server_id: str) -> ResponseReturnValue:
    """Show what waits now, in the place of what the page was about."""
    tell("warning", _("Somebody saved, used or dropped a change meanwhile. Nothing was done; look at it again."))
    return redirect(link("waiting_change", server_id=server_id), 303)


def _to_list(server_id: str) -> ResponseReturnValue:
    return redirect(place_in_list(server_id) if allowed_quietly(Action.VIEW_SERVERS) else link("list_servers"), 303)
