"""Servers as the pages show them: every word that depends on a value is chosen here, none in a template."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ..i18n import gettext as _
from ..providers.provider import Provider
from ..sending.sender import format_name
from ..servers import personal
from ..servers.mailboxes import format_mailbox, split_mailbox
from ..servers.profile import ServerProfile
from ..smtp.auth import PASSWORD_MECHANISMS
from ..smtp.endpoint import Security
from ..state import state_of
from . import dates
from .access import scope_of_request
from .expiry import Ending, endings
from .links import link

#: What is looked at for the preview; longer texts cannot be saved anyway.
_ADDRESS_LENGTH = 1000
_NAME_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Badge:
    """The state of a server; each kind has its own words, its own shape and its own colour.

    :param hints: what more there is to say of it.
    """

    kind: str
    icon: str
    text: str
    hints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Links:
    """Where the buttons of a row lead."""

    test: str
    edit: str
    pause: str
    enable: str
    default: str
    move: str
    remove: str
    settings: str
    change: str
    history: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One server of the list.

    :param waiting: whether a change of it waits for its test.
    :param origin: where the app's configuration sets it up; empty for one that can be changed here.
    """

    id: str
    name: str
    sender: str
    place: str
    security: str
    encrypted: bool
    badge: Badge
    endings: tuple[Ending, ...]
    enabled: bool
    draft: bool
    waiting: bool
    origin: str
    is_default: bool
    first: bool
    last: bool
    text: str
    urls: Links


@dataclass(frozen=True, slots=True)
class Preview:
    """A sender as mail programs show it.

    :param inbox: in a list of messages: the name, or the address if there is none.
    :param narrow: where a program shows only the address.
    :param reply: in the field "To" of a reply.
    :param none: what stands there before an address is typed.
    :param user: the person in front of the page, for ``{user}``.
    :param tenant: the tenant, for ``{tenant}``.
    """

    inbox: str
    narrow: str
    reply: str
    none: str
    user: str
    tenant: str


def matching(profiles: Sequence[ServerProfile], sought: str) -> Sequence[ServerProfile]:
    """Return the servers in whose name, sender or place every word is found that is sought."""
    words = sought.casefold().split()
    return [one for one in profiles if all(word in _text(one) for word in words)] if words else profiles


def rows(
    profiles: Sequence[ServerProfile],
    *,
    among: Sequence[ServerProfile],
    now: datetime,
    waiting: Container[str] = (),
) -> list[Row]:
    """Return the rows of the list, in its order.

    :param among: all servers of the list, which tell the first and the last one.
    :param waiting: the public ids of those for which a change waits.
    """
    movable = [profile.public_id for profile in among if not profile.origin]
    first, last = (movable[0], movable[-1]) if movable else ("", "")
    return [
        row(
            profile,
            now=now,
            first=profile.public_id == first,
            last=profile.public_id == last,
            waiting=profile.public_id in waiting,
        )
        for profile in profiles
    ]


def row(profile: ServerProfile, *, now: datetime, first: bool = True, last: bool = True, waiting: bool = False) -> Row:
    """Return one server as the list shows it."""
    sender = format_mailbox(profile.sender_name, profile.address)
    place = place_of(profile.host, profile.port)
    return Row(
        id=profile.public_id,
        name=profile.name,
        sender=sender,
        place=place,
        security=security_words(profile.security),
        encrypted=profile.security is not Security.NONE,
        badge=badge(profile, now=now),
        endings=endings(profile, now=now),
        enabled=profile.enabled,
        draft=profile.draft,
        waiting=waiting,
        origin=profile.origin,
        is_default=profile.is_default,
        first=first,
        last=last,
        text=_text(profile),
        urls=_links(profile.public_id),
    )


def _text(profile: ServerProfile) -> str:
    """Return what a search looks into."""
    sender = format_mailbox(profile.sender_name, profile.address)
    return f"{profile.name} {sender} {place_of(profile.host, profile.port)}".casefold()


def _links(server_id: str) -> Links:
    return Links(
        test=link("test_server", server_id=server_id),
        edit=link("edit_server", server_id=server_id),
        pause=link("pause_server", server_id=server_id),
        enable=link("enable_server", server_id=server_id),
        default=link("default_server", server_id=server_id),
        move=link("move_server", server_id=server_id),
        remove=link("remove_server", server_id=server_id),
        settings=link("client_settings", server_id=server_id),
        change=link("waiting_change", server_id=server_id),
        history=link("server_history", server_id=server_id),
    )


