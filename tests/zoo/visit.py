"""One visit to the zoo: the servers of a case, the test of what was typed, and again after the button."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import trustme

from flask_smtpservers.findings import Diagnosis, StepState
from flask_smtpservers.sending.trial import try_server

from .. import canary
from ..apps import Host
from ..peers.hostile import Hostile, hostile
from .cases import WELL_KNOWN, Case, Door
from .town import Town

#: What the check of one server may take here, and what may come on top on a busy machine, in seconds.
LIMIT, GRACE = 2.5, 4.0


@dataclass(frozen=True)
class Visit:
    """What came of a case.

    :param diagnoses: of all steps; there should be one.
    :param logins: how many AUTH commands there were, before the button.
    :param strays: how many of them went to another port than that of the settings.
    :param leaks: what a server heard of the password without encryption.
    :param after: whether the test passed once the button was pressed; None without one.
    """

    diagnoses: tuple[Diagnosis, ...]
    seconds: float
    logins: int
    strays: int
    leaks: tuple[str, ...]
    after: bool | None

    @property
    def diagnosis(self) -> Diagnosis:
        (only,) = self.diagnoses
        return only


def visit(case: Case, app: Host, ca: trustme.CA) -> Visit:
    """Test the settings of a case, press the button if there is one, and test again."""
    with _opened(case, ca) as (town, servers), app.app.app_context():
        app.state.network = town
        began = time.monotonic()
        diagnoses = _tested(app, case.fields, case.recipient)
        seconds = time.monotonic() - began
        logins = {port: server.verbs.count("AUTH") for port, server in servers.items()}
        after = None
        if diagnoses and diagnoses[0].correction:
            after = not _tested(app, corrected(case.fields, diagnoses[0].correction), case.recipient)
    heard = "".join(server.in_clear.decode("latin-1") for server in servers.values())
    there = logins.get(case.fields["port"], 0)
    everywhere = sum(logins.values())
    return Visit(diagnoses, seconds, everywhere, everywhere - there, tuple(canary.leaks(heard)), after)


def corrected(fields: Mapping[str, Any], correction: Mapping[str, str | int]) -> dict[str, Any]:
    """Apply what a button stands for."""
    return {**fields, **correction}


def _tested(app: Host, fields: Mapping[str, Any], recipient: str) -> tuple[Diagnosis, ...]:
    steps = list(try_server(app.state, fields, recipient=recipient))
    failed = [step for step in steps if step.state is StepState.FAILED]
    assert [step.diagnosis for step in failed] == [step.diagnosis for step in steps if step.diagnosis]
    return tuple(step.diagnosis for step in failed if step.diagnosis)


@contextmanager
def _opened(case: Case, ca: trustme.CA) -> Iterator[tuple[Town, dict[int, Hostile]]]:
    host = case.fields["host"]
    names: dict[str, str | None] = dict.fromkeys((host, *WELL_KNOWN), "127.0.0.1")
    town = Town({**names, **case.names})
    servers: dict[int, Hostile] = {}
    with ExitStack() as stack:
        for port, door in case.doors.items():
            if isinstance(door, Door):
                context = door.shows(ca, door.host or host)
                server = stack.enter_context(hostile(list(door.script), context=context))
                servers[port] = server
                town.ports[port] = server.port
            else:
                town.ports[port] = door
        yield town, servers
