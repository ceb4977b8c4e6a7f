"""Roll-ups: key results to an objective, objectives to a team and a cycle."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from ledger.scoring.exact import ONE, ZERO, add, multiply, ratio, rounded, subtract, total
from ledger.scoring.key_result import (
    MOVING,
    Definition,
    Direction,
    Metric,
    Reading,
    score,
)
from ledger.scoring.policy import (
    ChildRollup,
    Clamp,
    CycleRollup,
    Formula,
    Policy,
    Rollup,
    Ungraded,
    Weights,
)


@dataclass(frozen=True, slots=True)
class Unit:
    """One thing that counts in an objective: a key result or a contributing child.

    `score` is final and rounded, None when ungraded; `weight` is 0 or more. `target` serves
    weights by target, `achieved` of `wanted` serves the sum of values; all three are None where
    the unit is not a moving number.
    """

    score: Decimal | None
    weight: Decimal = ONE
    target: Decimal | None = None
    achieved: Decimal | None = None
    wanted: Decimal | None = None


@dataclass(frozen=True, slots=True)
class RolledUp:
    """An objective's score and what it is made of.

    `shares` has one number for each unit, key results first, then children: its part of the
    weight, 0 for a unit that does not count; not rounded, together 1, or all 0.
    """

    score: Decimal | None
    shares: tuple[Decimal, ...]


@dataclass(slots=True)
class RunningMean:
    """The plain mean of scores that come and go; sums are exact, so their order is no matter."""

    total: Decimal = ZERO
    count: int = 0
    ungraded: int = 0

    def add(self, score: Decimal | None) -> None:
        """Lets one more score count, None for an ungraded thing."""
        self.count += 1
        if score is None:
            self.ungraded += 1
        else:
            self.total = add(self.total, score)

    def remove(self, score: Decimal | None) -> None:
        """Takes back a score that was added."""
        self.count -= 1
        if score is None:
            self.ungraded -= 1
        else:
            self.total = subtract(self.total, score)

    def score(self, policy: Policy) -> Decimal | None:
        """The mean, rounded; None where nothing counts that is graded, under EXCLUDE."""
        exclude = policy.ungraded is Ungraded.EXCLUDE
        counted = self.count - self.ungraded if exclude else self.count
        if exclude and not counted:
            return None
        return rounded(ratio(self.total, Decimal(counted)))


def unit(definition: Definition, reading: Reading, policy: Policy) -> Unit:
    """A key result as a unit of its objective."""
    graded = score(definition, reading, policy)
    if definition.metric is not Metric.NUMBER or definition.direction not in MOVING:
        return Unit(graded, definition.weight)
    achieved, wanted = _amounts(definition, reading if graded is not None else None, policy)
    return Unit(graded, definition.weight, definition.target, achieved, wanted)


def objective_score(
    key_results: Sequence[Unit], children: Sequence[Unit], policy: Policy
) -> Decimal | None:
    """An objective's score, rounded once; children are those that contribute.

    Nothing to count, or a total weight of 0: 0 under Ungraded.ZERO, None under EXCLUDE.
    """
    points, weights = _counted(key_results, children, policy)
    return _divided(points, weights, policy)


def objective_rollup(
    key_results: Sequence[Unit], children: Sequence[Unit], policy: Policy
) -> RolledUp:
    """The same score with each unit's share of the weight; a division a unit dearer."""
    points, weights = _counted(key_results, children, policy)
    whole = total(weights)
    shares = tuple(ratio(weight, whole) for weight in weights)
    return RolledUp(_divided(points, weights, policy), shares)


def weight_shares(units: Sequence[Unit], policy: Policy) -> tuple[Decimal, ...]:
    """Each unit's share of the weight, graded or not; not rounded, together 1, or all 0."""
    weights = _weights(units, policy)
    whole = total(weights)
    return tuple(ratio(weight, whole) for weight in weights)


def team_score(objectives: Sequence[Decimal | None], policy: Policy) -> Decimal | None:
    """The plain mean over objectives, each given once; rounded, None as for an objective."""
    return _plain(objectives, policy)


def cycle_score(
    objectives: Sequence[tuple[Decimal | None, Sequence[Decimal | None]]], policy: Policy
) -> Decimal | None:
    """A cycle's score from each objective's score and the scores of its key results, rounded."""
    if policy.cycle_rollup is CycleRollup.MEAN_OF_KEY_RESULTS:
        return _plain([graded for _, key_results in objectives for graded in key_results], policy)
    return _plain([graded for graded, _ in objectives], policy)


