"""A key result's attainment, score, expected progress and status, from DOMAIN §5 and the protos.

Slow and plain: fractions, no memory, nothing of the ledger's own code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise

from google.type.date_pb2 import Date

from okr.v1 import resources_pb2 as resources
from okr.v1 import values_pb2 as values
from okr.v1.values_pb2 import Aggregation, Cadence, CycleDefinition, Direction, Metric
from okr.v1.values_pb2 import KeyResultDefinition as Definition
from okr.v1.values_pb2 import ScoringPolicy as Policy
from tests.model.numbers import ONE, ZERO, Score, half_up, number, ratio, rounded, total

MOVING = (Direction.DIRECTION_INCREASE, Direction.DIRECTION_DECREASE)


def day_of(message: Date) -> date:
    """A day of an event; what has none holds from the beginning."""
    return date(message.year, message.month, message.day) if message.year else date.min


@dataclass(frozen=True)
class Measured:
    """The check-ins in force on a day, the last one last, and the cycle that they are of."""

    check_ins: Sequence[tuple[date, values.Measurement]]
    cycle: CycleDefinition
    day: date

    @property
    def last(self) -> values.Measurement | None:
        """What is in force; None before the first and where it says "not measured"."""
        if not self.check_ins or self.check_ins[-1][1].HasField("not_measured"):
            return None
        return self.check_ins[-1][1]

    def values(self) -> list[Fraction]:
        """Every number measured."""
        return [number(m.value) for _, m in self.check_ins if m.HasField("value")]

    def of_periods(self) -> list[Fraction | None]:
        """The last value of each period that has ended, and of the running one if checked."""
        found = []
        for first, last in periods(self.cycle):
            inside = [m for day, m in self.check_ins if first <= day <= last]
            if inside or last < self.day:
                has_value = bool(inside) and inside[-1].HasField("value")
                found.append(number(inside[-1].value) if has_value else None)
        return found


# --- the cycle's time ---


def periods(cycle: CycleDefinition) -> list[tuple[date, date]]:
    """The periods of a cadence; a rest of less than half a period belongs to the last one."""
    first, last = day_of(cycle.first_day), day_of(cycle.last_day)
    if cycle.cadence == Cadence.CADENCE_MONTHLY:
        starts = [first]
        while (following := _next_month(starts[-1]).replace(day=1)) <= last:
            starts.append(following)
    else:
        length = 7 if cycle.cadence == Cadence.CADENCE_WEEKLY else 14
        starts = [first + timedelta(d) for d in range(0, (last - first).days + 1, length)]
        if len(starts) > 1 and ((last - starts[-1]).days + 1) * 2 < length:
            starts.pop()
    ends = [*(start - timedelta(1) for start in starts[1:]), last]
    return list(zip(starts, ends, strict=True))


def next_check_in(day: date, cadence: Cadence.ValueType) -> date:
    """The day on which the check-in after one is due."""
    if cadence != Cadence.CADENCE_MONTHLY:
        return day + timedelta(7 if cadence == Cadence.CADENCE_WEEKLY else 14)
    return _next_month(day)


def _next_month(day: date) -> date:
    """The same day of the next month, or that month's last."""
    first = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    after = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    return first.replace(day=min(day.day, (after - first).days))


def elapsed(cycle: CycleDefinition, day: date) -> Fraction:
    """The share of the cycle that has passed."""
    first, last = day_of(cycle.first_day), day_of(cycle.last_day)
    if day >= last:
        return ONE
    if day < first:
        return ZERO
    counted = int(cycle.policy.day_count == Policy.DAY_COUNT_DAY_COUNTED)
    return Fraction((day - first).days + counted, (last - first).days + counted)


# --- attainment and score ---


def value(definition: Definition, measured: Measured) -> Score:
    """The value in force."""
    if measured.last is None or not measured.last.HasField("value"):
        return None
    if definition.aggregation == Aggregation.AGGREGATION_SUM:
        return total(measured.values())
    return number(measured.last.value)


