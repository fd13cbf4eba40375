"""Senders as those who get the mail see them: of a mail that is asked about, and what the form makes of others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import MessageRefused
from ..i18n import gettext as _
from ..mailbox import Mailbox, parse_mailbox
from ..sending.sender import Sender, decide_sender
from ..servers.mailboxes import format_mailbox, split_mailbox
from ..servers.profile import ForeignSender, SenderPolicy, ServerProfile
from ..servers.senders import MOST_SENDERS, sender_key
from ..smtp.endpoint import Security
from .forms import ServerForm

#: What is looked at; longer texts cannot be saved anyway.
_ADDRESS_LENGTH, _NAME_LENGTH, _LIST_LENGTH = 320, 200, 64_000

#: Somebody who is no sender of the server's.
_SOMEBODY = Mailbox("Ann Miller", "ann@partner.example")


@dataclass(frozen=True, slots=True)
class Seen:
    """A sender as mail programs show it.

    :param inbox: in a list of messages: the name, or the address if there is none.
    :param narrow: where a program shows only the address.
    :param reply: in the field "To" of a reply.
    :param envelope: where the server sends what cannot be delivered.
    """

    inbox: str
    narrow: str
    reply: str
    envelope: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One option, and what it does, as a sentence."""

    value: str
    words: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Example:
    """What becomes of a mail from somebody who is no sender of the server's.

    :param author: who that is.
    :param seen: how people see it; None while nothing can be said.
    :param refused: why it is not sent; empty if it is.
    """

    author: str
    seen: Seen | None
    refused: str = ""


def seen_as(sender: Sender) -> Seen:
    """Show a sender."""
    header, reply = sender.header, sender.reply_to or sender.header
    return Seen(
        inbox=header.name or header.address,
        narrow=header.address,
        reply=_("To: %(sender)s", sender=format_mailbox(reply.name, reply.address)),
        envelope=sender.envelope,
    )


def policies() -> list[Choice]:
    """Return what may become of another sender."""
    return [
        Choice(
            SenderPolicy.KEEP,
            _("Keep that sender"),
            _("From stays as the mail has it."),
        ),
        Choice(
            SenderPolicy.FILL_NAME,
            _("Keep its address, add the name if it has none"),
            _("From stays; a bare address gets the name of “Send as” in front of it."),
        ),
        Choice(
            SenderPolicy.FORCE,
            _("Always send as the address above; replies go to that sender"),
            _("From is always “Send as”; the mail's own sender only gets the replies."),
        ),
    ]


def foreign_senders() -> list[Choice]:
    """Return what may become of a sender that a server is not for."""
    return [
        Choice(
            ForeignSender.KEEP,
            _("Send it all the same"),
            _("For servers that take any sender. Many refuse such mail, or it ends as spam."),
        ),
        Choice(
            ForeignSender.REWRITE,
            _("Put it in the name and in Reply-To"),
            _("From is the address above with the sender's name in front; replies go to the sender."),
        ),
        Choice(ForeignSender.REFUSE, _("Refuse the mail"), _("Nothing is sent, and the program gets an error.")),
    ]


def summary(form: ServerForm) -> str:
    """Say in few words what becomes of mail from others."""
    if form.text("sender_policy") == SenderPolicy.FORCE:
        return _("Sent as the address above")
    match form.text("foreign_sender"):
        case ForeignSender.REWRITE:
            return _("Sent as the address above, with their name")
        case ForeignSender.REFUSE:
            return _("Refused")
        case _:
            return _("Sent as they are")


def example(form: ServerForm, *, app: str, tenant: str) -> Example:
    """Show what the form makes of a mail from somebody else.

    :param app: for the ``{app}`` of the name's format, as ``tenant`` is for ``{tenant}``.
    """
    author = format_mailbox(_SOMEBODY.name, _SOMEBODY.address)
    server = _server(form)
    if server is None:
        return Example(author, None)
    try:
        return Example(
            author,
            seen_as(decide_sender(_SOMEBODY, is_default=False, server=server, app_name=app, tenant_name=tenant)),
        )
    except MessageRefused as error:
        return Example(author, None, str(error))


def _server(form: ServerForm) -> ServerProfile | None:
    """Make a server from what is typed so far, as far as the sender depends on it; None without a sending address."""
    name, address = split_mailbox(form.text("send_as")[:_ADDRESS_LENGTH])
    if not _is_mailbox(address):
        return None
    reply_to = form.text("reply_to").strip()[:_ADDRESS_LENGTH]
    policies, rules = list(SenderPolicy), list(ForeignSender)
    policy, rule = form.text("sender_policy"), form.text("foreign_sender")
    return ServerProfile(
        public_id="",
        name=form.text("name")[:_NAME_LENGTH] or address,
        host="",
        port=0,
        security=Security.SSL,
        address=address,
        sender_name=name[:_NAME_LENGTH],
        sender_format=form.text("sender_format").strip()[:_NAME_LENGTH] or "{name}",
        sender_policy=SenderPolicy(policy) if policy in policies else SenderPolicy.KEEP,
        foreign_sender=ForeignSender(rule) if rule in rules else ForeignSender.KEEP,
        allowed_senders=tuple(_allowed(form.text("allowed_senders"))),
        reply_to=reply_to if _is_mailbox(reply_to) else "",
    )


def _allowed(text: str) -> Iterator[str]:
    for item in re.split(r"[,;\r\n]", text[:_LIST_LENGTH])[:MOST_SENDERS]:
        try:
            yield sender_key(item)
        except ValueError:
            continue


def _is_mailbox(text: str) -> bool:
    try:
        return bool(text and parse_mailbox(text))
    except MessageRefused:
        return False