def place_of(host: str, port: int) -> str:
    """Write host and port as one; an IPv6 address gets its brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def badge(profile: ServerProfile, *, now: datetime) -> Badge:
    """Say how a server is doing."""
    if profile.draft:
        return Badge("draft", "draft", _("Draft – sends nothing until it is activated"))
    if profile.suspended:
        shown = profile.suspended_reason if not profile.owner else ""  # users' servers have a place of their own for it
        return Badge("paused", "paused", _("Suspended"), (shown,) if shown else ())
    if not profile.enabled:
        return Badge("paused", "paused", _("Paused"))
    if not profile.proved:
        return Badge("idle", "idle", _("Waits until its address is proved"))
    return test_badge(profile, now=now)


def test_badge(profile: ServerProfile, *, now: datetime) -> Badge:
    """Say how the last test of a server ended, or that it needs one."""
    if profile.tested_at is None or profile.test_passed is None:
        if profile.retest_since is None:
            return Badge("idle", "idle", _("Not tested"))
        changed = _("Changed %(when)s, after its last test", when=dates.ago(profile.retest_since, now=now))
        return Badge("retest", "again", _("Needs a new test"), (changed,))
    when, hints = dates.ago(profile.tested_at, now=now), _tested(profile, now=now)
    if profile.test_passed:
        return Badge("ok", "ok", _("Working – tested %(when)s", when=when), hints)
    if profile.test_title and may_know_why(profile):
        text = _("Failing – %(title)s (tested %(when)s)", title=profile.test_title, when=when)
        return Badge("failed", "failed", text, hints)
    return Badge("failed", "failed", _("Failing – tested %(when)s", when=when), hints)


def may_know_why(profile: ServerProfile) -> bool:
    """Whether the person may read why a server fails; a user may not of a host that the operator does not know.

    What he tests himself tells him as much as he may know; what others found out by a test is not for him.
    """
    if not profile.owner or not scope_of_request().owner:
        return True
    state = state_of()
    return personal.known_host(profile.host, profile.port, state.settings, state.catalog)


def _tested(profile: ServerProfile, *, now: datetime) -> tuple[str, ...]:
    """Say by whom it was tested, and whether the test message is known to have arrived."""
    parts = [_("Tested by %(name)s", name=profile.tested_by)] if profile.tested_by else []
    if profile.arrived_at is not None:
        parts.append(_("Arrival confirmed %(day)s", day=dates.day(profile.arrived_at, now=now)))
    return tuple(parts)


def security_words(security: Security) -> str:
    """Say whether and how a connection is encrypted."""
    match security:
        case Security.SSL:
            return _("Encrypted (SSL)")
        case Security.STARTTLS:
            return _("Encrypted (STARTTLS)")
        case _:
            return _("Not encrypted")


def encryptions() -> list[tuple[str, str]]:
    """Return the choices while SSL is off."""
    return [
        (str(Security.STARTTLS), _("STARTTLS (required)")),
        (str(Security.NONE), _("None")),
    ]


def mechanisms() -> list[tuple[str, str]]:
    """Return the sign-in methods; their names are the same in every language."""
    return [("", _("Automatic")), *((name, name) for name in PASSWORD_MECHANISMS)]


def preview(send_as: str, sender_format: str, *, reply_to: str, user: str, app: str, tenant: str = "") -> Preview:
    """Show a sender as people will see it, from what is typed so far."""
    typed, address = split_mailbox(send_as[:_ADDRESS_LENGTH])
    template = sender_format[:_NAME_LENGTH] or "{name}"  # each token in it is replaced, so the lengths multiply
    names = {"name": typed[:_NAME_LENGTH], "user": user[:_NAME_LENGTH], "app": app[:_NAME_LENGTH], "tenant": tenant}
    name = format_name(template, address=address, **names).strip()
    reply_to = reply_to[:_ADDRESS_LENGTH]
    none = "–"
    full = format_mailbox(name, address)
    return Preview(
        inbox=name or address or none,
        narrow=address or none,
        reply=_("To: %(sender)s", sender=reply_to.strip() or full) if address else none,
        none=none,
        user=user,
        tenant=tenant,
    )


def provider_of(profile: ServerProfile) -> Provider | None:
    """Return the preset that a server was made from, else the one that its host belongs to."""
    catalog = state_of().catalog
    return catalog.provider(profile.provider) or catalog.provider_of_host(profile.host, profile.address)


def uses(profile: ServerProfile, others: Iterable[ServerProfile], *, builtin: str) -> list[str]:
    """Say what goes through a server today, and what becomes of it without the server.

    :param others: all other servers.
    :param builtin: host and port of the app's own server, or empty if it has none.
    """
    if profile.suspended:
        return [_("It is suspended: no mail goes through it.")]
    if not profile.enabled:
        return [_("It is paused: no mail goes through it.")]
    rest = [one for one in others if one.usable]
    found: list[str] = []
    if not any(one.address.lower() == profile.address.lower() for one in rest):
        found.append(_("Mail from %(address)s goes through it.", address=profile.address))
    if not any(one.domain == profile.domain for one in rest):
        found.append(_("So does mail from other addresses at %(domain)s.", domain=profile.domain))
    if profile.is_default:
        found.append(_("It is the default: mail that no other server claims goes through it."))
        if builtin:
            found.append(_("Without a default, it goes out through the app's own server %(server)s.", server=builtin))
        else:
            found.append(_("Without a default, it cannot be sent: the app has no server of its own."))
    return found or [_("Other servers send from the same address, so they take over its mail.")]
