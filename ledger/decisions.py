"""From a request to the events it means: one short function a request, and the table of them.

Each function looks up the states that its decision needs, lets the aggregate's own module decide,
and says in which streams the events belong. Nothing here reads a clock, makes a random id or does
I/O, so that deciding again on the same state gives the same events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from google.protobuf.message import Message

from ledger import (
    adjustments,
    alignment,
    check_ins,
    cycles,
    key_results,
    objectives,
    refusals,
    teams,
)
from ledger.context import Context
from ledger.cycles import Cycle, not_future, state_name, within
from ledger.definitions import Days
from ledger.event import Decision, NewEvent
from ledger.grading import check_ins_of, computed_score
from ledger.policies import policy_of
from ledger.refusals import EtagMismatch, FieldInvalid, NotFound, ReasonRequired, invalid
from ledger.scoring.key_result import clamped
from ledger.values import ALWAYS, blank, date_message, day, moment, new_name, plain
from ledger.view import View
from okr.v1 import ledger_service_pb2 as api
from okr.v1.event_record_pb2 import EventMetadata
from okr.v1.values_pb2 import AlignmentKind, Category, CycleState

Events = list[NewEvent]


def decide(view: View, request: Message, context: Context) -> Decision:
    """What a request means in the present state.

    Raises:
        Refusal: the rules of the domain refuse it; nothing of it happens.
    """
    return DECISIONS[type(request)](view, request, context)


# --- cycles ---


def _create_cycle(view: View, request: api.CreateCycleRequest, context: Context) -> Decision:
    name = new_name("cycles", request.cycle_id, context)
    view.vacant(name)
    return _decided([NewEvent(name, cycles.create(name, request))], request, context, ALWAYS)


def _update_cycle(view: View, request: api.UpdateCycleRequest, context: Context) -> Decision:
    cycle = view.cycle(request.name)
    _check_etag(cycle.name, cycle.etag, request.etag)
    effective = _plan_change(cycle, request, context)
    fact = cycles.revise(cycle, request, effective)
    return _decided([NewEvent(cycle.name, fact)], request, context, effective)


def _commit_plan(view: View, request: api.CommitPlanRequest, context: Context) -> Decision:
    cycle = view.cycle(request.name)
    _check_etag(cycle.name, cycle.etag, request.etag)
    fact, effective = cycles.commit_plan(cycle, request)
    not_future(max(cycle.today(context), cycle.first_day), effective, "effective_date")
    return _decided([NewEvent(cycle.name, fact)], request, context, effective)


# --- teams ---


def _create_team(view: View, request: api.CreateTeamRequest, context: Context) -> Decision:
    name = new_name("teams", request.team_id, context)
    view.vacant(name)
    fact = teams.create(name, request, view.find_team)
    return _decided([NewEvent(name, fact)], request, context, ALWAYS)


def _update_team(view: View, request: api.UpdateTeamRequest, context: Context) -> Decision:
    team = view.team(request.name)
    _check_etag(team.name, team.etag, request.etag)
    effective = _team_change(request, context)
    fact = teams.revise(team, request, view.find_team, effective)
    return _decided([NewEvent(team.name, fact)], request, context, effective)


def _retire_team(view: View, request: api.RetireTeamRequest, context: Context) -> Decision:
    team = view.team(request.name)
    _check_etag(team.name, team.etag, request.etag)
    fact = teams.retire(team)
    effective = _team_change(request, context)
    return _decided([NewEvent(team.name, fact)], request, context, effective)


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


# --- the plan: requests that an adjustment may also hold ---


@dataclass(frozen=True, slots=True)
class Moment:
    """The day from which a change of the plan holds, and the circumstances of its request."""

    effective: date
    context: Context


@dataclass(frozen=True, slots=True)
class Change:
    """How a request changes a plan: the cycle whose plan it is, and the events."""

    cycle: Callable[[View, Any], str]
    events: Callable[[View, Any, Moment], Events]


def _create_objective(view: View, request: api.CreateObjectiveRequest, moment: Moment) -> Events:
    name = new_name("objectives", request.objective_id, moment.context)
    view.vacant(name)
    days = _days(view.cycle(request.cycle))
    fact = objectives.create(name, request)
    teams.in_use(view.team(fact.definition.team))
    events = [NewEvent(name, fact)]
    names: set[str] = set()
    for i, new in enumerate(request.key_results):
        key_result = new_name(f"{name}/keyResults", new.key_result_id, moment.context, i + 1)
        if key_result in names:
            raise invalid(f"key_results[{i}].key_result_id", "unique", "is given twice")
        names.add(key_result)
        field = f"key_results[{i}].definition"
        events.append(NewEvent(name, key_results.add(key_result, new.definition, days, field)))
    return events


def _update_objective(view: View, request: api.UpdateObjectiveRequest, moment: Moment) -> Events:
    objective = view.objective(request.name)
    _check_etag(objective.name, objective.etag, request.etag)
    dependants = view.alignments().dependants(objective.name)
    fact = objectives.revise(objective, request, moment.effective, dependants)
    if "team" in fact.changed.paths:
        teams.in_use(view.team(fact.after.team))
    return [NewEvent(objective.name, fact)]


def _abandon_objective(view: View, request: api.AbandonObjectiveRequest, moment: Moment) -> Events:
    objective = view.objective(request.name)
    _check_etag(objective.name, objective.etag, request.etag)
    dependants = view.alignments().dependants(objective.name)
    return [NewEvent(objective.name, objectives.abandon(objective, moment.effective, dependants))]


def _add_key_result(view: View, request: api.AddKeyResultRequest, moment: Moment) -> Events:
    objective = view.objective(request.parent)
    objectives.open_(objective)
    objectives.on_day(objective, moment.effective)
    name = new_name(f"{objective.name}/keyResults", request.key_result_id, moment.context)
    view.vacant(name)
    days = _days(view.cycle(objective.cycle))
    fact = key_results.add(name, request.definition, days, "definition")
    return [NewEvent(objective.name, fact)]


def _revise_key_result(view: View, request: api.ReviseKeyResultRequest, moment: Moment) -> Events:
    objective, key_result = _open_key_result(view, request)
    days = _days(view.cycle(objective.cycle))
    dependants = view.alignments().dependants(request.name)
    fact = key_results.revise(key_result, request, moment.effective, days, dependants)
    return [NewEvent(objective.name, fact)]


def _drop_key_result(view: View, request: api.DropKeyResultRequest, moment: Moment) -> Events:
    objective, key_result = _open_key_result(view, request)
    dependants = view.alignments().dependants(request.name)
    return [NewEvent(objective.name, key_results.drop(key_result, moment.effective, dependants))]


def _restore_key_result(view: View, request: api.RestoreKeyResultRequest, moment: Moment) -> Events:
    objective, key_result = _open_key_result(view, request)
    dependants = view.alignments().dependants(request.name)
    return [NewEvent(objective.name, key_results.restore(key_result, moment.effective, dependants))]


def _align(view: View, request: api.AlignRequest, moment: Moment) -> Events:
    child = _alignable(view, request.child, moment.effective)
    _alignable(view, request.parent, moment.effective)
    cycle = view.cycle(child.cycle)
    above = _contributed_to(view, request)
    fact = alignment.align(view.alignments(), request, moment.effective, cycle, above)
    return [NewEvent(alignment.STREAM, fact)]


def _unalign(view: View, request: api.UnalignRequest, moment: Moment) -> Events:
    view.node(request.child)
    _contributed_to(view, request)
    fact = alignment.unalign(view.alignments(), request, moment.effective)
    return [NewEvent(alignment.STREAM, fact)]


def _open_key_result(
    view: View,
    request: api.ReviseKeyResultRequest | api.DropKeyResultRequest | api.RestoreKeyResultRequest,
) -> tuple[objectives.Objective, key_results.KeyResult]:
    objective = view.objective(request.name)
    key_result = view.key_result(request.name)
    objectives.open_(objective)
    _check_etag(key_result.name, key_result.etag, request.etag)
    return objective, key_result


def _alignable(view: View, name: str, effective: date) -> objectives.Objective:
    """The objective of a node that may be aligned: it counts, and it exists on the day."""
    objective = view.node(name)
    objectives.open_(objective)
    key_result = view.key_result(name) if name != objective.name else None
    if key_result:
        key_results.counting(key_result)
    # From the beginning means: from whenever both are there.
    if effective != ALWAYS:
        objectives.on_day(objective, effective)
        if key_result:
            key_results.on_day(key_result, effective)
    return objective


def _contributed_to(view: View, request: api.AlignRequest | api.UnalignRequest) -> Cycle:
    """The parent's cycle, which still takes facts where the alignment moves its scores."""
    cycle = view.cycle(view.node(request.parent).cycle)
    moves_scores = request.kind == AlignmentKind.ALIGNMENT_KIND_CONTRIBUTES
    return _active(cycle) if moves_scores and cycle.committed else cycle


