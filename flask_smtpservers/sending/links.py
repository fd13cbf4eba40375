"""Links that stand in mails: the app's own address, and a token that only this app can have made."""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit

from flask import current_app, url_for
from itsdangerous import BadData, SignatureExpired, URLSafeTimedSerializer

from ..config import Settings

#: A longer token was not made here.
_TOKEN_LENGTH = 400


class LinkExpired(Exception):
    """A link is ours but too old."""


def signed_link(settings: Settings, endpoint: str, ticket: str, *, salt: str, certain: bool = False) -> str:
    """Make a link whose token carries ``ticket``; empty if the app does not know its own address here.

    :param salt: what the link is for: a token of another kind of link is none of these.
    :param certain: make none to a host that only the request names: whoever made the request could lead its reader,
        and the token, to a host of his own.
    """
    if certain and not knows_own_host(settings):
        return ""
    token = str(_serializer(settings, salt).dumps(ticket))
    if settings.external_url:
        parts = urlsplit(settings.external_url)
        adapter = current_app.url_map.bind(parts.netloc, parts.path or "/", url_scheme=parts.scheme)
        return adapter.build(endpoint, {"token": token}, force_external=True)
    try:
        return url_for(endpoint, token=token, _external=True)
    except RuntimeError:  # outside of a request, and without SERVER_NAME
        return ""


def knows_own_host(settings: Settings) -> bool:
    """Whether the app's configuration says at which host it is, so that no request can claim another one."""
    named = settings.server_name and not current_app.url_map.host_matching  # there, Flask takes the request's host
    return bool(settings.external_url or named or settings.trusted_hosts)


def ticket_of(settings: Settings, token: str, *, salt: str, seconds: float) -> str | None:
    """Return what a token carries; None if this app did not make it.

    :param seconds: how long it can be used.
    :raises LinkExpired: it is older.
    """
    if len(token) > _TOKEN_LENGTH:
        return None
    try:
        return str(_serializer(settings, salt).loads(token, max_age=int(seconds)))
    except SignatureExpired:
        raise LinkExpired from None
    except BadData:
        return None


def _serializer(settings: Settings, salt: str) -> URLSafeTimedSerializer:
    """Sign with the app's key; one that was changed still reads for a while (``SECRET_KEY_FALLBACKS``)."""
    keys = [key.reveal() for key in reversed(settings.secret_keys)]
    how = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    return URLSafeTimedSerializer(keys, salt=salt, signer_kwargs=how)