def attainment(definition: Definition, measured: Measured, policy: Policy) -> Score:
    """How far it has come, unclamped, not rounded."""
    if measured.last is None:
        return None
    if definition.metric == Metric.METRIC_MILESTONES:
        weights = {step.id: number(step.weight) for step in definition.milestones}
        done = [weights.get(each, ZERO) for each in set(measured.last.completed.ids)]
        return ratio(total(done), total(weights.values()))
    if _is_kept(definition) and policy.maintain == Policy.MAINTAIN_SHARE_OF_PERIODS:
        kept = [v is not None and _kept(definition, v, policy) for v in measured.of_periods()]
        return Fraction(sum(kept), len(kept)) if kept else None
    there = value(definition, measured)
    return None if there is None else attained(definition, there, policy)


def attained(definition: Definition, there: Fraction, policy: Policy) -> Fraction:
    """What a value is worth."""
    if definition.metric == Metric.METRIC_BINARY:
        return ONE if there >= 1 else ZERO
    if definition.metric == Metric.METRIC_ZONES:
        return _zone(definition, there)
    if _is_kept(definition):
        if policy.maintain == Policy.MAINTAIN_DISTANCE:
            return _distance(definition, there, policy)
        return ONE if _kept(definition, there, policy) else ZERO
    baseline, target = number(definition.baseline), number(definition.target)
    if policy.formula != Policy.FORMULA_RATIO:
        return ratio(there - baseline, target - baseline)
    if definition.direction == Direction.DIRECTION_INCREASE:
        if target > 0:
            return there / target
        return ONE if there >= target else ZERO
    if there > 0 and target > 0:
        return target / there
    return ONE if there <= target else ZERO


def score(definition: Definition, measured: Measured, policy: Policy) -> Score:
    """The attainment made a grade: clamped, and rounded once."""
    found = attainment(definition, measured, policy)
    return None if found is None else rounded(clamped(found, policy))


def clamped(value: Fraction, policy: Policy) -> Fraction:
    """A number within the policy's scale."""
    if policy.clamp == Policy.CLAMP_NONE:
        return value
    floored = max(value, ZERO)
    return floored if policy.clamp == Policy.CLAMP_FLOOR_ONLY else min(floored, ONE)


def _is_kept(definition: Definition) -> bool:
    """Whether it is to stay within bounds."""
    return definition.metric == Metric.METRIC_NUMBER and definition.direction not in MOVING


def _bounds(definition: Definition) -> tuple[Score, Score]:
    lower = upper = None
    if definition.direction != Direction.DIRECTION_MAINTAIN_AT_MOST:
        lower = number(definition.lower_bound)
    if definition.direction != Direction.DIRECTION_MAINTAIN_AT_LEAST:
        upper = number(definition.upper_bound)
    return lower, upper


def _kept(definition: Definition, there: Fraction, policy: Policy) -> bool:
    lower, upper = _bounds(definition)
    if policy.boundary == Policy.BOUNDARY_STRICT:
        return (lower is None or there > lower) and (upper is None or there < upper)
    return (lower is None or there >= lower) and (upper is None or there <= upper)


def _distance(definition: Definition, there: Fraction, policy: Policy) -> Fraction:
    """1 more the room before the bound, or less what lies past it, in sizes of the bound."""
    lower, upper = _bounds(definition)
    rooms = [(upper - there, upper)] if upper is not None else []
    rooms += [(there - lower, lower)] if lower is not None else []
    if len(rooms) == 2 and all(room >= 0 for room, _ in rooms):
        return ONE
    room, bound = min(rooms)
    if not bound:
        return ONE if _kept(definition, there, policy) else ZERO
    return 1 + room / abs(bound)


def _zone(definition: Definition, there: Fraction) -> Fraction:
    """0 at the baseline, 0.3 at commit, 0.7 at target, 1 at stretch, and straight between."""
    names = ("baseline", "commit", "target", "stretch")
    places = [number(getattr(definition, name)) for name in names]
    worths = [ZERO, Fraction(3, 10), Fraction(7, 10), ONE]
    if places[0] > places[-1]:
        places, there = [-place for place in places], -there
    at = max((i for i in range(3) if there >= places[i]), default=0)
    start, end, low, high = places[at], places[at + 1], worths[at], worths[at + 1]
    if start == end:
        return high if there >= end else low
    return low + (there - start) / (end - start) * (high - low)


# --- expected ---


