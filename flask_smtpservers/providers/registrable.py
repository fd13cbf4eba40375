"""The part of a host name that somebody registered, for eyes only: who a name belongs to stands at its end.

Without the Public Suffix List this is an approximation, so nothing may be decided by it.
"""

from __future__ import annotations

#: Second-level labels below which countries register names, such as ``co.uk``.
_SECOND = frozenset({"ac", "co", "com", "edu", "go", "gob", "gov", "gv", "ltd", "ne", "net", "or", "org", "plc"})


def registered_part(host: str) -> tuple[str, str]:
    """Split a host name into what its owner chose freely, with its dot, and the domain that was registered."""
    labels = host.split(".")
    country = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND
    kept = 3 if country else 2
    own = ".".join(labels[-kept:])
    return host.removesuffix(own), own
