"""Sending messages: from Flask-Mail's message to the verdict of a server."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blinker import NamedSignal

from ..errors import SendError
from ..i18n import gettext as _
from ..mailbox import Mailbox
from ..signals import mail_delivered, mail_failed, mail_suppressed, recipients_refused
from ..smtp.deadline import Deadline
from ..smtp.endpoint import Endpoint
from ..smtp.session import Session
from ..smtp.transcript import Transcript
from . import choice
from .builtin import BuiltIn
from .checks import mail_options, rcpt_options
from .delivery import Delivery, Outcome, RecipientOutcome
from .diagnosing import diagnose_failure
from .recipients import recipients_of
from .routing import Question, Route, route
from .sender import Sender, decide_sender, envelope_address, is_default_sender, read_sender
from .sessions import Line
from .transmit import Shipment, transmit
from .wire import Content, render

if TYPE_CHECKING:
    from flask import Flask
    from flask_mail import Message

    from ..state import AppState

logger = logging.getLogger("flask_smtpservers")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is decided about a message before it is written.

    :param route: the server and the reason; None if sending is switched off.
    :param author: the message's own sender, or the app's default one where no server has another; None if neither.
    :param is_default: whether the message says nothing of its own.
    """

    route: Route | None
    author: Mailbox | None
    is_default: bool

    @property
    def has_sender(self) -> bool:
        """Whether a From address can be had: the message's, the app's, or that of the server."""
        return self.route is None or self.author is not None or self.route.server is not None


