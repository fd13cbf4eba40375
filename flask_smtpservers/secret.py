"""A string that must not be seen: it has no repr, cannot be pickled, copied or formatted by accident."""

from __future__ import annotations

import hmac
from typing import NoReturn


class Secret:
    """Hold one secret text; only :meth:`reveal` gives it out."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the secret text itself; call it at the last moment and keep no copy."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return repr(self)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def _refuse(self, *_: object) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied: pass the object itself, or call reveal()")

    __reduce_ex__ = _refuse
    __copy__ = _refuse
    __deepcopy__ = _refuse
