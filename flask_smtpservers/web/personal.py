"""A person's own servers: his page "My SMTP settings", and the section that a host puts into a page of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flask.typing import ResponseReturnValue
from markupsafe import Markup

from ..errors import StoreUnavailable
from ..i18n import gettext as _
from ..i18n import ngettext
from ..permissions import Action, Scope
from ..servers import personal as policy
from ..servers.profile import ServerProfile
from ..servers.proving import PAUSE
from ..servers.standing import no_more
from ..state import state_of
from . import dates, presenting
from .access import actor, for_person, may_have_own, protected, tenant_scope
from .links import link
from .rendering import embedded, page


@dataclass(frozen=True, slots=True)
class OwnServer:
    """One server of the person, as his page shows it.

    :param waiting: what is to be done before it is used; empty if its address is proved.
    :param prove_url: where another link is sent; empty while one was sent just now.
    :param suspended: why an administrator has suspended it; empty if nobody has.
    :param instead: what becomes of the person's mail while it cannot be used; empty while it is used.
    """

    row: presenting.Row
    waiting: str = ""
    prove_url: str = ""
    prove: str = ""
    suspended: str = ""
    instead: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the page and the section show.

    :param more: whether he may have another server.
    :param limit: why not, as a sentence; empty if he may.
    :param yes: what goes out through his server.
    :param no: what never does.
    :param without: what becomes of his mail while he has no server of his own.
    """

    servers: Sequence[OwnServer]
    more: bool
    limit: str
    yes: Sequence[str]
    no: Sequence[str]
    without: str


@protected(Action.MANAGE_PERSONAL, personal=True)
def my_servers() -> ResponseReturnValue:
    """Show the person's servers, what goes out through them, and what is still to be done."""
    finder = state_of().personal_finder
    return page(
        "personal.html",
        heading=_("My SMTP settings"),
        mine=_settings(),
        asks_network=finder.asks_network,
        asks_service=finder.asks_service,
    )


def personal_section() -> Markup:
    """Render the section "SMTP Mail Settings" for a page of the host; empty for who may have no server of his own.

    A template of the host calls it: ``{{ smtpservers_personal() }}``.
    """
    if not may_have_own():
        return Markup()
    with for_person(Scope(tenant_scope().tenant, actor())):
        try:
            mine = _settings()
        except StoreUnavailable:
            mine = None
        finder = state_of().personal_finder
        return embedded(
            "_personal_section.html", mine=mine, asks_network=finder.asks_network, asks_service=finder.asks_service
        )


def _settings() -> Settings:
    state = state_of()
    scope = Scope(tenant_scope().tenant, actor())
    servers = state.store.servers(scope=scope)
    asked = state.store.proofs_asked(scope=scope)
    now = datetime.now(UTC)
    most = state.settings.personal_maximum
    limit = (
        "" if len(servers) < most else ngettext("You can have one server.", "You can have %(number)s servers.", most)
    )
    if any(one.suspended for one in servers):
        limit = no_more()
    rows = presenting.rows(servers, among=servers, now=now, waiting=state.store.waiting_ids(scope=scope))
    return Settings(
        servers=[_own(row, one, asked.get(one.public_id), now) for row, one in zip(rows, servers, strict=True)],
        more=not limit,
        limit=limit,
        yes=_through_it(servers),
        no=_never(),
        without=_otherwise(),
    )


def _own(row: presenting.Row, profile: ServerProfile, asked: datetime | None, now: datetime) -> OwnServer:
    waiting, prove_url, prove = "", "", ""
    if not profile.proved:
        prove_url = link("prove_address", server_id=profile.public_id)
        if asked is None:
            waiting = _("Prove that %(address)s is yours, then this server is used.", address=profile.address)
            prove = _("Send me the link")
        else:
            when = dates.ago(asked, now=now)
            waiting = _("Waiting for confirmation of %(address)s: the link was sent %(when)s. Open it there and press "
                        "the button.", address=profile.address, when=when)  # fmt: skip
            prove = _("Send the link again")
            prove_url = prove_url if now - asked > PAUSE - timedelta(seconds=1) else ""
    suspended = ""
    if profile.suspended:
        suspended = _("An administrator has suspended this server.")
        if profile.suspended_reason:
            suspended = _("An administrator has suspended this server: %(reason)s", reason=profile.suspended_reason)
    instead = "" if profile.usable and _permitted(profile) else _otherwise()
    if profile.usable and not _permitted(profile):
        suspended = _("Such servers may not be used any more. Ask whoever runs this app.")
    return OwnServer(row, waiting, prove_url, prove, suspended, instead)


def _permitted(profile: ServerProfile) -> bool:
    state = state_of()
    return policy.permits(profile.host, profile.port, state.settings, state.catalog)


def _through_it(servers: Sequence[ServerProfile]) -> list[str]:
    listed = [one for one in servers if one.proved] or servers
    addresses = list(dict.fromkeys(one.address for one in listed)) or [_("the server's sending address")]
    found = [_("Mail that you send here from %(addresses)s.", addresses=", ".join(addresses))]
    labels = [kind.label for kind in state_of().settings.kinds.values() if kind.personal]
    if labels:
        found.append(_("What you write yourself: %(kinds)s.", kinds=", ".join(labels)))
    return found


def _never() -> list[str]:
    found = [
        _("Mail of this app itself, such as password resets."),
        _("Mail of other people."),
    ]
    labels = [kind.label for kind in state_of().settings.kinds.values() if kind.bulk]
    many = (
        _("Mail to many (%(kinds)s).", kinds=", ".join(labels)) if labels else _("Mail to many, such as newsletters.")
    )
    return [*found, many]


def _otherwise() -> str:
    settings = state_of().settings
    if not settings.personal_fallback:
        return _("For now, mail that would go through it is not sent.")
    return _("For now, your mail goes out through the shared mail server of %(app)s.", app=settings.app_name)
