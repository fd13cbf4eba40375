"""``flask smtp``: what each command prints, returns and leaves behind; and that it never shows a secret."""

from __future__ import annotations

import base64
import json
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import trustme
from click.testing import Result
from flask_mail import Mail

from flask_smtpservers.cli import smtp_commands
from flask_smtpservers.servers.keyring import generate_key
from flask_smtpservers.servers.profile import FIELDS, ServerProfile
from flask_smtpservers.smtp.network import Address, SystemNetwork

from .apps import Host, hosting, server_fields
from .databases import Database, databases
from .peers.mailbox import PASSWORD, USERNAME, Mailbox

ADD = ("add", "--name", "Shop", "--host", "localhost", "--username", USERNAME, "--address", "shop@example.test")


@pytest.fixture
def host(ca_file: Path, mailbox: Mailbox) -> Iterator[Host]:
    """A host whose own server is the mailbox's port without login."""
    key = generate_key()
    with hosting(
        ca_file=ca_file, SMTPSERVERS_ENCRYPTION_KEYS=[key], MAIL_SERVER="localhost", MAIL_PORT=mailbox.plain
    ) as made:
        yield made


def run(host: Host, *words: object, typed: str | None = None) -> Result:
    """Run ``flask smtp`` with these words; a traceback fails the test."""
    result = host.app.test_cli_runner().invoke(args=["smtp", *map(str, words)], input=typed)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert "Traceback" not in result.output
    return result


def answer(host: Host, *words: object, typed: str | None = None, code: int = 0) -> Any:
    """Run it with ``--json``; return the one JSON value that stands on standard output."""
    result = run(host, *words, "--json", typed=typed)
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def add(host: Host, fields: dict[str, Any]) -> ServerProfile:
    with host.app.app_context():
        return host.smtp.add_server(**fields)


def servers(host: Host) -> list[ServerProfile]:
    with host.app.app_context():
        return host.smtp.servers()


def password_of(host: Host, profile: ServerProfile) -> str | None:
    with host.app.app_context():
        secret = host.state.store.password_of(profile)
    return secret.reveal() if secret else None


def written(path: Path, text: str) -> str:
    path.write_text(text)
    return f"@{path}"


# -- help


