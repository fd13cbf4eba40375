"""The list of servers, and the buttons on it."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Response, abort, redirect, request, url_for
from flask.typing import ResponseReturnValue

from ..errors import InvalidServer, ServerChanged
from ..i18n import gettext as _
from ..permissions import Action
from ..secret import Secret
from ..servers.profile import ServerProfile
from ..state import state_of
from . import builtin, dates, presenting
from .access import actor, allowed_quietly, protected
from .forms import whole
from .rendering import page, tell

#: From how many servers on the list has a filter.
FILTER_FROM = 9


@protected(Action.VIEW_SERVERS)
def list_servers() -> ResponseReturnValue:
    """Show all servers, in the order in which they are tried."""
    store = state_of().store
    profiles = store.servers()
    if not profiles and store.missing_tables():
        return page("list.html", heading=_("SMTP Servers"), tables_missing=True, servers_exist=False)
    sending = store.sending_enabled()
    rows = presenting.rows(profiles, now=datetime.now(UTC))
    sought = request.args.get("find", "").strip()[:100]
    wanted = sought.casefold().split()
    return page(
        "list.html",
        heading=_("SMTP Servers"),
        tables_missing=False,
        sending=sending,
        servers_exist=bool(profiles),
        total=len(profiles),
        filterable=len(profiles) >= FILTER_FROM,
        sought=sought,
        rows=[row for row in rows if all(word in row.text for word in wanted)],
        builtin=builtin.of(profiles),
    )


@protected(Action.EDIT_SERVERS)
def enable_server(server_id: str) -> ResponseReturnValue:
    """Let mail go through a server."""
    profile = state_of().store.get(server_id)
    state_of().store.set_enabled(server_id, True, actor=actor())
    return _done(_("“%(name)s” is used for sending again.", name=profile.name), server_id)


@protected(Action.EDIT_SERVERS)
def pause_server(server_id: str) -> ResponseReturnValue:
    """Let no mail go through a server."""
    profile = state_of().store.get(server_id)
    state_of().store.set_enabled(server_id, False, actor=actor())
    return _done(_("“%(name)s” is paused: no mail goes through it.", name=profile.name), server_id)


@protected(Action.EDIT_SERVERS)
def default_server(server_id: str) -> ResponseReturnValue:
    """Make a server the default."""
    profile = state_of().store.get(server_id)
    try:
        state_of().store.make_default(server_id, actor=actor())
    except InvalidServer as error:  # the list is older than somebody's "Pause"
        tell("warning", *(sentence for found in error.fields.values() for sentence in found))
        return redirect(url_for("smtpservers.list_servers", _anchor=f"server-{server_id}"), 303)
    return _done(_("“%(name)s” is the default server now.", name=profile.name), server_id)


@protected(Action.EDIT_SERVERS)
def move_server(server_id: str) -> ResponseReturnValue:
    """Move a server one place up or down."""
    if request.form.get("direction") not in ("up", "down"):
        abort(400)
    profile = state_of().store.get(server_id)
    up = request.form["direction"] == "up"
    state_of().store.move(server_id, -1 if up else 1, actor=actor())
    moved = _("“%(name)s” was moved up.") if up else _("“%(name)s” was moved down.")
    return _done(moved % {"name": profile.name}, server_id)


@protected(Action.SWITCH_SENDING)
def switch_sending() -> ResponseReturnValue:
    """Turn sending on or off for the whole app."""
    if request.form.get("on") not in ("0", "1"):
        abort(400)
    on = request.form["on"] == "1"
    state_of().store.switch_sending(on, actor=actor())
    return _done(_("Sending is switched on.") if on else _("Sending is switched off: no mail leaves this app."))


@protected(Action.EDIT_SERVERS)
def remove_server(server_id: str) -> ResponseReturnValue:
    """Ask before a server is removed, saying what used it; then remove it."""
    store = state_of().store
    profiles = store.servers()
    profile = store.get(server_id)
    if request.method == "POST":
        store.remove(server_id, actor=actor())
        return _done(_("“%(name)s” was removed.", name=profile.name))
    others = [one for one in profiles if one.public_id != profile.public_id]
    own = builtin.of(profiles)
    return page(
        "remove.html",
        heading=_("Remove “%(name)s”?", name=profile.name),
        row=presenting.row(profile, now=datetime.now(UTC)),
        uses=presenting.uses(profile, others, builtin=own.place if own is not None else ""),
    )


@protected(Action.EDIT_SERVERS, Action.CHANGE_SECRETS)
def change_password(server_id: str) -> ResponseReturnValue:
    """Set or remove the password of a server; nothing else is touched."""
    profile = state_of().store.get(server_id)
    if request.method != "POST":
        return _password_page(profile)
    remove = "remove" in request.form
    typed = request.form.get("smtp_secret", "")
    if not remove and not typed:
        return _password_page(profile, errors=[_("Enter the new password.")], status=422)
    changes: dict[str, object] = {"password": None if remove else Secret(typed)}
    if request.form.get("keep_blanks"):
        changes["keep_password_blanks"] = True
    version = request.form.get("version", "")
    try:
        saved = state_of().store.edit(
            server_id, changes, version=(whole(version, 9) or 0) if version else None, actor=actor()
        )
    except InvalidServer as error:
        sentences = [sentence for found in error.fields.values() for sentence in found]
        return _password_page(profile, errors=sentences, status=422)
    except ServerChanged:
        changed = _("Somebody else saved this server meanwhile. Nothing was changed; enter the password again.")
        return _password_page(state_of().store.get(server_id), errors=[changed], status=409)
    state_of().store.commit()
    tell("success", _("The password was removed.") if remove else _("The password was changed."))
    tell("notice", *saved.notices)
    return redirect(url_for("smtpservers.edit_server", server_id=server_id), 303)


def _password_page(profile: ServerProfile, *, errors: list[str] | None = None, status: int = 200) -> Response:
    at = profile.password_changed_at
    return page(
        "password.html",
        status,
        heading=_("Change password") if profile.has_password else _("Set password"),
        profile=profile,
        errors=errors or [],
        provider=presenting.provider_of(profile),
        saved=_("Saved %(day)s", day=dates.day(at)) if at is not None else "",
    )


def _done(text: str, server_id: str = "") -> ResponseReturnValue:
    """Commit, say what was done, and go back to where it was done."""
    state_of().store.commit()
    tell("success", text)
    anchor = f"server-{server_id}" if server_id and allowed_quietly(Action.VIEW_SERVERS) else None
    return redirect(url_for("smtpservers.list_servers", _anchor=anchor), 303)
