"""What reads of revisions, adjustments and events have to answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from google.protobuf.message import Message

from okr.v1 import audit_service_pb2 as audit
from okr.v1 import resources_pb2 as resources
from tests.model.filters import is_after_plan
from tests.model.known import Absent, Fact, Known
from tests.model.numbers import difference, number, shown, text
from tests.model.shapes import (
    KEY_RESULTS,
    Instants,
    by_level,
    date_message,
    differing,
    key_result,
    named,
    objective,
    only,
    three,
    who_and_when,
    why,
)
from tests.model.standing import Standing, Three

NONE: Final = Three(None, None, None)


def _changes(fact: Fact) -> dict[str, Any]:
    if fact.kind in ("KeyResultRevised", "ObjectiveRevised"):
        told = fact.payload
        return {"changed": told.changed, "before": told.before, "after": told.after}
    if hasattr(fact.payload, "definition"):
        return {"after": fact.payload.definition}
    return {}


def _revision(name: str, number_: int, at: Instants) -> Any:
    """A numbered revision, with the scores around it on the day on which it was recorded."""
    steps = at.known.revisions(name)
    if not 0 < number_ <= len(steps):
        raise Absent(name)
    fact = steps[number_ - 1]
    then = at.known.upto(fact.position)
    of = at.known.cycle(at.known.cycle_of(name))
    day = at.known.day_in(of.name, fact.recorded_us)

    def scores(known: Known) -> Three | None:
        return Standing(known, day).score(name, of.name) if known.of(name) else None

    told = who_and_when(fact) | why(fact) | _changes(fact)
    told |= {
        "name": f"{name}/revisions/{number_}",
        "number": number_,
        "event_type": fact.event.header.event_type,
        "effective_date": date_message(max(fact.day, of.first)),
        "after_plan_commitment": 0 < of.plan_position < fact.position,
    }
    told |= around(scores(at.known.upto(fact.position - 1)), scores(then))
    if KEY_RESULTS in name:
        return resources.KeyResultRevision(snapshot=key_result(then.key_result(name), then), **told)
    found = then.objective(name)
    assert found is not None
    shown_then = objective(found, then.cycle(of.name), then.key_results(name))
    return resources.ObjectiveRevision(snapshot=shown_then, **told)


def get_key_result_revision(request: audit.GetKeyResultRevisionRequest, at: Instants) -> Message:
    name, _, number_ = request.name.partition("/revisions/")
    return audit.GetKeyResultRevisionResponse(revision=_revision(name, int(number_), at))


def get_objective_revision(request: audit.GetObjectiveRevisionRequest, at: Instants) -> Message:
    name, _, number_ = request.name.partition("/revisions/")
    return audit.GetObjectiveRevisionResponse(revision=_revision(name, int(number_), at))


def _revisions(names: Sequence[str], request: Any, at: Instants) -> list[Any]:
    """Those that hold by the day and are asked for, the latest first."""
    teams = None
    if request.team:
        there = at.known.teams(at.latest)
        if request.team not in there:
            raise Absent(request.team)
        teams = at.known.tree(there, request.team)
    found = [
        (fact.position, name, number_)
        for name in names
        for number_, fact in enumerate(at.known.revisions(name), 1)
        if at.holds(fact)
        and at.passes(fact, at.known)
        and is_of(fact, teams, at.known)
        and (is_after_plan(fact, at.known) or not request.after_plan_commitment)
    ]
    found.sort(reverse=True)
    return [_revision(name, number_, at) for _, name, number_ in found[: request.page_size]]


def is_of(fact: Fact, teams: Sequence[str] | None, known: Known) -> bool:
    """Whether its objective was one of these teams' just before or just after."""
    if teams is None:
        return True
    name = fact.subject.partition(KEY_RESULTS)[0]
    then = [known.upto(position).objective(name) for position in (fact.position - 1, fact.position)]
    return any(each and each.definition.team in teams for each in then)


