"""``flask smtp health``: the check to run every few minutes."""

from __future__ import annotations

from typing import Any

import click

from ..errors import StoreUnavailable
from ..i18n import gettext as _
from ..sending.health import Checked, check_servers
from ..state import state_of
from .output import FAILED, INVALID, complain, diagnosis_json, json_option, reporting, say, say_json

#: What the list of servers names as the one who tested.
_ACTOR = "flask smtp health"

_EXIT_CODES = (
    "Exit codes: 0 it worked, so every enabled server works; 1 at least one server fails; "
    "2 nothing could be checked, because the database does not answer."
)


@click.command("health", epilog=_EXIT_CODES)
@json_option
@reporting
def health(*, as_json: bool) -> None:
    """Test every enabled server of the app and its tenants without sending anything.

    Each is tried as far as signing in and naming a recipient. The results are stored, for the list of servers and for
    the page that monitors ask. When a server starts to fail the app logs one warning, and one line when it works again.
    """
    try:
        checked = check_servers(state_of(), actor=_ACTOR)
    except StoreUnavailable as error:
        if as_json:
            say_json({"error": {"text": str(error)}})
        else:
            complain(str(error))
        raise click.exceptions.Exit(INVALID) from None
    failing = [one for one in checked if not one.passed]
    if as_json:
        say_json({"status": "failing" if failing else "ok", "servers": [_json(one) for one in checked]})
    else:
        _tell(checked)
    if failing:
        raise click.exceptions.Exit(FAILED)


def _tell(checked: list[Checked]) -> None:
    if not checked:
        say(_("There is no server to check."))
    for one in checked:
        if one.passed:
            say(_("ok      %(name)s (%(number)s ms)", name=one.server.name, number=one.milliseconds))
        else:
            title = one.diagnosis.title if one.diagnosis is not None else ""
            say(_("FAILING %(name)s: %(title)s", name=one.server.name, title=title))


def _json(one: Checked) -> dict[str, Any]:
    return {
        "id": one.server.public_id,
        "name": one.server.name,
        "tenant": one.server.tenant or None,
        "status": "ok" if one.passed else "failing",
        "turned": one.turned,
        "milliseconds": one.milliseconds,
        "diagnosis": diagnosis_json(one.diagnosis),
    }
