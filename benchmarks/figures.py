"""The arithmetic of the report: medians, spreads, ratios and how they are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Figure:
    """The median of some values, and the lowest and highest of them."""

    median: float
    low: float
    high: float

    @property
    def spread(self) -> float:
        """Half the range, as a share of the median; 0 if there is no range."""
        return (self.high - self.low) / 2 / self.median if self.median else 0.0


def figure(values: Sequence[float]) -> Figure:
    """Return median and range.

    :raises ValueError: there are no values.
    """
    if not values:
        raise ValueError("there is nothing to take a median of")
    return Figure(median(values), min(values), max(values))


def ratios(reference: Sequence[float], values: Sequence[float]) -> Figure:
    """Return how many times as long the reference takes, compared round by round."""
    return figure([theirs / own for theirs, own in zip(reference, values, strict=False)])


def milliseconds(seconds: float) -> str:
    """Write a time with three digits: ``0.77``, ``51.5``, ``3,218``."""
    return digits(seconds * 1000)


def digits(number: float) -> str:
    """Write a number with three digits, thousands with a comma, and no more than two decimals."""
    if number >= 99.95:
        return f"{number:,.0f}"
    return f"{number:.1f}" if number >= 9.995 else f"{number:.2f}"


def times(ratio: float) -> str:
    """Write a ratio with two digits: 0.95, 7.0 or 28 times."""
    if ratio < 0.995:
        return f"{ratio:.2f}×"
    return f"{ratio:.1f}×" if ratio < 9.95 else f"{ratio:.0f}×"


def per_cent(share: float) -> str:
    """Write a share: ``± 4 %``."""
    return f"± {share:.0%}".replace("%", " %")
