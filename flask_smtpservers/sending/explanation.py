"""What would become of a message, in words: the page, the command and every delivery say the same."""

from __future__ import annotations

from dataclasses import dataclass

from ..i18n import N_
from ..i18n import gettext as _
from ..mailbox import Mailbox
from .routing import Route, Rule, Tried
from .sender import Sender

_RULES = {
    Rule.USING: N_("Asked for by name"),
    Rule.PERSONAL: N_("The user's own server"),
    Rule.KIND: N_("Kind of mail"),
    Rule.ADDRESS: N_("Sender's address"),
    Rule.DOMAIN: N_("Sender's domain"),
    Rule.TENANT_DEFAULT: N_("Default of the tenant"),
    Rule.DEFAULT: N_("Default server"),
    Rule.BUILT_IN: N_("Built-in"),
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """What would become of a message.

    :param route: the server and why it is that one; None if no server may send it.
    :param tried: every rule that was tried, in order; the last one decided, if one did.
    :param sender: who it would be from; None if it would not be sent for want of a sender or because of it.
    :param obstacle: why it would not be sent as things stand; empty if it would.
    """

    route: Route | None
    tried: tuple[Tried, ...]
    sender: Sender | None
    obstacle: str = ""

    @property
    def reply_to(self) -> Mailbox | None:
        """Where a reply goes, unless the message names somebody else."""
        if self.sender is None:
            return None
        return self.sender.reply_to or self.sender.header


def rule_words(rule: Rule) -> str:
    """Name a rule as people read it."""
    return _(_RULES[rule])
