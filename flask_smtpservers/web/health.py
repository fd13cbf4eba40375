"""How the servers are doing, for monitors: from what is stored, without asking any server."""

from __future__ import annotations

from datetime import datetime
from hmac import compare_digest
from typing import Any

from flask import Response, jsonify, request
from flask.typing import ResponseReturnValue

from ..errors import StoreUnavailable
from ..permissions import Action
from ..sending.health import watched_servers
from ..servers.profile import ServerProfile
from ..state import state_of
from .access import allowed, allowed_quietly, refusal

#: The words of a part; the whole is as bad as its worst part. ``unknown`` and ``off`` are no failures.
OK, FAILING, UNKNOWN, OFF = "ok", "failing", "unknown", "off"


def health() -> ResponseReturnValue:
    """Answer 200 if nothing is known to fail, else 503; either way with the parts as JSON.

    Monitors show ``SMTPSERVERS_HEALTH_TOKEN``, people need the permission.
    """
    if not _shows_token():
        if state_of().settings.health_token:
            if not allowed_quietly(Action.VIEW_HEALTH):
                return _unauthorized()
        elif not allowed(Action.VIEW_HEALTH):
            return refusal()
    checks = _checks()
    failing = any(part["status"] == FAILING for part in checks.values())
    response = jsonify(status=FAILING if failing else OK, checks=checks)
    response.status_code = 503 if failing else 200
    return response


def _shows_token() -> bool:
    token = state_of().settings.health_token
    scheme, _blank, shown = request.headers.get("Authorization", "").partition(" ")
    if not token or scheme.lower() != "bearer":
        return False
    return compare_digest(shown.strip().encode("utf-8", "surrogatepass"), token.reveal().encode())


def _unauthorized() -> Response:
    response = jsonify(error="unauthorized")
    response.status_code = 401
    response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _checks() -> dict[str, dict[str, Any]]:
    store = state_of().store
    try:
        servers = watched_servers(state_of())
        sending = store.sending_enabled()
    except StoreUnavailable:
        return {"database": {"status": FAILING}}
    parts = [_part(server) for server in servers]
    failing = any(part["status"] == FAILING for part in parts)
    return {
        "database": {"status": OK},
        "sending": {"status": OK if sending else OFF},
        "servers": {"status": FAILING if failing else OK, "servers": parts},
    }


def _part(server: ServerProfile) -> dict[str, Any]:
    status = UNKNOWN if server.test_passed is None else OK if server.test_passed else FAILING
    return {
        "id": server.public_id,
        "name": server.name,
        "tenant": server.tenant or None,
        "status": status,
        "title": server.test_title,
        "tested_at": _stamp(server.tested_at),
        "failing_since": _stamp(server.failing_since),
        "arrived_at": _stamp(server.arrived_at),
    }


def _stamp(moment: datetime | None) -> str | None:
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")
