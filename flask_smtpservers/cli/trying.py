"""``flask smtp test`` and ``flask smtp send``: is a server all right, and does a real mail get through?"""

from __future__ import annotations

from typing import Any

import click
from flask_mail import Message

from .. import mail as hook
from ..errors import InvalidServer
from ..findings import Step
from ..i18n import gettext as _
from ..permissions import Scope
from ..sending.arrival import await_arrival
from ..sending.choice import saying
from ..sending.delivery import Delivery, Outcome, RecipientOutcome
from ..sending.trial import try_server
from ..servers.mailboxes import check_address, split_mailbox
from ..servers.profile import ServerProfile
from ..state import state_of
from ..web.runs import Run, Shown
from .output import (
    EXIT_CODES,
    FAILED,
    diagnosis_json,
    diagnosis_lines,
    json_option,
    reporting,
    say,
    say_json,
)
from .scopes import scope_options

#: What the list of servers names as the one who tested.
_ACTOR = "flask smtp test"


@click.command("test", epilog=EXIT_CODES)
@click.argument("server", metavar="NAME_OR_ID")
@click.option("--to", metavar="ADDRESS", help="Send a test message there; without it nothing is sent.")
@scope_options
@json_option
@reporting
def test_server(server: str, *, to: str | None, scope: Scope, as_json: bool) -> None:
    """Test a server step by step.

    Each step is shown as it ends: find the server, reach it, encrypt, sign in … With --to a test message is sent.
    """
    state = state_of()
    profile = state.store.find(server, scope=scope)
    recipient = _recipient(to)
    awaited = await_arrival(state, profile, name=profile.name, recipient=recipient, actor=_ACTOR)
    steps = try_server(state, profile, recipient=recipient, operator=True, awaited=awaited, actor=_ACTOR)
    run = Run(steps, profile.host, profile.username, recipient)
    show_run(run, quiet=as_json)
    state.store.commit()
    if as_json:
        say_json(run_json(profile, run))
    if not run.result.passed:
        raise click.exceptions.Exit(FAILED)


def show_run(run: Run, *, quiet: bool) -> None:
    """Carry a run out and print each step as it ends, and the result."""
    for number, shown in enumerate(run, 1):
        if not quiet:
            say(_step_line(number, shown))
    if not quiet:
        _tell_result(run)


def _recipient(text: str | None) -> str:
    """Check the address of ``--to``; none is right as well.

    :raises InvalidServer: it is no single address.
    """
    if not text:
        return ""
    try:
        return check_address(split_mailbox(text)[1])
    except ValueError as error:
        raise InvalidServer({"to": [str(error)]}) from None


def _step_line(number: int, shown: Shown) -> str:
    line = f"{number:2}  {shown.state:11}  {shown.took:>9}  {shown.label}"
    return f"{line}: {shown.seen}" if shown.seen else line


def _tell_result(run: Run) -> None:
    result = run.result
    say()
    say(result.headline)
    for statement in result.statements:
        say(statement)
    if result.diagnosis is not None:
        for line in diagnosis_lines(result.diagnosis):
            say(line)
    if result.who:
        say(result.who)


def run_json(profile: ServerProfile, run: Run) -> dict[str, Any]:
    """Return a run as plain values."""
    result = run.result
    return {
        "server": {"id": profile.public_id, "name": profile.name},
        "passed": result.passed,
        "headline": result.headline,
        "statements": list(result.statements),
        "steps": [_step_json(step) for step in run.done],
        "diagnosis": diagnosis_json(result.diagnosis),
    }


def _step_json(step: Step) -> dict[str, Any]:
    return {
        "stage": step.stage.value,
        "state": step.state.value,
        "milliseconds": step.milliseconds,
        "seen": step.seen,
        "raw": step.raw,
    }


@click.command("send", epilog=EXIT_CODES)
@click.option("--to", metavar="ADDRESS", required=True, multiple=True, help="Recipient; may be given several times.")
@click.option("--subject", help="Subject of the mail.")
@click.option("--body", help="Text of the mail.")
@click.option("--using", metavar="NAME", help="Send through this server instead of the one that would be chosen.")
@click.option("--from", "sender", metavar="ADDRESS", help="Sender; without it the server's sending address.")
@click.option("--kind", metavar="ID", help="Kind of mail, one of SMTPSERVERS_KINDS.")
@click.option("--owner", metavar="ID", help="The user whose mail it is.")
@click.option("--tenant", metavar="ID", help="The tenant whose mail it is.")
@json_option
@reporting
def send(
    *,
    to: tuple[str, ...],
    subject: str | None,
    body: str | None,
    using: str | None,
    sender: str | None,
    as_json: bool,
    **whose: str | None,
) -> None:
    """Send a real mail, the way the app's mail goes.

    Tells which server took it, and why that one. Exit code 1 also if it was not sent on purpose, or if one of several
    recipients was refused.
    """
    name = state_of().settings.app_name
    message = Message(
        subject or _("Test message from %(app)s", app=name),
        recipients=[*to],
        body=body or _("This message was sent with `flask smtp send`."),
        sender=sender,
    )
    delivery = hook.deliver(message, saying(name=using, **whose))
    if as_json:
        say_json(_delivery_json(delivery))
    else:
        _tell_delivery(delivery)
    if len(delivery.accepted) < len(delivery.recipients):
        raise click.exceptions.Exit(FAILED)


def _tell_delivery(delivery: Delivery) -> None:
    if delivery.server_name:
        say(_("Server: %(name)s", name=delivery.server_name))
    if delivery.route is not None:
        say(_("Why this one: %(reason)s", reason=delivery.route.reason))
    for one in delivery.recipients:
        say(_recipient_line(one))
    if delivery.queue_id:
        say(_("Queue id: %(id)s", id=delivery.queue_id))
    if delivery.message_id:
        say(_("Message-ID: %(id)s", id=delivery.message_id))
    say(_("Took: %(number)s ms", number=delivery.milliseconds))


def _recipient_line(one: RecipientOutcome) -> str:
    words = {
        Outcome.ACCEPTED: _("accepted"),
        Outcome.REFUSED: _("refused"),
        Outcome.IN_DOUBT: _("in doubt: it may have arrived, so do not simply send it again"),
        Outcome.SUPPRESSED: _("not sent, on purpose"),
    }
    reply = " ".join(part for part in (str(one.code or ""), one.text) if part)
    line = f"{one.address}: {words[one.outcome]}"
    return f"{line} ({reply})" if reply else line


def _delivery_json(delivery: Delivery) -> dict[str, Any]:
    return {
        "server": {"id": delivery.server_id, "name": delivery.server_name},
        "rule": delivery.route.rule.value if delivery.route is not None else None,
        "reason": delivery.route.reason if delivery.route is not None else "",
        "recipients": [
            {
                "address": one.address,
                "outcome": one.outcome.value,
                "code": one.code,
                "enhanced": one.enhanced,
                "text": one.text,
            }
            for one in delivery.recipients
        ],
        "queue_id": delivery.queue_id,
        "reply": delivery.reply,
        "message_id": delivery.message_id,
        "milliseconds": delivery.milliseconds,
    }
