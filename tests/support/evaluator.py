"""A caller's own evaluation of an explained score, written from the comments of ScoreStep alone."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from okr.v1.explanation_pb2 import ScoreExplanation, ScoreStep

Op = ScoreStep.Operation


def evaluated(explanation: ScoreExplanation) -> Decimal | None:
    """The number that the steps lead to; no step may stand on a later one."""
    found: list[Fraction | None] = []
    for step in explanation.steps:
        assert all(i < len(found) for i in (*step.inputs, *step.because))
        found.append(_step(step, [found[i] for i in step.inputs]))
    last = found[-1]
    if last is None:
        return None
    units = last * 10**12
    assert units.denominator == 1, "a score has 12 places at most"
    return Decimal(units.numerator).scaleb(-12)


def _step(step: ScoreStep, given: Sequence[Fraction | None]) -> Fraction | None:
    if step.operation in (Op.OPERATION_CONSTANT, Op.OPERATION_FACT):
        return Fraction(step.value)
    if step.operation in (Op.OPERATION_CHOICE, Op.OPERATION_NOTHING):
        assert not step.HasField("value")
        return None
    if step.operation == Op.OPERATION_OR_ELSE:
        there = [each for each in given if each is not None]
        return there[0] if there else None
    if step.operation == Op.OPERATION_OVERRIDE:
        return given[0]
    if step.operation == Op.OPERATION_MEAN:
        return _mean([Fraction(1)] * len(given), given)
    if step.operation == Op.OPERATION_WEIGHTED_MEAN:
        return _mean(given[0::2], given[1::2])
    numbers = [each for each in given if each is not None]
    return None if len(numbers) < len(given) else _number(step.operation, numbers)


def _number(operation: int, n: list[Fraction]) -> Fraction:
    if operation == Op.OPERATION_ADD:
        return sum(n, Fraction(0))
    if operation == Op.OPERATION_MULTIPLY:
        product = Fraction(1)
        for each in n:
            product = product * each
        return product
    if operation == Op.OPERATION_CLAMP:
        if len(n) > 2 and n[0] > n[2]:
            return n[2]
        return n[1] if len(n) > 1 and n[0] < n[1] else n[0]
    if operation == Op.OPERATION_PIECEWISE:
        return _piecewise(n[0], n[1::2], n[2::2])
    if operation == Op.OPERATION_MAGNITUDE:
        return -n[0] if n[0] < 0 else n[0]
    if operation == Op.OPERATION_ROUND:
        return _half_even(n[0] * 10**12) / 10**12
    a, b = n
    of_two = {
        Op.OPERATION_SUBTRACT: a - b,
        Op.OPERATION_DIVIDE: Fraction(0) if b == 0 else a / b,
        Op.OPERATION_AT_LEAST: Fraction(int(a >= b)),
        Op.OPERATION_AT_MOST: Fraction(int(a <= b)),
        Op.OPERATION_MORE_THAN: Fraction(int(a > b)),
        Op.OPERATION_LESS_THAN: Fraction(int(a < b)),
    }
    return of_two[operation]  # type: ignore[index]  # a value of the enum


def _mean(weights: Sequence[Fraction | None], values: Sequence[Fraction | None]) -> Fraction | None:
    points = whole = Fraction(0)
    for weight, value in zip(weights, values, strict=True):
        if weight is not None and value is not None:
            points += weight * value
            whole += weight
    return points / whole if whole else None


def _piecewise(x: Fraction, places: list[Fraction], heights: list[Fraction]) -> Fraction:
    if places[0] == places[-1]:
        return Fraction(0)
    rising = places[-1] > places[0]
    chosen = 0
    for i in range(len(places) - 1):
        if (x >= places[i]) if rising else (x <= places[i]):
            chosen = i
    start, end = places[chosen], places[chosen + 1]
    low, high = heights[chosen], heights[chosen + 1]
    if start == end:
        return high if ((x >= end) if rising else (x <= end)) else low
    return low + (high - low) * (x - start) / (end - start)


def _half_even(x: Fraction) -> Fraction:
    below = x.numerator // x.denominator
    rest = x - below
    up = rest > Fraction(1, 2) or (rest == Fraction(1, 2) and below % 2 == 1)
    return Fraction(below + 1 if up else below)
