"""Servers as the pages show them: every word that depends on a value is chosen here, none in a template."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import url_for

from ..i18n import gettext as _
from ..providers import catalog
from ..providers.provider import Provider
from ..sending.sender import format_name
from ..servers.mailboxes import format_mailbox, split_mailbox
from ..servers.profile import SenderPolicy, ServerProfile
from ..smtp.auth import PASSWORD_MECHANISMS
from ..smtp.certificates import load_bundle
from ..smtp.endpoint import Security
from . import dates

#: What is looked at for the preview; longer texts cannot be saved anyway.
_ADDRESS_LENGTH = 1000
_NAME_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Badge:
    """The state of a server; each kind has its own words, its own shape and its own colour."""

    kind: str
    icon: str
    text: str


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One server of the list."""

    id: str
    name: str
    sender: str
    place: str
    security: str
    encrypted: bool
    badge: Badge
    enabled: bool
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
    """

    inbox: str
    narrow: str
    reply: str
    none: str
    user: str


def rows(profiles: Sequence[ServerProfile], *, now: datetime) -> list[Row]:
    """Return the rows of the list, in its order."""
    last = len(profiles) - 1
    return [row(profile, now=now, first=place == 0, last=place == last) for place, profile in enumerate(profiles)]


def row(profile: ServerProfile, *, now: datetime, first: bool = True, last: bool = True) -> Row:
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
        enabled=profile.enabled,
        is_default=profile.is_default,
        first=first,
        last=last,
        text=f"{profile.name} {sender} {place}".casefold(),
        urls=_links(profile.public_id),
    )


def _links(server_id: str) -> Links:
    return Links(
        test=url_for("smtpservers.test_server", server_id=server_id),
        edit=url_for("smtpservers.edit_server", server_id=server_id),
        pause=url_for("smtpservers.pause_server", server_id=server_id),
        enable=url_for("smtpservers.enable_server", server_id=server_id),
        default=url_for("smtpservers.default_server", server_id=server_id),
        move=url_for("smtpservers.move_server", server_id=server_id),
        remove=url_for("smtpservers.remove_server", server_id=server_id),
    )


def place_of(host: str, port: int) -> str:
    """Write host and port as one; an IPv6 address gets its brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def badge(profile: ServerProfile, *, now: datetime) -> Badge:
    """Say how a server is doing."""
    if not profile.enabled:
        return Badge("paused", "paused", _("Paused"))
    if profile.tested_at is None or profile.test_passed is None:
        return Badge("idle", "idle", _("Not tested"))
    when = dates.ago(profile.tested_at, now=now)
    if profile.test_passed:
        return Badge("ok", "ok", _("Working – tested %(when)s", when=when))
    if profile.test_title:
        text = _("Failing – %(title)s (tested %(when)s)", title=profile.test_title, when=when)
        return Badge("failed", "failed", text)
    return Badge("failed", "failed", _("Failing – tested %(when)s", when=when))


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


def policies() -> list[tuple[str, str]]:
    """Return the sender rules."""
    return [
        (str(SenderPolicy.KEEP), _("Keep that sender")),
        (str(SenderPolicy.FILL_NAME), _("Keep its address, add the name if it has none")),
        (str(SenderPolicy.FORCE), _("Always send as the address above; replies go to that sender")),
    ]


def mechanisms() -> list[tuple[str, str]]:
    """Return the sign-in methods; their names are the same in every language."""
    return [("", _("Automatic")), *((name, name) for name in PASSWORD_MECHANISMS)]


def preview(send_as: str, sender_format: str, *, reply_to: str, user: str, app: str) -> Preview:
    """Show a sender as people will see it, from what is typed so far."""
    typed, address = split_mailbox(send_as[:_ADDRESS_LENGTH])
    template = sender_format[:_NAME_LENGTH] or "{name}"  # each token in it is replaced, so the lengths multiply
    names = {"name": typed[:_NAME_LENGTH], "user": user[:_NAME_LENGTH], "app": app[:_NAME_LENGTH]}
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
    )


def provider_of(profile: ServerProfile) -> Provider | None:
    """Return the preset that a server was made from, else the one that its host belongs to."""
    return catalog.provider(profile.provider) or catalog.provider_of_host(profile.host, profile.address)


def valid_until(certificate: str) -> datetime | None:
    """Return when a stored client certificate ends, UTC; None if it cannot be read."""
    try:
        return load_bundle(certificate)[0].not_valid_after_utc
    except ValueError:
        return None


def uses(profile: ServerProfile, others: Iterable[ServerProfile], *, builtin: str) -> list[str]:
    """Say what goes through a server today, and what becomes of it without the server.

    :param others: all other servers.
    :param builtin: host and port of the app's own server, or empty if it has none.
    """
    if not profile.enabled:
        return [_("It is paused: no mail goes through it.")]
    rest = [one for one in others if one.enabled]
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