def _cycle_of_alignment(view: View, request: api.AlignRequest | api.UnalignRequest) -> str:
    """The cycle whose plan an alignment changes.

    The child's; but where a draft comes to contribute to a committed plan, that plan's.
    """
    cycle = view.cycle(view.objective(request.child).cycle)
    if request.kind == AlignmentKind.ALIGNMENT_KIND_CONTRIBUTES and not cycle.committed:
        above = view.cycle(view.objective(request.parent).cycle)
        return above.name if above.committed else cycle.name
    return cycle.name


def _cycle_of_objective(field: str) -> Callable[[View, Any], str]:
    return lambda view, request: view.objective(getattr(request, field)).cycle


CHANGES: Mapping[type[Message], Change] = {
    api.CreateObjectiveRequest: Change(lambda _, request: request.cycle, _create_objective),
    api.UpdateObjectiveRequest: Change(_cycle_of_objective("name"), _update_objective),
    api.AbandonObjectiveRequest: Change(_cycle_of_objective("name"), _abandon_objective),
    api.AddKeyResultRequest: Change(_cycle_of_objective("parent"), _add_key_result),
    api.ReviseKeyResultRequest: Change(_cycle_of_objective("name"), _revise_key_result),
    api.DropKeyResultRequest: Change(_cycle_of_objective("name"), _drop_key_result),
    api.RestoreKeyResultRequest: Change(_cycle_of_objective("name"), _restore_key_result),
    api.AlignRequest: Change(_cycle_of_alignment, _align),
    api.UnalignRequest: Change(_cycle_of_alignment, _unalign),
}
"""The requests that change a plan."""


