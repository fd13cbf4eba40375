"""The test message: ordinary enough for spam filters, and saying where it came from."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid

from ..i18n import gettext as _
from ..mailbox import Mailbox, mailbox
from ..safe_text import without_unsafe
from ..servers.profile import ServerProfile
from . import headers


def trial_message(*, sender: Mailbox, recipient: str, reply_to: str, app_name: str, server: ServerProfile) -> bytes:
    """Make the test message, ready for the wire (RFC 5322, CRLF).

    Its header is UTF-8 (RFC 6532) if sender or recipient are not ASCII: a server without SMTPUTF8 refuses those first.

    :param recipient: addr-spec.
    :param reply_to: addr-spec, or empty.
    :param server: the one that is tried; the message names it.
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
    message = EmailMessage(SMTP.clone(cte_type="7bit"))
    message.set_content(
        _(
            "Hello,\n\n"
            "this message was sent to test the mail server that %(app)s uses. It arrived, so the settings work.\n\n"
            "Mail server: %(server)s (%(host)s, port %(port)s)\n"
            "Sent: %(time)s\n\n"
            "Nobody needs to answer it.\n",
            app=app_name,
            server=server.name,
            host=server.host,
            port=server.port,
            time=now.strftime("%Y-%m-%d %H:%M UTC"),
        )
    )
    return b"".join([*(item.write() for item in head), message.as_bytes()])
