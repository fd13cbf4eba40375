"""Servers that are drafts: kept, never used, until somebody activates them."""

from __future__ import annotations

from typing import Any

import pytest

from flask_smtpservers.errors import InvalidServer

from .conftest import FIELDS, Host


def state(host: Host, public_id: str) -> tuple[bool, bool, bool]:
    profile = host.store.get(public_id)
    return profile.draft, profile.enabled, profile.is_default


@pytest.mark.parametrize("given", [{"draft": True}, {"draft": "1", "enabled": "0"}, {"draft": True, "enabled": False}])
def test_a_draft_is_stored_and_not_used(host: Host, given: dict[str, Any]) -> None:
    draft = host.store.add({**FIELDS, **given}).profile
    assert state(host, draft.public_id) == (True, False, False)


def test_a_draft_cannot_be_enabled_or_the_default_at_once(host: Host) -> None:
    for given, field in (({"enabled": True}, "draft"), ({"is_default": True}, "is_default")):
        with pytest.raises(InvalidServer) as caught:
            host.store.add({**FIELDS, "draft": True, **given})
        assert set(caught.value.fields) == {field}


def test_enabling_ends_the_draft_and_pausing_brings_none_back(host: Host) -> None:
    """The only server becomes the default, as the first one that is added does."""
    draft = host.store.add({**FIELDS, "draft": True}).profile
    host.store.set_enabled(draft.public_id, True, actor="ann")
    assert state(host, draft.public_id) == (False, True, True)
    (event, *_) = host.store.events(draft.public_id)
    assert (event.action, set(event.fields)) == ("enabled", {"enabled", "draft", "is_default"})
    host.store.set_enabled(draft.public_id, False)
    assert state(host, draft.public_id) == (False, False, True)


def test_activating_a_draft_beside_others_leaves_the_default_alone(host: Host) -> None:
    first = host.store.add(FIELDS).profile
    draft = host.store.add({**FIELDS, "name": "Second", "draft": True}).profile
    host.store.set_enabled(draft.public_id, True)
    assert state(host, draft.public_id) == (False, True, False)
    assert state(host, first.public_id) == (False, True, True)


@pytest.mark.parametrize(
    ("change", "after"),
    [
        ({"name": "Other"}, (True, False)),
        ({"enabled": False}, (True, False)),
        ({"enabled": True}, (False, True)),
        ({"draft": False}, (False, False)),
    ],
)
def test_editing_a_draft(host: Host, change: dict[str, Any], after: tuple[bool, bool]) -> None:
    """It stays one until it is enabled, or is said to be none."""
    draft = host.store.add({**FIELDS, "draft": True}).profile
    host.store.edit(draft.public_id, change)
    assert state(host, draft.public_id)[:2] == after


def test_an_active_server_becomes_a_draft(host: Host) -> None:
    server = host.store.add(FIELDS).profile
    host.store.edit(server.public_id, {"draft": True}, actor="ann")
    assert state(host, server.public_id)[:2] == (True, False)
    assert host.store.events(server.public_id)[0].action == "paused"
