"""Pace: where a key result should be on a day, and where it ends if it goes on like this."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import accumulate, pairwise
from typing import Final

from ledger.scoring.cadence import Cadence, Period, check_ins_made, is_stale, periods
from ledger.scoring.exact import ONE, ZERO, add, multiply, ratio, rounded, subtract
from ledger.scoring.key_result import (
    MOVING,
    Definition,
    Metric,
    Reading,
    attainment,
    zones,
)
from ledger.scoring.policy import DayCount, Policy
from ledger.scoring.status import (
    Band,
    Commitment,
    Status,
    band,
    gap,
    met,
    status,
    status_rollup,
)
from ledger.scoring.trajectory import LINEAR, Checkpointed, Linear, Phased, Trajectory

__all__ = [
    "LINEAR",
    "Band",
    "Cadence",
    "Checkpointed",
    "Commitment",
    "Forecast",
    "Linear",
    "Period",
    "Phased",
    "RecentPace",
    "Status",
    "Trajectory",
    "band",
    "check_ins_made",
    "elapsed_share",
    "expected_progress",
    "expected_value",
    "forecast",
    "gap",
    "is_stale",
    "lost_ground",
    "met",
    "pace_shortfall",
    "periods",
    "plan_overshoot",
    "plan_ratios",
    "recent_pace",
    "required_pace",
    "running_ratios",
    "status",
    "status_rollup",
    "way",
]

FORECAST_POINTS: Final = 4
"""How many of the latest check-ins make the recent pace."""


def elapsed_share(first_day: date, last_day: date, day: date, day_count: DayCount) -> Decimal:
    """The share of a cycle that has passed on a day, 0 to 1, rounded."""
    return rounded(_elapsed(first_day, last_day, day, day_count))


def expected_value(
    definition: Definition, first_day: date, last_day: date, day: date, policy: Policy
) -> Decimal | None:
    """The value that the trajectory plans for a day, rounded.

    For BINARY and MILESTONES it is a share of the whole. None for MAINTAIN_*, which has no way
    to go, and where there is no target.
    """
    planned = _planned(definition, first_day, last_day, day, policy)
    return None if planned is None else rounded(planned)


def expected_progress(
    definition: Definition, first_day: date, last_day: date, day: date, policy: Policy
) -> Decimal | None:
    """The attainment that the trajectory plans for a day, rounded: what status() compares.

    It is the attainment of the expected value, so it may pass 1 where a plan does. A MAINTAIN_*
    key result is expected to keep its bounds from the first day: 1.
    """
    if definition.metric is Metric.NUMBER and definition.direction not in MOVING:
        return ONE
    planned = _planned(definition, first_day, last_day, day, policy)
    if planned is None:
        return None
    if definition.metric in (Metric.BINARY, Metric.MILESTONES):
        return rounded(planned)
    attained = attainment(definition, Reading(planned), policy)
    return None if attained is None else rounded(attained)


@dataclass(frozen=True, slots=True)
class Forecast:
    """The value at the cycle's end, and the range that it may lie in; low ≤ value ≤ high."""

    value: Decimal
    low: Decimal
    high: Decimal


def forecast(points: Sequence[tuple[date, Decimal]], day: date, last_day: date) -> Forecast | None:
    """Where the value will be on `last_day` if the recent pace holds, each number rounded.

    `points` are dated values in force (running totals where check-ins are summed), ascending by
    day, at most one a day counting: the last. The pace is the change over the latest four points
    up to `day`, per day between them; the range goes on with the slowest and the fastest of the
    steps among the four. None without two points to take a pace from.
    """
    known = _latest(points, day)
    if len(known) < 2:
        return None
    steps = [_pace(earlier, later) for earlier, later in pairwise(known)]
    latest_day, latest = known[-1]
    left = Decimal(max((last_day - latest_day).days, 0))
    value, low, high = (
        rounded(add(latest, multiply(pace, left)))
        for pace in (_pace(known[0], known[-1]), min(steps), max(steps))
    )
    return Forecast(value, low, high)


@dataclass(frozen=True, slots=True)
class RecentPace:
    """The change a day, rounded, over the latest points, and the first and last of these."""

    per_day: Decimal
    first: tuple[date, Decimal]
    last: tuple[date, Decimal]


def recent_pace(points: Sequence[tuple[date, Decimal]], day: date) -> RecentPace | None:
    """The pace that `forecast` goes on with; None without two points to take it from."""
    known = _latest(points, day)
    if len(known) < 2:
        return None
    return RecentPace(rounded(_pace(known[0], known[-1])), known[0], known[-1])


