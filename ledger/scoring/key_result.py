"""A key result's attainment and score."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from ledger.scoring.definition import (
    MOVING,
    UNMEASURED,
    Aggregation,
    Definition,
    Direction,
    Metric,
    Milestone,
    Reading,
)
from ledger.scoring.exact import (
    ONE,
    ZERO,
    add,
    along,
    half_up,
    multiply,
    ratio,
    rounded,
    subtract,
    total,
)
from ledger.scoring.policy import Boundary, Clamp, Formula, Maintain, Policy

__all__ = [
    "COMMIT_SCORE",
    "MOVING",
    "TARGET_SCORE",
    "UNMEASURED",
    "Aggregation",
    "Definition",
    "Direction",
    "Metric",
    "Milestone",
    "Reading",
    "attainment",
    "bounds",
    "clamped",
    "score",
    "share_of_all_periods",
    "within_bounds",
    "zones",
]

COMMIT_SCORE: Final = Decimal("0.3")
TARGET_SCORE: Final = Decimal("0.7")
"""What the commit and the target of a key result in ZONES score."""
_ZONE_PLACES: Final = 2


def score(definition: Definition, reading: Reading, policy: Policy) -> Decimal | None:
    """The attainment made a grade by the policy, rounded once to 12 places; None = ungraded."""
    reached = attainment(definition, reading, policy)
    return None if reached is None else rounded(clamped(reached, policy))


def clamped(attained: Decimal, policy: Policy) -> Decimal:
    """An attainment within the limits that the policy sets for a score."""
    if policy.clamp is Clamp.NONE:
        return attained
    if attained < 0:
        return ZERO
    return ONE if attained > 1 and policy.clamp is Clamp.UNIT else attained


def attainment(definition: Definition, reading: Reading, policy: Policy) -> Decimal | None:
    """How far the key result has come, unclamped and not rounded; None = ungraded.

    Total for every finite input: a zero span has attainment 0, a ratio or distance by 0 is 1 if
    met, else 0. A definition without the number it is measured against is ungraded.
    """
    if not reading.measured:
        return None
    metric = definition.metric
    if metric is Metric.MILESTONES:
        return _completed_share(definition.milestones, reading.completed)
    if metric is Metric.NUMBER and definition.direction not in MOVING:
        return _maintained(definition, reading, policy)
    value = reading.value
    if value is None:
        return None
    if metric is Metric.BINARY:
        return ONE if value >= 1 else ZERO
    if metric is Metric.ZONES:
        return _zoned(definition, value)
    target = definition.target
    if target is None:
        return None
    if policy.formula is Formula.RATIO:
        return _share_of_target(value, target, definition.direction)
    baseline = definition.baseline or ZERO
    return ratio(subtract(value, baseline), subtract(target, baseline))


def within_bounds(definition: Definition, value: Decimal, policy: Policy) -> bool:
    """Whether a value keeps the bounds of a MAINTAIN_* definition; absent bounds are kept."""
    lower, upper = bounds(definition)
    if policy.boundary is Boundary.STRICT:
        return (lower is None or value > lower) and (upper is None or value < upper)
    return (lower is None or value >= lower) and (upper is None or value <= upper)


def share_of_all_periods(
    definition: Definition, values: Sequence[Decimal | None], periods: int, policy: Policy
) -> Decimal:
    """The periods met so far ÷ all `periods` of the cycle; 0 for a cycle without periods."""
    return ratio(_met(definition, values, policy), Decimal(periods))


def zones(baseline: Decimal, stretch: Decimal) -> tuple[Decimal, Decimal]:
    """Commit and target at 0.3 and 0.7 of the way to the stretch, to two places (half-up).

    Source: puzzle/okr, migration V3_6_4.
    """
    span = subtract(stretch, baseline)
    return (
        half_up(add(baseline, multiply(span, COMMIT_SCORE)), _ZONE_PLACES),
        half_up(add(baseline, multiply(span, TARGET_SCORE)), _ZONE_PLACES),
    )


def bounds(definition: Definition) -> tuple[Decimal | None, Decimal | None]:
    """The lower and the upper bound of a MAINTAIN_* definition; None where it has none."""
    if definition.direction is Direction.MAINTAIN_AT_LEAST:
        return definition.lower, None
    if definition.direction is Direction.MAINTAIN_AT_MOST:
        return None, definition.upper
    return definition.lower, definition.upper


def _met(definition: Definition, values: Sequence[Decimal | None], policy: Policy) -> Decimal:
    return Decimal(
        sum(1 for value in values if value is not None and within_bounds(definition, value, policy))
    )


def _completed_share(milestones: tuple[Milestone, ...], completed: frozenset[str]) -> Decimal:
    done = total(step.weight for step in milestones if step.id in completed)
    return ratio(done, total(step.weight for step in milestones))


def _maintained(definition: Definition, reading: Reading, policy: Policy) -> Decimal | None:
    lower, upper = bounds(definition)
    if lower is None and upper is None:
        return None
    if policy.maintain is Maintain.SHARE_OF_PERIODS:
        periods = reading.periods
        if not periods:
            return None
        return ratio(_met(definition, periods, policy), Decimal(len(periods)))
    value = reading.value
    if value is None:
        return None
    if policy.maintain is Maintain.DISTANCE:
        return _distance(definition, value, lower, upper, policy)
    return ONE if within_bounds(definition, value, policy) else ZERO


def _distance(
    definition: Definition,
    value: Decimal,
    lower: Decimal | None,
    upper: Decimal | None,
    policy: Policy,
) -> Decimal:
    """1 plus the room left before the bound, or minus the excess past it, ÷ the bound's size.

    With one bound, room counts too: (2·bound − value) ÷ bound for AT_MOST. Between two bounds
    there is nothing to gain, so a value that keeps both is 1.

    Source: profit.co, distance from target of a control KPI.
    """
    if upper is not None and (lower is None or value > upper):
        bound, room = upper, subtract(upper, value)
    elif lower is not None and (upper is None or value < lower):
        bound, room = lower, subtract(value, lower)
    else:
        return ONE
    if not bound:
        return ONE if within_bounds(definition, value, policy) else ZERO
    return add(ONE, ratio(room, bound.copy_abs()))


def _share_of_target(value: Decimal, target: Decimal, direction: Direction) -> Decimal:
    """Value ÷ target, or target ÷ value for a decrease.

    Ratios order only positive quantities, so where the divisor (for a decrease either number) is
    0 or less the answer is the one for 0: 1 if met, else 0.
    """
    if direction is Direction.DECREASE:
        if value > 0 and target > 0:
            return ratio(target, value)
        return ONE if value <= target else ZERO
    if target > 0:
        return ratio(value, target)
    return ONE if value >= target else ZERO


def _zoned(definition: Definition, value: Decimal) -> Decimal | None:
    """Linear from baseline (0) over commit (0.3) and target (0.7) to stretch (1.0).

    The end pieces go on beyond their ends. An empty piece is a step: its upper score from the
    shared value on.
    """
    baseline, stretch = definition.baseline or ZERO, definition.stretch
    if stretch is None:
        return None
    if stretch == baseline:
        return ZERO
    commit, target = definition.commit, definition.target
    if commit is None or target is None:
        derived_commit, derived_target = zones(baseline, stretch)
        commit = derived_commit if commit is None else commit
        target = derived_target if target is None else target
    falling = stretch < baseline
    pieces = (
        (target, TARGET_SCORE, stretch, ONE),
        (commit, COMMIT_SCORE, target, TARGET_SCORE),
        (baseline, ZERO, commit, COMMIT_SCORE),
    )
    entered = (piece for piece in pieces if (value <= piece[0] if falling else value >= piece[0]))
    start, low, end, high = next(entered, pieces[-1])
    if start == end:
        return high if (value <= end if falling else value >= end) else low
    return along(value, start, low, end, high)
