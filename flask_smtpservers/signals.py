"""The signals that a host can listen to. Sender is always the Flask app."""

from __future__ import annotations

from blinker import Namespace

_signals = Namespace()

#: A mail was handed to a server. ``delivery``: :class:`~flask_smtpservers.sending.delivery.Delivery`, ``message``,
#: which is None in these signals where a worker delivers from the outbox.
mail_delivered = _signals.signal("smtpservers-mail-delivered")
#: A server refused some recipients of a mail but took it for others. ``delivery``, ``message``.
recipients_refused = _signals.signal("smtpservers-recipients-refused")
#: A mail could not be handed over. ``error``: :class:`~flask_smtpservers.errors.SendError`, ``message``.
mail_failed = _signals.signal("smtpservers-mail-failed")
#: A mail was not sent because sending is switched off. ``message``.
mail_suppressed = _signals.signal("smtpservers-mail-suppressed")
#: A server shows another certificate than the one whose fingerprint is trusted, so nothing was sent; once an hour for
#: each. ``server``: :class:`~flask_smtpservers.servers.profile.ServerProfile`, ``error``:
#: :class:`~flask_smtpservers.errors.CertificateChanged`.
certificate_changed = _signals.signal("smtpservers-certificate-changed")
#: The scheduled check finds for the first time that a server fails. ``server``:
#: :class:`~flask_smtpservers.servers.profile.ServerProfile`, ``diagnosis``:
#: :class:`~flask_smtpservers.findings.Diagnosis` or None.
server_failing = _signals.signal("smtpservers-server-failing")
#: The scheduled check finds that a server works again. ``server``.
server_recovered = _signals.signal("smtpservers-server-recovered")
#: A server was added, changed or removed. ``event``: :class:`~flask_smtpservers.servers.profile.ServerEvent`.
server_changed = _signals.signal("smtpservers-server-changed")
