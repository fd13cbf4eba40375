"""Which addresses are known to belong to the person in front of a personal page."""

from __future__ import annotations

import logging

from ..errors import StoreUnavailable
from ..servers.mailboxes import address_key, check_address, split_mailbox
from ..state import state_of
from .access import own_address, scope_of_request

logger = logging.getLogger("flask_smtpservers")


def proved_addresses() -> list[str]:
    """Return the person's addresses, each once: those that he has proved, and those that the host vouches for.

    What a server proves that an administrator has suspended is left out.
    """
    scope = scope_of_request()
    servers = state_of().store.servers(scope=scope)
    found = [server.address for server in servers if server.address_verified_at is not None and not server.suspended]
    return list({address_key(one)[0]: one for one in reversed([*found, *_vouched_for(scope.owner or "")])}.values())[
        ::-1
    ]


def is_proved(address: str) -> bool:
    """Whether an address is one of them."""
    return address_key(address)[0] in {address_key(one)[0] for one in proved_addresses()}


def usual_recipient() -> str:
    """Return where the test message goes unless the person says otherwise: to himself."""
    if not scope_of_request().owner:
        return own_address()
    return next(iter(proved_addresses()), "")


def can_receive() -> bool:
    """Whether there is an address that the person may send a test message to."""
    try:
        return not scope_of_request().owner or bool(proved_addresses())
    except StoreUnavailable:  # the page that says so asks as well
        return False


def _vouched_for(owner: str) -> list[str]:
    """Ask the host; what is no address is left out, and an error vouches for none."""
    if not owner:
        return []
    try:
        given = state_of().verified_addresses(owner)
        items = [given] if isinstance(given, str) else list(given)
    except Exception:  # whatever goes wrong in the host's callback must prove nothing
        logger.exception("verified_addresses(...) failed, so none is taken as proved")
        return []
    found: list[str] = []
    for item in items:
        try:
            found.append(check_address(split_mailbox(item)[1]))
        except (ValueError, TypeError, AttributeError):
            logger.warning("verified_addresses(...) named something that is no mail address")
    return found
