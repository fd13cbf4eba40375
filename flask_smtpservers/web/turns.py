"""Whose turn it is to test a server or to search for one: each holds a worker for long, so there may be few at a time.

The turns stand in the database, so that all processes and machines of the app count together.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from flask import Flask, current_app, has_app_context

from ..config import Settings
from ..errors import StoreUnavailable
from ..findings import Step
from ..i18n import N_
from ..i18n import gettext as _
from ..servers.turns import Limits, Wait, Wanted
from ..state import state_of
from .access import actor, binding, login_id, scope_of_request

logger = logging.getLogger("flask_smtpservers")

#: The most searches that one person may begin within a minute and within an hour, and that run at once.
SEARCHES_PER_MINUTE, SEARCHES_PER_HOUR, SEARCHES_AT_ONCE = 10, 60, 4

#: Seconds that a search takes at most.
_SEARCH_SECONDS = 20.0

_TEST_MUST_WAIT: Mapping[Wait, str] = {
    Wait.OWN: N_("A test is already running. Wait until it ends."),
    Wait.TARGET: N_("Somebody else is testing the same server right now. Wait until that test ends."),
    Wait.OTHERS: N_("Other people are testing right now. Wait until one of their tests ends."),
    Wait.HOUR: N_("%(number)s tests were run within an hour, and more are not allowed. Try again later."),
    Wait.TENANT: N_(
        "Your organisation ran %(number)s tests within an hour, and more are not allowed. Try again later."
    ),
    Wait.APP: N_("%(number)s tests were run in this app within an hour. Try again later."),
}

_SEARCH_MUST_WAIT: Mapping[Wait, str] = {
    Wait.OWN: N_("A search of yours is still running. Try again in a few seconds."),
    Wait.OTHERS: N_("Other people are searching right now. Try again in a few seconds."),
    Wait.MINUTE: N_("%(number)s searches within a minute are enough. Try again in a minute."),
    Wait.HOUR: N_("%(number)s searches within an hour are enough. Try again later, or enter the settings yourself."),
    Wait.TENANT: N_(
        "Your organisation searched often within an hour. Try again later, or enter the settings yourself."
    ),
    Wait.APP: N_("This app has searched often. Try again later, or enter the settings yourself."),
}


class NoTurn(Exception):
    """It may not begin now; the text says why, and what to wait for."""


@dataclass(eq=False, slots=True)
class Turn:
    """The leave to run one test or search; :meth:`during` or :meth:`end` gives it back."""

    app: Flask
    turn_id: str
    ended: bool = False

    def during(self, steps: Iterator[Step]) -> Iterator[Step]:
        """Pass the steps of the test on, and end the turn with them, also if the reader leaves half-way."""
        try:
            yield from steps
        finally:
            self.end()

    def end(self) -> None:
        """Let the next one begin. Calling it again does nothing."""
        if self.ended:
            return
        self.ended = True
        if has_app_context():
            self._give_back()
        else:  # the server closes a response that nobody read
            with self.app.app_context():
                self._give_back()

    def _give_back(self) -> None:
        try:
            state_of().turns.give_back(self.turn_id)
        except StoreUnavailable as error:
            logger.warning("a turn to test could not be given back; it ends by itself: %s", error)


def take_turn(host: str, port: int) -> Turn:
    """Begin a test for the person of this request.

    Whoever the host does not name is told apart by the browser session. A session is quickly thrown away, so the
    tests of all of them are counted together.

    :param host: the server; one of a known provider bears several tests at once.
    :raises NoTurn: it must wait.
    """
    state = state_of()
    target = "" if state.catalog.providers_of_host(host) else f"{host.lower()}:{port}"
    return _take("test", target, state.settings.test_deadline_seconds, test_limits(state.settings), _TEST_MUST_WAIT)


@contextmanager
def search_turn() -> Iterator[None]:
    """Search in this block.

    :raises NoTurn: on entering it, if the search must wait.
    """
    limits = Limits(
        at_once=SEARCHES_AT_ONCE,
        per_minute=SEARCHES_PER_MINUTE,
        per_hour=SEARCHES_PER_HOUR,
        per_hour_tenant=state_of().settings.tests_per_hour_tenant,
        per_hour_app=state_of().settings.tests_per_hour_app,
    )
    turn = _take("search", "", _SEARCH_SECONDS, limits, _SEARCH_MUST_WAIT)
    try:
        yield
    finally:
        turn.end()


def test_limits(settings: Settings) -> Limits:
    """Return how many tests the operator allows."""
    return Limits(
        at_once=settings.tests_at_once,
        per_hour=settings.tests_per_hour,
        per_hour_tenant=settings.tests_per_hour_tenant,
        per_hour_app=settings.tests_per_hour_app,
    )


def _take(kind: str, target: str, seconds: float, limits: Limits, words: Mapping[Wait, str]) -> Turn:
    name = actor() or login_id()
    wanted = Wanted(
        kind=kind,
        person=f"person:{name}" if name else f"session:{binding()}",
        budget=name,
        tenant=scope_of_request().tenant or "",
        target=target,
        seconds=seconds,
    )
    try:
        answer = state_of().turns.take(wanted, limits)
    except StoreUnavailable as error:
        logger.warning("nothing can be tested: the database that counts the tests does not answer", exc_info=error)
        raise NoTurn(_("The database does not answer, so nothing was begun. Try again in a moment.")) from error
    if answer is Wait.TARGET and scope_of_request().owner:
        answer = Wait.OTHERS  # nobody learns which servers other users test
    if isinstance(answer, Wait):
        numbers = {
            Wait.MINUTE: limits.per_minute,
            Wait.HOUR: limits.per_hour,
            Wait.TENANT: limits.per_hour_tenant,
            Wait.APP: limits.per_hour_app,
        }
        raise NoTurn(_(words[answer], number=numbers.get(answer, 0)))
    return Turn(current_app._get_current_object(), answer)  # type: ignore[attr-defined]
