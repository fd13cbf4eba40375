"""What the extension keeps shows no secret, and what holds one cannot be carried away (L06)."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask_mail import Message

from flask_smtpservers.errors import AuthenticationFailed

from .. import canary
from ..apps import Host, server_fields
from ..peers.mailbox import PASSWORD, Mailbox

#: Whatever makes a text of an object, or takes it elsewhere.
WAYS_OUT: dict[str, Callable[[Any], Any]] = {
    "repr": repr,
    "str": str,
    "format": "{}".format,
    "vars": vars,
    "asdict": dataclasses.asdict,
    "json": json.dumps,
    "pickle": pickle.dumps,
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


@pytest.fixture
def objects(host: Host, mailbox: Mailbox) -> Iterator[dict[str, Any]]:
    """What there is after a mail was sent and another login was refused."""
    with host.app.app_context():
        profile = host.smtp.add_server(**server_fields(mailbox))
        delivery = host.smtp.send(Message("Hello", recipients=["ann@example.test"], body="Hello"))
        (loan,) = host.state.pool._resting
        host.smtp.add_server(**server_fields(mailbox, name="Wrong", password=f"{PASSWORD} wrong"))
        with pytest.raises(AuthenticationFailed) as caught:
            host.smtp.send(Message("Hello", recipients=["ann@example.test"], body="Hello"), using="Wrong")
        yield {
            "state": host.state,
            "settings": host.state.settings,
            "keyring": host.state.keyring,
            "store": host.state.store,
            "pool": host.state.pool,
            "session": loan.session,
            "endpoint": loan.session.endpoint,
            "profile": profile,
            "secret": host.state.store.password_of(profile),
            "delivery": delivery,
            "error": caught.value,
        }


@pytest.mark.parametrize("way_out", WAYS_OUT)
def test_nothing_shows_a_secret(objects: dict[str, Any], way_out: str, host: Host) -> None:
    """However an object is turned into text, or carried away, no password and no key comes along."""
    for name, kept in objects.items():
        try:
            out = WAYS_OUT[way_out](kept)
        except Exception:  # noqa: BLE001 - it does not let itself be carried away
            continue
        text = out.decode("latin-1") if isinstance(out, bytes) else repr(out)
        assert (name, canary.leaks(text)) == (name, [])
        assert host.app.config["SECRET_KEY"] not in text, name


@pytest.mark.parametrize("carry", [pickle.dumps, copy.deepcopy])
def test_what_holds_a_secret_stays(objects: dict[str, Any], carry: Callable[[Any], Any]) -> None:
    """Whatever has a secret in it refuses to be pickled or copied; results and errors do not."""
    for name in ("state", "settings", "keyring", "store", "session", "endpoint", "secret"):
        with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
            carry(objects[name])
    for name in ("profile", "delivery", "error"):
        carry(objects[name])
