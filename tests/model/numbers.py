"""Numbers as DOMAIN rule 9 has them: exact fractions, rounded once, written as plain text."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Final

Score = Fraction | None
"""A score, None where there is none."""

ZERO: Final = Fraction(0)
ONE: Final = Fraction(1)


def number(text: str) -> Fraction:
    """A decimal of an event."""
    return Fraction(text)


def total(numbers: Iterable[Fraction]) -> Fraction:
    """The sum, 0 of nothing."""
    return sum(numbers, ZERO)


def ratio(part: Fraction, whole: Fraction) -> Fraction:
    """0 where the whole is 0."""
    return part / whole if whole else ZERO


def rounded(value: Fraction) -> Fraction:
    """Half-even to 12 places."""
    return round(value, 12)


def half_up(value: Fraction, places: int) -> Fraction:
    """Half away from zero."""
    scale = 10**places
    magnitude = int(abs(value) * scale + Fraction(1, 2))
    return Fraction(magnitude if value >= 0 else -magnitude, scale)


def text(value: Fraction) -> str:
    """Plain notation of a number with at most 12 places."""
    units = value * 10**12
    assert units.denominator == 1, f"{value} is not rounded"
    whole, rest = divmod(abs(units.numerator), 10**12)
    digits = f"{whole}.{rest:012}".rstrip("0").rstrip(".")
    return f"-{digits}" if units < 0 else digits


def shown(value: Score) -> str | None:
    """A number as answers have it: rounded, absent where there is none."""
    return None if value is None else text(rounded(value))


def difference(before: Score, after: Score) -> str:
    """After − before; no score counts as 0."""
    return text((after or ZERO) - (before or ZERO))
