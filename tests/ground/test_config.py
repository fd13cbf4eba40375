"""Settings are read once, checked, and frozen."""

from __future__ import annotations

import dataclasses
import ipaddress
from pathlib import Path
from typing import Any

import pytest

from flask_smtpservers.config import Settings
from flask_smtpservers.errors import ConfigurationError


def test_defaults_are_the_safe_ones() -> None:
    """Without a key nothing private is reachable and no password travels in clear."""
    settings = Settings.from_config({})
    assert settings.allowed_networks == ()
    assert settings.builtin_verify
    assert not settings.allow_plaintext_auth


@pytest.mark.parametrize("value", [["10.1.2.0/24", "::1/128"], "10.1.2.0/24, ::1/128"])
def test_lists_may_be_written_as_text(value: Any) -> None:
    """So that an environment variable can hold them."""
    expected = (ipaddress.ip_network("10.1.2.0/24"), ipaddress.ip_network("::1/128"))
    assert Settings.from_config({"SMTPSERVERS_ALLOWED_NETWORKS": value}).allowed_networks == expected


@pytest.mark.parametrize(("value", "meaning"), [(True, True), ("true", True), ("1", True), ("off", False), ("", False)])
def test_flags_may_be_written_as_text(value: Any, meaning: bool) -> None:
    assert Settings.from_config({"SMTPSERVERS_ALLOW_PLAINTEXT_AUTH": value}).allow_plaintext_auth is meaning


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("SMTPSERVERS_ALLOWED_NETWORK", []),  # misspelt
        ("SMTPSERVERS_ALLOWED_NETWORKS", ["10.0.0.1/8"]),  # host bits set
        ("SMTPSERVERS_ALLOWED_NETWORKS", 5),
        ("SMTPSERVERS_CA_FILE", "/no/such/file.pem"),
        ("SMTPSERVERS_PAGES", "perhaps"),
        ("SMTPSERVERS_DEADLINE_SECONDS", 0),
        ("SMTPSERVERS_DEADLINE_SECONDS", float("nan")),
        ("SMTPSERVERS_DEADLINE_SECONDS", "soon"),
        ("SMTPSERVERS_MAX_RECIPIENTS", -1),
        ("SMTPSERVERS_DISCOVERY", "yes"),
        ("SMTPSERVERS_ISPDB", "http://autoconfig.example.net"),
        ("SMTPSERVERS_ISPDB", "/no/such/folder"),
    ],
)
def test_a_wrong_setting_is_named(key: str, value: Any) -> None:
    """The error names the key, so that it can be found."""
    with pytest.raises(ConfigurationError, match=key):
        Settings.from_config({key: value})


def test_what_may_be_asked_for_settings(tmp_path: Path) -> None:
    """The network by default, no third party; a directory or a service of the operator's choice."""
    assert (Settings().discovery, Settings().ispdb) == ("network", None)
    settings = Settings.from_config({"SMTPSERVERS_DISCOVERY": "Offline", "SMTPSERVERS_ISPDB": str(tmp_path)})
    assert (settings.discovery, settings.ispdb) == ("offline", str(tmp_path))


def test_secrets_do_not_show() -> None:
    settings = Settings.from_config(
        {"SECRET_KEY": "CANARY", "SECRET_KEY_FALLBACKS": ["CANARY2"], "SMTPSERVERS_ENCRYPTION_KEYS": "CANARY3"}
    )
    assert "CANARY" not in repr(settings)
    assert [key.reveal() for key in settings.secret_keys] == ["CANARY", "CANARY2"]


def test_settings_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().pages = False  # type: ignore[misc]
