"""The page of a server's form: everything that ``_form.html`` shows, chosen and worded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from flask import Response

from ..errors import InvalidServer, StoreUnavailable
from ..i18n import gettext as _
from ..providers.provider import Provider, UsernameRule
from ..secret import Secret
from ..servers.fields import FieldWarning, clean
from ..servers.profile import ServerProfile
from ..smtp.endpoint import Security
from ..state import state_of
from . import dates, presenting, presets, seen
from .access import form_mark, person, scope_of_request
from .corrections import proposal
from .expiry import endings, valid_until
from .forms import LABELS, ServerForm, labels, place_of
from .links import link
from .rendering import page
from .sheet import Sheet, field_rules

#: Rules by which the sending address is the user name.
_ADDRESS_RULES = (UsernameRule.EMAIL, UsernameRule.SENDER_ADDRESS)

#: Stands for a field that is still empty when the others are looked at.
_PLACEHOLDERS = {"host": "mail.example.com", "address": "name@example.com", "password": "0"}


@dataclass(frozen=True, slots=True)
class Caution:
    """A warning beside a field, with the button that mends it.

    :param fix: the value of the button, or empty.
    """

    text: str
    fix: str = ""
    button: str = ""


def show(sheet: Sheet, *, status: int = 200) -> Response:
    """Render the page of the form."""
    heading = _("Add SMTP server") if sheet.profile is None else _("Edit “%(name)s”", name=sheet.profile.name)
    return page("form.html", status, heading=heading, **form_values(sheet))


def form_values(sheet: Sheet) -> dict[str, Any]:
    """Return what ``_form.html`` needs; typed secrets are put away first, the page only gets a ticket for them."""
    form, profile = sheet.form, sheet.profile
    settings = state_of().settings
    form.hide_secrets()
    sheet.put_away()
    warnings = _cautions(sheet)
    provider = presets.meant(form)
    label = provider.password_label if provider is not None else _("Password")
    return {
        "form": form,
        "form_mark": form_mark(),
        "profile": profile,
        "last_test": presenting.test_badge(profile, now=datetime.now(UTC)) if profile else None,
        "labels": {**labels(), "smtp_secret": label},
        "notices": sheet.notices,
        "conflict": sheet.conflict,
        "coming_back": sheet.coming_back,
        "waiting_url": _waiting_url(profile),
        "to_confirm": [_caution(warning) for warning in sheet.to_confirm],
        "confirm_key": fingerprint(sheet.to_confirm),
        "warnings": warnings,
        "provider": provider,
        "regions": provider.regions if provider is not None else (),
        "ways": presets.ways(provider, form),
        "server_words": _server_words(form),
        "server_open": _server_open(sheet, provider, warnings),
        "no_ssl": provider.no_ssl_reason if provider is not None else "",
        "chooser": _chooser(form, profile),
        "encryptions": presenting.encryptions(),
        "policies": seen.policies(),
        "foreign_senders": seen.foreign_senders(),
        "example": seen.example(form, app=settings.app_name, tenant=scope_of_request().tenant or ""),
        "senders_words": seen.summary(form),
        "mechanisms": presenting.mechanisms(),
        "preview": presenting.preview(
            form.text("send_as"),
            form.text("sender_format"),
            reply_to=form.text("reply_to"),
            user=person(),
            app=settings.app_name,
        ),
        "username_help": _username_help(provider),
        "username_source": "address" if provider is None or provider.username in _ADDRESS_RULES else "",
        "usual_ports": " ".join(f"{one}:{one.usual_port}" for one in Security),
        "urls": {
            "save": sheet.base_url,
            "test": link("test_unsaved"),
            "password": link("change_password", server_id=profile.public_id) if profile else "",
        },
        **_password_values(sheet, provider, label),
    }


def _waiting_url(profile: ServerProfile | None) -> str:
    """Return the page of the change that waits; empty if there is none, or nobody knows."""
    try:
        waits = profile is not None and profile.public_id in state_of().store.waiting_ids(scope=profile.scope)
    except StoreUnavailable:
        return ""
    return link("waiting_change", server_id=profile.public_id) if profile is not None and waits else ""


def _server_words(form: ServerForm) -> str:
    host, port = form.text("host").strip(), form.text("port").strip()
    words = dict(presenting.encryptions()) | {str(Security.SSL): _("SSL")}
    if not host:
        return ""
    return _("%(host)s, port %(port)s, %(encryption)s", host=host, port=port, encryption=words.get(form.security, ""))


def _server_open(sheet: Sheet, provider: Provider | None, warnings: Mapping[str, Sequence[Caution]]) -> bool:
    """Leave the server's section open unless a preset filled it in and nothing is to be said about it."""
    form = sheet.form
    places = ("name", "host", "port", "ssl", "encryption")
    preset = provider is not None and form.text("host").strip().lower() in provider.hosts
    noticed = any(form[name].errors or warnings.get(name) for name in places)
    return sheet.profile is not None or not preset or noticed


