"""The server that a piece of code asks for by name: ``with smtp.using("invoices"): ...``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_wanted: ContextVar[str | None] = ContextVar("smtpservers_using", default=None)


@contextmanager
def using(name: str | None = None) -> Iterator[None]:
    """Send the mail of this block through the server called ``name`` (or with that public id).

    It holds for the current thread or task only, and blocks nest. None goes back to choosing by the message.
    """
    token = _wanted.set(name)
    try:
        yield
    finally:
        _wanted.reset(token)


def current() -> str | None:
    """Return the server asked for by the innermost block, or None."""
    return _wanted.get()
