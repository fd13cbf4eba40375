"""``flask smtp adopt``: the app's own ``MAIL_*`` server becomes one that is managed."""

from __future__ import annotations

import click
from flask import current_app

from .. import mail as hook
from ..i18n import gettext as _
from ..sending.adoption import adopt as taken_over
from ..sending.trial import try_server
from ..state import state_of
from ..web import presenting
from ..web.runs import Run
from .output import EXIT_CODES, FAILED, complain, json_option, reporting, say, say_json
from .trying import run_json, show_run

#: What the history and the list of servers name as the one who did it.
_ACTOR = "flask smtp adopt"


@click.command("adopt", epilog=EXIT_CODES)
@click.option("--name", default="", help="What you call it; without it the host.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@reporting
def adopt(*, name: str, yes: bool, as_json: bool) -> None:
    """Take the server of the app's MAIL_* settings over, with its password, to manage it here.

    It is stored as a draft and tested; nothing is sent. If it passes it is used from then on, as the default if there
    is no other server. If not it stays a draft, and mail goes out as before.
    """
    state = state_of()
    own = hook.builtin_of(current_app._get_current_object())  # type: ignore[attr-defined]
    if not yes:
        if as_json:
            raise click.UsageError(_("With --json nothing is asked: say --yes as well."))
        say(_("The app's MAIL_* settings name %(server)s.", server=presenting.place_of(own.host, own.port)))
        if not click.confirm(_("Take it over, with its password?")):
            complain(_("Nothing was changed."))
            raise click.exceptions.Exit(FAILED)
    profile = taken_over(state, own, name=name, actor=_ACTOR)
    state.store.commit()
    run = Run(try_server(state, profile, operator=True, actor=_ACTOR), profile.host, profile.username, "")
    show_run(run, quiet=as_json)
    if run.result.passed:
        profile = state.store.set_enabled(profile.public_id, True, actor=_ACTOR)
    state.store.commit()
    if as_json:
        say_json({**run_json(profile, run), "enabled": profile.enabled, "is_default": profile.is_default})
    elif profile.enabled:
        say(_("“%(name)s” was taken over, and is used for sending now.", name=profile.name))
    else:
        say(_("“%(name)s” was taken over as a draft; mail goes out as before.", name=profile.name))
    if not run.result.passed:
        raise click.exceptions.Exit(FAILED)
