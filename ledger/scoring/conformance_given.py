"""Reading what a conformance case gives: numbers, a definition, a reading."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from ledger.scoring.definition import UNMEASURED, Definition, Direction, Metric, Milestone, Reading

Given = Mapping[str, Any]


def number(value: object) -> Decimal:
    """A finite decimal from decimal text or a JSON number that was read exactly.

    Raises:
        TypeError: neither.
        ValueError: no finite number.
        InvalidOperation: text that is no number.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise TypeError(f"{value!r} is not a decimal")
    found = Decimal(value)
    if not found.is_finite():
        raise ValueError(f"{value!r} is not a finite number")
    return found


def maybe(given: Given, name: str) -> Decimal | None:
    """A number that may be absent or null."""
    value = given.get(name)
    return None if value is None else number(value)


def numbers(values: Sequence[Any]) -> list[Decimal]:
    """Several numbers, in order."""
    return [number(value) for value in values]


def definition_of(given: Given) -> Definition:
    """The definition a case gives; a direction that is not said follows from the signs."""
    baseline, target, bound = (maybe(given, name) for name in ("baseline", "target", "bound"))
    if "direction" in given:
        direction = Direction(given["direction"])
    else:
        falls = target is not None and target < (baseline or 0)
        direction = Direction.DECREASE if falls else Direction.INCREASE
    lower, upper = maybe(given, "lower"), maybe(given, "upper")
    return Definition(
        metric=Metric(given.get("metric", Metric.NUMBER)),
        direction=direction,
        baseline=baseline,
        target=target,
        commit=maybe(given, "commit"),
        stretch=maybe(given, "stretch"),
        lower=bound if direction is Direction.MAINTAIN_AT_LEAST and bound is not None else lower,
        upper=bound if direction is Direction.MAINTAIN_AT_MOST and bound is not None else upper,
        weight=number(given.get("weight", "1")),
        milestones=tuple(
            Milestone(str(at), number(weight))
            for at, (weight, _) in enumerate(given.get("milestones", ()))
        ),
    )


def _periods(given: Given) -> tuple[Decimal | None, ...]:
    return tuple(None if value is None else number(value) for value in given.get("values", ()))


def reading_of(given: Given) -> Reading:
    """What a case says was measured: a value, milestones done, or values per period."""
    value, periods = maybe(given, "value"), _periods(given)
    if "milestones" in given:
        steps = enumerate(given["milestones"])
        return Reading(completed=frozenset(str(at) for at, (_, done) in steps if done))
    if value is None and not periods:
        return UNMEASURED
    if value is None:
        value = periods[-1]
    return Reading(value, periods=periods)
