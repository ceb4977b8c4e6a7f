"""Key results that go on in a later cycle."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.refusals import (
    ApprovalRequired,
    CarryOverNotLater,
    Exists,
    NotFound,
    ObjectiveState,
    ReasonRequired,
)
from okr.v1 import events_pb2 as facts
from okr.v1.values_pb2 import Direction, KeyResultDefinition, Metric, PersonalText
from tests.support import ask
from tests.support.scenario import Scenario

NEXT = "objectives/next"


def ended(*more: Any) -> Scenario:
    """The third quarter, sealed, and the fourth in draft with an objective."""
    return (
        ask.drafted()
        .given(*more, ask.commit())
        .on("2026-10-02")
        .given(ask.close())
        .given_seal()
        .given(ask.cycle("q4", "2026-10-01", "2026-12-31"))
        .given(ask.objective("next", cycle="cycles/q4", bare=True))
    )


def carried(scenario: Scenario, request: Any) -> KeyResultDefinition:
    fact = scenario.when(request).then_it_is(facts.KeyResultCarriedOver)
    assert fact.continued_from == request.continued_from
    return fact.definition


def test_a_key_result_goes_on_with_the_chosen_baseline() -> None:
    scenario = ended(ask.revise(owner=PersonalText(plain="people/anna"), weight="2"))

    made = carried(scenario, ask.carry_over(baseline="1100"))

    before = scenario.key_result(ask.FOLLOWERS).definition
    assert (made.baseline, made.target, made.target_change_percent) == ("1100", "1320", "20")
    for field in ("title", "unit", "metric", "aggregation", "direction", "weight", "owner"):
        assert getattr(made, field) == getattr(before, field)
    key_result = scenario.key_result(f"{NEXT}/keyResults/followers")
    assert (key_result.continued_from, key_result.check_in_count) == (ask.FOLLOWERS, 0)
    assert scenario.effective == ""


def test_an_absolute_target_stays_unless_another_is_given() -> None:
    assert carried(ended(), ask.carry_over(ask.TRAFFIC, baseline="4")).target == "10"
    changed = carried(ended(), ask.carry_over(ask.TRAFFIC, baseline="4", target="30"))
    assert (changed.baseline, changed.target) == ("4", "30")
    instead = carried(ended(), ask.carry_over(baseline="1100", target="1500"))
    assert (instead.target, instead.HasField("target_change_percent")) == ("1500", False)
    relative = carried(
        ended(), ask.carry_over(ask.TRAFFIC, baseline="4", target_change_percent="50")
    )
    assert relative.target == "6"


def test_the_mask_clears_what_it_names_and_leaves_empty() -> None:
    mask = ("baseline", "unit")
    made = carried(ended(), ask.carry_over(baseline="1100", mask=mask))
    assert (made.baseline, made.unit) == ("1100", "")


@pytest.mark.parametrize(
    "trajectory",
    [
        ask.phased(("2026-08-01", "5"), ("2026-09-30", "10")),
        ask.checkpointed(("5", "0.2"), ("10", "1")),
    ],
)
def test_the_trajectory_stays_behind(trajectory: Any) -> None:
    scenario = ended(ask.revise(ask.TRAFFIC, trajectory=trajectory))
    made = carried(scenario, ask.carry_over(ask.TRAFFIC, baseline="1"))
    assert made.trajectory.WhichOneof("shape") == "linear"

    again = ask.phased(("2026-11-01", "5"), ("2026-12-31", "10"))
    other = ask.carry_over(ask.TRAFFIC, baseline="1", trajectory=again, key_result_id="other")
    assert carried(scenario, other).trajectory == again
    misfit = ask.carry_over(ask.TRAFFIC, baseline="1", trajectory=trajectory, key_result_id="x")
    if trajectory.HasField("phased"):
        scenario.when(misfit).then_invalid("definition.trajectory")


def test_a_baseline_has_to_be_chosen_where_there_is_one() -> None:
    ended().when(ask.carry_over()).then_invalid("definition.baseline")
    cleared = ask.carry_over(target="5", mask=("target",))
    ended().when(cleared).then_invalid("definition.baseline")
    for request in (
        ask.add("done", metric=Metric.METRIC_BINARY),
        ask.add("steps", metric=Metric.METRIC_MILESTONES, milestones=[{"id": "a", "title": "A"}]),
        ask.add("kept", direction=Direction.DIRECTION_MAINTAIN_AT_MOST, upper_bound="5"),
    ):
        source = f"{ask.AWARENESS}/keyResults/{request.key_result_id}"
        assert ended(request).when(ask.carry_over(source)).refusal is None


def test_the_new_one_has_an_id_of_its_own_choice() -> None:
    scenario = ended().given(ask.carry_over(baseline="1"))
    scenario.when(ask.carry_over(baseline="1")).then_refused(
        Exists, resource=f"{NEXT}/keyResults/followers"
    )
    fact = scenario.when(ask.carry_over(baseline="1", key_result_id="fans"))
    assert fact.then_it_is(facts.KeyResultCarriedOver).key_result == f"{NEXT}/keyResults/fans"


def test_it_goes_on_in_a_later_cycle_only() -> None:
    scenario = ended().given(
        ask.objective("earlier", cycle="cycles/q4", bare=True),
        ask.carry_over(baseline="1100"),
        ask.cycle("also-q4", "2026-10-01", "2026-11-30"),
        ask.objective("beside", cycle="cycles/also-q4", bare=True),
    )
    made = f"{NEXT}/keyResults/followers"
    for parent in ("objectives/earlier", "objectives/beside"):
        scenario.when(ask.carry_over(made, parent, baseline="1")).then_refused(
            CarryOverNotLater, resource=made, parent=parent
        )


def test_it_changes_the_later_plan_by_that_plans_rules() -> None:
    scenario = ended().given(ask.commit("cycles/q4"))
    scenario.when(ask.carry_over(baseline="1100")).then_refused(
        ReasonRequired, resource="cycles/q4"
    )
    scenario.when(ask.carry_over(baseline="1100", because=ask.WHY))
    assert scenario.effective == "2026-10-02"
    abandoned = ended().given(ask.abandon(NEXT, because=ask.WHY))
    abandoned.when(ask.carry_over(baseline="1")).then_refused(ObjectiveState, state="ABANDONED")
    careful = ended().given(
        ask.update_cycle("cycles/q4", adjustments_need_approval=True), ask.commit("cycles/q4")
    )
    careful.when(ask.carry_over(baseline="1", because=ask.WHY)).then_refused(ApprovalRequired)


def test_it_can_be_part_of_an_adjustment() -> None:
    scenario = ended().given(ask.commit("cycles/q4"))
    part = ask.carry_over(baseline="1100")

    scenario.when(ask.adjust(part, ask.add("x", NEXT, target="1"), cycle="cycles/q4"))

    made, carried_over, _ = scenario.events
    assert isinstance(made, facts.StrategyAdjusted)
    assert made.subjects == [f"{NEXT}/keyResults/followers", f"{NEXT}/keyResults/x"]
    assert isinstance(carried_over, facts.KeyResultCarriedOver)


def test_there_is_something_to_go_on_with() -> None:
    missing = f"{ask.AWARENESS}/keyResults/none"
    ended().when(ask.carry_over(missing, baseline="1")).then_refused(NotFound, resource=missing)
    ended().when(ask.carry_over(parent="objectives/none", baseline="1")).then_refused(
        NotFound, resource="objectives/none"
    )
    # What was dropped or given up may be taken up again.
    dropped = ask.drafted().given(ask.commit(), ask.drop(because=ask.WHY)).on("2026-10-02")
    dropped.given(ask.cycle("q4", "2026-10-01", "2026-12-31"))
    dropped.given(ask.objective("next", cycle="cycles/q4", bare=True))
    assert dropped.when(ask.carry_over(baseline="1")).refusal is None
