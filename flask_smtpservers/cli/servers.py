"""``flask smtp list|add|edit|remove``: the stored servers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click
from flask import current_app

from .. import mail as hook
from ..errors import MessageRefused, PasswordRequired
from ..i18n import gettext as _
from ..permissions import APP, Scope
from ..sending.builtin import BuiltIn
from ..sending.routing import BUILT_IN
from ..sending.sender import read_sender
from ..servers.mailboxes import format_mailbox
from ..servers.profile import DESTINATION_FIELDS, ServerProfile
from ..servers.store import Saved
from ..state import state_of
from ..web import presenting
from .fields import CarefulCommand, field_options, fields_of
from .output import EXIT_CODES, FAILED, complain, json_option, refuse_fields, reporting, say, say_json, stamp, table
from .scopes import scope_options


@click.command("list", epilog=EXIT_CODES)
@scope_options
@json_option
@reporting
def list_servers(*, scope: Scope, as_json: bool) -> None:
    """Show the servers, in their order."""
    state = state_of()
    profiles = state.store.servers(scope=scope)
    sending = state.store.sending_enabled(scope=scope)
    own = _builtin() if scope == APP else None
    if as_json:
        say_json(
            {
                "sending_enabled": sending,
                "servers": [server_json(profile) for profile in profiles],
                "builtin": _builtin_json(own) if own is not None else None,
            }
        )
        return
    titles = (_("Name"), _("Server"), _("Security"), _("User name"), _("From"), _("State"), _("Default"))
    waiting = state.store.waiting_ids(scope=scope)
    rows = [_row(profile, waits=profile.public_id in waiting) for profile in profiles]
    if own is not None:
        stands_in = not any(profile.is_default and profile.usable for profile in profiles)
        rows.append(_builtin_row(own, is_default=stands_in))
    for line in table(titles, rows):
        say(line)
    if not sending:
        say(_("Sending is switched off: no mail leaves this app."))


def _row(profile: ServerProfile, *, waits: bool) -> tuple[str, ...]:
    state = presenting.badge(profile, now=datetime.now(UTC)).text
    if profile.origin:
        state = _("%(state)s (read-only)", state=state)
    return (
        profile.name,
        presenting.place_of(profile.host, profile.port),
        profile.security.value,
        profile.username,
        format_mailbox(profile.sender_name, profile.address),
        _("%(state)s; change waiting", state=state) if waits else state,
        _("yes") if profile.is_default else "",
    )


def _builtin() -> BuiltIn | None:
    """Return the app's own ``MAIL_*`` server; None if something else stands in Flask-Mail's place."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    if hook.hook_status(app).state in (hook.HookState.NO_MAIL, hook.HookState.TEST_DOUBLE):
        return None
    return hook.builtin_of(app)


def _builtin_row(own: BuiltIn, *, is_default: bool) -> tuple[str, ...]:
    return (
        BUILT_IN,
        presenting.place_of(own.host, own.port),
        own.security.value,
        own.username,
        _builtin_sender(own),
        _("From the app's settings"),
        _("yes") if is_default else "",
    )


def _builtin_sender(own: BuiltIn) -> str:
    """Write the app's default sender; a callable one may want a request, so it is not asked."""
    if callable(own.default_sender):
        return ""
    try:
        return str(read_sender(own.default_sender) or "")
    except MessageRefused as error:
        return f"({error})"


def _builtin_json(own: BuiltIn) -> dict[str, Any]:
    return {
        "name": BUILT_IN,
        "host": own.host,
        "port": own.port,
        "security": own.security.value,
        "username": own.username,
        "has_password": own.has_password,
        "address": _builtin_sender(own),
    }


def server_json(profile: ServerProfile) -> dict[str, Any]:
    """Return a server as plain values; of secrets only whether they are there."""
    password = profile.password
    return {
        "id": profile.public_id,
        "origin": profile.origin,
        "tenant": profile.tenant,
        "owner": profile.owner,
        "name": profile.name,
        "host": profile.host,
        "port": profile.port,
        "security": profile.security.value,
        "username": profile.username,
        "has_password": password is not None,
        "password_environment": password.environment if password else "",
        "auth_mechanism": profile.auth_mechanism,
        "password_changed_at": stamp(profile.password_changed_at),
        "address": profile.address,
        "sender_name": profile.sender_name,
        "sender_format": profile.sender_format,
        "sender_policy": profile.sender_policy.value,
        "foreign_sender": profile.foreign_sender.value,
        "allowed_senders": list(profile.allowed_senders),
        "reply_to": profile.reply_to,
        "timeout_seconds": profile.timeout_seconds,
        "max_connections": profile.max_connections,
        "pipelining": profile.pipelining,
        "ca_certificate": profile.ca_certificate,
        "certificate_fingerprint": profile.certificate_fingerprint,
        "client_certificate": profile.client_certificate,
        "has_client_key": profile.client_key is not None,
        "provider": profile.provider,
        "enabled": profile.enabled,
        "draft": profile.draft,
        "is_default": profile.is_default,
        "position": profile.position,
        "version": profile.version,
        "certificate_expires_at": stamp(profile.certificate_expires_at),
        "tested_at": stamp(profile.tested_at),
        "test_passed": profile.test_passed,
        "test_title": profile.test_title,
        "tested_by": profile.tested_by,
        "retest_since": stamp(profile.retest_since),
        "arrived_at": stamp(profile.arrived_at),
        "failing_since": stamp(profile.failing_since),
        "suspended_at": stamp(profile.suspended_at),
        "suspended_reason": profile.suspended_reason,
        "address_verified_at": stamp(profile.address_verified_at),
    }


