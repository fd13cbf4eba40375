"""What the host puts into its own navigation."""

from __future__ import annotations

from typing import NamedTuple

from flask import request, url_for

from ..i18n import gettext as _
from ..permissions import Action
from ..state import state_of
from .access import allowed_quietly, may_have_own, tenant_scope
from .links import endpoint_is_own


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
    at_own = endpoint_is_own()
    entries: list[MenuEntry] = []
    if may_have_own():
        entries.append(MenuEntry(_("My SMTP settings"), url_for("smtpservers.my_servers"), at_own))
    if allowed_quietly(Action.VIEW_SERVERS, tenant_scope()):
        others = ("smtpservers.self_check", "smtpservers.personal_servers")
        active = here.startswith("smtpservers.") and here not in others and not at_own
        entries.append(MenuEntry(_("SMTP Servers"), url_for("smtpservers.list_servers"), active))
    if state_of().settings.personal and allowed_quietly(Action.SUSPEND_SERVERS, tenant_scope()):
        active = here == "smtpservers.personal_servers"
        entries.append(MenuEntry(_("Personal servers"), url_for("smtpservers.personal_servers"), active))
    if allowed_quietly(Action.VIEW_CHECKS):
        active = here == "smtpservers.self_check"
        entries.append(MenuEntry(_("Mail self-check"), url_for("smtpservers.self_check"), active))
    return entries
