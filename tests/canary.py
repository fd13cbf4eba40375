"""After every test: the password that the tests sign in with stands nowhere that anybody could read it.

Looked through: what was printed, what our logger was told (at DEBUG), every response of a host app, every error of ours
with the local variables of its frames; and, when a host app of ``tests.apps`` ends, its tables and every object that
the extension keeps: how it shows itself, and what of it can be carried away by a pickle or a copy.
"""

from __future__ import annotations

import base64
import copy
import logging
import pickle
import traceback
from collections.abc import Generator, Iterable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask, Response, request_finished
from werkzeug.wsgi import ClosingIterator

from flask_smtpservers.errors import SendError

from .peers.mailbox import PASSWORD, USERNAME


def _forms(user: str, password: str) -> dict[str, str]:
    """Return the forms in which a password leaks, each with its name."""
    raw = password.encode()
    plain = base64.b64encode(b"\0" + user.encode() + b"\0" + raw).decode()
    return {
        "in clear": password,
        "in base64": base64.b64encode(raw).decode().rstrip("="),
        "as AUTH PLAIN": plain.rstrip("="),
        "in hex": raw.hex(),
        "percent-encoded": quote(password, safe="").replace("-", "%2D"),
    }


FORMS = _forms(USERNAME, PASSWORD)


def leaks(text: str) -> list[str]:
    """Return in which forms the password stands in ``text``."""
    return [name for name, form in FORMS.items() if form in text]


def shown_and_carried(value: object) -> Iterator[str]:
    """Give how a value shows itself, and what a pickle and a copy of it hold, as far as it lets itself be carried."""
    yield repr(value)
    if type(value).__str__ is not object.__str__:
        yield str(value)
    for carry in (copy.copy, pickle.dumps):  # a deep copy has no more in it than a pickle, and takes longer
        try:
            carried = carry(value)
        except Exception:  # noqa: BLE001 - whatever it raises, nothing was carried away
            continue
        yield carried.decode("latin-1") if isinstance(carried, bytes) else repr(getattr(carried, "__dict__", carried))


class Watch(logging.Handler):
    """What came by during one test."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.found: list[str] = []
        self.errors: list[BaseException] = []

    def look(self, where: str, text: str) -> None:
        self.found += [f"{where}: the password, {form}" for form in leaks(text)]

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info:
            text += "".join(traceback.format_exception(*record.exc_info))
        self.look(f"the log ({record.name})", text)

    def response(self, sender: Flask, response: Response, **_: Any) -> None:
        """Look through a response, also one that is streamed, as it goes by."""
        self.look("response headers", str(response.headers))
        if response.is_streamed:
            pieces: Any = response.response
            # Also one that nobody reads, such as a file that the browser has already, must be closed.
            close = [pieces.close] if hasattr(pieces, "close") else None
            response.response = ClosingIterator(self._pieces(pieces), close)
        elif not response.direct_passthrough:
            self.look(f"response {response.status}", response.get_data(as_text=True))

    def _pieces(self, pieces: Iterable[str | bytes]) -> Iterator[str | bytes]:
        for piece in pieces:
            self.look("streamed response", piece if isinstance(piece, str) else piece.decode("utf-8", "replace"))
            yield piece

    def look_through_errors(self) -> None:
        for error in self.errors:
            for text in (repr(vars(error)), *shown_and_carried(error)):
                self.look(f"{type(error).__name__}", text)
            for frame, _line in traceback.walk_tb(error.__traceback__):
                if "/flask_smtpservers/" in frame.f_code.co_filename:
                    where = f"{type(error).__name__}, locals of {frame.f_code.co_name}"
                    self.look(where, repr(list(frame.f_locals.values())))
        self.errors.clear()


_watch: Watch | None = None


def look(where: str, text: str) -> None:
    """Look through ``text`` on behalf of the running test."""
    if _watch is not None:
        _watch.look(where, text)


def look_at(value: object) -> None:
    """Look through an object on behalf of the running test."""
    if _watch is not None:
        for text in shown_and_carried(value):
            _watch.look(f"a {type(value).__name__}", text)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Watch from before the set-up of a test to after its end."""
    global _watch
    watch = _watch = Watch()
    item.stash[_KEY] = watch
    logger = logging.getLogger("flask_smtpservers")
    level = logger.level
    logger.addHandler(watch)
    logger.setLevel(logging.DEBUG)
    request_finished.connect(watch.response)
    made = SendError.__init__

    def noted(error: SendError, *args: Any, **values: Any) -> None:
        made(error, *args, **values)
        watch.errors.append(error)

    SendError.__init__ = noted  # type: ignore[method-assign]  # only to look on
    try:
        return (yield)
    finally:
        SendError.__init__ = made  # type: ignore[method-assign]
        logger.removeHandler(watch)
        logger.setLevel(level)
        request_finished.disconnect(watch.response)
        _watch = None


_KEY = pytest.StashKey[Watch]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, Any, pytest.TestReport]:
    """Fail a test that passed but leaked."""
    report: pytest.TestReport = yield
    watch = item.stash[_KEY]
    if call.excinfo is not None:
        watch.errors.append(call.excinfo.value)
    watch.look("standard output", report.capstdout)
    watch.look("standard error", report.capstderr)
    watch.look_through_errors()
    if report.passed and watch.found:
        report.outcome = "failed"
        report.longrepr = "The password leaked.\n" + "\n".join(sorted(set(watch.found)))
    return report
