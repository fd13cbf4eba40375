"""Who a message is from: the server's own sender, or the message's, by the server's rules."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import MessageRefused
from ..i18n import gettext as _
from ..mailbox import Mailbox, mailbox, parse_address, parse_mailbox, recover
from ..safe_text import without_unsafe
from ..servers.mailboxes import address_key
from ..servers.profile import ForeignSender, SenderPolicy, ServerProfile

__all__ = [
    "Mailbox",
    "Sender",
    "decide_sender",
    "envelope_address",
    "format_name",
    "has_default_address",
    "is_default_sender",
    "mailbox",
    "parse_mailbox",
    "read_recipient",
    "read_sender",
    "recover",
]

#: The sender that Flask-Security gives to its mail if the app has no MAIL_DEFAULT_SENDER, and what becomes of a None.
_NO_SENDER = ("no-reply@localhost", "None")
_TOKEN = re.compile(r"\{(name|address|user|app|tenant)\}")


@dataclass(frozen=True, slots=True)
class Sender:
    """The decision.

    :param header: the From header.
    :param envelope: the envelope sender; empty for the null sender.
    :param reply_to: what Reply-To the sender brings along; a message's own goes before it.
    """

    header: Mailbox
    envelope: str
    reply_to: Mailbox | None = None


def read_sender(value: object) -> Mailbox | None:
    """Read a message's sender: a text, a (name, address) pair, or a callable that returns one; None if it has none.

    :raises MessageRefused: it is no single mailbox.
    """
    # In this order: a LocalProxy of a text or a pair is callable as well.
    if callable(value) and not isinstance(value, str | tuple | list):
        value = value()
    return _pair(value) or (recover(str(value)) if value else None)


def read_recipient(value: object) -> Mailbox:
    """Read one recipient: a text with one mailbox, or a (name, address) pair.

    :raises MessageRefused: it is anything else.
    """
    return _pair(value) or parse_mailbox(str(value))


def _pair(value: object) -> Mailbox | None:
    if isinstance(value, tuple | list) and len(value) == 2:
        return mailbox(str(value[0] or ""), str(value[1]))
    return None


def is_default_sender(sender: object, default: object) -> bool:
    """Whether a message's sender says nothing of its own: there is none, or it is the app's default sender.

    :param sender: as the message holds it; Flask-Mail turns pairs into text.
    :param default: ``MAIL_DEFAULT_SENDER`` in any of its forms.
    """
    if not sender or sender is default or (isinstance(sender, str) and sender in _NO_SENDER):
        return True
    try:
        own, apps = read_sender(sender), read_sender(default)
    except MessageRefused:
        return False
    if own is None or apps is None:
        return own is None
    return own.key == apps.key and own.name in ("", apps.name)


def has_default_address(address: str, default: object) -> bool:
    """Whether an address is that of the app's default sender, however it is written.

    :param default: ``MAIL_DEFAULT_SENDER`` in any of its forms.
    """
    try:
        apps = read_sender(default)
    except MessageRefused:
        return False
    return bool(address) and apps is not None and address_key(address) == address_key(apps.address)


def decide_sender(
    author: Mailbox | None,
    is_default: bool,
    server: ServerProfile | None,
    app_name: str = "",
    user_name: str = "",
    tenant_name: str = "",
) -> Sender:
    """Decide From, envelope sender and Reply-To of a message.

    A user's own server never sends as somebody else: there, a foreign sender is at least rewritten.

    :param author: the message's sender, or None.
    :param is_default: whether that is only the app's default sender.
    :param server: the server that sends it; None for the app's own, where the author decides.
    :param app_name: for the ``{app}`` of the name's format.
    :param user_name: for the ``{user}``; without one, the name of a message's own author.
    :param tenant_name: for the ``{tenant}``.
    :raises MessageRefused: there is neither an author nor a server, or the server refuses this author.
    """
    if server is None:
        if author is None:
            raise MessageRefused(_("The message has no sender, and the app has no default sender."))
        return Sender(author, author.address)
    reply_to = parse_mailbox(server.reply_to) if server.reply_to else None
    if author is None or is_default:
        own = _own_sender(server, app_name, user_name, tenant_name)
        return Sender(own, own.address, reply_to)
    own = _own_sender(server, app_name, user_name or author.name, tenant_name)
    if author.key.casefold() == own.key.casefold():
        header = own if server.sender_policy is SenderPolicy.FORCE or not author.name else author
        return Sender(header, header.address, reply_to)
    if server.sender_policy is SenderPolicy.FORCE:
        return Sender(own, own.address, author)
    foreign = ForeignSender.KEEP if server.may_send_as(author.address) else server.foreign_sender
    if foreign is ForeignSender.REFUSE:
        raise MessageRefused(
            _(
                "The server “%(name)s” sends only as %(own)s and its allowed senders. This message is from %(author)s.",
                name=server.name,
                own=server.address,
                author=author.address,
            )
        )
    if foreign is ForeignSender.REWRITE or (server.owner and not server.may_send_as(author.address)):
        return Sender(_on_behalf(author, own, server), own.address, author)
    if server.sender_policy is SenderPolicy.FILL_NAME and not author.name:
        author = Mailbox(own.name, author.address)
    return Sender(author, author.address, reply_to)


def _on_behalf(author: Mailbox, own: Mailbox, server: ServerProfile) -> Mailbox:
    """Put the author into the display name, unless the format of the server's names does so already."""
    who = author.name or author.address
    if "{user}" in server.sender_format and author.name:
        return own
    name = _("%(author)s via %(sender)s", author=who, sender=server.sender_name) if server.sender_name else who
    return Mailbox(without_unsafe(name), own.address)


def _own_sender(server: ServerProfile, app_name: str, user_name: str, tenant_name: str) -> Mailbox:
    name = format_name(
        server.sender_format,
        name=server.sender_name,
        address=server.address,
        user=user_name,
        app=app_name,
        tenant=tenant_name,
    )
    return mailbox(name, server.address)


def format_name(
    template: str, *, name: str = "", address: str = "", user: str = "", app: str = "", tenant: str = ""
) -> str:
    """Make a display name: ``{name}``, ``{address}``, ``{user}``, ``{app}`` and ``{tenant}`` become plain text.

    Nothing else is special, so neither a template nor a value can reach into the program as ``str.format`` lets them.
    Mail of the app itself has no user and no tenant: where a format asks for one, the name alone is used, or the app's.
    """
    values = {"name": name, "address": address, "user": user, "app": app, "tenant": tenant}
    if ("{user}" in template and not user) or ("{tenant}" in template and not tenant):
        return without_unsafe(name or app)

    def value(token: re.Match[str]) -> str:
        return values[token.group(1)]

    return without_unsafe(_TOKEN.sub(value, template))


def envelope_address(value: object) -> str:
    """Read an ``envelope_from``: a mailbox in any form, of which the address counts; ``<>`` is the null sender.

    :raises MessageRefused: it is no single mailbox.
    """
    if value == "<>":
        return ""
    sender = read_sender(value)
    return parse_address(sender.address) if sender is not None else ""
