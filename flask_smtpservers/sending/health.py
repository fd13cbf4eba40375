"""The scheduled check: can every server that is in use be signed in to, and who is told when that changes?"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Flask, current_app

from ..findings import Diagnosis, Step
from ..servers.profile import ServerProfile
from ..signals import server_failing, server_recovered
from .arrival import Outcome
from .trial import steps_of

if TYPE_CHECKING:
    from ..state import AppState

logger = logging.getLogger("flask_smtpservers")

#: How many servers are tried at once.
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Checked:
    """How one server did.

    :param diagnosis: why it fails; None if it works.
    :param turned: whether that is news: at the last check it was the other way round.
    """

    server: ServerProfile
    passed: bool
    milliseconds: int
    diagnosis: Diagnosis | None = None
    turned: bool = False


def watched_servers(state: AppState) -> list[ServerProfile]:
    """Return the servers that are watched: those in use of the app and its tenants, not those of single users.

    :raises StoreUnavailable: the database failed.
    """
    servers = [*state.store.configured_servers(), *state.store.configured.over(state.store.every_server())]
    return [server for server in servers if server.usable and not server.owner]


def check_servers(state: AppState, *, actor: str = "") -> list[Checked]:
    """Try every watched server as far as the recipient; nothing is sent.

    The results are stored. Whoever listens hears of a server when it starts to fail and when it works again, not of
    each failure in between.

    :param actor: the command that checks, for the list of servers.
    :raises StoreUnavailable: the database failed, so nothing could be checked or stored.
    """
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    servers = watched_servers(state)
    runs = [_in_thread(app, state, server) for server in servers]
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="smtp-health") as pool:
        found = list(pool.map(lambda run: run(), runs))
    checked = [_stored(state, server, steps, actor) for server, steps in zip(servers, found, strict=True)]
    state.store.commit()
    for one in checked:
        if one.turned:
            _tell(app, one)
    return checked


def _in_thread(app: Flask, state: AppState, server: ServerProfile) -> Callable[[], Sequence[Step]]:
    """Prepare one run: secrets are opened now, the rest needs an app context of its own thread."""
    steps = steps_of(state, server)
    context = copy_context()  # the language

    def run() -> Sequence[Step]:
        with app.app_context():
            return list(steps)

    return lambda: context.run(run)


def _stored(state: AppState, server: ServerProfile, steps: Sequence[Step], actor: str) -> Checked:
    outcome = Outcome()
    now = state.trials.clock()
    for step in steps:
        outcome.note(step, now=now)
    passed = bool(outcome.passed)
    state.store.record_test(
        server,
        passed,
        outcome.title,
        certificate_expires_at=outcome.certificate_expires_at,
        tested_by=actor,
    )
    if server.origin:  # it has no row: what is news shows in how its last test ended
        turned = passed is (server.test_passed is False)
    else:
        turned = state.trials.note_health(server, failing=not passed)
    diagnosis = next((step.diagnosis for step in steps if step.diagnosis is not None), None)
    return Checked(server, passed, sum(step.milliseconds for step in steps), diagnosis, turned)


def _tell(app: Flask, one: Checked) -> None:
    if one.passed:
        logger.info("The SMTP server “%s” works again", one.server.name)
        server_recovered.send(app, server=one.server)
        return
    title = one.diagnosis.title if one.diagnosis is not None else "no cause was found"
    logger.warning("The SMTP server “%s” has started to fail: %s", one.server.name, title)
    server_failing.send(app, server=one.server, diagnosis=one.diagnosis)
