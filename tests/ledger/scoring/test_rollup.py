"""Roll-ups: which units count, by what weight, and what each contributes."""

from dataclasses import replace
from decimal import Decimal

import pytest

from ledger.scoring.exact import total
from ledger.scoring.key_result import UNMEASURED, Definition, Direction, Metric, Reading
from ledger.scoring.policy import (
    STANDARD,
    ChildRollup,
    Clamp,
    CycleRollup,
    Formula,
    Policy,
    Rollup,
    Ungraded,
    Weights,
)
from ledger.scoring.rollup import (
    RunningMean,
    Unit,
    cycle_score,
    objective_rollup,
    objective_score,
    team_score,
    unit,
    weight_shares,
)

D = Decimal
EXCLUDE = replace(STANDARD, ungraded=Ungraded.EXCLUDE)
SUM = replace(STANDARD, rollup=Rollup.SUM_OF_VALUES)


def graded(score: str | None, weight: str = "1", target: str | None = None) -> Unit:
    return Unit(
        None if score is None else D(score), D(weight), None if target is None else D(target)
    )


def number(
    baseline: str, target: str, value: str | None, policy: Policy, weight: str = "1"
) -> Unit:
    falls = D(target) < D(baseline)
    definition = Definition(
        direction=Direction.DECREASE if falls else Direction.INCREASE,
        baseline=D(baseline),
        target=D(target),
        weight=D(weight),
    )
    return unit(definition, UNMEASURED if value is None else Reading(D(value)), policy)


def test_weights_are_given_or_equal() -> None:
    units = [graded("0.5", "4"), graded("1", "1")]
    assert objective_score(units, (), STANDARD) == D("0.6")
    assert objective_score(units, (), replace(STANDARD, weights=Weights.EQUAL)) == D("0.75")


def test_weights_by_target_take_the_mean_for_what_has_none() -> None:
    policy = replace(STANDARD, weights=Weights.BY_TARGET)
    units = [graded("1", target="30"), graded("0", target="-10"), graded("1")]
    thirds = weight_shares(units, policy)
    assert [share.quantize(D("0.0001")) for share in thirds] == [
        D("0.5"),
        D("0.1667"),
        D("0.3333"),
    ]
    assert objective_score(units, (), policy) == D("0.833333333333")
    assert objective_score([graded("1"), graded("0")], (), policy) == D("0.5")
    assert objective_score([graded("1", target="0")], (), policy) == 0


def test_ungraded_units_count_as_zero_or_not_at_all() -> None:
    units = [graded("0.8"), graded(None)]
    assert objective_score(units, (), STANDARD) == D("0.4")
    assert objective_score(units, (), EXCLUDE) == D("0.8")
    assert objective_rollup(units, (), EXCLUDE).shares == (D(1), D(0))
    assert objective_rollup(units, (), STANDARD).shares == (D("0.5"), D("0.5"))


@pytest.mark.parametrize("units", [[], [graded("1", "0")], [graded(None, "0")]])
def test_nothing_to_weigh_is_zero_or_no_score(units: list[Unit]) -> None:
    assert objective_score(units, (), STANDARD) == 0
    assert objective_score(units, (), EXCLUDE) is None
    assert objective_rollup(units, (), STANDARD).shares == (D(0),) * len(units)


def test_all_ungraded_is_no_score_when_excluded() -> None:
    assert objective_score([graded(None)], [graded(None)], EXCLUDE) is None
    assert objective_score([graded(None)], [graded(None)], STANDARD) == 0


@pytest.mark.parametrize(
    ("rule", "score", "shares"),
    [
        (ChildRollup.EACH_IS_ONE_UNIT, "0.5", ["0.25", "0.25", "0.5"]),
        (ChildRollup.KEY_RESULTS_ARE_ONE_UNIT, "0.333333333333", ["0.1667", "0.1667", "0.6667"]),
        (ChildRollup.NONE, "1", ["0.5", "0.5", "0"]),
    ],
)
def test_children_beside_key_results(rule: ChildRollup, score: str, shares: list[str]) -> None:
    policy = replace(STANDARD, child_rollup=rule)
    rolled = objective_rollup([graded("1"), graded("1")], [graded("0", "2")], policy)
    assert rolled.score == D(score)
    assert [share.quantize(D("0.0001")) for share in rolled.shares] == [D(each) for each in shares]


def test_key_results_as_one_unit_are_absent_when_none_count() -> None:
    policy = replace(EXCLUDE, child_rollup=ChildRollup.KEY_RESULTS_ARE_ONE_UNIT)
    assert objective_score([], [graded("0.6")], policy) == D("0.6")
    assert objective_score([graded(None)], [graded("0.6")], policy) == D("0.6")
    assert objective_score([graded("0.2")], [graded(None)], policy) == D("0.2")


