"""Exact decimal arithmetic with one context of its own.

Every operation names the context, so the digits do not depend on the thread's ambient one.
Comparisons of decimals are exact by themselves and need none.
"""

from collections.abc import Iterable, Sequence
from decimal import (
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
)
from typing import Final

PLACES: Final = 12
"""Decimal places of every score and every roll-up."""

# An input has at most 18 + 9 digits. A weighted sum of unclamped scores has then some 70, and a
# quotient must tell a tie from its neighbour: 100 digits round every result correctly.
CONTEXT: Final = Context(
    prec=100,
    rounding=ROUND_HALF_EVEN,
    Emin=-999_999,
    Emax=999_999,
    traps=[InvalidOperation, DivisionByZero, Overflow],
)
_HALF_UP: Final = Context(prec=100, rounding=ROUND_HALF_UP, Emin=-999_999, Emax=999_999)
_QUANTA: Final = tuple(Decimal((0, (1,), -places)) for places in range(PLACES + 1))
_QUANTUM: Final = _QUANTA[PLACES]
_NOTHING: Final = Decimal(0)

ZERO: Final = Decimal("0E-12")
ONE: Final = Decimal("1.000000000000")

add: Final = CONTEXT.add
subtract: Final = CONTEXT.subtract
multiply: Final = CONTEXT.multiply


def rounded(number: Decimal) -> Decimal:
    """Half-even to 12 places, in one form: equal numbers have equal digits, and zero no sign.

    A number of 88 digits or more before the point, beyond every limit of the ledger, is left to
    100 significant digits instead.
    """
    try:
        return CONTEXT.add(CONTEXT.quantize(number, _QUANTUM), ZERO)
    except InvalidOperation:
        return CONTEXT.plus(number)


def units(number: Decimal) -> int:
    """A rounded number counted in its last place: whole, and in the same order as the numbers."""
    return int(CONTEXT.scaleb(number, PLACES))


def half_up(number: Decimal, places: int) -> Decimal:
    """Half-up to `places` places (0 to 12), as people print figures; never used for a score."""
    try:
        return _HALF_UP.add(_HALF_UP.quantize(number, _QUANTA[places]), _NOTHING)
    except InvalidOperation:
        return _HALF_UP.plus(number)


def total(numbers: Iterable[Decimal]) -> Decimal:
    """The sum, 0 of nothing."""
    result = ZERO
    for number in numbers:
        result = CONTEXT.add(result, number)
    return result


def ratio(part: Decimal, whole: Decimal) -> Decimal:
    """`part` ÷ `whole`, 0 where `whole` is 0."""
    return CONTEXT.divide(part, whole) if whole else ZERO


def along(x: Decimal, start: Decimal, low: Decimal, end: Decimal, high: Decimal) -> Decimal:
    """The height at `x` on the line from (`start`, `low`) to (`end`, `high`), and beyond them.

    Divided last, so that it is exact wherever the height has finitely many digits. `low` where
    start and end are one.
    """
    climbed = multiply(subtract(x, start), subtract(high, low))
    return add(low, ratio(climbed, subtract(end, start)))


def mean(numbers: Sequence[Decimal]) -> Decimal:
    """The plain mean, not rounded; 0 of nothing."""
    return ratio(total(numbers), Decimal(len(numbers)))


def text(number: Decimal) -> str:
    """Plain notation without exponent, trailing zeros or a sign on zero.

    Equal numbers have equal text, and the text reads back as an equal number.
    """
    digits = format(number, "f")
    if "." in digits:
        digits = digits.rstrip("0").rstrip(".")
    return "0" if digits == "-0" else digits