def commands(group: click.Group = smtp_commands, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_every_help_tells_the_exit_codes(host: Host, path: tuple[str, ...]) -> None:
    result = run(host, *path, "--help")
    assert result.exit_code == 0
    assert re.search(r"Exit codes:\s+0\s+it\s+worked", result.output)


def test_every_field_is_an_option() -> None:
    """What the form can set, the prompt can set; the secrets in ways of their own."""
    options = {option for parameter in smtp_commands.commands["add"].params for option in parameter.opts}
    names = {"is_default": "default"}
    assert {f"--{names.get(field, field).replace('_', '-')}" for field in FIELDS} <= options


# -- list


def test_list_without_servers_shows_the_apps_own(host: Host, mailbox: Mailbox) -> None:
    """The Built-in row takes what no server is for."""
    result = run(host, "list")
    titles, row = result.output.splitlines()
    assert titles.split() == ["Name", "Server", "Security", "User", "name", "From", "State", "Default"]
    assert row.split() == [
        "Built-in",
        f"localhost:{mailbox.plain}",
        "none",
        "app@example.test",
        "From",
        "the",
        "app's",
        "settings",
        "yes",
    ]


def test_list_shows_each_server(host: Host, mailbox: Mailbox) -> None:
    add(host, server_fields(mailbox))
    add(host, server_fields(mailbox, name="Letters", sender_name="Doe, John", enabled=False))
    lines = run(host, "list").output.splitlines()
    cells = ["Shop", f"localhost:{mailbox.submission}", "starttls", USERNAME, "Corner Shop <shop@example.test>"]
    assert re.split(r"  +", lines[1]) == [*cells, "Not tested", "yes"]
    assert re.split(r"  +", lines[2])[4:] == ['"Doe, John" <shop@example.test>', "Paused"]
    assert re.split(r"  +", lines[3])[-1] == "From the app's settings"


def test_list_as_json(host: Host, mailbox: Mailbox) -> None:
    """Every field is there but the secrets, of which only their existence is told."""
    server = add(host, server_fields(mailbox))
    found = answer(host, "list")
    assert found["sending_enabled"] is True
    assert found["builtin"]["port"] == mailbox.plain
    [shown] = found["servers"]
    assert set(FIELDS) - {"password", "client_key"} <= set(shown)
    assert (shown["id"], shown["has_password"], shown["has_client_key"]) == (server.public_id, True, False)
    assert "password" not in shown


def test_list_tells_that_sending_is_off(host: Host) -> None:
    with host.app.app_context():
        host.state.store.switch_sending(False)
    assert "Sending is switched off" in run(host, "list").output


def test_list_leaves_a_test_double_of_flask_mail_alone(host: Host) -> None:
    """Test suites put objects of their own in Flask-Mail's place; nothing is known of their server."""
    host.app.extensions["mail"] = object()
    assert answer(host, "list")["builtin"] is None
    assert "Built-in" not in run(host, "list").output


def test_a_default_sender_in_any_form(host: Host) -> None:
    """A pair is shown as a mailbox, a callable (which may want a request) is not asked, nonsense is said to be that."""

    def never() -> str:
        raise RuntimeError

    mail = host.app.extensions["mail"]
    for sender, shown in ((("Doe, John", "j@d.org"), '"Doe, John" <j@d.org>'), (never, ""), (None, "")):
        mail.default_sender = sender
        assert answer(host, "list")["builtin"]["address"] == shown
    mail.default_sender = "nonsense"
    assert "is not an e-mail address" in answer(host, "list")["builtin"]["address"]


# -- add


@pytest.mark.parametrize(
    ("way", "typed"),
    [("--password-stdin", f"{PASSWORD}\n"), ("--password-stdin", f"{PASSWORD}\r\n"), ("--password", f"{PASSWORD}\n")],
)
def test_add_takes_the_password_from_stdin_or_a_prompt(host: Host, way: str, typed: str) -> None:
    """The line break at the end is not part of it, and it is not shown."""
    result = run(host, *ADD, way, typed=typed)
    assert (result.exit_code, PASSWORD in result.output) == (0, False)
    assert "“Shop” was added." in result.output
    [server] = servers(host)
    assert (server.port, server.security, server.is_default) == (587, "starttls", True)
    assert password_of(host, server) == PASSWORD


def test_a_password_that_really_has_blanks_at_its_ends(host: Host) -> None:
    """Only the line break goes, of whichever kind."""
    answer(host, *ADD, "--password-stdin", "--keep-password-blanks", typed=f" {PASSWORD} \r\n")
    assert password_of(host, servers(host)[0]) == f" {PASSWORD} "


def test_add_by_reference_reads_the_variable_when_it_is_needed(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = answer(host, *ADD, "--password-env", "SMTPSERVERS_TEST_PASSWORD")["server"]
    assert (shown["has_password"], shown["password_environment"]) == (True, "SMTPSERVERS_TEST_PASSWORD")
    monkeypatch.setenv("SMTPSERVERS_TEST_PASSWORD", PASSWORD)
    assert password_of(host, servers(host)[0]) == PASSWORD


def test_a_variable_that_is_not_set_is_told_but_not_repeated(host: Host) -> None:
    """Whoever mistakes the option for the password itself does not find it in a log."""
    result = run(host, *ADD, "--password-env", "hunter2_CANARY")
    assert (result.exit_code, "CANARY" in result.output) == (0, False)
    assert "Note: The environment variable with the password is not set here." in result.output


def test_a_typed_password_is_never_a_reference(host: Host) -> None:
    """Somebody's password may really begin with ``env:``."""
    answer(host, *ADD, "--password-stdin", typed="env:HOME")
    assert password_of(host, servers(host)[0]) == "env:HOME"


def test_add_with_every_field(host: Host, ca: trustme.CA, tmp_path: Path, mailbox: Mailbox) -> None:
    """Certificates come as files."""
    pair = ca.issue_cert("client.example.test")
    shown = answer(
        host,
        *("add", "--name", "All", "--host", "localhost", "--port", mailbox.smtps, "--security", "ssl"),
        *("--username", USERNAME, "--password-stdin", "--address", '"Doe, John" <j@example.test>'),
        *("--sender-format", "{user} via {app}", "--sender-policy", "force", "--reply-to", "r@example.test"),
        *("--timeout-seconds", "5", "--provider", "other", "--paused", "--position", "0"),
        *("--auth-mechanism", "scram-sha-256"),
        *("--ca-certificate", written(tmp_path / "ca.pem", mailbox.ca_pem)),
        *("--client-certificate", written(tmp_path / "client.pem", pair.cert_chain_pems[0].bytes().decode())),
        *("--client-key", written(tmp_path / "key.pem", pair.private_key_pem.bytes().decode())),
        typed=PASSWORD,
    )["server"]
    assert {name: shown[name] for name in ("sender_name", "address", "sender_format", "sender_policy", "reply_to")} == {
        "sender_name": "Doe, John",
        "address": "j@example.test",
        "sender_format": "{user} via {app}",
        "sender_policy": "force",
        "reply_to": "r@example.test",
    }
    assert shown["auth_mechanism"] == "SCRAM-SHA-256"
    assert (shown["timeout_seconds"], shown["provider"], shown["enabled"], shown["has_client_key"]) == (
        5,
        "other",
        False,
        True,
    )
    assert "BEGIN CERTIFICATE" in shown["ca_certificate"]
    assert "BEGIN CERTIFICATE" in shown["client_certificate"]


def test_add_tells_what_it_changed_and_what_looks_wrong(host: Host) -> None:
    """Notices, and warnings with the command that follows them."""
    words = (
        "add",
        "--host",
        " smtp.example.test ",
        "--port",
        "587",
        "--security",
        "ssl",
        "--address",
        "a@example.test",
    )
    result = run(host, *words)
    assert result.exit_code == 0
    assert "Note: Blanks around" in result.output
    assert re.search(r"Warning: (port|security): ", result.output)
    [server] = servers(host)
    follow = re.search(r"flask smtp (edit \S+ --.*)", result.output)
    assert follow is not None
    assert run(host, *follow[1].split()).exit_code == 0
    [mended] = servers(host)
    assert (mended.port, mended.security) != (server.port, server.security)


@pytest.mark.parametrize(
    ("password", "ending"), [("--password-stdin", "--password"), ("--password-env=PATH", "--password-env PATH")]
)
def test_the_command_that_follows_a_warning_asks_for_the_password(host: Host, password: str, ending: str) -> None:
    """The destination changes with it, so it would be refused otherwise."""
    result = run(host, *ADD, "--port", "587", "--security", "ssl", password, typed=PASSWORD)
    follow = re.search(r"flask smtp (edit .*)", result.output)
    assert follow is not None
    assert follow[1].endswith(f" {ending}")
    followed = run(host, *follow[1].split(), typed=f"{PASSWORD}\n")
    assert (followed.exit_code, "Note:" in followed.output) == (0, False)


def test_wrong_fields_are_told_one_a_line(host: Host) -> None:
    """All at once, on standard error, with exit code 2; nothing is written."""
    result = run(host, "add", "--host", "no host", "--port", "x", "--address", "nobody")
    assert (result.exit_code, result.stdout) == (2, "")
    assert sorted(line.split(":")[0] for line in result.stderr.splitlines()) == ["address", "host", "port"]
    assert servers(host) == []
    error = answer(host, "add", "--host", "no host", "--port", "x", "--address", "nobody", code=2)["error"]
    assert set(error["fields"]) == {"address", "host", "port"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--password-stdin", "--password-env", "X"), "Use one of --password"),
        (("--password-stdin", "--no-password"), "Use one of --password"),
        (("--password-env", "not a name"), "password: After env:"),
        (
            ("--ca-certificate", "ca.pem"),
            "ca_certificate: Give the certificate as a file, with an @ before its path: @ca.pem",
        ),
        (("--ca-certificate", "@no/such/file"), "ca_certificate: The file no/such/file cannot be read: No such file"),
        (("--client-certificate", "@."), "client_certificate: The file . cannot be read: "),
        (("--client-key", "-----BEGIN PRIVATE KEY-----"), "client_key: Give the key as a file: --client-key @FILE."),
        (("--no-client-key", "--client-key", "@/dev/null"), "Use either --client-key or --no-client-key."),
        (("--password-stdin",), "password: Nothing came in on standard input."),
    ],
)
def test_options_that_do_not_fit(host: Host, words: tuple[str, ...], said: str) -> None:
    """One sentence, exit code 2, and nothing written."""
    result = run(host, *ADD, *words, typed="")
    assert result.exit_code == 2
    assert said in result.stderr
    assert servers(host) == []


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"A" * (1024 * 1024 + 1)], ids=["binary", "huge"])
def test_a_file_that_is_no_certificate(host: Host, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ca.der"
    path.write_bytes(content)
    result = run(host, *ADD, "--ca-certificate", f"@{path}")
    assert (result.exit_code, result.stderr.startswith(f"ca_certificate: The file {path} is")) == (2, True)


@pytest.mark.parametrize(
    "words",
    [
        ("--password", PASSWORD),
        (f"--password={PASSWORD}",),
        ("--password-stdin", PASSWORD),
        (PASSWORD,),
        (f"--passwd={PASSWORD}",),
    ],
)
@pytest.mark.parametrize("command", ["add", "edit"])
def test_a_password_as_a_word_is_refused_and_not_repeated(
    host: Host, mailbox: Mailbox, command: str, words: tuple[str, ...]
) -> None:
    """It would stand in the shell's history; error messages go to logs."""
    add(host, server_fields(mailbox))
    start = ADD if command == "add" else ("edit", "Shop")
    result = run(host, *start, *words, typed="something\n")
    assert (result.exit_code, PASSWORD in result.output) == (2, False)


# -- edit


def test_edit_changes_only_what_is_given(host: Host, mailbox: Mailbox) -> None:
    """By name in any case, or by id; the password stays."""
    server = add(host, server_fields(mailbox))
    assert "“Till” was changed." in run(host, "edit", "sHOP", "--name", "Till").output
    assert run(host, "edit", server.public_id, "--sender-name", "").exit_code == 0
    [changed] = servers(host)
    assert (changed.name, changed.sender_name, changed.host) == ("Till", "", "localhost")
    assert password_of(host, changed) == PASSWORD


@pytest.mark.parametrize(
    "words", [("--host", "mail.example.test"), ("--port", "465"), ("--security", "ssl"), ("--username", "other")]
)
def test_another_destination_wants_the_password_again(host: Host, mailbox: Mailbox, words: tuple[str, ...]) -> None:
    """Without it nothing is written; the sentence names the ways to give it."""
    before = add(host, server_fields(mailbox))
    result = run(host, "edit", "Shop", *words)
    assert result.exit_code == 2
    assert "password: The password would go to another place" in result.stderr
    assert "--password-stdin" in result.stderr
    assert servers(host) == [before]
    assert "password" in answer(host, "edit", "Shop", *words, code=2)["error"]["fields"]
    assert run(host, "edit", "Shop", *words, "--password-stdin", typed="new").exit_code == 0
    assert password_of(host, servers(host)[0]) == "new"


def test_another_sign_in_method_wants_the_password_again(host: Host, mailbox: Mailbox) -> None:
    """It is refused without, and goes back to the automatic choice by that word."""
    before = add(host, server_fields(mailbox))
    result = run(host, "edit", "Shop", "--auth-mechanism", "LOGIN")
    assert (result.exit_code, servers(host)) == (2, [before])
    assert "password: The password would go out in another way" in result.stderr
    assert run(host, "edit", "Shop", "--auth-mechanism", "LOGIN", "--password-stdin", typed="new").exit_code == 0
    assert servers(host)[0].auth_mechanism == "LOGIN"
    words = ("--auth-mechanism", "automatic", "--password-stdin")
    assert run(host, "edit", "Shop", *words, typed="newer").exit_code == 0
    assert (servers(host)[0].auth_mechanism, password_of(host, servers(host)[0])) == ("", "newer")
    assert run(host, "edit", "Shop", "--auth-mechanism", "XOAUTH2").exit_code == 2


def test_edit_removes_secrets(host: Host, mailbox: Mailbox, ca: trustme.CA) -> None:
    """Password with the user name, client key with its certificate."""
    pair = ca.issue_cert("client.example.test")
    certificate, key = pair.cert_chain_pems[0].bytes().decode(), pair.private_key_pem.bytes().decode()
    add(host, server_fields(mailbox, client_certificate=certificate, client_key=key))
    shown = answer(
        host, "edit", "Shop", "--username", "", "--no-password", "--client-certificate", "", "--no-client-key"
    )["server"]
    assert (shown["has_password"], shown["has_client_key"], shown["client_certificate"]) == (False, False, "")


def test_edit_order_default_and_pause(host: Host, mailbox: Mailbox) -> None:
    for name in ("A", "B"):
        add(host, server_fields(mailbox, name=name))
    assert run(host, "edit", "B", "--default", "--position", "0").exit_code == 0
    assert run(host, "edit", "A", "--paused").exit_code == 0
    assert [(one.name, one.is_default, one.enabled) for one in servers(host)] == [
        ("B", True, True),
        ("A", False, False),
    ]
    assert run(host, "edit", "A", "--enabled").exit_code == 0
    assert servers(host)[1].enabled


def test_edit_without_an_option_says_so(host: Host, mailbox: Mailbox) -> None:
    add(host, server_fields(mailbox))
    result = run(host, "edit", "Shop")
    assert (result.exit_code, "Nothing to change" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    "words",
    [
        ("edit", "Nobody", "--name", "X"),
        ("remove", "Nobody", "--yes"),
        ("test", "Nobody"),
        ("send", "--to", "a@example.test", "--using", "Nobody"),
    ],
)
def test_a_name_that_no_server_has(host: Host, words: tuple[str, ...]) -> None:
    result = run(host, *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Nobody" in result.stderr
    assert "Nobody" in answer(host, *words, code=2)["error"]["text"]


# -- remove


def test_remove_asks_first(host: Host, mailbox: Mailbox) -> None:
    """It says what uses the server; anything but yes leaves it there."""
    add(host, server_fields(mailbox))
    result = run(host, "remove", "Shop", typed="n\n")
    assert (result.exit_code, len(servers(host))) == (1, 1)
    assert "It is the default" in result.output
    assert run(host, "remove", "Shop", typed="y\n").exit_code == 0
    assert servers(host) == []


def test_remove_for_scripts(host: Host, mailbox: Mailbox) -> None:
    server = add(host, server_fields(mailbox))
    assert run(host, "remove", "Shop", "--json").exit_code == 2
    assert answer(host, "remove", "Shop", "--yes") == {"removed": {"id": server.public_id, "name": "Shop"}}
    assert servers(host) == []


# -- test


def test_a_test_that_passes(host: Host, mailbox: Mailbox) -> None:
    """Each step in its line with its time, then what was proved; nothing is sent without --to."""
    add(host, server_fields(mailbox))
    result = run(host, "test", "Shop")
    assert result.exit_code == 0, result.output
    steps = [line for line in result.output.splitlines() if re.match(r" ?\d+  ", line)]
    assert len(steps) >= 9
    assert all(re.search(r"\d+ ms", line) for line in steps)
    assert f"Signed in to localhost as {USERNAME}." in result.output
    assert mailbox.letters == []
    assert servers(host)[0].test_passed is True
    assert "Working" in run(host, "list").output


def test_a_test_that_sends(host: Host, mailbox: Mailbox) -> None:
    add(host, server_fields(mailbox))
    found = answer(host, "test", "Shop", "--to", "Ann <ann@example.test>")
    assert found["passed"] is True
    assert found["diagnosis"] is None
    *steps, last = found["steps"]
    assert {step["state"] for step in steps} == {"ok"}
    assert steps[-1]["stage"] == "data"
    assert (last["stage"], last["state"]) == ("arrival", "waiting")
    assert mailbox.letters[0].recipients == ["ann@example.test"]


def test_a_test_that_fails(host: Host, mailbox: Mailbox) -> None:
    """Headline, cause, and numbered steps; exit code 1; the list remembers it."""
    add(host, server_fields(mailbox, password="wrong-CANARY"))
    result = run(host, "test", "Shop")
    assert result.exit_code == 1
    assert "Stopped at step" in result.output
    assert re.search(r"^Why: .+\.$", result.output, re.MULTILINE)
    assert re.search(r"^  1\. .+\.$", result.output, re.MULTILINE)
    assert "CANARY" not in result.output
    assert "Failing" in run(host, "list").output
    found = answer(host, "test", "Shop", code=1)
    assert (found["passed"], found["diagnosis"]["transient"]) == (False, False)
    failed = [step for step in found["steps"] if step["state"] == "failed"]
    assert [step["stage"] for step in failed] == ["auth"]


def test_a_failed_test_tells_programs_what_mends_it(host: Host, mailbox: Mailbox) -> None:
    """The correction stands in the JSON, ready for ``flask smtp edit``."""
    add(host, server_fields(mailbox, security="ssl"))
    assert answer(host, "test", "Shop", code=1)["diagnosis"]["correction"] == {"security": "starttls"}


def test_a_draft(host: Host) -> None:
    """It is listed as one, and enabling it ends that."""
    fields = ("--name", "Later", "--host", "smtp.example.com", "--address", "a@example.com", "--draft")
    assert answer(host, "add", *fields)["server"]["draft"] is True
    assert "Draft" in run(host, "list").output
    edited = answer(host, "edit", "Later", "--enabled")["server"]
    assert (edited["draft"], edited["enabled"]) == (False, True)


def test_a_test_shows_its_steps_as_they_happen(ca_file: Path, mailbox: Mailbox) -> None:
    """What was found is on the screen before the next step begins."""
    screens: list[str] = []

    class Watching(SystemNetwork):
        def dial(self, address: Address, timeout: float) -> socket.socket:
            screens.append(sys.stdout.buffer.getvalue().decode())  # type: ignore[attr-defined]
            return super().dial(address, timeout)

    with hosting(ca_file=ca_file, init={"network": Watching()}) as host:
        add(host, server_fields(mailbox))
        run(host, "test", "Shop")
    assert re.search(r"Done +\d+ ms", screens[0])
    assert "Sign in" not in screens[0]


def test_a_wrong_recipient_connects_nowhere(host: Host, mailbox: Mailbox) -> None:
    add(host, server_fields(mailbox))
    result = run(host, "test", "Shop", "--to", "nobody")
    assert (result.exit_code, result.stderr.startswith("to: "), mailbox.connections) == (2, True, 0)


# -- send


def test_send_goes_the_way_of_the_apps_mail(host: Host, mailbox: Mailbox) -> None:
    """The default server takes it; server, recipient, queue id and the reason are told."""
    add(host, server_fields(mailbox))
    result = run(host, "send", "--to", "ann@example.test", "--subject", "Grüße", "--body", "Hallo")
    assert result.exit_code == 0, result.output
    assert "Server: Shop" in result.output
    assert "Why this one: " in result.output
    assert "ann@example.test: accepted (250" in result.output
    assert "Queue id: Q1" in result.output
    [letter] = mailbox.letters
    assert (letter.message["Subject"], letter.message["From"]) == ("Grüße", "Corner Shop <shop@example.test>")
    assert letter.message.get_content().strip() == "Hallo"


def test_send_through_a_named_server_from_an_address(host: Host, mailbox: Mailbox) -> None:
    for name in ("A", "B"):
        add(host, server_fields(mailbox, name=name))
    found = answer(host, "send", "--to", "ann@example.test", "--using", "B", "--from", '"Doe, John" <j@example.test>')
    assert (found["server"]["name"], found["rule"], found["queue_id"]) == ("B", "using", "Q1")
    [one] = found["recipients"]
    assert (one["address"], one["outcome"], one["code"]) == ("ann@example.test", "accepted", 250)
    assert mailbox.letters[0].message["From"] == '"Doe, John" <j@example.test>'


def test_send_without_servers_uses_the_apps_own(host: Host, mailbox: Mailbox) -> None:
    assert answer(host, "send", "--to", "ann@example.test")["server"] == {"id": None, "name": "Built-in"}
    assert len(mailbox.letters) == 1


def test_send_to_some_that_are_refused(host: Host, mailbox: Mailbox) -> None:
    """Who was refused, and with which words; exit code 1."""
    add(host, server_fields(mailbox))
    result = run(host, "send", "--to", "ann@example.test", "--to", "bad@example.test")
    assert result.exit_code == 1
    assert "bad@example.test: refused (550" in result.output
    assert mailbox.letters[0].recipients == ["ann@example.test"]


def test_send_that_fails(host: Host, mailbox: Mailbox) -> None:
    """The error with its cause and what to do; exit code 1, and no secret."""
    add(host, server_fields(mailbox, password="wrong-CANARY"))
    result = run(host, "send", "--to", "ann@example.test")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Shop" in result.stderr
    assert "CANARY" not in result.output
    error = answer(host, "send", "--to", "ann@example.test", code=1)["error"]
    assert (error["stage"], error["code"]) == ("auth", 535)


@pytest.mark.parametrize(
    "words",
    [
        ("--to", "nobody"),
        ("--to", "a@example.test", "--subject", "a\nBcc: b@example.test"),
        ("--to", "a@example.test", "--from", "x"),
    ],
)
def test_a_message_that_cannot_be_sent_is_invalid(host: Host, mailbox: Mailbox, words: tuple[str, ...]) -> None:
    result = run(host, "send", *words)
    assert (result.exit_code, result.stdout, mailbox.letters) == (2, "", [])
    assert result.stderr.strip().endswith(".")


def test_send_while_sending_is_off(host: Host, mailbox: Mailbox) -> None:
    """Nothing goes out, and the exit code says so."""
    with host.app.app_context():
        host.state.store.switch_sending(False)
    result = run(host, "send", "--to", "ann@example.test")
    assert (result.exit_code, mailbox.letters) == (1, [])
    assert "not sent, on purpose" in result.output


# -- keys


def test_a_generated_key_can_be_used(host: Host) -> None:
    """The key alone is on standard output, so that it can be piped; how to use it stands beside."""
    result = run(host, "keys", "generate")
    key = result.stdout.strip()
    assert "SMTPSERVERS_ENCRYPTION_KEYS" in result.stderr
    assert "flask smtp keys rotate" in result.stderr
    with hosting(SMTPSERVERS_ENCRYPTION_KEYS=[key]) as other:
        assert not other.state.keyring.derived
    assert answer(host, "keys", "generate")["key"] != key


@pytest.mark.parametrize("database", databases()[1:], indirect=True)  # not the one in memory: it ends with its app
def test_new_key_in_front_rotate_remove_the_old_one(database: Database, mailbox: Mailbox) -> None:
    """Everything can be read at each step, and rotating twice does no harm."""
    old, new = generate_key(), generate_key()
    with hosting(database.url, SMTPSERVERS_ENCRYPTION_KEYS=[old]) as host:
        add(host, server_fields(mailbox))
        add(host, server_fields(mailbox, name="No login", username="", password=""))
    with hosting(database.url, SMTPSERVERS_ENCRYPTION_KEYS=[new, old]) as host:
        assert [one["newest"] for one in answer(host, "keys", "check")["secrets"]] == [False]
        assert "older key: run `flask smtp keys rotate`" in run(host, "keys", "check").output
        first, second = answer(host, "keys", "rotate"), answer(host, "keys", "rotate")
        assert (first["changed"], first["unchanged"], first["failed"]) == (1, 1, [])
        assert (second["changed"], second["unchanged"], second["failed"]) == (0, 2, [])
        assert "0 servers encrypted anew." in run(host, "keys", "rotate").output
    with hosting(database.url, SMTPSERVERS_ENCRYPTION_KEYS=[new]) as host:
        assert [one["newest"] for one in answer(host, "keys", "check")["secrets"]] == [True]
        assert password_of(host, servers(host)[0]) == PASSWORD


def test_a_lost_key(tmp_path: Path, mailbox: Mailbox) -> None:
    """Rotating leaves what it cannot read as it is, and says which; checking says why. Both end with 1."""
    url = f"sqlite:///{tmp_path / 'app.db'}"
    old = generate_key()
    with hosting(url, SMTPSERVERS_ENCRYPTION_KEYS=[old]) as host:
        lost = add(host, server_fields(mailbox))
    with hosting(url, SMTPSERVERS_ENCRYPTION_KEYS=[generate_key()]) as host:
        add(host, server_fields(mailbox, name="Good"))
        rotated = run(host, "keys", "rotate")
        assert rotated.exit_code == 1
        assert "“Shop” cannot be read" in rotated.stderr
        assert answer(host, "keys", "rotate", code=1)["failed"] == [{"id": lost.public_id, "name": "Shop"}]
        checked = answer(host, "keys", "check", code=1)["secrets"]
        assert [(one["server"], bool(one["problem"])) for one in checked] == [("Shop", True), ("Good", False)]
        assert "cannot be read: It was encrypted with the key" in run(host, "keys", "check").output
    with hosting(url, SMTPSERVERS_ENCRYPTION_KEYS=[old]) as host:
        assert password_of(host, servers(host)[0]) == PASSWORD


def test_keys_check_names_variables(host: Host, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    add(host, server_fields(mailbox, password="env:SMTPSERVERS_TEST_PASSWORD"))
    assert "The environment variable SMTPSERVERS_TEST_PASSWORD" in run(host, "keys", "check").output
    monkeypatch.setenv("SMTPSERVERS_TEST_PASSWORD", PASSWORD)
    result = run(host, "keys", "check")
    assert "read from the environment variable SMTPSERVERS_TEST_PASSWORD" in result.output
    assert (result.exit_code, PASSWORD in result.output) == (0, False)


def test_keys_check_without_secrets_and_with_a_derived_key() -> None:
    with hosting() as host:
        result = run(host, "keys", "check")
    assert "(derived from SECRET_KEY)" in result.output
    assert "No secret is stored." in result.output


@pytest.mark.parametrize("command", ["rotate", "check"])
def test_without_any_key_the_cure_is_told(command: str) -> None:
    with hosting(SECRET_KEY=None, SMTPSERVERS_PAGES=False) as host:
        result = run(host, "keys", command)
    assert (result.exit_code, "flask smtp keys generate" in result.stderr) == (1, True)


# -- check


def test_check_of_a_good_app(host: Host) -> None:
    result = run(host, "check")
    assert result.exit_code == 0, result.output
    assert all(line.startswith("ok ") for line in result.output.splitlines())


def test_check_with_warnings_passes_and_with_errors_fails(mailbox: Mailbox) -> None:
    """Warnings do not fail a deployment; errors do. Each has its cure below it."""
    with hosting() as host:
        warned = run(host, "check")
        assert warned.exit_code == 0
        assert warned.output.startswith("WARNING  keys.derived: ")
        assert warned.output.splitlines()[1].startswith("         -> Make a key")
        add(host, server_fields(mailbox, password="env:SMTPSERVERS_TEST_NOT_SET"))
        assert run(host, "check").exit_code == 1
        checks = answer(host, "check", code=1)["checks"]
        assert (checks[0]["id"], checks[0]["state"]) == ("secrets.unreadable", "error")


def test_check_sees_flask_mail_initialised_again(host: Host) -> None:
    Mail().init_app(host.app)
    assert [one["id"] for one in answer(host, "check")["checks"] if one["state"] == "warning"] == ["mail.reinitialised"]


# -- everything


@pytest.mark.parametrize("state", ["missing", "down"])
def test_without_tables_or_database_every_command_says_so(tmp_path: Path, state: str) -> None:
    """One sentence on standard error and exit code 1; never a traceback."""
    url = "sqlite://" if state == "missing" else f"sqlite:///{tmp_path / 'no such folder' / 'app.db'}"
    with hosting(url, create_tables=False) as host:
        result = run(host, "add", "--host", "localhost", "--address", "a@example.test")
        assert (result.exit_code, result.stdout) == (1, "")
        assert "nothing was written" in result.stderr
        assert run(host, "check").exit_code == 1
        listed = run(host, "list")
        assert (listed.exit_code, "Built-in" in listed.stdout) == ((0, True) if state == "missing" else (1, False))


def test_what_a_server_says_cannot_steer_the_terminal(host: Host, mailbox: Mailbox) -> None:
    """Control characters, from a row that something else wrote, are shown as question marks."""
    add(host, server_fields(mailbox))
    with host.app.app_context(), host.db.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE smtpservers_server SET name = char(27) || '[2J' || char(10) || 'x'")
    result = run(host, "list")
    assert "\x1b" not in result.output
    assert "?[2J?x" in result.output


def test_no_command_ever_shows_a_secret(
    ca_file: Path,
    ca: trustme.CA,
    mailbox: Mailbox,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Passwords, the client key and the encryption keys are in no output and no log: not in clear, base64 or hex."""
    encryption_key = generate_key()
    monkeypatch.setenv("SMTPSERVERS_TEST_PASSWORD", PASSWORD)
    pair = ca.issue_cert("client.example.test")
    key_pem = pair.private_key_pem.bytes().decode()
    certificate = written(tmp_path / "client.pem", pair.cert_chain_pems[0].bytes().decode())
    key_file = written(tmp_path / "key.pem", key_pem)
    shop = ("add", "--name", "Shop", *ADD[3:], "--port", mailbox.submission)
    set_up = [
        ((*shop, "--password-stdin", "--client-certificate", certificate, "--client-key", key_file), PASSWORD),
        ((*shop, "--name", "Env", "--password-env", "SMTPSERVERS_TEST_PASSWORD"), None),
        ((*shop, "--name", "Wrong", "--password"), "wrong-CANARY\n"),
        (("add", "--name", "", "--host", "", "--password-stdin"), PASSWORD),
        (("edit", "Shop", "--port", "1", "--username", "\x00"), None),
    ]
    ann = ("--to", "ann@example.test")
    use = [
        *(("list",), ("check",), ("keys", "check"), ("keys", "rotate")),
        *(("test", "Shop"), ("test", "Env"), ("test", "Wrong"), ("test", "Shop", *ann)),
        *(("send", *ann), ("send", *ann, "--using", "Wrong")),
        ("edit", "Shop", "--host", "other.example.test"),
        ("edit", "Shop", "--client-certificate", ""),
        ("remove", "Wrong"),
    ]
    said = []
    own = {"MAIL_USERNAME": "me", "MAIL_PASSWORD": "builtin-CANARY"}
    with hosting(ca_file=ca_file, SMTPSERVERS_ENCRYPTION_KEYS=[encryption_key], **own) as host:
        for words, typed in (
            *set_up,
            *((words, None) for words in use),
            *(((*words, "--json"), None) for words in use),
        ):
            said.append(run(host, *words, typed=typed).output)
    assert len(mailbox.letters) == 4
    everything = "\n".join([*said, caplog.text])
    for secret in (PASSWORD, "wrong-CANARY", "builtin-CANARY", encryption_key, key_pem.splitlines()[1]):
        raw = secret.encode()
        for form in (secret, base64.b64encode(raw).decode().rstrip("="), raw.hex()):
            assert form not in everything
    assert "CANARY" not in everything