def list_key_result_revisions(
    request: audit.ListKeyResultRevisionsRequest, at: Instants
) -> Message:
    objective_name, _, own = request.parent.partition(KEY_RESULTS)
    if not at.known.of(objective_name if own == "-" else request.parent):
        raise Absent(request.parent)
    names = at.known.key_results(objective_name) if own == "-" else [request.parent]
    return audit.ListKeyResultRevisionsResponse(revisions=_revisions(names, request, at))


def list_objective_revisions(request: audit.ListObjectiveRevisionsRequest, at: Instants) -> Message:
    if request.parent == "objectives/-":
        at.day_in(request.cycle)
        names = at.known.objectives(request.cycle)
    else:
        names = [request.parent]
        if not at.known.of(request.parent):
            raise Absent(request.parent)
    return audit.ListObjectiveRevisionsResponse(revisions=_revisions(names, request, at))


def _compared(request: Any, at: Instants) -> dict[str, Any]:
    first = _revision(request.name, request.first, at)
    second = _revision(request.name, request.second, at)
    before, after = first.snapshot.definition, second.snapshot.definition
    answer: dict[str, Any] = {
        "first": first,
        "second": second,
        "difference": text(number(second.score_after or "0") - number(first.score_after or "0")),
    }
    if fields := differing(before, after):
        answer["changed"] = {"paths": fields}
        answer |= {"before": only(before, fields), "after": only(after, fields)}
    return answer


def compare_key_result_revisions(
    request: audit.CompareKeyResultRevisionsRequest, at: Instants
) -> Message:
    return audit.CompareKeyResultRevisionsResponse(**_compared(request, at))


def compare_objective_revisions(
    request: audit.CompareObjectiveRevisionsRequest, at: Instants
) -> Message:
    return audit.CompareObjectiveRevisionsResponse(**_compared(request, at))


def _change(payload: Any, position: int) -> resources.AdjustmentChange:
    """One change of an adjustment, from the event that made it."""
    kind = payload.DESCRIPTOR.name
    names = ("key_result", "objective", "child", "cycle")
    change = resources.AdjustmentChange(
        subject=next(getattr(payload, name) for name in names if hasattr(payload, name)),
        position=position,
        event_type=f"okr.v1.{kind}",
        dependants=getattr(payload, "dependants", ()),
    )
    of = {"KeyResult": "key_result", "Objective": "objective", "Cycle": "cycle"}
    prefix = next((of[each] for each in of if kind.startswith(each)), "")
    if hasattr(payload, "definition"):
        getattr(change, f"{prefix}_after").CopyFrom(payload.definition)
    if hasattr(payload, "changed"):
        change.changed.CopyFrom(payload.changed)
        getattr(change, f"{prefix}_before").CopyFrom(payload.before)
        getattr(change, f"{prefix}_after").CopyFrom(payload.after)
    if kind in ("Aligned", "Unaligned"):
        weight = getattr(payload, "weight", "")
        change.alignment.CopyFrom(
            resources.Alignment(
                child=payload.child, parent=payload.parent, kind=payload.kind, weight=weight
            )
        )
    return change


def _step(fact: Fact, reason: str) -> resources.AdjustmentStep:
    return resources.AdjustmentStep(reason=reason, **who_and_when(fact))


def adjustment(name: str, at: Instants) -> resources.Adjustment:
    """An adjustment or a proposal with its effects, those by level and name."""
    steps = {fact.kind: fact for fact in at.known.of(name) if at.holds(fact)}
    told = steps.get("StrategyAdjusted") or steps.get("AdjustmentProposed")
    if told is None:
        raise Absent(name)
    if told.kind == "StrategyAdjusted":
        own = [f for f in at.known.events if f.metadata.adjustment == name and f.subject != name]
        changes = [_change(fact.payload, fact.position) for fact in own]
        state = resources.ADJUSTMENT_STATE_APPLIED
    else:
        foreseen = (getattr(e, str(e.WhichOneof("event"))) for e in told.payload.foreseen)
        changes = [_change(payload, 0) for payload in foreseen]
        state = resources.ADJUSTMENT_STATE_PROPOSED
    if "AdjustmentRejected" in steps:
        state = resources.ADJUSTMENT_STATE_REJECTED
    made = who_and_when(told) | why(told)
    del made["position"], made["adjustment"]
    shown_ = resources.Adjustment(
        name=name,
        cycle=told.payload.cycle,
        title=told.payload.title,
        effective_date=told.metadata.effective_date,
        first_position=told.position,
        last_position=max((c.position for c in changes), default=0) or told.position,
        changes=changes,
        state=state,
        **made,
    )
    if "AdjustmentProposed" in steps:
        fact = steps["AdjustmentProposed"]
        shown_.proposed.CopyFrom(_step(fact, fact.metadata.reason.plain))
    if "AdjustmentApproved" in steps:
        fact = steps["AdjustmentApproved"]
        shown_.decided.CopyFrom(_step(fact, fact.payload.reason.plain))
    if "AdjustmentRejected" in steps:
        fact = steps["AdjustmentRejected"]
        shown_.decided.CopyFrom(_step(fact, fact.metadata.reason.plain))
    if state == resources.ADJUSTMENT_STATE_APPLIED:
        shown_.effects.extend(_effects(shown_, told.recorded_us, at.known))
    return shown_


