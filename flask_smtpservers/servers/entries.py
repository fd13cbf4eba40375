"""A server as somebody wrote it down: by its fields, as a URL, or with Flask-Mail's own names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from ..errors import InvalidServer
from ..i18n import gettext as _
from ..secret import Secret
from .mailboxes import format_mailbox

#: What stands for our fields in a Flask-Mail app.
_FLASK_MAIL = {
    "MAIL_SERVER": "host",
    "MAIL_PORT": "port",
    "MAIL_USE_SSL": "use_ssl",
    "MAIL_USE_TLS": "use_tls",
    "MAIL_USERNAME": "username",
    "MAIL_PASSWORD": "password",
    "MAIL_DEFAULT_SENDER": "address",
}
#: Switches of Flask-Mail that say nothing of a server.
_NO_FIELDS = frozenset(
    {"MAIL_DEBUG", "MAIL_MAX_EMAILS", "MAIL_SUPPRESS_SEND", "MAIL_ASCII_ATTACHMENTS", "MAIL_BACKEND", "MAIL_TIMEOUT"}
)
_SECRETS = ("password", "client_key")


def is_flask_mail(names: Mapping[str, Any]) -> bool:
    """Say whether a mapping describes a server with Flask-Mail's own names."""
    return not _FLASK_MAIL.keys().isdisjoint(names)


def entry_fields(entry: object) -> dict[str, Any]:
    """Make the fields of a server, as :func:`~.fields.clean` takes them, of what was written down.

    :param entry: a mapping of fields, which may hold a ``url`` or names such as ``MAIL_SERVER``; or a URL
        ``smtps://user@host:465?name=Shop``, also as a Secret, for it may hold a password.
    :raises InvalidServer: it is neither, or says something twice.
    """
    if isinstance(entry, (str, Secret)):
        fields = _of_url(entry)
    elif isinstance(entry, Mapping):
        fields = _of_mapping(entry)
    else:
        raise InvalidServer({"url": [_("A server is a table of fields, or a URL such as smtps://user@host:465.")]})
    for name in _SECRETS:
        if isinstance(fields.get(name), str):
            fields[name] = Secret(fields[name])
    return fields


def _of_mapping(entry: Mapping[Any, Any]) -> dict[str, Any]:
    own = {str(name): value for name, value in entry.items() if name != "url" and not str(name).startswith("MAIL_")}
    others: dict[str, Any] = {}
    if "url" in entry:
        if not isinstance(entry["url"], (str, Secret)):
            raise InvalidServer({"url": [_("This must be a text.")]})
        others |= _of_url(entry["url"])
    others |= _of_flask_mail({str(name): value for name, value in entry.items() if str(name).startswith("MAIL_")})
    twice = others.keys() & own.keys()
    if twice:
        raise InvalidServer({name: [_("This is given twice.")] for name in sorted(twice)})
    return {**others, **own}


def _of_flask_mail(entry: Mapping[str, Any]) -> dict[str, Any]:
    if not entry:
        return {}
    unknown = [name for name in entry if name not in _FLASK_MAIL and name not in _NO_FIELDS]
    if unknown:
        raise InvalidServer({name: [_("A server has no such field.")] for name in unknown})
    fields = {field: entry[name] for name, field in _FLASK_MAIL.items() if entry.get(name) is not None}
    # There neither switch means no encryption.
    fields = {"use_ssl": False, "use_tls": False, **fields}
    sender = fields.get("address")
    if isinstance(sender, (list, tuple)) and len(sender) == 2:
        fields["address"] = format_mailbox(str(sender[0] or ""), str(sender[1]))
    return fields


def _of_url(given: str | Secret) -> dict[str, Any]:
    text = given.reveal() if isinstance(given, Secret) else given
    place, _question, query = text.partition("?")
    if "://" not in place:
        raise InvalidServer({"url": [_("Write a URL such as smtps://user@smtp.example.com:465.")]})
    fields: dict[str, Any] = dict(parse_qsl(query, keep_blank_values=True))
    if "host" in fields:
        raise InvalidServer({"host": [_("This is given twice.")]})
    return {"host": place, **fields}