def _change_plan(view: View, request: Any, context: Context) -> Decision:
    change = CHANGES[type(request)]
    cycle = view.cycle(change.cycle(view, request))
    effective = _plan_change(cycle, request, context)
    if isinstance(request, api.AbandonObjectiveRequest) and blank(request.reason):
        raise ReasonRequired(request.name, ("reason",))
    events = change.events(view, request, Moment(effective, context))
    return _decided(events, request, context, effective)


def _adjust_strategy(view: View, request: api.AdjustStrategyRequest, context: Context) -> Decision:
    cycle = view.cycle(request.cycle)
    if cycle.state != CycleState.CYCLE_STATE_ACTIVE:
        raise refusals.CycleState(cycle.name, state_name(cycle.state), "ACTIVE")
    name = new_name("adjustments", request.adjustment_id, context)
    view.vacant(name)
    effective = _plan_change(cycle, request, context)
    metadata = _metadata(request, context, effective, adjustment=name)
    events: Events = []
    for i, wrapped in enumerate(request.changes):
        part = adjustments.change_of(wrapped, i)
        change = CHANGES[type(part)]
        if change.cycle(view, part) != cycle.name:
            raise invalid(f"changes[{i}]", "adjustment.cycle", f"does not belong to {cycle.name}")
        try:
            decided = change.events(view, part, Moment(effective, _numbered(context, i)))
        except FieldInvalid as refusal:
            raise adjustments.placed(refusal, wrapped, i) from refusal
        view.ahead(decided, metadata)
        events += decided
    adjustments.check_size([event.fact for event in events])
    made = adjustments.adjust(name, request, [_subject(event.fact) for event in events])
    return Decision((NewEvent(name, made), *events), metadata)


