"""Which server a message of the outbox goes through now: admins may have changed something since it was written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import ServerNotFound
from ..i18n import gettext as _
from ..permissions import Scope
from ..sending.matching import Question
from ..sending.question import answered
from ..sending.routing import BUILT_IN, Route, route
from ..servers.mailboxes import address_key

if TYPE_CHECKING:
    from ..state import AppState


class Held(Exception):
    """No server may send the message as things stand; the text says why."""


def route_again(state: AppState, row: Mapping[str, Any]) -> Route:
    """Ask again by what a message was routed when it was written, so that what admins change holds for it too.

    Its From was written for the first server and stays. So another one is used only if that address is its own, or one
    of its allowed senders: a message is never refused, or shown as somebody else's, because it had to wait. Otherwise
    the first server sends it, if it still can. A message that may have been delivered goes through no other at all.

    :raises Held: none can send it as things stand, or sending is switched off.
    """
    question = _question(state, row)
    first = row["server_id"] or BUILT_IN
    try:
        chosen = _route(state, question)
        why = _("“%(name)s” may not send as %(address)s.", name=chosen.server_name, address=row["header_from"])
    except ServerNotFound as error:
        why = str(error)
    else:
        if _suits(chosen, row):
            return chosen
    if question.using != first:
        try:
            return _route(state, replace(question, using=first))
        except ServerNotFound:
            pass  # what was asked for first says more
    raise Held(why)


def _route(state: AppState, question: Question) -> Route:
    found = state.store.candidates(
        using=question.using,
        address=question.address,
        kind=question.kind.id if question.kind is not None else None,
        scope=Scope(question.tenant or None, question.owner or None),
    )
    if not found.sending_enabled:
        raise Held(_("Sending is switched off."))
    complete, builtin = answered(state, question, found)
    return route(complete, found.servers, builtin)


def _question(state: AppState, row: Mapping[str, Any]) -> Question:
    settings, pinned = state.settings, row["pinned_to"]
    return Question(
        using=row["asked_for"] if pinned is None else pinned or BUILT_IN,
        address=row["author"],
        kind=settings.kinds.get(row["kind"]),
        tenant=row["tenant"],
        owner=row["owner"],
        owner_named=row["owner_named"],
        personal=settings.personal,
        # What was written for no user, from the app's own sender say, waits for nobody's server.
        fallback=settings.personal_fallback or not row["owner"],
    )


def _suits(chosen: Route, row: Mapping[str, Any]) -> bool:
    server = chosen.server
    if server is None:
        return not row["server_id"]
    if server.public_id == row["server_id"]:
        return True
    own = address_key(server.address) == address_key(row["header_from"])
    return own or server.may_send_as(row["header_from"])
