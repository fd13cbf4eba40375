"""``flask smtp export``, ``import`` and ``adopt``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .apps import Host, hosting, server_fields
from .peers.mailbox import PASSWORD, USERNAME, Mailbox
from .test_cli import add, answer, run


def write(tmp_path: Path, text: str, name: str = "mail.toml") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def stored(host: Host) -> list[Any]:
    with host.app.app_context():
        return host.smtp.servers()


# -- export and import


@pytest.mark.parametrize("form", ["toml", "json"])
def test_export_to_a_file_and_back(host: Host, mailbox: Mailbox, tmp_path: Path, form: str) -> None:
    """What is exported holds no secret and can be imported by another app, which asks for the password."""
    add(host, server_fields(mailbox))
    path = tmp_path / f"mail.{form}"
    assert "without passwords" in run(host, "export", path).output
    assert run(host, "export", "--format", form).stdout == path.read_text()
    assert PASSWORD not in path.read_text()
    run(host, "remove", "Shop", "--yes")
    result = run(host, "import", path, typed=f"{PASSWORD}\ny\n")
    assert result.exit_code == 0, result.output
    assert "+ “Shop” is added" in result.output
    assert "    host: localhost" in result.output
    assert "    password: set" in result.output
    assert run(host, "test", "Shop").exit_code == 0
    assert run(host, "export", "-", "--format", form).stdout == path.read_text()
    assert "Nothing to change." in run(host, "import", path).output


def test_the_diff_comes_first_and_no_means_no(host: Host, mailbox: Mailbox, tmp_path: Path) -> None:
    """Old and new values are shown; nothing is written by --dry-run, or if the answer is no."""
    add(host, server_fields(mailbox))
    path = write(tmp_path, '[[server]]\nname = "Shop"\nsender_name = "Shop at the Corner"\ntimeout_seconds = 30\n')
    result = run(host, "import", path, typed="n\n")
    assert result.exit_code == 1
    assert "~ “Shop” is changed" in result.output
    assert "    sender_name: Corner Shop → Shop at the Corner" in result.output
    assert "    timeout_seconds: 10.0 → 30.0" in result.output
    assert "Nothing was changed." in result.output
    assert "dry run" in run(host, "import", path, "--dry-run").output
    assert stored(host)[0].sender_name == "Corner Shop"
    assert answer(host, "import", path, "--yes") == {
        "done": True,
        "servers": [
            {
                "action": "changed",
                "name": "Shop",
                "changes": {
                    "sender_name": {"old": "Corner Shop", "new": "Shop at the Corner"},
                    "timeout_seconds": {"old": 10.0, "new": 30.0},
                },
            }
        ],
        "order": None,
        "switches": {},
    }
    assert stored(host)[0].sender_name == "Shop at the Corner"


def test_only_prune_removes(host: Host, mailbox: Mailbox, tmp_path: Path) -> None:
    """What the file does not name stays, unless that is asked for."""
    add(host, server_fields(mailbox))
    path = write(tmp_path, "sending_enabled = false\n")
    assert "sending_enabled: yes → no" in run(host, "import", path, "--yes").output
    assert len(stored(host)) == 1
    assert "- “Shop” is removed, with its password" in run(host, "import", path, "--yes", "--prune").output
    assert stored(host) == []


def test_without_somebody_to_ask_a_missing_password_is_an_error(
    host: Host, mailbox: Mailbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --yes the file must say where each password comes from; then it is read when it is needed."""
    fields = {**server_fields(mailbox), "has_password": True}
    del fields["password"]
    path = write(tmp_path, json.dumps({"server": [fields]}), "mail.json")
    assert run(host, "import", path, "--dry-run").exit_code == 0
    result = run(host, "import", path, "--yes")
    assert result.exit_code == 2
    assert "server 1 “Shop”: password: Enter the password" in result.stderr
    assert stored(host) == []
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
    path = write(tmp_path, json.dumps({"server": [{**fields, "password": "env:SHOP_PASSWORD"}]}), "mail.json")
    assert "password: env:SHOP_PASSWORD" in run(host, "import", path, "--yes").output
    assert run(host, "test", "Shop").exit_code == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[[server", "file: Neither TOML nor JSON: "),
        (b"\xff\xfe", "file: This is no text in UTF-8."),
        (b'[[server]]\nname = "Shop"\nhots = "x"\nport = "y"', "server 1 “Shop”: hots: A server has no such field."),
        (b"x" * (4 * 1024 * 1024 + 1), "file: This file is too large"),
        (None, "No such file or directory"),
    ],
)
def test_a_bad_file(host: Host, tmp_path: Path, content: bytes | None, said: str) -> None:
    """The place and a sentence, exit code 2, and nothing is written."""
    path = tmp_path / "mail.toml"
    if content is not None:
        path.write_bytes(content)
    result = run(host, "import", path, "--yes")
    assert result.exit_code == 2
    assert said in result.stderr
    assert stored(host) == []


