"""What the code offers, the documentation names; what the documentation names, the code has."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields

import click
import pytest

import flask_smtpservers
from flask_smtpservers import errors, selfcheck, signals
from flask_smtpservers.cli import smtp_commands
from flask_smtpservers.config import FLASKS, PREFIX, Settings
from flask_smtpservers.permissions import Action
from flask_smtpservers.providers.schema import KEYS
from flask_smtpservers.servers.profile import FIELDS

from ..apps import Host
from .pages import PAGES, ROOT, keys, name_of

SETTINGS = {PREFIX + field.name.upper() for field in fields(Settings) if field.name not in FLASKS}


def test_settings() -> None:
    """The table of settings has exactly the settings."""
    assert keys("docs/settings.md") == SETTINGS


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_other_settings(page) -> None:
    """No page names a setting that does not exist."""
    assert set(re.findall(r"\bSMTPSERVERS_[A-Z_]+[A-Z]", page.read_text())) <= SETTINGS


def test_provider_keys() -> None:
    """The table of an entry's keys has exactly the keys."""
    assert keys("docs/providers.md", "Keys") == set(KEYS)


def test_actions() -> None:
    """The table of actions has exactly the actions."""
    assert keys("docs/access.md") == {str(action) for action in Action}


def test_fields() -> None:
    """The tables of a server's fields have exactly the fields."""
    assert keys("docs/servers.md") == set(FIELDS)


def test_endpoints(host: Host) -> None:
    """The table of endpoints has exactly the pages' endpoints."""
    endpoints = {rule.endpoint for rule in host.app.url_map.iter_rules() if rule.endpoint.startswith("smtpservers.")}
    assert keys("docs/templates.md", "Endpoints") == endpoints - {"smtpservers.static"}


def test_templates() -> None:
    """The table of templates has exactly the pages."""
    folder = ROOT / "flask_smtpservers" / "templates" / "smtpservers"
    assert keys("docs/templates.md", "Changing a page") == {path.name for path in folder.glob("[!_]*.html")}


def test_commands() -> None:
    """The table of commands has exactly the commands."""
    groups = {name: one for name, one in smtp_commands.commands.items() if isinstance(one, click.Group)}
    expected = {name for name in smtp_commands.commands if name not in groups} | {
        f"{group} {name}" for group, commands in groups.items() for name in commands.commands
    }
    assert keys("docs/cli.md", "Commands") == expected


def test_self_checks() -> None:
    """The table of self-checks has exactly the ids that the code can report."""
    ids = set(re.findall(r'"([a-z]+\.[a-z_]+)"', inspect.getsource(selfcheck)))
    assert keys("docs/cli.md", "Self-checks") == ids


def test_errors() -> None:
    """Every error that sending raises is in the table of errors."""
    every = {
        name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, errors.SendError)
    }
    assert keys("docs/sending.md", "Errors") >= every - {"SendError"}


def test_signals() -> None:
    """Every signal is in the table of signals."""
    every = {name for name, value in vars(signals).items() if hasattr(value, "connect")}
    assert keys("docs/sending.md", "Signals") == every


def test_public_names() -> None:
    """Every public name is on the page of the API."""
    text = (ROOT / "docs" / "api.md").read_text()
    assert [name for name in flask_smtpservers.__all__ if not re.search(rf"\b{name}\b", text)] == []


def test_links() -> None:
    """Links between pages lead to pages."""
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{name_of(page)} links to {target}"
