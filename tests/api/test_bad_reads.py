"""Reads that are refused: names, instants, tokens and pages that the service cannot follow."""

from __future__ import annotations

import time

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date
from grpc import StatusCode

from ledger.tokens import Tokens
from okr.v1 import audit_service_pb2 as audit
from okr.v1 import replay_service_pb2 as replay
from okr.v1 import score_service_pb2 as scores
from okr.v1.operations_service_pb2 import GetStatusRequest
from okr.v1.values_pb2 import AsOf
from tests.api.case import INVALID, MISSING, NEWSLETTER
from tests.support.ask import AWARENESS, FOLLOWERS, Q3, day, team
from tests.support.serving import LoopThread
from tests.support.whole import Caller, whole_service

RANGE = StatusCode.OUT_OF_RANGE
FAR = 1 << 40


def followers(**as_of: object) -> scores.GetKeyResultRequest:
    return scores.GetKeyResultRequest(name=FOLLOWERS, as_of=AsOf(**as_of))  # type: ignore[arg-type]


def page(**fields: object) -> scores.ListTeamsRequest:
    return scores.ListTeamsRequest(**fields)  # type: ignore[arg-type]


def test_every_get_of_nothing_names_what_is_missing(furnished: Caller) -> None:
    for request, resource in (
        (scores.GetCycleRequest(name="cycles/none"), ""),
        (scores.GetTeamRequest(name="teams/none"), ""),
        (scores.GetObjectiveRequest(name="objectives/none"), ""),
        (scores.GetKeyResultRequest(name=f"{AWARENESS}/keyResults/none"), ""),
        (scores.ListObjectivesRequest(cycle="cycles/none"), "cycles/none"),
        (scores.ListAlignmentsRequest(cycle="cycles/none"), "cycles/none"),
        (scores.GetScorecardRequest(cycle="cycles/none"), "cycles/none"),
        (scores.GetScorecardRequest(cycle=Q3, team="teams/none"), "teams/none"),
        (scores.ListCheckInsRequest(parent=f"{AWARENESS}/keyResults/none"), ""),
        (scores.ExplainScoreRequest(name="cycles/none"), ""),
        (scores.ExplainScoreRequest(name="objectives/none"), ""),
        (scores.ExplainScoreRequest(name=f"{AWARENESS}/keyResults/none"), ""),
        (scores.ExplainScoreRequest(name="teams/none", cycle=Q3), ""),
        (scores.ExplainScoreRequest(name="teams/sales", cycle="cycles/none"), "cycles/none"),
        (audit.ListKeyResultRevisionsRequest(parent=f"{AWARENESS}/keyResults/none"), ""),
        (audit.GetKeyResultRevisionRequest(name=f"{FOLLOWERS}/revisions/2"), ""),
        (scores.GetSealRequest(name=f"{Q3}/seals/1"), ""),
        (scores.GetSealRequest(name="cycles/closed/seals/2"), ""),
        (scores.ListSealsRequest(cycle="cycles/none"), "cycles/none"),
        (scores.GetAmendmentRequest(name="cycles/closed/amendments/1"), ""),
        (scores.ListAmendmentsRequest(cycle="cycles/none"), "cycles/none"),
        (scores.GetReviewRequest(name="reviews/none"), ""),
        (scores.ListReviewsRequest(cycle="cycles/none"), "cycles/none"),
        (scores.GetLessonRequest(name=f"{Q3}/lessons/1"), ""),
        (scores.ListLessonsRequest(cycle="cycles/none"), "cycles/none"),
        (audit.GetAdjustmentRequest(name="adjustments/none"), ""),
        (replay.GetRetrospectiveRequest(cycle="cycles/none"), "cycles/none"),
        (replay.GetRetrospectiveRequest(cycle=Q3, team="teams/none"), "teams/none"),
        (audit.ListAdjustmentsRequest(cycle="cycles/none"), "cycles/none"),
        (audit.GetEventRequest(name=f"events/{FAR}"), ""),
    ):
        named = resource or getattr(request, "name", "") or getattr(request, "parent", "")
        error = furnished.refused(request)
        assert (error.code, error.reason) == (MISSING, "RESOURCE_NOT_FOUND"), request
        assert error.info.metadata["resource"] == named
        assert error.resource.resource_name == named


