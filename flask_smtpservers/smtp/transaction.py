"""One message handed to a server: MAIL, RCPT, DATA (RFC 5321 §3.3), several at once where it offers that (RFC 2920)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ..errors import InDoubt, SendError
from ..findings import Stage
from ..i18n import gettext as _
from .conversation import Command, Conversation
from .envelope import Envelope, Path, Receipt, check_content, dot_stuffed
from .limits import Limits
from .queue_id import queue_id_of
from .refusals import Refusals, no_utf8
from .reply import Reply
from .request import Answers, Request, RequestWriter, rcpt

#: The end of the content (RFC 5321 §4.1.1.4).
_DOT = b".\r\n"


class Transaction:
    """The mail transactions of one session, one after another.

    ``handed_over`` tells whether anything of the last message's content has been handed to the system for sending:
    until then the server cannot have it.

    :param features: what the server offers.
    """

    def __init__(self, talk: Conversation, features: Mapping[str, str], limits: Limits) -> None:
        self.handed_over = False
        self._talk = talk
        self._limits = limits
        self._refusals = Refusals(talk)
        self._writer = RequestWriter(features, self._refusals)
        self._flight = limits.flight_commands if talk.endpoint.pipelining and "PIPELINING" in features else 1
        self._begun = False
        self._utf8 = False

    # -- a whole message
    def send(self, envelope: Envelope, content: bytes, before_dot: Callable[[], None] | None = None) -> Receipt:
        """Hand over one message; see :meth:`Session.send`."""
        self.handed_over = False
        check_content(content)
        request = self._writer.request(envelope, content, reset=self._begun)
        try:
            if not request.asked:
                raise self._refusals.of_everybody(request.refused)
            refused = self._judge(request, self._ask(request.commands))
            reply = self._hand_over(content, before_dot)
        except BaseException as error:
            self._failed(error)
            raise
        accepted = tuple(address for address in request.asked if address not in refused)
        return Receipt(accepted=accepted, refused=refused, reply=reply, queue_id=queue_id_of(reply))

    def _failed(self, error: BaseException) -> None:
        """Note what the server can have of the message; an interrupt leaves the session nowhere, and closes it."""
        if isinstance(error, SendError):
            error.content_sent = self.handed_over
        else:
            self._talk.drop()

    def _ask(self, commands: list[Command]) -> Answers:
        """Send the commands, as many at once as may be, until there is no sense in sending more."""
        answers = Answers()
        for start in range(0, len(commands), self._flight):
            flight = commands[start : start + self._flight]
            if flight[0].stage is Stage.DATA and not _anybody(commands, answers.replies):
                break
            replies, answers.failure = self._talk.flight(flight)
            answers.replies += replies
            answers.sent += len(flight)
            if answers.failure is not None or any(map(_ends, flight, replies)):
                break
        return answers

    def _judge(self, request: Request, answers: Answers) -> dict[str, Reply]:
        """Return the recipients that were refused; if the content may not be sent, raise the error that says why."""
        if answers.failure is not None and answers.surplus and self._flight > 1:
            raise answers.failure  # of several replies none is sure to belong where it stands
        if request.mail and not answers[0].positive:
            raise self._refusals.of_reset(answers[0])
        self._begun = False
        if not answers[request.mail].positive:
            refusal = self._refusals.of_sender(request.sender, answers[request.mail])
            self._take_back(request, answers)
            raise refusal
        self._begun, self._utf8 = True, request.utf8
        refused = self._refused(request, answers)
        if len(refused) == len(request.everybody):
            self._take_back(request, answers)
            raise self._refusals.of_everybody(refused)
        data = answers[len(request.commands) - 1]
        if data.code != 354:
            raise self._refusals.of_data(data)
        if answers.failure is not None:
            raise answers.failure
        return refused

    def _refused(self, request: Request, answers: Answers) -> dict[str, Reply]:
        """Return the recipients that were refused, by us or by the server."""
        refused = dict(request.refused)
        for position, address in enumerate(request.asked, request.mail + 1):
            reply = answers[position]
            if reply.intermediate:
                raise self._refusals.nonsense(Stage.RCPT_TO, reply)
            if not reply.positive:
                refused[address] = reply
        if answers.ended and len(answers.replies) < len(request.commands):
            # The server ended the session, and with it the transaction: nobody gets the message.
            return {address: refused.get(address, answers.replies[-1]) for address in request.everybody}
        return refused

    def _take_back(self, request: Request, answers: Answers) -> None:
        """Send nobody nothing: if the server waits for the content nevertheless, end it at once (RFC 2920 §3.1)."""
        replies = answers.replies
        asked = self._talk.connected and len(replies) == len(request.commands)
        if not asked or not (replies[-1].positive or replies[-1].intermediate):
            return
        if replies[-1].code != 354 or _anybody(request.commands, replies):
            self._talk.drop()  # nonsense; or the dot would be an empty message to somebody
            return
        self._talk.in_step = False
        try:
            with self._talk.at(Stage.DATA):
                self._talk.transcript.add("C", ".")
                self._talk.stream.write(_DOT)
                reply = self._talk.heard(self._talk.stream.read_reply())
        except SendError:
            return  # the connection is closed now; the refusal that led here is what matters
        # Whatever the reply is, it accepts nothing, and the transaction is over (RFC 5321 §4.1.1.4).
        self._begun, self._talk.in_step = False, self._talk.connected
        if reply.intermediate:
            self._talk.drop()

    # -- step by step
    def reset(self) -> None:
        """Abort the transaction that is open, with RSET."""
        reply = self._talk.command(Stage.MAIL_FROM, "RSET")
        self._begun = False
        if not reply.positive:
            raise self._refusals.of_reset(reply)

    def mail(self, sender: str, parameters: Mapping[str, str], *, size: int | None = None) -> Reply:
        """Begin a transaction; one that is still open is reset before."""
        line, utf8 = self._writer.mail(sender, parameters, size=size)
        self.handed_over = False
        if self._begun:
            self.reset()
        reply = self._talk.command(Stage.MAIL_FROM, line)
        if not reply.positive:
            raise self._refusals.of_sender(sender, reply)
        self._begun, self._utf8 = True, utf8
        return reply

    def rcpt(self, path: Path, parameters: Mapping[str, str]) -> Reply:
        """Name one recipient; any 2yz accepts (RFC 5321 §4.2)."""
        if path.needs_utf8 and not self._utf8:
            return no_utf8()
        reply = self._talk.command(Stage.RCPT_TO, rcpt(path, parameters))
        if reply.intermediate:
            raise self._refusals.nonsense(Stage.RCPT_TO, reply)
        return reply

    def data(self, content: bytes) -> Reply:
        """Hand over the content and return the server's positive verdict."""
        check_content(content)
        try:
            reply = self._talk.command(Stage.DATA, "DATA")
            if reply.code != 354:
                raise self._refusals.of_data(reply)
            return self._hand_over(content)
        except BaseException as error:
            self._failed(error)
            raise

    # -- the content
    def _hand_over(self, content: bytes, before_dot: Callable[[], None] | None = None) -> Reply:
        """Send the content, which the server waits for, and return its positive verdict.

        :param before_dot: called when everything but the final dot has been written. If it raises, the dot is not sent.
        """
        self._talk.in_step = False
        self.handed_over = True
        self._talk.transcript.add("C", f"[{len(content):,} bytes]")
        wire = dot_stuffed(content)
        if before_dot is not None:
            self._write(wire[: -len(_DOT)])
            before_dot()
            wire = _DOT
        self._write(wire)
        return self._verdict()

    def _write(self, content: bytes) -> None:
        """Write all of the content; if that fails, the reason is usually there to be read."""
        with self._talk.at(Stage.DATA):
            stream = self._talk.stream
            try:
                complete = stream.write_content(content)
            except OSError as error:
                replies = stream.last_words(error)
                if not any(reply.code >= 400 for reply in replies):
                    raise
            else:
                if complete:
                    return
                replies = [stream.read_reply()]
            reply = next((reply for reply in replies if reply.code >= 400), replies[0])
            self._talk.heard(reply)
            raise self._refusals.of_data(reply)

    def _verdict(self) -> Reply:
        """Read the reply to the final dot. Without one nobody knows what became of the message (RFC 1047)."""
        text = _("The message was handed over, but the server's answer did not come: it may have been accepted.")
        try:
            with self._talk.at(Stage.DATA):
                reply = self._talk.stream.read_reply(self._limits.final_reply_seconds)
        except SendError as error:
            raise InDoubt(text, stage=Stage.DATA, server=error.server, reply=error.reply) from error
        self._talk.in_step, self._begun = True, False
        self._talk.heard(reply)
        if reply.positive:
            return reply
        if reply.intermediate:
            self._talk.drop()
            raise self._talk.refusal(InDoubt, text, Stage.DATA, reply, permanent=False)
        raise self._refusals.of_data(reply)


def _anybody(commands: Iterable[Command], replies: Iterable[Reply]) -> bool:
    """Whether the server accepted any recipient."""
    return any(
        reply.positive for command, reply in zip(commands, replies, strict=False) if command.stage is Stage.RCPT_TO
    )


def _ends(command: Command, reply: Reply) -> bool:
    """Whether a reply makes the commands after it pointless."""
    if reply.code == 421:
        return True
    return not reply.positive if command.stage is Stage.MAIL_FROM else reply.intermediate
