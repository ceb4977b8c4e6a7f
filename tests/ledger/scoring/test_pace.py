"""Where a key result should be on a day, and where it ends if it goes on like this."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from ledger.scoring.key_result import Definition, Direction, Metric, Milestone, Reading, attainment
from ledger.scoring.pace import (
    Checkpointed,
    Forecast,
    Phased,
    RecentPace,
    elapsed_share,
    expected_progress,
    expected_value,
    forecast,
    lost_ground,
    pace_shortfall,
    plan_overshoot,
    plan_ratios,
    recent_pace,
    required_pace,
    running_ratios,
    status,
)
from ledger.scoring.policy import STANDARD, DayCount, Formula
from ledger.scoring.status import Status

D = Decimal
FIRST, LAST = date(2026, 4, 1), date(2026, 4, 30)
MIDDLE = date(2026, 4, 15)
FOLLOWERS = Definition(baseline=D(1000), target=D(1290))


def value_on(definition: Definition, day: date) -> Decimal | None:
    return expected_value(definition, FIRST, LAST, day, STANDARD)


def progress_on(definition: Definition, day: date) -> Decimal | None:
    return expected_progress(definition, FIRST, LAST, day, STANDARD)


@pytest.mark.parametrize(
    ("day", "from_zero", "counted"),
    [
        (date(2026, 3, 31), "0", "0"),
        (FIRST, "0", "0.033333333333"),
        (MIDDLE, "0.48275862069", "0.5"),
        (LAST, "1", "1"),
        (date(2026, 5, 9), "1", "1"),
    ],
)
def test_the_share_of_a_cycle_that_has_passed(day: date, from_zero: str, counted: str) -> None:
    assert elapsed_share(FIRST, LAST, day, DayCount.FIRST_DAY_ZERO) == D(from_zero)
    assert elapsed_share(FIRST, LAST, day, DayCount.DAY_COUNTED) == D(counted)


@pytest.mark.parametrize("day_count", list(DayCount))
def test_a_cycle_of_one_day_has_passed_on_it(day_count: DayCount) -> None:
    assert elapsed_share(FIRST, FIRST, FIRST, day_count) == 1
    assert elapsed_share(FIRST, FIRST, FIRST - timedelta(days=1), day_count) == 0


def test_a_line_runs_from_baseline_to_target() -> None:
    assert value_on(FOLLOWERS, FIRST) == 1000
    assert value_on(FOLLOWERS, date(2026, 4, 11)) == 1100
    assert value_on(FOLLOWERS, LAST) == 1290
    assert progress_on(FOLLOWERS, LAST) == 1
    assert progress_on(FOLLOWERS, MIDDLE) == D("0.48275862069")


def test_a_decreasing_line_falls() -> None:
    churn = Definition(direction=Direction.DECREASE, baseline=D(58), target=D(29))
    assert value_on(churn, date(2026, 4, 11)) == 48
    assert progress_on(churn, date(2026, 4, 11)) == D("0.344827586207")


def test_expected_progress_is_the_attainment_of_the_expected_value() -> None:
    ratio = replace(STANDARD, formula=Formula.RATIO)
    expected = expected_progress(FOLLOWERS, FIRST, LAST, FIRST, ratio)
    assert expected == D("0.77519379845")
    zoned = Definition(metric=Metric.ZONES, baseline=D(0), stretch=D(100))
    assert progress_on(zoned, LAST) == D("0.7")
    assert value_on(zoned, LAST) == 70


def test_a_share_is_expected_of_binaries_and_milestones() -> None:
    steps = Definition(metric=Metric.MILESTONES, milestones=(Milestone("a"),))
    for definition in (Definition(metric=Metric.BINARY), steps):
        assert progress_on(definition, MIDDLE) == D("0.48275862069")
        assert value_on(definition, LAST) == 1


def test_bounds_are_to_be_kept_from_the_first_day() -> None:
    bound = Definition(direction=Direction.MAINTAIN_AT_MOST, upper=D(5))
    assert progress_on(bound, FIRST) == 1
    assert value_on(bound, FIRST) is None


def test_without_a_target_nothing_is_expected() -> None:
    assert progress_on(Definition(), MIDDLE) is None
    assert progress_on(Definition(metric=Metric.ZONES), MIDDLE) is None


def test_a_phased_plan_is_linear_between_its_dates_and_level_beyond() -> None:
    plan = Phased(((date(2026, 4, 11), D(1200)), (date(2026, 4, 21), D(1100))))
    phased = replace(FOLLOWERS, trajectory=plan)
    values = {FIRST: 1000, date(2026, 4, 6): 1100, date(2026, 4, 11): 1200, MIDDLE: 1160}
    for day, value in values.items():
        assert value_on(phased, day) == value
    assert value_on(phased, LAST) == 1100
    assert progress_on(phased, LAST) == D("0.344827586207")
    assert plan.value_on(FIRST) == 1200


def test_a_plan_from_the_first_day_begins_at_its_own_value() -> None:
    phased = replace(FOLLOWERS, trajectory=Phased(((FIRST, D(1050)), (LAST, D(1290)))))
    assert value_on(phased, FIRST) == 1050


def test_checkpoints_bend_the_values_while_time_runs_evenly() -> None:
    easy_start = Checkpointed(((D(1200), D("0.5")),))
    definition = replace(FOLLOWERS, trajectory=easy_start)
    days = replace(STANDARD, day_count=DayCount.DAY_COUNTED)
    halfway = expected_value(definition, FIRST, LAST, MIDDLE, days)
    assert halfway == 1200
    assert value_on(definition, FIRST) == 1000
    assert value_on(definition, LAST) == 1290
    expected = expected_progress(definition, FIRST, LAST, MIDDLE, days)
    lagging = attainment(definition, Reading(D(1180)), days)
    assert status(expected, lagging, days) is Status.BEHIND
    assert status(expected, attainment(definition, Reading(D(1200)), days), days) is Status.ON_TRACK


def test_checkpoints_at_the_ends_replace_baseline_and_target() -> None:
    steps = Checkpointed(((D(1000), D("0.2")), (D(1290), D("0.8"))))
    definition = replace(FOLLOWERS, trajectory=steps)
    assert value_on(definition, FIRST) == 1000
    assert value_on(definition, date(2026, 4, 4)) == 1000
    assert value_on(definition, LAST) == 1290
    falling = Definition(
        direction=Direction.DECREASE,
        baseline=D(10),
        target=D(0),
        trajectory=Checkpointed(((D(2), D("0.5")),)),
    )
    assert value_on(falling, LAST) == 0
    assert falling.trajectory == Checkpointed(((D(2), D("0.5")),))


def points(*values: int) -> list[tuple[date, Decimal]]:
    return [(FIRST + timedelta(days=7 * week), D(value)) for week, value in enumerate(values)]


def test_a_forecast_goes_on_at_the_pace_of_the_last_four_points() -> None:
    last_day = FIRST + timedelta(days=35)
    found = forecast(points(0, 100, 107, 121, 142), LAST, last_day)
    assert found == Forecast(D(156), D(149), D(163))


def test_a_forecast_knows_only_points_up_to_its_day() -> None:
    day = FIRST + timedelta(days=7)
    found = forecast(points(0, 70, 700), day, FIRST + timedelta(days=14))
    assert found == Forecast(D(140), D(140), D(140))


def test_the_last_point_of_a_day_counts_and_one_day_makes_no_pace() -> None:
    twice = [(FIRST, D(1)), (FIRST, D(2))]
    assert forecast(twice, LAST, LAST) is None
    assert forecast([], LAST, LAST) is None
    later = [*twice, (FIRST + timedelta(days=1), D(3))]
    assert forecast(later, LAST, FIRST + timedelta(days=3)) == Forecast(D(5), D(5), D(5))


def test_after_the_last_day_a_forecast_is_the_value() -> None:
    found = forecast(points(0, 70), LAST, FIRST)
    assert found == Forecast(D(70), D(70), D(70))


def test_a_falling_pace_keeps_its_range_in_order() -> None:
    found = forecast(points(100, 93, 72), LAST, FIRST + timedelta(days=21))
    assert found == Forecast(D(58), D(51), D(65))


def test_planned_figures_and_running_totals() -> None:
    plan, actual = [D(4), D(0), D(0)], [D(3), D(0), D(-1)]
    assert plan_ratios(plan, actual) == (D("0.75"), D(1), D(0))
    assert running_ratios([D(4), D(4)], [D(3)]) == (D("0.75"),)
    assert running_ratios([D(4), D(4)], [D(3), D(4)]) == (D("0.75"), D("0.875"))


@pytest.mark.parametrize(
    ("baseline", "plan_end", "target", "beyond"),
    [("8", "14", "12", "2"), ("8", "14", "15", "-1"), ("8", "2", "4", "2"), ("8", "2", "2", "0")],
)
def test_how_far_a_plan_passes_its_target(
    baseline: str, plan_end: str, target: str, beyond: str
) -> None:
    assert plan_overshoot(D(baseline), D(plan_end), D(target)) == D(beyond)


def test_the_recent_pace_is_the_one_a_forecast_goes_on_with() -> None:
    points = [
        (FIRST + timedelta(days=n), D(v)) for n, v in ((0, 7), (2, 1), (4, 2), (8, 6), (9, 9))
    ]
    recent = recent_pace(points, LAST)
    assert recent == RecentPace(D("1.142857142857"), points[1], points[-1])  # 8 in 7 days
    assert recent_pace(points, FIRST) is None
    assert recent_pace([], LAST) is None


@pytest.mark.parametrize(
    ("definition", "value", "day", "wanted"),
    [
        (FOLLOWERS, D(1000), FIRST, "10"),  # 290 in 29 days
        (FOLLOWERS, None, FIRST, "10"),
        (FOLLOWERS, D(1150), MIDDLE, "9.333333333333"),  # 140 in 15 days
        (FOLLOWERS, D(1290), MIDDLE, "0"),
        (FOLLOWERS, D(1300), MIDDLE, "0"),
        (replace(FOLLOWERS, baseline=D(20), target=D(5)), D(20), MIDDLE, "-1"),
        (replace(FOLLOWERS, baseline=D(20), target=D(5)), D(4), MIDDLE, "0"),
        (replace(FOLLOWERS, baseline=D(5), target=D(5)), D(4), MIDDLE, "0"),
        (Definition(metric=Metric.MILESTONES), D("0.25"), MIDDLE, "0.05"),
        (Definition(metric=Metric.ZONES, stretch=D(100)), D(10), MIDDLE, "4"),  # target 70
        (FOLLOWERS, D(1150), LAST, None),
        (FOLLOWERS, D(1150), LAST + timedelta(days=1), None),
        (Definition(metric=Metric.BINARY), D(0), MIDDLE, None),
        (Definition(direction=Direction.MAINTAIN_AT_MOST, upper=D(4)), D(5), MIDDLE, None),
        (Definition(), D(5), MIDDLE, None),
    ],
)
def test_the_pace_that_reaches_the_target_in_time(
    definition: Definition, value: Decimal | None, day: date, wanted: str | None
) -> None:
    needed = required_pace(definition, value, day, LAST)
    assert needed == (None if wanted is None else D(wanted))


def test_a_shortfall_is_a_share_of_the_way_in_either_direction() -> None:
    falling = replace(FOLLOWERS, baseline=D(20), target=D(5))
    assert pace_shortfall(FOLLOWERS, D(10), D(39)) == D("0.1")
    assert pace_shortfall(FOLLOWERS, D(39), D(10)) == D("-0.1")
    assert pace_shortfall(falling, D("-0.5"), D(-2)) == D("0.1")
    assert pace_shortfall(FOLLOWERS, None, D(10)) is None
    assert pace_shortfall(FOLLOWERS, D(10), None) is None
    assert pace_shortfall(Definition(), D(10), D(10)) is None


@pytest.mark.parametrize(
    ("definition", "first", "last", "lost"),
    [
        (FOLLOWERS, D(1000), D(1050), True),  # 100 were planned between the 1st and the 11th
        (FOLLOWERS, D(1000), D(1100), False),
        (FOLLOWERS, D(900), D(1001), False),
        (FOLLOWERS, D(1200), D(1250), True),
        (
            replace(FOLLOWERS, trajectory=Phased(((FIRST, D(1000)), (LAST, D(1029))))),
            *(D(1000), D(1010), False),
        ),
        (Definition(metric=Metric.MILESTONES), D("0.5"), D("0.75"), True),
        (Definition(metric=Metric.MILESTONES), D(0), D("0.5"), False),
        (Definition(direction=Direction.MAINTAIN_AT_MOST, upper=D(4)), D(4), D(5), True),
        (Definition(), D(4), D(5), False),
    ],
)
def test_ground_is_lost_where_progress_is_slower_than_the_trajectory(
    definition: Definition, first: Decimal, last: Decimal, lost: bool
) -> None:
    recent = RecentPace(D(0), (FIRST, first), (FIRST + timedelta(days=10), last))
    assert lost_ground(definition, recent, FIRST, LAST, STANDARD) is lost
