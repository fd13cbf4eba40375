"""``flask smtp explain`` and ``flask smtp mode``: which server would send a message, and which ways there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import click

from .. import mail as hook
from ..errors import InvalidServer
from ..i18n import gettext as _
from ..permissions import Scope
from ..policy import Mode, ModeState
from ..sending.choice import saying
from ..sending.explanation import Explanation, rule_words
from ..sending.routing import Tried
from ..state import state_of
from .output import EXIT_CODES, INVALID, complain, json_option, reporting, say, say_json, table
from .scopes import tenant_option


@click.command("explain", epilog=EXIT_CODES)
@click.option("--from", "sender", metavar="ADDRESS", help="Sender; without it the app's default sender.")
@click.option("--to", metavar="ADDRESS", multiple=True, help="Recipient; may be given several times.")
@click.option("--kind", metavar="ID", help="Kind of mail, one of SMTPSERVERS_KINDS.")
@click.option("--owner", metavar="ID", help="The user whose mail it is.")
@click.option("--tenant", metavar="ID", help="The tenant whose mail it is.")
@click.option("--using", metavar="NAME", help="The server that the program asks for.")
@json_option
@reporting
def explain(*, sender: str | None, to: tuple[str, ...], using: str | None, as_json: bool, **whose: str | None) -> None:
    """Tell which server would send a mail, and why the others would not.

    Nothing is sent. The answer is that of the app's own mail: the same rules, in their order.
    """
    found = hook.explanation(sender, to, saying(name=using, **whose))
    if as_json:
        say_json(explanation_json(found))
    else:
        for line in _explained(found):
            say(line)
        if found.obstacle:
            complain(found.obstacle)
    if found.obstacle:
        raise click.exceptions.Exit(INVALID)


def _explained(found: Explanation) -> list[str]:
    lines: list[str] = []
    if found.route is not None:
        lines.append(_("Server: %(name)s", name=found.route.server_name))
        lines.append(_("Why this one: %(reason)s", reason=found.route.reason))
    if found.sender is not None:
        lines.append(_("From: %(sender)s", sender=found.sender.header))
        lines.append(_("Replies go to: %(address)s", address=found.reply_to))
        lines.append(_("Envelope sender: %(address)s", address=found.sender.envelope))
    if found.tried:
        lines += ["", *table(("", _("Rule"), _("What it found")), _tried_rows(found.tried)), ""]
    return lines


def _tried_rows(tried: Iterable[Tried]) -> Iterator[tuple[str, str, str]]:
    for number, one in enumerate(tried, 1):
        yield str(number), rule_words(one.rule), one.reason
        for other in one.others:
            yield "", "", f"- {other.reason}"


def explanation_json(found: Explanation) -> dict[str, Any]:
    """Return an explanation as plain values; without a server, ``server`` and ``rule`` are null."""
    route, sender = found.route, found.sender
    server = route.server if route is not None else None
    return {
        "server": {"id": server.public_id if server is not None else None, "name": route.server_name}
        if route is not None
        else None,
        "rule": route.rule.value if route is not None else None,
        "reason": route.reason if route is not None else "",
        "from": str(sender.header) if sender is not None else None,
        "reply_to": str(found.reply_to) if sender is not None else None,
        "envelope_sender": sender.envelope if sender is not None else None,
        "obstacle": found.obstacle,
        "tried": [
            {
                "rule": tried.rule.value,
                "reason": tried.reason,
                "others": [
                    {"id": other.server_id, "name": other.server_name, "reason": other.reason} for other in tried.others
                ],
            }
            for tried in found.tried
        ],
    }


@click.command("mode", epilog=EXIT_CODES)
@click.argument("mode", metavar="[WAY]", required=False)
@click.argument("switch", metavar="[on|off|usual]", required=False)
@tenant_option
@json_option
@reporting
def mode(*, mode: str | None, switch: str | None, scope: Scope, as_json: bool) -> None:
    """Show the ways to send, or switch one for a tenant.

    The ways are builtin (the app's own server), domain (one's own domain through it) and own (servers of one's own).
    "usual" goes back to what SMTPSERVERS_MODES says; what it hides cannot be switched on.
    """
    store = state_of().store
    if mode is not None:
        store.switch_mode(_chosen(mode), _wanted(switch), scope=scope)
        store.commit()
    modes = store.modes(scope=scope)
    if as_json:
        say_json({"modes": {str(way): str(state) for way, state in modes.items()}})
    else:
        for line in _lines(modes):
            say(line)


def _chosen(text: str) -> Mode:
    try:
        return Mode(text.lower())
    except ValueError:
        raise InvalidServer({"mode": [_("Choose one of: %(choices)s.", choices=", ".join(Mode))]}) from None


def _wanted(text: str | None) -> bool | None:
    switches = {"on": True, "off": False, "usual": None}
    if text is None or text.lower() not in switches:
        raise InvalidServer({"switch": [_("Choose one of: %(choices)s.", choices=", ".join(switches))]})
    return switches[text.lower()]


def _lines(modes: Mapping[Mode, ModeState]) -> list[str]:
    words = {ModeState.ON: _("can be used"), ModeState.ASK: _("must be switched on first"), ModeState.OFF: _("hidden")}
    return [f"{way}: {words[state]}" for way, state in modes.items()]