# --- grading ---


def _grade(view: View, request: api.GradeObjectiveRequest, context: Context) -> Decision:
    objective, effective = _to_grade(view, request, context)
    computed = computed_score(view, objective.name, effective)
    fact = objectives.grade(objective, request, computed)
    return _decided([NewEvent(objective.name, fact)], request, context, effective)


def _regrade(view: View, request: api.RegradeObjectiveRequest, context: Context) -> Decision:
    objective, effective = _to_grade(view, request, context)
    graded = objectives.last_graded(objective)
    if effective < graded:
        raise invalid(
            "effective_date", "effective_date.graded", f"must not lie before the grade of {graded}"
        )
    computed = computed_score(view, objective.name, effective)
    fact = objectives.regrade(objective, request, computed)
    return _decided([NewEvent(objective.name, fact)], request, context, effective)


def _to_grade(
    view: View, request: api.GradeObjectiveRequest | api.RegradeObjectiveRequest, context: Context
) -> tuple[objectives.Objective, date]:
    """The objective, and the day that its score is of: today, while check-ins are taken."""
    objective = view.objective(request.name)
    _check_etag(objective.name, objective.etag, request.etag)
    cycle = _active(view.cycle(objective.cycle))
    today = cycle.today(context)
    effective = min(max(today, cycle.first_day), cycle.last_check_in_day)
    if request.HasField("effective_date"):
        effective = day(request.effective_date, "effective_date")
        within(cycle, effective, "effective_date", grace=True)
        not_future(max(today, cycle.first_day), effective, "effective_date")
    objectives.on_day(objective, effective)
    if request.HasField("override_score"):
        override = Decimal(request.override_score)
        if clamped(override, policy_of(cycle.definition.policy)) != override:
            raise invalid("override_score", "score.scale", "lies outside the policy's scale")
    return objective, effective


# --- check-ins ---


def _record_check_in(view: View, request: api.RecordCheckInRequest, context: Context) -> Decision:
    objective = view.objective(request.parent)
    key_result = objective.key_results.get(request.parent)
    if key_result is None:
        raise NotFound(request.parent)
    cycle = _active(view.cycle(objective.cycle))
    fact, effective = check_ins.record(objective, cycle, key_result, request, context)
    return _decided([NewEvent(objective.name, fact)], request, context, effective)


def _correct_check_in(view: View, request: api.CorrectCheckInRequest, context: Context) -> Decision:
    objective, current = _check_in(view, request.name)
    cycle = _active(view.cycle(objective.cycle))
    fact, effective = check_ins.correct(objective, cycle, current, request, context)
    return _decided([NewEvent(objective.name, fact)], request, context, effective)


def _retract_check_in(view: View, request: api.RetractCheckInRequest, context: Context) -> Decision:
    objective, current = _check_in(view, request.name)
    _active(view.cycle(objective.cycle))
    fact = check_ins.retract(objective, current, request)
    return _decided([NewEvent(objective.name, fact)], request, context, current.effective)


def _check_in(view: View, name: str) -> tuple[objectives.Objective, check_ins.CheckIn]:
    """The check-in of a name and its objective; costs by the number of the objective's events."""
    key_result, _, number = name.partition(check_ins.CHECK_INS)
    objective = view.objective(view.key_result(key_result).name)
    found = check_ins_of(view.records(objective.name), key_result).get(int(number))
    if found is None:
        raise NotFound(name)
    return objective, found


