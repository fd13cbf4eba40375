"""What is asked of a server before the content of a message, written as commands; and its answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import MessageRefused, SendError
from ..findings import Stage
from ..i18n import gettext as _
from .conversation import Command
from .envelope import Envelope, Path, mail_parameters, path_of, rcpt_parameters
from .refusals import Refusals, no_utf8
from .reply import Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """All that comes before the content.

    :param commands: [RSET,] MAIL, one RCPT for each of ``asked``, DATA.
    :param mail: the position of MAIL among them.
    :param asked: the recipients of whom the server is asked.
    :param refused: those of whom it is not, because it could not be told their addresses.
    :param utf8: whether MAIL declares SMTPUTF8.
    """

    sender: str
    commands: list[Command]
    mail: int
    asked: list[str]
    refused: dict[str, Reply]
    utf8: bool

    @property
    def everybody(self) -> list[str]:
        """All recipients."""
        return [*self.refused, *self.asked]


@dataclass(slots=True)
class Answers:
    """The replies to a request, as far as they came.

    :param sent: how many of its commands were sent.
    :param failure: what went wrong meanwhile.
    """

    replies: list[Reply] = field(default_factory=list)
    sent: int = 0
    failure: SendError | None = None

    def __getitem__(self, position: int) -> Reply:
        """Return the reply to a command. A 421 answers everything that comes after it as well.

        :raises SendError: it did not come.
        """
        if position < len(self.replies):
            return self.replies[position]
        if self.failure is not None and not self.ended:
            raise self.failure
        return self.replies[-1]

    @property
    def ended(self) -> bool:
        """Whether the server ended the session with its last reply."""
        return bool(self.replies) and self.replies[-1].code == 421

    @property
    def surplus(self) -> bool:
        """Whether the server said more than it was asked for. A 421 it may say at any time."""
        return self.failure is not None and self.failure.code != 421 and len(self.replies) == self.sent


class RequestWriter:
    """Writes commands with what one server offers.

    :param features: the keywords of its reply to EHLO, with their parameters.
    """

    def __init__(self, features: Mapping[str, str], refusals: Refusals) -> None:
        self._features = features
        self._refusals = refusals

    def request(self, envelope: Envelope, content: bytes, *, reset: bool) -> Request:
        """Write all commands that come before the content; whatever cannot be sent shows here.

        :param reset: whether to begin with RSET.
        :raises MessageRefused: an address or an option cannot be sent.
        :raises SenderRefused: the sender cannot be told to this server, or the content is too large for it.
        """
        paths = {address: path_of(address) for address in envelope.recipients}
        if not paths:
            raise MessageRefused(_("The message has no recipient."))
        options = rcpt_parameters(envelope.rcpt_options)
        mail, utf8 = self.mail(
            envelope.sender,
            mail_parameters(envelope.mail_options),
            size=len(content),
            eight_bit=not content.isascii(),
            utf8=any(path.needs_utf8 for path in paths.values()),
        )
        refused = {address: no_utf8() for address, path in paths.items() if path.needs_utf8 and not utf8}
        asked = [address for address in paths if address not in refused]
        before = [Command(Stage.MAIL_FROM, "RSET")] if reset else []
        commands = [
            *before,
            Command(Stage.MAIL_FROM, mail),
            *(Command(Stage.RCPT_TO, rcpt(paths[address], options)) for address in asked),
            Command(Stage.DATA, "DATA"),
        ]
        return Request(
            sender=envelope.sender, commands=commands, mail=len(before), asked=asked, refused=refused, utf8=utf8
        )

    def mail(
        self,
        sender: str,
        parameters: Mapping[str, str],
        *,
        size: int | None = None,
        eight_bit: bool = False,
        utf8: bool = False,
    ) -> tuple[str, bool]:
        """Return the MAIL command, and whether it declares SMTPUTF8.

        :param eight_bit: whether the content is not ASCII.
        :param utf8: whether a recipient's address is not.
        """
        path = path_of(sender)
        self._check_size(sender, size)
        utf8 = utf8 or path.needs_utf8 or "SMTPUTF8" in parameters
        if path.needs_utf8 and "SMTPUTF8" not in self._features:
            raise self._refusals.of_sender(sender, no_utf8())
        offered = self._offered(parameters, size, eight_bit=eight_bit, utf8=utf8)
        return " ".join([f"MAIL FROM:<{path.text}>", *offered.values()]), "SMTPUTF8" in offered

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
        if size is not None and limit.isascii() and limit.isdigit() and 0 < int(limit) < size:
            raise self._refusals.of_size(sender, size, int(limit))


def rcpt(path: Path, parameters: Mapping[str, str]) -> str:
    """Return the RCPT command."""
    return " ".join([f"RCPT TO:<{path.text}>", *parameters.values()])
