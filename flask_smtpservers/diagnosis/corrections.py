"""What one press of a button can change in the settings to mend a failure."""

from __future__ import annotations

from collections.abc import Mapping

from ..findings import Diagnosis
from ..providers.catalog import suggest_host
from ..providers.provider import UsernameRule
from ..smtp.endpoint import Security
from .context import Context
from .placeholders import other_ports, other_way


def correction(diagnosis: Diagnosis, context: Context) -> Mapping[str, str | int]:
    """Return the fields to change and their new values; empty if only a person can mend it.

    Encryption is never switched off, and no password is ever touched.

    :param diagnosis: what :func:`~flask_smtpservers.diagnosis.rules.diagnose` said.
    :param context: the settings that failed.
    """
    owner = context.known_provider
    match diagnosis.fix:
        case "choose_ssl_tls":
            return {"security": str(Security.SSL)}
        case "choose_starttls":
            return {"security": str(Security.STARTTLS)}
        case "turn_off_starttls" if context.is_public_service:
            ports = other_ports(context, Security.SSL)
            return _other_port((ports[0], Security.SSL) if ports else None)
        case "use_provider_port" | "use_unblocked_port":
            return _other_port(other_way(context))
        case "check_host_spelling" | "use_right_endpoint":
            host = suggest_host(context.host)
            return {"host": host} if host else {}
        case "fix_username" if owner is not None and owner.username is UsernameRule.LITERAL:
            return {"username": owner.username_value}
        case "use_own_sender_address" if "@" in (context.username or ""):
            return {"address": context.username or ""}
        case _:
            return {}


def _other_port(way: tuple[int, Security] | None) -> Mapping[str, str | int]:
    return {"port": way[0], "security": str(way[1])} if way else {}
