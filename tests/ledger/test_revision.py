"""A backdated revision slips in below later ones and changes only the fields that it names."""

from typing import Any

import pytest

from okr.v1 import events_pb2 as facts
from okr.v1.values_pb2 import KeyResultDefinition, Metric
from tests.support import ask
from tests.support.scenario import Scenario, definition_on


def lowered(**changed: Any) -> Scenario:
    """Followers revised on 10 August, by default to a target of 1150; today is the 25th."""
    scenario = ask.committed("2026-08-10").given(
        ask.revise(because=ask.WHY, **(changed or {"target": "1150"}))
    )
    return scenario.on("2026-08-25")


def test_it_holds_from_its_day_until_a_later_one_changes_the_same_field() -> None:
    scenario = lowered().given(ask.revise(target="1180", because=ask.WHY, on="2026-07-20"))

    targets = {
        day: definition_on(scenario, ask.FOLLOWERS, day).target
        for day in ("2026-07-01", "2026-07-19", "2026-07-20", "2026-08-09", "2026-08-10")
    }
    assert targets == {
        "2026-07-01": "1200",
        "2026-07-19": "1200",
        "2026-07-20": "1180",
        "2026-08-09": "1180",
        "2026-08-10": "1150",
    }
    assert scenario.key_result(ask.FOLLOWERS).definition.target == "1150"


def test_fields_that_no_later_one_changes_hold_on() -> None:
    scenario = lowered().given(
        ask.revise(weight="3", title="Követők", because=ask.WHY, on="2026-07-20")
    )

    now = scenario.key_result(ask.FOLLOWERS).definition
    assert (now.target, now.weight, now.title) == ("1150", "3", "Követők")
    assert definition_on(scenario, ask.FOLLOWERS, "2026-07-19").weight == "1"


def test_before_and_after_are_those_of_its_day() -> None:
    scenario = lowered().when(ask.revise(target="1180", because=ask.WHY, on="2026-07-20"))

    revised = scenario.then_it_is(facts.KeyResultRevised)
    assert revised.before == KeyResultDefinition(target="1200", target_change_percent="20")
    assert revised.after == KeyResultDefinition(target="1180")


def test_what_is_so_now_may_still_be_new_on_an_earlier_day() -> None:
    scenario = lowered().when(ask.revise(target="1150", because=ask.WHY, on="2026-07-20"))

    scenario.then_it_is(facts.KeyResultRevised)
    assert definition_on(scenario, ask.FOLLOWERS, "2026-07-20").target == "1150"


def test_of_two_revisions_of_one_day_the_later_decided_wins() -> None:
    scenario = ask.committed().given(
        ask.revise(target="1150", because=ask.WHY), ask.revise(target="1160", because=ask.WHY)
    )

    assert scenario.key_result(ask.FOLLOWERS).definition.target == "1160"
    assert scenario.key_result(ask.FOLLOWERS).resource().revision == 3


@pytest.mark.parametrize(
    ("later", "earlier"),
    [
        ({"target": "1150"}, {"baseline": "1150"}),
        ({"target": "1350"}, {"baseline": "1300", "target": "1100", "mask": "turned"}),
        ({"baseline": "1100"}, {"target_change_percent": "30"}),
    ],
)
def test_a_backdated_revision_that_would_spoil_a_later_one_is_refused(
    later: dict[str, str], earlier: dict[str, str]
) -> None:
    turned = earlier.pop("mask", None)
    mask = ("baseline", "target", "direction") if turned else ()
    request = ask.revise(because=ask.WHY, on="2026-07-20", mask=mask, **earlier)

    scenario = lowered(**later).when(request).then_invalid("effective_date")

    assert "2026-08-10" in str(scenario.refusal)


def test_a_backdated_measure_below_later_targets_is_refused() -> None:
    mask = ("metric", "baseline", "target", "target_change_percent")
    binary = ask.revise(metric=Metric.METRIC_BINARY, mask=mask, because=ask.WHY, on="2026-07-20")

    lowered().when(binary).then_invalid("effective_date")


def test_a_backdated_plan_must_fit_later_targets() -> None:
    scenario = ask.committed("2026-08-10").given(
        ask.revise(ask.TRAFFIC, target="12", because=ask.WHY)
    )
    plan = ask.phased(("2026-09-30", "10"))

    scenario.when(ask.revise(ask.TRAFFIC, trajectory=plan, because=ask.WHY, on="2026-07-20"))

    scenario.then_invalid("effective_date")


def test_an_objective_is_revised_field_by_field_too() -> None:
    scenario = ask.committed("2026-08-10").given(ask.update_objective(title="B", because=ask.WHY))
    scenario.on("2026-08-25")

    scenario.given(
        ask.update_objective(title="A", description="why", because=ask.WHY, on="2026-07-20")
    )

    now = scenario.objective(ask.AWARENESS).definition
    assert (now.title, now.description) == ("B", "why")
    assert definition_on(scenario, ask.AWARENESS, "2026-08-09").title == "A"
    assert definition_on(scenario, ask.AWARENESS, "2026-07-19").title == "awareness"


def test_a_drop_that_slips_below_a_restoring_ends_with_it() -> None:
    scenario = ask.committed("2026-08-25").given(
        ask.drop(because=ask.WHY, on="2026-08-01"),
        ask.restore(because=ask.WHY, on="2026-08-10"),
        ask.drop(because=ask.WHY, on="2026-07-20"),
    )

    assert not scenario.key_result(ask.FOLLOWERS).dropped


def test_before_commitment_everything_holds_from_the_beginning() -> None:
    scenario = ask.drafted("2026-08-25").given(
        ask.revise(target="1150"), ask.revise(target="1160"), ask.drop(ask.TRAFFIC), ask.commit()
    )

    assert definition_on(scenario, ask.FOLLOWERS, "2026-07-01").target == "1160"
    assert scenario.key_result(ask.TRAFFIC).dropped


def test_a_plan_committed_before_its_cycle_changes_from_the_first_day() -> None:
    scenario = ask.committed("2026-06-25").when(ask.revise(target="1150", because=ask.WHY))

    assert scenario.effective == "2026-07-01"
    assert definition_on(scenario, ask.FOLLOWERS, "2026-06-30").target == "1200"
