"""The errors for what a server said to the commands of a message."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import (
    DataRefused,
    MessageTooLarge,
    ProtocolError,
    RecipientsRefused,
    SenderRefused,
    SendError,
)
from ..findings import Stage
from ..i18n import gettext as _
from .conversation import Conversation
from .reply import Reply


class Refusals:
    """Makes errors from replies; drops the connection where a reply shows that the two sides are out of step."""

    def __init__(self, talk: Conversation) -> None:
        self._talk = talk

    def of_reset(self, reply: Reply) -> ProtocolError:
        """Refuse to go on with a server that does not take RSET."""
        self._talk.drop()
        text = _("The server did not accept RSET.")
        return self._talk.refusal(ProtocolError, text, Stage.MAIL_FROM, reply, permanent=False)

    def of_size(self, sender: str, size: int, limit: int) -> MessageTooLarge:
        """Refuse what exceeds the server's limit, in its place."""
        text = _(
            "The message has %(size)s bytes; the server takes at most %(limit)s.", size=f"{size:,}", limit=f"{limit:,}"
        )
        error = self._talk.refusal(MessageTooLarge, text, Stage.MAIL_FROM, code=552, enhanced="5.3.4")
        error.sender = sender
        return error

    def of_sender(self, sender: str, reply: Reply) -> SendError:
        """Return the error for a reply to MAIL that is not positive."""
        if reply.intermediate:
            return self.nonsense(Stage.MAIL_FROM, reply)
        too_large = (reply.enhanced or "").endswith(".3.4") or (reply.code == 552 and reply.enhanced is None)
        kind, text = SenderRefused, _("The server refused the sender %(sender)s.", sender=sender)
        if too_large:
            kind, text = MessageTooLarge, _("The server does not take a message of this size.")
        error = self._talk.refusal(kind, text, Stage.MAIL_FROM, reply)
        error.sender = sender
        return error

    def of_everybody(self, refused: Mapping[str, Reply]) -> RecipientsRefused:
        """Return the error for a message that has no accepted recipient.

        One reply stands for all: a 421, for it ended the session; else a transient one, for then trying again may help.
        """
        replies = sorted(refused.values(), key=lambda reply: (reply.code != 421, not reply.transient))
        text = _("The server refused the recipient %(names)s.", names=", ".join(list(refused)[:3]))
        if len(refused) > 1:
            text = _("The server refused all %(count)s recipients.", count=len(refused))
        error = self._talk.refusal(RecipientsRefused, text, Stage.RCPT_TO, replies[0])
        error.recipients = {address: (each.code, each.excerpt.encode()) for address, each in refused.items()}
        return error

    def of_data(self, reply: Reply) -> SendError:
        """Return the error for a reply to DATA other than 354, or one to the content that is not positive."""
        if reply.positive or reply.intermediate:
            return self.nonsense(Stage.DATA, reply)
        return self._talk.refusal(DataRefused, _("The server refused the message."), Stage.DATA, reply)

    def nonsense(self, stage: Stage, reply: Reply) -> ProtocolError:
        """Give up after a reply that makes no sense here: the two sides are out of step."""
        self._talk.drop()
        text = _("The server gave a reply that makes no sense here.")
        return self._talk.refusal(ProtocolError, text, stage, reply, permanent=False)


def no_utf8() -> Reply:
    """Refuse an address that the server cannot be told, in its place (RFC 6531 §3.5, RFC 3463 X.6.7)."""
    return Reply(553, ("5.6.7 The server does not take addresses that are not ASCII (SMTPUTF8)",))
