"""The form of a cause and of a fix. The texts stand in the modules beside this one, by family."""

from __future__ import annotations

from dataclasses import dataclass

from ...findings import Mender


@dataclass(frozen=True, slots=True)
class Fix:
    """One thing to do.

    :param step: the instruction, a sentence with named placeholders, translated when shown.
    :param plain: the instruction for when a placeholder of ``step`` has no value.
    """

    id: str
    step: str
    plain: str = ""


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason why a server could not be used. Sentences have named placeholders and are translated when shown.

    :param title: a headline of a few words.
    :param explanation: one or two whole sentences.
    :param fixes: ids of its fixes, the normal one first.
    :param mender: who can mend it.
    :param then: what to do after the fix's own step, at most two sentences.
    :param transient: whether trying again later, with nothing changed, may help.
    """

    id: str
    title: str
    explanation: str
    fixes: tuple[str, ...]
    mender: Mender
    then: tuple[str, ...] = ()
    transient: bool = False


@dataclass(frozen=True, slots=True)
class Variant:
    """Other words for a cause in a special case: a provider's own way, or something that was seen.

    Empty members leave the cause's own words, and its mender, in place.
    """

    title: str = ""
    explanation: str = ""
    steps: tuple[str, ...] = ()
    mender: Mender | None = None
