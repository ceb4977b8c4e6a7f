"""What a key result owes: when its next check-in is due, and which periods asked for one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Self

from ledger.cycles import Cycle
from ledger.key_results import KeyResult
from ledger.objectives import Objective
from ledger.revision import in_order
from ledger.scoring import pace
from ledger.scoring.cadence import Due, Period, check_ins_made, made_late, next_due
from ledger.standing import cadence_of
from okr.v1 import events_pb2 as facts

_STARTS = (facts.KeyResultAdded, facts.KeyResultCarriedOver, facts.KeyResultRestored)


def owner_of(objective: Objective, key_result: KeyResult | None = None) -> str:
    """Who answers for a key result, or for an objective: its own owner, else the objective's."""
    own = key_result.definition.owner.plain if key_result else ""
    return own or objective.definition.owner.plain


def due(
    key_result: KeyResult, cycle: Cycle, last_check_in_day: date | None, day: date
) -> Due | None:
    """Its next check-in as seen on a day; None once the cycle asks for no more."""
    cadence = cadence_of(cycle)
    beats = pace.periods(cycle.first_day, cycle.last_day, cadence)
    return next_due(beats, last_check_in_day, counts_since(key_result, cycle, day), cadence)


def counts_since(key_result: KeyResult, cycle: Cycle, day: date) -> date:
    """The day from which it counts without a break, as seen on a day: not before the plan does."""
    since = cycle.plan_date or cycle.first_day
    for revision in in_order(key_result.revisions, day):
        if isinstance(revision.fact, _STARTS):
            since = max(since, revision.effective)
    return since


@dataclass(frozen=True, slots=True)
class Tally:
    """How many check-ins were due, made, and of these told late: late ≤ made ≤ due."""

    due: int = 0
    made: int = 0
    late: int = 0

    def __add__(self, other: Self) -> Self:
        return type(self)(self.due + other.due, self.made + other.made, self.late + other.late)


def tally(
    objective: Objective,
    key_result: KeyResult,
    cycle: Cycle,
    told: Iterable[tuple[date, date]],
    day: date,
) -> Tally:
    """The check-ins of a key result over the periods that have ended by a day.

    `told` holds the day that each check-in is of and the day on which it was told.
    """
    given = list(told)
    asked = list(periods_asked(objective, key_result, cycle, day))
    made, asked_by_now = check_ins_made(asked, (of for of, _ in given), day)
    return Tally(asked_by_now, made, made_late(asked, given, day))


def periods_asked(
    objective: Objective, key_result: KeyResult, cycle: Cycle, day: date
) -> Iterator[Period]:
    """The cycle's periods on whose first and last days the key result counted, as seen on a day."""
    if not cycle.committed:
        return
    plan = cycle.plan_date or cycle.first_day
    spans = list(_spans(objective, key_result, day))
    for period in pace.periods(cycle.first_day, cycle.last_day, cadence_of(cycle)):
        counted = any(start <= period.first_day and period.last_day <= end for start, end in spans)
        if counted and plan <= period.first_day:
            yield period


def _spans(objective: Objective, key_result: KeyResult, day: date) -> Iterator[tuple[date, date]]:
    """The first and last days between which it counted."""
    closed = _last_open_day(objective, day)
    since: date | None = None
    for revision in in_order(key_result.revisions, day):
        if isinstance(revision.fact, _STARTS):
            since = since or revision.effective
        elif isinstance(revision.fact, facts.KeyResultDropped) and since:
            yield since, min(_before(revision.effective), closed)
            since = None
    if since:
        yield since, closed


def _last_open_day(objective: Objective, day: date) -> date:
    """The day of its grade, or the one before it was abandoned; the end of time before either."""
    for revision in in_order(objective.revisions, day):
        if isinstance(revision.fact, facts.ObjectiveGraded):
            return revision.effective
        if isinstance(revision.fact, facts.ObjectiveAbandoned):
            return _before(revision.effective)
    return date.max


def _before(day: date) -> date:
    return day - timedelta(days=1) if day > date.min else day
