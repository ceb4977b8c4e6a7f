"""Who may call what, by the shipped policies: a line for each method.

A line has a request about something of the team marketing, and the roles that permit it: held
everywhere, held for the team alone, and held for another team alone. Roles are told by a letter:

    V viewer   C contributor   E editor   Y cycle-administrator   A administrator   U auditor
    O operator
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from google.protobuf.message import Message

from okr.v1 import audit_service_pb2 as audit
from okr.v1 import ledger_service_pb2 as api
from okr.v1 import replay_service_pb2 as replay
from okr.v1 import score_service_pb2 as scores
from okr.v1.operations_service_pb2 import GetStatusRequest
from okr.v1.values_pb2 import ScoringPolicy
from tests.support.ask import (
    AWARENESS,
    CONTRIBUTES,
    FOLLOWERS,
    MARKETING,
    Q3,
    TRAFFIC,
    abandon,
    add,
    adjust,
    align,
    amend,
    approve,
    carry_over,
    check_in,
    close,
    commit,
    correct,
    cycle,
    drop,
    erase,
    grade,
    lesson,
    objective,
    propose,
    register,
    regrade,
    reject,
    reopen,
    restore,
    retire,
    retract,
    review,
    revise,
    team,
    unalign,
    update_cycle,
    update_objective,
    update_team,
)

LETTERS: Final = {
    "V": "viewer",
    "C": "contributor",
    "E": "editor",
    "Y": "cycle-administrator",
    "A": "administrator",
    "U": "auditor",
    "O": "operator",
}


class Line(NamedTuple):
    """A request, and the letters of the roles that permit it, by where they hold."""

    request: Message
    everywhere: str
    here: str = ""
    elsewhere: str = ""


LEDGER: Final[Mapping[str, Line]] = {
    "CreateCycle": Line(cycle("q4", "2026-10-01", "2026-12-31"), "Y"),
    "UpdateCycle": Line(update_cycle(title="Q3"), "Y"),
    "CommitPlan": Line(commit(), "Y"),
    "CloseCycle": Line(close(), "Y"),
    "ReopenCycle": Line(reopen(), "Y"),
    "CreateTeam": Line(team("new", parent=MARKETING), "A", "A"),
    "CreateTeam, above all": Line(team("new"), "A"),
    "UpdateTeam": Line(update_team(MARKETING, title="Marketing"), "A", "A"),
    "UpdateTeam, out of its team": Line(update_team(MARKETING, parent="teams/sales"), "A"),
    "RetireTeam": Line(retire(), "A", "A"),
    "RegisterPerson": Line(register("new"), "A"),
    "ErasePerson": Line(erase("people/new"), "A"),
    "CreateObjective": Line(objective("new"), "E", "E"),
    "UpdateObjective": Line(update_objective(title="Be known"), "E", "E"),
    "UpdateObjective, out of its team": Line(update_objective(team="teams/sales"), "E"),
    "GradeObjective": Line(grade(), "E", "E"),
    "RegradeObjective": Line(regrade(), "E", "E"),
    "AbandonObjective": Line(abandon(), "E", "E"),
    "AddKeyResult": Line(add("more", target="2"), "E", "E"),
    "ReviseKeyResult": Line(revise(target="1300"), "E", "E"),
    "DropKeyResult": Line(drop(), "E", "E"),
    "RestoreKeyResult": Line(restore(), "E", "E"),
    "Align": Line(align("objectives/eu-leads", AWARENESS), "E", "E"),
    "Align, to another team": Line(align(TRAFFIC, "objectives/revenue"), "E"),
    "Unalign": Line(unalign("objectives/eu-leads", AWARENESS), "E", "E"),
    "RecordCheckIn": Line(check_in(), "CE", "CE"),
    "BatchRecordCheckIns": Line(api.BatchRecordCheckInsRequest(requests=[check_in()]), "CE", "CE"),
    "StreamCheckIns": Line(api.StreamCheckInsRequest(requests=[check_in()]), "CE", "CE"),
    "CorrectCheckIn": Line(correct(), "CE", "CE"),
    "RetractCheckIn": Line(retract(), "CE", "CE"),
    "AdjustStrategy": Line(adjust(revise(target="1300")), "E", "E"),
    "AdjustStrategy, of a cycle": Line(adjust(update_cycle(title="Q3")), "Y"),
    "ProposeAdjustment": Line(propose(revise(target="1300")), "E", "E"),
    "ProposeAdjustment, of a cycle": Line(propose(update_cycle(title="Q3")), "EY"),
    "ApproveAdjustment": Line(approve("of-marketing"), "E", "E"),
    "ApproveAdjustment, of a cycle": Line(approve("of-cycle"), "Y"),
    "RejectAdjustment": Line(reject("of-marketing"), "E", "E"),
    "RecordAmendment": Line(amend(FOLLOWERS), "E", "E"),
    "RecordAmendment, of a cycle": Line(amend(), "EY"),
    "CarryOverKeyResult": Line(carry_over(parent="objectives/eu-leads"), "E", "E"),
    "RecordReview": Line(review(team=MARKETING), "CE", "CE"),
    "RecordReview, of a cycle": Line(review(), "CE"),
    "RecordLesson": Line(lesson(AWARENESS), "CE", "CE"),
    "RecordLesson, of a cycle": Line(lesson(), "CE"),
}

READ: Final = "VCEYAU"
WATCH: Final = "VCEYU"
ANY: Final = "".join(LETTERS)

SCORES: Final[Mapping[str, Line]] = {
    "GetCycle": Line(scores.GetCycleRequest(name=Q3), ANY, ANY, ANY),
    "ListCycles": Line(scores.ListCyclesRequest(), ANY, ANY, ANY),
    "GetTeam": Line(scores.GetTeamRequest(name=MARKETING), ANY, ANY, ANY),
    "ListTeams": Line(scores.ListTeamsRequest(), ANY, ANY, ANY),
    "GetPerson": Line(scores.GetPersonRequest(name="people/new"), ANY, ANY, ANY),
    "ListPeople": Line(scores.ListPeopleRequest(), ANY, ANY, ANY),
    "GetPolicy": Line(scores.GetPolicyRequest(name="policies/standard"), ANY, ANY, ANY),
    "ListPolicies": Line(scores.ListPoliciesRequest(), ANY, ANY, ANY),
    "GetObjective": Line(scores.GetObjectiveRequest(name=AWARENESS), READ, READ),
    "ListObjectives": Line(scores.ListObjectivesRequest(cycle=Q3, team=MARKETING), READ, READ),
    "ListObjectives, of a cycle": Line(scores.ListObjectivesRequest(cycle=Q3), READ),
    "GetKeyResult": Line(scores.GetKeyResultRequest(name=FOLLOWERS), READ, READ),
    "ListKeyResults": Line(scores.ListKeyResultsRequest(parent=AWARENESS), READ, READ),
    "GetCheckIn": Line(scores.GetCheckInRequest(name=f"{FOLLOWERS}/checkIns/1"), READ, READ),
    "ListCheckIns": Line(scores.ListCheckInsRequest(parent=FOLLOWERS), READ, READ),
    "GetAlignment": Line(
        scores.GetAlignmentRequest(child="objectives/eu-leads", parent=AWARENESS, kind=CONTRIBUTES),
        *(READ, READ),
    ),
    "ListAlignments": Line(scores.ListAlignmentsRequest(cycle=Q3), READ),
    "GetScorecard": Line(scores.GetScorecardRequest(cycle=Q3, team=MARKETING), READ, READ),
    "GetScorecard, of a cycle": Line(scores.GetScorecardRequest(cycle=Q3), READ),
    "ListDueCheckIns": Line(scores.ListDueCheckInsRequest(team=MARKETING), READ, READ),
    "ListDueCheckIns, of all": Line(scores.ListDueCheckInsRequest(), READ),
    "ListDueCheckIns, one's own": Line(
        scores.ListDueCheckInsRequest(owner="people/cleo"), ANY, ANY, ANY
    ),
    "ListDeviations": Line(scores.ListDeviationsRequest(team=MARKETING), READ, READ),
    "ExplainScore": Line(scores.ExplainScoreRequest(name=FOLLOWERS), READ, READ),
    "GetSeal": Line(scores.GetSealRequest(name=f"{Q3}/seals/1"), READ),
    "ListSeals": Line(scores.ListSealsRequest(cycle=Q3), READ),
    "GetAmendment": Line(scores.GetAmendmentRequest(name=f"{Q3}/amendments/1"), READ),
    "ListAmendments": Line(scores.ListAmendmentsRequest(cycle=Q3, subject=FOLLOWERS), READ, READ),
    "GetReview": Line(scores.GetReviewRequest(name="reviews/weekly"), READ, READ),
    "ListReviews": Line(scores.ListReviewsRequest(cycle=Q3, team=MARKETING), READ, READ),
    "GetLesson": Line(scores.GetLessonRequest(name=f"{Q3}/lessons/1"), READ),
    "ListLessons": Line(scores.ListLessonsRequest(cycle=Q3, subject=FOLLOWERS), READ, READ),
    "SimulatePolicy": Line(
        scores.SimulatePolicyRequest(
            cycle=Q3, team=MARKETING, policy=ScoringPolicy(name="standard", version=1)
        ),
        *(READ, READ),
    ),
}

AUDIT: Final[Mapping[str, Line]] = {
    "GetKeyResultRevision": Line(
        audit.GetKeyResultRevisionRequest(name=f"{FOLLOWERS}/revisions/1"), READ, READ
    ),
    "ListKeyResultRevisions": Line(
        audit.ListKeyResultRevisionsRequest(parent=FOLLOWERS), READ, READ
    ),
    "ListKeyResultRevisions, of a team": Line(
        audit.ListKeyResultRevisionsRequest(
            parent="objectives/-/keyResults/-", cycle=Q3, team=MARKETING
        ),
        *(READ, READ),
    ),
    "CompareKeyResultRevisions": Line(
        audit.CompareKeyResultRevisionsRequest(name=FOLLOWERS, first=1, second=2), READ, READ
    ),
    "GetObjectiveRevision": Line(
        audit.GetObjectiveRevisionRequest(name=f"{AWARENESS}/revisions/1"), READ, READ
    ),
    "ListObjectiveRevisions": Line(
        audit.ListObjectiveRevisionsRequest(parent=AWARENESS), READ, READ
    ),
    "ListObjectiveRevisions, of a cycle": Line(
        audit.ListObjectiveRevisionsRequest(parent="objectives/-", cycle=Q3), READ
    ),
    "CompareObjectiveRevisions": Line(
        audit.CompareObjectiveRevisionsRequest(name=AWARENESS, first=1, second=2), READ, READ
    ),
    "GetAdjustment": Line(audit.GetAdjustmentRequest(name="adjustments/of-marketing"), READ, READ),
    "ListAdjustments": Line(audit.ListAdjustmentsRequest(cycle=Q3), READ),
    "GetEvent": Line(audit.GetEventRequest(name="events/1"), READ),
    "ListEvents": Line(audit.ListEventsRequest(stream=AWARENESS), READ, READ),
    "ListEvents, of all": Line(audit.ListEventsRequest(), READ),
    "GetCheckpoint": Line(audit.GetCheckpointRequest(), ANY, ANY, ANY),
    "GetConsistencyProof": Line(audit.GetConsistencyProofRequest(first_size=1), ANY, ANY, ANY),
    "GetInclusionProof": Line(audit.GetInclusionProofRequest(name="events/1"), READ),
    "ComparePlans": Line(audit.ComparePlansRequest(cycle=Q3, team=MARKETING), READ, READ),
    "AttributeScore": Line(audit.AttributeScoreRequest(subject=FOLLOWERS), READ, READ),
    "ListScoreChanges": Line(audit.ListScoreChangesRequest(subject=FOLLOWERS), READ, READ),
}

REPLAY: Final[Mapping[str, Line]] = {
    "WatchEvents": Line(replay.WatchEventsRequest(after_position=0, team=MARKETING), WATCH, WATCH),
    "WatchEvents, of all": Line(replay.WatchEventsRequest(after_position=0), WATCH),
    "WatchScores": Line(replay.WatchScoresRequest(cycle=Q3, team=MARKETING), WATCH, WATCH),
    "ReplayCycle": Line(
        replay.ReplayCycleRequest(cycle=Q3, team=MARKETING, step=replay.REPLAY_STEP_WEEK),
        WATCH,
        WATCH,
    ),
    "GetRetrospective": Line(replay.GetRetrospectiveRequest(cycle=Q3, team=MARKETING), READ, READ),
}

OPERATIONS: Final[Mapping[str, Line]] = {"GetStatus": Line(GetStatusRequest(), "O")}

LINES: Final = {**LEDGER, **SCORES, **AUDIT, **REPLAY, **OPERATIONS}
"""By the method's name, and what is special about the request after a comma."""