@pytest.mark.parametrize(
    ("request_", "code", "reason", "fields"),
    [
        (followers(position=FAR), RANGE, "POSITION_AHEAD", []),
        (followers(position=0), INVALID, "FIELD_INVALID", ["as_of.position"]),
        (followers(position=-1), INVALID, "FIELD_INVALID", ["as_of.position"]),
        (followers(time=Timestamp(seconds=1)), RANGE, "INSTANT_OUT_OF_RANGE", []),
        (followers(time=Timestamp(seconds=1 << 35)), RANGE, "INSTANT_OUT_OF_RANGE", []),
        (followers(time=Timestamp(seconds=-1)), INVALID, "FIELD_INVALID", ["as_of.time"]),
        (
            followers(time=Timestamp(seconds=1_700_000_000, nanos=-1)),
            *(INVALID, "FIELD_INVALID", ["as_of.time"]),
        ),
        (
            followers(time=Timestamp(seconds=1 << 40)),
            *(INVALID, "FIELD_INVALID", ["as_of.time"]),
        ),
        (
            followers(effective_at=Date(year=2024, month=2, day=31)),
            *(INVALID, "FIELD_INVALID", ["as_of.effective_at"]),
        ),
        (
            followers(effective_at=Date(year=2024)),
            *(INVALID, "FIELD_INVALID", ["as_of.effective_at"]),
        ),
        (
            followers(effective_at=day("2024-06-30")),
            *(INVALID, "DAY_OUTSIDE_CYCLE", ["as_of.effective_at"]),
        ),
        (
            followers(effective_at=day("2024-10-06")),
            *(INVALID, "DAY_OUTSIDE_CYCLE", ["as_of.effective_at"]),
        ),
        (page(page_size=-1), INVALID, "FIELD_INVALID", ["page_size"]),
        (page(page_token="AAAA"), INVALID, "PAGE_TOKEN_INVALID", ["page_token"]),
        (page(page_token="nem az"), INVALID, "PAGE_TOKEN_INVALID", ["page_token"]),
        (page(page_token="\0"), INVALID, "PAGE_TOKEN_INVALID", ["page_token"]),
        (page(page_token="é"), INVALID, "PAGE_TOKEN_INVALID", ["page_token"]),
        (page(page_token="x" * 501), INVALID, "FIELD_INVALID", ["page_token"]),
        (page(at_least_as_fresh="x" * 201), INVALID, "FIELD_INVALID", ["at_least_as_fresh"]),
        (page(at_least_as_fresh="AAAA"), INVALID, "TOKEN_FOREIGN", ["at_least_as_fresh"]),
        (page(at_least_as_fresh="é"), INVALID, "TOKEN_FOREIGN", ["at_least_as_fresh"]),
        (audit.ListEventsRequest(after_position=-1), INVALID, "FIELD_INVALID", ["after_position"]),
        (audit.ListEventsRequest(stream="*"), INVALID, "FIELD_INVALID", ["stream"]),
        (
            audit.ListEventsRequest(event_types=["TeamRegistered"]),
            *(INVALID, "FIELD_INVALID", ["event_types[0]"]),
        ),
        (audit.GetEventRequest(name="events/0"), INVALID, "FIELD_INVALID", ["name"]),
        (scores.ExplainScoreRequest(name="people/a"), INVALID, "FIELD_INVALID", ["name"]),
        (scores.ExplainScoreRequest(name="teams/sales"), INVALID, "FIELD_INVALID", ["cycle"]),
        (scores.ExplainScoreRequest(name=Q3, cycle=Q3), INVALID, "FIELD_INVALID", ["cycle"]),
        (
            scores.ExplainScoreRequest(name=Q3, kind=4),  # type: ignore[arg-type]  # no such kind
            *(INVALID, "FIELD_INVALID", ["kind"]),
        ),
        (
            scores.ExplainScoreRequest(name=Q3, as_of=AsOf(effective_at=day("2024-06-30"))),
            *(INVALID, "DAY_OUTSIDE_CYCLE", ["as_of.effective_at"]),
        ),
        (
            scores.ExplainScoreRequest(name=Q3, as_of=AsOf(position=FAR)),
            *(RANGE, "POSITION_AHEAD", []),
        ),
        (audit.GetEventRequest(name="events/01"), INVALID, "FIELD_INVALID", ["name"]),
    ],
    ids=lambda each: (
        str(each).replace("\n", " ").encode("unicode_escape").decode()[:60]
        if isinstance(each, Message)
        else ""
    ),
)
def test_an_instant_or_page_that_cannot_be_is_refused(
    furnished: Caller, request_: Message, code: StatusCode, reason: str, fields: list[str]
) -> None:
    error = furnished.refused(request_)
    assert (error.code, error.reason) == (code, reason), error.message
    assert error.fields == fields


