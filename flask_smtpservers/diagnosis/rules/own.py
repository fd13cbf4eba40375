"""Errors of this package whose class is the cause."""

from __future__ import annotations

from ...errors import AddressBlocked, CertificateChanged, InDoubt, MessageRefused, MessageTooLarge, SecretUnreadable
from ...findings import Stage
from ...i18n import gettext as _
from ..context import Context
from .reaching import host_is_malformed
from .verdict import Verdict


def cause_of_class(error: BaseException, context: Context, stage: Stage | None = None) -> Verdict | None:
    """Answer for the errors that say all by their class."""
    if isinstance(error, AddressBlocked):
        return _blocked(error, context)
    if isinstance(error, CertificateChanged):
        words = {"trusted": error.trusted, "found": error.found or _("none")}
        return Verdict("certificate_changed", words=words)
    if isinstance(error, InDoubt):
        return Verdict("in_doubt")
    if isinstance(error, MessageTooLarge):
        return Verdict("message_too_large")
    if isinstance(error, SecretUnreadable):
        return Verdict("secret_unreadable")
    if isinstance(error, MessageRefused) and stage is Stage.SETTINGS:
        return Verdict("settings_malformed", variant="reason", words={"reason": str(error)})
    return None


def _blocked(error: AddressBlocked, context: Context) -> Verdict:
    """Take over what the guard has said in a whole sentence."""
    words = {"reason": error.text}
    if host_is_malformed(context.host):
        return Verdict("settings_malformed", variant="reason", words=words)
    by_port = context.port is not None and str(context.port) in error.text and context.host not in error.text
    return Verdict("blocked_by_policy", variant="port" if by_port else "", words=words)
