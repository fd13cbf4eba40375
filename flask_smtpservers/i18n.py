"""Translation of every sentence that a person reads. The edge says which catalogue is in use; no Flask here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from gettext import NullTranslations, translation
from pathlib import Path

DOMAIN = "smtpservers"
DIRECTORY = Path(__file__).parent / "translations"

#: The languages that are written from right to left.
RIGHT_TO_LEFT = frozenset({"ar", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"})

_catalogue: ContextVar[NullTranslations | None] = ContextVar("smtpservers_catalogue", default=None)


def gettext(message: str, /, **values: object) -> str:
    """Translate ``message`` and fill in its ``%(name)s`` placeholders."""
    catalogue = _catalogue.get()
    text = catalogue.gettext(message) if catalogue is not None else message
    return text % values if values else text


def ngettext(singular: str, plural: str, number: int, /, **values: object) -> str:
    """Translate with the right plural; ``%(number)s`` is filled in as well."""
    catalogue = _catalogue.get()
    if catalogue is not None:
        text = catalogue.ngettext(singular, plural, number)
    else:
        text = singular if number == 1 else plural
    return text % {"number": number, **values}


def N_(message: str) -> str:  # noqa: N802 - the name that extraction tools know
    """Mark a sentence of a table for extraction; it is translated where it is shown."""
    return message


def language() -> str:
    """Name the language of the catalogue in use; empty for the sentences as they stand in the code."""
    catalogue = _catalogue.get()
    return catalogue.info().get("language", "") if catalogue is not None else ""


def page_language() -> tuple[str, str]:
    """Name the language of what is shown, and the direction in which it is written, as HTML does."""
    spoken = (language() or "en").replace("_", "-")
    return spoken, "rtl" if spoken.partition("-")[0].lower() in RIGHT_TO_LEFT else "ltr"


@contextmanager
def speaking(*languages: str) -> Iterator[None]:
    """Translate into the first of ``languages`` that has a catalogue, inside the block; else stay with English."""
    token = _catalogue.set(translation(DOMAIN, DIRECTORY, languages=list(languages), fallback=True))
    try:
        yield
    finally:
        _catalogue.reset(token)
