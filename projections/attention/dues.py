"""ListDueCheckIns: who owes a check-in, since when, for which period."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from sqlalchemy import Connection

from ledger.call import hides
from ledger.dues import due
from ledger.key_results import KeyResult
from ledger.objectives import Objective
from ledger.scoring.cadence import Due
from ledger.values import date_message
from okr.v1 import resources_pb2 as resources
from okr.v1.resources_pb2 import DueState
from okr.v1.score_service_pb2 import ListDueCheckInsRequest
from okr.v1.values_pb2 import CycleState
from projections.as_of import Known
from projections.attention.scope import Part, parts
from projections.paging import Cursor, Listed, Slice, cut

SOON_DAYS = 2
"""How many days ahead a check-in is due soon, unless a request says otherwise."""

Line = tuple[Cursor, Part, Objective, KeyResult, Due]


def list_due_check_ins(
    connection: Connection, request: ListDueCheckInsRequest, known: Known, part: Slice
) -> Listed[resources.DueCheckIn]:
    """The check-ins that are due, the longest overdue first, then by name.

    Raises:
        NotFound: the cycle or the team is not known.
        DayOutsideCycle, DayInFuture: the day asked for is not one of the cycle's.
    """
    ahead = timedelta(request.within_days if request.HasField("within_days") else SOON_DAYS)
    lines = sorted(
        (line for each in parts(connection, request, known) for line in _owed(each, ahead)),
        key=lambda line: line[0],
    )
    wanted = cut(((line, line[0]) for line in lines if line[0] > part.after), part.limit)
    return Listed([_shown(*line[1:]) for line in wanted.items], wanted.next)


def _owed(part: Part, ahead: timedelta) -> Iterator[Line]:
    """What a cycle's key results owe by some days from now; nothing once it is being closed."""
    if part.cycle.state != CycleState.CYCLE_STATE_ACTIVE:
        return
    for objective, key_result in part.key_results():
        if hides(key_result.name):
            continue
        owed = due(key_result, part.cycle, last_day(part, key_result), part.day)
        if owed is not None and owed.day <= part.day + ahead:
            yield (owed.day.toordinal(), key_result.name), part, objective, key_result, owed


def last_day(part: Part, key_result: KeyResult) -> date | None:
    """The day of the check-in in force."""
    check_ins = part.board.facts.key_results[key_result.name].check_ins
    return check_ins[-1].effective if check_ins else None


def _shown(
    part: Part, objective: Objective, key_result: KeyResult, owed: Due
) -> resources.DueCheckIn:
    check_ins = part.board.facts.key_results[key_result.name].check_ins
    overdue = (part.day - owed.day).days
    return resources.DueCheckIn(
        key_result=key_result.name,
        title=key_result.definition.title,
        cycle=part.cycle.name,
        team=objective.definition.team,
        owner=part.owner_of(objective, key_result),
        period=resources.CadencePeriod(
            number=owed.number,
            first_day=date_message(owed.period.first_day),
            last_day=date_message(owed.period.last_day),
        ),
        due_day=date_message(owed.day),
        state=_state(overdue),
        overdue_days=max(overdue, 0),
        check_in=part.board.describe(check_ins[-1]) if check_ins else None,
        effective_at=date_message(part.day),
    )


def _state(overdue_days: int) -> DueState.ValueType:
    if overdue_days > 0:
        return DueState.DUE_STATE_OVERDUE
    return DueState.DUE_STATE_TODAY if overdue_days == 0 else DueState.DUE_STATE_SOON
