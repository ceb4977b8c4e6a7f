"""Every read of everything that a ledger holds, at several pairs of instants; proofs are not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from google.protobuf.message import Message

from ledger.values import date_message, recorded_day
from okr.v1 import audit_service_pb2 as audit
from okr.v1 import replay_service_pb2 as replay
from okr.v1 import score_service_pb2 as scores
from okr.v1.explanation_pb2 import ScoreKind
from okr.v1.plan_comparison_pb2 import OriginalPlan, PlanInstant
from okr.v1.values_pb2 import AsOf, ScoringPolicy
from tests.support.whole import Caller

_ORIGINAL = PlanInstant(original=OriginalPlan())


def questions(me: Caller, positions: Sequence[int], days: int) -> list[Message]:
    """Every read, known at each of the positions and effective on so many days of each cycle."""
    asked: list[Message] = []
    # Waits for the read models, so that the lists below are complete.
    me.ask(audit.ListEventsRequest(as_of=AsOf(position=positions[-1]), page_size=1))
    asked += [scores.ListPoliciesRequest(), scores.GetPolicyRequest(name="policies/standard")]
    cycles = me.ask(scores.ListCyclesRequest()).cycles
    for position in positions:
        as_of = AsOf(position=position)
        asked += [scores.ListCyclesRequest(as_of=as_of), scores.ListTeamsRequest(as_of=as_of)]
        asked.append(audit.ListEventsRequest(as_of=as_of, page_size=1000))
        asked.append(audit.GetEventRequest(name=f"events/{position}", as_of=as_of))
        asked.append(scores.ListPeopleRequest(as_of=as_of))
        people = me.ask(scores.ListPeopleRequest()).people
        asked += [scores.GetPersonRequest(name=each.name, as_of=as_of) for each in people]
        filtered = "team:* AND NOT actor = services/*"
        asked.append(audit.ListEventsRequest(as_of=as_of, page_size=1000, filter=filtered))
    for cycle in cycles:
        ends = (cycle.definition.first_day, cycle.definition.last_day)
        first, last = (recorded_day(each).toordinal() for each in ends)
        for position in positions:
            for at in spread(first, last, days):
                day = date_message(date.fromordinal(at))
                asked += _about(me, cycle.name, AsOf(position=position, effective_at=day))
    return asked


def _about(me: Caller, cycle: str, as_of: AsOf) -> Iterator[Message]:
    """Every read of what belongs to a cycle."""
    yield scores.GetCycleRequest(name=cycle, as_of=as_of)
    yield from _explained(me, cycle, as_of)
    instant = PlanInstant(as_of=as_of)
    yield audit.ComparePlansRequest(cycle=cycle, after=instant)
    yield audit.ComparePlansRequest(cycle=cycle, before=instant, after=_ORIGINAL)
    other = ScoringPolicy(name="servicenow")
    yield scores.SimulatePolicyRequest(cycle=cycle, policy=other, as_of=as_of)
    for edge in me.ask(scores.ListAlignmentsRequest(cycle=cycle)).alignments:
        yield scores.GetAlignmentRequest(
            child=edge.child, parent=edge.parent, kind=edge.kind, as_of=as_of
        )
    yield audit.AttributeScoreRequest(subject=cycle, as_of=as_of)
    yield audit.AttributeScoreRequest(subject=cycle, since=AsOf(position=1), as_of=as_of)
    yield scores.GetScorecardRequest(cycle=cycle, as_of=as_of)
    yield scores.ListObjectivesRequest(cycle=cycle, as_of=as_of)
    yield scores.ListAlignmentsRequest(cycle=cycle, as_of=as_of)
    yield scores.ListDueCheckInsRequest(cycle=cycle, as_of=as_of, within_days=31)
    yield scores.ListDeviationsRequest(cycle=cycle, as_of=as_of)
    yield replay.GetRetrospectiveRequest(cycle=cycle, as_of=as_of)
    yield audit.AttributeScoreRequest(subject=cycle, as_of=as_of)
    yield audit.ListScoreChangesRequest(subject=cycle, as_of=as_of, page_size=1000)
    yield audit.ListAdjustmentsRequest(cycle=cycle, as_of=as_of)
    yield audit.ListAdjustmentsRequest(
        cycle=cycle, as_of=as_of, filter="state != APPLIED OR team:*", order_by="position desc"
    )
    everything = "objectives/-/keyResults/-"
    yield audit.ListKeyResultRevisionsRequest(
        parent=everything,
        cycle=cycle,
        as_of=as_of,
        filter="field:* OR after_plan_commitment = false",
        order_by="effective_date",
    )
    yield audit.ListObjectiveRevisionsRequest(parent="objectives/-", cycle=cycle, as_of=as_of)
    for made in me.ask(audit.ListAdjustmentsRequest(cycle=cycle)).adjustments:
        yield audit.GetAdjustmentRequest(name=made.name, as_of=as_of)
    yield scores.ListSealsRequest(cycle=cycle, as_of=as_of)
    for seal in me.ask(scores.ListSealsRequest(cycle=cycle)).seals:
        yield scores.GetSealRequest(name=seal.name, as_of=as_of)
    yield scores.ListAmendmentsRequest(cycle=cycle, as_of=as_of)
    for amendment in me.ask(scores.ListAmendmentsRequest(cycle=cycle)).amendments:
        yield scores.GetAmendmentRequest(name=amendment.name, as_of=as_of)
    yield scores.ListReviewsRequest(cycle=cycle, as_of=as_of)
    for review in me.ask(scores.ListReviewsRequest(cycle=cycle)).reviews:
        yield scores.GetReviewRequest(name=review.name, as_of=as_of)
    yield scores.ListLessonsRequest(cycle=cycle, as_of=as_of)
    for lesson in me.ask(scores.ListLessonsRequest(cycle=cycle)).lessons:
        yield scores.GetLessonRequest(name=lesson.name, as_of=as_of)
    for each in me.ask(scores.ListTeamsRequest()).teams:
        yield scores.GetTeamRequest(name=each.name, as_of=as_of)
        yield scores.GetScorecardRequest(cycle=cycle, team=each.name, as_of=as_of)
        yield audit.AttributeScoreRequest(subject=each.name, cycle=cycle, as_of=as_of)
        yield audit.ListObjectiveRevisionsRequest(
            parent="objectives/-", team=each.name, as_of=as_of
        )
    for objective in me.ask(scores.ListObjectivesRequest(cycle=cycle)).objectives:
        yield scores.GetObjectiveRequest(name=objective.name, as_of=as_of)
        of_it = f"{objective.name}/revisions/1"
        yield audit.GetObjectiveRevisionRequest(name=of_it, as_of=as_of)
        yield audit.CompareObjectiveRevisionsRequest(
            name=objective.name, first=1, second=2, as_of=as_of
        )
        for name in objective.key_results:
            yield scores.GetKeyResultRequest(name=name, as_of=as_of)
            yield audit.ListScoreChangesRequest(subject=name, as_of=as_of)
            yield scores.ListCheckInsRequest(parent=name, as_of=as_of)
            yield audit.ListKeyResultRevisionsRequest(parent=name, as_of=as_of)
            yield audit.GetKeyResultRevisionRequest(name=f"{name}/revisions/1", as_of=as_of)
            yield audit.CompareKeyResultRevisionsRequest(name=name, first=1, second=2, as_of=as_of)


def _explained(me: Caller, cycle: str, as_of: AsOf) -> Iterator[Message]:
    """Every score of a cycle explained, each key result's as judged."""
    yield scores.ExplainScoreRequest(name=cycle, as_of=as_of)
    for team in me.ask(scores.ListTeamsRequest()).teams:
        yield scores.ExplainScoreRequest(name=team.name, cycle=cycle, as_of=as_of)
    for objective in me.ask(scores.ListObjectivesRequest(cycle=cycle)).objectives:
        original = ScoreKind.SCORE_KIND_ORIGINAL
        yield scores.ExplainScoreRequest(name=objective.name, kind=original, as_of=as_of)
        yield scores.ListKeyResultsRequest(parent=objective.name, as_of=as_of)
        for name in objective.key_results:
            judged = ScoreKind.SCORE_KIND_AS_JUDGED
            yield scores.ExplainScoreRequest(name=name, kind=judged, as_of=as_of)
            yield scores.GetCheckInRequest(name=f"{name}/checkIns/1", as_of=as_of)


def spread(first: int, last: int, count: int) -> list[int]:
    """So many numbers between two, both included."""
    return [first + (last - first) * i // (count - 1) for i in range(count)]
