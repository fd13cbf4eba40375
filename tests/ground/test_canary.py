"""The watch that looks for leaks after every test does see them."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Iterator

import pytest
from flask import Flask, Response

from flask_smtpservers.errors import AuthenticationFailed
from flask_smtpservers.findings import Stage

from .. import canary
from ..peers.mailbox import PASSWORD, USERNAME


def _logged() -> None:
    logging.getLogger("flask_smtpservers").debug("signing in with %s", PASSWORD)


def _served() -> None:
    app = Flask("leaky")
    app.add_url_rule("/", view_func=lambda: f"<input value='{PASSWORD}'>")
    app.test_client().get("/")


def _streamed() -> None:
    def pieces() -> Iterator[str]:
        yield "AUTH PLAIN "
        yield base64.b64encode(f"\0{USERNAME}\0{PASSWORD}".encode()).decode()

    app = Flask("leaky")
    app.add_url_rule("/", view_func=lambda: Response(pieces()))
    app.test_client().get("/").get_data()


def _raised() -> None:
    AuthenticationFailed(f"refused {PASSWORD}", stage=Stage.AUTH)


class Holder:
    """Shows nothing of itself, but lets itself be carried away."""

    def __init__(self, held: str) -> None:
        self.held = held

    def __repr__(self) -> str:
        return "Holder(***)"


def _carried() -> None:
    canary.look_at(Holder(PASSWORD))


def _shown() -> None:
    canary.look_at([PASSWORD.encode().hex()])


def _raised_with_more() -> None:
    AuthenticationFailed("refused", stage=Stage.AUTH).add_note(PASSWORD)


@pytest.mark.parametrize("leak", [_logged, _served, _streamed, _raised, _carried, _shown, _raised_with_more])
def test_a_leak_is_seen(leak: Callable[[], None], request: pytest.FixtureRequest) -> None:
    """Each way out is watched; afterwards the finding is taken back, so that this test itself passes."""
    watch = request.node.stash[canary._KEY]
    leak()
    watch.look_through_errors()
    assert watch.found
    watch.found.clear()


@pytest.mark.parametrize("form", canary.FORMS)
def test_every_form_is_known(form: str) -> None:
    assert canary.leaks(f"... {canary.FORMS[form]} ...") != []
    assert canary.leaks("nothing to see") == []
