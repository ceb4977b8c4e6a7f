"""From key results and children to an objective, from objectives to a team and a cycle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from okr.v1.values_pb2 import Direction, Metric
from okr.v1.values_pb2 import KeyResultDefinition as Definition
from okr.v1.values_pb2 import ScoringPolicy as Policy
from tests.model.measure import MOVING, Measured, clamped, score, value
from tests.model.numbers import ONE, ZERO, Score, number, ratio, rounded, total


@dataclass(frozen=True)
class Unit:
    """What counts in an objective: a key result or a child.

    `target`, and what was `achieved` of what is `wanted`, are a moving number's.
    """

    score: Score
    weight: Fraction = ONE
    target: Fraction | None = None
    achieved: Fraction | None = None
    wanted: Fraction | None = None


def unit(definition: Definition, measured: Measured, policy: Policy) -> Unit:
    """A key result under a definition."""
    found, weight = score(definition, measured, policy), number(definition.weight)
    if definition.metric != Metric.METRIC_NUMBER or definition.direction not in MOVING:
        return Unit(found, weight)
    baseline, target = number(definition.baseline), number(definition.target)
    there = value(definition, measured)
    if policy.formula != Policy.FORMULA_RATIO:
        sign = 1 if target >= baseline else -1
        achieved = ZERO if there is None else (there - baseline) * sign
        return Unit(found, weight, target, achieved, (target - baseline) * sign)
    if definition.direction == Direction.DIRECTION_INCREASE and target > 0:
        return Unit(found, weight, target, ZERO if there is None else there, target)
    falls = definition.direction == Direction.DIRECTION_DECREASE and target > 0
    if falls and there is not None and there > 0:
        return Unit(found, weight, target, target, there)
    return Unit(found, weight, target)


@dataclass(frozen=True)
class Rolled:
    """A score and each unit's share of the weight, key results first."""

    score: Score
    shares: Sequence[Fraction]


def rolled_up(key_results: Sequence[Unit], children: Sequence[Unit], policy: Policy) -> Rolled:
    """An objective's score, rounded once."""
    units = [*key_results, *children]
    weights = _weights(key_results, children, policy)
    scores = [ZERO if each.score is None else each.score for each in units]
    if policy.rollup == Policy.ROLLUP_SUM_OF_VALUES:
        scores, weights = _summed(units, scores, weights, policy)
    whole = total(weights)
    if not whole:
        none = None if policy.ungraded == Policy.UNGRADED_EXCLUDE else ZERO
        return Rolled(none, [ZERO] * len(units))
    points = total(s * w for s, w in zip(scores, weights, strict=True))
    return Rolled(rounded(points / whole), [weight / whole for weight in weights])


def mean(scores: Sequence[Score], policy: Policy) -> Score:
    """The plain mean, rounded; nothing ungraded counts under EXCLUDE."""
    if policy.ungraded == Policy.UNGRADED_EXCLUDE:
        graded = [each for each in scores if each is not None]
        return rounded(total(graded) / len(graded)) if graded else None
    return rounded(ratio(total(each or ZERO for each in scores), Fraction(len(scores))))


def _weights(
    key_results: Sequence[Unit], children: Sequence[Unit], policy: Policy
) -> list[Fraction]:
    """What each unit weighs; nothing where it does not count."""
    if policy.child_rollup != Policy.CHILD_ROLLUP_KEY_RESULTS_ARE_ONE_UNIT:
        every = _counted([*key_results, *children], policy)
        if policy.child_rollup == Policy.CHILD_ROLLUP_NONE:
            every[len(key_results) :] = [ZERO] * len(children)
        return every
    inner = _counted(key_results, policy)
    group, *beside = _counted([Unit(ONE), *children], policy)
    whole = total(inner)
    return [ratio(weight * group, whole) for weight in inner] + beside


def _counted(units: Sequence[Unit], policy: Policy) -> list[Fraction]:
    excludes = policy.ungraded == Policy.UNGRADED_EXCLUDE
    weights = [each.weight for each in units]
    targets = [abs(each.target) for each in units if each.target is not None]
    if policy.weights == Policy.WEIGHTS_EQUAL or (
        policy.weights == Policy.WEIGHTS_BY_TARGET and not targets
    ):
        weights = [ONE] * len(units)
    elif policy.weights == Policy.WEIGHTS_BY_TARGET:
        usual = total(targets) / len(targets)
        weights = [usual if each.target is None else abs(each.target) for each in units]
    return [
        ZERO if excludes and each.score is None else weight
        for each, weight in zip(units, weights, strict=True)
    ]


def _summed(
    units: Sequence[Unit], scores: Sequence[Fraction], weights: Sequence[Fraction], policy: Policy
) -> tuple[list[Fraction], list[Fraction]]:
    """The moving numbers have one score together; they share their weight by what each wants."""
    scores, weights = list(scores), list(weights)
    at = [i for i, each in enumerate(units) if each.wanted is not None and weights[i]]
    wanted = total(units[i].wanted or ZERO for i in at)
    group = total(weights[i] for i in at)
    achieved = total(units[i].achieved or ZERO for i in at)
    for i in at:
        scores[i] = clamped(achieved / wanted, policy) if wanted else ZERO
        if wanted:
            weights[i] = group * (units[i].wanted or ZERO) / wanted
    return scores, weights
