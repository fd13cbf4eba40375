"""Changing the settings of a scope to what a file says, in one transaction or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ServerChanged
from ..i18n import gettext as _
from ..permissions import Scope
from .cleaning import name_key
from .plan import Plan, ServerChange
from .store import ServerStore


def apply(store: ServerStore, plan: Plan, *, actor: str = "") -> None:
    """Write what a plan says: all of it, or, if anything goes wrong, nothing.

    :raises ServerChanged: somebody changed a server since the plan was made.
    :raises InvalidServer: somebody took a name meanwhile.
    """
    scope = plan.scope
    with store.together(scope=scope, actor=actor) as change:
        for one in plan.servers:
            if one.base is not None:
                change.server(one.base.public_id, one.base.version)
        for one in plan.servers:
            if one.base is not None and one.action == "removed":
                store.remove(one.base.public_id, scope=scope, actor=actor)
        for one in plan.servers:
            if one.fields:  # a server that only gives way to another default has none
                _write(store, one, scope, actor)
        ids = change.names()
        if sorted(ids) != sorted(map(name_key, plan.order)):
            raise ServerChanged(_("Somebody else added or removed a server meanwhile; nothing was saved."))
        for place, name in enumerate(plan.order):
            public_id = ids[name_key(name)]
            store.move(public_id, place - change.order().index(public_id), scope=scope, actor=actor)
        _switch(store, plan, ids, actor)


def _write(store: ServerStore, one: ServerChange, scope: Scope, actor: str) -> None:
    fields = dict(one.fields)
    wanted = {difference.name: difference.new for difference in one.differences}
    # A server becomes the default while it sends, and may be paused afterwards.
    pause = wanted.get("is_default") is True and not _enabled(one)
    if pause:
        fields |= {"enabled": True, "draft": False}
    if one.base is None:
        saved = store.add(fields, scope=scope, actor=actor, operator=True).profile
    else:
        saved = store.edit(one.base.public_id, fields, scope=scope, actor=actor, operator=True).profile
    draft = wanted.get("draft", one.base is not None and one.base.draft)
    rest: dict[str, Any] = {"enabled": False, "draft": draft} if pause else {}
    if saved.is_default and wanted.get("is_default") is False:
        rest["is_default"] = False  # the first one of all became it by itself
    if rest and "password" in fields and fields["password"] is None:
        rest["password"] = None  # each edit has to say so of a server that signs in without one
    if rest:
        store.edit(saved.public_id, rest, scope=scope, actor=actor)


def _enabled(one: ServerChange) -> bool:
    for difference in one.differences:
        if difference.name == "enabled":
            return bool(difference.new)
    return one.base is None or one.base.enabled


def _switch(store: ServerStore, plan: Plan, ids: Mapping[str, str], actor: str) -> None:
    if plan.sending is not None:
        store.switch_sending(plan.sending, scope=plan.scope, actor=actor)
    for mode, on in plan.modes.items():
        store.switch_mode(mode, on, scope=plan.scope, actor=actor)
    own = ids if plan.scope.tenant else {**plan.others, **ids}
    for kind, server in plan.kinds.items():
        known = plan.others if server is not None and server.shared else own
        store.assign_kind(kind, known[name_key(server.name)] if server else None, scope=plan.scope, actor=actor)
