"""``flask smtp check``: the self-checks."""

from __future__ import annotations

import click
from flask import current_app

from .. import mail as hook
from ..i18n import gettext as _
from ..selfcheck import CheckState, run_checks
from ..state import state_of
from .output import EXIT_CODES, FAILED, json_option, reporting, say, say_json


@click.command("check", epilog=EXIT_CODES)
@json_option
@reporting
def check(*, as_json: bool) -> None:
    """Check that this app's mail can go out.

    The worst findings come first. Exit code 1 means that at least one check found an error; warnings alone give 0.
    """
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    found = run_checks(state_of(), hook=hook.hook_status(app))
    if as_json:
        checks = [{"id": one.id, "state": one.state.value, "text": one.text, "cure": one.cure} for one in found]
        say_json({"checks": checks})
    else:
        words = {CheckState.ERROR: _("ERROR"), CheckState.WARNING: _("WARNING"), CheckState.OK: _("ok")}
        for one in found:
            say(f"{words[one.state]:8} {one.id}: {one.text}")
            if one.cure:
                say(f"{'':8} -> {one.cure}")
    if any(one.state is CheckState.ERROR for one in found):
        raise click.exceptions.Exit(FAILED)
