"""Proof that a test message arrived: what it carries, and what becomes of that when somebody opens it.

The link shows that the message got through and nothing else. So it needs no login, and the scanner of a mail program
that opens it is as good a witness as a person.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from ..config import Settings
from ..errors import StoreUnavailable
from ..findings import Stage, Step, StepState
from ..permissions import APP, Scope
from ..servers.profile import ServerProfile
from ..servers.trials import CONFIRMABLE, Confirmation, Trial, covered
from ..smtp.queue_id import queue_id_in
from .links import LinkExpired, signed_link, ticket_of

if TYPE_CHECKING:
    from ..state import AppState

logger = logging.getLogger("flask_smtpservers")

#: The page that the link leads to; it exists while the pages are on.
ENDPOINT = "smtpservers.arrival"

#: Tokens of other parts of the app, signed with the same key, are none of ours.
_SALT = "flask-smtpservers.arrival"

#: Letters and digits that nobody mistakes for each other when they are read from one screen and typed at another.
_SIGNS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_CODE_LENGTH, _GROUP = 12, 4


@dataclass(frozen=True, slots=True)
class Awaited:
    """A test, and how the one who gets its message can say that it arrived.

    :param link: stands in the message; empty if the app does not know its own address, or nothing is sent.
    :param code: stands there in its place, to be typed into the page; empty if there is a link, or no page.
    """

    trial: Trial
    link: str = ""
    code: str = ""

    @property
    def awaits(self) -> bool:
        """Whether anybody can say so."""
        return bool(self.link or self.code)


@dataclass(slots=True)
class Outcome:
    """How a test goes, seen from its steps.

    :param passed: True until a step fails; None if the test broke off.
    """

    passed: bool | None = True
    title: str = ""
    cause: str = ""
    queue_id: str = ""
    sent_at: datetime | None = None
    certificate_expires_at: datetime | None = None

    def note(self, step: Step, *, now: datetime) -> None:
        """Take one step into account."""
        self.certificate_expires_at = step.expires_at or self.certificate_expires_at
        if step.state is StepState.FAILED:
            self.passed = False
            self.title = step.diagnosis.title if step.diagnosis is not None else ""
            self.cause = step.diagnosis.cause if step.diagnosis is not None else ""
        elif step.state is StepState.OK and step.stage is Stage.DATA:
            self.sent_at, self.queue_id = now, queue_id_in(step.raw.partition(" ")[2])


def await_arrival(
    state: AppState,
    server: ServerProfile | None,
    *,
    name: str,
    recipient: str,
    actor: str = "",
    scope: Scope = APP,
) -> Awaited:
    """Enter a test that is about to run; if it sends a message, its arrival can be confirmed from now on.

    :param server: None for settings that are not saved.
    :param name: what the server is called.
    :param recipient: addr-spec; empty if nothing is sent.
    :param actor: who tests, or the command that does.
    :param scope: whose the settings are, if they are not saved.
    """
    trial = Trial(
        public_id=secrets.token_hex(16),
        server_id=server.public_id if server is not None else "",
        server_name=name,
        settings=covered(server) if server is not None else "",
        actor=actor,
        recipient=masked(recipient),
        started_at=state.trials.clock(),
        scope=server.scope if server is not None else scope,
    )
    if not recipient or not state.settings.pages:
        return Awaited(trial)
    ticket = secrets.token_urlsafe(16)
    link, code = link_to(state.settings, ticket), ""
    if not link:
        ticket = "".join(secrets.choice(_SIGNS) for _sign in range(_CODE_LENGTH))
        code = "-".join(ticket[start : start + _GROUP] for start in range(0, _CODE_LENGTH, _GROUP))
    try:
        state.trials.begin(trial, ticket)
        state.store.commit()
    except StoreUnavailable as error:
        logger.warning("a test message goes out without a link that confirms its arrival: %s", error)
        return Awaited(trial)
    return Awaited(trial, link, code)


def finish(state: AppState, awaited: Awaited, outcome: Outcome) -> None:
    """Keep how a test ended; at best effort, for the test itself is over."""
    ended = replace(
        awaited.trial,
        passed=outcome.passed,
        title=outcome.title,
        cause=outcome.cause,
        queue_id=outcome.queue_id,
        sent_at=outcome.sent_at,
    )
    try:
        state.trials.finish(ended)
    except StoreUnavailable as error:
        logger.warning("the result of a test could not be kept: %s", error)


def link_to(settings: Settings, ticket: str) -> str:
    """Make the link for a test message; empty if the app does not know its own address here."""
    return signed_link(settings, ENDPOINT, ticket, salt=_SALT)


def open_link(state: AppState, token: str) -> tuple[Confirmation, Trial | None]:
    """Note the arrival of the message whose link was opened.

    :raises StoreUnavailable: the database failed.
    """
    try:
        ticket = ticket_of(state.settings, token, salt=_SALT, seconds=CONFIRMABLE.total_seconds())
    except LinkExpired:
        return Confirmation.EXPIRED, None
    return _confirm(state, ticket) if ticket is not None else (Confirmation.FOREIGN, None)


def enter_code(state: AppState, code: str) -> tuple[Confirmation, Trial | None]:
    """Note the arrival of the message whose code was typed.

    :raises StoreUnavailable: the database failed.
    """
    ticket = "".join(sign for sign in code.upper() if sign in _SIGNS)
    return _confirm(state, ticket) if len(ticket) == _CODE_LENGTH else (Confirmation.UNKNOWN, None)


def masked(address: str) -> str:
    """Show whom a message went to without keeping the address: the first letter and the domain."""
    local, at, domain = address.rpartition("@")
    return f"{local[:1]}…@{domain}" if at else ""


def _confirm(state: AppState, ticket: str) -> tuple[Confirmation, Trial | None]:
    found = state.trials.confirm(ticket)
    state.store.commit()
    return found
