"""The arithmetic that tests do by hand, as the service writes its results."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

Number = Fraction | int


def said(number: Number) -> str:
    """A number rounded half to even to 12 places, as text without needless zeros."""
    rounded = round(Fraction(number), 12)
    return f"{(Decimal(rounded.numerator) / rounded.denominator).normalize():f}"


def of(part: int, whole: int) -> Fraction:
    """A share."""
    return Fraction(part, whole)


def tenths(number: int) -> Fraction:
    """So many tenths."""
    return Fraction(number, 10)


def mean(*numbers: Number) -> Fraction:
    """The mean of some numbers."""
    return Fraction(sum(numbers)) / len(numbers)
