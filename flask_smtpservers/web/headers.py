"""Headers that every page of ours carries."""

from __future__ import annotations

from flask import Response, request

from ..state import state_of
from . import assets

#: Nothing inline, nothing from elsewhere, no frame around us. Sent with our own base template only:
#: inside a host's page the policy is the host's.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def secure(response: Response) -> Response:
    """Forbid storing, framing and sniffing; a static file is kept as long as its address does not change."""
    response.headers["X-Content-Type-Options"] = "nosniff"
    if request.endpoint and request.endpoint.endswith(".static"):
        if request.args.get("v") == assets.version():
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["X-Frame-Options"] = "DENY"
    if state_of().settings.base_template is None:
        response.headers["Content-Security-Policy"] = POLICY
    return response