DECISIONS: Mapping[type[Message], Callable[[View, Any, Context], Decision]] = {
    api.CreateCycleRequest: _create_cycle,
    api.UpdateCycleRequest: _update_cycle,
    api.CommitPlanRequest: _commit_plan,
    api.CreateTeamRequest: _create_team,
    api.UpdateTeamRequest: _update_team,
    api.RetireTeamRequest: _retire_team,
    **dict.fromkeys(CHANGES, _change_plan),
    api.AdjustStrategyRequest: _adjust_strategy,
    api.GradeObjectiveRequest: _grade,
    api.RegradeObjectiveRequest: _regrade,
    api.RecordCheckInRequest: _record_check_in,
    api.CorrectCheckInRequest: _correct_check_in,
    api.RetractCheckInRequest: _retract_check_in,
}
"""Every request that changes the ledger."""


# --- what decisions share ---


def _plan_change(cycle: Cycle, request: Any, context: Context) -> date:
    """The day from which a change of the plan holds.

    Before plan commitment it holds from the beginning. After it, from today within the cycle, or
    from the earlier day that the request names.

    Raises:
        CycleState: the cycle is being closed or sealed.
        ReasonRequired: the plan is committed, and the reason or category is missing.
        ApprovalRequired: the cycle takes approved adjustments only.
        DayOutsideCycle, DayInFuture, FieldInvalid: the day named is not one to change the plan on.
    """
    given = None
    if request.HasField("effective_date"):
        given = day(request.effective_date, "effective_date")
    if cycle.state == CycleState.CYCLE_STATE_DRAFT:
        if given not in (None, cycle.first_day):
            raise invalid(
                "effective_date",
                "effective_date.draft",
                f"a plan that is not committed holds from the cycle's first day, {cycle.first_day}",
            )
        return ALWAYS
    _active(cycle)
    if cycle.definition.adjustments_need_approval:
        raise refusals.ApprovalRequired(cycle.name)
    given_reasons = {"reason": not blank(request.reason), "category": bool(request.category)}
    missing = [name for name, is_given in given_reasons.items() if not is_given]
    if missing:
        raise ReasonRequired(cycle.name, tuple(missing))
    today = max(cycle.today(context), cycle.first_day)
    if given is None:
        return min(today, cycle.last_day)
    within(cycle, given, "effective_date")
    not_future(today, given, "effective_date")
    return given


def _active(cycle: Cycle) -> Cycle:
    if cycle.state != CycleState.CYCLE_STATE_ACTIVE:
        raise refusals.CycleState(cycle.name, state_name(cycle.state), "ACTIVE")
    return cycle


def _check_etag(resource: str, current: str, given: str) -> None:
    if given and given != current:
        raise EtagMismatch(resource, current)


def _days(cycle: Cycle) -> Days:
    return Days(cycle.first_day, cycle.last_day)


def _decided(events: Events, request: Any, context: Context, effective: date) -> Decision:
    return Decision(tuple(events), _metadata(request, context, effective))


def _metadata(
    request: Any, context: Context, effective: date, *, adjustment: str = ""
) -> EventMetadata:
    metadata = EventMetadata(request_id=context.request_id, adjustment=adjustment)
    metadata.actor.plain = context.actor
    if context.on_behalf_of:
        metadata.on_behalf_of.plain = context.on_behalf_of
    if effective != ALWAYS:
        metadata.effective_date.CopyFrom(date_message(effective))
    if not blank(reason := getattr(request, "reason", "")):
        metadata.reason.plain = plain(reason)
    metadata.category = getattr(request, "category", Category.CATEGORY_UNSPECIFIED)
    if request.HasField("source_time"):
        metadata.source_time.CopyFrom(moment(request.source_time, "source_time"))
    return metadata


def _numbered(context: Context, index: int) -> Context:
    """The context of one change of an adjustment, with ids of its own."""
    return Context(
        context.now_us,
        context.actor,
        context.on_behalf_of,
        context.request_id,
        lambda: f"{context.new_id()}-c{index + 1}",
    )


def _subject(fact: Any) -> str:
    """What an event of a plan is about."""
    for field in ("key_result", "objective", "child"):
        if hasattr(fact, field):
            return str(getattr(fact, field))
    raise TypeError(f"{fact.DESCRIPTOR.full_name} is not about a plan")
