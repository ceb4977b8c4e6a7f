"""Requests as tests make them: short to write, with the story of one marketing quarter.

Every builder of a change takes `on` (its effective date, ISO), `because` (its reason, which brings
a category) and `etag`.
"""

from __future__ import annotations

from datetime import date
from typing import Any, TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date

from ledger.values import date_message
from okr.v1 import ledger_service_pb2 as api
from okr.v1 import values_pb2 as values
from okr.v1.values_pb2 import AlignmentKind, Category
from tests.support.scenario import Scenario

Request = TypeVar("Request", bound=Message)

Q3 = "cycles/q3"
MARKETING = "teams/marketing"
AWARENESS = "objectives/awareness"
FOLLOWERS = f"{AWARENESS}/keyResults/followers"
TRAFFIC = f"{AWARENESS}/keyResults/traffic"
WHY = "the market moved"
SUPPORTS = AlignmentKind.ALIGNMENT_KIND_SUPPORTS
CONTRIBUTES = AlignmentKind.ALIGNMENT_KIND_CONTRIBUTES


def drafted(today: str = "2026-08-12") -> Scenario:
    """A third quarter in draft: one team, one objective, two key results."""
    return Scenario(today).given(cycle(), team(), objective())


def committed(today: str = "2026-08-12") -> Scenario:
    """The same quarter with its plan committed."""
    return drafted(today).given(commit())


def day(iso: str) -> Date:
    """A date message."""
    return date_message(date.fromisoformat(iso))


def instant(seconds: int, nanos: int = 0) -> Timestamp:
    """A timestamp message."""
    return Timestamp(seconds=seconds, nanos=nanos)


def cycle(
    name: str = "q3", first: str = "2026-07-01", last: str = "2026-09-30", **definition: Any
) -> api.CreateCycleRequest:
    """A cycle, by default in Budapest's time."""
    definition = {"title": name, "time_zone": "Europe/Budapest", **definition}
    return api.CreateCycleRequest(
        cycle_id=name,
        definition=values.CycleDefinition(first_day=day(first), last_day=day(last), **definition),
    )


def update_cycle(
    name: str = Q3, *, mask: tuple[str, ...] = (), **rest: Any
) -> api.UpdateCycleRequest:
    """A change of a cycle's definition; what is not circumstance is definition."""
    request = api.UpdateCycleRequest(name=name)
    return _changing(request, values.CycleDefinition, mask, rest)


def commit(name: str = Q3, **rest: Any) -> api.CommitPlanRequest:
    """Plan commitment."""
    return _with(api.CommitPlanRequest(name=name), rest)


def register(name: str = "p", display_name: str = "Nagy Anna") -> api.RegisterPersonRequest:
    """A person."""
    return api.RegisterPersonRequest(person_id=name, display_name=display_name)


def erase(name: str = "people/p", successor: str = "", because: str = "") -> api.ErasePersonRequest:
    """A person's erasure."""
    return api.ErasePersonRequest(name=name, successor=successor, reason=because)


def team(name: str = "marketing", parent: str = "", title: str = "") -> api.CreateTeamRequest:
    """A team."""
    return api.CreateTeamRequest(
        team_id=name, definition=values.TeamDefinition(title=title or name, parent=parent)
    )


def update_team(name: str, *, mask: tuple[str, ...] = (), **rest: Any) -> api.UpdateTeamRequest:
    """A change of a team's title or parent."""
    return _changing(api.UpdateTeamRequest(name=name), values.TeamDefinition, mask, rest)


def retire(name: str = MARKETING, **rest: Any) -> api.RetireTeamRequest:
    """Retiring a team."""
    return _with(api.RetireTeamRequest(name=name), rest)


def objective(
    name: str = "awareness",
    *key_results: api.NewKeyResult,
    cycle: str = Q3,
    team: str = MARKETING,
    bare: bool = False,
    **rest: Any,
) -> api.CreateObjectiveRequest:
    """An objective; by default with followers (+20 % of 1000) and traffic (0 to 10)."""
    usual = (
        new("followers", baseline="1000", target_change_percent="20", unit="követő"),
        new("traffic", target="10"),
    )
    request = api.CreateObjectiveRequest(
        objective_id=name, cycle=cycle, key_results=key_results or (() if bare else usual)
    )
    given = {"title": name, "team": team}
    return _changing(request, values.ObjectiveDefinition, (), {**given, **rest})


def new(name: str, **definition: Any) -> api.NewKeyResult:
    """A key result of a new objective."""
    return api.NewKeyResult(
        key_result_id=name, definition=values.KeyResultDefinition(**{"title": name, **definition})
    )


