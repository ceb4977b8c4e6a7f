"""Two plans side by side: what was added, dropped, changed, moved; worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode

from okr.v1 import audit_service_pb2 as audit
from okr.v1 import score_service_pb2 as scores
from okr.v1.plan_comparison_pb2 import (
    OriginalPlan,
    PlanChangeKind,
    PlanComparison,
    PlanInstant,
)
from okr.v1.values_pb2 import AsOf
from tests.api.case import INVALID, MISSING, REFUSED
from tests.api.story import NEWSLETTER, Told, at, told
from tests.support.ask import (
    AWARENESS,
    FOLLOWERS,
    Q3,
    SUPPORTS,
    TRAFFIC,
    WHY,
    abandon,
    add,
    align,
    commit,
    cycle,
    day,
    drop,
    new,
    objective,
    restore,
    revise,
    team,
    unalign,
    update_objective,
)
from tests.support.serving import LoopThread
from tests.support.whole import Caller, whole_service

ORIGINAL = PlanInstant(original=OriginalPlan())
DEALS, LEADS = "objectives/deals", "objectives/leads"
WON, CALLS = f"{DEALS}/keyResults/won", f"{LEADS}/keyResults/calls"
RANGE = StatusCode.OUT_OF_RANGE


def then(as_of: AsOf) -> PlanInstant:
    return PlanInstant(as_of=as_of)


def compared(
    me: Caller,
    before: PlanInstant | None = None,
    after: PlanInstant | None = None,
    of_team: str = "",
) -> PlanComparison:
    request = audit.ComparePlansRequest(cycle=Q3, team=of_team, before=before, after=after)
    answer = me.ask(request)
    comparison: PlanComparison = answer.comparison
    assert answer.position == max(comparison.before.position, comparison.after.position)
    return comparison


def kinds(comparison: PlanComparison) -> list[tuple[str, str]]:
    """Each change as (subject, kind), in order."""
    return [(change.subject, word(change.kind)) for change in comparison.changes]


def word(kind: PlanChangeKind.ValueType) -> str:
    return PlanChangeKind.Name(kind).removeprefix("PLAN_CHANGE_KIND_").lower()


def change(comparison: PlanComparison, subject: str, kind: str) -> Any:
    (found,) = [c for c in comparison.changes if (c.subject, word(c.kind)) == (subject, kind)]
    return found


@pytest.fixture(scope="module")
def story(loop: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    with whole_service(loop, tmp_path_factory.mktemp("story")) as me:
        yield told(me)


def test_the_original_plan_against_now(story: Told) -> None:
    comparison = compared(story.me)
    assert kinds(comparison) == [(FOLLOWERS, "retargeted"), (NEWSLETTER, "added")]
    moved = change(comparison, FOLLOWERS, "retargeted")
    assert list(moved.changed.paths) == ["target", "target_change_percent"]
    assert moved.key_result_before.target == "1200"
    assert moved.key_result_before.target_change_percent == "20"
    assert moved.key_result_after.target == "1150"
    assert not moved.key_result_after.HasField("target_change_percent")
    events = [e.header.event_type for e in _events(story.me, moved.event_positions)]
    assert events == ["okr.v1.KeyResultRevised"] * 2
    assert moved.event_positions[1] == story.revised
    added = change(comparison, NEWSLETTER, "added")
    assert (added.key_result_after.title, added.key_result_after.target) == ("newsletter", "100")
    assert not added.HasField("key_result_before")
    assert [(word(t.kind), t.objectives, t.key_results) for t in comparison.totals] == [
        ("added", 0, 1),
        ("retargeted", 0, 1),
    ]


def _events(me: Caller, positions: Any) -> list[Any]:
    return [me.ask(audit.GetEventRequest(name=f"events/{p}")).event for p in positions]


def test_both_sides_carry_their_figures(story: Told) -> None:
    comparison = compared(story.me)
    before, after = comparison.before, comparison.after
    assert (before.position, before.objective_count, before.key_result_count) == (
        story.planned,
        2,
        3,
    )
    assert (after.position, after.objective_count, after.key_result_count) == (
        story.me.head(),
        2,
        4,
    )
    assert (after.score, after.original_score, after.as_judged_score) == (
        "0.25",
        "0.29375",
        "0.325",
    )
    card = story.scorecard(story.planned)
    assert (before.score, before.effective_at) == (card.score, card.effective_at)


def test_any_two_instants_on_both_axes(story: Told) -> None:
    monday, sunday = then(at(0, "2024-08-05")), then(at(0, "2024-08-04"))
    assert kinds(compared(story.me, sunday, monday)) == [
        (FOLLOWERS, "retargeted"),
        (NEWSLETTER, "added"),
    ]
    assert kinds(compared(story.me, sunday, then(at(story.week_3, "2024-08-05")))) == []
    late = then(at(0, "2024-08-19"))
    (change_,) = compared(story.me, monday, late).changes
    assert (change_.key_result_before.target, change_.key_result_after.target) == ("1100", "1150")
    assert list(change_.event_positions) == [story.revised]


def test_backwards_what_was_added_is_dropped(story: Told) -> None:
    comparison = compared(story.me, then(AsOf()), ORIGINAL)
    assert kinds(comparison) == [(FOLLOWERS, "retargeted"), (NEWSLETTER, "dropped")]
    gone = change(comparison, NEWSLETTER, "dropped")
    assert gone.key_result_before.title == "newsletter"
    assert not gone.HasField("key_result_after")


def test_a_past_comparison_does_not_change(story: Told) -> None:
    old = compared(story.me, ORIGINAL, then(at(story.revised, "2024-09-30")))
    story.me.ask(team("later"))
    assert compared(story.me, ORIGINAL, then(at(story.revised, "2024-09-30"))) == old


@pytest.fixture(scope="module")
def adjusted(loop: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """A quarter whose plan met every kind of change."""
    with whole_service(loop, tmp_path_factory.mktemp("adjusted")) as me:
        me.all_of(
            *(cycle(first="2024-07-01", last="2024-09-30"), team("company")),
            *(team("marketing", "teams/company"), team("sales", "teams/company")),
            objective(),
            objective(
                "deals", new("won", target="10"), new("lost", target="4"), team="teams/sales"
            ),
            objective("leads", new("calls", target="50")),
            *(align(DEALS, AWARENESS, weight="2"), align(CALLS, DEALS, SUPPORTS), commit()),
        )
        why: dict[str, Any] = {"because": WHY, "on": "2024-08-01"}
        me.all_of(
            revise(target="1500", weight="3", owner={"plain": "people/bea"}, **why),
            drop(TRAFFIC, **why),
            *(drop(FOLLOWERS, **why), restore(FOLLOWERS, because=WHY, on="2024-08-02")),
            *(unalign(DEALS, AWARENESS, **why), align(DEALS, AWARENESS, weight="5", **why)),
            unalign(CALLS, DEALS, SUPPORTS, **why),
            update_objective(DEALS, team="teams/marketing", title="Üzletek", **why),
            add("lost-2", DEALS, target="1", **why),
            drop(f"{DEALS}/keyResults/lost", **why),
            drop(f"{DEALS}/keyResults/lost-2", because=WHY, on="2024-08-02"),
            abandon(LEADS, **why),
            objective("partners", new("found", target="3"), team="teams/sales", **why),
        )
        yield me


def test_every_kind_of_change_is_told_apart(adjusted: Caller) -> None:
    comparison = compared(adjusted)
    assert kinds(comparison) == [
        (FOLLOWERS, "retargeted"),
        (FOLLOWERS, "reweighted"),
        (FOLLOWERS, "reassigned"),
        (TRAFFIC, "dropped"),
        (DEALS, "realigned"),
        (DEALS, "moved"),
        (DEALS, "redefined"),
        (f"{DEALS}/keyResults/lost", "dropped"),
        (LEADS, "dropped"),
        (CALLS, "dropped"),
        ("objectives/partners", "added"),
        ("objectives/partners/keyResults/found", "added"),
    ]
    totals = {word(t.kind): (t.objectives, t.key_results) for t in comparison.totals}
    assert totals == {
        "added": (1, 1),
        "dropped": (1, 3),
        "retargeted": (0, 1),
        "reweighted": (0, 1),
        "realigned": (1, 0),
        "moved": (1, 0),
        "reassigned": (0, 1),
        "redefined": (1, 0),
    }
    moved = change(comparison, DEALS, "moved")
    assert moved.objective_before.team == "teams/sales"
    assert moved.objective_after.team == "teams/marketing"
    assert change(comparison, DEALS, "redefined").objective_after.title == "Üzletek"
    assert change(comparison, FOLLOWERS, "reassigned").key_result_after.owner.plain == "people/bea"
    gone = change(comparison, CALLS, "dropped")
    assert [edge.parent for edge in gone.alignments_before] == [DEALS]
    (event,) = _events(adjusted, gone.event_positions)
    assert event.header.event_type == "okr.v1.ObjectiveAbandoned"


def test_a_realignment_tells_what_is_no_longer_and_what_is_new(adjusted: Caller) -> None:
    realigned = change(compared(adjusted), DEALS, "realigned")
    assert [(e.parent, e.weight) for e in realigned.alignments_before] == [(AWARENESS, "2")]
    assert [(e.parent, e.weight) for e in realigned.alignments_after] == [(AWARENESS, "5")]
    types = [e.header.event_type for e in _events(adjusted, realigned.event_positions)]
    assert types == ["okr.v1.Unaligned", "okr.v1.Aligned"]


def test_restored_is_what_was_there_without_counting(adjusted: Caller) -> None:
    first, second = then(at(0, "2024-08-01")), then(at(0, "2024-08-02"))
    comparison = compared(adjusted, first, second)
    assert kinds(comparison) == [
        (FOLLOWERS, "restored"),
        (f"{DEALS}/keyResults/lost-2", "dropped"),
    ]
    assert change(comparison, FOLLOWERS, "restored").key_result_after.target == "1500"


def test_an_objective_that_changed_hands_is_told_to_both_teams(adjusted: Caller) -> None:
    sales = compared(adjusted, of_team="teams/sales")
    assert (DEALS, "moved") in kinds(sales)
    assert (FOLLOWERS, "retargeted") not in kinds(sales)
    assert (sales.before.objective_count, sales.after.objective_count) == (1, 1)
    marketing = compared(adjusted, of_team="teams/marketing")
    assert (DEALS, "moved") in kinds(marketing)
    assert (marketing.before.objective_count, marketing.after.objective_count) == (2, 2)
    whole = kinds(compared(adjusted))
    # Deals was made before leads, though it came to the team later.
    assert kinds(marketing) == [each for each in whole if "partners" not in each[0]]
    assert kinds(compared(adjusted, of_team="teams/company")) == whole


def test_a_teams_side_has_its_scorecards_scores(adjusted: Caller) -> None:
    after = compared(adjusted, of_team="teams/marketing").after
    request = scores.GetScorecardRequest(cycle=Q3, team="teams/marketing")
    card = adjusted.ask(request).scorecard
    assert (after.score, after.original_score, after.as_judged_score) == (
        card.score,
        card.original_score,
        card.as_judged_score,
    )


def test_what_cannot_be_compared_is_refused(furnished: Caller) -> None:
    far = AsOf(position=1 << 40)
    before = AsOf(time=Timestamp(seconds=1))
    outside = AsOf(effective_at=day(date(2024, 6, 30).isoformat()))
    for request, code, reason, fields in (
        (asked("cycles/draft"), REFUSED, "CYCLE_STATE", []),
        (asked("cycles/none"), MISSING, "RESOURCE_NOT_FOUND", []),
        (asked(Q3, team="teams/none"), MISSING, "RESOURCE_NOT_FOUND", []),
        (asked(Q3, after=then(far)), RANGE, "POSITION_AHEAD", []),
        (asked(Q3, before=then(before)), RANGE, "INSTANT_OUT_OF_RANGE", []),
        (
            asked(Q3, before=then(outside)),
            *(INVALID, "DAY_OUTSIDE_CYCLE", ["before.as_of.effective_at"]),
        ),
        (asked("q3"), INVALID, "FIELD_INVALID", ["cycle"]),
    ):
        error = furnished.refused(request)
        assert (error.code, error.reason, error.fields) == (code, reason, fields), request


def asked(cycle: str, **fields: Any) -> audit.ComparePlansRequest:
    return audit.ComparePlansRequest(cycle=cycle, **fields)


def test_a_draft_is_compared_at_two_instants(furnished: Caller) -> None:
    request = asked("cycles/draft", before=then(AsOf()), after=then(AsOf()))
    assert not furnished.ask(request).comparison.changes
