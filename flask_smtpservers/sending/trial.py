"""Trying a server out ("Test SMTP Settings"): one that is stored, or fields that nobody has saved yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ..diagnosis.check import check, not_started
from ..diagnosis.context import Context, context_of
from ..diagnosis.probes import Surroundings
from ..errors import InvalidServer, MessageRefused, SecretUnreadable, SMTPServersError
from ..findings import Stage, Step, StepState
from ..i18n import gettext as _
from ..mailbox import parse_address
from ..permissions import APP, Scope
from ..secret import Secret
from ..servers import personal
from ..servers.endpoints import endpoint_from
from ..servers.fields import FieldRules, clean
from ..servers.profile import ServerProfile, StoredSecret
from ..servers.scoping import columns_of
from ..servers.vault import referenced
from ..smtp.deadline import Deadline
from ..smtp.endpoint import Endpoint, Security
from ..smtp.session import Session
from .arrival import Awaited, Outcome, finish
from .fence import Patience, behind_fence
from .sender import Sender, decide_sender
from .trial_message import trial_message

if TYPE_CHECKING:
    from ..state import AppState

#: The id of a server that is not stored.
_UNSAVED = "unsaved"
_SECRETS = ("password", "client_key")
#: Looked up, never connected to, when the name of a server is not found: does any other name resolve?
_KNOWN_NAMES = ("smtp.gmail.com", "smtp.office365.com")


def try_server(
    state: AppState,
    server: ServerProfile | Mapping[str, Any],
    *,
    base: ServerProfile | None = None,
    scope: Scope = APP,
    recipient: str = "",
    operator: bool = False,
    awaited: Awaited | None = None,
    actor: str = "",
) -> Iterator[Step]:
    """Try a server and yield each step as it ends; the failed one carries its diagnosis.

    The result of a stored server is kept with it, also if the caller stops reading half-way; then the test goes on
    to its end.

    :param server: a stored server, or the fields of one that is not stored.
    :param base: with fields: the stored server that they change. Its secrets are used where the fields give none,
        which they may only while the destination stays the same.
    :param scope: with fields: whose server they would make, if they change none.
    :param recipient: where the test message goes; without it nothing is sent.
    :param operator: whether config or the command line asks: there ``env:NAME`` is a reference, and nothing that a
        user may not know of his server is kept back.
    :param awaited: how the arrival of the test message is confirmed; the result is then kept in the history of tests.
    :param actor: who tests, or the command that does.
    :raises InvalidServer: the fields are wrong (at once, before the first step).
    :raises MessageRefused: the recipient is no single address (likewise).
    """
    if recipient:
        parse_address(recipient)
    if isinstance(server, ServerProfile):
        steps = _stored(state, server, recipient, awaited, operator=operator)
        return _kept(state, steps, server, awaited, actor)
    scope = base.scope if base is not None else scope
    rules = FieldRules.of(state.settings, state.catalog, operator=operator)
    values = clean(server, base=base, rules=personal.rules(rules, state.settings) if scope.owner else rules).values
    refused = personal.refused(values, base, 0, state.settings, state.catalog) if scope.owner else {}
    if refused:
        raise InvalidServer(refused)
    values = {**values, **columns_of(scope)}
    steps = _unsaved(state, values, base, recipient, awaited, operator=operator)
    return _kept(state, steps, None, awaited, actor)


def steps_of(state: AppState, server: ServerProfile) -> Iterator[Step]:
    """Try a stored server without sending anything; the result is left to the caller."""
    return _stored(state, server, "", None, operator=True)


def _stored(
    state: AppState, profile: ServerProfile, recipient: str, awaited: Awaited | None, *, operator: bool
) -> Iterator[Step]:
    try:
        password, key = state.store.password_of(profile), state.store.client_key_of(profile)
    except SecretUnreadable as error:
        return _refused(state, profile, error, recipient)
    return _run(state, profile, password, key, recipient, awaited, operator=operator)


def _unsaved(
    state: AppState,
    values: Mapping[str, Any],
    base: ServerProfile | None,
    recipient: str,
    awaited: Awaited | None,
    *,
    operator: bool,
) -> Iterator[Step]:
    known = {field.name for field in fields(ServerProfile)} - set(_SECRETS)
    plain = {name: value for name, value in values.items() if name in known}
    profile = replace(base, **plain) if base is not None else ServerProfile(public_id=_UNSAVED, **plain)
    try:
        password, key = (_secret(state, values, name, base) for name in _SECRETS)
    except SecretUnreadable as error:
        return _refused(state, profile, error, recipient)
    return _run(state, profile, password, key, recipient, awaited, operator=operator)


def _secret(state: AppState, values: Mapping[str, Any], name: str, base: ServerProfile | None) -> Secret | None:
    """Return the secret that the fields give, else the stored one of ``base``."""
    if name in values:
        given = values[name]
        return referenced(given.environment) if isinstance(given, StoredSecret) else given
    if base is None:
        return None
    return state.store.password_of(base) if name == "password" else state.store.client_key_of(base)


def _run(
    state: AppState,
    profile: ServerProfile,
    password: Secret | None,
    key: Secret | None,
    recipient: str,
    awaited: Awaited | None,
    *,
    operator: bool,
) -> Iterator[Step]:
    endpoint = endpoint_from(profile, state.settings, password=password, client_key=key)
    users = bool(profile.owner) and not operator
    fenced = users and not personal.known_host(profile.host, profile.port, state.settings, state.catalog)
    seconds = state.settings.test_deadline_seconds
    patience = Patience(seconds)
    deadline = patience if fenced else Deadline(seconds)
    guard = state.guard_for(profile.owner, profile.host, profile.port)
    try:
        sender, content = _letter(state, profile, recipient, awaited)
    except MessageRefused as error:  # the row was changed behind our back
        return _refused(state, profile, error, recipient)
    around = Surroundings(
        endpoint,
        network=state.network,
        guard=guard,
        deadline=deadline,
        names=_KNOWN_NAMES,
        reference=None if users else partial(_known_good, state, profile),
    )
    steps = check(
        Session(endpoint, network=state.network, guard=guard, deadline=deadline),
        sender=sender.envelope,
        recipient=recipient or None,
        content=content,
        context=_context(state, profile, endpoint, recipient),
        inspect=None if fenced else around.certificate,
        probe=None if fenced else around.look,
    )
    return behind_fence(steps, endpoint, patience) if fenced else steps


def _letter(
    state: AppState, profile: ServerProfile, recipient: str, awaited: Awaited | None
) -> tuple[Sender, bytes | None]:
    """Return the sender, and the test message if there is a recipient.

    :raises MessageRefused: the sender or the address for replies is none.
    """
    app_name = state.settings.app_name
    sender = decide_sender(None, is_default=True, server=profile, app_name=app_name)
    if not recipient:
        return sender, None
    reply_to = sender.reply_to.address if sender.reply_to else ""
    content = trial_message(
        sender=sender.header,
        recipient=recipient,
        reply_to=reply_to,
        app_name=app_name,
        server=profile,
        link=awaited.link if awaited else "",
        code=awaited.code if awaited else "",
    )
    return sender, content


def _known_good(state: AppState, profile: ServerProfile) -> Endpoint | None:
    """Find another server of the scope that passed its last test, and whose certificate a public authority issued."""
    try:
        servers = state.store.servers(scope=profile.scope)
    except SMTPServersError:
        return None  # only a help for the explanation of a failure
    for other in servers:
        own_trust = other.ca_certificate or other.certificate_fingerprint
        public = other.security is not Security.NONE and not own_trust
        if other.public_id != profile.public_id and other.test_passed and public:
            return endpoint_from(other, state.settings, password=None, client_key=None)
    return None


def _refused(state: AppState, profile: ServerProfile, error: SMTPServersError, recipient: str) -> Iterator[Step]:
    """Yield the steps of a run that ends before it begins: a secret cannot be read, or the sender is no address."""
    endpoint = endpoint_from(profile, state.settings, password=None, client_key=None)
    return not_started(
        error,
        security=profile.security,
        login=bool(profile.username),
        send=bool(recipient),
        context=_context(state, profile, endpoint, recipient),
    )


def _context(state: AppState, profile: ServerProfile, endpoint: Endpoint, recipient: str) -> Context:
    return context_of(
        endpoint,
        sender=profile.address,
        recipient=recipient,
        provider=state.catalog.provider(profile.provider) if profile.provider else None,
        catalog=state.catalog,
        outbound_ips=state.settings.outbound_ips,
        from_environment=profile.password is not None and bool(profile.password.environment),
    )


def _kept(
    state: AppState, steps: Iterator[Step], profile: ServerProfile | None, awaited: Awaited | None, actor: str
) -> Iterator[Step]:
    """Pass the steps on and keep the result. A reader who leaves does not stop the run, which its deadline bounds.

    :param profile: the stored server that is tried; None for settings that are not saved.
    """
    outcome = Outcome()
    try:
        for step in steps:
            outcome.note(step, now=state.trials.clock())
            yield step
        if awaited is not None and awaited.awaits and outcome.sent_at is not None:
            yield Step(Stage.ARRIVAL, StepState.WAITING, seen=_request(awaited))
    except Exception:
        outcome.passed = None
        raise
    finally:
        for step in steps:
            outcome.note(step, now=state.trials.clock())
        if profile is not None and outcome.passed is not None:
            state.store.record_test(
                profile,
                outcome.passed,
                outcome.title,
                certificate_expires_at=outcome.certificate_expires_at,
                tested_by=actor,
            )
        if awaited is not None:
            finish(state, awaited, outcome)


def _request(awaited: Awaited) -> str:
    if awaited.link:
        return _("Open the link in the message")
    return _("Enter the code from the message on the page “Confirm arrival”")