class Dispatcher:
    """Sends messages, each over a session of the app's pool; one for each ``with mail.connect()`` block.

    :param app: the sender of our signals.
    :param builtin: the app's own server.
    :param entering: the app's context, entered around each use of the store.
    :param debug: whether to show the dialogue, credentials masked, on standard error, as ``MAIL_DEBUG`` asks.
    :param messages: the most messages over one session, if fewer than the pool allows.
    """

    def __init__(
        self,
        app: Flask,
        state: AppState,
        builtin: BuiltIn,
        *,
        entering: Callable[[], AbstractContextManager[Any]],
        debug: bool = False,
        messages: int | None = None,
    ) -> None:
        self._app = app
        self._state = state
        self._builtin = builtin
        self._entering = entering
        self._debug = debug
        self._messages = messages
        self._used: set[str] = set()

    def renew(self) -> None:
        """Close the sessions with the servers that were used here, so that the next message opens one; never raises."""
        for key in self._used:
            self._state.pool.discard(key)

    def plan(self, message: Message, using: str | None = None) -> Plan:
        """Choose the server, with one SELECT. Each message is routed by itself, and what is read now is what is used.

        :param using: the server asked for; otherwise the one of the innermost ``using`` block.
        :raises ServerNotFound: it does not exist or is paused.
        :raises MessageRefused: the sender is no single address.
        """
        using = choice.current() if using is None else using
        default = self._builtin.default_sender
        is_default = is_default_sender(message.sender, default)
        author = None if is_default else read_sender(message.sender)
        address = author.address if author is not None else ""
        with self._entering():
            found = self._state.store.candidates(using=using, address=address)
        if not found.sending_enabled:
            return Plan(None, author, is_default)
        chosen = route(Question(using, address), found.servers)
        if chosen.server is None and is_default:
            author = read_sender(message.sender or default)
        return Plan(chosen, author, is_default)

    def send(
        self, message: Message, plan: Plan, *, envelope_from: object = None, own_serialiser: bool = False
    ) -> Delivery:
        """Send a message as planned.

        :param envelope_from: the envelope sender, if it is to be another than the From address.
        :param own_serialiser: whether the message's class writes itself.
        :raises MessageRefused: the message cannot be sent as it is; nothing was.
        :raises SendError: no recipient was accepted; with the diagnosis.
        """
        if plan.route is None:
            return self._drop(message)
        server = plan.route.server
        sender = decide_sender(plan.author, plan.is_default, server, self._state.settings.app_name)
        content, recipients = self._written(message, sender, own_serialiser)
        wanted_sender = envelope_from or getattr(message, "envelope_from", None)
        shipment = Shipment(
            content=content,
            sender=envelope_address(wanted_sender) if wanted_sender else sender.envelope,
            recipients=recipients,
            mail_options=mail_options(message),
            rcpt_options=rcpt_options(message),
        )
        message.msgId = content.message_id  # what the host reads afterwards is what was sent
        return self._ship(message, plan.route, shipment)

    def _written(self, message: Message, sender: Sender, own_serialiser: bool) -> tuple[Content, tuple[str, ...]]:
        settings = self._state.settings
        recipients = recipients_of(message, settings.max_recipients)
        content = render(
            message, sender, recipients, max_bytes=settings.max_message_bytes, own_serialiser=own_serialiser
        )
        return content, recipients.envelope

    def _ship(self, message: Message, chosen: Route, shipment: Shipment) -> Delivery:
        started = time.monotonic()
        server = chosen.server
        deadline = Deadline(self._state.settings.deadline_seconds)
        line = self._line(chosen, deadline)
        try:
            done = transmit(shipment, line)
        except SendError as error:
            self._explain(error, chosen, shipment, line)
            self._announce(mail_failed, error=error, message=message)
            raise
        delivery = Delivery(
            server_name=chosen.server_name,
            server_id=server.public_id if server is not None else None,
            recipients=tuple(done.outcomes),
            queue_id=done.queue_id,
            reply=done.reply.excerpt if done.reply is not None else "",
            route=chosen,
            message_id=shipment.content.message_id,
            milliseconds=round((time.monotonic() - started) * 1000),
        )
        self._report(delivery, message)
        return delivery

    def _line(self, chosen: Route, deadline: Deadline) -> Line:
        key = self._builtin.digest if chosen.server is None else chosen.server.digest
        if self._debug:
            key += " shown"  # a session that is shown is so from its beginning to its end
        self._used.add(key)
        return Line(
            self._state.pool,
            key,
            lambda: self._session(self._endpoint(chosen), deadline),
            deadline,
            messages=self._messages,
            sessions=chosen.server.max_connections if chosen.server is not None else 0,
        )

    def _endpoint(self, chosen: Route) -> Endpoint:
        if chosen.server is None:
            return self._builtin.endpoint(self._state.settings)
        with self._entering():
            return self._state.store.endpoint_of(chosen.server)

    def _session(self, endpoint: Endpoint, deadline: Deadline) -> Session:
        return Session(
            endpoint,
            network=self._state.network,
            guard=self._state.guard,
            deadline=deadline,
            transcript=_ShownTranscript() if self._debug else None,
        )

    def _explain(self, error: SendError, chosen: Route, shipment: Shipment, line: Line) -> None:
        """Attach the diagnosis."""
        error.server = chosen.server_name  # a session that is used again may know it by an older name
        session, server = line.session, chosen.server
        if error.diagnosis is None and session is not None:
            error.diagnosis = diagnose_failure(
                error,
                session.endpoint,
                session,
                sender=shipment.sender,
                recipient=shipment.recipients[0] if len(shipment.recipients) == 1 else "",
                provider_id=server.provider if server is not None else "",
                outbound_ips=self._state.settings.outbound_ips,
                from_environment=bool(server and server.password and server.password.environment),
            )

    # -- telling
    def _drop(self, message: Message) -> Delivery:
        delivery = suppressed(message, _("Sending is switched off."))
        logger.warning(
            "Sending is switched off: a message to %d recipients was dropped (Message-ID %s)",
            len(delivery.recipients),
            message.msgId,
        )
        self._announce(mail_suppressed, message=message)
        return delivery

    def _report(self, delivery: Delivery, message: Message) -> None:
        logger.info(
            "%s accepted message %s for %d recipients, queue id %s",
            delivery.server_name,
            delivery.message_id,
            len(delivery.accepted),
            delivery.queue_id or "unknown",
        )
        self._announce(mail_delivered, delivery=delivery, message=message)
        lost = [item for item in delivery.recipients if item.outcome is not Outcome.ACCEPTED]
        if lost:
            logger.warning(
                "%s did not take message %s for %d of %d recipients: %s",
                delivery.server_name,
                delivery.message_id,
                len(lost),
                len(delivery.recipients),
                "; ".join(f"{item.address} ({item.outcome}: {item.code or '-'} {item.text})" for item in lost),
            )
            self._announce(recipients_refused, delivery=delivery, message=message)

    def _announce(self, signal: NamedSignal, **values: Any) -> None:
        """Send a signal. A listener that fails must not make a message that was taken look as if it was not."""
        try:
            signal.send(self._app, **values)
        except Exception:
            logger.exception("A listener of the signal %s failed", signal.name)


def suppressed(message: Message, text: str) -> Delivery:
    """Make the delivery of a message that was not sent on purpose; its addresses need not be fit for sending."""
    found: list[RecipientOutcome] = []
    for item in sorted(message.send_to, key=str):
        address = str(item[1]) if isinstance(item, tuple) else str(item)
        found.append(RecipientOutcome(address, Outcome.SUPPRESSED, text=text))
    return Delivery(server_name="", server_id=None, recipients=tuple(found))


class _ShownTranscript(Transcript):
    """A transcript that is also shown as it grows."""

    def add(self, who: str, text: str) -> None:
        super().add(who, text)
        who, text = self.entries()[-1]
        sys.stderr.write(f"{who}: {text}\n")
