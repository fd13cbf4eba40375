"""The report of a test, for whoever helps: plain text, without password, and with user names and addresses masked."""

from __future__ import annotations

import logging
import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

from flask import Response, abort
from flask.typing import ResponseReturnValue

from ..diagnosis.stages import label
from ..errors import StoreUnavailable
from ..findings import Step
from ..i18n import gettext as _
from ..permissions import Action
from ..safe_text import printable
from ..smtp.tls import tls_library
from ..state import state_of
from .access import binding, protected, scope_of_request
from .runs import Run

logger = logging.getLogger("flask_smtpservers")

_ADDRESS = r"[^\s<>\"'(),:;@]+@[^\s<>\"'(),:;@]+"
_LINE = 2000


@dataclass(frozen=True, slots=True)
class Report:
    """The report of a run, to be asked for once the run has ended.

    :param sender: the sending address.
    :param bound: :func:`.access.binding`, asked before the page is streamed: later no cookie can be set any more.
    """

    run: Run
    sender: str
    bound: str

    def text(self) -> str:
        """Return the whole report."""
        private = _private(self.run.username, self.run.recipient, self.sender)
        return "".join(f"{private.sub(_masked, printable(line, _LINE))}\n" for line in self._lines())

    def keep(self) -> str:
        """Keep the text for a download, and return what names it; empty if it could not be kept."""
        state = state_of()
        try:
            ticket = state.drafts.keep({"report": self.text()}, binding=self.bound)
            state.store.commit()
        except StoreUnavailable as error:
            logger.warning("the report of a test could not be kept: %s", error)
            return ""
        return ticket

    def _lines(self) -> Iterator[str]:
        run, result = self.run, self.run.result
        yield _("Report of an SMTP test")
        yield _("Time: %(time)s UTC", time=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"))
        yield _("Versions: %(list)s", list=", ".join(_versions()))
        yield _("Server: %(settings)s", settings=next((step.seen for step in run.done if step.seen), run.host))
        yield _("User name: %(name)s", name=run.username or "–")
        yield _("Sender: %(address)s", address=self.sender or "–")
        yield _("Recipient: %(address)s", address=run.recipient or "–")
        yield _("This app connects from: %(addresses)s", addresses=", ".join(run.outbound_ips) or "–")
        yield ""
        yield _("Result: %(headline)s", headline=result.headline)
        yield from result.statements
        if result.diagnosis is not None:
            yield _("Cause: %(cause)s", cause=result.diagnosis.cause)
            yield _("Why: %(explanation)s", explanation=result.diagnosis.explanation)
            yield from (f"{number}. {step}" for number, step in enumerate(result.diagnosis.steps, 1))
            if result.diagnosis.said:
                yield _("The server said: %(words)s", words=result.diagnosis.said)
        yield ""
        yield _("Steps:")
        for number, (step, shown) in enumerate(zip(run.done, run.shown, strict=True), 1):
            yield from _step(number, step, shown.state, shown.took)
        yield ""
        yield _("Checklist:")
        yield from (
            f"[{'x' if point.kind == 'ok' else ' '}] {point.text} ({point.state})" for point in result.checklist
        )


def _step(number: int, step: Step, state: str, took: str) -> Iterator[str]:
    yield " ".join(part for part in (f"{number:2}", label(step.stage) + ":", state, took, step.seen) if part)
    if step.raw:
        yield f"     {step.raw}"


def _versions() -> Iterator[str]:
    for name in ("Flask-SMTPServers", "Flask", "Flask-Mail", "Flask-SQLAlchemy"):
        yield f"{name} {version(name)}"
    yield f"{platform.python_implementation()} {platform.python_version()}"
    yield f"{platform.system()} {platform.machine()}"
    yield tls_library()


def report_of(run: Run, sender: str) -> Report | None:
    """Return the report of a run; None on a user's own page: it tells of this app what is no user's business."""
    return None if scope_of_request().owner else Report(run, sender, binding())


def _private(*texts: str) -> re.Pattern[str]:
    """Match these texts where they stand by themselves, and every mail address."""
    known = sorted({text for text in texts if text}, key=len, reverse=True)
    return re.compile("|".join([*(rf"(?<!\w){re.escape(text)}(?!\w)" for text in known), _ADDRESS]))


def _masked(found: re.Match[str]) -> str:
    """Leave of a user name, or of what stands before an ``@``, only the first letter."""
    local, at, domain = found[0].rpartition("@")
    return f"{local[:1]}***@{domain}" if at else f"{domain[:1]}***"


@protected(Action.TEST_SERVERS)
def test_report(ticket: str) -> ResponseReturnValue:
    """Download the report of a test that this person ran within the last quarter of an hour."""
    kept = state_of().drafts.take(ticket, binding=binding())
    text = kept.get("report") if kept is not None else None
    if not isinstance(text, str):
        abort(404)
    answer = Response(text, mimetype="text/plain")
    answer.headers["Content-Disposition"] = 'attachment; filename="smtp-test-report.txt"'
    return answer
