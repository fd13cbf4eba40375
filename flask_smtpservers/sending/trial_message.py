"""The test message: ordinary enough for spam filters, and saying where it came from."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid

from ..i18n import gettext as _
from ..i18n import ngettext
from ..mailbox import Mailbox, mailbox
from ..safe_text import without_unsafe
from ..servers.profile import ServerProfile
from ..servers.trials import CONFIRMABLE
from . import headers

#: Lines up to the limit of RFC 5322 §2.1.1 stay whole: a link that a mail program joins again is opened by more people.
_POLICY = SMTP.clone(cte_type="7bit", max_line_length=998)


def trial_message(
    *,
    sender: Mailbox,
    recipient: str,
    reply_to: str,
    app_name: str,
    server: ServerProfile,
    link: str = "",
    code: str = "",
) -> bytes:
    """Make the test message, ready for the wire (RFC 5322, CRLF).

    Its header is UTF-8 (RFC 6532) if sender or recipient are not ASCII: a server without SMTPUTF8 refuses those first.

    :param recipient: addr-spec.
    :param reply_to: addr-spec, or empty.
    :param server: the one that is tried; the message names it.
    :param link: confirms that the message arrived; or empty.
    :param code: does the same when it is typed into the page; or empty.
    :raises MessageRefused: an address is none.
    """
    now = datetime.now(UTC)
    wide = not (sender.is_ascii and recipient.isascii())
    head = [
        headers.mailboxes("From", [sender], utf8=wide),
        headers.mailboxes("To", [mailbox("", recipient)], utf8=wide),
        headers.text("Subject", _("Test message from %(app)s", app=without_unsafe(app_name))),
        headers.text("Date", format_datetime(now)),
        headers.text("Message-ID", make_msgid(domain=sender.address.rpartition("@")[2])),
        headers.text("Auto-Submitted", "auto-generated"),
    ]
    if reply_to:
        head.insert(2, headers.mailboxes("Reply-To", [mailbox("", reply_to)], utf8=wide))
    message = EmailMessage(_POLICY)
    paragraphs = [
        _("Hello,"),
        _("this message was sent to test the mail server that %(app)s uses.", app=app_name),
        *_request(link, code),
        _("Mail server: %(server)s (%(host)s, port %(port)s)", server=server.name, host=server.host, port=server.port)
        + "\n"
        + _("Sent: %(time)s", time=now.strftime("%Y-%m-%d %H:%M:%S UTC")),
        _("Nobody needs to answer it."),
    ]
    message.set_content("\n\n".join(paragraphs) + "\n")
    return b"".join([*(item.write() for item in head), message.as_bytes()])


def _request(link: str, code: str) -> list[str]:
    """Ask the reader to say that it arrived, as far as there is a way."""
    valid = ngettext("It works once, for one day.", "It works once, for %(number)s days.", CONFIRMABLE.days)
    if link:
        ask = _("Please open this link. It tells the app that the message arrived, and nothing else:")
        return [ask, link, valid]
    if code:
        ask = _("Please enter this code on the page “Confirm arrival” of the app, where the mail servers are set up:")
        return [ask, code, valid]
    return [_("It arrived, so the settings work.")]
