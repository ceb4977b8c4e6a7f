"""From a request to the events it means: one short function a request, and the table of them.

Each function looks up the states that its decision needs, lets the aggregate's own module decide,
and says in which streams the events belong. Nothing here reads a clock, makes a random id or does
I/O, so that deciding again on the same state gives the same events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from google.protobuf.message import Message

from ledger import (
    adjusting,
    check_ins,
    closing,
    cycles,
    objectives,
    people,
    reviews,
    teams,
)
from ledger.circumstances import active, check_etag, decision_of, plan_change
from ledger.context import Context
from ledger.cycles import not_future, within
from ledger.event import Decision, NewEvent
from ledger.grading import computed_score
from ledger.plan_changes import CHANGES, Moment
from ledger.recorded_check_ins import find
from ledger.refusals import NotFound, ReasonRequired, invalid
from ledger.values import ALWAYS, blank, day, new_name
from ledger.view import View
from okr.v1 import events_pb2 as facts
from okr.v1 import ledger_service_pb2 as api


def decide(view: View, request: Message, context: Context) -> Decision:
    """What a request means in the present state.

    Raises:
        Refusal: the rules of the domain refuse it; nothing of it happens.
    """
    decided = DECISIONS.get(type(request)) or OF_THE_LEDGER[type(request)]
    return decided(view, request, context)


# --- cycles ---


def _create_cycle(view: View, request: api.CreateCycleRequest, context: Context) -> Decision:
    name = new_name("cycles", request.cycle_id, context)
    view.vacant(name)
    return decision_of([NewEvent(name, cycles.create(name, request))], request, context, ALWAYS)


def _commit_plan(view: View, request: api.CommitPlanRequest, context: Context) -> Decision:
    cycle = view.cycle(request.name)
    check_etag(cycle.name, cycle.etag, request.etag)
    fact, effective = cycles.commit_plan(cycle, request)
    not_future(max(cycle.today(context), cycle.first_day), effective, "effective_date")
    return decision_of([NewEvent(cycle.name, fact)], request, context, effective)


# --- teams ---


def _create_team(view: View, request: api.CreateTeamRequest, context: Context) -> Decision:
    name = new_name("teams", request.team_id, context)
    view.vacant(name)
    fact = teams.create(name, request, view.find_team)
    return decision_of([NewEvent(name, fact)], request, context, ALWAYS)


def _update_team(view: View, request: api.UpdateTeamRequest, context: Context) -> Decision:
    team = view.team(request.name)
    check_etag(team.name, team.etag, request.etag)
    effective = _team_change(request, context)
    fact = teams.revise(team, request, view.find_team, effective)
    return decision_of([NewEvent(team.name, fact)], request, context, effective)


def _retire_team(view: View, request: api.RetireTeamRequest, context: Context) -> Decision:
    team = view.team(request.name)
    check_etag(team.name, team.etag, request.etag)
    fact = teams.retire(team)
    effective = _team_change(request, context)
    return decision_of([NewEvent(team.name, fact)], request, context, effective)


def _team_change(request: api.UpdateTeamRequest | api.RetireTeamRequest, context: Context) -> date:
    """The day from which a team's change holds; teams know no cycle, so days are UTC."""
    today = context.today("UTC")
    if not request.HasField("effective_date"):
        return today
    effective = day(request.effective_date, "effective_date")
    not_future(today, effective, "effective_date")
    if effective < today and blank(request.reason):
        raise ReasonRequired(request.name, ("reason",))
    return effective


def _change_plan(view: View, request: Any, context: Context) -> Decision:
    change = CHANGES[type(request)]
    cycle = view.cycle(change.cycle(view, request))
    effective = plan_change(cycle, request, context)
    if isinstance(request, api.AbandonObjectiveRequest) and blank(request.reason):
        raise ReasonRequired(request.name, ("reason",))
    events = change.events(view, request, Moment(effective, context))
    return decision_of(events, request, context, effective)


# --- grading ---


def _grade(view: View, request: api.GradeObjectiveRequest, context: Context) -> Decision:
    objective, effective = _to_grade(view, request, context)
    computed = computed_score(view, objective.name, effective)
    fact = objectives.grade(objective, request, computed)
    return decision_of([NewEvent(objective.name, fact)], request, context, effective)


