"""A quarter looked back upon, over a real channel: the story's figures, worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from okr.v1.audit_service_pb2 import AttributeScoreRequest
from okr.v1.replay_service_pb2 import GetRetrospectiveRequest
from okr.v1.values_pb2 import AsOf
from tests.api.case import INVALID
from tests.api.story import CUSTOMERS, NEWSLETTER, Told, at, told
from tests.support.ask import FOLLOWERS, Q3, TRAFFIC, day
from tests.support.serving import LoopThread
from tests.support.whole import Caller, whole_service


@pytest.fixture(scope="module")
def story(loop: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    with whole_service(loop, tmp_path_factory.mktemp("story")) as me:
        yield told(me)


def test_the_story_looked_back_upon(story: Told) -> None:
    answer = story.me.ask(GetRetrospectiveRequest(cycle=Q3))
    found = answer.retrospective
    assert (found.score, found.original_score, found.as_judged_score) == (
        "0.25",
        "0.29375",
        "0.325",
    )
    assert (found.objective_count, found.met_count, found.running) == (2, 0, False)
    lines = {each.key_result.name: each for o in found.objectives for each in o.key_results}
    assert lines[FOLLOWERS].value == "1090"
    assert (lines[FOLLOWERS].score, lines[FOLLOWERS].original_score) == ("0.6", "0.45")
    assert lines[FOLLOWERS].planned.target == "1200"
    assert not lines[NEWSLETTER].HasField("planned")
    # 1050, 1080, 1110 and 1090 on days 7, 14, 21 and 42 of 91: 40 in 35 days, 49 to go; the slowest
    # step fell by 20 in 21 days, the fastest rose by 30 in 7.
    forecast = lines[FOLLOWERS].mid_forecast
    assert (forecast.value, forecast.low, forecast.high) == ("1146", "1043.333333333333", "1300")
    assert lines[FOLLOWERS].forecast_error == "-56"
    # One of three; of followers, weeks 2, 3, 4 and 7 of 13; of the newsletter, added in the first
    # days of week 6, none of 8. Everything was told this year, long after.
    assert [
        (lines[name].discipline.made, lines[name].discipline.due)
        for name in (FOLLOWERS, TRAFFIC, CUSTOMERS, NEWSLETTER)
    ] == [(4, 13), (1, 13), (1, 13), (0, 8)]
    assert (found.discipline.made, found.discipline.late) == (6, 6)
    (made,) = found.adjustments
    course = {each.name: each for each in made.courses}[FOLLOWERS]
    # 1100 of 1200 when it was decided, which is all of 1100, and 1090 of 1150 in the end.
    assert (course.score_before, course.score_after, course.score_at_end) == ("0.5", "1", "0.6")
    assert [each.name for each in found.revisions] == [f"{FOLLOWERS}/revisions/3"]
    assert answer.position == story.revised
    assert answer.token


def test_what_it_looked_like_before_the_last_revision(story: Told) -> None:
    request = GetRetrospectiveRequest(cycle=Q3, as_of=at(story.week_3, "2024-08-04"))
    found = story.me.ask(request).retrospective
    assert found.running
    assert found.score == story.scorecard(story.week_3, "2024-08-04").score
    assert not found.adjustments
    assert found.effective_at == day("2024-08-04")


def test_the_root_agrees_with_the_scorecard(story: Told) -> None:
    for team in ("", "teams/marketing", "teams/sales"):
        found: Any = story.me.ask(GetRetrospectiveRequest(cycle=Q3, team=team)).retrospective
        card = story.scorecard(of_team=team)
        assert (found.score, found.original_score) == (card.score, card.original_score)
        names = [each.objective.name for each in found.objectives]
        assert names == [each.objective.name for each in card.objectives]


@pytest.mark.parametrize("team", ["", "teams/marketing", "teams/sales"])
def test_what_moved_the_scores_is_what_the_audit_says(furnished: Caller, team: str) -> None:
    found = furnished.ask(GetRetrospectiveRequest(cycle=Q3, team=team)).retrospective
    whole = AttributeScoreRequest(subject=team or Q3, cycle=Q3)
    assert found.attribution == furnished.ask(whole).attribution
    for each in found.objectives:
        alone = furnished.ask(AttributeScoreRequest(subject=each.objective.name)).attribution
        assert list(each.parts) == list(alone.parts), each.objective.name
        assert sum(Decimal(part.difference) for part in each.parts) == Decimal(alone.difference)


def test_a_draft_has_no_plan_to_move_from(furnished: Caller) -> None:
    found = furnished.ask(GetRetrospectiveRequest(cycle="cycles/draft")).retrospective
    assert not found.HasField("attribution")
    assert not any(each.parts for each in found.objectives)


def test_a_day_that_is_not_the_cycles_is_refused(furnished: Caller) -> None:
    outside = AsOf(effective_at=day("2024-06-30"))
    error = furnished.refused(GetRetrospectiveRequest(cycle=Q3, as_of=outside))
    assert (error.code, error.reason) == (INVALID, "DAY_OUTSIDE_CYCLE")
    assert error.fields == ["as_of.effective_at"]
    for wrong in (GetRetrospectiveRequest(), GetRetrospectiveRequest(cycle=Q3, team="Sales")):
        error = furnished.refused(wrong)
        assert (error.code, error.reason) == (INVALID, "FIELD_INVALID")
