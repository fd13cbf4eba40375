"""The plain-words cause of a failed send, found only when there is one."""

from __future__ import annotations

from dataclasses import replace

from ..errors import SendError
from ..findings import Diagnosis
from ..providers.catalog import Catalog
from ..smtp.endpoint import Endpoint
from ..smtp.session import Session


def diagnose_failure(
    error: SendError,
    endpoint: Endpoint,
    session: Session | None,
    *,
    catalog: Catalog,
    sender: str = "",
    recipient: str = "",
    provider_id: str = "",
    outbound_ips: tuple[str, ...] = (),
    from_environment: bool = False,
) -> Diagnosis:
    """Find the cause of a failed send.

    :param session: the session in which it failed; None if it did not come to that.
    :param catalog: the providers that the app knows.
    :param recipient: the recipient, if there was one only.
    :param provider_id: the preset that the server was made from, or empty.
    :param from_environment: whether the password is an ``env:`` reference.
    """
    # The rules and the providers' data are large, and most processes never need them.
    from ..diagnosis.context import context_of
    from ..diagnosis.rules import diagnose

    context = context_of(
        endpoint,
        sender=sender,
        recipient=recipient,
        provider=catalog.provider(provider_id) if provider_id else None,
        catalog=catalog,
        outbound_ips=outbound_ips,
        from_environment=from_environment,
    )
    if session is not None:
        context = replace(
            context,
            features=frozenset(session.features) or None,
            greeting=session.greeting.excerpt if session.greeting is not None else "",
            certificate_names=session.tls.subject_names if session.tls is not None else (),
        )
    return diagnose(error, context)