def test_a_day_to_come_is_refused_for_a_running_cycle(furnished: Caller) -> None:
    from tests.api.conftest import days_from_today

    tomorrow = AsOf(effective_at=day(days_from_today(2)))
    error = furnished.refused(scores.GetScorecardRequest(cycle="cycles/now", as_of=tomorrow))
    assert (error.code, error.reason) == (INVALID, "DAY_IN_FUTURE")
    assert error.fields == ["as_of.effective_at"]
    assert error.info.metadata["field"] == "as_of.effective_at"


def test_what_was_not_known_then_is_missing(furnished: Caller) -> None:
    error = furnished.refused(scores.GetKeyResultRequest(name=NEWSLETTER, as_of=AsOf(position=1)))
    assert (error.code, error.reason) == (MISSING, "RESOURCE_NOT_FOUND")


def test_a_position_ahead_names_the_head(furnished: Caller) -> None:
    error = furnished.refused(followers(position=FAR))
    assert error.info.metadata == {"position": str(FAR), "head": str(furnished.head())}


def test_a_token_of_another_ledger_is_refused(
    furnished: Caller, loop: LoopThread, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with whole_service(loop, tmp_path_factory.mktemp("other")) as stranger:
        token = stranger.ask(team("x")).token
    error = furnished.refused(page(at_least_as_fresh=token))
    assert (error.code, error.reason) == (INVALID, "TOKEN_FOREIGN")


@pytest.mark.parametrize(("epochs", "ahead"), [(0, 1), (1, 0)])
def test_a_token_of_a_lost_future_is_refused_at_once(
    furnished: Caller, epochs: int, ahead: int
) -> None:
    status = furnished.ask(GetStatusRequest())
    lost = Tokens(status.log_id, status.epoch + epochs).token(status.head_position + ahead)
    began = time.monotonic()
    error = furnished.refused(page(at_least_as_fresh=lost))
    assert time.monotonic() - began < 2
    assert (error.code, error.reason) == (StatusCode.FAILED_PRECONDITION, "TOKEN_LOST")
    assert error.info.metadata["head"] == str(status.head_position)


def test_a_page_token_serves_its_own_query_only(furnished: Caller) -> None:
    token = furnished.ask(page(page_size=1)).next_page_token
    assert token
    for other in (
        page(page_token=token[:-1]),
        page(page_token=token + "A"),
        page(page_token=token[::-1]),
        page(page_token=token, as_of=AsOf(position=2)),
        scores.ListCyclesRequest(page_token=token),
        audit.ListEventsRequest(page_token=token),
    ):
        error = furnished.refused(other)
        assert (error.code, error.reason) == (INVALID, "PAGE_TOKEN_INVALID"), other
        assert error.fields == ["page_token"]
    assert furnished.ask(page(page_token=token, page_size=7)).teams


def test_a_page_is_never_longer_than_a_thousand(me: Caller) -> None:
    me.all_of(*(team(f"t-{number}") for number in range(1001)))
    first = me.ask(page(page_size=1_000_000))
    assert len(first.teams) == 1000
    (last,) = me.ask(page(page_size=1_000_000, page_token=first.next_page_token)).teams
    assert last.name == "teams/t-999"
    assert len(me.ask(page()).teams) == 100