def test_an_ungraded_child_follows_the_parents_policy() -> None:
    assert objective_score([graded("1")], [graded(None)], STANDARD) == D("0.5")
    assert objective_score([graded("1")], [graded(None)], EXCLUDE) == 1


def test_values_are_summed_over_spans_not_scores_averaged() -> None:
    units = [number("0", "300", "300", SUM), number("100", "600", "100", SUM)]
    rolled = objective_rollup(units, (), SUM)
    assert rolled.score == D("0.375")
    assert rolled.shares == (D("0.375"), D("0.625"))


def test_decreasing_values_add_the_way_they_came() -> None:
    units = [number("100", "60", "80", SUM), number("0", "60", "60", SUM)]
    assert objective_score(units, (), SUM) == D("0.8")


def test_an_unmeasured_value_adds_nothing_to_what_is_wanted_or_is_left_out() -> None:
    units = [number("0", "100", "50", SUM), number("0", "100", None, SUM)]
    assert objective_score(units, (), SUM) == D("0.25")
    assert objective_score(units, (), replace(SUM, ungraded=Ungraded.EXCLUDE)) == D("0.5")


def test_what_cannot_be_summed_stands_beside_the_sum() -> None:
    done = unit(Definition(metric=Metric.BINARY), Reading(D(1)), SUM)
    units = [number("0", "10", "5", SUM), number("0", "30", "5", SUM), done]
    rolled = objective_rollup(units, [graded("0")], SUM)
    assert rolled.score == D("0.375")
    assert rolled.shares == (D("0.125"), D("0.375"), D("0.25"), D("0.25"))


def test_a_sum_is_clamped_as_a_whole() -> None:
    units = [number("0", "10", "40", SUM), number("0", "10", "0", SUM)]
    assert objective_score(units, (), SUM) == 1
    assert objective_score(units, (), replace(SUM, clamp=Clamp.NONE)) == 2


def test_a_sum_of_nothing_wanted_is_zero() -> None:
    assert objective_score([number("5", "5", "9", SUM)], (), SUM) == 0


def test_a_sum_of_ratios_is_of_dividends_over_divisors() -> None:
    policy = replace(SUM, formula=Formula.RATIO)
    units = [number("10", "20", "16", policy), number("10", "5", "10", policy)]
    assert objective_score(units, (), policy) == D("0.7")
    unmeasured = [number("10", "20", "16", policy), number("10", "5", None, policy)]
    assert objective_score(unmeasured, (), policy) == D("0.4")


def test_a_roll_up_rounds_once_and_builds_on_rounded_scores() -> None:
    third = D("0.333333333333")
    rolled = objective_score([Unit(third)] * 3, (), STANDARD)
    assert rolled == third
    assert objective_score([Unit(third), Unit(D(0))], (), STANDARD) == D("0.166666666666")


def test_shares_make_up_the_score() -> None:
    units = [graded("0.5", "3"), graded("0.25", "1"), graded(None, "2")]
    rolled = objective_rollup(units, [graded("1", "2")], STANDARD)
    assert total(rolled.shares) == 1
    scores = [D("0.5"), D("0.25"), D(0), D(1)]
    points = [share * score for share, score in zip(rolled.shares, scores, strict=True)]
    assert total(points) == rolled.score


def test_a_team_is_the_plain_mean_of_its_objectives() -> None:
    assert team_score([D("0.2"), D("0.7"), None], STANDARD) == D("0.3")
    assert team_score([D("0.2"), D("0.7"), None], EXCLUDE) == D("0.45")
    assert team_score([], STANDARD) == 0
    assert team_score([], EXCLUDE) is None


def test_a_cycle_is_the_mean_of_objectives_or_of_key_results() -> None:
    objectives: list[tuple[Decimal | None, list[Decimal | None]]] = [
        (D("0.5"), [D("0.25"), D("0.75")]),
        (D(1), [D(1)]),
        (None, [None]),
    ]
    by_key_results = CycleRollup.MEAN_OF_KEY_RESULTS
    assert cycle_score(objectives, STANDARD) == D("0.5")
    assert cycle_score(objectives, EXCLUDE) == D("0.75")
    assert cycle_score(objectives, replace(STANDARD, cycle_rollup=by_key_results)) == D("0.5")
    excluded = cycle_score(objectives, replace(EXCLUDE, cycle_rollup=by_key_results))
    assert excluded == D("0.666666666667")


@pytest.mark.parametrize("policy", [STANDARD, EXCLUDE])
def test_a_running_mean_is_that_of_the_scores_that_are_left(policy: Policy) -> None:
    running = RunningMean()
    there: list[Decimal | None] = []
    assert running.score(policy) == team_score([], policy)
    for score in (D("0.1"), None, D("0.333333333333"), D(1), None):
        running.add(score)
        there.append(score)
        assert running.score(policy) == team_score(there, policy)
    while there:
        running.remove(there.pop(0))
        assert running.score(policy) == team_score(there, policy)