def _regrade(view: View, request: api.RegradeObjectiveRequest, context: Context) -> Decision:
    objective, effective = _to_grade(view, request, context)
    graded = objectives.last_graded(objective)
    if effective < graded:
        raise invalid(
            "effective_date", "effective_date.graded", f"must not lie before the grade of {graded}"
        )
    computed = computed_score(view, objective.name, effective)
    fact = objectives.regrade(objective, request, computed)
    return decision_of([NewEvent(objective.name, fact)], request, context, effective)


def _to_grade(
    view: View, request: api.GradeObjectiveRequest | api.RegradeObjectiveRequest, context: Context
) -> tuple[objectives.Objective, date]:
    """The objective, and the day that its score is of: today, while check-ins are taken."""
    objective = view.objective(request.name)
    check_etag(objective.name, objective.etag, request.etag)
    cycle = active(view.cycle(objective.cycle))
    today = cycle.today(context)
    effective = min(max(today, cycle.first_day), cycle.last_check_in_day)
    if request.HasField("effective_date"):
        effective = day(request.effective_date, "effective_date")
        within(cycle, effective, "effective_date", grace=True)
        not_future(max(today, cycle.first_day), effective, "effective_date")
    objectives.on_day(objective, effective)
    if request.HasField("override_score"):
        closing.on_scale(cycle, request.override_score, "override_score")
    return objective, effective


# --- check-ins ---


def _record_check_in(view: View, request: api.RecordCheckInRequest, context: Context) -> Decision:
    objective = view.objective(request.parent)
    key_result = objective.key_results.get(request.parent)
    if key_result is None:
        raise NotFound(request.parent)
    cycle = active(view.cycle(objective.cycle))
    fact, effective = check_ins.record(objective, cycle, key_result, request, context)
    return decision_of([NewEvent(objective.name, fact)], request, context, effective)


def _correct_check_in(view: View, request: api.CorrectCheckInRequest, context: Context) -> Decision:
    objective, current = _check_in(view, request.name)
    cycle = active(view.cycle(objective.cycle))
    fact, effective = check_ins.correct(objective, cycle, current, request, context)
    return decision_of([NewEvent(objective.name, fact)], request, context, effective)


def _retract_check_in(view: View, request: api.RetractCheckInRequest, context: Context) -> Decision:
    objective, current = _check_in(view, request.name)
    active(view.cycle(objective.cycle))
    fact = check_ins.retract(objective, current, request)
    return decision_of([NewEvent(objective.name, fact)], request, context, current.effective)


def _check_in(view: View, name: str) -> tuple[objectives.Objective, check_ins.CheckIn]:
    """The check-in of a name and its objective; costs the same in a short and a long stream."""
    key_result, _, number = name.partition(check_ins.CHECK_INS)
    found = find(view.records, view.key_result(key_result), int(number))
    if found is None:
        raise NotFound(name)
    return view.objective(key_result), found.check_in


DECISIONS: Mapping[type[Message], Callable[[View, Any, Context], Decision]] = {
    api.CreateCycleRequest: _create_cycle,
    api.CommitPlanRequest: _commit_plan,
    api.CreateTeamRequest: _create_team,
    api.UpdateTeamRequest: _update_team,
    api.RetireTeamRequest: _retire_team,
    api.RegisterPersonRequest: people.register,
    api.ErasePersonRequest: people.erase,
    **dict.fromkeys(CHANGES, _change_plan),
    api.AdjustStrategyRequest: adjusting.adjust_strategy,
    api.ProposeAdjustmentRequest: adjusting.propose,
    api.ApproveAdjustmentRequest: adjusting.approve,
    api.RejectAdjustmentRequest: adjusting.reject,
    api.GradeObjectiveRequest: _grade,
    api.RegradeObjectiveRequest: _regrade,
    api.RecordCheckInRequest: _record_check_in,
    api.CorrectCheckInRequest: _correct_check_in,
    api.RetractCheckInRequest: _retract_check_in,
    api.CloseCycleRequest: closing.close,
    api.ReopenCycleRequest: closing.reopen,
    api.RecordAmendmentRequest: closing.amend,
    api.RecordReviewRequest: reviews.review,
    api.RecordLessonRequest: reviews.lesson,
}
"""Every request that changes the ledger."""

OF_THE_LEDGER: Mapping[type[Message], Callable[[View, Any, Context], Decision]] = {
    facts.CycleSealed: closing.seal,
}
"""What no caller asks for: the ledger finishes by itself what a request began."""
