"""What one press of a button can change in the settings to mend a failure."""

from __future__ import annotations

from collections.abc import Mapping

from ..findings import Diagnosis
from ..providers.provider import UsernameRule
from ..smtp.endpoint import Security
from .context import Alternative, Context

#: The encryption that a fix calls for.
_MODES = {"choose_ssl_tls": Security.SSL, "choose_starttls": Security.STARTTLS}
#: What another way into the same server mends.
_OTHER_WAY = frozenset(["turn_off_starttls", "use_provider_port", "use_unblocked_port", "stop_interception"])
#: What another name of the server mends.
_OTHER_NAME = frozenset(["check_host_spelling", "use_right_endpoint", "use_certificate_hostname"])

#: Rules by which the user name is a mail address.
_ADDRESS_RULES = (UsernameRule.EMAIL, UsernameRule.SENDER_ADDRESS)


def correction(diagnosis: Diagnosis, context: Context) -> Mapping[str, str | int]:
    """Return the fields to change and their new values; empty if only a person can mend it.

    A port or an encryption is proposed only if it was tried and works (:attr:`.context.Context.works`). Encryption is
    never switched off, and of a password at most the blanks at its ends are taken off.

    :param diagnosis: what :func:`~flask_smtpservers.diagnosis.rules.diagnose` said.
    :param context: the settings that failed, and what was found out since.
    """
    owner = context.known_provider
    match diagnosis.fix:
        case "choose_ssl_tls" | "choose_starttls":
            return _change(context, _in_mode(context, _MODES[diagnosis.fix]))
        case fix if fix in _OTHER_WAY:
            return _change(context, next(iter(_same_host(context)), None))
        case fix if fix in _OTHER_NAME:
            return _other_name(diagnosis, context)
        case "fix_username" if owner is not None and owner.username is UsernameRule.LITERAL:
            return {"username": owner.username_value}
        case "fix_username" if owner is None or owner.username in _ADDRESS_RULES:
            return _address_as_username(context)
        case "retype_credentials" if context.password is not None and context.password.blanks:
            return {"keep_password_blanks": 0}
        case "retype_credentials" if owner is None and context.full_username:
            return {"username": context.full_username}
        case "use_own_sender_address" if "@" in (context.username or ""):
            return {"address": context.username or ""}
        case _:
            return {}


def _address_as_username(context: Context) -> Mapping[str, str | int]:
    """Propose the sending address where something else than an address is the user name."""
    bare = bool(context.username) and "@" not in (context.username or "")
    return {"username": context.sender} if bare and "@" in context.sender else {}


def _same_host(context: Context) -> list[Alternative]:
    return [way for way in context.works if way.host == context.host]


def _in_mode(context: Context, security: Security) -> Alternative | None:
    """Choose the wanted encryption at the port that is set, else any way that works."""
    ways = _same_host(context)
    fitting = (way for way in ways if (way.port, way.security) == (context.port, security))
    return next(fitting, next(iter(ways), None))


def _other_name(diagnosis: Diagnosis, context: Context) -> Mapping[str, str | int]:
    """Choose a server of another name that works, else another way into this one, else at least a better name."""
    for way in context.works:
        if way.host != context.host:
            return _change(context, way)
    if diagnosis.fix == "use_certificate_hostname":
        return {}
    host = context.catalog.suggest_host(context.host)
    return {"host": host} if host else _change(context, next(iter(_same_host(context)), None))


def _change(context: Context, way: Alternative | None) -> Mapping[str, str | int]:
    """Give the fields in which a way differs from the settings."""
    if way is None:
        return {}
    new: dict[str, str | int] = {"host": way.host, "port": way.port, "security": way.security.value}
    old = {"host": context.host, "port": context.port, "security": context.security}
    return {name: value for name, value in new.items() if value != old[name]}
