"""The closed lists of causes and fixes, with the words in which a person is told of them.

Sentences stand in :mod:`.reaching`, :mod:`.encryption`, :mod:`.server`, :mod:`.login`, :mod:`.sending` and
:mod:`.fixes`; they are marked there and translated by :func:`worded`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from ...findings import Diagnosis
from ...i18n import gettext as _
from . import encryption, login, reaching, sending, server
from .fixes import FIXES as _FIXES
from .kinds import Cause, Fix, Variant

_FAMILIES = (reaching, encryption, server, login, sending)

#: Every cause by its id.
CAUSES: Mapping[str, Cause] = MappingProxyType({cause.id: cause for family in _FAMILIES for cause in family.CAUSES})
#: Every fix by its id.
FIXES: Mapping[str, Fix] = MappingProxyType({fix.id: fix for fix in _FIXES})
#: Other words for a cause, by cause and the name of the case.
VARIANTS: Mapping[tuple[str, str], Variant] = MappingProxyType(
    {key: variant for family in _FAMILIES for key, variant in family.VARIANTS.items()}
)


class Noun(str):
    """A word in the place of something that is not known; at the beginning of a sentence it gets a capital."""

    __slots__ = ()


#: At most so many steps are shown.
MOST_STEPS = 3


def worded(
    cause_id: str,
    fix_id: str = "",
    variant: str = "",
    *,
    words: Mapping[str, object],
    transient: bool | None = None,
    said: str = "",
    link: str = "",
    provider: str = "",
) -> Diagnosis:
    """Put a decision into words, in the language being spoken.

    :param fix_id: empty takes the cause's normal fix.
    :param variant: the name of a special case; one without words of its own changes nothing.
    :param words: a value for every placeholder.
    :param transient: None takes the cause's own.
    """
    cause = CAUSES[cause_id]
    fix = FIXES[fix_id or cause.fixes[0]]
    special = VARIANTS.get((cause_id, variant), Variant())
    steps = _known(special.steps or ((fix.step, fix.plain), *cause.then), words)
    return Diagnosis(
        cause=cause.id,
        fix=fix.id,
        title=_filled(special.title or cause.title, words),
        explanation=_filled(special.explanation or cause.explanation, words),
        steps=tuple(_filled(step, words) for step in steps),
        transient=cause.transient if transient is None else transient,
        mender=special.mender or cause.mender,
        said=said,
        link=link,
        provider=provider,
    )


def _filled(sentence: str, words: Mapping[str, object]) -> str:
    text = _(sentence, **words)
    begins = any(isinstance(word, Noun) and text.startswith(word) for word in words.values())
    return text[:1].upper() + text[1:] if begins else text


def _known(steps: Iterable[str | tuple[str, str]], words: Mapping[str, object]) -> list[str]:
    """Leave out sentences about something that is not known, or take the plain ones in their place."""
    kept: list[str] = []
    for step in steps:
        choices: tuple[str, ...] = (step,) if isinstance(step, str) else step
        kept += [choice for choice in choices if choice and not _missing(choice, words)][:1]
    return kept[:MOST_STEPS]


def _missing(sentence: str, words: Mapping[str, object]) -> bool:
    return any(words.get(name, "") == "" for name in re.findall(r"%\((\w+)\)s", sentence))
