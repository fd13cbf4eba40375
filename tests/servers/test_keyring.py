"""Keys, tokens, and what cannot be opened (security table K)."""

from __future__ import annotations

import base64
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_smtpservers.config import Settings
from flask_smtpservers.errors import ConfigurationError, SecretUnreadable
from flask_smtpservers.secret import Secret
from flask_smtpservers.servers.keyring import Keyring, generate_key

CONTEXT = ("id", "smtp.example.com", "587")
SECRET = Secret("s3cret-CANARY")


def keyring(*keys: str, secret_keys: tuple[str, ...] = ()) -> Keyring:
    return Keyring(
        Settings(encryption_keys=tuple(map(Secret, keys)), secret_keys=tuple(Secret(key) for key in secret_keys))
    )


def test_opens_what_it_sealed() -> None:
    """A secret comes back unchanged with the same context; two tokens of it differ."""
    ring = keyring(generate_key())
    token = ring.seal(SECRET, CONTEXT)
    assert ring.open(token, CONTEXT) == SECRET
    assert ring.seal(SECRET, CONTEXT) != token
    assert "CANARY" not in token
    assert ring.key_id(token) == ring.current_key_id


@given(st.text(), st.lists(st.text(), max_size=4))
def test_any_text_and_context_round_trips(text: str, context: list[str]) -> None:
    """Whatever the text and the context, the same context opens it and another does not."""
    ring = keyring("A" * 43 + "=")
    token = ring.seal(Secret(text), context)
    assert ring.open(token, context).reveal() == text
    with pytest.raises(SecretUnreadable):
        ring.open(token, [*context, ""])


@pytest.mark.parametrize(
    "other",
    [("id2", *CONTEXT[1:]), ("id", "smtp.example.org", "587"), ("id", "smtp.example.com", "25"), CONTEXT[:2]],
)
def test_another_context_does_not_open(other: tuple[str, ...]) -> None:
    """A token copied to another row, or whose destination was changed by SQL, cannot be decrypted (K03)."""
    ring = keyring(generate_key())
    with pytest.raises(SecretUnreadable, match="does not belong"):
        ring.open(ring.seal(SECRET, CONTEXT), other)


def test_context_cannot_be_shifted_between_its_parts() -> None:
    """The parts of a context are kept apart: ("ab", "c") is not ("a", "bc")."""
    ring = keyring(generate_key())
    with pytest.raises(SecretUnreadable):
        ring.open(ring.seal(SECRET, ("ab", "c")), ("a", "bc"))


def test_damaged_tokens_do_not_open() -> None:
    """Truncated, changed and foreign tokens are told from good ones (K03)."""
    ring = keyring(generate_key())
    token = ring.seal(SECRET, CONTEXT)
    flipped = token[:-5] + ("A" if token[-5] != "A" else "B") + token[-4:]
    for bad in ("", "x", token[:-4], flipped, token.replace("1.", "2.", 1), f"{token}\n", "1.0123456789abcdef.AAAA"):
        with pytest.raises(SecretUnreadable):
            ring.open(bad, CONTEXT)


def test_missing_key_is_named_by_its_id() -> None:
    """The error of a missing key names the key's id and what to do, and nothing secret."""
    key = generate_key()
    ring = keyring(key)
    with pytest.raises(SecretUnreadable) as caught:
        keyring(generate_key()).open(ring.seal(SECRET, CONTEXT), CONTEXT)
    assert ring.current_key_id in str(caught.value)
    assert "SMTPSERVERS_ENCRYPTION_KEYS" in str(caught.value)
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    "key",
    [
        "short",
        "",
        "x" * 44,
        base64.b64encode(b"k" * 31).decode(),
        base64.b64encode(b"k" * 33).decode(),
        base64.b64encode(b"k" * 32).decode()[:-1],
        base64.b64encode(b"k" * 32).decode() + "\n",
        "ключ",
    ],
)
def test_wrong_keys_are_refused_without_showing_them(key: str) -> None:
    """A key of the wrong form or length stops the app with the cure, not with the key (K01)."""
    with pytest.raises(ConfigurationError) as caught:
        keyring(generate_key(), key)
    text = str(caught.value)
    assert "Key 2 of SMTPSERVERS_ENCRYPTION_KEYS" in text
    assert "flask smtp keys generate" in text
    assert not key or key not in text