@click.command("add", cls=CarefulCommand, epilog=EXIT_CODES)
@field_options
@scope_options
@json_option
@reporting
def add_server(*, scope: Scope, as_json: bool, **options: Any) -> None:
    """Add a server.

    The password is asked for (--password), read from standard input (--password-stdin), or taken from an environment
    variable each time it is needed (--password-env). It is never an option's value: the shell's history would keep it.
    """
    store = state_of().store
    saved = store.add(fields_of(options), scope=scope, operator=_by_reference(options))
    store.commit()
    _tell(saved, _("“%(name)s” was added.", name=saved.profile.name), options, as_json=as_json)


@click.command("edit", cls=CarefulCommand, epilog=EXIT_CODES)
@click.argument("server", metavar="NAME_OR_ID")
@field_options
@scope_options
@json_option
@reporting
def edit_server(server: str, *, scope: Scope, as_json: bool, **options: Any) -> None:
    """Change the given fields of a server; those not given stay.

    Whoever changes host, port, security, user name, sign-in method, CA certificate or fingerprint must give the
    password again, so that no stored password goes to another place.
    """
    store = state_of().store
    profile = store.find(server, scope=scope)
    fields = fields_of(options)
    if not fields:
        raise click.UsageError(_("Nothing to change: give at least one option."))
    try:
        by_reference = _by_reference(options)
        saved = store.edit(profile.public_id, fields, version=profile.version, scope=scope, operator=by_reference)
    except PasswordRequired as error:
        hint = _("Give it with --password, --password-stdin or --password-env NAME.")
        refuse_fields({**error.fields, "password": (*error.fields.get("password", ()), hint)}, as_json=as_json)
    store.commit()
    _tell(saved, _("“%(name)s” was changed.", name=saved.profile.name), options, as_json=as_json)


@click.command("remove", epilog=EXIT_CODES)
@click.argument("server", metavar="NAME_OR_ID")
@click.option("--yes", is_flag=True, help="Do not ask.")
@scope_options
@json_option
@reporting
def remove_server(server: str, *, yes: bool, scope: Scope, as_json: bool) -> None:
    """Remove a server with its secrets."""
    store = state_of().store
    profile = store.find(server, scope=scope)
    if not yes:
        if as_json:
            raise click.UsageError(_("With --json nothing is asked: say --yes as well."))
        for sentence in presenting.uses(profile, _others(profile), builtin=""):
            say(sentence)
        if not click.confirm(_("Remove “%(name)s” with its password?", name=profile.name)):
            complain(_("Nothing was removed."))
            raise click.exceptions.Exit(FAILED)
    store.remove(profile.public_id, scope=scope)
    store.commit()
    if as_json:
        say_json({"removed": {"id": profile.public_id, "name": profile.name}})
    else:
        say(_("“%(name)s” was removed.", name=profile.name))


def _others(profile: ServerProfile) -> list[ServerProfile]:
    return [one for one in state_of().store.servers(scope=profile.scope) if one.public_id != profile.public_id]


def _by_reference(options: Mapping[str, Any]) -> bool:
    """Whether ``env:NAME`` is a reference: only where it came as one. A password that is typed is taken literally."""
    return options.get("password_env") is not None


def _unset_variable(options: Mapping[str, Any]) -> list[str]:
    """Say so if the named variable is not set, without its name: it may be a password, put there in error."""
    if options["password_env"] is None or options["password_env"] in os.environ:
        return []
    return [_("The environment variable with the password is not set here. Mail goes out only where it is set.")]


def _tell(saved: Saved, text: str, options: Mapping[str, Any], *, as_json: bool) -> None:
    notices = [*saved.notices, *_unset_variable(options)]
    if as_json:
        warnings = [
            {"field": warning.field, "text": warning.text, "correction": dict(warning.correction)}
            for warning in saved.warnings
        ]
        say_json({"server": server_json(saved.profile), "notices": notices, "warnings": warnings})
        return
    say(text)
    for notice in notices:
        say(_("Note: %(text)s", text=notice))
    for warning in saved.warnings:
        say(_("Warning: %(field)s: %(text)s", field=warning.field, text=warning.text))
        if warning.correction:
            words = _correction_words(saved.profile, warning.correction)
            say(_("  To follow it: flask smtp edit %(words)s", words=words))


def _correction_words(profile: ServerProfile, correction: Mapping[str, Any]) -> str:
    """Write the words of the command that follows a correction, with the password where it must be given again."""
    words = [profile.public_id, *(f"--{name.replace('_', '-')} {value}" for name, value in correction.items())]
    if profile.password is not None and not set(DESTINATION_FIELDS).isdisjoint(correction):
        variable = profile.password.environment
        words.append(f"--password-env {variable}" if variable else "--password")
    return " ".join(words)
