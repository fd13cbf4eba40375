"""The check of a server: every stage of a session in turn, and at the first failure its one cause."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol

from ..errors import MessageRefused, RecipientsRefused, SendError, SMTPServersError
from ..findings import Stage, Step, StepState
from ..i18n import gettext as _
from ..smtp.certificates import CertificateFacts
from ..smtp.endpoint import Endpoint, Security
from ..smtp.queue_id import queue_id_of
from ..smtp.reply import Reply
from ..smtp.session import Progress
from .context import Context, Fact
from .corrections import correction
from .rules import diagnose
from .stages import headline, label, stages
from .trust import trustable

__all__ = ["Inspect", "OpeningSession", "Probe", "check", "headline", "label", "not_started", "stages"]

#: Fetches the certificate that the server shows, without logging in; may raise SendError.
Inspect = Callable[[], CertificateFacts | None]

#: Looks around after a failure, given what failed, what is known and at which stage, and returns what is known then.
Probe = Callable[[Exception, Context, Stage], Context]


class OpeningSession(Protocol):
    """What the check needs of a :class:`~flask_smtpservers.smtp.session.Session` that is not open yet."""

    endpoint: Endpoint
    greeting: Reply | None
    features: Mapping[str, str]

    def opening(self) -> Iterator[Progress]:
        """Open it, stage by stage."""
        ...  # pragma: no cover

    def mail_from(self, sender: str, *, size: int | None = None, options: tuple[str, ...] = ()) -> Reply:
        """Name the sender; of the options, what the server does not offer is left out."""
        ...  # pragma: no cover

    def rcpt_to(self, address: str) -> Reply:
        """Name a recipient; a refusal is returned."""
        ...  # pragma: no cover

    def data(self, content: bytes) -> Reply:
        """Hand over the content."""
        ...  # pragma: no cover

    def reset(self) -> None:
        """Abort the transaction."""
        ...  # pragma: no cover

    def close(self) -> None:
        """End the session."""
        ...  # pragma: no cover


def check(
    session: OpeningSession,
    *,
    sender: str,
    recipient: str | None = None,
    content: bytes | None = None,
    context: Context,
    clock: Callable[[], float] = time.monotonic,
    inspect: Inspect | None = None,
    probe: Probe | None = None,
) -> Iterator[Step]:
    """Go through every stage; yield each step as it ends, and after a failure those that were not reached.

    The session is closed at the end, also if the reader leaves before. Without ``content`` nothing is sent: the run
    ends after the recipient was accepted.

    :param session: one that is not open yet.
    :param sender: the envelope sender.
    :param recipient: who gets the test message; None asks the server only whether it would take mail for ``sender``.
    :param content: the test message, CRLF line ends; None sends nothing.
    :param context: what is known of the server; completed with what the session finds.
    :param clock: seconds, for the milliseconds of each step.
    :param inspect: asked for the server's certificate if that was refused.
    :param probe: asked after a failure, when the session is closed, for what decides between its causes.
    """
    message = content if recipient else None
    endpoint = session.endpoint
    plan = stages(endpoint.security, login=bool(endpoint.username), send=message is not None)
    run = _Run(clock, list(plan))
    try:
        yield run.passed(Stage.SETTINGS, _settings_seen(endpoint))
        try:
            for progress in session.opening():
                yield run.passed(progress.stage, progress.seen, progress.reply, progress.expires_at)
            yield from _transaction(session, run, sender, recipient or sender, message)
        except (SendError, MessageRefused) as error:
            stage, milliseconds = run.stage_of(getattr(error, "stage", None)), run.milliseconds()
            known = _completed(context, session, run, inspect if stage is Stage.CERTIFICATE else None)
            session.close()
            yield run.failed(stage, error, probe(error, known, stage) if probe else known, milliseconds)
            yield from run.not_reached()
    finally:
        session.close()


def not_started(
    error: SMTPServersError, *, security: Security, login: bool, send: bool, context: Context
) -> Iterator[Step]:
    """Yield the steps of a run that failed before there was a session: an unreadable secret, say.

    :param error: why there is no session.
    :param login: whether a user name is set.
    :param send: whether a test message was to be sent.
    """
    run = _Run(lambda: 0.0, list(stages(security, login=login, send=send)))
    yield run.failed(Stage.SETTINGS, error, context, 0)
    yield from run.not_reached()


def _transaction(
    session: OpeningSession, run: _Run, sender: str, recipient: str, content: bytes | None
) -> Iterator[Step]:
    options: tuple[str, ...] = () if recipient.isascii() else ("SMTPUTF8",)
    if content is not None and not content.isascii():
        options += ("BODY=8BITMIME",)
    reply = session.mail_from(sender, size=None if content is None else len(content), options=options)
    yield run.passed(Stage.MAIL_FROM, _("%(sender)s is accepted as sender", sender=sender), reply)
    reply = session.rcpt_to(recipient)
    if not reply.positive:
        raise _recipient_refused(recipient, reply)
    yield run.passed(Stage.RCPT_TO, _("%(recipient)s is accepted as recipient", recipient=recipient), reply)
    if content is None:
        # The question is answered; what the server says to RSET changes nothing.
        with suppress(SendError):
            session.reset()
        return
    reply = session.data(content)
    yield run.passed(Stage.DATA, _data_seen(reply), reply)


@dataclass
class _Run:
    """The stages that are still to come, and the time since the last one."""

    clock: Callable[[], float]
    remaining: list[Stage]
    since: float = field(init=False)

    def __post_init__(self) -> None:
        self.since = self.clock()

    def passed(self, stage: Stage, seen: str, reply: Reply | None = None, expires_at: datetime | None = None) -> Step:
        """Make the step of a stage that went well."""
        if stage in self.remaining:
            self.remaining.remove(stage)
        raw = f"{reply.code} {reply.excerpt}" if reply is not None else ""
        return Step(stage, StepState.OK, self.milliseconds(), seen, raw, expires_at=expires_at)

    def failed(self, stage: Stage, error: Exception, context: Context, milliseconds: int) -> Step:
        """Make the step that failed, with its diagnosis and what one press of a button can do about it."""
        diagnosis = diagnose(error, context, stage)
        diagnosis = replace(
            diagnosis,
            correction=correction(diagnosis, context),
            certificate=trustable(diagnosis, context, error),
        )
        self.remaining = [other for other in self.remaining if other is not stage]
        return Step(stage, StepState.FAILED, milliseconds, "", diagnosis.said or str(error), diagnosis)

    def not_reached(self) -> Iterator[Step]:
        """Make the steps of the stages that are left."""
        for stage in self.remaining:
            yield Step(stage, StepState.NOT_REACHED)

    def stage_of(self, stage: Stage | None) -> Stage:
        """Choose the stage to blame: the error's own, unless the run has passed it or does not have it."""
        return stage if stage in self.remaining and stage is not None else next(iter(self.remaining), Stage.DATA)

    def milliseconds(self) -> int:
        """Give the time since the step before; what the reader does between two steps counts for the next one."""
        now = self.clock()
        taken, self.since = now - self.since, now
        return max(0, round(taken * 1000))


