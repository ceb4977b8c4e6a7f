"""Reads of one thing, or of an objective's parts, on both axes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.message import Message

from okr.v1 import audit_service_pb2 as audit
from okr.v1 import score_service_pb2 as scores
from okr.v1.values_pb2 import AlignmentKind, AsOf
from tests.api.case import INVALID, MISSING, NEWSLETTER
from tests.api.story import REVENUE, Told, at, by_name, told
from tests.support.ask import AWARENESS, CONTRIBUTES, FOLLOWERS, SUPPORTS, TRAFFIC, day
from tests.support.serving import LoopThread
from tests.support.whole import Caller, whole_service


@pytest.fixture(scope="module")
def story(loop: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    with whole_service(loop, tmp_path_factory.mktemp("story")) as me:
        yield told(me)


def check_in(me: Caller, number: int, as_of: AsOf | None = None) -> Any:
    name = f"{FOLLOWERS}/checkIns/{number}"
    return me.ask(scores.GetCheckInRequest(name=name, as_of=as_of)).check_in


def test_a_check_in_is_what_was_known_of_it(story: Told) -> None:
    before, after = (check_in(story.me, 2, at(p)) for p in (story.late, story.corrected))
    assert (before.measurement.value, before.corrected_position) == ("1100", 0)
    assert (after.measurement.value, after.corrected_position) == ("1110", story.corrected)
    assert after.position == before.position == story.week_3
    assert after.corrected_by == "services/crm"
    listed = story.me.ask(scores.ListCheckInsRequest(parent=FOLLOWERS)).check_ins
    assert sorted(each.name for each in listed) == [
        f"{FOLLOWERS}/checkIns/{number}" for number in range(1, 5)
    ]
    for each in listed:
        assert check_in(story.me, int(each.name.rpartition("/")[2])) == each


def test_a_retracted_check_in_is_still_there(furnished: Caller) -> None:
    listed = furnished.ask(scores.ListCheckInsRequest(parent=FOLLOWERS)).check_ins
    (retracted,) = [each for each in listed if each.name.endswith("/2")]
    assert retracted.retracted
    assert check_in(furnished, 2) == retracted


def test_an_objectives_key_results_are_its_scorecards_lines(story: Told) -> None:
    for known, on in ((0, ""), (story.adjusted, "2024-08-05"), (story.week_3, "2024-07-22")):
        block = by_name(story.scorecard(known, on).objectives, "objective")[AWARENESS]
        request = scores.ListKeyResultsRequest(parent=AWARENESS, as_of=at(known, on))
        assert list(story.me.ask(request).key_results) == list(block.key_results)


def test_an_objectives_key_results_come_in_pages(story: Told) -> None:
    names: list[str] = []
    token = ""
    while not names or token:
        request = scores.ListKeyResultsRequest(parent=AWARENESS, page_size=1, page_token=token)
        answer = story.me.ask(request)
        names += [line.key_result.name for line in answer.key_results]
        token = answer.next_page_token
    assert names == [FOLLOWERS, TRAFFIC, NEWSLETTER]


def alignment(
    child: str, parent: str, kind: AlignmentKind.ValueType = CONTRIBUTES, as_of: AsOf | None = None
) -> scores.GetAlignmentRequest:
    return scores.GetAlignmentRequest(child=child, parent=parent, kind=kind, as_of=as_of)


def test_an_alignment_is_there_from_its_day_on(story: Told) -> None:
    found = story.me.ask(alignment(AWARENESS, REVENUE)).alignment
    assert (found.child, found.parent, found.weight) == (AWARENESS, REVENUE, "1")
    for request in (
        alignment(AWARENESS, REVENUE, SUPPORTS),
        alignment(REVENUE, AWARENESS),
        alignment(AWARENESS, REVENUE, as_of=at(story.planned - 2)),
    ):
        error = story.me.refused(request)
        assert (error.code, error.reason) == (MISSING, "ALIGNMENT_STATE"), request
        assert error.info.metadata["child"] == request.child


def test_an_event_is_known_from_its_position_on(story: Told) -> None:
    name = f"events/{story.corrected}"
    event = story.me.ask(audit.GetEventRequest(name=name, as_of=at(story.corrected))).event
    assert event.header.event_type == "okr.v1.CheckInCorrected"
    error = story.me.refused(audit.GetEventRequest(name=name, as_of=at(story.corrected - 1)))
    assert (error.code, error.reason) == (MISSING, "RESOURCE_NOT_FOUND")


OUTSIDE = AsOf(effective_at=day("2024-06-30"))


@pytest.mark.parametrize(
    ("request_", "reason", "fields"),
    [
        (scores.GetCheckInRequest(name=f"{FOLLOWERS}/checkIns/99"), "RESOURCE_NOT_FOUND", []),
        (scores.GetCheckInRequest(name=f"{TRAFFIC}/checkIns/1"), "RESOURCE_NOT_FOUND", []),
        (
            scores.GetCheckInRequest(name=f"{FOLLOWERS}/checkIns/1", as_of=OUTSIDE),
            *("RESOURCE_NOT_FOUND", []),
        ),
        (scores.GetCheckInRequest(name=f"{FOLLOWERS}/checkIns/0"), "FIELD_INVALID", ["name"]),
        (scores.ListKeyResultsRequest(parent="objectives/none"), "RESOURCE_NOT_FOUND", []),
        (scores.ListKeyResultsRequest(parent=FOLLOWERS), "FIELD_INVALID", ["parent"]),
        (
            scores.ListKeyResultsRequest(parent=AWARENESS, as_of=OUTSIDE),
            *("DAY_OUTSIDE_CYCLE", ["as_of.effective_at"]),
        ),
        (alignment("objectives/none", REVENUE), "RESOURCE_NOT_FOUND", []),
        (
            alignment(AWARENESS, REVENUE, AlignmentKind.ALIGNMENT_KIND_UNSPECIFIED),
            *("FIELD_INVALID", ["kind"]),
        ),
    ],
    ids=str,
)
def test_what_is_not_there_or_cannot_be_is_refused(
    furnished: Caller, request_: Message, reason: str, fields: list[str]
) -> None:
    error = furnished.refused(request_)
    assert (error.reason, error.fields) == (reason, fields)
    assert error.code is (INVALID if fields else MISSING)
