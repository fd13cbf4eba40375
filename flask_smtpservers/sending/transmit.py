"""One message through one server: in as many transactions as it takes, each recipient accounted for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..errors import (
    InDoubt,
    ProtocolError,
    RecipientsRefused,
    SenderRefused,
    SendError,
    SMTPServersError,
    TimedOut,
)
from ..findings import Stage
from ..i18n import gettext as _
from ..smtp.envelope import Envelope, Receipt
from ..smtp.refusals import no_utf8
from ..smtp.reply import Reply
from .delivery import Outcome, RecipientOutcome
from .sessions import Line
from .wire import Content

#: RFC 5321 §4.5.3.1.8 lets a server end a transaction at 100 recipients.
RECIPIENTS_PER_TRANSACTION = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """What is handed over.

    :param sender: the envelope sender; empty for the null sender.
    """

    content: Content
    sender: str
    recipients: tuple[str, ...]
    mail_options: tuple[str, ...] = ()
    rcpt_options: tuple[str, ...] = ()


@dataclass(slots=True)
class Transmission:
    """What came of it; ``reply`` and ``queue_id`` are those of the last transaction that was accepted."""

    outcomes: list[RecipientOutcome] = field(default_factory=list)
    reply: Reply | None = None
    queue_id: str = ""

    @property
    def accepted(self) -> bool:
        """Whether the server took the message for anyone."""
        return self.reply is not None


def transmit(shipment: Shipment, line: Line, before_dot: Callable[[], None] | None = None) -> Transmission:
    """Hand a message over.

    Once the server has taken it for anyone this never raises: the caller would send again to those who have it.

    :param before_dot: called before the end of each transaction's content; if it raises, that is not sent.
    :returns: the outcome of every recipient, at least one of them accepted.
    :raises InDoubt: the content went out and no verdict came.
    :raises RecipientsRefused: the server refused every recipient.
    :raises SendError: the server could not be reached or did not take the message.
    """
    done = Transmission()
    errors: list[SMTPServersError] = []
    for batch in _batches(shipment):
        if errors and not isinstance(errors[-1], RecipientsRefused):
            # Whatever stopped the last transaction would stop this one, or leave it in doubt as well.
            done.outcomes += outcomes_of(batch.recipients, errors[-1], tried=False)
            continue
        try:
            receipt = _hand_over(batch, shipment.content, line, before_dot)
        except SMTPServersError as error:
            errors.append(error)
            done.outcomes += outcomes_of(batch.recipients, error)
        else:
            done.outcomes += _received(batch.recipients, receipt)
            done.reply, done.queue_id = receipt.reply, receipt.queue_id or done.queue_id
    if not done.accepted:
        raise _the_error(errors)
    return done


def _batches(shipment: Shipment) -> Iterator[Envelope]:
    for start in range(0, len(shipment.recipients), RECIPIENTS_PER_TRANSACTION):
        yield Envelope(
            sender=shipment.sender,
            recipients=shipment.recipients[start : start + RECIPIENTS_PER_TRANSACTION],
            mail_options=shipment.mail_options,
            rcpt_options=shipment.rcpt_options,
        )


def _hand_over(envelope: Envelope, content: Content, line: Line, before_dot: Callable[[], None] | None) -> Receipt:
    """One transaction; once more over a new session if the one that was used again turns out to be dead."""
    with line.loan() as loan:
        try:
            return loan.session.send(*_fit_for(loan.session.features, envelope, content), before_dot)
        except SendError as error:
            if not (loan.reused and _was_dead(error)) or line.deadline.expired:
                raise
    with line.loan(fresh=True) as loan:
        return loan.session.send(*_fit_for(loan.session.features, envelope, content), before_dot)


def _fit_for(features: Mapping[str, str], envelope: Envelope, content: Content) -> tuple[Envelope, bytes]:
    """Return what suits the server: a header with addresses that are not ASCII takes SMTPUTF8, in this transaction.

    :raises SenderRefused: From is such an address, and the server does not take it.
    """
    if content.wide and "SMTPUTF8" in features:
        envelope = replace(envelope, mail_options=(*envelope.mail_options, "SMTPUTF8"))
    elif content.wide_sender:
        raise _sender_refused(content.wide_sender)
    return envelope, content.fit_for(features).data


def _sender_refused(sender: str) -> SenderRefused:
    text = _("The server does not take the sender %(sender)s: the address is not ASCII.", sender=sender)
    # As smtp/ refuses an envelope sender of this kind, in the server's place (RFC 6531 §3.5).
    error = SenderRefused(text, stage=Stage.MAIL_FROM, code=553, enhanced="5.6.7", reply=no_utf8().excerpt)
    error.sender = sender
    return error


def _was_dead(error: SendError) -> bool:
    """Whether the session ended before it had taken anything of this message, so that it cannot arrive twice.

    A server that falls silent after it has answered some of the commands is not dead but slow, and would be again.
    """
    if error.content_sent:
        return False
    if isinstance(error, TimedOut):
        return error.stage is Stage.MAIL_FROM
    return error.code in (None, 421) or isinstance(error, ProtocolError)


def _received(recipients: Sequence[str], receipt: Receipt) -> list[RecipientOutcome]:
    return [
        _outcome(address, Outcome.REFUSED, receipt.refused[address])
        if address in receipt.refused
        else _outcome(address, Outcome.ACCEPTED, receipt.reply)
        for address in recipients
    ]


def outcomes_of(recipients: Sequence[str], error: SMTPServersError, *, tried: bool = True) -> list[RecipientOutcome]:
    """Return the outcomes of a transaction that failed, or that was not tried because the one before it had."""
    if isinstance(error, RecipientsRefused):
        return [_outcome(address, Outcome.REFUSED, _reply(error, address)) for address in recipients]
    outcome = Outcome.IN_DOUBT if isinstance(error, InDoubt) and tried else Outcome.REFUSED
    if isinstance(error, SendError):
        return [
            RecipientOutcome(address, outcome, error.code, error.enhanced, error.reply or error.text)
            for address in recipients
        ]
    return [RecipientOutcome(address, outcome, text=str(error)) for address in recipients]


def _reply(error: RecipientsRefused, address: str) -> Reply:
    code, text = error.recipients.get(address, (error.code or 0, error.reply.encode()))
    return Reply(code, (text.decode("ascii", "replace"),))


def _outcome(address: str, outcome: Outcome, reply: Reply) -> RecipientOutcome:
    return RecipientOutcome(address, outcome, reply.code, reply.enhanced, reply.excerpt)


def _the_error(errors: Sequence[SMTPServersError]) -> SMTPServersError:
    """Return the error that stands for all: what stopped the sending, or else one refusal of all recipients."""
    refusals = [error for error in errors if isinstance(error, RecipientsRefused)]
    if len(refusals) < len(errors) or len(refusals) == 1:
        return errors[-1]
    whole, recipients = refusals[0], {}
    for error in refusals:
        recipients.update(error.recipients)
    whole.recipients = recipients
    whole.text = _("The server refused all %(count)s recipients.", count=len(recipients))
    return whole
