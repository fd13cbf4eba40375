"""The mail by which a user proves that an address is his: a link that leads to a page with a button.

Opening the link proves nothing, for the scanners of mail programs open links too. The button does, pressed by the user
who asked. The mail goes out through a shared server, and says nothing that a user could have chosen but the address.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from flask_mail import Message

from ..i18n import gettext as _
from ..i18n import ngettext
from ..safe_text import without_unsafe
from ..servers.proving import PROVABLE, Answer
from .links import LinkExpired, knows_own_host, signed_link, ticket_of

if TYPE_CHECKING:
    from ..config import Settings
    from ..permissions import Scope
    from ..servers.profile import ServerProfile
    from ..state import AppState

#: The page that the link leads to.
ENDPOINT = "smtpservers.confirm_address"
_SALT = "flask-smtpservers.address"


def new_ticket() -> str:
    """Make what a link carries."""
    return secrets.token_urlsafe(24)


def can_send_proofs(settings: Settings) -> bool:
    """Whether the app knows where its links lead; a host that only a request names is not good enough."""
    return knows_own_host(settings)


def proof_message(settings: Settings, address: str, ticket: str) -> Message | None:
    """Make the mail that asks whether ``address`` belongs to whoever entered it; None if there is no link for it."""
    link = signed_link(settings, ENDPOINT, ticket, salt=_SALT, certain=True)
    if not link:
        return None
    app = without_unsafe(settings.app_name)
    hours = int(PROVABLE.total_seconds() // 3600)
    paragraphs = [
        _("Hello,"),
        _(
            "somebody who is signed in to %(app)s wants to send mail from this address, %(address)s, through a mail "
            "server of his own.",
            app=app,
            address=address,
        ),
        _("If that is you, open this link, sign in, and press the button on the page:"),
        link,
        ngettext("It works once, for one hour.", "It works once, for %(number)s hours.", hours),
        _("If it is not you, ignore this message: nothing is sent from your address."),
    ]
    message = Message(_("Is this your address? – %(app)s", app=app), recipients=[address])
    message.body = "\n\n".join(paragraphs) + "\n"
    message.extra_headers = {"Auto-Submitted": "auto-generated"}
    return message


def look_at_link(state: AppState, token: str, scope: Scope) -> tuple[Answer, ServerProfile | None]:
    """Tell what the link is worth to a user; nothing is changed.

    :raises StoreUnavailable: the database failed.
    """
    ticket, answer = _ticket(state, token)
    return (answer, None) if ticket is None else state.store.look_at_proof(ticket, scope=scope)


def use_link(state: AppState, token: str, scope: Scope, actor: str) -> tuple[Answer, ServerProfile | None]:
    """Take the proof; see :meth:`~flask_smtpservers.servers.proving.Proving.take_proof`.

    :raises StoreUnavailable: the database failed.
    """
    ticket, answer = _ticket(state, token)
    return (answer, None) if ticket is None else state.store.take_proof(ticket, scope=scope, actor=actor)


def _ticket(state: AppState, token: str) -> tuple[str | None, Answer]:
    try:
        ticket = ticket_of(state.settings, token, salt=_SALT, seconds=PROVABLE.total_seconds())
    except LinkExpired:
        return None, Answer.EXPIRED
    return ticket, Answer.UNKNOWN
