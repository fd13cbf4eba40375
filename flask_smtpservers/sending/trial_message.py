"""The test message: ordinary enough for spam filters, and saying where it came from."""

from __future__ import annotations

from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid

from ..i18n import gettext as _
from ..servers.profile import ServerProfile
from .mailbox import Mailbox


def trial_message(*, sender: Mailbox, recipient: str, reply_to: str, app_name: str, server: ServerProfile) -> bytes:
    """Make the test message, ready for the wire (RFC 5322, CRLF).

    :param recipient: addr-spec.
    :param reply_to: addr-spec, or empty.
    :param server: the one that is tried; the message names it.
    """
    now = datetime.now(UTC)
    message = EmailMessage(SMTP)
    message["From"] = _address(sender.name, sender.address)
    message["To"] = _address("", recipient)
    if reply_to:
        message["Reply-To"] = _address("", reply_to)
    message["Subject"] = _("Test message from %(app)s", app=app_name)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = make_msgid(domain=sender.address.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
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
    return message.as_bytes()


def _address(name: str, address: str) -> Address:
    local, _at, domain = address.rpartition("@")
    return Address(display_name=name, username=local, domain=domain)