def _effects(made: resources.Adjustment, us: int, known: Known) -> list[resources.ScoreEffect]:
    sides = []
    for position in (made.first_position - 1, made.last_position):
        then = known.upto(position)
        sides.append(every_score(Standing(then, then.day_in(made.cycle, us)), made.cycle))
    before, after = sides
    return [
        resources.ScoreEffect(
            name=name,
            difference=difference(*(each and each.current for each in (was, is_now))),
            **around(was, is_now),
        )
        for name in sorted({*before, *after}, key=by_level)
        if ((was := before.get(name)) or NONE) != ((is_now := after.get(name)) or NONE)
    ]


def around(before: Three | None, after: Three | None) -> dict[str, Any]:
    """The scores before and after a change; absent where it does not count."""
    return {
        "score_before": shown(before.current) if before else None,
        "score_after": shown(after.current) if after else None,
        "scores_before": resources.ThreeScores(**three(before)) if before else None,
        "scores_after": resources.ThreeScores(**three(after)) if after else None,
    }


def every_score(standing: Standing, cycle_name: str) -> dict[str, Three]:
    """Every score that counts in a cycle."""
    known = standing.known
    teams = known.teams(standing.day)
    found: dict[str, Three] = {}
    for name in standing.members(cycle_name, known.tree(teams, "")):
        line = standing.objective(name)
        if line is not None and not line.objective.abandoned:
            found[name] = line.scores
            found |= {part.key_result.name: part.scores for part in line.counting}
    for team in teams:
        if standing.members(cycle_name, known.tree(teams, team)):
            found[team] = standing.team(team, cycle_name).scores
    found[cycle_name] = standing.whole_cycle(cycle_name).scores
    return found


def get_adjustment(request: audit.GetAdjustmentRequest, at: Instants) -> Message:
    return audit.GetAdjustmentResponse(adjustment=adjustment(request.name, at))


def list_adjustments(request: audit.ListAdjustmentsRequest, at: Instants) -> Message:
    at.day_in(request.cycle)
    kinds = ("AdjustmentProposed", "StrategyAdjusted")
    known = [f for f in at.known.events if f.kind in kinds and f.payload.cycle == request.cycle]
    names = dict.fromkeys(f.payload.adjustment for f in known)
    held = [n for n in names if any(at.holds(f) for f in known if f.payload.adjustment == n)]
    return audit.ListAdjustmentsResponse(
        adjustments=[adjustment(name, at) for name in held[: request.page_size or None]]
    )


def get_event(request: audit.GetEventRequest, at: Instants) -> Message:
    return audit.GetEventResponse(event=named([f.event for f in at.known.events], request.name))


def list_events(request: audit.ListEventsRequest, at: Instants) -> Message:
    found = [
        fact.event
        for fact in at.known.events
        if request.stream in ("", fact.event.header.stream)
        and (not request.event_types or fact.event.header.event_type in request.event_types)
        and fact.position > request.after_position
        and at.passes(fact, at.known)
    ]
    if request.newest_first:
        found.reverse()
    return audit.ListEventsResponse(events=found[: request.page_size or None])
