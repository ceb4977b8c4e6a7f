"""What an auditor asks: revisions, adjustments, grades and the ledger's own bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from okr.v1 import audit_service_pb2 as audit
from okr.v1 import events_pb2, resources_pb2
from okr.v1 import score_service_pb2 as scores
from okr.v1.event_record_pb2 import EventMetadata
from okr.v1.operations_service_pb2 import GetStatusRequest
from okr.v1.values_pb2 import Category, ObjectiveState
from tests.api.story import ANNA, BEA, NEWSLETTER, REVENUE, Told, at, by_name, told
from tests.support.ask import (
    AWARENESS,
    FOLLOWERS,
    Q3,
    WHY,
    check_in,
    correct,
    day,
    drop,
    grade,
    regrade,
    restore,
    retract,
    team,
)
from tests.support.serving import LoopThread
from tests.support.texts import without_texts
from tests.support.whole import Caller, whole_service


@pytest.fixture(scope="module")
def story(loop: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    with whole_service(loop, tmp_path_factory.mktemp("story")) as me:
        yield told(me)


def revisions(me: Caller, **fields: Any) -> list[resources_pb2.KeyResultRevision]:
    answer = me.ask(audit.ListKeyResultRevisionsRequest(parent=FOLLOWERS, **fields))
    return list(answer.revisions)


def test_every_revision_tells_who_when_why_and_what_it_did(story: Told) -> None:
    third, second, first = revisions(story.me)
    assert (third.number, third.actor, third.on_behalf_of) == (3, "services/crm", "people/bea")
    assert (third.reason, third.category) == (WHY, Category.CATEGORY_MARKET_CHANGE)
    assert (third.before.target, third.after.target) == ("1100", "1150")
    assert list(third.changed.paths) == ["target"]
    assert (third.score_before, third.score_after) == ("0.9", "0.6")
    assert third.effective_date == day("2024-08-19")
    assert (second.actor, second.adjustment) == ("people/anna", "adjustments/week-6")
    assert (second.score_before, second.score_after) == ("0.5", "1")
    assert (second.before.target, second.before.target_change_percent) == ("1200", "20")
    assert second.after.target == "1100"
    assert not second.after.HasField("target_change_percent")
    assert not first.after_plan_commitment
    assert first.event_type == "okr.v1.KeyResultAdded"
    assert first.after == first.snapshot.definition
    assert not first.HasField("score_before")


def scores_of(found: resources_pb2.ThreeScores) -> tuple[str, str, str]:
    return found.score, found.original_score, found.as_judged_score


def test_revisions_tell_all_three_scores(story: Told) -> None:
    third, second, first = revisions(story.me)
    # Of the 90 that were made the plan wanted 200; on 12 August, when they were measured, 100.
    assert scores_of(third.scores_before) == ("0.9", "0.45", "0.9")
    assert scores_of(third.scores_after) == ("0.6", "0.45", "0.9")
    # Measured on 22 July, when 200 were wanted.
    assert scores_of(second.scores_before) == ("0.5", "0.5", "0.5")
    assert scores_of(second.scores_after) == ("1", "0.5", "0.5")
    assert not first.HasField("scores_before")
    assert first.HasField("scores_after")


def test_an_adjustments_effects_tell_all_three_scores(story: Told) -> None:
    made = story.me.ask(audit.GetAdjustmentRequest(name="adjustments/week-6")).adjustment
    effects = {effect.name: effect for effect in made.effects}
    found = effects[AWARENESS]
    assert scores_of(found.scores_before) == ("0.35", "0.35", "0.35")
    # Followers 1 now and 0.5 in the plan and as judged, traffic 0.2, newsletter 0 but in the plan.
    assert scores_of(found.scores_after) == ("0.4", "0.35", "0.233333333333")
    assert scores_of(effects[FOLLOWERS].scores_after) == ("1", "0.5", "0.5")


def test_revisions_may_be_those_after_the_plan_or_of_an_instant(story: Told) -> None:
    def numbers(**fields: Any) -> list[int]:
        return [each.number for each in revisions(story.me, **fields)]

    assert numbers(after_plan_commitment=True) == [3, 2]
    assert numbers(as_of=at(story.week_3)) == [1]
    assert numbers(as_of=at(0, "2024-08-18")) == [2, 1]
    single = audit.GetKeyResultRevisionRequest(name=f"{FOLLOWERS}/revisions/2")
    assert story.me.ask(single).revision == revisions(story.me)[1]


def test_an_adjustment_tells_its_effects_on_every_level(story: Told) -> None:
    made = story.me.ask(audit.GetAdjustmentRequest(name="adjustments/week-6")).adjustment
    assert (made.actor, made.reason) == ("people/anna", WHY)
    assert (made.first_position, made.last_position) == (story.week_3 + 1, story.adjusted)
    assert [change.subject for change in made.changes] == [FOLLOWERS, NEWSLETTER]
    assert list(made.changes[0].dependants) == [REVENUE]
    assert {e.name: (e.score_before, e.score_after, e.difference) for e in made.effects} == {
        FOLLOWERS: ("0.5", "1", "0.5"),
        AWARENESS: ("0.35", "0.4", "0.05"),
        REVENUE: ("0.275", "0.3", "0.025"),
        "teams/marketing": ("0.35", "0.4", "0.05"),
        "teams/sales": ("0.275", "0.3", "0.025"),
        Q3: ("0.3125", "0.35", "0.0375"),
    }
    (listed,) = story.me.ask(audit.ListAdjustmentsRequest(cycle=Q3)).adjustments
    assert listed == made


def test_an_adjustment_was_not_made_before_its_position_and_day(story: Told) -> None:
    for as_of in (at(story.week_3), at(0, "2024-08-04")):
        listed = story.me.ask(audit.ListAdjustmentsRequest(cycle=Q3, as_of=as_of))
        assert not listed.adjustments
        single = audit.GetAdjustmentRequest(name="adjustments/week-6", as_of=as_of)
        assert story.me.refused(single).reason == "RESOURCE_NOT_FOUND"


def test_a_correction_keeps_the_author_and_names_who_corrected(story: Told) -> None:
    found = story.me.ask(scores.ListCheckInsRequest(parent=FOLLOWERS)).check_ins
    corrected = by_name_of(found)[f"{FOLLOWERS}/checkIns/2"]
    assert (corrected.actor, corrected.corrected_by) == ("services/local", "services/crm")
    assert corrected.corrected_position == story.corrected
    assert corrected.position == story.week_3


def by_name_of(found: Any) -> dict[str, Any]:
    return {each.name: each for each in found}


def test_events_carry_the_stored_bytes_and_what_they_say(story: Told) -> None:
    answer = story.me.ask(audit.ListEventsRequest(page_size=1000))
    status = story.me.ask(GetStatusRequest())
    positions = [event.header.position for event in answer.events]
    assert positions == list(range(1, status.head_position + 1))
    times = [event.header.recorded_time.ToNanoseconds() for event in answer.events]
    assert times == sorted(times)
    versions: dict[str, int] = {}
    for event in answer.events:
        header = event.header
        assert (header.log_id, header.epoch) == (status.log_id, status.epoch)
        assert event.name == f"events/{header.position}"
        versions[header.stream] = versions.get(header.stream, 0) + 1
        assert header.stream_version == versions[header.stream]
        kind = getattr(events_pb2, header.event_type.removeprefix("okr.v1."))
        assert event.decoded_payload.type_url == f"type.googleapis.com/{header.event_type}"
        assert kind.FromString(event.payload).SerializeToString() == event.payload
        # All but the texts of people, which are stored as nobody reads them.
        decoded = kind.FromString(event.decoded_payload.value)
        assert without_texts(kind.FromString(event.payload)) == without_texts(decoded)
        stored = EventMetadata.FromString(event.metadata)
        assert without_texts(stored) == without_texts(event.decoded_metadata)
        assert event.decoded_metadata.actor.plain.startswith(("people/", "services/"))
        alone = story.me.ask(audit.GetEventRequest(name=event.name))
        assert alone.event == event


def test_events_may_be_those_of_a_stream_or_type_in_either_order(story: Told) -> None:
    def positions(**fields: Any) -> list[int]:
        answer = story.me.ask(audit.ListEventsRequest(**fields))
        return [event.header.position for event in answer.events]

    everything = positions()
    assert positions(newest_first=True) == everything[::-1]
    assert positions(after_position=5) == everything[5:]
    assert positions(after_position=5, newest_first=True, page_size=1000) == everything[:4:-1]
    own = positions(stream=AWARENESS)
    assert 0 < len(own) < len(everything)
    assert positions(event_types=["okr.v1.PlanCommitted"]) == [story.planned]
    assert positions(event_types=["okr.v1.StrategyAdjusted"], as_of=at(story.week_3)) == []


# The ledger grows


def test_pages_do_not_move_while_the_ledger_grows(me: Caller) -> None:
    told(me)
    me.all_of(*(team(f"b-{number}") for number in range(5)))
    everything = me.ask(scores.ListTeamsRequest()).teams
    request = scores.ListTeamsRequest(page_size=3)
    seen = []
    positions = set()
    while True:
        answer = me.ask(request)
        seen += answer.teams
        positions.add(answer.position)
        if not answer.next_page_token:
            break
        request.page_token = answer.next_page_token
        # Before, between and after what the pages have shown.
        me.all_of(*(team(f"{first}-{len(seen)}") for first in "amz"))
    assert seen == list(everything)
    assert len(positions) == 1


def test_pages_of_events_do_not_move_either(me: Caller) -> None:
    me.all_of(*(team(f"t-{number}") for number in range(7)))
    for newest_first in (False, True):
        request = audit.ListEventsRequest(page_size=2, newest_first=newest_first)
        head = me.head()
        seen = []
        while True:
            answer = me.ask(request)
            seen += [event.header.position for event in answer.events]
            if not answer.next_page_token:
                break
            request.page_token = answer.next_page_token
            me.ask(team(f"{'later' if newest_first else 'more'}-{len(seen)}"))
        assert sorted(seen) == list(range(1, head + 1))
        assert seen == sorted(seen, reverse=newest_first)


def test_a_token_lets_everybody_read_the_write(me: Caller) -> None:
    told(me)
    reader = Caller(me.channel)
    for number in range(50):
        value = str(1000 + number)
        answer = me.ask(check_in(value=value, on="2024-09-30"))
        request = scores.GetKeyResultRequest(name=FOLLOWERS, at_least_as_fresh=answer.token)
        read = reader.ask(request)
        assert read.key_result.value == value
        assert read.position >= answer.position


def test_a_graded_override_stands_beside_the_computed_score(me: Caller) -> None:
    story = told(me)
    me.ask(grade(AWARENESS, override_score="0.5", on="2024-09-30", because="the bot counted twice"))
    graded = me.head()
    block = by_name(story.scorecard().objectives, "objective")[AWARENESS]
    assert (block.score, block.computed_score) == ("0.5", "0.266666666667")
    assert block.objective.final_score == "0.5"
    assert block.objective.computed_score == "0.266666666667"
    assert block.objective.state == ObjectiveState.OBJECTIVE_STATE_GRADED
    # The parent takes the final score: (0.2 + 0.5) ÷ 2.
    assert by_name(story.scorecard().objectives, "objective")[REVENUE].score == "0.35"
    assert story.scorecard(graded - 1).score == "0.25"
    assert by_name(story.scorecard(on="2024-09-29").objectives, "objective")[AWARENESS].score == (
        "0.266666666667"
    )
    me.ask(regrade(AWARENESS, on="2024-09-30", because="it did not"))
    block = by_name(story.scorecard().objectives, "objective")[AWARENESS]
    assert (block.score, block.objective.final_score) == ("0.266666666667", "0.266666666667")


def test_a_dropped_key_result_keeps_its_history_and_leaves_the_score(me: Caller) -> None:
    story = told(me)
    me.ask(drop(NEWSLETTER, on="2024-09-01", because="nobody to write it"), ANNA)
    awareness = by_name(story.scorecard().objectives, "objective")[AWARENESS]
    assert awareness.score == "0.4"
    lines = by_name(awareness.key_results, "key_result")
    assert lines[NEWSLETTER].weight_share == "0"
    assert story.scorecard(on="2024-08-31").score == story.scorecard(story.revised).score
    me.ask(restore(NEWSLETTER, on="2024-09-02", because="somebody was found"), BEA)
    assert by_name(story.scorecard().objectives, "objective")[AWARENESS].score == "0.266666666667"
    request = audit.ListKeyResultRevisionsRequest(parent=NEWSLETTER)
    kinds = [each.event_type for each in me.ask(request).revisions]
    assert kinds == ["okr.v1.KeyResultRestored", "okr.v1.KeyResultDropped", "okr.v1.KeyResultAdded"]


def test_a_retracted_check_in_stays_in_the_list_and_counts_no_more(me: Caller) -> None:
    story = told(me)
    me.ask(retract(4))
    me.ask(correct(1, "1051"))
    assert story.followers().value == "1110"
    found = by_name_of(me.ask(scores.ListCheckInsRequest(parent=FOLLOWERS)).check_ins)
    assert found[f"{FOLLOWERS}/checkIns/4"].retracted
    assert found[f"{FOLLOWERS}/checkIns/4"].measurement.value == "1090"
    assert story.followers(story.revised).value == "1090"