def _completed(context: Context, session: OpeningSession, run: _Run, inspect: Inspect | None) -> Context:
    """Add what the session has found until now."""
    facts = _certificate(inspect)
    return replace(
        context,
        features=None if Stage.EHLO in run.remaining else frozenset(session.features),
        greeting=session.greeting.text if session.greeting else "",
        certificate_names=facts.subject_names if facts else context.certificate_names,
        certificate_issuer=facts.issuer if facts else context.certificate_issuer,
        certificate=facts,
        facts=context.facts | {Fact.LEAF_IN_DATE} if facts and _in_date(facts) else context.facts,
    )


def _in_date(facts: CertificateFacts) -> bool:
    now = datetime.now(UTC)
    return bool(facts.not_before and facts.not_after and facts.not_before <= now <= facts.not_after)


def _certificate(inspect: Inspect | None) -> CertificateFacts | None:
    if inspect is None:
        return None
    try:
        return inspect()
    except SendError:
        # Only a help for the explanation: the refusal itself is explained without it.
        return None


def _settings_seen(endpoint: Endpoint) -> str:
    words = {"host": endpoint.host, "port": endpoint.port}
    match endpoint.security:
        case Security.SSL:
            return _("%(host)s, port %(port)s, encrypted from the first byte (SSL)", **words)
        case Security.STARTTLS:
            return _("%(host)s, port %(port)s, encrypted with STARTTLS", **words)
        case Security.NONE:
            return _("%(host)s, port %(port)s, not encrypted", **words)


def _data_seen(reply: Reply) -> str:
    queue_id = queue_id_of(reply)
    if queue_id:
        return _("The server accepted the test message (queue id %(queue_id)s)", queue_id=queue_id)
    return _("The server accepted the test message")


def _recipient_refused(recipient: str, reply: Reply) -> RecipientsRefused:
    error = RecipientsRefused(
        _("The server refused the recipient %(recipient)s.", recipient=recipient),
        stage=Stage.RCPT_TO,
        code=reply.code,
        enhanced=reply.enhanced,
        reply=reply.excerpt,
    )
    error.recipients = {recipient: (reply.code, reply.excerpt.encode())}
    return error
