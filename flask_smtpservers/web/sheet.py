"""The form of a server as one request has it: what was typed now or shortly before, and what is to be said about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import request, url_for

from ..errors import InvalidServer, PasswordRequired
from ..permissions import Action
from ..providers import catalog
from ..secret import Secret
from ..servers.fields import Cleaned, FieldRules, FieldWarning, clean
from ..servers.mailboxes import format_mailbox
from ..servers.profile import ServerProfile
from ..state import state_of
from . import kept, presets
from .access import own_address, require
from .forms import ServerForm


@dataclass(frozen=True, slots=True)
class Line:
    """One field in which two versions of a server differ."""

    label: str
    theirs: str
    yours: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """Somebody else saved the same server meanwhile."""

    title: str
    lines: tuple[Line, ...]


@dataclass(slots=True)
class Sheet:
    """The form as one request has it, and what is to be said about it.

    :param secrets: what was typed now or shortly before, by the name of the server's field.
    :param places: the place that each of them was typed for.
    :param newly_typed: whether they are not kept like this yet.
    """

    form: ServerForm
    profile: ServerProfile | None
    secrets: dict[str, Secret] = field(default_factory=dict)
    places: dict[str, kept.Place] = field(default_factory=dict)
    newly_typed: bool = False
    notices: list[str] = field(default_factory=list)
    to_confirm: Sequence[FieldWarning] = ()
    conflict: Conflict | None = None
    password_demanded: bool = False

    @property
    def base_url(self) -> str:
        """Where the form is saved."""
        if self.profile is None:
            return url_for("smtpservers.add_server")
        return url_for("smtpservers.edit_server", server_id=self.profile.public_id)

    def fields(self) -> dict[str, Any]:
        """Return the server's fields, with the secrets that were typed."""
        # A name that was taken out of "Send as" is gone, not kept.
        values = {"sender_name": "", **self.form.fields(), **self.secrets}
        if self.form.keep_blanks.data:
            values["keep_password_blanks"] = True
        return values

    def clean(self) -> Cleaned:
        """Check the fields.

        :raises InvalidServer: something is wrong.
        :raises HTTPException: 403, a secret would be set or removed by somebody who may not, in whatever way.
        """
        cleaned = clean(self.fields(), base=self.profile, rules=FieldRules.of(state_of().settings))
        if not {"password", "client_key"}.isdisjoint(cleaned.values):
            require(Action.CHANGE_SECRETS)
        return cleaned

    def follow_correction(self) -> None:
        """Let the secrets go along with what one of our buttons changed, as far as they may."""
        now = kept.Place.of(self.form)
        for name, place in self.places.items():
            if place.leads_to(now, corrected=True):
                self.places[name] = place.corrected_to(now)
                self.newly_typed = True

    def follow_choice(self) -> None:
        """Let secrets typed in this very request go to the server of the provider that was chosen with them."""
        now = kept.Place.of(self.form)
        self.places.update(dict.fromkeys(self.form.secrets(), now))
        self.follow_correction()

    def put_away(self) -> None:
        """Keep the secrets for the next request; the page only gets a ticket for those that it may use."""
        if self.newly_typed:
            self.secrets = kept.keep(self.form, self.secrets, self.places)
            self.newly_typed = False
        now = kept.Place.of(self.form)
        self.secrets = {name: secret for name, secret in self.secrets.items() if self.places[name].leads_to(now)}

    def refuse(self, error: InvalidServer) -> None:
        """Put the sentences of ``error`` beside their fields."""
        self.form.place(error.fields)
        self.password_demanded = isinstance(error, PasswordRequired) or "password" in error.fields


def blank() -> Sheet:
    """Return the form for a new server."""
    is_default = not state_of().store.servers()
    sheet = Sheet(ServerForm.empty(recipient=own_address(), is_default=is_default), None)
    provider = catalog.provider(request.args.get("provider", ""))
    if provider is not None:
        sheet.form.set("provider", provider.id)
        presets.fill(sheet.form, provider, address="")
    return sheet


def stored(profile: ServerProfile) -> Sheet:
    """Return the form for a stored server."""
    sender = format_mailbox(profile.sender_name, profile.address)
    return Sheet(ServerForm.of(profile, sender=sender, recipient=own_address()), profile)


def posted(profile: ServerProfile | None) -> Sheet:
    """Return the form as it was sent, with a secret typed shortly before if none was typed now."""
    form = ServerForm.posted(request.form)
    sheet = Sheet(form, profile)
    followed = form.follow_encryption()
    if followed:
        sheet.notices.append(followed)
    typed, place = form.secrets(), kept.Place.of(form)
    for name, (secret, typed_for) in kept.recall(form).items():
        sheet.secrets[name], sheet.places[name] = secret, typed_for
    for name, secret in typed.items():
        sheet.secrets[name], sheet.places[name] = secret, place
    sheet.newly_typed = bool(typed)
    if sheet.secrets:
        require(Action.CHANGE_SECRETS)
    return sheet
