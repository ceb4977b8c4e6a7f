"""How fast a key result moves, how fast it would have to, and where it ends at that pace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from ledger.check_ins import CheckIn
from ledger.cycles import Cycle
from ledger.definitions import scoring_definition
from ledger.policies import policy_of
from ledger.scoring import pace
from ledger.scoring.exact import ONE, ZERO, add
from ledger.scoring.key_result import Aggregation, Definition, Metric, Reading, attainment
from ledger.scoring.pace import Forecast
from ledger.scoring.policy import Policy
from ledger.standing import KeyResultStanding


@dataclass(frozen=True, slots=True)
class Momentum:
    """Paces are changes of the value a day; what cannot be told is None.

    `value` is the one in force, a share of the whole for milestones, None if not measured.
    `since` and `until` are the check-ins that the recent pace was taken between.
    `falling_behind` says that it does not land and lost ground against the trajectory.
    """

    value: Decimal | None
    required: Decimal | None
    recent: Decimal | None = None
    shortfall: Decimal | None = None
    forecast: Forecast | None = None
    falling_behind: bool = False
    since: CheckIn | None = None
    until: CheckIn | None = None


def momentum(
    standing: KeyResultStanding, check_ins: Sequence[CheckIn], cycle: Cycle, day: date
) -> Momentum:
    """The momentum of a key result on a day; `check_ins` are all that hold on it, in order."""
    policy = policy_of(cycle.definition.policy)
    definition = scoring_definition(standing.facts.current.definition)
    value = in_units(standing, definition)
    measured = series(check_ins, definition, policy) if value is not None else []
    points = [(check_in.effective, number) for check_in, number in measured]
    required = pace.required_pace(definition, value, day, cycle.last_day)
    recent = pace.recent_pace(points, day)
    if recent is None:
        return Momentum(value, required)
    shortfall = pace.pace_shortfall(definition, recent.per_day, required)
    lost = pace.lost_ground(definition, recent, cycle.first_day, cycle.last_day, policy)
    of_day = {check_in.effective: check_in for check_in, _ in measured}
    return Momentum(
        value,
        required,
        recent.per_day,
        shortfall,
        _forecast(definition, points, day, cycle),
        shortfall is not None and shortfall > 0 and lost,
        of_day[recent.first[0]],
        of_day[recent.last[0]],
    )


def foretold(
    definition: Definition, check_ins: Sequence[CheckIn], cycle: Cycle, day: date
) -> Forecast | None:
    """What the check-ins up to a day foretell for the cycle's last, as `momentum` does."""
    measured = series(check_ins, definition, policy_of(cycle.definition.policy))
    return _forecast(definition, [(each.effective, value) for each, value in measured], day, cycle)


def _forecast(
    definition: Definition, points: Sequence[tuple[date, Decimal]], day: date, cycle: Cycle
) -> Forecast | None:
    """A forecast; a share of milestones ends between nothing and all of them."""
    made = pace.forecast(points, day, cycle.last_day)
    if made is None or definition.metric is not Metric.MILESTONES:
        return made
    return Forecast(*(min(max(end, ZERO), ONE) for end in (made.value, made.low, made.high)))


def in_units(standing: KeyResultStanding, definition: Definition) -> Decimal | None:
    """The value in force, a share of the whole for milestones; None if not measured."""
    if definition.metric is Metric.MILESTONES:
        return standing.attainment
    return standing.value


def series(
    check_ins: Sequence[CheckIn], definition: Definition, policy: Policy
) -> list[tuple[CheckIn, Decimal]]:
    """The value that each check-in made: running totals of a sum, shares of milestones.

    Without those that say "not measured"; nothing of a binary key result, which has no pace.
    """
    if definition.metric is Metric.BINARY:
        return []
    found: list[tuple[CheckIn, Decimal]] = []
    total = ZERO
    for each in check_ins:
        measurement = each.content.measurement
        if measurement.HasField("completed"):
            reached = Reading(completed=frozenset(measurement.completed.ids))
            share = attainment(definition, reached, policy)
            if share is not None:
                found.append((each, share))
        elif measurement.HasField("value"):
            total = add(total, Decimal(measurement.value))
            summed = definition.aggregation is Aggregation.SUM
            found.append((each, total if summed else Decimal(measurement.value)))
    return found
