"""What is due and what deviates, over a real channel."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.message import Message

from ledger.values import recorded_day
from okr.pages import pages
from okr.v1 import score_service_pb2 as scores
from okr.v1.resources_pb2 import DeviationKind, DueState
from okr.v1.values_pb2 import AsOf
from tests.api.case import CUSTOMERS, INVALID, MISSING, PACE, PLANNED, TRAFFIC
from tests.support.ask import FOLLOWERS, Q3, day
from tests.support.whole import Caller

AUGUST = AsOf(effective_at=day("2024-08-12"))


def test_what_is_due_in_every_cycle_that_runs(furnished: Caller) -> None:
    answer = furnished.ask(scores.ListDueCheckInsRequest())
    (line,) = answer.due_check_ins
    assert line.key_result == PACE
    assert (line.state, line.period.number) == (DueState.DUE_STATE_OVERDUE, 1)
    passed = recorded_day(line.effective_at) - recorded_day(line.due_day)
    assert line.overdue_days == passed.days > 30
    assert answer.position == furnished.head()
    assert answer.token


def test_what_deviates_now_and_as_of_a_day(furnished: Caller) -> None:
    (now,) = furnished.ask(scores.ListDeviationsRequest()).deviations
    assert now.name == PACE
    found = furnished.ask(scores.ListDeviationsRequest(cycle=Q3, as_of=AUGUST)).deviations
    worst = {each.name: each.findings[0].kind for each in found}
    assert worst[FOLLOWERS] == DeviationKind.DEVIATION_KIND_STALE
    assert worst[TRAFFIC] == worst[PLANNED] == DeviationKind.DEVIATION_KIND_NOT_STARTED
    # Graded and abandoned since, they deviate from nothing at the end.
    closed = ("objectives/graded", "objectives/given-up")
    assert any(name.startswith(closed) for name in worst)
    at_the_end = furnished.ask(scores.ListDeviationsRequest(cycle=Q3)).deviations
    assert not any(each.name.startswith(closed) for each in at_the_end)
    assert furnished.ask(scores.ListDeviationsRequest(cycle="cycles/draft")).deviations == []
    sales = scores.ListDeviationsRequest(cycle=Q3, team="teams/sales", as_of=AUGUST)
    assert [each.name for each in furnished.ask(sales).deviations] == [CUSTOMERS]


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (scores.ListDeviationsRequest(cycle=Q3, as_of=AUGUST), "deviations"),
        (scores.ListDueCheckInsRequest(cycle=Q3, as_of=AUGUST), "due_check_ins"),
    ],
)
def test_pages_put_together_are_the_list(furnished: Caller, request_: Any, field: str) -> None:
    whole = list(getattr(furnished.ask(request_), field))
    assert len(whole) > 4
    one_by_one = type(request_)()
    one_by_one.CopyFrom(request_)
    one_by_one.page_size = 1
    answers = list(pages(furnished.ask, one_by_one))
    assert [each for answer in answers for each in getattr(answer, field)] == whole
    assert len(answers) == len(whole)


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (scores.ListDueCheckInsRequest(within_days=32), ["within_days"]),
        (scores.ListDueCheckInsRequest(within_days=-1), ["within_days"]),
        (scores.ListDueCheckInsRequest(cycle="q3"), ["cycle"]),
        (scores.ListDueCheckInsRequest(team="Marketing"), ["team"]),
        (scores.ListDeviationsRequest(owner="people/\0"), ["owner"]),
        (scores.ListDeviationsRequest(kinds=[0]), ["kinds[0]"]),  # type: ignore[list-item]  # as another language would send it
        (scores.ListDeviationsRequest(kinds=[99]), ["kinds[0]"]),  # type: ignore[list-item]  # as another language would send it
        (scores.ListDeviationsRequest(kinds=[DeviationKind.DEVIATION_KIND_STALE] * 2), ["kinds"]),
    ],
    ids=lambda each: "" if isinstance(each, Message) else ",".join(each),
)
def test_what_cannot_be_asked_is_refused(
    furnished: Caller, request_: Message, fields: list[str]
) -> None:
    error = furnished.refused(request_)
    assert (error.code, error.reason, error.fields) == (INVALID, "FIELD_INVALID", fields)


@pytest.mark.parametrize("kind", [scores.ListDueCheckInsRequest, scores.ListDeviationsRequest])
def test_cycles_teams_and_days_that_there_are_not(furnished: Caller, kind: Any) -> None:
    for named in ({"cycle": "cycles/none"}, {"team": "teams/none"}):
        error = furnished.refused(kind(**named))
        assert (error.code, error.reason) == (MISSING, "RESOURCE_NOT_FOUND")
        assert error.info.metadata["resource"] in named.values()
    outside = AsOf(effective_at=day("2024-06-30"))
    error = furnished.refused(kind(cycle=Q3, as_of=outside))
    assert (error.code, error.reason) == (INVALID, "DAY_OUTSIDE_CYCLE")
    assert error.fields == ["as_of.effective_at"]
    # Without a cycle there is none that the day could be outside of.
    assert furnished.ask(kind(as_of=outside)).next_page_token == ""