def test_from_standard_input(host: Host) -> None:
    """A hyphen reads it; then nobody can be asked."""
    text = '[[server]]\nurl = "smtps://mail.example.com?name=Shop"\naddress = "shop@example.com"\n'
    assert run(host, "import", "-", "--yes", typed=text).exit_code == 0
    assert [(one.name, one.port) for one in stored(host)] == [("Shop", 465)]


# -- adopt


def test_adopting_the_apps_own_server(ca_file: Path, mailbox: Mailbox) -> None:
    """It is stored with its password, tested, and used at once if it works."""
    config = {
        "MAIL_SERVER": "localhost",
        "MAIL_PORT": mailbox.submission,
        "MAIL_USE_TLS": True,
        "MAIL_USERNAME": USERNAME,
        "MAIL_PASSWORD": PASSWORD,
        "MAIL_DEFAULT_SENDER": ("Corner Shop", "shop@example.test"),
    }
    with hosting(ca_file=ca_file, **config) as host:
        result = run(host, "adopt", "--name", "Main", typed="n\n")
        assert (result.exit_code, stored(host)) == (1, [])
        assert f"name localhost:{mailbox.submission}." in result.output
        result = run(host, "adopt", "--name", "Main", typed="y\n")
        assert result.exit_code == 0, result.output
        assert "“Main” was taken over, and is used for sending now." in result.output
        (server,) = stored(host)
        assert (server.address, server.sender_name, server.is_default, server.enabled, server.test_passed) == (
            "shop@example.test",
            "Corner Shop",
            True,
            True,
            True,
        )
        assert run(host, "send", "--to", "ann@example.test").exit_code == 0
        assert len(mailbox.letters) == 1


def test_what_does_not_work_stays_a_draft(host: Host, mailbox: Mailbox) -> None:
    """A wrong password: the draft stays, the test says why, and mail goes out as before."""
    mail = host.app.extensions["mail"]
    mail.port, mail.use_tls, mail.username, mail.password = mailbox.submission, True, USERNAME, "wrong"
    found = answer(host, "adopt", "--yes", code=1)
    assert (found["passed"], found["enabled"], found["diagnosis"]["cause"]) == (False, False, "bad_credentials")
    (server,) = stored(host)
    assert (server.draft, server.is_default) == (True, False)


def test_what_breaks_the_rules_is_refused(host: Host) -> None:
    """A password without encryption is not taken over; the sentence says so."""
    mail = host.app.extensions["mail"]
    mail.username, mail.password = USERNAME, PASSWORD
    result = run(host, "adopt", "--yes")
    assert (result.exit_code, stored(host)) == (2, [])
    assert "security: Without encryption this would send the password unencrypted" in result.stderr


# -- servers of the configuration


def test_servers_of_the_configuration(ca_file: Path, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are listed with their origin and tested like others; whoever would change one is told where it is set up."""
    monkeypatch.setenv("RELAY_PASSWORD", PASSWORD)
    relay = server_fields(mailbox, name="Relay", password="env:RELAY_PASSWORD")
    with hosting(ca_file=ca_file, SMTPSERVERS_SERVERS=[relay]) as host:
        assert run(host, "test", "Relay").exit_code == 0
        (listed,) = answer(host, "list")["servers"]
        assert (listed["name"], listed["origin"], listed["test_passed"], listed["password_environment"]) == (
            "Relay",
            "app.config SMTPSERVERS_SERVERS[0]",
            True,
            "RELAY_PASSWORD",
        )
        assert "(read-only)" in run(host, "list").output
        assert run(host, "export").output.count("[[server]]") == 0
        for words in (("edit", "Relay", "--name", "x"), ("remove", "Relay", "--yes")):
            result = run(host, *words)
            assert (result.exit_code, len(stored(host))) == (2, 1)
            assert "can only be changed there" in result.stderr
        monkeypatch.delenv("RELAY_PASSWORD")
        assert "secrets.unreadable" in run(host, "check").output
