"""``flask smtp export|import``: the settings as a file that says what is set up and holds no secret."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from ..errors import InvalidServer
from ..i18n import gettext as _
from ..permissions import Scope
from ..secret import Secret
from ..servers.comparing import AskSecret, plan_of
from ..servers.document import as_json as written_as_json
from ..servers.document import as_toml, exported, read_document
from ..servers.importing import apply
from ..servers.plan import Difference, Plan, ServerChange
from ..state import state_of
from .output import EXIT_CODES, FAILED, complain, json_option, reporting, say, say_json
from .scopes import scope_options

#: What the history names as the one who did it.
_ACTOR = "flask smtp import"
#: No settings of an app are larger.
_LARGEST_FILE = 4 * 1024 * 1024
_SIGNS = {"added": "+", "changed": "~", "removed": "-"}


@click.command("export", epilog=EXIT_CODES)
@click.argument("file", metavar="[FILE]", required=False)
@click.option("--format", "form", type=click.Choice(["toml", "json"]), help="TOML, unless FILE ends in .json.")
@scope_options
@reporting
def export_servers(*, file: str | None, form: str | None, scope: Scope) -> None:
    """Write the servers, switches and kinds of mail to FILE, or to standard output.

    No secret is in it, encrypted or not. "flask smtp import" reads it again.
    """
    values = exported(state_of().store, scope)
    form = form or ("json" if file and file.endswith(".json") else "toml")
    text = written_as_json(values) if form == "json" else as_toml(values)
    if file is None or file == "-":
        click.echo(text, nl=False)
        return
    try:
        Path(file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidServer({"file": [_("%(path)s: %(reason)s", path=file, reason=error.strerror)]}) from None
    say(_("Written to %(path)s, without passwords.", path=file))


@click.command("import", epilog=EXIT_CODES)
@click.argument("file", metavar="FILE")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@click.option("--prune", is_flag=True, help="Remove what the file does not name.")
@scope_options
@json_option
@reporting
def import_servers(*, file: str, yes: bool, dry_run: bool, prune: bool, scope: Scope, as_json: bool) -> None:
    """Change the settings to what FILE says ("-" reads standard input).

    Shows what would change, asks, and changes all of it or nothing. What FILE does not say stays. FILE is what "export"
    writes, or TOML or JSON with the same names, MAIL_* names, or the url of a server. Passwords come from the
    environment (password = "env:NAME"), or are asked for.
    """
    if as_json and not (yes or dry_run):
        raise click.UsageError(_("With --json nothing is asked: say --yes or --dry-run as well."))
    state = state_of()
    plan = plan_of(
        state.store,
        read_document(_read(file)),
        scope=scope,
        kinds=tuple(state.settings.kinds),
        prune=prune,
        ask=_asking(file, yes=yes, dry_run=dry_run),
    )
    if not as_json:
        for line in _lines(plan):
            say(line)
    if not plan.empty and not dry_run:
        if not yes and not click.confirm(_("Change this?")):
            complain(_("Nothing was changed."))
            raise click.exceptions.Exit(FAILED)
        apply(state.store, plan, actor=_ACTOR)
        state.store.commit()
    if as_json:
        say_json(_plan_json(plan, done=not dry_run))
    elif not plan.empty:
        say(_("Nothing was changed: this was a dry run.") if dry_run else _("Done."))


def _read(file: str) -> str:
    try:
        if file == "-":
            content = sys.stdin.buffer.read(_LARGEST_FILE + 1)
        else:
            with Path(file).open("rb") as source:
                content = source.read(_LARGEST_FILE + 1)
        if len(content) > _LARGEST_FILE:
            raise InvalidServer({"file": [_("This file is too large for settings of servers.")]})
        return content.decode("utf-8-sig")
    except OSError as error:
        raise InvalidServer({"file": [_("%(path)s: %(reason)s", path=file, reason=error.strerror)]}) from None
    except UnicodeDecodeError:
        raise InvalidServer({"file": [_("This is no text in UTF-8.")]}) from None


def _asking(file: str, *, yes: bool, dry_run: bool) -> AskSecret:
    def ask(name: str, field: str) -> Secret | None:
        if dry_run and field == "password":
            return Secret("-")  # only to see the rest
        if yes or dry_run or file == "-":
            return None
        if field == "password":
            asked = _("Password of “%(name)s”", name=name)
            return Secret(click.prompt(asked, hide_input=True, err=True))
        path = click.prompt(_("File with the client key of “%(name)s”", name=name), err=True)
        return Secret(_read(path))

    return ask


# -- showing


def _lines(plan: Plan) -> Iterator[str]:
    if plan.empty:
        yield _("Nothing to change.")
        return
    for change in plan.servers:
        yield f"{_SIGNS[change.action]} {_heading(change)}"
        for one in change.differences:
            if change.action != "added" or one.new not in (None, "", [], False):
                yield f"    {_difference(one, added=change.action == 'added')}"
    if plan.moved:
        yield f"~ {_('Order: %(names)s', names=', '.join(plan.order))}"
    for one in plan.switches:
        yield f"~ {_difference(one)}"


def _heading(change: ServerChange) -> str:
    words = {
        "added": _("“%(name)s” is added", name=change.name),
        "changed": _("“%(name)s” is changed", name=change.name),
        "removed": _("“%(name)s” is removed, with its password", name=change.name),
    }
    return words[change.action]


def _difference(one: Difference, *, added: bool = False) -> str:
    if one.name in ("password", "client_key"):
        new = one.new if isinstance(one.new, str) else _("set") if one.new else _("removed")
        return f"{one.name}: {_('changed') if one.old and one.new is True else new}"
    if added:
        return f"{one.name}: {_value(one.new)}"
    return f"{one.name}: {_value(one.old)} → {_value(one.new)}"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        return ", ".join(value) or "–"
    text = str(value) if value is not None else ""
    if "\n" in text:
        return _("(%(count)s characters)", count=len(text))
    return text or "–"


def _plan_json(plan: Plan, *, done: bool) -> dict[str, Any]:
    return {
        "done": done and not plan.empty,
        "servers": [
            {
                "action": change.action,
                "name": change.name,
                "changes": {one.name: {"old": one.old, "new": one.new} for one in change.differences},
            }
            for change in plan.servers
        ],
        "order": list(plan.order) if plan.moved else None,
        "switches": {one.name: {"old": one.old, "new": one.new} for one in plan.switches},
    }
