"""What a piece of code says of its mail: the server, the kind, whose it is: ``with smtp.using("invoices"): ...``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from enum import Enum
from functools import wraps
from inspect import iscoroutinefunction
from types import TracebackType
from typing import Any, Final, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


class Kept(Enum):
    """The type of :data:`KEPT`."""

    KEPT = "kept"


#: Stands for an argument that is not given: what the blocks around say goes on.
KEPT: Final = Kept.KEPT


@dataclass(frozen=True, slots=True)
class Choice:
    """What was said of a message.

    :param name: the name or public id of the server to use; None chooses by the message.
    :param kind: the kind of mail, one of ``SMTPSERVERS_KINDS``; None for no kind in particular.
    :param owner: the id of the user whose mail it is; None for nobody's; KEPT if nothing was said.
    :param tenant: the id of the tenant whose mail it is; None for the app's own; KEPT if nothing was said, and the
        tenant of the request counts.
    """

    name: str | None = None
    kind: str | None = None
    owner: str | Kept | None = KEPT
    tenant: str | Kept | None = KEPT

    def over(self, **given: object) -> Choice:
        """Return this choice with what is given in its place; what is KEPT stays."""
        said: dict[str, Any] = {
            key: _id(value) if key in ("owner", "tenant") else _text(value)
            for key, value in given.items()
            if value is not KEPT
        }
        return replace(self, **said)


#: What the blocks around say, each together with those around it; the innermost is the last.
_blocks: ContextVar[tuple[Choice, ...]] = ContextVar("smtpservers_using", default=(Choice(),))


def current() -> Choice:
    """Return what the blocks around say."""
    return _blocks.get()[-1]


def saying(**given: object) -> Choice:
    """Return what the blocks around say, with those arguments in its place that are not None."""
    return current().over(**{key: value for key, value in given.items() if value is not None})


def using(
    name: str | Kept | None = KEPT,
    *,
    kind: str | Kept | None = KEPT,
    owner: object = KEPT,
    tenant: object = KEPT,
) -> Using:
    """Say of the mail of a ``with`` block, or of a function that is decorated, how it is to be sent.

    It holds for the current thread or task only. Blocks nest: what the inner one does not say is as the outer one
    says, and None takes back what the outer one said.

    :param name: send it through the server called so (or with that public id).
    :param kind: the kind of mail, one of ``SMTPSERVERS_KINDS``.
    :param owner: the id of the user whose mail it is: his own server may send it.
    :param tenant: the id of the tenant whose mail it is; without it that of the request.
    """
    return Using({"name": name, "kind": kind, "owner": owner, "tenant": tenant})


class Using:
    """A block, or a decorator, within which something is said of mail."""

    def __init__(self, said: Mapping[str, object]) -> None:
        self._said = said

    def __enter__(self) -> None:
        blocks = _blocks.get()
        _blocks.set((*blocks, blocks[-1].over(**self._said)))

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _blocks.set(_blocks.get()[:-1])

    def __call__(self, function: Function) -> Function:
        """Decorate a function, also one that is a coroutine; each call has a block of its own."""

        async def run_later(*args: Any, **kwargs: Any) -> Any:
            with Using(self._said):
                return await function(*args, **kwargs)

        def run(*args: Any, **kwargs: Any) -> Any:
            with Using(self._said):
                return function(*args, **kwargs)

        wrapped: Any = wraps(function)(run_later if iscoroutinefunction(function) else run)
        return wrapped  # type: ignore[no-any-return]


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _id(value: object) -> str | None:
    """Read an id, whatever type the host's ids have; an empty one is none."""
    return _text(value) or None
