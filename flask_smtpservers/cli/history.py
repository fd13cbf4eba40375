"""``flask smtp history``: who changed what and when."""

from __future__ import annotations

from typing import Any

import click

from ..errors import ServerNotFound
from ..i18n import gettext as _
from ..permissions import Scope
from ..servers.profile import ServerEvent
from ..state import state_of
from ..web.history import changes_of, title_of
from .output import EXIT_CODES, json_option, reporting, say, say_json, stamp
from .scopes import scope_options


@click.command("history", epilog=EXIT_CODES)
@click.argument("server", metavar="[NAME_OR_ID]", required=False)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many changes.")
@scope_options
@json_option
@reporting
def history(*, server: str | None, limit: int, scope: Scope, as_json: bool) -> None:
    """Show the latest changes of the servers, or of one of them, the newest first.

    Secrets appear as changed, never with a value. A server that was removed goes by its id.
    """
    store = state_of().store
    events = store.history(_id(server, scope) if server is not None else None, limit=limit, scope=scope)
    if as_json:
        say_json({"changes": [event_json(event) for event in events]})
        return
    if not events:
        say(_("Nothing was changed yet."))
    for event in events:
        who = _(" by %(name)s", name=event.actor) if event.actor else ""
        say(f"{stamp(event.at)}  {title_of(event)}{who}")
        for change in changes_of(event):
            say(f"    {change.text}")


def event_json(event: ServerEvent) -> dict[str, Any]:
    """Return one change as plain values; of secrets only whether there was one."""
    return {
        "id": event.id,
        "at": stamp(event.at),
        "actor": event.actor,
        "action": event.action,
        "server": {"id": event.server_id, "name": event.server_name},
        "fields": list(event.fields),
        "before": dict(event.before),
        "after": dict(event.after),
        "tenant": event.tenant,
        "owner": event.owner,
    }


def _id(server: str, scope: Scope) -> str:
    store = state_of().store
    try:
        return store.find(server, scope=scope).public_id
    except ServerNotFound:
        if store.history(server, limit=1, scope=scope):
            return server
        raise
