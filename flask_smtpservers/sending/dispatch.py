"""Sending messages: from Flask-Mail's message to the verdict of a server."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from blinker import NamedSignal

from ..errors import CertificateChanged, SendError
from ..i18n import gettext as _
from ..signals import certificate_changed, mail_delivered, mail_failed, mail_suppressed, recipients_refused
from ..smtp.deadline import Deadline
from ..smtp.endpoint import Endpoint
from ..smtp.guard import Guard
from ..smtp.session import Session
from ..smtp.transcript import Transcript
from .builtin import BuiltIn
from .checks import mail_options, rcpt_options
from .choice import Choice
from .delivery import Delivery, Outcome, RecipientOutcome
from .diagnosing import diagnose_failure
from .explanation import Explanation
from .matching import Question
from .planning import Plan, Planner
from .recipients import recipients_of
from .routing import Route
from .sender import Sender, envelope_address
from .sessions import Line
from .transmit import Shipment, transmit
from .wire import Content, render

if TYPE_CHECKING:
    from flask import Flask
    from flask_mail import Message

    from ..servers.profile import ServerProfile
    from ..state import AppState

logger = logging.getLogger("flask_smtpservers")


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
        self._planner = Planner(app, state, builtin.default_sender, entering=entering)

    def renew(self) -> None:
        """Close the sessions with the servers that were used here, so that the next message opens one; never raises."""
        for key in self._used:
            self._state.pool.discard(key)

    def plan(self, message: Message, said: Choice | None = None) -> Plan:
        """Decide through which server a message goes; see :meth:`.planning.Planner.plan`."""
        return self._planner.plan(message, said)

    def plan_for_later(self, message: Message, said: Choice | None = None) -> tuple[Plan, Question]:
        """Decide through which server a message would go; see :meth:`.planning.Planner.plan_for_later`."""
        return self._planner.plan_for_later(message, said)

    def explain(self, message: Message, said: Choice | None = None) -> Explanation:
        """Tell what would become of a message; see :meth:`.planning.Planner.explain`."""
        return self._planner.explain(message, said)

    def sender(self, plan: Plan) -> Sender:
        """Decide who a message is from; see :meth:`.planning.Planner.sender`."""
        return self._planner.sender(plan)

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
        shipment = self.written(message, plan, envelope_from=envelope_from, own_serialiser=own_serialiser)
        return self.ship(shipment, plan.route, message=message)

    def written(
        self, message: Message, plan: Plan, *, envelope_from: object = None, own_serialiser: bool = False
    ) -> Shipment:
        """Write a message as it goes out; the arguments are those of :meth:`send`.

        :raises MessageRefused: the message cannot be sent as it is.
        """
        sender = self.sender(plan)
        content, recipients = self._rendered(message, sender, own_serialiser)
        wanted_sender = envelope_from or getattr(message, "envelope_from", None)
        shipment = Shipment(
            content=content,
            sender=envelope_address(wanted_sender) if wanted_sender else sender.envelope,
            recipients=recipients,
            mail_options=mail_options(message),
            rcpt_options=rcpt_options(message),
        )
        message.msgId = content.message_id  # what the host reads afterwards is what was sent
        return shipment

    def _rendered(self, message: Message, sender: Sender, own_serialiser: bool) -> tuple[Content, tuple[str, ...]]:
        settings = self._state.settings
        recipients = recipients_of(message, settings.max_recipients)
        content = render(
            message, sender, recipients, max_bytes=settings.max_message_bytes, own_serialiser=own_serialiser
        )
        return content, recipients.envelope

    def ship(
        self,
        shipment: Shipment,
        chosen: Route,
        *,
        message: Message | None = None,
        deadline: Deadline | None = None,
        before_dot: Callable[[], None] | None = None,
    ) -> Delivery:
        """Hand a written message to a server.

        :param message: what it was written from, for those who listen to the signals.
        :param deadline: the end of it all; without it as for every synchronous send.
        :param before_dot: called when all but the final dot of the content was written; if it raises, that is not sent.
        :raises SendError: no recipient was accepted; with the diagnosis.
        :raises MessageRefused: the message cannot be encoded for this server.
        """
        started = time.monotonic()
        server = chosen.server
        deadline = deadline or Deadline(self._state.settings.deadline_seconds)
        line = self._line(chosen, deadline)
        try:
            done = transmit(shipment, line, before_dot)
        except SendError as error:
            self._explain(error, chosen, shipment, line)
            if isinstance(error, CertificateChanged) and server is not None:
                self._sound(error, server)
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
            lambda: self._session(self._endpoint(chosen), deadline, self._guard(chosen)),
            deadline,
            messages=self._messages,
            sessions=chosen.server.max_connections if chosen.server is not None else 0,
        )

    def _endpoint(self, chosen: Route) -> Endpoint:
        if chosen.server is None:
            return self._builtin.endpoint(self._state.settings)
        with self._entering():
            return self._state.store.endpoint_of(chosen.server)

    def _guard(self, chosen: Route) -> Guard:
        server = chosen.server
        return self._state.guard if server is None else self._state.guard_for(server.owner, server.host, server.port)

    def _session(self, endpoint: Endpoint, deadline: Deadline, guard: Guard) -> Session:
        return Session(
            endpoint,
            network=self._state.network,
            guard=guard,
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
                catalog=self._state.catalog,
                sender=shipment.sender,
                recipient=shipment.recipients[0] if len(shipment.recipients) == 1 else "",
                provider_id=server.provider if server is not None else "",
                outbound_ips=self._state.settings.outbound_ips,
                from_environment=bool(server and server.password and server.password.environment),
            )

    # -- telling
    def _sound(self, error: CertificateChanged, server: ServerProfile) -> None:
        """Raise the alarm that something else may answer in a server's place, and let the list show it."""
        if not self._state.alarms.due(f"{server.public_id} {error.trusted} {error.found}"):
            return
        logger.error("%s Nothing is sent through it before a person has compared them.", error)
        self._announce(certificate_changed, server=server, error=error)
        title = error.diagnosis.title if error.diagnosis is not None else error.text
        with self._entering():
            self._state.store.record_test(server, passed=False, title=title)

    def _drop(self, message: Message) -> Delivery:
        delivery = suppressed(message, _("Sending is switched off."))
        logger.warning(
            "Sending is switched off: a message to %d recipients was dropped (Message-ID %s)",
            len(delivery.recipients),
            message.msgId,
        )
        self._announce(mail_suppressed, message=message)
        return delivery

    def _report(self, delivery: Delivery, message: Message | None) -> None:
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