def update_objective(
    name: str = AWARENESS, *, mask: tuple[str, ...] = (), **rest: Any
) -> api.UpdateObjectiveRequest:
    """A change of an objective's definition."""
    request = api.UpdateObjectiveRequest(name=name)
    return _changing(request, values.ObjectiveDefinition, mask, rest)


def abandon(name: str = AWARENESS, **rest: Any) -> api.AbandonObjectiveRequest:
    """Giving an objective up."""
    return _with(api.AbandonObjectiveRequest(name=name), rest)


def add(name: str, parent: str = AWARENESS, **rest: Any) -> api.AddKeyResultRequest:
    """A key result more."""
    request = api.AddKeyResultRequest(parent=parent, key_result_id=name)
    return _changing(request, values.KeyResultDefinition, (), {"title": name, **rest})


def revise(
    name: str = FOLLOWERS, *, mask: tuple[str, ...] = (), **rest: Any
) -> api.ReviseKeyResultRequest:
    """A change of a key result's definition."""
    request = api.ReviseKeyResultRequest(name=name)
    return _changing(request, values.KeyResultDefinition, mask, rest)


def drop(name: str = FOLLOWERS, **rest: Any) -> api.DropKeyResultRequest:
    """Taking a key result out of the score."""
    return _with(api.DropKeyResultRequest(name=name), rest)


def restore(name: str = FOLLOWERS, **rest: Any) -> api.RestoreKeyResultRequest:
    """Letting it count again."""
    return _with(api.RestoreKeyResultRequest(name=name), rest)


def align(
    child: str,
    parent: str,
    kind: AlignmentKind.ValueType = CONTRIBUTES,
    *,
    weight: str = "",
    **rest: Any,
) -> api.AlignRequest:
    """Aligning one thing to another."""
    return _with(api.AlignRequest(child=child, parent=parent, kind=kind, weight=weight), rest)


def unalign(
    child: str, parent: str, kind: AlignmentKind.ValueType = CONTRIBUTES, **rest: Any
) -> api.UnalignRequest:
    """Taking an alignment back."""
    return _with(api.UnalignRequest(child=child, parent=parent, kind=kind), rest)


def check_in(
    parent: str = FOLLOWERS, value: str | values.Measurement = "1100", **rest: Any
) -> api.RecordCheckInRequest:
    """A check-in; a text is a number measured."""
    measurement = values.Measurement(value=value) if isinstance(value, str) else value
    return _with(api.RecordCheckInRequest(parent=parent, measurement=measurement), rest)


def correct(
    number: int = 1,
    value: str | values.Measurement = "1120",
    parent: str = FOLLOWERS,
    **rest: Any,
) -> api.CorrectCheckInRequest:
    """A correction of a check-in."""
    measurement = values.Measurement(value=value) if isinstance(value, str) else value
    name = f"{parent}/checkIns/{number}"
    return _with(api.CorrectCheckInRequest(name=name, measurement=measurement), rest)


def retract(
    number: int = 1, parent: str = FOLLOWERS, reason: str = "counted twice"
) -> api.RetractCheckInRequest:
    """Taking a check-in back."""
    return api.RetractCheckInRequest(name=f"{parent}/checkIns/{number}", reason=reason)


def completed(*ids: str) -> values.Measurement:
    """The milestones reached."""
    return values.Measurement(completed=values.CompletedMilestones(ids=ids))


def not_measured() -> values.Measurement:
    """No grade from that day."""
    return values.Measurement(not_measured=values.NotMeasured())


def phased(*points: tuple[str, str]) -> values.Trajectory:
    """Planned values by day."""
    planned = values.PhasedTrajectory()
    for on, value in points:
        planned.points.add(day=day(on), value=value)
    return values.Trajectory(phased=planned)


def checkpointed(*points: tuple[str, str]) -> values.Trajectory:
    """What share of the way each value is worth."""
    worth = values.CheckpointedTrajectory()
    for value, share in points:
        worth.points.add(value=value, share=share)
    return values.Trajectory(checkpointed=worth)


def grade(name: str = AWARENESS, **rest: Any) -> api.GradeObjectiveRequest:
    """Grading an objective."""
    return _with(api.GradeObjectiveRequest(name=name), rest)


def regrade(name: str = AWARENESS, **rest: Any) -> api.RegradeObjectiveRequest:
    """Grading it again."""
    return _with(api.RegradeObjectiveRequest(name=name), rest)


