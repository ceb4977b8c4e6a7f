"""The working of a score: its arithmetic as steps that anyone can follow to the same number.

Numbers are exact fractions, so that nothing is rounded before a step says so. A step may have no
number (None), as a score may.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from math import prod
from typing import Final

from ledger.scoring.exact import PLACES

Number = Fraction | None


class Operation(StrEnum):
    """What a step does; how each one counts is specified at `okr.v1.ScoreStep.Operation`."""

    CONSTANT = "CONSTANT"
    FACT = "FACT"
    CHOICE = "CHOICE"
    NOTHING = "NOTHING"
    ADD = "ADD"
    SUBTRACT = "SUBTRACT"
    MULTIPLY = "MULTIPLY"
    DIVIDE = "DIVIDE"
    MAGNITUDE = "MAGNITUDE"
    CLAMP = "CLAMP"
    AT_LEAST = "AT_LEAST"
    AT_MOST = "AT_MOST"
    MORE_THAN = "MORE_THAN"
    LESS_THAN = "LESS_THAN"
    MEAN = "MEAN"
    WEIGHTED_MEAN = "WEIGHTED_MEAN"
    PIECEWISE = "PIECEWISE"
    OR_ELSE = "OR_ELSE"
    OVERRIDE = "OVERRIDE"
    ROUND = "ROUND"


LEAVES: Final = frozenset({Operation.CONSTANT, Operation.FACT, Operation.CHOICE, Operation.NOTHING})


@dataclass(frozen=True, slots=True)
class Source:
    """The event that recorded a leaf, and the path of the number in it; 0 and "" for none."""

    position: int = 0
    field: str = ""


RULES: Final = Source()
"""Where a number comes from that no event recorded."""


@dataclass(frozen=True, slots=True)
class Step:
    """A leaf, or an operation on the earlier steps `inputs`.

    `because` names the choices and comparisons that gave the step its form.
    """

    operation: Operation
    inputs: tuple[int, ...] = ()
    because: tuple[int, ...] = ()
    label: str = ""
    subject: str = ""
    number: Decimal | None = None
    text: str = ""
    source: Source = RULES


class Working:
    """Steps in the order of their making, each with its number; equal steps are one step.

    Every method that makes a step returns its index.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.numbers: list[Number] = []
        self._indices: dict[Step, int] = {}

    def constant(self, number: Decimal, label: str = "", because: tuple[int, ...] = ()) -> int:
        """A number that the rules give."""
        return self._made(Step(Operation.CONSTANT, (), because, label, number=number))

    def fact(self, number: Decimal, label: str, subject: str, source: Source) -> int:
        """A number that an event recorded."""
        return self._made(
            Step(Operation.FACT, label=label, subject=subject, number=number, source=source)
        )

    def choice(self, text: str, label: str, source: Source) -> int:
        """A choice that shapes other steps."""
        return self._made(Step(Operation.CHOICE, label=label, text=text, source=source))

    def nothing(self, label: str, source: Source = RULES) -> int:
        """No value, and why there is none."""
        return self._made(Step(Operation.NOTHING, label=label, source=source))

    def apply(
        self,
        operation: Operation,
        inputs: Sequence[int],
        label: str = "",
        because: tuple[int, ...] = (),
        subject: str = "",
    ) -> int:
        """An operation on earlier steps."""
        return self._made(Step(operation, tuple(inputs), because, label, subject))

    def result(self, index: int) -> list[Step]:
        """The steps that a step stands on, itself last, with their indices counted anew."""
        needed = {index}
        for at in range(index, -1, -1):
            if at in needed:
                step = self.steps[at]
                needed.update(step.inputs, step.because)
        order = sorted(needed)
        place = {old: new for new, old in enumerate(order)}
        return [_moved(self.steps[old], place) for old in order]

    def _made(self, step: Step) -> int:
        known = self._indices.get(step)
        if known is not None:
            return known
        self._indices[step] = index = len(self.steps)
        self.steps.append(step)
        self.numbers.append(_number(step, self.numbers))
        return index


def followed(steps: Sequence[Step]) -> list[Number]:
    """The number of every step, calculated from the leaves."""
    numbers: list[Number] = []
    for step in steps:
        numbers.append(_number(step, numbers))
    return numbers


def _moved(step: Step, place: dict[int, int]) -> Step:
    return Step(
        step.operation,
        tuple(place[i] for i in step.inputs),
        tuple(place[i] for i in step.because),
        step.label,
        step.subject,
        step.number,
        step.text,
        step.source,
    )


def _number(step: Step, numbers: Sequence[Number]) -> Number:
    if step.operation in LEAVES:
        return None if step.number is None else Fraction(step.number)
    inputs = [numbers[i] for i in step.inputs]
    match step.operation:
        case Operation.OR_ELSE:
            return next((each for each in inputs if each is not None), None)
        case Operation.OVERRIDE:
            return inputs[0]
        case Operation.MEAN:
            return _mean([(Fraction(1), each) for each in inputs])
        case Operation.WEIGHTED_MEAN:
            return _mean(list(zip(inputs[::2], inputs[1::2], strict=True)))
    known = [each for each in inputs if each is not None]
    return None if len(known) < len(inputs) else _calculated(step.operation, known)


def _calculated(operation: Operation, inputs: list[Fraction]) -> Fraction:
    match operation, inputs:
        case Operation.ADD, _:
            return sum(inputs, Fraction(0))
        case Operation.MULTIPLY, _:
            return prod(inputs, start=Fraction(1))
        case Operation.MAGNITUDE, [a]:
            return abs(a)
        case Operation.ROUND, [a]:
            return round(a, PLACES)
        case Operation.CLAMP, [a, *limits]:
            return min([max([a, *limits[:1]]), *limits[1:]])
        case Operation.PIECEWISE, [a, *points]:
            return _height(a, list(zip(points[::2], points[1::2], strict=True)))
        case _, [a, b] if operation in _OF_TWO:
            return _OF_TWO[operation](a, b)
    raise ValueError(f"{operation} takes other inputs")


_OF_TWO: Final[Mapping[Operation, Callable[[Fraction, Fraction], Fraction]]] = {
    Operation.SUBTRACT: lambda a, b: a - b,
    Operation.DIVIDE: lambda a, b: a / b if b else Fraction(0),
    Operation.AT_LEAST: lambda a, b: Fraction(a >= b),
    Operation.AT_MOST: lambda a, b: Fraction(a <= b),
    Operation.MORE_THAN: lambda a, b: Fraction(a > b),
    Operation.LESS_THAN: lambda a, b: Fraction(a < b),
}


def _mean(pairs: Sequence[tuple[Number, Number]]) -> Number:
    counted = [(weight, each) for weight, each in pairs if weight is not None and each is not None]
    whole = sum((weight for weight, _ in counted), Fraction(0))
    if not whole:
        return None
    return sum((weight * each for weight, each in counted), Fraction(0)) / whole


def _height(x: Fraction, points: list[tuple[Fraction, Fraction]]) -> Fraction:
    first, last = points[0][0], points[-1][0]
    if first == last:
        return Fraction(0)

    def reached(place: Fraction) -> bool:
        return x >= place if first < last else x <= place

    pairs = list(pairwise(points))
    (start, low), (end, high) = next(
        (pair for pair in reversed(pairs) if reached(pair[0][0])), pairs[0]
    )
    if start == end:
        return high if reached(end) else low
    return low + (x - start) * (high - low) / (end - start)
