"""Scores at two instants, what was known and of which day: the answers are worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from okr.v1 import audit_service_pb2 as audit
from okr.v1 import score_service_pb2 as scores
from okr.v1.resources_pb2 import Band, Status
from okr.v1.values_pb2 import AsOf, CycleState
from tests.api.story import CUSTOMERS, NEWSLETTER, REVENUE, Told, at, by_name, told
from tests.support.ask import (
    AWARENESS,
    FOLLOWERS,
    Q3,
    TRAFFIC,
    check_in,
    commit,
    cycle,
    day,
    instant,
    objective,
    team,
    update_cycle,
)
from tests.support.serving import LoopThread
from tests.support.whole import whole_service


@pytest.fixture(scope="module")
def story(loop: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    with whole_service(loop, tmp_path_factory.mktemp("story")) as me:
        yield told(me)


def three(line: Any) -> tuple[str, str, str]:
    """A line's score now, against the original plan, and as judged."""
    return line.score, line.original_score, line.as_judged_score


def test_the_scorecard_now(story: Told) -> None:
    card = story.scorecard()
    # Followers 1090 of 1000 → 1150 (0.6), traffic 2 of 10 (0.2), newsletter unmeasured (0).
    # Revenue: customers 4 of 20 (0.2) beside awareness, the half of 0.466666666667, to the even.
    objectives = by_name(card.objectives, "objective")
    assert three(objectives[AWARENESS]) == ("0.266666666667", "0.325", "0.366666666667")
    assert three(objectives[REVENUE]) == ("0.233333333334", "0.2625", "0.283333333334")
    assert three(card) == ("0.25", "0.29375", "0.325")
    teams = by_name(card.teams, "team")
    assert three(teams["teams/marketing"]) == three(objectives[AWARENESS])
    assert three(teams["teams/sales"]) == three(objectives[REVENUE])
    assert (card.band, card.status) == (Band.BAND_RED, Status.STATUS_STALE)
    assert card.effective_at == day("2024-09-30")
    assert card.elapsed_share == "1"


def test_a_contributing_child_is_shown_with_its_share(story: Told) -> None:
    revenue = by_name(story.scorecard().objectives, "objective")[REVENUE]
    (child,) = revenue.children
    assert (child.name, child.score, child.weight_share) == (AWARENESS, "0.266666666667", "0.5")
    assert [line.weight_share for line in revenue.key_results] == ["0.5"]


def test_three_scores_stand_side_by_side(story: Told) -> None:
    # 90 of the 150 wanted now, of the 200 planned, of the 100 wanted when it was measured.
    assert three(story.followers(on="2024-08-20")) == ("0.6", "0.45", "0.9")


def test_a_later_addition_has_no_original_score(story: Told) -> None:
    awareness = by_name(story.scorecard().objectives, "objective")[AWARENESS]
    newsletter = by_name(awareness.key_results, "key_result")[NEWSLETTER]
    assert not newsletter.HasField("score")
    assert not newsletter.HasField("original_score")
    assert newsletter.status == Status.STATUS_PENDING


def test_the_day_before_the_adjustment(story: Told) -> None:
    # Known now: the late and the corrected check-in count, the target is still 1200.
    card = story.scorecard(on="2024-08-04")
    awareness = by_name(card.objectives, "objective")[AWARENESS]
    assert [line.key_result.name for line in awareness.key_results] == [FOLLOWERS, TRAFFIC]
    assert awareness.score == "0.375"
    assert card.score == "0.33125"
    assert story.scorecard(on="2024-08-05").score == "0.35"


def test_what_was_believed_before_the_adjustment(story: Told) -> None:
    # Known then: followers 1100 of 1200 (0.5) on every later day.
    for on in ("", "2024-08-04", "2024-08-05", "2024-09-30"):
        card = story.scorecard(story.week_3, on)
        objectives = by_name(card.objectives, "objective")
        assert objectives[AWARENESS].score == "0.35"
        assert objectives[REVENUE].score == "0.275"
        assert card.score == "0.3125"
        assert card.as_judged_score == card.original_score == card.score


def test_late_and_corrected_check_ins_on_both_axes(story: Told) -> None:
    believed = {
        (known, on): (line.value, line.score)
        for known in (story.adjusted, story.corrected)
        for on in ("2024-07-16", "2024-07-25")
        for line in [story.followers(known, on)]
    }
    assert believed == {
        (story.adjusted, "2024-07-16"): ("1050", "0.25"),
        (story.adjusted, "2024-07-25"): ("1100", "0.5"),
        (story.corrected, "2024-07-16"): ("1080", "0.4"),
        (story.corrected, "2024-07-25"): ("1110", "0.55"),
    }
    assert story.followers(story.late, "2024-07-25").value == "1100"


def test_before_the_first_check_in_nothing_is_measured(story: Told) -> None:
    line = story.followers(on="2024-07-07")
    assert not line.HasField("check_in")
    assert not line.HasField("value")
    assert line.expected_progress == "0.065934065934"  # 6 days of 91
    assert story.scorecard(on="2024-07-07").score == "0"


def test_status_is_that_of_the_day(story: Told) -> None:
    on_the_day = story.followers(on="2024-07-08")
    # 7 of 91 days have passed, and a quarter of the way is made.
    assert (on_the_day.score, on_the_day.expected_progress) == ("0.25", "0.076923076923")
    assert on_the_day.status == Status.STATUS_ON_TRACK
    assert story.followers(on="2024-07-14").status == Status.STATUS_ON_TRACK
    behind = story.scorecard(on="2024-07-08")
    traffic = by_name(by_name(behind.objectives, "objective")[AWARENESS].key_results, "key_result")
    assert traffic[TRAFFIC].status == Status.STATUS_ON_TRACK