def _amounts(
    definition: Definition, reading: Reading | None, policy: Policy
) -> tuple[Decimal | None, Decimal | None]:
    """What was achieved of what is wanted, as the formula's dividend and positive divisor.

    Unmeasured, nothing of it was; what a decrease wants under RATIO is then unknown.
    """
    target = definition.target
    value = None if reading is None else reading.value
    if target is None:
        return None, None
    if policy.formula is Formula.RATIO:
        if definition.direction is Direction.DECREASE:
            return (target, value) if value is not None and value > 0 < target else (None, None)
        return (ZERO if value is None else value, target) if target > 0 else (None, None)
    baseline = definition.baseline or ZERO
    achieved = ZERO if value is None else subtract(value, baseline)
    wanted = subtract(target, baseline)
    return (achieved, wanted) if wanted >= 0 else (achieved.copy_negate(), wanted.copy_negate())


def _counted(
    key_results: Sequence[Unit], children: Sequence[Unit], policy: Policy
) -> tuple[list[Decimal], list[Decimal]]:
    """Points, that is score × weight, and weight of each unit; 0 for one that does not count.

    Both are scaled instead of divided, so they stay exact.
    """
    exclude = policy.ungraded is Ungraded.EXCLUDE
    units = [*key_results, *children]
    scores = [ZERO if each.score is None else each.score for each in units]
    own = len(key_results)
    if policy.child_rollup is ChildRollup.KEY_RESULTS_ARE_ONE_UNIT:
        inner = _present(key_results, _weights(key_results, policy), exclude)
        group = Unit(ONE)
        outer = _weights([group, *children], policy)
        beside = _present(children, outer[1:], exclude)
        whole = total(inner)
        if whole:
            inner = [multiply(weight, outer[0]) for weight in inner]
            beside = [multiply(weight, whole) for weight in beside]
        weights = inner + beside
    else:
        weights = _present(units, _weights(units, policy), exclude)
        if policy.child_rollup is ChildRollup.NONE:
            weights[own:] = [ZERO] * len(children)
    points = [multiply(*pair) for pair in zip(scores, weights, strict=True)]
    if policy.rollup is Rollup.SUM_OF_VALUES:
        return _summed(units, points, weights, policy)
    return points, weights


def _present(units: Sequence[Unit], weights: Sequence[Decimal], exclude: bool) -> list[Decimal]:
    return [
        ZERO if exclude and each.score is None else weight
        for each, weight in zip(units, weights, strict=True)
    ]


def _weights(units: Sequence[Unit], policy: Policy) -> list[Decimal]:
    """Weights by the policy, in proportion only.

    By target, a unit without one (a child, a binary) weighs as much as the mean of the others.
    """
    if policy.weights is Weights.GIVEN:
        return [each.weight for each in units]
    targets = [each.target.copy_abs() for each in units if each.target is not None]
    if policy.weights is Weights.EQUAL or not targets:
        return [ONE] * len(units)
    known, whole = Decimal(len(targets)), total(targets)
    return [
        whole if each.target is None else multiply(each.target.copy_abs(), known) for each in units
    ]


def _summed(
    units: Sequence[Unit], points: list[Decimal], weights: list[Decimal], policy: Policy
) -> tuple[list[Decimal], list[Decimal]]:
    """The moving numbers that count become one: all achieved ÷ all wanted, clamped.

    They keep their weight as a group, shared among them by what each wants. Units that cannot
    be summed stand beside it with their own points.
    """
    at = [i for i, each in enumerate(units) if each.wanted is not None and weights[i]]
    wanted = total(units[i].wanted or ZERO for i in at)
    group = total(weights[i] for i in at)
    if not wanted:
        # Nothing is wanted of them, so that they reach nothing.
        return [ZERO if i in at else each for i, each in enumerate(points)], weights
    together = _held(total(units[i].achieved or ZERO for i in at), wanted, policy)
    points = [multiply(each, wanted) for each in points]
    weights = [multiply(weight, wanted) for weight in weights]
    for i in at:
        weights[i] = multiply(group, units[i].wanted or ZERO)
        points[i] = ZERO
    points[at[0]] = multiply(group, together)
    return points, weights


def _held(achieved: Decimal, wanted: Decimal, policy: Policy) -> Decimal:
    """As much of what was achieved as the policy's limits of a score let count."""
    if policy.clamp is Clamp.NONE:
        return achieved
    return min(max(achieved, ZERO), wanted) if policy.clamp is Clamp.UNIT else max(achieved, ZERO)


def _divided(
    points: Sequence[Decimal], weights: Sequence[Decimal], policy: Policy
) -> Decimal | None:
    whole = total(weights)
    if not whole:
        return None if policy.ungraded is Ungraded.EXCLUDE else ZERO
    return rounded(ratio(total(points), whole))


def _plain(scores: Sequence[Decimal | None], policy: Policy) -> Decimal | None:
    found = RunningMean()
    for graded in scores:
        found.add(graded)
    return found.score(policy)
