"""The form of a server as one request has it: what was typed now or shortly before, and what is to be said about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import request

from ..errors import InvalidServer, PasswordRequired, SecretUnreadable
from ..permissions import Action
from ..secret import Secret
from ..servers import personal
from ..servers.fields import Cleaned, FieldRules, FieldWarning, clean
from ..servers.mailboxes import format_mailbox
from ..servers.profile import ServerProfile
from ..state import state_of
from . import kept, presets
from .access import allowed_quietly, require, scope_of_request
from .changes import FieldChange
from .forms import ServerForm
from .links import link
from .own_addresses import usual_recipient

#: With a change of these a stored password would have to be entered again; or they concern the password itself.
_GO_ALONG = frozenset(["host", "port", "security", "username", "keep_password_blanks"])


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
    :param coming_back: what older settings in the form would change.
    """

    form: ServerForm
    profile: ServerProfile | None
    secrets: dict[str, Secret] = field(default_factory=dict)
    places: dict[str, kept.Place] = field(default_factory=dict)
    newly_typed: bool = False
    notices: list[str] = field(default_factory=list)
    to_confirm: Sequence[FieldWarning] = ()
    conflict: Conflict | None = None
    coming_back: Sequence[FieldChange] = ()
    password_demanded: bool = False

    @property
    def base_url(self) -> str:
        """Where the form is saved."""
        if self.profile is None:
            return link("add_server")
        return link("edit_server", server_id=self.profile.public_id)

    def fields(self) -> dict[str, Any]:
        """Return the server's fields, with the secrets that were typed."""
        # A name that was taken out of "Send as" is gone, not kept.
        values = {"sender_name": "", **self.form.fields(), **self.secrets}
        if self.form.keep_blanks.data:
            values["keep_password_blanks"] = True
        if scope_of_request().owner:
            return {name: value for name, value in values.items() if name in personal.FIELDS}
        return values

    def clean(self) -> Cleaned:
        """Check the fields.

        :raises InvalidServer: something is wrong.
        :raises HTTPException: 403, a secret would be set or removed by somebody who may not, in whatever way.
        """
        fields = self.fields()
        try:
            cleaned = clean(fields, base=self.profile, rules=field_rules())
        except InvalidServer as error:
            raise type(error)({**self._refused(fields), **error.fields}) from None
        refused = self._refused(cleaned.values)
        if refused:
            raise InvalidServer(refused)
        if not {"password", "client_key"}.isdisjoint(cleaned.values):
            require(Action.CHANGE_SECRETS)
        return cleaned

    def _refused(self, values: Mapping[str, Any]) -> Mapping[str, Sequence[str]]:
        """Say what the operator does not want of a user's server."""
        if not scope_of_request().owner:
            return {}
        state = state_of()
        return personal.refused(values, self.profile, 0, state.settings, state.catalog)

    def correct(self, correction: Mapping[str, str]) -> None:
        """Apply what one of our buttons changes; secrets go along as far as they may.

        A stored password goes as far as a typed one, to whoever may change it; the rest of the form must be as stored.
        """
        self.form.correct(correction)
        if not _GO_ALONG.isdisjoint(correction):
            self._lend_password(correction)
        self.follow_correction()
        now = kept.Place.of(self.form)
        self.secrets = {name: secret for name, secret in self.secrets.items() if self.places[name].leads_to(now)}

    def _lend_password(self, correction: Mapping[str, str]) -> None:
        profile = self.profile
        if profile is None or "password" in self.secrets or profile.password is None or profile.password.environment:
            return
        before, now = kept.Place.of(stored(profile).form), kept.Place.of(self.form)
        renamed = now.username != before.username and "username" not in correction
        rerouted = self.form.text("auth_mechanism") != profile.auth_mechanism
        if renamed or rerouted or not before.leads_to(now, corrected=True):
            return
        if not allowed_quietly(Action.CHANGE_SECRETS):
            return
        try:
            password = state_of().store.password_of(profile)
        except SecretUnreadable:
            return
        if password is not None:
            self.secrets["password"], self.places["password"] = password, before
            self.newly_typed = True

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


def field_rules() -> FieldRules:
    """Return the rules for the fields of a form: a user's own server has stricter ones."""
    state = state_of()
    rules = FieldRules.of(state.settings, state.catalog)
    return personal.rules(rules, state.settings) if scope_of_request().owner else rules


def blank() -> Sheet:
    """Return the form for a new server."""
    is_default = not state_of().store.servers(scope=scope_of_request())
    sheet = Sheet(ServerForm.empty(recipient=usual_recipient(), is_default=is_default), None)
    provider = state_of().catalog.provider(request.args.get("provider", ""))
    if provider is not None:
        sheet.form.set("provider", provider.id)
        presets.fill(sheet.form, provider, address="")
    return sheet


def stored(profile: ServerProfile) -> Sheet:
    """Return the form for a stored server."""
    sender = format_mailbox(profile.sender_name, profile.address)
    return Sheet(ServerForm.of(profile, sender=sender, recipient=usual_recipient()), profile)


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
