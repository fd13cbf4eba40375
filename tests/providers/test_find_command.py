"""``python -m flask_smtpservers.providers find``: lines in, JSON lines out, in whatever state the lines are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flask_smtpservers.providers.address import parse_address
from flask_smtpservers.providers.cache import DOMAINS, FOUND, NOT_FOUND, DiscoveryCache
from flask_smtpservers.providers.candidate import ANYBODY
from flask_smtpservers.providers.registrable import registered_part

from .world import World, page


def run(*arguments: str, lines: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "flask_smtpservers.providers", "find", *arguments]
    return subprocess.run(command, input=lines, capture_output=True, timeout=60, check=False)


def answers(lines: bytes, *arguments: str) -> list[dict[str, Any]]:
    done = run("-", "--offline", *arguments, lines=lines)
    assert done.stderr == b""
    assert done.returncode == 0
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_lines_of_every_kind() -> None:
    """One answer for each line that is not blank, in order; nothing that is typed breaks it off."""
    lines = b"".join(
        [
            b"\xef\xbb\xbfme@gmail.com\r\n",
            b"\n",
            b" Me@OUTLOOK.com \n",
            b'"Doe, Jane" <jane@163.com>\n',
            b"mailto:me@gmx.de\n",
            b"\xff\xfe@qq.com\n",
            b"ro\x00ot@qq.com\n",
            b"me@[127.0.0.1]\nme@localhost\nme@@gmail.com\n@\nme\n",
            "jürgen@köln.example.de\n".encode(),
            b"x" * 200_000 + b"@gmail.com\n",
            b"me@" + b"a." * 5000 + b"com\n",
            b'{"address": "me@gmail.com"}\n',
            b"me@tuta.com\n",
            b"10001@qq.com",
        ]
    )
    found = answers(lines)
    hosts = [one["host"] for one in found]
    assert hosts[:4] == ["smtp.gmail.com", "smtp-mail.outlook.com", "smtp.163.com", "mail.gmx.net"]
    assert hosts[4:-1] == [None] * 12
    assert hosts[-1] == "smtp.qq.com"
    assert all(bool(one["reason"]) == (one["host"] is None) for one in found)
    assert found[0]["address"] == "me@gmail.com"
    assert found[0] | {"port": 465, "security": "ssl", "source": "preset", "trust": "high"} == found[0]
    assert found[3]["username"] == "me@gmx.de"
    assert "does not offer SMTP" in found[-2]["reason"]


def test_many_lines_keep_their_order() -> None:
    """Several are looked at together, and come out as they came in."""
    names = [f"person{number}@{('gmail.com', 'qq.com', 'nobody.example.net')[number % 3]}" for number in range(500)]
    found = answers("\n".join(names).encode())
    assert [one["address"] for one in found] == names
    assert [one.get("username") for one in found[:2]] == names[:2]


def test_one_address() -> None:
    """Text for people, JSON for programs, and an exit code."""
    text = run("me@gmail.com", "--offline")
    assert text.returncode == 0
    assert b"smtp.gmail.com, port 465, SSL" in text.stdout
    assert b"Needed: App password" in text.stdout
    value = run("me@gmail.com", "--offline", "--json")
    assert json.loads(value.stdout)["alternatives"][0]["port"] == 587
    nothing = run("me@nobody.example.net", "--offline", "--json")
    assert nothing.returncode == 1
    assert "without asking" in json.loads(nothing.stdout)["reason"]
    wrong = run("nobody")
    assert wrong.returncode == 2
    assert b"full mail address" in wrong.stderr


def test_the_operators_directory(tmp_path: Path) -> None:
    """``--ispdb`` names a directory of pages; something else is refused with a sentence."""
    (tmp_path / "example.net.xml").write_bytes(page("mail.example.net 465 SSL", domains=("example.net", "other.net")))
    found = answers(b"me@example.net\nme@other.net\nme@third.net\n", "--ispdb", str(tmp_path))
    assert [(one["host"], one["source"], one["trust"]) for one in found] == [
        ("mail.example.net", "ispdb", "high"),
        ("mail.example.net", "ispdb", "high"),
        (None, None, None),
    ]
    assert found[0]["username"] == "me@example.net"
    refused = run("me@example.net", "--ispdb", "/nowhere/at/all")
    assert refused.returncode == 2
    assert b"neither" in refused.stderr


def test_without_flask() -> None:
    """The command runs where Flask and SQLAlchemy are not installed."""
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('flask', 'sqlalchemy', 'flask_mail', 'wtforms')));"
        "from flask_smtpservers.providers.__main__ import main; sys.exit(main(['find', 'me@gmail.com', '--offline']))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False).returncode == 0


# -- what is remembered
def test_remembered_for_everybody_at_the_domain(world: World) -> None:
    """The answer for a domain serves every address there, each with its own user name."""
    world.ssl("smtp.example.org")
    found = world.discover(f"{ANYBODY}@example.org")
    now = 100.0
    cache = DiscoveryCache(clock=lambda: now)
    cache.put(found)
    kept = cache.get("example.org")
    assert kept is not None
    mine = kept.addressed_to(parse_address("ann@example.org"))
    assert mine.best is not None
    assert (mine.best.username, str(mine.address)) == ("ann@example.org", "ann@example.org")
    assert cache.get("example.org", "de") is None
    now += FOUND - 1
    assert cache.get("example.org") is not None
    now += 2
    assert cache.get("example.org") is None


def test_nothing_found_is_forgotten_sooner(world: World) -> None:
    now = 0.0
    cache = DiscoveryCache(clock=lambda: now)
    cache.put(world.discover())
    now = NOT_FOUND + 1
    assert cache.get("example.org") is None


def test_a_bounded_number_is_remembered(world: World) -> None:
    cache = DiscoveryCache(domains=2)
    for domain in ("a.example.org", "b.example.org", "c.example.org"):
        cache.put(world.discover(f"me@{domain}", mode="offline"))
    assert [cache.get(f"{name}.example.org") is not None for name in "abc"] == [False, True, True]
    assert DOMAINS > 2


@pytest.mark.parametrize(
    ("host", "parts"),
    [
        ("smtp.gmail.com", ("smtp.", "gmail.com")),
        ("gmail.com", ("", "gmail.com")),
        ("smtp.example.co.uk", ("smtp.", "example.co.uk")),
        ("co.uk", ("", "co.uk")),
        ("smtp.gmail.com.evil.example", ("smtp.gmail.com.", "evil.example")),
        ("localhost", ("", "localhost")),
    ],
)
def test_the_part_that_was_registered(host: str, parts: tuple[str, str]) -> None:
    assert registered_part(host) == parts
