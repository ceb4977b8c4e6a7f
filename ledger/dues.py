"""What a key result owes: when its next check-in is due, and which periods asked for one."""

from __future__ import annotations

from datetime import date

from ledger.cycles import Cycle
from ledger.key_results import KeyResult
from ledger.objectives import Objective
from ledger.revision import in_order
from ledger.scoring import pace
from ledger.scoring.cadence import Due, next_due
from ledger.standing import cadence_of
from okr.v1 import events_pb2 as facts


def owner_of(objective: Objective, key_result: KeyResult | None = None) -> str:
    """Who answers for a key result, or for an objective: its own owner, else the objective's."""
    own = key_result.definition.owner.plain if key_result else ""
    return own or objective.definition.owner.plain


def owes(objective: Objective, key_result: KeyResult, cycle: Cycle) -> bool:
    """Whether check-ins are asked of it: committed, not closed, not dropped."""
    return cycle.committed and not objective.closed and not key_result.dropped


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
    starts = facts.KeyResultAdded, facts.KeyResultCarriedOver, facts.KeyResultRestored
    for revision in in_order(key_result.revisions, day):
        if isinstance(revision.fact, starts):
            since = max(since, revision.effective)
    return since
