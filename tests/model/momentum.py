"""How fast a key result moves, how fast it would have to, and where it ends: see `Deviation`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import pairwise

from okr.v1.values_pb2 import Aggregation, Metric
from okr.v1.values_pb2 import KeyResultDefinition as Definition
from tests.model import measure
from tests.model.known import CheckIn, Cycle
from tests.model.measure import MOVING, Measured
from tests.model.numbers import ONE, ZERO, Score, number, ratio, rounded

LATEST = 4
"""How many measured days make the recent pace."""


@dataclass(frozen=True)
class Momentum:
    """`since` and `until` are the check-ins that the recent pace lies between."""

    value: Score
    required: Score
    recent: Score = None
    shortfall: Score = None
    forecast: tuple[Fraction, Fraction, Fraction] | None = None
    falls_behind: bool = False
    since: CheckIn | None = None
    until: CheckIn | None = None


def momentum(definition: Definition, held: Sequence[CheckIn], cycle: Cycle, day: date) -> Momentum:
    """The momentum on a day, of all check-ins that hold on it."""
    policy = cycle.definition.policy
    measured = Measured(
        [(c.day, c.content.payload.measurement) for c in held], cycle.definition, day
    )
    whole = definition.metric == Metric.METRIC_MILESTONES
    there = (
        measure.attainment(definition, measured, policy)
        if whole
        else measure.value(definition, measured)
    )
    required = _required(definition, there, day, cycle.last)
    points = _points(definition, held, cycle) if there is not None else {}
    days = sorted(points)[-LATEST:]
    if len(days) < 2:
        return Momentum(there, required)
    steps = [_pace(points, *pair) for pair in pairwise(days)]
    paces = (_pace(points, days[0], days[-1]), min(steps), max(steps))
    left = max((cycle.last - days[-1]).days, 0)
    ends = [rounded(points[days[-1]][1] + pace * left) for pace in paces]
    if whole:
        ends = [min(max(end, ZERO), ONE) for end in ends]
    recent = rounded(paces[0])
    way = _way(definition)
    shortfall = None
    if required is not None and way is not None:
        shortfall = rounded(ratio(required - recent, way[1] - way[0]))
    before, after = (_behind(definition, points[at][1], cycle, at) for at in (days[0], days[-1]))
    return Momentum(
        there,
        required,
        recent,
        shortfall,
        (ends[0], ends[1], ends[2]),
        shortfall is not None and shortfall > 0 and after > before,
        points[days[0]][0],
        points[days[-1]][0],
    )


def _points(
    definition: Definition, held: Sequence[CheckIn], cycle: Cycle
) -> dict[date, tuple[CheckIn, Fraction]]:
    """The value by day, the last of a day; running totals of a sum; nothing of a binary one."""
    if definition.metric == Metric.METRIC_BINARY:
        return {}
    found: dict[date, tuple[CheckIn, Fraction]] = {}
    running = ZERO
    for each in held:
        told = each.content.payload.measurement
        if told.HasField("completed"):
            alone = Measured([(each.day, told)], cycle.definition, each.day)
            share = measure.attainment(definition, alone, cycle.definition.policy)
            if share is not None:
                found[each.day] = each, share
        elif told.HasField("value"):
            running += number(told.value)
            summed = definition.aggregation == Aggregation.AGGREGATION_SUM
            found[each.day] = each, running if summed else number(told.value)
    return found


def _pace(points: dict[date, tuple[CheckIn, Fraction]], first: date, last: date) -> Fraction:
    return (points[last][1] - points[first][1]) / (last - first).days


def _way(definition: Definition) -> tuple[Fraction, Fraction] | None:
    """From where to where it moves, if it does."""
    if definition.metric in (Metric.METRIC_BINARY, Metric.METRIC_MILESTONES):
        return ZERO, ONE
    if definition.metric == Metric.METRIC_NUMBER and definition.direction not in MOVING:
        return None
    return number(definition.baseline), number(definition.target)


def _required(definition: Definition, there: Score, day: date, last: date) -> Score:
    way = _way(definition)
    if way is None or definition.metric == Metric.METRIC_BINARY or day >= last:
        return None
    baseline, target = way
    left = target - (baseline if there is None else there)
    if left * (target - baseline) <= 0:
        return ZERO
    return rounded(left / (last - day).days)


def _behind(definition: Definition, there: Fraction, cycle: Cycle, day: date) -> Fraction:
    """The gap to the trajectory on a day."""
    expected = measure.expected_progress(definition, cycle.definition, day)
    actual = there
    if definition.metric != Metric.METRIC_MILESTONES:
        actual = measure.attained(definition, there, cycle.definition.policy)
    assert expected is not None
    return rounded(expected - actual)
