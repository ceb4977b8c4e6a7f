"""The working of a roll-up; the same rules as `rollup`, written as steps."""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.scoring.exact import ONE, ZERO
from ledger.scoring.explain_key_result import Rules
from ledger.scoring.policy import ChildRollup, Rollup, Ungraded, Weights
from ledger.scoring.working import Operation


@dataclass(frozen=True, slots=True)
class Member:
    """One thing that counts in an objective, as steps: a key result or a contributing child.

    `target` and the pair `amounts`, achieved and wanted, are None where it is no moving number.
    """

    score: int
    weight: int
    target: int | None = None
    amounts: tuple[int, int] | None = None


def objective(
    key_results: Sequence[Member], children: Sequence[Member], rules: Rules, name: str
) -> int:
    """An objective's score, rounded once; children are those that contribute."""
    working, child_rollup = rules.working, rules.policy.child_rollup
    how = (rules.knob("rollup"), rules.knob("child_rollup"))
    if child_rollup is ChildRollup.KEY_RESULTS_ARE_ONE_UNIT:
        inner = _terms(key_results, _weights(key_results, rules), rules)
        group = Member(
            working.apply(Operation.WEIGHTED_MEAN, inner, "all key results", how),
            working.constant(ONE, "weight of all key results"),
        )
        outer = _weights([group, *children], rules)
        # Without weight the key results count for nothing, whatever ungraded ones count for.
        terms = [outer[0], group.score, *_terms(children, outer[1:], rules)]
    else:
        counting = (*key_results, *children)
        weights = _weights(counting, rules)
        if child_rollup is ChildRollup.NONE:
            counting, weights = tuple(key_results), weights[: len(key_results)]
        terms = _terms(counting, weights, rules)
    mean = working.apply(Operation.WEIGHTED_MEAN, terms, "weighted mean", how)
    return _rounded(mean, rules, name)


def mean(scores: Sequence[int], rules: Rules, name: str, because: tuple[int, ...] = ()) -> int:
    """The plain mean over objectives, or over key results; rounded."""
    counted = [_counted(each, rules) for each in scores]
    plain = rules.working.apply(Operation.MEAN, counted, "mean", because)
    return _rounded(plain, rules, name)


def _rounded(step: int, rules: Rules, name: str) -> int:
    return rules.working.apply(Operation.ROUND, [_counted(step, rules)], "score", subject=name)


def _counted(score: int, rules: Rules) -> int:
    """A score as it counts: 0 where there is none, if the policy says so."""
    if rules.policy.ungraded is Ungraded.EXCLUDE:
        return score
    inputs = (score, rules.working.constant(ZERO))
    return rules.working.apply(
        Operation.OR_ELSE, inputs, "0 if there is none", (rules.knob("ungraded"),)
    )


def _weights(units: Sequence[Member], rules: Rules) -> list[int]:
    """Weights by the policy."""
    working, weights = rules.working, rules.policy.weights
    if weights is Weights.GIVEN:
        return [each.weight for each in units]
    why = (rules.knob("weights"),)
    targets = [
        working.apply(Operation.MAGNITUDE, [each.target], "size of the target", why)
        for each in units
        if each.target is not None
    ]
    if weights is Weights.EQUAL or not targets:
        return [working.constant(ONE, "weight", why)] * len(units)
    without = working.apply(Operation.MEAN, targets, "mean of the others' targets", why)
    sized = iter(targets)
    return [without if each.target is None else next(sized) for each in units]


def _terms(units: Sequence[Member], weights: Sequence[int], rules: Rules) -> list[int]:
    """Weight and score of each unit, one after the other, as a weighted mean takes them."""
    summed = _summable(units, weights, rules)
    terms = []
    if summed:
        working = rules.working
        group = working.apply(Operation.ADD, [weights[i] for i in summed], "weight of the sum")
        amounts = [pair for i in summed if (pair := units[i].amounts) is not None]
        achieved = working.apply(Operation.ADD, [a for a, _ in amounts], "all achieved")
        wanted = working.apply(Operation.ADD, [w for _, w in amounts], "all wanted")
        share = working.apply(Operation.DIVIDE, [achieved, wanted], "achieved of wanted")
        terms += [group, rules.clamped(share)]
    for i, each in enumerate(units):
        if i not in summed:
            terms += [weights[i], _counted(each.score, rules)]
    return terms


def _summable(units: Sequence[Member], weights: Sequence[int], rules: Rules) -> list[int]:
    """Those whose values are summed: moving numbers that count with a weight."""
    if rules.policy.rollup is not Rollup.SUM_OF_VALUES:
        return []
    numbers = rules.working.numbers
    exclude = rules.policy.ungraded is Ungraded.EXCLUDE
    return [
        i
        for i, each in enumerate(units)
        if each.amounts is not None
        and numbers[weights[i]]
        and not (exclude and numbers[each.score] is None)
    ]
