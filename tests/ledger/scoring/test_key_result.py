"""A key result's attainment and score, knob by knob and at the boundaries."""

from dataclasses import replace
from decimal import Decimal

import pytest

from ledger.scoring.exact import text
from ledger.scoring.key_result import (
    UNMEASURED,
    Aggregation,
    Definition,
    Direction,
    Metric,
    Milestone,
    Reading,
    attainment,
    score,
    share_of_all_periods,
    zones,
)
from ledger.scoring.policy import STANDARD, Boundary, Clamp, Formula, Maintain, Policy

D = Decimal
RATIO = replace(STANDARD, formula=Formula.RATIO)
STRICT = replace(STANDARD, boundary=Boundary.STRICT)
DISTANCE = replace(STANDARD, maintain=Maintain.DISTANCE, clamp=Clamp.NONE)
SHARE = replace(STANDARD, maintain=Maintain.SHARE_OF_PERIODS)


def number(baseline: str, target: str) -> Definition:
    falls = D(target) < D(baseline)
    direction = Direction.DECREASE if falls else Direction.INCREASE
    return Definition(direction=direction, baseline=D(baseline), target=D(target))


def at_least(bound: str) -> Definition:
    return Definition(direction=Direction.MAINTAIN_AT_LEAST, lower=D(bound))


def at_most(bound: str) -> Definition:
    return Definition(direction=Direction.MAINTAIN_AT_MOST, upper=D(bound))


def within(lower: str, upper: str) -> Definition:
    return Definition(direction=Direction.MAINTAIN_WITHIN, lower=D(lower), upper=D(upper))


def reading(value: str) -> Reading:
    return Reading(D(value))


@pytest.mark.parametrize(
    ("clamp", "below", "above"),
    [(Clamp.UNIT, "0", "1"), (Clamp.FLOOR_ONLY, "0", "1.5"), (Clamp.NONE, "-0.25", "1.5")],
)
def test_a_clamp_limits_the_score_and_never_the_attainment(
    clamp: Clamp, below: str, above: str
) -> None:
    policy = replace(STANDARD, clamp=clamp)
    definition = number("20", "100")
    assert score(definition, reading("0"), policy) == D(below)
    assert score(definition, reading("140"), policy) == D(above)
    assert attainment(definition, reading("0"), policy) == D("-0.25")
    assert attainment(definition, reading("140"), policy) == D("1.5")


def test_a_score_is_rounded_once_half_even_to_twelve_places() -> None:
    assert text(score(number("0", "3"), reading("2"), STANDARD) or D(9)) == "0.666666666667"
    half = score(number("0", "200000000000"), reading("0.1"), STANDARD)
    assert half == 0
    three_halves = score(number("0", "200000000000"), reading("0.3"), STANDARD)
    assert three_halves == D("0.000000000002")


def test_a_decrease_is_measured_by_its_signs() -> None:
    definition = number("100", "60")
    assert attainment(definition, reading("80"), STANDARD) == D("0.5")
    assert attainment(replace(definition, direction=Direction.INCREASE), reading("80"), STANDARD)
    assert attainment(number("-60", "-100"), reading("-70"), STANDARD) == D("0.25")


def test_a_ratio_is_to_the_target_or_from_it() -> None:
    assert attainment(number("10", "20"), reading("16"), RATIO) == D("0.8")
    assert attainment(number("10", "5"), reading("8"), RATIO) == D("0.625")


@pytest.mark.parametrize(
    ("baseline", "target", "value", "attained"),
    [
        ("-5", "0", "1", "1"),
        ("-5", "0", "-1", "0"),
        ("-10", "-5", "-4", "1"),
        ("-10", "-5", "-6", "0"),
        ("10", "5", "0", "1"),
        ("10", "5", "-1", "1"),
        ("10", "0", "0", "1"),
        ("10", "0", "5", "0"),
        ("10", "-5", "-4", "0"),
    ],
)
def test_a_ratio_that_says_nothing_is_one_if_met(
    baseline: str, target: str, value: str, attained: str
) -> None:
    assert attainment(number(baseline, target), reading(value), RATIO) == D(attained)


def test_a_zero_span_has_attainment_zero() -> None:
    assert attainment(number("5", "5"), reading("5"), STANDARD) == 0
    assert attainment(number("5", "5"), reading("9"), STANDARD) == 0


def test_an_absent_baseline_is_zero_and_an_absent_target_is_ungraded() -> None:
    assert attainment(Definition(target=D(10)), reading("4"), STANDARD) == D("0.4")
    assert attainment(Definition(), reading("4"), STANDARD) is None
    zoned = Definition(metric=Metric.ZONES)
    assert attainment(zoned, reading("4"), STANDARD) is None
    unbounded = Definition(direction=Direction.MAINTAIN_WITHIN)
    assert attainment(unbounded, reading("4"), STANDARD) is None


def test_the_aggregation_is_the_readings_affair() -> None:
    summed = replace(number("0", "10"), aggregation=Aggregation.SUM)
    assert score(summed, reading("7"), STANDARD) == D("0.7")


@pytest.mark.parametrize(
    "definition",
    [
        number("0", "10"),
        Definition(metric=Metric.BINARY),
        Definition(metric=Metric.MILESTONES, milestones=(Milestone("a"),)),
        Definition(metric=Metric.ZONES, baseline=D(0), stretch=D(10)),
        at_least("3"),
    ],
)
@pytest.mark.parametrize("policy", [STANDARD, SHARE, DISTANCE, RATIO])
def test_what_is_not_measured_is_ungraded(definition: Definition, policy: Policy) -> None:
    assert score(definition, UNMEASURED, policy) is None
    assert attainment(definition, Reading(D(5), measured=False), policy) is None


