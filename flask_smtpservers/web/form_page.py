"""The page of a server's form: everything that ``_form.html`` shows, chosen and worded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import Response, abort, url_for

from ..errors import InvalidServer
from ..i18n import gettext as _
from ..providers import catalog
from ..providers.provider import Provider, UsernameRule
from ..secret import Secret
from ..servers.fields import FieldRules, FieldWarning, clean
from ..servers.profile import ServerProfile
from ..smtp.endpoint import Security
from ..state import state_of
from . import dates, presenting, presets
from .access import person
from .forms import LABELS, ServerForm, labels, place_of, whole
from .rendering import page
from .sheet import Sheet

#: What a correction may change.
CORRECTABLE = ("host", "port", "security", "username")

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
        "profile": profile,
        "labels": {**labels(), "smtp_secret": label},
        "notices": sheet.notices,
        "conflict": sheet.conflict,
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
        "policies": presenting.policies(),
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
            "test": url_for("smtpservers.test_unsaved"),
            "password": url_for("smtpservers.change_password", server_id=profile.public_id) if profile else "",
        },
        **_password_values(sheet, provider, label),
    }


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
    }


def _blank_ends(secret: Secret | None) -> bool:
    return secret is not None and secret.reveal() != secret.reveal().strip()


def _key_help(profile: ServerProfile | None) -> str:
    if profile is not None and profile.client_key is not None:
        until = presenting.valid_until(profile.client_certificate)
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
    popular = presets.popular()
    chosen = form.text("provider")
    return {
        "popular": popular,
        "groups": list(presets.groups()),
        "number": len(catalog.catalog()) - 1,
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
    rules = FieldRules.of(state_of().settings)
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


def proposal(correction: Mapping[str, Any]) -> tuple[str, str]:
    """Return the value and the words of the button that applies a correction; both empty if there is none."""
    fix = urlencode({name: str(value) for name, value in correction.items() if name in CORRECTABLE})
    return fix, _button(correction) if fix else ""


def _button(correction: Mapping[str, Any]) -> str:
    """Name the button of a correction after what it does."""
    port, security = correction.get("port"), correction.get("security")
    if port and security:
        return _("Use port %(port)s with %(encryption)s", port=port, encryption=encryption_words(security))
    if port:
        return _("Use port %(port)s", port=port)
    if security:
        return _("Use %(encryption)s", encryption=encryption_words(security))
    value = correction.get("host") or correction.get("username") or ""
    return _("Use %(value)s", value=value)


def encryption_words(security: str) -> str:
    """Name an encryption as people know it."""
    return {"ssl": _("SSL"), "starttls": _("STARTTLS")}.get(str(security), _("no encryption"))


def fingerprint(warnings: Sequence[FieldWarning]) -> str:
    """Name a set of warnings, so that "save anyway" means these and no others."""
    return sha256("\n".join(warning.text for warning in warnings).encode()).hexdigest()[:16]


def correction_of(text: str) -> dict[str, str]:
    """Read the value of a correction's button.

    :raises HTTPException: 400, it is not one of ours.
    """
    try:
        found = {name: value for name, value in parse_qsl(text, max_num_fields=8) if name in CORRECTABLE}
    except ValueError:
        abort(400)
    port = whole(found.get("port", "1"), 5)
    if not found or port is None or found.get("security", "ssl") not in list(Security):
        abort(400)
    return found