def required_pace(
    definition: Definition, value: Decimal | None, day: date, last_day: date
) -> Decimal | None:
    """The change a day, rounded, that takes a value to the target by the last day.

    Without a value from the baseline; 0 once the target is reached. A share of the whole for
    MILESTONES. None for BINARY, where there is no target to move to, and from the last day on.
    """
    ends = _ends(definition)
    if ends is None or definition.metric is Metric.BINARY or day >= last_day:
        return None
    baseline, target = ends
    left = subtract(target, baseline if value is None else value)
    if multiply(left, subtract(target, baseline)) <= 0:
        return ZERO
    return rounded(ratio(left, Decimal((last_day - day).days)))


def pace_shortfall(
    definition: Definition, recent: Decimal | None, required: Decimal | None
) -> Decimal | None:
    """The share of the whole way that is missing each day, rounded; negative with pace to spare."""
    span = way(definition)
    if span is None or recent is None or required is None:
        return None
    return rounded(ratio(subtract(required, recent), span))


def lost_ground(
    definition: Definition, recent: RecentPace, first_day: date, last_day: date, policy: Policy
) -> bool:
    """Whether the gap to the trajectory grew from the first to the last point of the pace.

    Points of MILESTONES are shares of the whole; BINARY has no pace.
    """

    def behind(point: tuple[date, Decimal]) -> Decimal | None:
        day, value = point
        expected = expected_progress(definition, first_day, last_day, day, policy)
        attained: Decimal | None = value
        if definition.metric is not Metric.MILESTONES:
            attained = attainment(definition, Reading(value), policy)
        return None if expected is None or attained is None else gap(expected, attained)

    before, after = behind(recent.first), behind(recent.last)
    return before is not None and after is not None and after > before


def way(definition: Definition) -> Decimal | None:
    """From baseline to target, negative where it falls; None where there is no way to go."""
    ends = _ends(definition)
    return None if ends is None else subtract(ends[1], ends[0])


def plan_ratios(plan: Sequence[Decimal], actual: Sequence[Decimal]) -> tuple[Decimal, ...]:
    """Actual ÷ planned of each period, not rounded; planned 0 is 1 if met, else 0."""
    return tuple(
        ratio(done, planned) if planned else (ONE if done >= planned else ZERO)
        for planned, done in zip(plan, actual, strict=False)
    )


def running_ratios(plan: Sequence[Decimal], actual: Sequence[Decimal]) -> tuple[Decimal, ...]:
    """The same of the running totals of figures given per period."""
    return plan_ratios(tuple(accumulate(plan, add)), tuple(accumulate(actual, add)))


def plan_overshoot(baseline: Decimal, plan_end: Decimal, target: Decimal) -> Decimal:
    """How far a plan's last value lies beyond the target, in the plan's direction.

    Anything but 0 says that the plan no longer fits: above 0 it goes past the target, below 0 it
    ends short of it.

    Source: profit.co, protecting plan integrity.
    """
    beyond = subtract(plan_end, target)
    return beyond if plan_end >= baseline else beyond.copy_negate()


def _elapsed(first_day: date, last_day: date, day: date, day_count: DayCount) -> Decimal:
    if day >= last_day:
        return ONE
    if day < first_day:
        return ZERO
    counted = 1 if day_count is DayCount.DAY_COUNTED else 0
    passed, whole = (day - first_day).days, (last_day - first_day).days
    return ratio(Decimal(passed + counted), Decimal(whole + counted))


def _planned(
    definition: Definition, first_day: date, last_day: date, day: date, policy: Policy
) -> Decimal | None:
    ends = _ends(definition)
    if ends is None:
        return None
    baseline, target = ends
    trajectory = definition.trajectory
    if isinstance(trajectory, Phased):
        points = trajectory.points
        if points[0][0] > first_day:
            return Phased(((first_day, baseline), *points)).value_on(day)
        return trajectory.value_on(day)
    share = _elapsed(first_day, last_day, day, policy.day_count)
    if isinstance(trajectory, Checkpointed):
        return trajectory.value_at(share, baseline, target)
    return add(baseline, multiply(share, subtract(target, baseline)))


def _ends(definition: Definition) -> tuple[Decimal, Decimal] | None:
    """Where the way begins and ends; None where there is no way."""
    if definition.metric in (Metric.BINARY, Metric.MILESTONES):
        return ZERO, ONE
    baseline, target = definition.baseline or ZERO, definition.target
    if definition.metric is Metric.ZONES:
        if target is None and definition.stretch is not None:
            target = zones(baseline, definition.stretch)[1]
    elif definition.direction not in MOVING:
        return None
    return None if target is None else (baseline, target)


def _latest(points: Sequence[tuple[date, Decimal]], day: date) -> list[tuple[date, Decimal]]:
    """The points that make the recent pace on a day, ascending; of one day the last given."""
    return sorted({at: value for at, value in points if at <= day}.items())[-FORECAST_POINTS:]


def _pace(earlier: tuple[date, Decimal], later: tuple[date, Decimal]) -> Decimal:
    return ratio(subtract(later[1], earlier[1]), Decimal((later[0] - earlier[0]).days))