@pytest.mark.parametrize(("value", "grade"), [("1", "1"), ("0", "0"), ("0.5", "0")])
def test_a_binary_is_done_or_not(value: str, grade: str) -> None:
    assert score(Definition(metric=Metric.BINARY), reading(value), STANDARD) == D(grade)


def test_milestones_count_by_weight() -> None:
    steps = (Milestone("draft", D(1)), Milestone("review", D(2)), Milestone("launch", D(5)))
    definition = Definition(metric=Metric.MILESTONES, milestones=steps)

    def done(*ids: str) -> Decimal | None:
        return score(definition, Reading(completed=frozenset(ids)), STANDARD)

    assert done() == 0
    assert done("draft", "review") == D("0.375")
    assert done("draft", "review", "launch", "unknown") == 1
    weightless = replace(definition, milestones=(Milestone("draft", D(0)),))
    assert score(weightless, Reading(completed=frozenset({"draft"})), STANDARD) == 0


@pytest.mark.parametrize(
    ("value", "grade"),
    [
        ("-10", "-0.1"),
        ("0", "0"),
        ("15", "0.15"),
        ("30", "0.3"),
        ("50", "0.5"),
        ("70", "0.7"),
        ("85", "0.85"),
        ("100", "1"),
        ("110", "1.1"),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_derived_zones_run_through_three_marks_and_on(value: str, grade: str, sign: int) -> None:
    definition = Definition(metric=Metric.ZONES, baseline=D(0), stretch=D(100 * sign))
    assert attainment(definition, Reading(D(value) * sign), STANDARD) == D(grade)


def test_zones_of_their_own_bend_the_line() -> None:
    definition = Definition(
        metric=Metric.ZONES, baseline=D(100), commit=D(90), target=D(50), stretch=D(40)
    )
    marks = {"95": "0.15", "90": "0.3", "70": "0.5", "50": "0.7", "45": "0.85", "30": "1.3"}
    for value, grade in marks.items():
        assert attainment(definition, reading(value), STANDARD) == D(grade)


def test_an_empty_zone_is_a_step() -> None:
    definition = Definition(
        metric=Metric.ZONES, baseline=D(0), commit=D(0), target=D(10), stretch=D(10)
    )
    marks = {"-1": "0", "0": "0.3", "5": "0.5", "10": "1", "11": "1"}
    for value, grade in marks.items():
        assert attainment(definition, reading(value), STANDARD) == D(grade)
    flat = Definition(metric=Metric.ZONES, baseline=D(1), stretch=D(1))
    assert attainment(flat, reading("1"), STANDARD) == 0


def test_derived_zones_have_two_places() -> None:
    assert zones(D(0), D(100)) == (D(30), D(70))
    assert zones(D("0.05"), D("0.10")) == (D("0.07"), D("0.09"))
    assert zones(D(10), D(0)) == (D(7), D(3))


@pytest.mark.parametrize(
    ("definition", "at_bound", "kept", "broken"),
    [
        (at_least("98"), "98", "98.1", "97.9"),
        (at_most("25"), "25", "24.9", "25.1"),
        (within("4", "5"), "4", "4.5", "3.9"),
        (within("4", "5"), "5", "4.1", "5.1"),
    ],
)
def test_the_latest_value_keeps_its_bound_or_not(
    definition: Definition, at_bound: str, kept: str, broken: str
) -> None:
    assert score(definition, reading(at_bound), STANDARD) == 1
    assert score(definition, reading(at_bound), STRICT) == 0
    for policy in (STANDARD, STRICT):
        assert score(definition, reading(kept), policy) == 1
        assert score(definition, reading(broken), policy) == 0


@pytest.mark.parametrize(
    ("definition", "value", "attained"),
    [
        (at_most("1"), "0.8", "1.2"),
        (at_most("1"), "3", "-1"),
        (at_least("10"), "8", "0.8"),
        (at_least("10"), "12", "1.2"),
        (at_most("-10"), "-12", "1.2"),
        (at_most("-10"), "-8", "0.8"),
        (within("4", "5"), "4.5", "1"),
        (within("4", "5"), "6", "0.8"),
        (within("4", "5"), "3", "0.75"),
        (at_most("0"), "0", "1"),
        (at_most("0"), "1", "0"),
        (at_least("0"), "5", "1"),
        (at_least("0"), "-5", "0"),
        (within("0", "5"), "-1", "0"),
    ],
)
def test_distance_from_a_bound(definition: Definition, value: str, attained: str) -> None:
    assert attainment(definition, reading(value), DISTANCE) == D(attained)


def test_a_distance_by_zero_heeds_a_strict_bound() -> None:
    strict = replace(DISTANCE, boundary=Boundary.STRICT)
    assert attainment(at_most("0"), reading("0"), strict) == 0


def test_share_of_periods_counts_silence_as_not_kept() -> None:
    periods = (D(99), None, D(97), D(98))
    measured = Reading(D(98), periods=periods)
    assert score(at_least("98"), measured, SHARE) == D("0.5")
    assert score(at_least("98"), replace(measured, periods=(*periods, None)), SHARE) == D("0.4")
    assert score(at_least("98"), replace(measured, periods=()), SHARE) is None
    strict = replace(SHARE, boundary=Boundary.STRICT)
    assert score(at_least("98"), measured, strict) == D("0.25")
    assert share_of_all_periods(at_least("98"), periods, 8, SHARE) == D("0.25")
    assert share_of_all_periods(at_least("98"), (), 0, SHARE) == 0


def test_only_bounds_are_scored_by_periods_or_distance() -> None:
    for policy in (SHARE, DISTANCE):
        assert score(number("0", "10"), reading("4"), policy) == D("0.4")
