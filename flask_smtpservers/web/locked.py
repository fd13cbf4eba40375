"""A server of the app's configuration: every field with its value and where that comes from, and none to change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask import Response

from ..i18n import gettext as _
from ..servers.history import SECRETS, values_of
from ..servers.profile import ServerProfile
from ..state import state_of
from .changes import LABELS, value_words
from .links import link
from .rendering import page

#: Fields that another way to write a server fills in.
_BESIDE = {
    "host": ("url",),
    "port": ("url", "host"),
    "security": ("use_ssl", "use_tls", "url", "host"),
    "username": ("url", "host"),
    "password": ("url", "host"),
    "sender_name": ("address",),
}


@dataclass(frozen=True, slots=True)
class LockedField:
    """One field.

    :param name: as the configuration calls it.
    :param origin: where it is set; empty if it is as usual.
    """

    label: str
    name: str
    value: str
    origin: str


def show_locked(profile: ServerProfile) -> Response:
    """Show the fields of a server that nobody can change here."""
    fields = _fields(profile, state_of().store.configured.origins(profile.public_id))
    return page(
        "locked.html",
        heading=profile.name,
        name=profile.name,
        origin=profile.origin,
        chosen=[one for one in fields if one.origin],
        usual=[one for one in fields if not one.origin],
        test_url=link("test_server", server_id=profile.public_id),
        list_url=link("list_servers"),
    )


def _fields(profile: ServerProfile, origins: Mapping[str, str]) -> list[LockedField]:
    found: list[LockedField] = []
    for name, value in values_of(profile).items():
        if name in ("position", "draft") or (name in SECRETS and not value):
            continue
        beside = _BESIDE.get(name, ()) if value else ()
        origin = next((origins[one] for one in (name, *beside) if one in origins), "")
        words = _("set, never shown") if name in SECRETS else value_words(name, value)
        found.append(LockedField(_(LABELS[name]), name, words, origin))
    return found
