"""A Secret gives itself out in one way only."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable

import pytest

from flask_smtpservers.secret import Secret

CANARY = "CANARY-pässword"


@pytest.mark.parametrize(
    "show", [repr, str, "{}".format, lambda s: f"{s:>40}", lambda s: f"{s!s} {s!r}", lambda s: repr([s])]
)
def test_it_is_never_shown(show: Callable[[Secret], str]) -> None:
    """No way of making a text of it gives the secret."""
    assert "CANARY" not in show(Secret(CANARY))


@pytest.mark.parametrize("carry", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps])
def test_it_is_never_carried_away(carry: Callable[[Secret], object]) -> None:
    """Pickling, copying and JSON refuse."""
    with pytest.raises(TypeError):
        carry(Secret(CANARY))


def test_it_has_no_dict_to_look_into() -> None:
    with pytest.raises(TypeError):
        vars(Secret(CANARY))


def test_it_compares_and_reveals() -> None:
    assert Secret(CANARY).reveal() == CANARY
    assert Secret(CANARY) == Secret(CANARY)
    assert Secret(CANARY) != Secret("other")
    assert Secret("") != ""
    assert not Secret("")
    assert len({Secret(CANARY), Secret(CANARY)}) == 1
