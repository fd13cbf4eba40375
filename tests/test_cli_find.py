"""``flask smtp find``: the servers of an address, at a prompt."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from click.testing import Result

from .apps import Host, hosting
from .providers.world import Records, World, making


@pytest.fixture
def world(ca: trustme.CA, ca_file: Path) -> Iterator[World]:
    with making(ca, ca_file) as made:
        yield made


@pytest.fixture
def host(ca_file: Path, world: World) -> Iterator[Host]:
    """A host in the world."""
    with hosting(ca_file=ca_file) as made:
        made.state.finder.environment = Records(world)
        yield made


def run(host: Host, *words: str) -> Result:
    result = host.app.test_cli_runner().invoke(args=["smtp", "find", *words])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def test_found(host: Host, world: World) -> None:
    """The best, where it comes from, and what is asked before it is used."""
    world.mx("example-org.mail.protection.outlook.com")
    world.starttls("smtp.office365.com")
    result = run(host, "me@example.org")
    assert result.exit_code == 0
    assert "smtp.office365.com, port 587, STARTTLS" in result.output
    assert "Probably right. Microsoft 365 (client submission) receives the mail of example.org" in result.output
    assert "Is that also where you send from?" in result.output
    value = json.loads(run(host, "me@example.org", "--json").stdout)
    assert (value["host"], value["source"], value["trust"], value["verified"]) == (
        "smtp.office365.com",
        "mx",
        "medium",
        True,
    )


def test_offline(host: Host, world: World) -> None:
    """With --offline nobody is asked."""
    assert run(host, "me@gmail.com", "--offline").exit_code == 0
    assert run(host, "me@example.org", "--offline").exit_code == 1
    assert (world.asked, world.dialled) == ([], [])


def test_nothing_found(host: Host) -> None:
    """Exit code 1 and the reason, also as JSON."""
    result = run(host, "me@example.org", "--json")
    assert result.exit_code == 1
    assert "No server was found" in json.loads(result.stdout)["reason"]


def test_no_address(host: Host) -> None:
    result = run(host, "nobody")
    assert result.exit_code == 2
    assert "full mail address" in result.output


def test_switched_off(ca_file: Path) -> None:
    """The operator's word counts here too."""
    with hosting(ca_file=ca_file, SMTPSERVERS_DISCOVERY="off") as host:
        result = run(host, "me@gmail.com", "--json")
        assert result.exit_code == 2
        assert "SMTPSERVERS_DISCOVERY" in json.loads(result.stdout)["reason"]
