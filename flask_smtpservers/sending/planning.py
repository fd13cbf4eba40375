"""Before a message is written: the server that it goes through, and who it is from."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import MessageRefused
from ..i18n import gettext as _
from ..mailbox import Mailbox
from ..permissions import Scope
from . import choice
from .choice import Choice
from .explanation import Explanation
from .matching import Question
from .question import answered, ask
from .routing import NoRoute, Route, route
from .sender import Sender, decide_sender, has_default_address, is_default_sender, read_sender

if TYPE_CHECKING:
    from flask import Flask
    from flask_mail import Message

    from ..servers.lookup import Candidates
    from ..state import AppState


@dataclass(frozen=True, slots=True)
class Plan:
    """What is decided about a message before it is written.

    :param route: the server and the reason; None if sending is switched off.
    :param author: the message's own sender, or the app's default one where no server has another; None if neither.
    :param is_default: whether the message says nothing of its own.
    :param tenant: the id of the tenant whose mail it is; empty for the app's own.
    """

    route: Route | None
    author: Mailbox | None
    is_default: bool
    tenant: str = ""

    @property
    def has_sender(self) -> bool:
        """Whether a From address can be had: the message's, the app's, or that of the server."""
        return self.route is None or self.author is not None or self.route.server is not None


class Planner:
    """Decides about messages; nothing is sent, and nothing is written.

    :param default_sender: the app's ``MAIL_DEFAULT_SENDER``, in any of its forms.
    :param entering: the app's context, entered around each use of the store.
    """

    def __init__(
        self,
        app: Flask,
        state: AppState,
        default_sender: Any,
        *,
        entering: Callable[[], AbstractContextManager[Any]],
    ) -> None:
        self._app = app
        self._state = state
        self._default_sender = default_sender
        self._entering = entering

    def plan(self, message: Message, said: Choice | None = None) -> Plan:
        """Choose the server, with one SELECT. Each message is routed by itself, and what is read now is what is used.

        :param said: what was said of it; otherwise what the ``using`` blocks around say.
        :raises ServerNotFound: the server asked for does not exist or cannot send, or no other may send the message.
        :raises MessageRefused: the sender is no single address, or there is no such kind of mail.
        """
        author, is_default, asked, found = self._look(message, said)
        if not found.sending_enabled:
            return Plan(None, author, is_default, asked.tenant)
        return self._chosen(message, author, is_default, asked, found)

    def plan_for_later(self, message: Message, said: Choice | None = None) -> tuple[Plan, Question]:
        """Choose the server for a message that waits before it is sent, so that the main switch does not matter yet.

        :returns: the plan, and the question, which is to be asked again when it is sent.
        """
        author, is_default, asked, found = self._look(message, said)
        return self._chosen(message, author, is_default, asked, found), asked

    def explain(self, message: Message, said: Choice | None = None) -> Explanation:
        """Tell what would become of a message, also if it would not be sent; nothing is.

        :raises MessageRefused: the sender is no single address, or there is no such kind of mail.
        """
        author, is_default, asked, found = self._look(message, said)
        obstacle = "" if found.sending_enabled else _("Sending is switched off.")
        try:
            plan = self._chosen(message, author, is_default, asked, found)
        except NoRoute as error:
            return Explanation(None, error.tried, None, obstacle or str(error))
        tried = plan.route.tried if plan.route is not None else ()
        try:
            return Explanation(plan.route, tried, self.sender(plan), obstacle)
        except MessageRefused as error:
            return Explanation(plan.route, tried, None, obstacle or str(error))

    def _look(self, message: Message, said: Choice | None) -> tuple[Mailbox | None, bool, Question, Candidates]:
        """Read the author, whether that is only the app's default sender, the question, and what decides it."""
        is_default = is_default_sender(message.sender, self._default_sender)
        author = None if is_default else read_sender(message.sender)
        address = author.address if author is not None else ""
        asked = ask(
            self._app,
            self._state,
            message,
            address,
            choice.current() if said is None else said,
            from_app=has_default_address(address, self._default_sender),
        )
        with self._entering():
            found = self._state.store.candidates(
                using=asked.using,
                address=address,
                kind=asked.kind.id if asked.kind is not None else None,
                scope=Scope(asked.tenant or None, asked.owner or None),
            )
        return author, is_default, asked, found

    def _chosen(
        self, message: Message, author: Mailbox | None, is_default: bool, asked: Question, found: Candidates
    ) -> Plan:
        question, builtin = answered(self._state, asked, found)
        chosen = route(question, found.servers, builtin)
        if chosen.server is None and is_default:
            author = read_sender(message.sender or self._default_sender)
        return Plan(chosen, author, is_default, asked.tenant)

    def sender(self, plan: Plan) -> Sender:
        """Decide who a message is from.

        :raises MessageRefused: it has no sender, or the server refuses it.
        """
        server = plan.route.server if plan.route is not None else None
        return decide_sender(
            plan.author, plan.is_default, server, self._state.settings.app_name, tenant_name=plan.tenant
        )
