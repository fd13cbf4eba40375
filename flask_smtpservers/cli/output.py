"""What every command says and returns: text or JSON, errors as sentences, and the exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import wraps
from typing import Any, NoReturn, ParamSpec, TypeVar

import click
from flask.cli import with_appcontext

from ..errors import InvalidServer, MessageRefused, SendError, ServerLocked, ServerNotFound, SMTPServersError
from ..findings import Diagnosis, SeenCertificate
from ..i18n import gettext as _

P = ParamSpec("P")
T = TypeVar("T")

#: The thing that was asked for failed: a test, a mail, a key, a check.
FAILED = 1
#: The command cannot be carried out as it was typed: an option, a field, or the name of a server is wrong.
INVALID = 2

#: Shown at the end of every command's help.
EXIT_CODES = "Exit codes: 0 it worked; 1 it failed; 2 an option, a field or a name is wrong, and nothing was done."

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON value instead of text.")


def printable(text: str) -> str:
    """Return ``text`` with everything that could steer a terminal replaced by ``?``."""
    return "".join(char if char.isprintable() else "?" for char in text)


def say(text: str = "") -> None:
    """Print one line for people; it is on the screen when this returns."""
    click.echo(printable(text))


def complain(text: str) -> None:
    """Print one line on standard error."""
    click.echo(printable(text), err=True)


def say_json(value: Any) -> None:
    """Print ``value`` as one JSON document."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def stamp(moment: datetime | None) -> str | None:
    """Return a moment as RFC 3339 in UTC; databases without zones give it back naive."""
    if moment is None:
        return None
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return aware.strftime("%Y-%m-%dT%H:%M:%SZ")


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table whose columns are as wide as their widest cell."""
    cells = [[printable(cell) for cell in row] for row in (titles, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def diagnosis_lines(diagnosis: Diagnosis) -> list[str]:
    """Return the cause of a failure and what to do about it, the steps numbered."""
    lines = [_("Why: %(explanation)s", explanation=diagnosis.explanation)]
    if diagnosis.said:
        lines.append(_("The server said: %(words)s", words=diagnosis.said))
    if diagnosis.steps:
        lines.append(_("Do this:"))
        lines.extend(f"  {number}. {step}" for number, step in enumerate(diagnosis.steps, 1))
    if diagnosis.certificate is not None:
        lines.extend(_certificate_lines(diagnosis.certificate))
    if diagnosis.link:
        lines.append(_("More about it: %(address)s", address=diagnosis.link))
    return lines


def _certificate_lines(certificate: SeenCertificate) -> list[str]:
    names = ", ".join(certificate.names[:5])
    dates = {"first": certificate.not_before.date().isoformat(), "last": certificate.not_after.date().isoformat()}
    return [
        _("The certificate of the server:"),
        _("  Made out to: %(subject)s (%(names)s)", subject=certificate.subject, names=names),
        _("  Issued by: %(issuer)s", issuer=certificate.issuer),
        _("  Valid: from %(first)s to %(last)s", **dates),
        _("  Fingerprint: %(fingerprint)s", fingerprint=certificate.fingerprint),
        *([_("  Trusted until now: %(fingerprint)s", fingerprint=certificate.trusted)] if certificate.trusted else []),
        _("To trust it, once whoever runs the server has read the same fingerprint to you:"),
        f"  flask smtp edit NAME_OR_ID --certificate-fingerprint {certificate.fingerprint} --password",
    ]


def _certificate_json(certificate: SeenCertificate | None) -> dict[str, Any] | None:
    if certificate is None:
        return None
    return {
        "fingerprint": certificate.fingerprint,
        "trusted": certificate.trusted,
        "subject": certificate.subject,
        "names": list(certificate.names),
        "issuer": certificate.issuer,
        "not_before": stamp(certificate.not_before),
        "not_after": stamp(certificate.not_after),
    }


def diagnosis_json(diagnosis: Diagnosis | None) -> dict[str, Any] | None:
    """Return a diagnosis as plain values."""
    if diagnosis is None:
        return None
    return {
        "cause": diagnosis.cause,
        "fix": diagnosis.fix,
        "title": diagnosis.title,
        "explanation": diagnosis.explanation,
        "steps": list(diagnosis.steps),
        "transient": diagnosis.transient,
        "mender": diagnosis.mender.value,
        "said": diagnosis.said,
        "link": diagnosis.link,
        "certificate": _certificate_json(diagnosis.certificate),
        "correction": dict(diagnosis.correction),
    }


def refuse_fields(fields: Mapping[str, Sequence[str]], *, as_json: bool, text: str = "") -> NoReturn:
    """Say what is wrong with each field, one sentence a line, and leave with exit code 2."""
    lines = [f"{name}: {sentence}" for name, sentences in fields.items() for sentence in sentences]
    if as_json:
        error = {"text": text or " ".join(lines), "fields": {name: list(said) for name, said in fields.items()}}
        say_json({"error": error})
    else:
        for line in lines:
            complain(line)
    raise click.exceptions.Exit(INVALID)


def reporting(command: Callable[P, T]) -> Callable[P, T]:
    """Turn the package's errors into a sentence and an exit code; a traceback would help nobody at a prompt.

    The command gets the app's context, and must take ``as_json``.
    """

    @with_appcontext
    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except SMTPServersError as error:
            _report(error, as_json=bool(kwargs.get("as_json")))

    return run


def _report(error: SMTPServersError, *, as_json: bool) -> NoReturn:
    if isinstance(error, InvalidServer):
        refuse_fields(error.fields, as_json=as_json)
    diagnosis = error.diagnosis if isinstance(error, SendError) else None
    if as_json:
        say_json({"error": {"text": str(error), **_reply_of(error), "diagnosis": diagnosis_json(diagnosis)}})
    else:
        complain(str(error))
        for line in diagnosis_lines(diagnosis) if diagnosis else ():
            complain(line)
    invalid = isinstance(error, ServerNotFound | ServerLocked | MessageRefused)
    raise click.exceptions.Exit(INVALID if invalid else FAILED)


def _reply_of(error: SMTPServersError) -> dict[str, Any]:
    if not isinstance(error, SendError):
        return {}
    return {
        "server": error.server,
        "stage": error.stage.value,
        "code": error.code,
        "enhanced": error.enhanced,
        "reply": error.reply,
        "permanent": error.permanent,
    }
