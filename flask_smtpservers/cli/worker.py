"""``flask smtp worker``: the process that delivers the messages of the outbox."""

from __future__ import annotations

import signal
from types import FrameType

import click
from flask import current_app

from .. import mail as hook
from ..i18n import gettext as _
from ..i18n import ngettext
from ..outbox.worker import Worker
from .output import EXIT_CODES, FAILED, complain, json_option, reporting, say, say_json


@click.command("worker", epilog=EXIT_CODES)
@click.option("--once", is_flag=True, help="Deliver what is due now, and end.")
@click.option("--threads", type=click.IntRange(1, 64), default=1, show_default=True, help="How many messages at once.")
@json_option
@reporting
def worker(*, once: bool, threads: int, as_json: bool) -> None:
    """Deliver the messages of the outbox, until the process is asked to end (SIGTERM or Ctrl-C).

    There may be several workers, on several machines. A message that is being handed over when the process is asked to
    end is finished if the server has all of it, and given back otherwise.
    """
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    if hook.hook_status(app).suppressed:
        text = _("MAIL_SUPPRESS_SEND is on, so nothing is delivered.")
        say_json({"error": {"text": text}}) if as_json else complain(text)
        raise click.exceptions.Exit(FAILED)
    made = Worker(app, lambda: hook.builtin_of(app))

    def stop(_number: int, _frame: FrameType | None) -> None:
        made.stop()

    if not once:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        made.run(threads)
        return
    done = made.run_once()
    if as_json:
        say_json({"attempts": done})
    else:
        say(ngettext("%(number)s attempt.", "%(number)s attempts.", done))
