"""To look for a secret in an error, in its frames, and in whatever can be reached from a value."""

from __future__ import annotations

import re
import traceback
from base64 import b64encode
from collections.abc import Iterator
from types import TracebackType
from urllib.parse import quote

from flask_smtpservers.secret import Secret


def spellings(username: str, secret: str) -> list[str]:
    """The forms in which a password or a token shows: in clear, in the messages that carry it, encoded, and cut off."""
    messages = (
        secret,
        f"\0{username}\0{secret}",
        f"user={username}\x01auth=Bearer {secret}\x01\x01",
        f"n,a={username},\x01host=mail.example.test\x01port=25\x01auth=Bearer {secret}\x01\x01",
    )
    encoded = [b64encode(message.encode()).decode() for message in messages]
    percent = quote(secret, safe="")
    small = re.sub("%[0-9A-F]{2}", lambda escape: escape[0].lower(), percent)
    hexadecimal = secret.encode().hex()
    cut = [text.rstrip("=")[:-2] for text in encoded]
    return [secret, *encoded, *cut, percent, small, hexadecimal, hexadecimal.upper()]


def frames(error: BaseException) -> Iterator[TracebackType]:
    """Every traceback entry of an exception and of the chain behind it."""
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        current = todo.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        todo += [current.__cause__, current.__context__]
        step = current.__traceback__
        while step is not None:
            yield step
            step = step.tb_next


def reachable(value: object, depth: int = 4) -> Iterator[str]:
    """The texts in a value, in its attributes, items and closures, as an error tracker could show them."""
    if isinstance(value, bytes | bytearray | memoryview):
        yield bytes(value).decode("latin-1")
    elif isinstance(value, str):
        yield value
    elif isinstance(value, Secret | type) or depth == 0:
        return
    elif isinstance(value, dict):
        for item in value.items():
            yield from reachable(item, depth - 1)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from reachable(item, depth - 1)
    else:
        yield repr(value)
        yield from reachable(getattr(value, "__dict__", {}), depth - 1)
        for cell in getattr(value, "__closure__", None) or ():
            yield from reachable(cell.cell_contents, depth - 1)


def assert_clean(error: BaseException, forms: list[str]) -> None:
    """Neither the error, nor its text, nor the locals of the package's frames show any of ``forms``."""
    texts = [str(error), repr(error), repr(error.args), *reachable(vars(error))]
    texts += traceback.format_exception(error)
    for step in frames(error):
        if "flask_smtpservers" in step.tb_frame.f_code.co_filename:
            texts += reachable(dict(step.tb_frame.f_locals))
    for form in forms:
        assert not [text for text in texts if form in text], form
