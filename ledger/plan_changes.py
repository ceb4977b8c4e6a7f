"""Requests that change a plan: each alone, or as a part of a strategy adjustment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from google.protobuf.message import Message

from ledger import alignment, cycles, key_results, objectives, teams
from ledger.circumstances import active, check_etag, days_of
from ledger.context import Context
from ledger.cycles import Cycle
from ledger.event import NewEvent
from ledger.refusals import CarryOverNotLater, invalid
from ledger.values import ALWAYS, new_name
from ledger.view import View
from okr.v1 import ledger_service_pb2 as api
from okr.v1.values_pb2 import AlignmentKind

Events = list[NewEvent]


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
    days = days_of(view.cycle(request.cycle))
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
    check_etag(objective.name, objective.etag, request.etag)
    dependants = view.alignments().dependants(objective.name)
    fact = objectives.revise(objective, request, moment.effective, dependants)
    if "team" in fact.changed.paths:
        teams.in_use(view.team(fact.after.team))
    return [NewEvent(objective.name, fact)]


def _abandon_objective(view: View, request: api.AbandonObjectiveRequest, moment: Moment) -> Events:
    objective = view.objective(request.name)
    check_etag(objective.name, objective.etag, request.etag)
    dependants = view.alignments().dependants(objective.name)
    return [NewEvent(objective.name, objectives.abandon(objective, moment.effective, dependants))]


def _add_key_result(view: View, request: api.AddKeyResultRequest, moment: Moment) -> Events:
    objective = view.objective(request.parent)
    objectives.open_(objective)
    objectives.on_day(objective, moment.effective)
    name = new_name(f"{objective.name}/keyResults", request.key_result_id, moment.context)
    view.vacant(name)
    days = days_of(view.cycle(objective.cycle))
    fact = key_results.add(name, request.definition, days, "definition")
    return [NewEvent(objective.name, fact)]


def _revise_key_result(view: View, request: api.ReviseKeyResultRequest, moment: Moment) -> Events:
    objective, key_result = _open_key_result(view, request)
    days = days_of(view.cycle(objective.cycle))
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


def _update_cycle(view: View, request: api.UpdateCycleRequest, moment: Moment) -> Events:
    cycle = view.cycle(request.name)
    check_etag(cycle.name, cycle.etag, request.etag)
    return [NewEvent(cycle.name, cycles.revise(cycle, request, moment.effective))]


def _carry_over(view: View, request: api.CarryOverKeyResultRequest, moment: Moment) -> Events:
    source = view.key_result(request.continued_from)
    objective = view.objective(request.parent)
    objectives.open_(objective)
    objectives.on_day(objective, moment.effective)
    cycle = view.cycle(objective.cycle)
    if cycle.first_day <= view.cycle(view.objective(source.name).cycle).first_day:
        raise CarryOverNotLater(source.name, objective.name)
    own = request.key_result_id or source.name.rpartition("/")[2]
    name = f"{objective.name}{objectives.KEY_RESULTS}{own}"
    view.vacant(name)
    return [NewEvent(objective.name, key_results.carry_over(name, source, request, days_of(cycle)))]


def _open_key_result(
    view: View,
    request: api.ReviseKeyResultRequest | api.DropKeyResultRequest | api.RestoreKeyResultRequest,
) -> tuple[objectives.Objective, key_results.KeyResult]:
    objective = view.objective(request.name)
    key_result = view.key_result(request.name)
    objectives.open_(objective)
    check_etag(key_result.name, key_result.etag, request.etag)
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
    return active(cycle) if moves_scores and cycle.committed else cycle


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
    api.UpdateCycleRequest: Change(lambda _, request: request.name, _update_cycle),
    api.CarryOverKeyResultRequest: Change(_cycle_of_objective("parent"), _carry_over),
}
"""The requests that change a plan."""
