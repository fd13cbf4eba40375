"""From what was said of a message, and of the request that it is sent in, to the question which server sends it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from flask import Flask, current_app, has_request_context

from ..errors import MessageRefused
from ..i18n import gettext as _
from ..policy import Kind, Mode, ModeState
from ..safe_text import printable
from ..servers import personal
from ..servers.lookup import Candidates
from ..servers.modes import mode_state
from .choice import Choice, Kept
from .matching import Question

if TYPE_CHECKING:
    from flask_mail import Message

    from ..state import AppState


def ask(
    app: Flask, state: AppState, message: Message, address: str, said: Choice, *, from_app: bool = False
) -> Question:
    """Make the question; nothing is read from the database.

    The host is asked for tenant and user only within a request of this app, and only where they matter.

    :param address: the address of the message's own sender; empty if it has none.
    :param from_app: whether that is the address of the app's default sender.
    :raises MessageRefused: there is no such kind of mail.
    """
    settings = state.settings
    kind = _kind(state, getattr(message, "smtp_kind", None) if said.kind is None else said.kind)
    in_request = has_request_context() and current_app._get_current_object() is app  # type: ignore[attr-defined]
    tenant = (state.tenant() if in_request else None) if isinstance(said.tenant, Kept) else said.tenant
    named = isinstance(said.owner, str)
    owner = said.owner if isinstance(said.owner, str) else None
    may_be_personal = settings.personal and bool(address) and not from_app and not (kind is not None and kind.bulk)
    if isinstance(said.owner, Kept) and may_be_personal and in_request:
        owner = state.owner()
    return Question(
        using=said.name,
        address=address,
        kind=kind,
        tenant=tenant or "",
        owner=owner or "" if may_be_personal else "",
        owner_named=named,
        personal=settings.personal,
        fallback=settings.personal_fallback,
        from_app=from_app,
    )


def answered(state: AppState, question: Question, found: Candidates) -> tuple[Question, bool]:
    """Complete the question with what the database says; and whether the app's own server may be used."""
    settings = state.settings
    withdrawn = frozenset(
        server.public_id
        for server in found.servers
        if server.owner and not personal.permits(server.host, server.port, settings, state.catalog)
    )
    builtin = mode_state(settings, Mode.BUILTIN, found.builtin_switch) is ModeState.ON
    return replace(question, kind_servers=found.kind_servers, withdrawn=withdrawn), builtin


def _kind(state: AppState, name: object) -> Kind | None:
    if name is None:
        return None
    kinds = state.settings.kinds
    kind = kinds.get(str(name))
    if kind is None:
        raise MessageRefused(
            _(
                "There is no kind of mail “%(kind)s”. SMTPSERVERS_KINDS names: %(kinds)s.",
                kind=printable(str(name), 64),
                kinds=", ".join(kinds) or _("none"),
            )
        )
    return kind
