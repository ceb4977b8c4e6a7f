"""What moved a score between two instants: the figures are worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from io import StringIO
from itertools import combinations
from typing import Any

import pytest
from google.protobuf.message import Message
from google.type.date_pb2 import Date
from grpc import StatusCode
from rich.console import Console

from okr.cli.show.why import attribution as shown
from okr.v1 import audit_service_pb2 as audit
from okr.v1 import score_service_pb2 as scores
from okr.v1.resources_pb2 import ScoreAttribution, ScoreCause, ScoreMovement
from okr.v1.values_pb2 import AsOf, Direction, ScoringPolicy
from tests.api.case import INVALID, Case, invalid, missing
from tests.api.story import ANNA, CUSTOMERS, NEWSLETTER, REVENUE, Told, at, told
from tests.support.ask import (
    AWARENESS,
    FOLLOWERS,
    MARKETING,
    Q3,
    TRAFFIC,
    WHY,
    adjust,
    align,
    check_in,
    commit,
    correct,
    cycle,
    day,
    drop,
    grade,
    instant,
    new,
    objective,
    retract,
    revise,
    team,
    update_cycle,
    update_objective,
    update_team,
)
from tests.support.serving import LoopThread
from tests.support.whole import Caller, whole_service


@pytest.fixture(scope="module")
def story(loop: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    with whole_service(loop, tmp_path_factory.mktemp("story")) as me:
        yield told(me)


def attribution(me: Caller, subject: str, **fields: Any) -> ScoreAttribution:
    """What moved a score."""
    request = audit.AttributeScoreRequest(subject=subject, **fields)
    found: ScoreAttribution = me.ask(request).attribution
    assert sum(Decimal(part.difference) for part in found.parts) == Decimal(found.difference)
    moved = sum(Decimal(movement.difference) for movement in found.movements)
    assert moved == Decimal(found.difference)
    assert len(found.movements) == found.movement_count
    assert sum(part.movement_count for part in found.parts) == found.movement_count
    return found


def changes(me: Caller, subject: str, **fields: Any) -> list[ScoreMovement]:
    """Every movement of a score."""
    request = audit.ListScoreChangesRequest(subject=subject, **fields)
    return list(me.ask(request).changes)


def cause(number: ScoreCause.ValueType) -> str:
    return ScoreCause.Name(number).removeprefix("SCORE_CAUSE_")


def parts(found: ScoreAttribution) -> dict[str, str]:
    """The parts by cause."""
    return {cause(part.cause): part.difference for part in found.parts}


def told_of(movements: Any) -> list[tuple[str, int, str, str, str]]:
    """Cause, position, before, after and difference of each."""
    return [
        (cause(m.cause), m.position, m.score_before, m.score_after, m.difference) for m in movements
    ]


# The published case


def lowered_and_dropped(me: Caller) -> tuple[int, int]:
    """A target lowered and a key result dropped; the positions before and after.

    Five key results of one weight, with scores of 0.2, 0.2, 0.1, 0.1 and none: 0.6 ÷ 5 = 0.12.
    Leads then rise from 20 to 50 of 100: 0.9 ÷ 5 = 0.18. In one adjustment their target becomes
    50, 1.4 ÷ 5 = 0.28, and events, at 0.2, is dropped: 1.2 ÷ 4 = 0.3.
    """
    small = {"events": "2", "podcasts": "1", "articles": "1"}
    me.all_of(
        *(cycle(first="2024-07-01", last="2024-09-30"), team()),
        objective(
            "demand", new("leads", target="100"), *(new(name, target="10") for name in small),
            new("webinars", target="10"),
        ),
        *(commit(), check_in(f"{DEMAND}/keyResults/leads", "20", on="2024-07-08")),
        *(check_in(f"{DEMAND}/keyResults/{k}", v, on="2024-07-08") for k, v in small.items()),
    )  # fmt: skip
    before = me.head()
    me.ask(check_in(LEADS, "50", on="2024-07-22"))
    lower, fewer = revise(LEADS, target="50"), drop(f"{DEMAND}/keyResults/events")
    me.ask(adjust(lower, fewer, on="2024-08-05"), ANNA)
    return before, me.head()


DEMAND = "objectives/demand"
LEADS = f"{DEMAND}/keyResults/leads"


@pytest.mark.parametrize("subject", [DEMAND, MARKETING, Q3])
def test_18_points_are_6_progress_10_target_lowered_2_scope_dropped(
    me: Caller, subject: str
) -> None:
    before, after = lowered_and_dropped(me)
    of = {"cycle": Q3} if subject == MARKETING else {}

    found = attribution(me, subject, since=at(before), **of)
    assert (found.score_before, found.score_after, found.difference) == ("0.12", "0.3", "0.18")
    assert parts(found) == {"PROGRESS": "0.06", "TARGET": "0.1", "SCOPE": "0.02"}
    assert told_of(found.movements) == [
        ("PROGRESS", before + 1, "0.12", "0.18", "0.06"),
        ("TARGET", before + 3, "0.18", "0.28", "0.1"),
        ("SCOPE", after, "0.28", "0.3", "0.02"),
    ]
    progress, target, scope = found.movements
    assert (progress.about, progress.measurement.value) == (f"{LEADS}/checkIns/2", "50")
    assert (target.about, target.actor, target.reason) == (LEADS, "people/anna", WHY)
    assert (target.change.key_result_before.target, target.change.key_result_after.target) == (
        "100",
        "50",
    )
    assert {target.adjustment, scope.adjustment} == {"adjustments/week-6"}
    assert scope.event_type == "okr.v1.KeyResultDropped"
    assert scope.effective_date == day("2024-08-05")

    by_days = attribution(me, subject, since=at(on="2024-07-10"), **of)
    assert parts(by_days) == parts(found)
    assert [each.effective_at for each in by_days.movements] == [
        *(day("2024-07-22"), day("2024-08-05"), day("2024-08-05")),
    ]


def test_a_dropped_key_result_has_no_score_left_itself(me: Caller) -> None:
    before, after = lowered_and_dropped(me)
    found = attribution(me, f"{DEMAND}/keyResults/events", since=at(before))
    assert not found.HasField("score_after")
    assert told_of(found.movements) == [("SCOPE", after, "0.2", "", "-0.2")]


def test_the_command_line_says_so_in_one_sentence(me: Caller) -> None:
    before, _ = lowered_and_dropped(me)
    written = StringIO()
    Console(file=written, width=100).print(
        shown(attribution(me, DEMAND, since=at(before)), limit=0)
    )
    assert "  +18: 6 progress, 10 target, 2 scope\n" in written.getvalue()


# Every cause


def begun(me: Caller) -> int:
    """Awareness at 0.65: followers half way of 1000 → 1200, traffic 8 of 10. Deals at 0.2."""
    me.all_of(
        *(cycle(first="2024-07-01", last="2024-09-30"), team(), team("sales")),
        *(objective(), objective("deals", new("won", target="20"), team="teams/sales")),
        *(
            commit(),
            check_in(value="1100", on="2024-07-08"),
            check_in(TRAFFIC, "8", on="2024-07-08"),
        ),
        check_in("objectives/deals/keyResults/won", "4", on="2024-07-08"),
    )
    return me.head()


LATER: dict[str, Any] = {"on": "2024-08-05", "because": WHY}


@pytest.mark.parametrize(
    ("subject", "request_", "event", "expected"),
    [
        (AWARENESS, check_in(value="1150", on="2024-07-22"), "CheckInRecorded", "PROGRESS 0.125"),
        (AWARENESS, correct(1, "1050"), "CheckInCorrected", "CORRECTION -0.125"),
        (AWARENESS, retract(1), "CheckInRetracted", "CORRECTION -0.25"),
        (
            AWARENESS,  # (8 − 3) ÷ (10 − 3) is 0.714285714286, half of it 0.357142857143
            revise(TRAFFIC, baseline="3", **LATER),
            "KeyResultRevised",
            "BASELINE -0.042857142857",
        ),
        (AWARENESS, revise(TRAFFIC, target="16", **LATER), "KeyResultRevised", "TARGET -0.15"),
        (AWARENESS, revise(TRAFFIC, weight="3", **LATER), "KeyResultRevised", "WEIGHT 0.075"),
        (AWARENESS, drop(**LATER), "KeyResultDropped", "SCOPE 0.15"),
        (Q3, update_objective("objectives/deals", team=MARKETING, **LATER), "", ""),
        (
            MARKETING,  # deals come to the team: (0.65 + 0.2) ÷ 2
            update_objective("objectives/deals", team=MARKETING, **LATER),
            "ObjectiveRevised",
            "SCOPE -0.225",
        ),
        (
            MARKETING,  # and so they do with their team
            update_team("teams/sales", parent=MARKETING, **LATER),
            "TeamRevised",
            "SCOPE -0.225",
        ),
        (AWARENESS, align("objectives/deals", AWARENESS, **LATER), "Aligned", "ALIGNMENT -0.15"),
        (
            AWARENESS,  # (0.5 · 1200 + 0.8 · 10) ÷ 1210
            update_cycle(policy=ScoringPolicy(name="weights-by-target"), **LATER),
            "CycleRevised",
            "POLICY -0.147520661157",
        ),
        (AWARENESS, grade(override_score="0.9", **LATER), "ObjectiveGraded", "OVERRIDE 0.25"),
        (Q3, grade(override_score="0.9", **LATER), "ObjectiveGraded", "OVERRIDE 0.125"),
    ],
)
def test_each_cause_is_told_with_its_event(
    me: Caller, subject: str, request_: Message, event: str, expected: str
) -> None:
    before = begun(me)
    me.ask(request_)
    of = {"cycle": Q3} if subject == MARKETING else {}
    for since in (at(before), at(before, "2024-07-08")):
        found = attribution(me, subject, since=since, **of)
        movements = [f"{cause(m.cause)} {m.difference}" for m in found.movements]
        assert movements == ([expected] if expected else [])
        assert [m.event_type for m in found.movements] == ([f"okr.v1.{event}"] if event else [])
        assert [m.position for m in found.movements] == ([me.head()] if event else [])


def test_time_moves_a_score_of_periods_without_an_event(me: Caller) -> None:
    keep = new("load", direction=Direction.DIRECTION_MAINTAIN_AT_MOST, upper_bound="5")
    me.all_of(
        cycle(first="2024-07-01", last="2024-09-30", policy=ScoringPolicy(name="servicenow")),
        *(team(), objective("steady", keep), commit()),
        check_in("objectives/steady/keyResults/load", "3", on="2024-07-01"),
    )
    found = attribution(
        me, "objectives/steady", since=at(on="2024-07-01"), as_of=at(on="2024-07-31")
    )
    assert parts(found) == {"TIME": "-0.75"}
    assert told_of(found.movements) == [
        ("TIME", 0, "1", "0.5", "-0.5"),
        ("TIME", 0, "0.5", "0.333333333333", "-0.166666666667"),
        ("TIME", 0, "0.333333333333", "0.25", "-0.083333333333"),
    ]
    weeks = [day("2024-07-15"), day("2024-07-22"), day("2024-07-29")]
    assert [each.effective_at for each in found.movements] == weeks


def test_several_causes_of_one_event_are_told_in_their_order(me: Caller) -> None:
    before = begun(me)
    # The relative target follows the baseline: 500 → 600, of which 1100 is more than all.
    me.ask(revise(baseline="500", weight="3", mask=("baseline", "weight"), **LATER))
    found = attribution(me, AWARENESS, since=at(before))
    # (1100 − 500) ÷ (1200 − 500) is 0.857142857143; then 1; then (3 · 1 + 0.8) ÷ 4.
    assert told_of(found.movements) == [
        ("BASELINE", before + 1, "0.65", "0.828571428572", "0.178571428572"),
        ("TARGET", before + 1, "0.828571428572", "0.9", "0.071428571428"),
        ("WEIGHT", before + 1, "0.9", "0.95", "0.05"),
    ]


# The story of a quarter


def test_from_the_plan_to_now_by_default(story: Told) -> None:
    found = attribution(story.me, REVENUE)
    assert (found.since_position, found.since_effective_at) == (story.planned, day("2024-07-01"))
    assert (found.known_position, found.effective_at) == (story.revised, day("2024-09-30"))
    # Awareness counts half; what moves it moves revenue by half, rounded to the even.
    assert told_of(found.movements) == [
        ("PROGRESS", story.planned + 1, "0", "0.0625", "0.0625"),  # 0.25 ÷ 2 ÷ 2
        ("PROGRESS", story.planned + 2, "0.0625", "0.1125", "0.05"),
        ("PROGRESS", story.planned + 3, "0.1125", "0.2125", "0.1"),
        ("PROGRESS", story.week_3, "0.2125", "0.275", "0.0625"),
        ("TARGET", story.week_3 + 2, "0.275", "0.4", "0.125"),
        ("SCOPE", story.adjusted, "0.4", "0.3", "-0.1"),
        ("PROGRESS", story.revised - 1, "0.3", "0.283333333334", "-0.016666666666"),
        ("TARGET", story.revised, "0.283333333334", "0.233333333334", "-0.05"),
    ]
    assert parts(found) == {
        "PROGRESS": "0.258333333334",
        "TARGET": "0.075",
        "SCOPE": "-0.1",
    }
    by_bea = found.movements[-1]
    assert (by_bea.actor, by_bea.on_behalf_of) == ("services/crm", "people/bea")


def test_by_days_a_late_check_in_moves_the_score_on_its_own_day(story: Told) -> None:
    found = attribution(story.me, FOLLOWERS, since=at(on="2024-07-01"))
    assert found.since_position == story.revised
    assert told_of(found.movements) == [
        ("PROGRESS", story.planned + 1, "", "0.25", "0.25"),
        ("PROGRESS", story.late, "0.25", "0.4", "0.15"),
        ("PROGRESS", story.corrected, "0.4", "0.55", "0.15"),
        ("TARGET", story.week_3 + 2, "0.55", "1", "0.45"),
        ("PROGRESS", story.revised - 1, "1", "0.9", "-0.1"),
        ("TARGET", story.revised, "0.9", "0.6", "-0.3"),
    ]
    days = ["2024-07-08", "2024-07-15", "2024-07-22", "2024-08-05", "2024-08-12", "2024-08-19"]
    assert [each.effective_at for each in found.movements] == [day(each) for each in days]
    corrected = found.movements[2]
    assert corrected.event_type == "okr.v1.CheckInCorrected"
    assert (corrected.measurement.value, corrected.measurement_before.value) == ("1110", "1100")


def test_by_positions_a_late_check_in_may_move_nothing_and_a_correction_is_one(
    story: Told,
) -> None:
    found = attribution(
        story.me, FOLLOWERS, since=at(story.week_3, "2024-07-30"), as_of=at(0, "2024-07-30")
    )
    assert told_of(found.movements) == [
        ("CORRECTION", story.corrected, "0.5", "0.55", "0.05"),
    ]


def test_the_days_come_first_and_then_the_positions(story: Told) -> None:
    since, until = at(story.week_3, "2024-07-10"), at(story.revised, "2024-08-13")
    found = attribution(story.me, FOLLOWERS, since=since, as_of=until)
    assert told_of(found.movements) == [
        ("PROGRESS", story.week_3, "0.25", "0.5", "0.25"),
        ("TARGET", story.week_3 + 2, "0.5", "1", "0.5"),
        ("PROGRESS", story.revised - 1, "1", "0.9", "-0.1"),
    ]


def test_between_any_instants_it_leads_from_score_to_score(story: Told) -> None:
    subjects = [AWARENESS, REVENUE, FOLLOWERS, CUSTOMERS, MARKETING, "teams/sales", Q3]
    days = ("2024-07-01", "2024-07-20", "2024-08-12")
    known = (story.planned, story.week_3, story.corrected, story.revised)
    instants = [(position, on) for position in known for on in days]
    ordered = [(a, b) for a, b in combinations(instants, 2) if a[1] <= b[1]]
    for first, last in ordered:
        before, after = (all_scores(story, *each) for each in (first, last))
        for subject in [*subjects, *([NEWSLETTER] if last[0] > story.week_3 else [])]:
            of = {"cycle": Q3} if subject.startswith("teams/") else {}
            found = attribution(story.me, subject, since=at(*first), as_of=at(*last), **of)
            assert found.score_before == before.get(subject, "")
            assert found.score_after == after.get(subject, "")


def all_scores(story: Told, known: int, on: str) -> dict[str, str]:
    card = story.scorecard(known, on)
    found = {Q3: card.score}
    found |= {line.team.name: line.score for line in card.teams}
    for block in card.objectives:
        found[block.objective.name] = block.score
        found |= {line.key_result.name: line.score for line in block.key_results}
    return found


def test_an_adjustments_effects_are_the_movements_of_its_events(story: Told) -> None:
    request = audit.GetAdjustmentRequest(name="adjustments/week-6")
    made = story.me.ask(request).adjustment
    assert len(made.effects) == 6
    for effect in made.effects:
        of = {"cycle": Q3} if effect.name.startswith("teams/") else {}
        found = attribution(
            story.me,
            effect.name,
            since=at(made.first_position - 1),
            as_of=at(made.last_position),
            **of,
        )
        assert found.difference == effect.difference
        assert {each.adjustment for each in found.movements} == {"adjustments/week-6"}


def test_the_list_has_every_movement_page_by_page(story: Told) -> None:
    spans: list[tuple[str, dict[str, Any]]] = [
        (Q3, {}),
        (FOLLOWERS, {"since": at(on="2024-07-01")}),
        (REVENUE, {"since": at(story.week_3, "2024-07-01"), "as_of": at(0, "2024-08-15")}),
    ]
    for subject, fields in spans:
        whole = list(attribution(story.me, subject, **fields).movements)
        assert changes(story.me, subject, **fields) == whole
        for size in (1, 2, 3):
            request = audit.ListScoreChangesRequest(subject=subject, page_size=size, **fields)
            seen = []
            while True:
                answer = story.me.ask(request)
                assert len(answer.changes) <= size
                seen += answer.changes
                if not answer.next_page_token:
                    break
                request.page_token = answer.next_page_token
            assert seen == whole


def test_a_page_goes_on_in_the_middle_of_an_event(me: Caller) -> None:
    before = begun(me)
    me.ask(revise(baseline="500", weight="3", mask=("baseline", "weight"), **LATER))
    for check_in_number, since in enumerate((at(before), at(on="2024-07-10")), 2):
        request = audit.ListScoreChangesRequest(subject=AWARENESS, since=since, page_size=2)
        first = me.ask(request)
        request.page_token = first.next_page_token
        me.ask(check_in(value="1000", on="2024-09-01"))
        second = me.ask(request)
        assert [cause(m.cause) for m in [*first.changes, *second.changes]] == [
            *("BASELINE", "TARGET", "WEIGHT"),
        ]
        me.ask(retract(check_in_number))


# Bad input


def asked(subject: str, of: str = "", **fields: Any) -> audit.AttributeScoreRequest:
    return audit.AttributeScoreRequest(subject=subject, cycle=of, **fields)


def reversed_(axis: str, since: AsOf, as_of: AsOf, *said: str) -> Case:
    request = asked(AWARENESS, since=since, as_of=as_of)
    facts = dict(zip(("axis", "since", "asOf"), (axis, *said), strict=True))
    return Case(f"reversed {axis}", request, INVALID, "INSTANTS_REVERSED", ("since",), facts)


def outside_cycle(field: str, on: str) -> Case:
    instants: dict[str, Any] = {field: at(0, on)}
    request = asked(AWARENESS, **instants)
    fields = (f"{field}.effective_at",)
    facts = {"firstDay": "2024-07-01", "lastDay": "2024-09-30"}
    return Case(f"{field} outside", request, INVALID, "DAY_OUTSIDE_CYCLE", fields, facts)


def out_of_range(name: str, reason: str, **fields: Any) -> Case:
    return Case(name, asked(AWARENESS, **fields), StatusCode.OUT_OF_RANGE, reason)


BAD_INPUT = [
    missing("objective", asked("objectives/nothing"), "objectives/nothing"),
    missing("key result", asked(f"{AWARENESS}/keyResults/x"), f"{AWARENESS}/keyResults/x"),
    missing("cycle", asked("cycles/nothing"), "cycles/nothing"),
    missing("team", asked("teams/nobody", Q3), "teams/nobody"),
    missing("cycle of a team", asked(MARKETING, "cycles/x"), "cycles/x"),
    missing("not known yet", asked(NEWSLETTER, as_of=at(10)), NEWSLETTER),
    invalid("team without a cycle", asked(MARKETING), "cycle"),
    invalid("another cycle", asked(AWARENESS, "cycles/x"), "cycle"),
    invalid("a person", asked("people/anna"), "subject"),
    invalid("nothing", asked(""), "subject"),
    invalid(
        "no such day",
        asked(AWARENESS, since=AsOf(effective_at=Date(year=2024, month=2, day=30))),
        "since.effective_at",
    ),
    outside_cycle("since", "2024-06-30"),
    outside_cycle("as_of", "2024-10-01"),
    out_of_range("before", "INSTANT_OUT_OF_RANGE", since=AsOf(time=instant(1))),
    out_of_range("in the future", "INSTANT_OUT_OF_RANGE", since=AsOf(time=instant(4_000_000_000))),
    out_of_range("since ahead", "POSITION_AHEAD", since=at(1_000_000)),
    out_of_range("as_of ahead", "POSITION_AHEAD", as_of=at(1_000_000)),
    reversed_("known_at", at(14), at(13), "14", "13"),
    reversed_(
        *("effective_at", at(0, "2024-08-02"), at(0, "2024-08-01"), "2024-08-02", "2024-08-01")
    ),
]


@pytest.mark.parametrize("case", BAD_INPUT, ids=lambda case: case.name)
def test_what_cannot_be_answered_is_refused(story: Told, case: Case) -> None:
    listed = audit.ListScoreChangesRequest.FromString(case.request.SerializeToString())
    for request in (case.request, listed):
        error = story.me.refused(request)
        assert (error.code, error.reason) == (case.code, case.reason)
        assert tuple(error.fields) == case.fields
        assert dict(error.info.metadata).items() >= case.facts.items()


def test_before_the_plan_is_committed_the_way_begins_with_the_draft(me: Caller) -> None:
    me.all_of(cycle(first="2024-07-01", last="2024-09-30"), team(), objective())
    found = attribution(me, Q3)
    assert (found.since_position, found.since_effective_at) == (1, day("2024-07-01"))
    assert (found.difference, found.score_after) == ("0", "0")
    scorecard = me.ask(scores.GetScorecardRequest(cycle=Q3)).scorecard
    assert scorecard.score == "0"
