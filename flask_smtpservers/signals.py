"""The signals that a host can listen to. Sender is always the Flask app."""

from __future__ import annotations

from blinker import Namespace

_signals = Namespace()

#: A mail was handed to a server. ``delivery``: :class:`~flask_smtpservers.sending.delivery.Delivery`, ``message``.
mail_delivered = _signals.signal("smtpservers-mail-delivered")
#: A server refused some recipients of a mail but took it for others. ``delivery``, ``message``.
recipients_refused = _signals.signal("smtpservers-recipients-refused")
#: A mail could not be handed over. ``error``: :class:`~flask_smtpservers.errors.SendError`, ``message``.
mail_failed = _signals.signal("smtpservers-mail-failed")
#: A mail was not sent because sending is switched off. ``message``.
mail_suppressed = _signals.signal("smtpservers-mail-suppressed")
#: A server was added, changed or removed. ``event``: :class:`~flask_smtpservers.servers.profile.ServerEvent`.
server_changed = _signals.signal("smtpservers-server-changed")
