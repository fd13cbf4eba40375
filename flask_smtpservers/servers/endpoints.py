"""From a stored server to the endpoint that a session connects to."""

from __future__ import annotations

from ..config import Settings
from ..secret import Secret
from ..smtp.endpoint import Endpoint
from .profile import ServerProfile


def endpoint_from(
    profile: ServerProfile, settings: Settings, *, password: Secret | None, client_key: Secret | None
) -> Endpoint:
    """Put a server, its opened secrets and the operator's settings together."""
    return Endpoint(
        name=profile.name,
        host=profile.host,
        port=profile.port,
        security=profile.security,
        username=profile.username,
        password=password,
        mechanism=profile.auth_mechanism,
        timeout_seconds=profile.timeout_seconds,
        pipelining=profile.pipelining,
        ca_certificate=profile.ca_certificate or None,
        certificate_fingerprint=profile.certificate_fingerprint,
        ca_file=settings.ca_file,
        client_certificate=profile.client_certificate or None,
        client_key=client_key,
        plaintext_auth=settings.allow_plaintext_auth,
        ehlo_name=settings.ehlo_name or "",
    )