def expected_value(definition: Definition, cycle: CycleDefinition, day: date) -> Score:
    """Where the trajectory says the value should be, not rounded."""
    if definition.metric in (Metric.METRIC_BINARY, Metric.METRIC_MILESTONES):
        return elapsed(cycle, day)
    if _is_kept(definition):
        return None
    baseline, target = number(definition.baseline), number(definition.target)
    line: list[tuple[Fraction, Fraction]]
    match definition.trajectory.WhichOneof("shape"):
        case "phased":
            points = definition.trajectory.phased.points
            line = [(Fraction(day_of(p.day).toordinal()), number(p.value)) for p in points]
            first = Fraction(day_of(cycle.first_day).toordinal())
            if line[0][0] > first:
                line.insert(0, (first, baseline))
            return _height(line, Fraction(day.toordinal()))
        case "checkpointed":
            worths = definition.trajectory.checkpointed.points
            line = [(number(p.share), number(p.value)) for p in worths]
            if line[0][0] > 0 and line[0][1] != baseline:
                line.insert(0, (ZERO, baseline))
            if line[-1][0] < 1 and line[-1][1] != target:
                line.append((ONE, target))
            return _height(line, elapsed(cycle, day))
    return baseline + elapsed(cycle, day) * (target - baseline)


def expected_progress(definition: Definition, cycle: CycleDefinition, day: date) -> Score:
    """What the expected value is worth, rounded; a bound is to be kept from the first day."""
    if _is_kept(definition):
        return ONE
    planned = expected_value(definition, cycle, day)
    assert planned is not None
    if definition.metric in (Metric.METRIC_BINARY, Metric.METRIC_MILESTONES):
        return rounded(planned)
    return rounded(attained(definition, planned, cycle.policy))


def _height(line: list[tuple[Fraction, Fraction]], x: Fraction) -> Fraction:
    if x <= line[0][0]:
        return line[0][1]
    for (left, low), (right, high) in pairwise(line):
        if left <= x < right:
            return low + (x - left) / (right - left) * (high - low)
    return line[-1][1]


# --- status and colour ---


def status(
    expected: Score, actual: Score, policy: Policy, *, stale: bool
) -> resources.Status.ValueType:
    """Expected against actual."""
    if expected is None or actual is None:
        return resources.STATUS_PENDING
    if stale:
        return resources.STATUS_STALE
    if expected <= 0:
        return resources.STATUS_ON_TRACK
    if policy.status_rule == Policy.STATUS_RULE_RATIO:
        share = rounded(actual / expected)
        if share >= number(policy.on_track_from):
            return resources.STATUS_ON_TRACK
        enough = share >= number(policy.behind_from)
        return resources.STATUS_BEHIND if enough else resources.STATUS_AT_RISK
    gap = rounded(expected - actual)
    if gap <= 0:
        return resources.STATUS_ON_TRACK
    far = gap > number(policy.at_risk_over)
    return resources.STATUS_AT_RISK if far else resources.STATUS_BEHIND


def status_of_all(
    statuses: Sequence[resources.Status.ValueType], policy: Policy
) -> resources.Status.ValueType:
    """One status for several; what is pending does not count."""
    known = [each for each in statuses if each != resources.STATUS_PENDING]
    if not known:
        return resources.STATUS_PENDING
    worst_last = (
        resources.STATUS_ON_TRACK,
        resources.STATUS_BEHIND,
        resources.STATUS_STALE,
        resources.STATUS_AT_RISK,
    )
    if policy.status_rollup == Policy.STATUS_ROLLUP_WORST:
        return max(known, key=worst_last.index)
    numbers = (1, 2, 2, 3)
    mean = half_up(Fraction(sum(numbers[worst_last.index(s)] for s in known), len(known)), 0)
    if mean == 1 and resources.STATUS_STALE in known:
        return resources.STATUS_STALE
    return worst_last[(0, 1, 3)[int(mean) - 1]]


def band(found: Score, policy: Policy) -> resources.Band.ValueType:
    """The colour of a score."""
    if found is None:
        return resources.BAND_UNSPECIFIED
    if policy.band_rule == Policy.BAND_RULE_TENTHS:
        found = half_up(found, 1)
    if found >= number(policy.green_from):
        return resources.BAND_GREEN
    return resources.BAND_YELLOW if found >= number(policy.yellow_from) else resources.BAND_RED
