"""Trying a server out ("Test SMTP Settings"): one that is stored, or fields that nobody has saved yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ..diagnosis.check import check, not_started
from ..diagnosis.context import Context, context_of
from ..diagnosis.probes import Surroundings
from ..errors import MessageRefused, SecretUnreadable, SMTPServersError
from ..findings import Step, StepState
from ..mailbox import parse_address
from ..providers.catalog import provider
from ..secret import Secret
from ..servers.endpoints import endpoint_from
from ..servers.fields import FieldRules, clean
from ..servers.profile import ServerProfile, StoredSecret
from ..servers.vault import referenced
from ..smtp.deadline import Deadline
from ..smtp.endpoint import Endpoint, Security
from ..smtp.session import Session
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
    recipient: str = "",
    operator: bool = False,
) -> Iterator[Step]:
    """Try a server and yield each step as it ends; the failed one carries its diagnosis.

    The result of a stored server is kept with it, also if the caller stops reading half-way.

    :param server: a stored server, or the fields of one that is not stored.
    :param base: with fields: the stored server that they change. Its secrets are used where the fields give none,
        which they may only while the destination stays the same.
    :param recipient: where the test message goes; without it nothing is sent.
    :param operator: whether the fields come from config or the command line, where ``env:NAME`` is a reference.
    :raises InvalidServer: the fields are wrong (at once, before the first step).
    :raises MessageRefused: the recipient is no single address (likewise).
    """
    if recipient:
        parse_address(recipient)
    if isinstance(server, ServerProfile):
        return _kept(state, server, _stored(state, server, recipient))
    values = clean(server, base=base, rules=FieldRules.of(state.settings, operator=operator)).values
    return _unsaved(state, values, base, recipient)


def _stored(state: AppState, profile: ServerProfile, recipient: str) -> Iterator[Step]:
    try:
        password, key = state.store.password_of(profile), state.store.client_key_of(profile)
    except SecretUnreadable as error:
        return _refused(state, profile, error, recipient)
    return _run(state, profile, password, key, recipient)


def _unsaved(state: AppState, values: Mapping[str, Any], base: ServerProfile | None, recipient: str) -> Iterator[Step]:
    known = {field.name for field in fields(ServerProfile)} - set(_SECRETS)
    plain = {name: value for name, value in values.items() if name in known}
    profile = replace(base, **plain) if base is not None else ServerProfile(public_id=_UNSAVED, **plain)
    try:
        password, key = (_secret(state, values, name, base) for name in _SECRETS)
    except SecretUnreadable as error:
        return _refused(state, profile, error, recipient)
    return _run(state, profile, password, key, recipient)


def _secret(state: AppState, values: Mapping[str, Any], name: str, base: ServerProfile | None) -> Secret | None:
    """Return the secret that the fields give, else the stored one of ``base``."""
    if name in values:
        given = values[name]
        return referenced(given.environment) if isinstance(given, StoredSecret) else given
    if base is None:
        return None
    return state.store.password_of(base) if name == "password" else state.store.client_key_of(base)


def _run(
    state: AppState, profile: ServerProfile, password: Secret | None, key: Secret | None, recipient: str
) -> Iterator[Step]:
    endpoint = endpoint_from(profile, state.settings, password=password, client_key=key)
    deadline = Deadline(state.settings.test_deadline_seconds)
    try:
        sender, content = _letter(state, profile, recipient)
    except MessageRefused as error:  # the row was changed behind our back
        return _refused(state, profile, error, recipient)
    around = Surroundings(
        endpoint,
        network=state.network,
        guard=state.guard,
        deadline=deadline,
        names=_KNOWN_NAMES,
        reference=partial(_known_good, state, profile),
    )
    return check(
        Session(endpoint, network=state.network, guard=state.guard, deadline=deadline),
        sender=sender.envelope,
        recipient=recipient or None,
        content=content,
        context=_context(state, profile, endpoint, recipient),
        inspect=around.certificate,
        probe=around.look,
    )


def _letter(state: AppState, profile: ServerProfile, recipient: str) -> tuple[Sender, bytes | None]:
    """Return the sender, and the test message if there is a recipient.

    :raises MessageRefused: the sender or the address for replies is none.
    """
    app_name = state.settings.app_name
    sender = decide_sender(None, is_default=True, server=profile, app_name=app_name)
    if not recipient:
        return sender, None
    reply_to = sender.reply_to.address if sender.reply_to else ""
    content = trial_message(
        sender=sender.header, recipient=recipient, reply_to=reply_to, app_name=app_name, server=profile
    )
    return sender, content


def _known_good(state: AppState, profile: ServerProfile) -> Endpoint | None:
    """Find another server of the app that passed its last test and whose certificate a public authority issued."""
    try:
        servers = state.store.servers()
    except SMTPServersError:
        return None  # only a help for the explanation of a failure
    for other in servers:
        public = other.security is not Security.NONE and not other.ca_certificate
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
        provider=provider(profile.provider) if profile.provider else None,
        outbound_ips=state.settings.outbound_ips,
        from_environment=profile.password is not None and bool(profile.password.environment),
    )


def _kept(state: AppState, profile: ServerProfile, steps: Iterator[Step]) -> Iterator[Step]:
    """Pass the steps on and keep the result. A reader who leaves does not stop the run, which its deadline bounds."""
    passed, title = True, ""
    try:
        for step in steps:
            if step.state is StepState.FAILED:
                passed, title = False, step.diagnosis.title if step.diagnosis else ""
            yield step
    finally:
        for step in steps:
            if step.state is StepState.FAILED:
                passed, title = False, step.diagnosis.title if step.diagnosis else ""
        state.store.record_test(profile, passed, title)
