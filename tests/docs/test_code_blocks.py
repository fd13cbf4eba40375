"""What stands in the documentation runs."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
from flask import Flask, render_template_string
from flask_mail import Mail
from flask_sqlalchemy import SQLAlchemy

from flask_smtpservers.cli import smtp_commands
from flask_smtpservers.config import Settings
from flask_smtpservers.providers.__main__ import parser as providers_parser
from flask_smtpservers.providers.catalog import Catalog
from flask_smtpservers.servers.configured import Configured

from ..apps import Host
from ..peers.mailbox import Mailbox
from .pages import PAGES, ROOT, blocks, commands, name_of


def test_the_blocks_are_found() -> None:
    """The pages hold Python, shell commands and templates, and the search for them finds them with their lines."""
    first = blocks(ROOT / "docs" / "quickstart.md", "python")[0]
    assert first.text.startswith("from flask import Flask\n")
    assert (ROOT / "docs" / "quickstart.md").read_text().splitlines()[first.line - 1] == "from flask import Flask"


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=name_of)
def test_python_runs(page: Path, names: dict[str, Any], mailbox: Mailbox) -> None:
    """The Python blocks of a page run from top to bottom, and a mail that they send arrives."""
    if page.name == "README.md":  # there the reader's app has no SMTPServers yet
        names |= plain_app()
    for block in blocks(page, "python"):
        # the reader's own mail server is ours here
        source = block.text.replace('MAIL_SERVER="localhost"', f'MAIL_SERVER="localhost", MAIL_PORT={mailbox.plain}')
        exec(compile("\n" * (block.line - 1) + source, str(page), "exec"), names)
    if "create_app" in names:
        names["create_app"]()
    if any(call in block.text for block in blocks(page, "python") for call in ("mail.send(", "smtp.send(")):
        assert mailbox.letters


def test_the_list_of_providers_on_its_page_is_right(names: dict[str, Any]) -> None:
    """The TOML file and the dictionary that the page shows are taken as they stand."""
    page = ROOT / "docs" / "providers.md"
    (example,) = blocks(page, "toml")
    mine = Catalog(tomllib.loads(example.text))
    assert [one.id for one in mine.first] == ["acme", "gmail", "microsoft365"]
    (dictionary,) = blocks(page, "python")
    exec(dictionary.text, names)
    assert Catalog(names["app"].config["SMTPSERVERS_PROVIDERS"]).provider("acme") is not None


def test_the_configured_servers_on_their_page_are_right(names: dict[str, Any], tmp_path: Path) -> None:
    """The list, and the TOML file, are taken as they stand."""
    page = ROOT / "docs" / "configuration.md"
    (code,) = blocks(page, "python")
    exec(code.text, names)
    assert [one.name for one in Configured(Settings.from_config(names["app"].config)).servers] == ["Invoices", "Shop"]
    (example,) = blocks(page, "toml")
    path = tmp_path / "mail.toml"
    path.write_text(example.text)
    (first, second) = Configured(Settings.from_config({"SMTPSERVERS_SERVERS": path})).servers
    assert (first.name, second.name, second.security) == ("Invoices", "Relay", "ssl")


def plain_app() -> dict[str, Any]:
    """An app with a database and mail, and nothing of ours."""
    app = Flask("shop")
    app.config.update(SECRET_KEY="a secret", SQLALCHEMY_DATABASE_URI="sqlite://")
    return {"app": app, "db": SQLAlchemy(app), "mail": Mail(app)}


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "html+jinja")], ids=name_of)
def test_templates_render(page: Path, host: Host) -> None:
    """The templates of a page render inside a request, each to something."""
    for block in blocks(page, "html+jinja"):
        with host.app.test_request_context("/"):
            assert render_template_string(block.text).strip(), block.line


@pytest.mark.parametrize(
    ("page", "line", "command"),
    [(page, *found) for page in PAGES for found in commands(page)],
    ids=lambda value: name_of(value) if isinstance(value, Path) else None,
)
def test_commands_exist(page: Path, line: int, command: str) -> None:
    """Each command of ours has the arguments that it is shown with, and each ``make`` target is there."""
    program, *arguments = shlex.split(command, comments=True)
    if program == "flask" and "smtp" in arguments:
        parse(smtp_commands, arguments[arguments.index("smtp") + 1 :])
    elif program == "make":
        targets = re.findall(r"^([\w.-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert {word for word in arguments if "=" not in word} <= set(targets)
    elif arguments[:2] == ["-m", "flask_smtpservers.providers"]:
        words = arguments[2 : arguments.index("<") if "<" in arguments else None]
        providers_parser().parse_args(words)
    else:
        assert program in {"pip", "git", "cd", "flask", "export"}, f"{name_of(page)}:{line}: nothing checks {command!r}"


def parse(command: click.Command, arguments: list[str], parent: click.Context | None = None) -> None:
    """Parse the arguments as the command would, without running it."""
    context = command.make_context(command.name, list(arguments), parent=parent)
    if isinstance(command, click.Group):
        _, found, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert found is not None, f"no command {arguments[0]}"
        parse(found, rest, context)
