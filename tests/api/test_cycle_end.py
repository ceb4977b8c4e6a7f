"""A quarter's end over a channel: closed, amended, opened again, and looked back on.

Third quarter of 2024, default policy; every score can be worked out by hand:

    awareness  followers 1000 → 1200, at 1100 (0.5); traffic 0 → 10, at 8 (0.8); ads, dropped
               target of followers 1200 → 1100 from 5 August, so now 1, as judged in July 0.5
    revenue    customers 0 → 20, at 5 (0.25), graded 0.4 by hand
    given-up   abandoned
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pytest
from grpc import StatusCode

from okr.v1 import audit_service_pb2 as audit
from okr.v1 import score_service_pb2 as scores
from okr.v1.values_pb2 import (
    AsOf,
    Category,
    CycleState,
    ObjectiveState,
    ReviewKind,
    ScoringPolicy,
)
from tests.api.story import ANNA, BEA, RELATIVE
from tests.support.ask import (
    AWARENESS,
    FOLLOWERS,
    MARKETING,
    Q3,
    TRAFFIC,
    WHY,
    abandon,
    adjust,
    align,
    amend,
    carry_over,
    check_in,
    close,
    commit,
    correct,
    cycle,
    day,
    drop,
    grade,
    lesson,
    new,
    objective,
    reopen,
    review,
    revise,
    team,
    update_cycle,
)
from tests.support.serving import LoopThread
from tests.support.whole import Caller, whole_service

REVENUE: Final = "objectives/revenue"
CUSTOMERS: Final = f"{REVENUE}/keyResults/customers"
PAGE: Final = Path(__file__).parents[2] / "docs" / "how-to" / "close-a-quarter.md"
ADS: Final = f"{AWARENESS}/keyResults/ads"
GIVEN_UP: Final = "objectives/given-up"
SEAL: Final = f"{Q3}/seals/1"


@pytest.fixture
def over(me: Caller) -> Caller:
    """The quarter, lived through and not closed."""
    me.all_of(
        *(cycle(first="2024-07-01", last="2024-09-30"), team(), team("sales")),
        objective(
            "awareness",
            new("followers", baseline="1000", target_change_percent="20"),
            new("traffic", target="10"),
            new("ads", target="4"),
        ),
        objective("revenue", new("customers", target="20"), team="teams/sales"),
        *(objective("given-up", new("leads", target="8")), commit()),
        *(check_in(value="1100", on="2024-07-22"), check_in(TRAFFIC, "8", on="2024-09-02")),
        *(check_in(CUSTOMERS, "5", on="2024-09-02"), check_in(ADS, "1", on="2024-07-22")),
        adjust(revise(target="1100", mask=RELATIVE), drop(ADS), name="cut", on="2024-08-05"),
        *(abandon(GIVEN_UP, because="no longer wanted"),),
        grade(REVENUE, override_score="0.4", on="2024-09-30", because="a late campaign"),
    )
    return me


def scorecard(me: Caller, as_of: AsOf | None = None, of_team: str = "", name: str = Q3) -> Any:
    return me.ask(scores.GetScorecardRequest(cycle=name, team=of_team, as_of=as_of)).scorecard


def sealed_at(seal: Any) -> AsOf:
    """The instants whose scores a seal holds."""
    return AsOf(position=seal.closing_position, effective_at=seal.effective_date)


def seals(me: Caller, **as_of: Any) -> list[Any]:
    return list(me.ask(scores.ListSealsRequest(cycle=Q3, as_of=AsOf(**as_of))).seals)


def three(line: Any) -> tuple[str, str, str]:
    return (line.score, line.original_score, line.as_judged_score)


def test_a_seal_holds_the_final_scores_and_who_closed_the_cycle(over: Caller) -> None:
    before = over.head()

    answer = over.ask(close(because="Vége a negyedévnek"), BEA)

    seal = answer.seal
    assert answer.cycle.state == CycleState.CYCLE_STATE_SEALED
    assert answer.position == over.head() == before + 2
    assert (seal.name, seal.cycle, seal.number) == (SEAL, Q3, 1)
    assert (seal.closing_position, seal.position) == (before + 1, before + 2)
    assert seal.effective_date == day("2024-09-30")
    assert (seal.actor, seal.on_behalf_of) == ("services/crm", "people/bea")
    assert seal.reason == "Vége a negyedévnek"
    assert not seal.HasField("reopening")
    # awareness: (1 + 0.8) / 2 now; originally (0.5 + 0.8 + 0.25) / 3; judged (0.5 + 0.8) / 2.
    by_name = {line.name: line for line in seal.objective_scores}
    assert list(by_name) == [AWARENESS, GIVEN_UP, REVENUE]
    assert three(by_name[AWARENESS]) == ("0.9", "0.516666666667", "0.65")
    assert three(by_name[REVENUE]) == ("0.4", "0.25", "0.25")
    assert (by_name[REVENUE].computed_score, by_name[REVENUE].override_score) == ("0.25", "0.4")
    assert by_name[AWARENESS].computed_score == "0.9"
    assert not by_name[AWARENESS].HasField("override_score")
    state = ObjectiveState
    assert [line.state for line in by_name.values()] == [
        state.OBJECTIVE_STATE_ACTIVE,
        state.OBJECTIVE_STATE_ABANDONED,
        state.OBJECTIVE_STATE_GRADED,
    ]
    assert [(line.name, line.score) for line in seal.team_scores] == [
        (MARKETING, "0.9"),
        ("teams/sales", "0.4"),
    ]
    # The plan had three objectives: (0.516666666667 + 0.25 + 0) / 3.
    assert three(seal) == ("0.65", "0.255555555556", "0.45")
    assert seal.key_result_count == 5


def test_the_digest_can_be_computed_from_what_the_api_tells(over: Caller) -> None:
    seal = over.ask(close()).seal
    told = scorecard(over, sealed_at(seal))
    lines = {
        line.key_result.name: "\t".join((line.key_result.name, *three(line))) + "\n"
        for block in told.objectives
        for line in block.key_results
    }
    listed = "".join(lines[name] for name in sorted(lines, key=str.encode))
    assert sha256(listed.encode()).digest() == seal.key_result_digest
    assert f"{ADS}\t0.25\t0.25\t0.25\n" in listed
    assert f"{FOLLOWERS}\t1\t0.5\t0.5\n" in listed
    assert len(lines) == seal.key_result_count


def test_the_sealed_scores_are_those_of_the_scorecard_as_of_the_closing(over: Caller) -> None:
    seal = over.ask(close()).seal
    told = scorecard(over, sealed_at(seal))
    assert three(told) == three(seal)
    assert {line.team.name: three(line) for line in told.teams} == {
        line.name: three(line) for line in seal.team_scores
    }
    assert {line.objective.name: three(line) for line in told.objectives} == {
        line.name: three(line) for line in seal.objective_scores
    }
    assert told.cycle.state == CycleState.CYCLE_STATE_CLOSING
    assert not told.HasField("seal")


def test_the_policy_is_that_of_the_sealed_day(over: Caller) -> None:
    by_key_results = ScoringPolicy.CYCLE_ROLLUP_MEAN_OF_KEY_RESULTS
    policy = ScoringPolicy(name="house", cycle_rollup=by_key_results)
    over.ask(update_cycle(policy=policy, on="2024-09-16", because=WHY))
    seal = over.ask(close()).seal
    assert seal.score == scorecard(over, sealed_at(seal)).score == scorecard(over).score
    assert seal.score != "0.65"
    over.ask(reopen())
    earlier = over.ask(close(on="2024-09-15", because="as it was before")).seal
    assert earlier.score == scorecard(over, sealed_at(earlier)).score
    assert earlier.score != seal.score


def test_trying_to_close_shows_the_seal_and_fences_nothing(over: Caller) -> None:
    tried = close()
    tried.validate_only = True

    foreseen = over.ask(tried).seal

    assert over.ask(scores.GetCycleRequest(name=Q3)).cycle.state == CycleState.CYCLE_STATE_ACTIVE
    assert seals(over) == []
    done = over.ask(close()).seal
    assert foreseen.key_result_digest == done.key_result_digest
    assert (three(foreseen), foreseen.number) == (three(done), 1)


def test_every_seal_stays_readable_when_the_cycle_is_opened_and_sealed_again(over: Caller) -> None:
    first = over.ask(close(), ANNA).seal
    over.ask(amend(FOLLOWERS, "Kétszer számolt követők", amended_value="1090"))
    opened = over.ask(reopen(because="Hibás exportból számoltunk"), BEA)
    assert opened.cycle.state == CycleState.CYCLE_STATE_ACTIVE
    assert [seal.name for seal in seals(over)] == [SEAL]
    over.ask(correct(1, "1050"))

    second = over.ask(close(because="Most már jó"), BEA).seal

    assert (second.number, second.name) == (2, f"{Q3}/seals/2")
    assert second.key_result_digest != first.key_result_digest
    found = seals(over)
    assert found == [over.ask(scores.GetSealRequest(name=s.name)).seal for s in (first, second)]
    kept, latest = found
    assert latest == second
    reopening = kept.reopening
    assert (reopening.actor, reopening.on_behalf_of) == ("services/crm", "people/bea")
    assert (reopening.reason, reopening.position) == (
        "Hibás exportból számoltunk",
        opened.position,
    )
    kept.ClearField("reopening")
    assert kept == first
    assert (first.actor, second.actor) == ("people/anna", "services/crm")
    # Followers 0.5 of the way to 1100 now, as judged 0.25: awareness 0.65 and 0.525.
    assert scorecard(over).seal == second
    by_name = {line.name: line for line in second.objective_scores}
    assert three(by_name[AWARENESS]) == ("0.65", "0.433333333333", "0.525")
    for seal in (first, second):
        told = scorecard(over, sealed_at(seal))
        assert three(told) == three(seal)


def test_a_seal_is_known_from_its_position_and_holds_from_its_day(over: Caller) -> None:
    seal = over.ask(close(on="2024-09-10", because="sold")).seal
    opened = over.ask(reopen()).position

    assert seals(over, position=seal.position - 1) == []
    (then,) = seals(over, position=opened - 1)
    assert then == seal
    assert seals(over, effective_at=day("2024-09-09")) == []
    (later,) = seals(over, effective_at=day("2024-09-10"))
    assert later.HasField("reopening")
    unknown = scores.GetSealRequest(name=SEAL, as_of=AsOf(position=seal.position - 1))
    assert over.refused(unknown).reason == "RESOURCE_NOT_FOUND"
    for on, state in (("2024-09-09", "ACTIVE"), ("2024-09-10", "SEALED"), ("2024-09-30", "ACTIVE")):
        told = scorecard(over, AsOf(effective_at=day(on)))
        assert told.cycle.state == CycleState.Value(f"CYCLE_STATE_{state}"), on
        assert told.HasField("seal") == (state == "SEALED")


def test_the_scorecard_of_a_sealed_cycle_shows_the_seal_and_what_was_amended(over: Caller) -> None:
    seal = over.ask(close()).seal
    before = scorecard(over)
    assert before.seal == seal
    made = [
        over.ask(amend(FOLLOWERS, "Késői adat", amended_value="1080", amended_score="0.8"), BEA),
        over.ask(amend(REVENUE, "Egy számla kimaradt", amended_score="0.45"), BEA),
        over.ask(amend("", "Az export hibás volt"), BEA),
    ]

    after = scorecard(over)

    assert list(after.amendments) == [each.amendment for each in made]
    first = after.amendments[0]
    assert (first.name, first.seal) == (f"{Q3}/amendments/1", SEAL)
    assert (first.subject, first.amended_value, first.amended_score) == (FOLLOWERS, "1080", "0.8")
    assert (first.statement, first.actor) == ("Késői adat", "services/crm")
    # Beside the seal, and never in its place: neither it nor a score has moved.
    del after.amendments[:]
    assert after == before
    of_team = scorecard(over, of_team="teams/sales")
    assert [line.name for line in of_team.seal.team_scores] == ["teams/sales"]
    assert [line.name for line in of_team.seal.objective_scores] == [REVENUE]
    assert [each.subject for each in of_team.amendments] == [REVENUE, ""]
    assert three(of_team.seal) == three(seal)
    then = scorecard(over, AsOf(position=made[0].position))
    assert [each.subject for each in then.amendments] == [FOLLOWERS]


def test_amendments_are_listed_by_subject_and_stand_beside_their_own_seal(over: Caller) -> None:
    over.all_of(close(), amend(FOLLOWERS), amend(), reopen(), close(), amend(FOLLOWERS, "újra"))
    every = over.ask(scores.ListAmendmentsRequest(cycle=Q3)).amendments
    assert [(each.number, each.seal.rpartition("/")[2]) for each in every] == [
        (1, "1"),
        (2, "1"),
        (3, "2"),
    ]
    about = over.ask(scores.ListAmendmentsRequest(cycle=Q3, subject=FOLLOWERS)).amendments
    assert [each.number for each in about] == [1, 3]
    assert [each.number for each in scorecard(over).amendments] == [3]
    one = over.ask(scores.GetAmendmentRequest(name=every[1].name)).amendment
    assert one == every[1]
    first = over.ask(scores.ListAmendmentsRequest(cycle=Q3, page_size=2))
    assert len(first.amendments) == 2
    rest = scores.ListAmendmentsRequest(cycle=Q3, page_size=2, page_token=first.next_page_token)
    assert [each.number for each in over.ask(rest).amendments] == [3]


def test_a_child_in_another_cycle_moves_the_computed_score_and_not_the_seal(me: Caller) -> None:
    me.all_of(
        *(cycle("y24", first="2024-01-01", last="2024-12-31"), team()),
        *(objective("year", new("sales", target="10"), cycle="cycles/y24"), commit("cycles/y24")),
        *(cycle(first="2024-07-01", last="2024-09-30"), objective()),
        *(align(AWARENESS, "objectives/year", because=WHY), commit()),
        *(check_in("objectives/year/keyResults/sales", "5", on="2024-09-02"),),
        check_in(TRAFFIC, "10", on="2024-09-02"),
    )
    # Sales are half way, and so is awareness: one of its two key results is there.
    seal = me.ask(close("cycles/y24")).seal
    assert seal.score == "0.5"
    me.ask(check_in(value="1200", on="2024-09-09"))

    now = scorecard(me, name="cycles/y24")
    assert (now.score, now.seal) == ("0.75", seal)
    assert scorecard(me, sealed_at(seal), name="cycles/y24").score == "0.5"
    # And the other way: a sealed child counts with what it has, and its parent goes on.
    quarter = me.ask(close()).seal
    me.ask(reopen("cycles/y24"))
    me.ask(check_in("objectives/year/keyResults/sales", "10", on="2024-10-07"))
    assert scorecard(me, name="cycles/y24").score == "1"
    assert scorecard(me).seal == quarter


def test_a_carried_over_key_result_names_its_origin_and_is_named_by_it(over: Caller) -> None:
    over.ask(close())
    over.all_of(
        cycle("q4", first="2024-10-01", last="2024-12-31"),
        objective("next", cycle="cycles/q4", bare=True),
    )
    before = over.head()
    made = over.ask(carry_over(baseline="1100", target="1500"), ANNA).key_result

    name = "objectives/next/keyResults/followers"
    assert (made.name, made.continued_from) == (name, FOLLOWERS)
    assert (made.definition.baseline, made.definition.target) == ("1100", "1500")
    line = over.ask(scores.GetKeyResultRequest(name=name)).key_result
    assert line.key_result.continued_from == FOLLOWERS
    (shown,) = scorecard(over, name="cycles/q4").objectives
    assert shown.key_results[0].key_result.continued_from == FOLLOWERS
    again = over.ask(carry_over(baseline="1090", key_result_id="fans")).key_result
    origin = scores.GetKeyResultRequest(name=FOLLOWERS)
    assert list(over.ask(origin).key_result.key_result.continued_by) == [name, again.name]
    origin.as_of.position = before
    assert not over.ask(origin).key_result.key_result.continued_by
    (revision,) = over.ask(audit.ListKeyResultRevisionsRequest(parent=name)).revisions
    assert (revision.event_type, revision.actor) == ("okr.v1.KeyResultCarriedOver", "people/anna")
    assert revision.after == made.definition


def test_a_key_result_is_carried_over_by_an_adjustment_too(over: Caller) -> None:
    over.all_of(
        cycle("q4", first="2024-10-01", last="2024-12-31"),
        *(objective("next", cycle="cycles/q4", bare=True), commit("cycles/q4")),
    )
    more = carry_over(baseline="1100", target="1300")
    made = over.ask(adjust(more, cycle="cycles/q4", name="more")).adjustment
    (change,) = over.ask(audit.GetAdjustmentRequest(name=made.name)).adjustment.changes
    assert change.subject == "objectives/next/keyResults/followers"
    assert change.event_type == "okr.v1.KeyResultCarriedOver"
    assert change.key_result_after.baseline == "1100"


def test_reviews_say_who_saw_what_and_decided_what(over: Caller) -> None:
    over.ask(adjust(drop(TRAFFIC), name="week-6", on="2024-08-12"))
    saw = over.head()
    weekly = over.ask(review("w32", team=MARKETING, on="2024-08-12", seen_position=saw - 1))
    last = over.ask(
        review(
            "retro",
            ReviewKind.REVIEW_KIND_QUARTERLY,
            participants=["people/anna", "Béla"],
            notes="Jó negyedév volt",
            adjustments=["adjustments/week-6"],
            on="2024-10-09",
        ),
        BEA,
    ).review
    assert (last.name, last.cycle, last.seen_position) == ("reviews/retro", Q3, saw + 1)
    assert list(last.participants) == ["people/anna", "Béla"]
    assert (last.notes, list(last.adjustments)) == ("Jó negyedév volt", ["adjustments/week-6"])
    assert (last.effective_date, last.actor) == (day("2024-10-09"), "services/crm")

    listed = list(over.ask(scores.ListReviewsRequest(cycle=Q3)).reviews)
    assert listed == [weekly.review, last]
    assert over.ask(scores.GetReviewRequest(name=last.name)).review == last
    of_team = over.ask(scores.ListReviewsRequest(cycle=Q3, team=MARKETING)).reviews
    assert list(of_team) == [weekly.review]
    known = scores.ListReviewsRequest(cycle=Q3, as_of=AsOf(position=weekly.position))
    assert list(over.ask(known).reviews) == [weekly.review]
    held = scores.ListReviewsRequest(cycle=Q3, as_of=AsOf(effective_at=day("2024-09-30")))
    assert list(over.ask(held).reviews) == [weekly.review]


def test_lessons_are_kept_with_what_they_are_about(over: Caller) -> None:
    over.all_of(close(), review("retro"))
    first = over.ask(lesson(FOLLOWERS, "Korábban mérni", review="reviews/retro"), BEA).lesson
    second = over.ask(lesson(category=Category.CATEGORY_CAPACITY))
    assert (first.name, first.cycle, first.number) == (f"{Q3}/lessons/1", Q3, 1)
    assert (first.subject, first.lesson) == (FOLLOWERS, "Korábban mérni")
    assert (first.category, first.review) == (Category.CATEGORY_LEARNING, "reviews/retro")
    assert (first.actor, first.on_behalf_of) == ("services/crm", "people/bea")
    listed = list(over.ask(scores.ListLessonsRequest(cycle=Q3)).lessons)
    assert listed == [first, second.lesson]
    about = over.ask(scores.ListLessonsRequest(cycle=Q3, subject=FOLLOWERS)).lessons
    assert list(about) == [first]
    assert over.ask(scores.GetLessonRequest(name=first.name)).lesson == first
    known = scores.ListLessonsRequest(cycle=Q3, as_of=AsOf(position=second.position - 1))
    assert list(over.ask(known).lessons) == [first]
    # The cycle itself has not changed, and its state does not grow.
    etag = over.ask(scores.GetCycleRequest(name=Q3)).cycle.etag
    over.ask(lesson())
    assert over.ask(scores.GetCycleRequest(name=Q3)).cycle.etag == etag


def test_the_events_tell_the_end_as_it_was_recorded(over: Caller) -> None:
    over.all_of(close(), amend(), reopen())
    told = over.ask(audit.ListEventsRequest(stream=Q3)).events
    assert [event.header.event_type.removeprefix("okr.v1.") for event in told[-4:]] == [
        "CycleClosing",
        "CycleSealed",
        "AmendmentRecorded",
        "CycleReopened",
    ]
    closing, sealed = told[-4:-2]
    assert closing.metadata == sealed.metadata


def test_an_empty_cycle_can_be_closed(me: Caller) -> None:
    me.all_of(cycle(first="2024-07-01", last="2024-09-30"), commit())
    seal = me.ask(close()).seal
    assert (seal.score, list(seal.team_scores), list(seal.objective_scores)) == ("0", [], [])
    assert (seal.key_result_count, seal.key_result_digest) == (0, sha256().digest())
    assert me.refused(close()).code == StatusCode.FAILED_PRECONDITION


def test_the_page_tells_how_to_check_a_seal(loop: LoopThread, tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/okr.sock"
    _, _, rest = PAGE.read_text("utf-8").partition("```python\n")
    code = rest.partition("```")[0].replace("127.0.0.1:50051", address)
    with whole_service(loop, tmp_path, listen=address) as me:
        me.all_of(
            *(cycle("2026-q4", first="2024-07-01", last="2024-09-30"), team()),
            *(objective(cycle="cycles/2026-q4"), commit("cycles/2026-q4")),
            *(check_in(on="2024-07-08"), close("cycles/2026-q4")),
        )
        # Waits until reads know of it.
        me.ask(scores.GetSealRequest(name="cycles/2026-q4/seals/1"))
        told: dict[str, Any] = {}
        exec(code, told)
        assert len(told["lines"]) == 2