def test_same_key_twice_is_refused() -> None:
    """The same key twice is a mistake, also in the other base64 alphabet (K01)."""
    key = base64.b64encode(b"\xff" * 32).decode()
    with pytest.raises(ConfigurationError, match="twice"):
        keyring(key, key.replace("/", "_"))


def test_no_key_refuses_to_seal_but_starts() -> None:
    """Without any key the app starts, and sealing tells what to set (K01)."""
    ring = keyring()
    with pytest.raises(ConfigurationError, match="flask smtp keys generate"):
        ring.seal(SECRET, CONTEXT)


def test_both_alphabets_are_the_same_key() -> None:
    """Standard and URL-safe base64 of a key open each other's tokens."""
    key = base64.b64encode(b"\xfb" * 32).decode()
    token = keyring(key).seal(SECRET, CONTEXT)
    assert keyring(key.translate(str.maketrans("+/", "-_"))).open(token, CONTEXT) == SECRET


def test_keys_are_added_rotated_and_removed() -> None:
    """Old, both and new keys: the secret is readable at each step (K02), and rotating twice does no harm (K04)."""
    old, new = generate_key(), generate_key()
    token = keyring(old).seal(SECRET, CONTEXT)
    both = keyring(new, old)
    assert both.open(token, CONTEXT) == SECRET
    fresh = both.reseal(token, CONTEXT)
    assert fresh is not None
    assert both.reseal(fresh, CONTEXT) is None
    assert keyring(new).open(fresh, CONTEXT) == SECRET
    assert keyring(old).reseal(token, CONTEXT) is None


def test_resealing_checks_even_the_newest_tokens() -> None:
    """A token with the newest key that does not open is an error, not "already done"."""
    ring = keyring(generate_key())
    with pytest.raises(SecretUnreadable):
        ring.reseal(ring.seal(SECRET, CONTEXT), ("other",))


def test_keys_are_derived_from_the_secret_key() -> None:
    """Without encryption keys they come from SECRET_KEY; its fall-backs still open; the ring says so."""
    ring = keyring(secret_keys=("dev",))
    token = ring.seal(SECRET, CONTEXT)
    assert ring.derived
    assert keyring(secret_keys=("new", "dev")).open(token, CONTEXT) == SECRET
    with pytest.raises(SecretUnreadable):
        keyring(secret_keys=("new",)).open(token, CONTEXT)


def test_a_repeated_secret_key_is_no_mistake() -> None:
    """Flask allows SECRET_KEY among its own fall-backs."""
    assert keyring(secret_keys=("dev", "dev")).seal(SECRET, CONTEXT)


def test_encryption_keys_take_over_from_the_secret_key() -> None:
    """What was sealed with a derived key is opened and rotated once real keys are configured."""
    token = keyring(secret_keys=("dev",)).seal(SECRET, CONTEXT)
    key = generate_key()
    ring = keyring(key, secret_keys=("dev",))
    assert not ring.derived
    assert ring.open(token, CONTEXT) == SECRET
    fresh = ring.reseal(token, CONTEXT)
    assert fresh is not None
    assert keyring(key).open(fresh, CONTEXT) == SECRET


def test_ring_and_errors_do_not_show_secrets() -> None:
    """Neither the ring's repr nor an error with its chain shows a key or a secret; the ring cannot be pickled."""
    key = generate_key()
    ring = keyring(key, secret_keys=("dev-secret",))
    assert key not in repr(ring)
    with pytest.raises(TypeError):
        pickle.dumps(ring)
    error: Any = None
    try:
        ring.open(ring.seal(SECRET, CONTEXT), ("other",))
    except SecretUnreadable as caught:
        error = caught
    assert error.__context__ is None
    assert "CANARY" not in str(error)
