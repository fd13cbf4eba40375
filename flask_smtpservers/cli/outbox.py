"""``flask smtp outbox list|retry|cancel``: what waits to be delivered, and a person's word on it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click

from ..i18n import gettext as _
from ..outbox.listing import UNFINISHED, Entry
from ..outbox.states import State
from ..state import state_of
from .output import EXIT_CODES, FAILED, complain, json_option, reporting, say, say_json, stamp

outbox = click.Group("outbox", help="The messages that wait to be delivered.", epilog=EXIT_CODES)


@outbox.command("list", epilog=EXIT_CODES)
@click.option(
    "--state",
    "states",
    type=click.Choice([state.value for state in State]),
    multiple=True,
    help="Only these; may be given several times.",
)
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="How many messages.")
@json_option
@reporting
def list_outbox(*, states: tuple[str, ...], limit: int, as_json: bool) -> None:
    """List the messages that are not at their end, the newest first, and count those in each state."""
    listing = state_of().outbox.listing
    entries = listing.entries([State(state) for state in states] or UNFINISHED, limit=limit)
    counts = listing.counts()
    if as_json:
        say_json({"counts": counts, "messages": [_json(entry) for entry in entries]})
        return
    for entry in entries:
        say(f"{entry.id}  {entry.state:<11}  {_stamp(entry.created_at)}  {entry.header_from}  {entry.server_name}")
        for one in entry.recipients:
            say(f"    {one.address}: {one.state} {one.code or ''} {one.reply}".rstrip())
        if entry.reason:
            say(f"    {entry.reason}")
    if not entries:
        say(_("Nothing waits."))
    say(", ".join(f"{state}: {number}" for state, number in sorted(counts.items())))


@outbox.command("retry", epilog=EXIT_CODES)
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@json_option
@reporting
def retry(*, ids: tuple[str, ...], as_json: bool) -> None:
    """Try messages again at once. Where nobody knows whether a message arrived, it may arrive twice."""
    _each(ids, state_of().outbox.reviving.retry, as_json=as_json, refused=_("it is on its way, or at its end"))


@outbox.command("cancel", epilog=EXIT_CODES)
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@json_option
@reporting
def cancel(*, ids: tuple[str, ...], as_json: bool) -> None:
    """Take messages back that no server has."""
    _each(ids, state_of().outbox.ending.cancel, as_json=as_json, refused=_("a server may have it, or it is at its end"))


def _each(ids: tuple[str, ...], act: Any, *, as_json: bool, refused: str) -> None:
    done = {one: bool(act(one)) for one in ids}
    if as_json:
        say_json({"done": done})
    else:
        for one, worked in done.items():
            if worked:
                say(one)
            else:
                complain(_("%(id)s: not done, for there is no such message, or %(reason)s.", id=one, reason=refused))
    if not all(done.values()):
        raise click.exceptions.Exit(FAILED)


def _stamp(milliseconds: int) -> str | None:
    return stamp(datetime.fromtimestamp(milliseconds / 1000, UTC))


def _json(entry: Entry) -> dict[str, Any]:
    times = {name: _stamp(getattr(entry, name)) for name in ("created_at", "expires_at", "next_at")}
    return {**asdict(entry), **times}
