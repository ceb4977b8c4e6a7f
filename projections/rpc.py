"""ScoreService and AuditService: each method names its query; `reading` serves it."""

from __future__ import annotations

from typing import Any

from grpc.aio import ServicerContext
from sqlalchemy import Connection

from ledger.event import Record
from ledger.refusals import NotFound
from okr.v1 import audit_service_pb2 as audit_api
from okr.v1 import score_service_pb2 as score_api
from okr.v1.audit_service_pb2_grpc import AuditServiceServicer
from okr.v1.event_record_pb2 import Event
from okr.v1.score_service_pb2_grpc import ScoreServiceServicer
from projections import catalogue, cycle_end, people, policies
from projections.as_of import Known, earlier
from projections.attention import deviations, dues
from projections.audit import attribution, plan_comparison
from projections.audit import decisions as audit
from projections.audit import events as event_list
from projections.audit import revisions as history
from projections.errors import ProofsOff
from projections.explain import explain
from projections.paging import Listed, Slice
from projections.proofs.prover import Prover
from projections.reading import Reader


class ScoreRpc(ScoreServiceServicer):
    """Plans and scores, now or as of an instant; refusals leave it as exceptions."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def GetCycle(
        self, request: score_api.GetCycleRequest, context: ServicerContext[Any, Any]
    ) -> score_api.GetCycleResponse:
        cycle, at = await self._reader.one(
            request, lambda c, k: catalogue.cycle_at(c, request.name, k)[0].resource()
        )
        return score_api.GetCycleResponse(cycle=cycle, **at)

    async def ListCycles(
        self, request: score_api.ListCyclesRequest, context: ServicerContext[Any, Any]
    ) -> score_api.ListCyclesResponse:
        cycles, at = await self._reader.page(request, catalogue.list_cycles)
        return score_api.ListCyclesResponse(cycles=cycles.items, **at)

    async def GetTeam(
        self, request: score_api.GetTeamRequest, context: ServicerContext[Any, Any]
    ) -> score_api.GetTeamResponse:
        team, at = await self._reader.one(
            request, lambda c, k: catalogue.team_at(c, request.name, k).resource()
        )
        return score_api.GetTeamResponse(team=team, **at)

    async def ListTeams(
        self, request: score_api.ListTeamsRequest, context: ServicerContext[Any, Any]
    ) -> score_api.ListTeamsResponse:
        teams, at = await self._reader.page(request, catalogue.list_teams)
        return score_api.ListTeamsResponse(teams=teams.items, **at)

    async def GetPerson(
        self, request: score_api.GetPersonRequest, context: ServicerContext[Any, Any]
    ) -> score_api.GetPersonResponse:
        person, at = await self._reader.one(
            request, lambda c, k: people.person_at(c, request.name, k)
        )
        return score_api.GetPersonResponse(person=person, **at)

    async def ListPeople(
        self, request: score_api.ListPeopleRequest, context: ServicerContext[Any, Any]
    ) -> score_api.ListPeopleResponse:
        found, at = await self._reader.page(request, people.list_people)
        return score_api.ListPeopleResponse(people=found.items, **at)

    async def GetObjective(
        self, request: score_api.GetObjectiveRequest, context: ServicerContext[Any, Any]
    ) -> score_api.GetObjectiveResponse:
        objective, at = await self._reader.one(
            request, lambda c, k: catalogue.objective_at(c, request.name, k)
        )
        return score_api.GetObjectiveResponse(objective=objective, **at)

    async def ListObjectives(
        self, request: score_api.ListObjectivesRequest, context: ServicerContext[Any, Any]
    ) -> score_api.ListObjectivesResponse:
        objectives, at = await self._reader.page(
            request,
            lambda c, k, part: catalogue.list_objectives(c, request.cycle, request.team, k, part),
        )
        return score_api.ListObjectivesResponse(objectives=objectives.items, **at)

    async def GetKeyResult(
        self, request: score_api.GetKeyResultRequest, context: ServicerContext[Any, Any]
    ) -> score_api.GetKeyResultResponse:
        key_result, at = await self._reader.one(
            request, lambda c, k: catalogue.key_result_at(c, request.name, k)
        )
        return score_api.GetKeyResultResponse(key_result=key_result, **at)

    async def ListCheckIns(
        self, request: score_api.ListCheckInsRequest, context: ServicerContext[Any, Any]
    ) -> score_api.ListCheckInsResponse:
        check_ins, at = await self._reader.page(
            request, lambda c, k, part: catalogue.list_check_ins(c, request.parent, k, part)
        )
        return score_api.ListCheckInsResponse(check_ins=check_ins.items, **at)

    async def ListAlignments(
        self, request: score_api.ListAlignmentsRequest, context: ServicerContext[Any, Any]
    ) -> score_api.ListAlignmentsResponse:
        alignments, at = await self._reader.page(
            request, lambda c, k, part: catalogue.list_alignments(c, request.cycle, k, part)
        )
        return score_api.ListAlignmentsResponse(alignments=alignments.items, **at)

    async def GetScorecard(
        self, request: score_api.GetScorecardRequest, context: ServicerContext[Any, Any]
    ) -> score_api.GetScorecardResponse:
        scorecard, at = await self._reader.one(
            request, lambda c, k: cycle_end.scorecard_at(c, request.cycle, request.team, k)
        )
        return score_api.GetScorecardResponse(scorecard=scorecard, **at)

    async def ListDueCheckIns(
        self, request: score_api.ListDueCheckInsRequest, context: ServicerContext[Any, Any]
    ) -> score_api.ListDueCheckInsResponse:
        due, at = await self._reader.page(
            request, lambda c, k, part: dues.list_due_check_ins(c, request, k, part)
        )
        return score_api.ListDueCheckInsResponse(due_check_ins=due.items, **at)

    async def ListDeviations(
        self, request: score_api.ListDeviationsRequest, context: ServicerContext[Any, Any]
    ) -> score_api.ListDeviationsResponse:
        found, at = await self._reader.page(
            request, lambda c, k, part: deviations.list_deviations(c, request, k, part)
        )
        return score_api.ListDeviationsResponse(deviations=found.items, **at)

    async def ExplainScore(
        self, request: score_api.ExplainScoreRequest, context: ServicerContext[Any, Any]
    ) -> score_api.ExplainScoreResponse:
        explanation, at = await self._reader.one(request, lambda c, k: explain(c, request, k))
        return score_api.ExplainScoreResponse(explanation=explanation, **at)

    async def GetSeal(
        self, request: score_api.GetSealRequest, context: ServicerContext[Any, Any]
    ) -> score_api.GetSealResponse:
        seal, at = await self._reader.one(request, lambda c, k: cycle_end.seal(c, request.name, k))
        return score_api.GetSealResponse(seal=seal, **at)

    async def ListSeals(
        self, request: score_api.ListSealsRequest, context: ServicerContext[Any, Any]
    ) -> score_api.ListSealsResponse:
        seals, at = await self._reader.page(
            request, lambda c, k, part: cycle_end.list_seals(c, request.cycle, k, part)
        )
        return score_api.ListSealsResponse(seals=seals.items, **at)

    async def GetAmendment(
        self, request: score_api.GetAmendmentRequest, context: ServicerContext[Any, Any]
    ) -> score_api.GetAmendmentResponse:
        amendment, at = await self._reader.one(
            request, lambda c, k: cycle_end.amendment(c, request.name, k)
        )
        return score_api.GetAmendmentResponse(amendment=amendment, **at)

    async def ListAmendments(
        self, request: score_api.ListAmendmentsRequest, context: ServicerContext[Any, Any]
    ) -> score_api.ListAmendmentsResponse:
        amendments, at = await self._reader.page(
            request,
            lambda c, k, part: cycle_end.list_amendments(
                c, request.cycle, request.subject, k, part
            ),
        )
        return score_api.ListAmendmentsResponse(amendments=amendments.items, **at)

    async def GetReview(
        self, request: score_api.GetReviewRequest, context: ServicerContext[Any, Any]
    ) -> score_api.GetReviewResponse:
        review, at = await self._reader.one(
            request, lambda c, k: cycle_end.review(c, request.name, k)
        )
        return score_api.GetReviewResponse(review=review, **at)

    async def ListReviews(
        self, request: score_api.ListReviewsRequest, context: ServicerContext[Any, Any]
    ) -> score_api.ListReviewsResponse:
        reviews, at = await self._reader.page(
            request,
            lambda c, k, part: cycle_end.list_reviews(c, request.cycle, request.team, k, part),
        )
        return score_api.ListReviewsResponse(reviews=reviews.items, **at)

    async def GetLesson(
        self, request: score_api.GetLessonRequest, context: ServicerContext[Any, Any]
    ) -> score_api.GetLessonResponse:
        lesson, at = await self._reader.one(
            request, lambda c, k: cycle_end.lesson(c, request.name, k)
        )
        return score_api.GetLessonResponse(lesson=lesson, **at)

    async def ListLessons(
        self, request: score_api.ListLessonsRequest, context: ServicerContext[Any, Any]
    ) -> score_api.ListLessonsResponse:
        lessons, at = await self._reader.page(
            request,
            lambda c, k, part: cycle_end.list_lessons(c, request.cycle, request.subject, k, part),
        )
        return score_api.ListLessonsResponse(lessons=lessons.items, **at)

    async def GetPolicy(
        self, request: score_api.GetPolicyRequest, context: ServicerContext[Any, Any]
    ) -> score_api.GetPolicyResponse:
        policy, at = await self._reader.one(request, lambda c, k: policies.policy(request.name))
        return score_api.GetPolicyResponse(policy=policy, **at)

    async def ListPolicies(
        self, request: score_api.ListPoliciesRequest, context: ServicerContext[Any, Any]
    ) -> score_api.ListPoliciesResponse:
        listed, at = await self._reader.page(
            request, lambda c, k, part: policies.list_policies(part)
        )
        return score_api.ListPoliciesResponse(policies=listed.items, **at)

    async def SimulatePolicy(
        self, request: score_api.SimulatePolicyRequest, context: ServicerContext[Any, Any]
    ) -> score_api.SimulatePolicyResponse:
        simulation, at = await self._reader.one(
            request, lambda c, k: policies.simulate(c, request, k)
        )
        return score_api.SimulatePolicyResponse(simulation=simulation, **at)

    async def ListKeyResults(
        self, request: score_api.ListKeyResultsRequest, context: ServicerContext[Any, Any]
    ) -> score_api.ListKeyResultsResponse:
        listed, at = await self._reader.page(
            request, lambda c, k, part: catalogue.list_key_results(c, request.parent, k, part)
        )
        return score_api.ListKeyResultsResponse(key_results=listed.items, **at)

    async def GetCheckIn(
        self, request: score_api.GetCheckInRequest, context: ServicerContext[Any, Any]
    ) -> score_api.GetCheckInResponse:
        check_in, at = await self._reader.one(
            request, lambda c, k: catalogue.check_in_at(c, request.name, k)
        )
        return score_api.GetCheckInResponse(check_in=check_in, **at)

    async def GetAlignment(
        self, request: score_api.GetAlignmentRequest, context: ServicerContext[Any, Any]
    ) -> score_api.GetAlignmentResponse:
        alignment, at = await self._reader.one(
            request,
            lambda c, k: catalogue.alignment_at(c, request.child, request.parent, request.kind, k),
        )
        return score_api.GetAlignmentResponse(alignment=alignment, **at)


class AuditRpc(AuditServiceServicer):
    """Revisions, adjustments, events; refusals leave it as exceptions."""

    def __init__(self, reader: Reader, prover: Prover | None = None) -> None:
        self._reader = reader
        self._prover = prover

    async def GetKeyResultRevision(
        self, request: audit_api.GetKeyResultRevisionRequest, context: ServicerContext[Any, Any]
    ) -> audit_api.GetKeyResultRevisionResponse:
        revision, at = await self._reader.one(
            request, lambda c, k: history.get(c, request.name, k, history.show_key_result)
        )
        return audit_api.GetKeyResultRevisionResponse(revision=revision, **at)

    async def ListKeyResultRevisions(
        self, request: audit_api.ListKeyResultRevisionsRequest, context: ServicerContext[Any, Any]
    ) -> audit_api.ListKeyResultRevisionsResponse:
        revisions, at = await self._reader.page(
            request,
            lambda c, k, part: history.list_revisions(c, request, k, part, history.show_key_result),
        )
        return audit_api.ListKeyResultRevisionsResponse(revisions=revisions.items, **at)

    async def CompareKeyResultRevisions(
        self,
        request: audit_api.CompareKeyResultRevisionsRequest,
        context: ServicerContext[Any, Any],
    ) -> audit_api.CompareKeyResultRevisionsResponse:
        numbers = (request.first, request.second)
        both, at = await self._reader.one(
            request,
            lambda c, k: history.pair(c, request.name, numbers, k, history.show_key_result),
        )
        return audit_api.CompareKeyResultRevisionsResponse(**history.compared(*both), **at)

    async def GetObjectiveRevision(
        self, request: audit_api.GetObjectiveRevisionRequest, context: ServicerContext[Any, Any]
    ) -> audit_api.GetObjectiveRevisionResponse:
        revision, at = await self._reader.one(
            request, lambda c, k: history.get(c, request.name, k, history.show_objective)
        )
        return audit_api.GetObjectiveRevisionResponse(revision=revision, **at)

    async def ListObjectiveRevisions(
        self, request: audit_api.ListObjectiveRevisionsRequest, context: ServicerContext[Any, Any]
    ) -> audit_api.ListObjectiveRevisionsResponse:
        revisions, at = await self._reader.page(
            request,
            lambda c, k, part: history.list_revisions(c, request, k, part, history.show_objective),
        )
        return audit_api.ListObjectiveRevisionsResponse(revisions=revisions.items, **at)

    async def CompareObjectiveRevisions(
        self,
        request: audit_api.CompareObjectiveRevisionsRequest,
        context: ServicerContext[Any, Any],
    ) -> audit_api.CompareObjectiveRevisionsResponse:
        numbers = (request.first, request.second)
        both, at = await self._reader.one(
            request,
            lambda c, k: history.pair(c, request.name, numbers, k, history.show_objective),
        )
        return audit_api.CompareObjectiveRevisionsResponse(**history.compared(*both), **at)

    async def GetAdjustment(
        self, request: audit_api.GetAdjustmentRequest, context: ServicerContext[Any, Any]
    ) -> audit_api.GetAdjustmentResponse:
        adjustment, at = await self._reader.one(
            request, lambda c, k: audit.adjustment(c, request.name, k)
        )
        return audit_api.GetAdjustmentResponse(adjustment=adjustment, **at)

    async def ListAdjustments(
        self, request: audit_api.ListAdjustmentsRequest, context: ServicerContext[Any, Any]
    ) -> audit_api.ListAdjustmentsResponse:
        adjustments, at = await self._reader.page(
            request, lambda c, k, part: audit.list_adjustments(c, request, k, part)
        )
        return audit_api.ListAdjustmentsResponse(adjustments=adjustments.items, **at)

    async def GetEvent(
        self, request: audit_api.GetEventRequest, context: ServicerContext[Any, Any]
    ) -> audit_api.GetEventResponse:
        position = int(request.name.removeprefix("events/"))
        found, at = await self._reader.one(request, lambda c, k: self._event(position, k))
        return audit_api.GetEventResponse(event=found, **at)

    async def ListEvents(
        self, request: audit_api.ListEventsRequest, context: ServicerContext[Any, Any]
    ) -> audit_api.ListEventsResponse:
        events, at = await self._reader.page(
            request, lambda c, k, part: self._events(c, request, k, part)
        )
        return audit_api.ListEventsResponse(events=events.items, **at)

    async def ComparePlans(
        self, request: audit_api.ComparePlansRequest, context: ServicerContext[Any, Any]
    ) -> audit_api.ComparePlansResponse:
        comparison = await self._reader.at_each(
            request,
            plan_comparison.instants(request),
            lambda c, known: plan_comparison.compare_plans(c, request, known),
        )
        at = self._reader.served(max(comparison.before.position, comparison.after.position))
        return audit_api.ComparePlansResponse(comparison=comparison, **at)

    async def AttributeScore(
        self, request: audit_api.AttributeScoreRequest, context: ServicerContext[Any, Any]
    ) -> audit_api.AttributeScoreResponse:
        found, at = await self._reader.one(
            request, lambda c, k: attribution.attributed(c, request, k, self._since(request, k))
        )
        return audit_api.AttributeScoreResponse(attribution=found, **at)

    async def ListScoreChanges(
        self, request: audit_api.ListScoreChangesRequest, context: ServicerContext[Any, Any]
    ) -> audit_api.ListScoreChangesResponse:
        changes, at = await self._reader.page(
            request,
            lambda c, k, part: attribution.list_changes(
                c, request, k, self._since(request, k), part
            ),
        )
        return audit_api.ListScoreChangesResponse(changes=changes.items, **at)

    async def GetCheckpoint(
        self, request: audit_api.GetCheckpointRequest, context: ServicerContext[Any, Any]
    ) -> audit_api.GetCheckpointResponse:
        return await self._proving().checkpoint(request)

    async def GetInclusionProof(
        self, request: audit_api.GetInclusionProofRequest, context: ServicerContext[Any, Any]
    ) -> audit_api.GetInclusionProofResponse:
        return await self._proving().inclusion(request)

    async def GetConsistencyProof(
        self, request: audit_api.GetConsistencyProofRequest, context: ServicerContext[Any, Any]
    ) -> audit_api.GetConsistencyProofResponse:
        return await self._proving().consistency(request)

    def _proving(self) -> Prover:
        if self._prover is None:
            raise ProofsOff
        return self._prover

    def _since(self, request: Any, known: Known) -> Known | None:
        """The earlier pair of instants of a request that has two; None for the default."""
        if not request.HasField("since"):
            return None
        return earlier(request.since, known, self._reader.log, self._reader.now)

    def _event(self, position: int, known: Known) -> Event:
        records = self._reader.log.read(position - 1, 1) if position <= known.position else []
        if not records:
            raise NotFound(f"events/{position}")
        return self._shown(records[0])

    def _events(
        self,
        connection: Connection,
        request: audit_api.ListEventsRequest,
        known: Known,
        part: Slice,
    ) -> Listed[Event]:
        log = self._reader.log
        listed = event_list.list_events(log, connection, request, known.position, part)
        return Listed([self._shown(record) for record in listed.items], listed.next)

    def _shown(self, record: Record) -> Event:
        identity = self._reader.log.identity()
        return audit.event(record, identity.log_id, identity.epoch)
