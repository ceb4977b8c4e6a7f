import pytest
from google.protobuf.message import Message

from ledger.refusals import (
    CycleState,
    DayInFuture,
    EtagMismatch,
    Exists,
    KeyResultState,
    NotFound,
    ReasonRequired,
)
from okr.v1 import events_pb2 as facts
from okr.v1.values_pb2 import Category, KeyResultDefinition
from tests.support import ask

MORE = f"{ask.AWARENESS}/keyResults/more"


def test_one_decision_changes_several_things_of_several_teams() -> None:
    scenario = ask.committed().given(ask.team("sales"))

    scenario.when(
        ask.adjust(
            ask.revise(target="1150"),
            ask.drop(ask.TRAFFIC),
            ask.objective("deals", ask.new("won", target="5"), team="teams/sales"),
            ask.align(ask.FOLLOWERS, "objectives/deals", ask.SUPPORTS),
            on="2026-08-10",
        )
    )

    made = scenario.events[0]
    assert made == facts.StrategyAdjusted(
        adjustment="adjustments/week-6",
        cycle=ask.Q3,
        title="Week 6",
        subjects=[
            ask.FOLLOWERS,
            ask.TRAFFIC,
            "objectives/deals",
            "objectives/deals/keyResults/won",
        ],
    )
    assert [type(event) for event in scenario.events[1:]] == [
        facts.KeyResultRevised,
        facts.KeyResultDropped,
        facts.ObjectiveCreated,
        facts.KeyResultAdded,
        facts.Aligned,
    ]
    assert scenario.effective == "2026-08-10"
    assert scenario.metadata.adjustment == "adjustments/week-6"
    assert scenario.metadata.reason.plain == ask.WHY
    assert scenario.metadata.category == Category.CATEGORY_MARKET_CHANGE


def test_a_change_outside_an_adjustment_names_none() -> None:
    changed = ask.committed().when(ask.drop(because=ask.WHY))

    assert changed.metadata.adjustment == ""


def test_every_kind_of_change_may_be_part_of_it() -> None:
    scenario = ask.committed().given(ask.drop(ask.TRAFFIC, because=ask.WHY))
    scenario.given(ask.objective("other", because=ask.WHY))

    scenario.given(
        ask.adjust(
            ask.restore(ask.TRAFFIC),
            ask.add("more", target="5"),
            ask.update_objective(title="Brand"),
            ask.align(ask.AWARENESS, "objectives/other"),
            ask.unalign(ask.AWARENESS, "objectives/other"),
            ask.abandon("objectives/other"),
        )
    )

    assert set(scenario.objective(ask.AWARENESS).key_results) == {ask.FOLLOWERS, ask.TRAFFIC, MORE}


def test_a_later_change_sees_the_earlier_ones() -> None:
    scenario = ask.committed().when(
        ask.adjust(ask.add("more", target="5"), ask.revise(MORE, target="6"), ask.drop(MORE))
    )

    revised = scenario.events[2]
    assert isinstance(revised, facts.KeyResultRevised)
    assert (revised.before, revised.after) == (
        KeyResultDefinition(target="5"),
        KeyResultDefinition(target="6"),
    )
    assert scenario.key_result(MORE).dropped
    ask.committed().when(ask.adjust(ask.drop(), ask.drop())).then_refused(
        KeyResultState, resource=ask.FOLLOWERS
    )
    ask.committed().when(
        ask.adjust(ask.revise(target="1150"), ask.revise(target="1160", etag='"1"'))
    ).then_refused(EtagMismatch, etag='"2"')


def test_it_happens_as_a_whole_or_not_at_all() -> None:
    scenario = ask.committed()
    before = scenario.key_result(ask.FOLLOWERS)

    scenario.when(ask.adjust(ask.revise(target="1150"), ask.revise(MORE, target="1")))

    scenario.then_refused(NotFound, resource=MORE)
    assert scenario.key_result(ask.FOLLOWERS) == before


def test_a_wrong_field_is_named_by_its_place() -> None:
    wrong = ask.adjust(ask.drop(ask.TRAFFIC), ask.revise(target="1000"))
    ask.committed().when(wrong).then_invalid("changes[1].revise_key_result.definition.target")
    nested = ask.adjust(ask.objective("o", ask.new("k", target="0")))
    ask.committed().when(nested).then_invalid(
        "changes[0].create_objective.key_results[0].definition.target"
    )
    scenario = ask.committed().given(ask.add("more", target="1", because=ask.WHY, on="2026-08-10"))
    scenario.when(ask.adjust(ask.drop(MORE), on="2026-08-09")).then_invalid("effective_date")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (ask.drop(because="another"), "drop_key_result.reason"),
        (ask.drop(category=Category.CATEGORY_OTHER), "drop_key_result.category"),
        (ask.revise(target="1150", on="2026-08-01"), "revise_key_result.effective_date"),
        (ask.align(ask.FOLLOWERS, ask.TRAFFIC, validate_only=True), "align.validate_only"),
        (
            ask.objective("o", request_id="7b0f2f5e-5a0c-4a53-9d53-2c1f8c1f0a12"),
            "create_objective.request_id",
        ),
        (ask.abandon(source_time=ask.instant(1)), "abandon_objective.source_time"),
    ],
)
def test_what_the_adjustment_carries_stays_empty_in_its_changes(
    change: Message, field: str
) -> None:
    ask.committed().when(ask.adjust(change)).then_invalid(f"changes[0].{field}")


def test_it_changes_the_plan_of_its_own_cycle() -> None:
    scenario = ask.committed().given(ask.cycle("q4", "2026-10-01", "2026-12-31"))
    scenario.given(ask.objective("next", cycle="cycles/q4"))

    for change in (
        ask.update_objective("objectives/next", title="x"),
        ask.objective("more", cycle="cycles/q4"),
    ):
        scenario.when(ask.adjust(ask.drop(), change)).then_invalid("changes[1]")


def test_a_draft_is_not_adjusted() -> None:
    ask.drafted().when(ask.adjust(ask.drop())).then_refused(
        CycleState, resource=ask.Q3, state="DRAFT", wanted="ACTIVE"
    )


def test_it_needs_a_reason_a_category_and_a_title() -> None:
    scenario = ask.committed()

    scenario.when(ask.adjust(ask.drop(), because="")).then_refused(
        ReasonRequired, missing=("reason",)
    )
    scenario.when(ask.adjust(ask.drop(), because=" ")).then_refused(ReasonRequired)
    scenario.when(ask.adjust(ask.drop(), category=0)).then_refused(
        ReasonRequired, missing=("category",)
    )
    scenario.when(ask.adjust(ask.drop(), title=" ")).then_invalid("title")


def test_it_is_not_made_twice_nor_for_the_future() -> None:
    scenario = ask.committed().given(ask.adjust(ask.drop()))

    scenario.when(ask.adjust(ask.restore())).then_refused(Exists, resource="adjustments/week-6")
    scenario.when(ask.adjust(ask.restore(), name="x", on="2026-08-13")).then_refused(DayInFuture)


def test_ids_made_in_it_are_apart() -> None:
    scenario = ask.committed().when(
        ask.adjust(ask.add("", title="a", target="1"), ask.add("", title="b", target="1"), name="")
    )

    made = scenario.events[0]
    assert isinstance(made, facts.StrategyAdjusted)
    assert len(set(made.subjects)) == 2
    assert made.adjustment.startswith("adjustments/made-")
