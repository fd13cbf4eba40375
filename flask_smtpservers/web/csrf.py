"""Protection against forged requests, with Flask-WTF's token and without its switch.

``WTF_CSRF_ENABLED = False`` in the host does not open our pages, and the host's ``CSRFProtect`` accepts our token.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import request
from flask_wtf import FlaskForm
from flask_wtf.csrf import generate_csrf, validate_csrf
from werkzeug.exceptions import BadRequest

from ..i18n import gettext as _


class ForgedRequest(BadRequest):
    """A change was asked for without a valid token, or from another site; nothing was done."""


def token() -> str:
    """Return the token for the forms of this page."""
    return str(generate_csrf())


def field_name() -> str:
    """Return the name of the hidden field, as the host's ``CSRFProtect`` expects it."""
    return str(FlaskForm.Meta().csrf_field_name)


def check(external_url: str | None = None) -> None:
    """Check the token and the origin of this request.

    :param external_url: the app's public URL if it differs from what the proxy passes on.
    :raises ForgedRequest: one of them is wrong.
    """
    if not _same_site(external_url):
        raise ForgedRequest(_("The request came from another web site."))
    try:
        validate_csrf(request.form.get(field_name()))
    except ValueError as error:  # WTForms' ValidationError is one
        raise ForgedRequest(_("The page was open for too long, or you signed in again since.")) from error


def _same_site(external_url: str | None) -> bool:
    """Whether the browser says that the request comes from our own pages, or says nothing of it."""
    if request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site"):
        return False
    origin = _origin()
    return not origin or _is_ours(origin, external_url)


def proved_ours(external_url: str | None) -> bool:
    """Whether the browser says that the request comes from our own pages; saying nothing is not enough."""
    origin = _origin()
    if origin and not _is_ours(origin, external_url):
        return False
    site = request.headers.get("Sec-Fetch-Site")
    return site == "same-origin" or (site is None and bool(origin))


def _origin() -> str:
    origin = request.headers.get("Origin")
    return (request.headers.get("Referer") if origin in (None, "null") else origin) or ""


def _is_ours(origin: str, external_url: str | None) -> bool:
    ours = {request.host.lower()}
    if external_url:
        ours.add(urlsplit(external_url).netloc.lower())
    return urlsplit(origin).netloc.lower() in ours
