"""The whole answer of each read whose content follows from the events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from google.protobuf.message import Message

from okr.v1 import audit_service_pb2 as audit
from okr.v1 import score_service_pb2 as scores
from tests.model import reads_of_attention as attention
from tests.model import reads_of_ends as ends
from tests.model import reads_of_history as history
from tests.model import reads_of_plans as plans
from tests.model.shapes import Instants

ANSWERS: Final[dict[type[Message], Callable[[Any, Instants], Message]]] = {
    scores.GetCycleRequest: plans.get_cycle,
    scores.ListCyclesRequest: plans.list_cycles,
    scores.GetTeamRequest: plans.get_team,
    scores.ListTeamsRequest: plans.list_teams,
    scores.GetObjectiveRequest: plans.get_objective,
    scores.ListObjectivesRequest: plans.list_objectives,
    scores.GetKeyResultRequest: plans.get_key_result,
    scores.ListKeyResultsRequest: plans.list_key_results,
    scores.GetCheckInRequest: plans.get_check_in,
    scores.ListCheckInsRequest: plans.list_check_ins,
    scores.GetAlignmentRequest: plans.get_alignment,
    scores.ListAlignmentsRequest: plans.list_alignments,
    scores.GetScorecardRequest: plans.get_scorecard,
    scores.GetSealRequest: ends.get_seal,
    scores.ListSealsRequest: ends.list_seals,
    scores.GetAmendmentRequest: ends.get_amendment,
    scores.ListAmendmentsRequest: ends.list_amendments,
    scores.GetReviewRequest: ends.get_review,
    scores.ListReviewsRequest: ends.list_reviews,
    scores.GetLessonRequest: ends.get_lesson,
    scores.ListLessonsRequest: ends.list_lessons,
    scores.ListDueCheckInsRequest: attention.list_due_check_ins,
    scores.ListDeviationsRequest: attention.list_deviations,
    scores.SimulatePolicyRequest: plans.simulate_policy,
    audit.GetKeyResultRevisionRequest: history.get_key_result_revision,
    audit.ListKeyResultRevisionsRequest: history.list_key_result_revisions,
    audit.CompareKeyResultRevisionsRequest: history.compare_key_result_revisions,
    audit.GetObjectiveRevisionRequest: history.get_objective_revision,
    audit.ListObjectiveRevisionsRequest: history.list_objective_revisions,
    audit.CompareObjectiveRevisionsRequest: history.compare_objective_revisions,
    audit.GetAdjustmentRequest: history.get_adjustment,
    audit.ListAdjustmentsRequest: history.list_adjustments,
    audit.GetEventRequest: history.get_event,
    audit.ListEventsRequest: history.list_events,
}
"""The answer of each of these reads; raises Absent where it has to be NOT_FOUND."""
