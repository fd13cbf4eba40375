"""One message handed to a server: MAIL, RCPT, DATA (RFC 5321 §3.3)."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import (
    DataRefused,
    InDoubt,
    MessageRefused,
    MessageTooLarge,
    ProtocolError,
    RecipientsRefused,
    SenderRefused,
    SendError,
)
from ..findings import Stage
from ..i18n import gettext as _
from .conversation import Conversation
from .envelope import (
    Envelope,
    Path,
    Receipt,
    check_content,
    dot_stuffed,
    mail_parameters,
    path_of,
    rcpt_parameters,
)
from .limits import Limits
from .queue_id import queue_id_of
from .reply import Reply

#: How long to listen for the reason after the server hung up in the midst of content, in seconds; and how long
#: after it stopped reading: then what it said has long arrived.
_LISTEN, _GLANCE = 0.5, 0.05


class Transaction:
    """The mail transactions of one session, one after another.

    :param features: what the server offers.
    """

    def __init__(self, talk: Conversation, features: Mapping[str, str], limits: Limits) -> None:
        self._talk = talk
        self._features = features
        self._limits = limits
        self._begun = False
        self._utf8 = False

    def send(self, envelope: Envelope, content: bytes) -> Receipt:
        """Hand over one message; see :meth:`Session.send`."""
        check_content(content)
        recipients = {address: path_of(address) for address in envelope.recipients}
        if not recipients:
            raise MessageRefused(_("The message has no recipient."))
        options = rcpt_parameters(envelope.rcpt_options)
        self.mail(
            envelope.sender,
            mail_parameters(envelope.mail_options),
            size=len(content),
            eight_bit=not content.isascii(),
            utf8=any(path.needs_utf8 for path in recipients.values()),
        )
        refused = self._recipients(recipients, options)
        reply = self.data(content)
        accepted = tuple(address for address in recipients if address not in refused)
        return Receipt(accepted=accepted, refused=refused, reply=reply, queue_id=queue_id_of(reply))

    def reset(self) -> None:
        """Abort the transaction that is open, with RSET."""
        reply = self._talk.command(Stage.MAIL_FROM, "RSET")
        self._begun = False
        if not reply.positive:
            self._talk.drop()
            raise self._talk.refusal(
                ProtocolError, _("The server did not accept RSET."), Stage.MAIL_FROM, reply, permanent=False
            )

    # -- MAIL
    def mail(
        self,
        sender: str,
        parameters: Mapping[str, str],
        *,
        size: int | None = None,
        eight_bit: bool = False,
        utf8: bool = False,
    ) -> Reply:
        """Begin a transaction; one that is still open is reset before."""
        path = path_of(sender)
        self._check_size(sender, size)
        utf8 = utf8 or path.needs_utf8 or "SMTPUTF8" in parameters
        if path.needs_utf8 and "SMTPUTF8" not in self._features:
            raise self._sender_refused(sender, _no_utf8())
        if self._begun:
            self.reset()
        offered = self._offered(parameters, size, eight_bit=eight_bit, utf8=utf8)
        line = " ".join([f"MAIL FROM:<{path.text}>", *offered.values()])
        reply = self._talk.command(Stage.MAIL_FROM, line)
        if not reply.positive:
            raise self._sender_refused(sender, reply)
        self._begun, self._utf8 = True, "SMTPUTF8" in offered
        return reply

    def _offered(
        self, parameters: Mapping[str, str], size: int | None, *, eight_bit: bool, utf8: bool
    ) -> dict[str, str]:
        """Return the parameters to send: what transport takes is ours to say, and only what the server offers."""
        ours = {
            "SIZE": f"SIZE={size}" if size is not None else parameters.get("SIZE"),
            "BODY": "BODY=8BITMIME" if eight_bit else parameters.get("BODY"),
            "SMTPUTF8": "SMTPUTF8" if utf8 else None,
        }
        keywords = {"SIZE": "SIZE", "BODY": "8BITMIME", "SMTPUTF8": "SMTPUTF8"}
        sent = {name: text for name, text in ours.items() if text and keywords[name] in self._features}
        return sent | {name: text for name, text in parameters.items() if name not in ours}

    def _check_size(self, sender: str, size: int | None) -> None:
        """Refuse what exceeds the server's limit before a byte of it travels (RFC 1870 §6.1)."""
        limit = self._features.get("SIZE", "")
        if size is None or not (limit.isascii() and limit.isdigit()) or not 0 < int(limit) < size:
            return
        text = _(
            "The message has %(size)s bytes; the server takes at most %(limit)s.",
            size=f"{size:,}",
            limit=f"{int(limit):,}",
        )
        error = self._talk.refusal(MessageTooLarge, text, Stage.MAIL_FROM, code=552, enhanced="5.3.4")
        error.sender = sender
        raise error

    def _sender_refused(self, sender: str, reply: Reply) -> SendError:
        if reply.intermediate:
            return self._nonsense(Stage.MAIL_FROM, reply)
        too_large = (reply.enhanced or "").endswith(".3.4") or (reply.code == 552 and reply.enhanced is None)
        kind, text = SenderRefused, _("The server refused the sender %(sender)s.", sender=sender)
        if too_large:
            kind, text = MessageTooLarge, _("The server does not take a message of this size.")
        error = self._talk.refusal(kind, text, Stage.MAIL_FROM, reply)
        error.sender = sender
        return error

    # -- RCPT
    def rcpt(self, path: Path, parameters: Mapping[str, str]) -> Reply:
        """Name one recipient; any 2yz accepts (RFC 5321 §4.2)."""
        if path.needs_utf8 and not self._utf8:
            return _no_utf8()
        line = " ".join([f"RCPT TO:<{path.text}>", *parameters.values()])
        reply = self._talk.command(Stage.RCPT_TO, line)
        if reply.intermediate:
            raise self._nonsense(Stage.RCPT_TO, reply)
        return reply

    def _recipients(self, paths: Mapping[str, Path], parameters: Mapping[str, str]) -> dict[str, Reply]:
        """Name all recipients; return the refused ones."""
        refused: dict[str, Reply] = {}
        for address, path in paths.items():
            reply = self.rcpt(path, parameters)
            if not self._talk.connected:
                # The server ended the session, and with it the transaction: nobody gets the message.
                refused = {other: refused.get(other, reply) for other in paths}
                break
            if not reply.positive:
                refused[address] = reply
        if len(refused) == len(paths):
            raise self._all_refused(refused)
        return refused

    def _all_refused(self, refused: Mapping[str, Reply]) -> RecipientsRefused:
        """Make the error; a transient reply stands for all if there is one: then trying again may help."""
        reply = next((reply for reply in refused.values() if reply.transient), next(iter(refused.values())))
        text = _("The server refused the recipient %(names)s.", names=", ".join(list(refused)[:3]))
        if len(refused) > 1:
            text = _("The server refused all %(count)s recipients.", count=len(refused))
        error = self._talk.refusal(RecipientsRefused, text, Stage.RCPT_TO, reply)
        error.recipients = {address: (each.code, each.excerpt.encode()) for address, each in refused.items()}
        return error

    # -- DATA
    def data(self, content: bytes) -> Reply:
        """Hand over the content and return the server's positive verdict."""
        check_content(content)
        reply = self._talk.command(Stage.DATA, "DATA")
        if reply.code != 354:
            raise self._data_refused(reply)
        self._talk.in_step = False
        self._talk.transcript.add("C", f"[{len(content):,} bytes]")
        self._write(dot_stuffed(content))
        return self._verdict()

    def _write(self, content: bytes) -> None:
        """Write all of the content; if that fails, the reason is usually there to be read."""
        with self._talk.at(Stage.DATA):
            stream = self._talk.stream
            try:
                complete = stream.write_content(content)
            except OSError as error:
                replies = stream.drain(_GLANCE if isinstance(error, TimeoutError) else _LISTEN)
                if not any(reply.code >= 400 for reply in replies):
                    raise
            else:
                if complete:
                    return
                replies = [stream.read_reply()]
            reply = next((reply for reply in replies if reply.code >= 400), replies[0])
            self._talk.heard(reply)
            raise self._data_refused(reply)

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
        raise self._data_refused(reply)

    def _data_refused(self, reply: Reply) -> SendError:
        if reply.positive or reply.intermediate:
            return self._nonsense(Stage.DATA, reply)
        return self._talk.refusal(DataRefused, _("The server refused the message."), Stage.DATA, reply)

    def _nonsense(self, stage: Stage, reply: Reply) -> ProtocolError:
        """Give up after a reply that makes no sense here: the two sides are out of step."""
        self._talk.drop()
        return self._talk.refusal(
            ProtocolError, _("The server gave a reply that makes no sense here."), stage, reply, permanent=False
        )


def _no_utf8() -> Reply:
    """Our own refusal of an address that the server cannot be told (RFC 6531 §3.5, RFC 3463 X.6.7)."""
    return Reply(553, ("5.6.7 The server does not take addresses that are not ASCII (SMTPUTF8)",))
