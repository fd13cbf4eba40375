"""What a rule answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Verdict:
    """A cause, and what is special about it in this case.

    :param fix: the id of the fix if it is not the cause's normal one.
    :param variant: which other words to use; see :data:`~flask_smtpservers.diagnosis.causes.VARIANTS`.
    :param words: values for placeholders that only the rule knows.
    :param transient: whether it passes by itself, if that differs from the cause's usual answer.
    """

    cause: str
    fix: str = ""
    variant: str = ""
    words: Mapping[str, object] = field(default_factory=dict)
    transient: bool | None = None