_CHANGES = {
    field.message_type.full_name: field.name
    for field in api.StrategyChange.DESCRIPTOR.fields
    if field.message_type
}


def adjust(
    *changes: Message, name: str = "week-6", cycle: str = Q3, because: str = WHY, **rest: Any
) -> api.AdjustStrategyRequest:
    """One reasoned decision of several changes."""
    request = api.AdjustStrategyRequest(adjustment_id=name, cycle=cycle, title="Week 6")
    for change in changes:
        getattr(request.changes.add(), _CHANGES[change.DESCRIPTOR.full_name]).CopyFrom(change)
    return _with(request, {"because": because, **rest})


def propose(
    *changes: Message, name: str = "week-6", cycle: str = Q3, because: str = WHY, **rest: Any
) -> api.ProposeAdjustmentRequest:
    """The proposal of such a decision."""
    asked = adjust(*changes, name=name, cycle=cycle, because=because, **rest)
    return api.ProposeAdjustmentRequest.FromString(asked.SerializeToString())


def approve(name: str = "week-6", **rest: Any) -> api.ApproveAdjustmentRequest:
    """The approval of a proposal."""
    return _with(api.ApproveAdjustmentRequest(name=f"adjustments/{name}"), rest)


def reject(name: str = "week-6", because: str = "too late") -> api.RejectAdjustmentRequest:
    """The rejection of a proposal."""
    return api.RejectAdjustmentRequest(name=f"adjustments/{name}", reason=because)


def close(name: str = Q3, **rest: Any) -> api.CloseCycleRequest:
    """Closing a cycle."""
    return _with(api.CloseCycleRequest(name=name), rest)


def reopen(name: str = Q3, because: str = "a late invoice", **rest: Any) -> api.ReopenCycleRequest:
    """Opening it again."""
    return _with(api.ReopenCycleRequest(name=name), {"because": because, **rest})


def amend(
    subject: str = "", statement: str = "one counter stood still", parent: str = Q3, **rest: Any
) -> api.RecordAmendmentRequest:
    """A late fact beside the seal."""
    request = api.RecordAmendmentRequest(parent=parent, subject=subject, statement=statement)
    return _with(request, rest)


def carry_over(
    continued_from: str = FOLLOWERS,
    parent: str = "objectives/next",
    *,
    mask: tuple[str, ...] = (),
    **rest: Any,
) -> api.CarryOverKeyResultRequest:
    """Continuing a key result in a later cycle; what is not circumstance is definition."""
    request = api.CarryOverKeyResultRequest(
        continued_from=continued_from,
        parent=parent,
        key_result_id=rest.pop("key_result_id", ""),
    )
    return _changing(request, values.KeyResultDefinition, mask, rest)


def review(
    name: str = "week-6",
    kind: int = values.ReviewKind.REVIEW_KIND_WEEKLY,
    cycle: str = Q3,
    **rest: Any,
) -> api.RecordReviewRequest:
    """A review that was held."""
    lists = {k: rest.pop(k) for k in ("participants", "adjustments") if k in rest}
    request = api.RecordReviewRequest(review_id=name, cycle=cycle, **lists)
    return _with(request, {"kind": kind, **rest})


def lesson(
    subject: str = "",
    lesson: str = "Ask earlier",
    parent: str = Q3,
    category: int = Category.CATEGORY_LEARNING,
    **rest: Any,
) -> api.RecordLessonRequest:
    """A lesson that was learnt."""
    request = api.RecordLessonRequest(parent=parent, subject=subject, lesson=lesson)
    return _with(request, {"category": category, **rest})


def _changing(
    request: Request, definition: type[Message], mask: tuple[str, ...], rest: dict[str, Any]
) -> Request:
    own = {f.name for f in definition.DESCRIPTOR.fields}
    target: Any = request
    target.definition.CopyFrom(definition(**{k: v for k, v in rest.items() if k in own}))
    if mask:
        target.update_mask.paths.extend(mask)
    return _with(request, {k: v for k, v in rest.items() if k not in own})


def _with(request: Request, rest: dict[str, Any]) -> Request:
    """The request with its circumstances, and with any other field as named."""
    target: Any = request
    for name, value in rest.items():
        if name == "on":
            target.effective_date.CopyFrom(day(value))
        elif name == "because":
            target.reason = value
            if "category" in request.DESCRIPTOR.fields_by_name and "category" not in rest:
                target.category = Category.CATEGORY_MARKET_CHANGE
        elif isinstance(value, Message):
            getattr(target, name).CopyFrom(value)
        else:
            setattr(target, name, value)
    return request
