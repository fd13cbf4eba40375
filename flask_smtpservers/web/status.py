"""How the app's mail stands, for every page: ours, and those of the host through ``smtp_status()``."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cached_property

from flask import has_request_context, request, url_for

from ..errors import StoreUnavailable
from ..i18n import gettext as _
from ..permissions import APP, Action, Scope
from ..servers.profile import ServerProfile
from ..state import state_of
from . import assets, dates
from .access import allowed_quietly, tenant_scope

logger = logging.getLogger("flask_smtpservers")

#: Where the WSGI environment of a request keeps its status, and that a page shows it already.
_STATUS_KEY, _SHOWN_KEY = "flask_smtpservers.status", "flask_smtpservers.status_shown"


class SendingStatus:
    """How mail stands for the tenant of this request, or the app. What is not asked for is not looked up.

    A database that does not answer never spoils a page: then nothing is said.
    """

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    @cached_property
    def off(self) -> Scope | None:
        """Whose master switch is off: the app's, the tenant's, or nobody's (None)."""
        try:
            return state_of().store.sending_off(scope=self._scope)
        except StoreUnavailable as error:
            logger.warning("whether sending is switched on could not be read: %s", error)
            return None

    @property
    def sending_enabled(self) -> bool:
        """Whether mail leaves the app."""
        return self.off is None

    @property
    def notice(self) -> str:
        """What everybody may read while sending is off; empty while it is on."""
        if self.off is None:
            return ""
        if self.off != self._scope:
            return _("Sending is switched off for the whole app: no mail goes out. Tests still work.")
        return _("Sending is switched off: no mail goes out. Tests still work.")

    @cached_property
    def problems(self) -> tuple[str, ...]:
        """What keeps mail from going out, as sentences: servers are named only to those who may see them."""
        found = [self.notice] if self.notice else []
        if self._may_look:
            try:
                found += _failing(state_of().store.servers(scope=self._scope))
            except StoreUnavailable as error:
                logger.warning("how the servers stand could not be read: %s", error)
        return tuple(found)

    @cached_property
    def url(self) -> str:
        """The page of the servers, for those who may open it; else empty."""
        return url_for("smtpservers.list_servers") if self._may_look else ""

    @property
    def link_text(self) -> str:
        """What the link to that page says."""
        return _("SMTP Servers")

    @property
    def style_url(self) -> str:
        """The style sheet, for pages of the host."""
        return url_for("smtpservers.static", filename="smtpservers.css", v=assets.version())

    @cached_property
    def _may_look(self) -> bool:
        return has_request_context() and allowed_quietly(Action.VIEW_SERVERS, self._scope)

    def first(self) -> bool:
        """Whether this page does not show it yet: the host's frame may do so, and ours does."""
        if not has_request_context():
            return True
        shown, request.environ[_SHOWN_KEY] = request.environ.get(_SHOWN_KEY), True
        return not shown


def smtp_status() -> SendingStatus:
    """Tell how the app's mail stands; for any template of the host."""
    if not has_request_context():
        return SendingStatus(APP)
    status = request.environ.get(_STATUS_KEY)
    if not isinstance(status, SendingStatus):
        status = request.environ[_STATUS_KEY] = SendingStatus(tenant_scope())
    return status


def _failing(servers: list[ServerProfile]) -> Iterator[str]:
    for server in servers:
        if not server.usable or server.test_passed is not False:
            continue
        title = server.test_title or _("the last test failed")
        if server.failing_since is not None:
            since = dates.day(server.failing_since)
            yield _("“%(name)s” is failing since %(day)s: %(title)s", name=server.name, day=since, title=title)
        else:
            yield _("“%(name)s” is failing: %(title)s", name=server.name, title=title)
