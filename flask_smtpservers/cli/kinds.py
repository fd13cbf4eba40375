"""``flask smtp kind``: the kinds of mail, and the server of each."""

from __future__ import annotations

from typing import Any

import click

from ..errors import InvalidServer, ServerNotFound
from ..i18n import gettext as _
from ..permissions import APP, Scope
from ..servers.profile import ServerProfile
from ..servers.store import ServerStore
from ..state import state_of
from .output import EXIT_CODES, json_option, reporting, say, say_json, table
from .scopes import tenant_option


@click.command("kind", epilog=EXIT_CODES)
@click.argument("kind", metavar="[KIND]", required=False)
@click.argument("server", metavar="[SERVER]", required=False)
@click.option("--none", "nowhere", is_flag=True, help="Assign it to no server: the other rules decide.")
@tenant_option
@json_option
@reporting
def kind(*, kind: str | None, server: str | None, nowhere: bool, scope: Scope, as_json: bool) -> None:
    """Show the kinds of mail and their servers, or assign a kind to a server, by its name or id."""
    store, kinds = state_of().store, state_of().settings.kinds
    if kind is not None:
        if kind not in kinds:
            raise InvalidServer({"kind": [_("Choose one of: %(choices)s.", choices=", ".join(kinds) or _("none"))]})
        if (server is None) is not nowhere:
            raise InvalidServer({"server": [_("Name a server, or give --none.")]})
        chosen = _server(store, server, scope).public_id if server is not None else None
        store.assign_kind(kind, chosen, scope=scope)
        store.commit()
    assigned = store.kinds(scope=scope)
    servers = {one.public_id: one.name for one in (*store.servers(scope=scope), *store.servers(scope=APP))}
    rows = [(one.id, one.label, servers.get(assigned.get(one.id, ""))) for one in kinds.values()]
    if as_json:
        say_json({"kinds": [_row(*row, assigned.get(row[0])) for row in rows]})
        return
    apps = store.kinds(scope=APP) if scope.tenant else {}
    shown = [(id_, label, name or _otherwise(servers.get(apps.get(id_, "")))) for id_, label, name in rows]
    for line in table((_("Kind"), _("Label"), _("Server")), shown):
        say(line)


def _server(store: ServerStore, name: str, scope: Scope) -> ServerProfile:
    """Find one of the tenant's servers, or else of the app's."""
    try:
        return store.find(name, scope=scope)
    except ServerNotFound:
        return store.find(name, scope=APP)


def _otherwise(name: str | None) -> str:
    if name is None:
        return _("chosen by the other rules")
    return _("%(name)s, as for the whole app", name=name)


def _row(kind: str, label: str, name: str | None, server_id: str | None) -> dict[str, Any]:
    return {"id": kind, "label": label, "server": {"id": server_id, "name": name} if server_id is not None else None}
