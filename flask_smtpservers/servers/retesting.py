"""What a change makes worthless: the last test, the day on which the certificate ends, the proof of the address."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from .mailboxes import address_key
from .profile import DESTINATION_FIELDS, ServerProfile

#: A change of any of these makes the last test say nothing any more.
_TESTED = frozenset({*DESTINATION_FIELDS, "password", "client_certificate", "client_key", "address"})
#: A change of any of these leads to another certificate.
_CERTIFICATE = frozenset({"host", "port", "security", "certificate_fingerprint"})


def needing_test(
    before: ServerProfile, after: ServerProfile, changed: Iterable[str], *, now: datetime
) -> ServerProfile:
    """Return ``after`` without what was only known of ``before``.

    :param changed: the names of the fields that differ.
    :param now: when it was changed.
    """
    names = set(changed)
    if not _TESTED.isdisjoint(names):
        due = before.retest_since or (now if before.tested_at else None)
        untested: dict[str, Any] = {"tested_at": None, "test_passed": None, "test_title": "", "tested_by": ""}
        after = replace(after, **untested, arrived_at=None, retest_since=due)
    if not _CERTIFICATE.isdisjoint(names):
        after = replace(after, certificate_expires_at=None)
    if address_key(after.address) != address_key(before.address):
        after = replace(after, address_verified_at=None)
    return after