def test_a_teams_scorecard_holds_its_own_tree(story: Told) -> None:
    card = story.scorecard(of_team="teams/marketing")
    assert [line.objective.name for line in card.objectives] == [AWARENESS]
    assert three(card) == ("0.266666666667", "0.325", "0.366666666667")


def test_an_instant_is_the_position_that_was_reached_then(story: Told) -> None:
    events = story.me.ask(audit.ListEventsRequest(page_size=1000)).events
    for event in (events[story.week_3 - 1], events[story.late - 1]):
        position = event.header.position
        as_of = AsOf(time=event.header.recorded_time, effective_at=day("2024-07-16"))
        request = scores.GetKeyResultRequest(name=FOLLOWERS, as_of=as_of)
        answer = story.me.ask(request)
        assert answer.position >= position
        later = events[position : answer.position]
        assert all(e.header.recorded_time == event.header.recorded_time for e in later)
        assert answer.key_result == story.followers(answer.position, "2024-07-16")


def test_definitions_and_lists_follow_both_instants(story: Told) -> None:
    def objective(known: int) -> Any:
        request = scores.GetObjectiveRequest(name=AWARENESS, as_of=at(known))
        return story.me.ask(request).objective

    assert NEWSLETTER not in objective(story.week_3).key_results
    assert NEWSLETTER in objective(story.adjusted).key_results
    targets = [
        story.followers(on=on).key_result.definition.target
        for on in ("2024-08-04", "2024-08-05", "2024-08-19")
    ]
    assert targets == ["1200", "1100", "1150"]

    def listed(known: int, on: str) -> list[tuple[str, str]]:
        request = scores.ListCheckInsRequest(parent=FOLLOWERS, as_of=at(known, on))
        return [
            (each.name.rpartition("/")[2], each.measurement.value)
            for each in story.me.ask(request).check_ins
        ]

    assert listed(story.adjusted, "2024-09-30") == [("1", "1050"), ("2", "1100")]
    assert listed(0, "2024-07-22") == [("1", "1050"), ("3", "1080"), ("2", "1110")]
    assert listed(0, "2024-07-21") == [("1", "1050"), ("3", "1080")]


def test_the_committed_plan_is_known_by_its_position_and_day(story: Told) -> None:
    committed = story.me.ask(scores.GetCycleRequest(name=Q3)).cycle
    assert committed.plan_position == story.planned
    assert committed.plan_date == day("2024-07-01")
    before = story.me.ask(scores.GetCycleRequest(name=Q3, as_of=at(story.planned - 1))).cycle
    assert before.plan_position == 0
    draft = story.scorecard(story.planned - 1)
    assert not draft.HasField("original_score")


def test_a_list_shows_each_cycle_on_the_day_or_the_nearest_of_its_own(
    loop: LoopThread, tmp_path: Path
) -> None:
    with whole_service(loop, tmp_path) as me:
        me.all_of(cycle(first="2024-07-01", last="2024-09-30", grace_days=5), commit())
        me.ask(update_cycle(title="Third", on="2024-08-01", because="easier to say"))

        def listed(on: str) -> tuple[str, CycleState.ValueType]:
            (found,) = me.ask(scores.ListCyclesRequest(as_of=at(0, on))).cycles
            return found.definition.title, found.state

        active = CycleState.CYCLE_STATE_ACTIVE
        for day_before in ("2024-01-01", "2024-07-01", "2024-07-31"):
            assert listed(day_before) == ("q3", active)
        for day_after in ("2024-08-01", "2024-10-05", "2025-12-31"):
            assert listed(day_after) == ("Third", active)


def test_an_answer_in_the_past_does_not_change(
    story: Told, loop: LoopThread, tmp_path: Path
) -> None:
    with whole_service(loop, tmp_path) as me:
        own = told(me)
        request = scores.GetScorecardRequest(cycle=Q3, as_of=at(own.revised, "2024-08-20"))
        before = me.ask(request)
        me.ask(check_in(CUSTOMERS, "20", on="2024-07-10"))
        assert me.ask(request) == before
        assert before.position == own.revised
        assert own.scorecard(on="2024-08-20").score != before.scorecard.score


def test_what_was_known_may_be_asked_about_any_day_that_has_come_since(
    loop: LoopThread, tmp_path: Path
) -> None:
    today = [datetime(2024, 8, 12, 9, tzinfo=UTC)]

    def clock() -> int:
        return int(today[0].timestamp()) * 1_000_000

    with whole_service(loop, tmp_path, clock=clock) as me:
        me.all_of(cycle(first="2024-07-01", last="2024-09-30"), team(), objective(), commit())
        written = me.ask(check_in(value="1100")).position
        today[0] += timedelta(days=8)
        now = me.ask(scores.GetScorecardRequest(cycle=Q3)).scorecard
        assert (now.effective_at, now.status) == (day("2024-08-20"), Status.STATUS_STALE)
        # The last event is a week old: whoever was told of today by now asks for it again by these.
        today[0] += timedelta(days=8)
        then = scores.GetScorecardRequest(cycle=Q3, as_of=at(written, "2024-08-20"))
        assert me.ask(then).scorecard == now
        earlier = AsOf(time=instant(int(today[0].timestamp()) - 1_000_000))
        for as_of in (at(written), earlier):
            as_of.effective_at.CopyFrom(day("2024-08-29"))
            error = me.refused(scores.GetScorecardRequest(cycle=Q3, as_of=as_of))
            assert error.reason == "DAY_IN_FUTURE"
            assert error.info.metadata["today"] == "2024-08-28"
