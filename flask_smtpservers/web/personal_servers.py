"""The servers of users, for administrators: whose they are and how they do. They can be suspended, and nothing more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from flask import abort, redirect, request
from flask.typing import ResponseReturnValue

from ..errors import ServerNotFound
from ..i18n import gettext as _
from ..permissions import Action
from ..servers.mailboxes import format_mailbox
from ..servers.profile import ServerProfile
from ..smtp.endpoint import Security
from ..state import state_of
from . import presenting
from .access import actor, protected, scope_of_request
from .links import link
from .presenting import Badge
from .rendering import page, tell

#: The longest reason that is kept.
REASON_LENGTH = 255


@dataclass(frozen=True, slots=True)
class UsersServer:
    """One server of a user; neither its password nor its user name is in it."""

    id: str
    owner: str
    sender: str
    place: str
    security: str
    encrypted: bool
    badge: Badge
    suspended: bool
    reason: str
    suspend_url: str
    resume_url: str


@protected(Action.SUSPEND_SERVERS)
def personal_servers() -> ResponseReturnValue:
    """List the servers of all users of the app, or of the tenant."""
    return page("personal_servers.html", heading=_("Personal servers"), servers=_servers(), reason_length=REASON_LENGTH)


@protected(Action.SUSPEND_SERVERS)
def suspend_personal_server(server_id: str) -> ResponseReturnValue:
    """Let nothing go through a user's server any more; its user reads the reason."""
    profile = _found(server_id)
    reason = request.form.get("reason", "").strip()[:REASON_LENGTH]
    state_of().store.suspend(server_id, reason, scope=profile.scope, actor=actor())
    return _done(_("The server of %(owner)s is suspended: no mail goes through it.", owner=profile.owner), server_id)


@protected(Action.SUSPEND_SERVERS)
def resume_personal_server(server_id: str) -> ResponseReturnValue:
    """Let mail go through a user's server again."""
    profile = _found(server_id)
    state_of().store.resume(server_id, scope=profile.scope, actor=actor())
    return _done(_("The server of %(owner)s is not suspended any more.", owner=profile.owner), server_id)


def _servers() -> Sequence[UsersServer]:
    if not state_of().settings.personal:
        abort(404)
    now = datetime.now(UTC)
    found = state_of().store.personal_servers(tenant=scope_of_request().tenant)
    return [_shown(one, now) for one in sorted(found, key=lambda one: (one.owner, one.position))]


def _shown(profile: ServerProfile, now: datetime) -> UsersServer:
    return UsersServer(
        id=profile.public_id,
        owner=profile.owner,
        sender=format_mailbox(profile.sender_name, profile.address),
        place=presenting.place_of(profile.host, profile.port),
        security=presenting.security_words(profile.security),
        encrypted=profile.security is not Security.NONE,
        badge=presenting.badge(profile, now=now),
        suspended=profile.suspended,
        reason=profile.suspended_reason,
        suspend_url=link("suspend_personal_server", server_id=profile.public_id),
        resume_url=link("resume_personal_server", server_id=profile.public_id),
    )


def _found(server_id: str) -> ServerProfile:
    """Find a user's server of this tenant, or of the app; any other is as unknown as one that never was."""
    if not state_of().settings.personal:
        abort(404)
    for profile in state_of().store.personal_servers(tenant=scope_of_request().tenant):
        if profile.public_id == server_id:
            return profile
    raise ServerNotFound(_("There is no server with this id."))


def _done(text: str, server_id: str) -> ResponseReturnValue:
    state_of().store.commit()
    tell("success", text)
    return redirect(link("personal_servers", _anchor=f"server-{server_id}"), 303)
