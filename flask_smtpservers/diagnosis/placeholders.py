"""A value for every placeholder of the sentences in :mod:`.causes`."""

from __future__ import annotations

from collections.abc import Mapping

from ..i18n import gettext as _
from ..smtp.endpoint import Security
from .causes import Noun
from .context import Context

_SHORT = {Security.SSL: "SSL", Security.STARTTLS: "STARTTLS"}


def words_for(context: Context) -> Mapping[str, object]:
    """Give every placeholder a value: what is known, else a fitting noun; empty where a sentence is better left out."""
    owner, named = context.known_provider, context.known_provider or context.inbound_provider
    way = other_way(context)
    return {
        "host": context.host or Noun(_("the server")),
        "port": context.port or Noun(_("of the settings")),
        "username": context.username or Noun(_("the user name")),
        "sender": context.sender or Noun(_("the sending address")),
        "recipient": context.recipient or Noun(_("the recipient")),
        "provider": named.name if named else Noun(_("your provider")),
        "ip": ", ".join(context.outbound_ips),
        "trusted": _("the trusted one"),
        "found": _("another one"),
        "names": ", ".join(context.certificate_names[:3]),
        "other_host": next((host for host in named.hosts if host != context.host), "") if named else "",
        "other_port": way[0] if way else "",
        "other_security": _SHORT[way[1]] if way else "",
        "ssl_port": next(iter(other_ports(context, Security.SSL)), 465),
        "username_hint": owner.username_hint if owner else "",
        "password_word": owner.password_label if owner else _("Password"),
        "method": _("another method"),
        "methods": _("other methods"),
        "field": _("A field"),
        "reason": _("This app must not connect to the address or use the port that is set."),
    }


def other_way(context: Context) -> tuple[int, Security] | None:
    """Choose another port of the same server, always an encrypted one, to try when this one does not answer.

    One that was tried and works comes before those that are documented.
    """
    for way in context.works:
        if way.host == context.host and way.port != context.port:
            return way.port, way.security
    for security in (Security.STARTTLS, Security.SSL):
        for port in other_ports(context, security):
            return port, security
    if context.known_provider is None and context.port not in (None, 587):
        return 587, Security.STARTTLS
    return None


def other_ports(context: Context, security: Security) -> list[int]:
    """Return the ports with this encryption that work, else the provider's documented ones, without the one set."""
    works = [way.port for way in context.works if way.host == context.host and way.security is security]
    owner = context.known_provider
    if owner is None or works:
        return [port for port in works if port != context.port]
    ports = owner.ports_for(security, context.host) or owner.ports_for(security)
    return [port for port in ports if port != context.port]