def _password_values(sheet: Sheet, provider: Provider | None, label: str) -> dict[str, Any]:
    profile = sheet.profile
    at = profile.password_changed_at if profile is not None else None
    typed = "password" in sheet.secrets
    saved = _("None is stored: it signs in without.")
    if profile is not None and profile.has_password:
        saved = _("Saved %(day)s", day=dates.day(at)) if at is not None else _("Saved")
    return {
        "password_label": label,
        "password_field": profile is None or typed or sheet.password_demanded,
        "password_demanded": sheet.password_demanded,
        "password_help": provider.password_hint if provider is not None else "",
        "password_kept": _("What you typed is kept for 15 minutes: leave this empty to use it.")
        if typed and sheet.form.text("draft")
        else "",
        "password_saved": saved,
        "blanks_asked": bool(sheet.form.keep_blanks.data) or _blank_ends(sheet.secrets.get("password")),
        "key_help": _key_help(profile),
        "endings": endings(profile, now=datetime.now(UTC)) if profile is not None else (),
    }


def _blank_ends(secret: Secret | None) -> bool:
    return secret is not None and secret.reveal() != secret.reveal().strip()


def _key_help(profile: ServerProfile | None) -> str:
    if profile is not None and profile.client_key is not None:
        until = valid_until(profile.client_certificate)
        if until is not None:
            return _(
                "A key is stored; its certificate is valid until %(day)s. Paste another one to replace it.",
                day=dates.day(until),
            )
        return _("A key is stored; it is never shown again. Paste another one to replace it.")
    return _("The private key of that certificate, from -----BEGIN PRIVATE KEY----- on. It is never shown again.")


def _username_help(provider: Provider | None) -> str:
    return provider.username_hint if provider is not None else _("Usually the full mail address.")


def _chooser(form: ServerForm, profile: ServerProfile | None) -> dict[str, Any]:
    popular, groups = presets.popular(), list(presets.groups())
    chosen = form.text("provider")
    return {
        "popular": popular,
        "groups": groups,
        "number": len(popular) - 1 + sum(len(group.choices) for group in groups),
        "chosen": presets.chosen_name(form),
        "open": profile is None and not chosen and not form.faulty,
        "all_open": bool(chosen) and chosen not in {choice.id for choice in popular},
    }


def _cautions(sheet: Sheet) -> dict[str, list[Caution]]:
    """Return the warnings by the field of the page, also while other fields are still empty or wrong."""
    found: dict[str, list[Caution]] = {name: [] for name in LABELS}
    for warning in _warnings(sheet):
        found.setdefault(place_of(warning.field), []).append(_caution(warning))
    return found


def _warnings(sheet: Sheet) -> Sequence[FieldWarning]:
    fields = sheet.fields()
    if not str(fields["host"]).strip():
        return ()
    rules = field_rules()
    missing = {name for name, text in _PLACEHOLDERS.items() if not fields.get(name)}
    fields.update({name: _PLACEHOLDERS[name] for name in missing})
    for _attempt in range(3):
        try:
            found = clean(fields, base=None, rules=rules).warnings
        except InvalidServer as error:
            missing |= set(error.fields)
            for name in error.fields:
                fields.pop(name, None)
            fields.update({name: text for name, text in _PLACEHOLDERS.items() if name in missing})
        else:
            return [warning for warning in found if warning.field not in missing]
    return ()


def _caution(warning: FieldWarning) -> Caution:
    return Caution(warning.text, *proposal(warning.correction))


def fingerprint(warnings: Sequence[FieldWarning]) -> str:
    """Name a set of warnings, so that "save anyway" means these and no others."""
    return sha256("\n".join(warning.text for warning in warnings).encode()).hexdigest()[:16]
