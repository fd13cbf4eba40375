"""What the host puts into its own navigation."""

from __future__ import annotations

from typing import NamedTuple

from flask import request, url_for

from ..i18n import gettext as _
from ..permissions import Action
from .access import allowed_quietly


class MenuEntry(NamedTuple):
    """One entry of the host's menu.

    :param active: whether the page of this request is behind it.
    """

    label: str
    url: str
    active: bool


def smtpservers_menu() -> list[MenuEntry]:
    """Return the pages that the person of this request may open, for the host's navigation.

    Use it in any template of the host: ``{% for entry in smtpservers_menu() %}``.
    """
    here = request.endpoint or ""
    entries: list[MenuEntry] = []
    if allowed_quietly(Action.VIEW_SERVERS):
        active = here.startswith("smtpservers.") and here != "smtpservers.self_check"
        entries.append(MenuEntry(_("SMTP Servers"), url_for("smtpservers.list_servers"), active))
    if allowed_quietly(Action.VIEW_CHECKS):
        active = here == "smtpservers.self_check"
        entries.append(MenuEntry(_("Mail self-check"), url_for("smtpservers.self_check"), active))
    return entries
