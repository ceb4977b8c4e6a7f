"""What a key result may be, whatever way it comes into the ledger."""

from typing import Any

import pytest

from ledger.definitions import settled
from ledger.refusals import FieldInvalid
from okr.v1 import events_pb2 as facts
from okr.v1 import values_pb2 as values
from okr.v1.values_pb2 import Aggregation, Direction, KeyResultDefinition, MeasureKind, Metric
from tests.support import ask
from tests.support.scenario import Scenario

BINARY, MILESTONES, ZONES = (
    Metric.METRIC_BINARY,
    Metric.METRIC_MILESTONES,
    Metric.METRIC_ZONES,
)
SUM = Aggregation.AGGREGATION_SUM
UP, DOWN = Direction.DIRECTION_INCREASE, Direction.DIRECTION_DECREASE
AT_LEAST = Direction.DIRECTION_MAINTAIN_AT_LEAST
AT_MOST = Direction.DIRECTION_MAINTAIN_AT_MOST
WITHIN = Direction.DIRECTION_MAINTAIN_WITHIN
STEPS = [values.Milestone(id="a", title="Agency"), values.Milestone(id="b", title="Site")]


def added(**definition: Any) -> KeyResultDefinition:
    scenario = ask.drafted().when(ask.add("k", **definition))
    return scenario.then_it_is(facts.KeyResultAdded).definition


def refused(*fields: str, **definition: Any) -> Scenario:
    return ask.drafted().when(ask.add("k", **definition)).then_invalid(*fields)


def test_a_plain_number_gets_every_default() -> None:
    assert added(target="10") == KeyResultDefinition(
        title="k",
        metric=Metric.METRIC_NUMBER,
        aggregation=Aggregation.AGGREGATION_LAST,
        direction=UP,
        baseline="0",
        target="10",
        weight="1",
        trajectory=values.Trajectory(linear=values.LinearTrajectory()),
        measure_kind=MeasureKind.MEASURE_KIND_LAG,
    )


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("+5", "5"),
        ("007.500", "7.5"),
        ("-0.250", "-0.25"),
        ("999999999999999999.999999999", "999999999999999999.999999999"),
        ("0.000000001", "0.000000001"),
    ],
)
def test_numbers_are_kept_exactly_and_in_one_form(given: str, kept: str) -> None:
    assert added(target=given).target == kept


def test_text_is_kept_in_normal_form() -> None:
    definition = added(title="Ko\u0308veto\u030bk 📈 关注者", unit="fo\u030b", target="1")

    assert (definition.title, definition.unit) == ("Követők 📈 关注者", "fő")


def test_blank_text_is_no_text() -> None:
    refused("definition.title", title="\u2003", target="1")
    refused("definition.unit", unit="  ", target="1")


@pytest.mark.parametrize(
    ("baseline", "percent", "target", "direction"),
    [
        ("1000", "20", "1200", UP),
        ("1000", "-20", "800", DOWN),
        ("0.000000001", "50", "0.000000002", UP),
        ("3", "33.333333333", "4", UP),
        ("-100", "20", "-120", DOWN),
    ],
)
def test_a_relative_target_is_kept_beside_what_it_came_to(
    baseline: str, percent: str, target: str, direction: int
) -> None:
    definition = added(baseline=baseline, target_change_percent=percent)

    assert (definition.target, definition.target_change_percent) == (target, percent)
    assert definition.direction == direction


def test_both_forms_of_a_target_must_agree() -> None:
    both = {"baseline": "1000", "target_change_percent": "20"}

    assert added(target="1200.0", **both).target == "1200"
    refused("definition.target", target="1201", **both)


def test_a_relative_target_needs_a_baseline_to_be_relative_to() -> None:
    refused("definition.target", target_change_percent="20")
    refused("definition.target", baseline="5", target_change_percent="0")


def test_a_relative_target_stays_within_the_ledgers_numbers() -> None:
    refused(
        "definition.target_change_percent",
        baseline="999999999999999999",
        target_change_percent="999999999999999999",
    )


@pytest.mark.parametrize(
    ("field", "definition"),
    [
        ("definition.target", {}),
        ("definition.target", {"target": "0"}),
        ("definition.target", {"baseline": "7", "target": "7.0"}),
        ("definition.direction", {"target": "10", "direction": DOWN}),
        ("definition.direction", {"baseline": "10", "target": "1", "direction": UP}),
        ("definition.lower_bound", {"target": "1", "lower_bound": "1"}),
        ("definition.upper_bound", {"target": "1", "upper_bound": "1"}),
        ("definition.milestones", {"target": "1", "milestones": STEPS}),
    ],
)
def test_a_number_that_leads_nowhere_is_refused(field: str, definition: dict[str, Any]) -> None:
    refused(field, **definition)


def test_a_sum_may_start_from_the_sum_of_the_period_before() -> None:
    definition = added(aggregation=SUM, baseline="1000", target_change_percent="20")

    assert (definition.aggregation, definition.target) == (SUM, "1200")


def test_a_weight_of_nothing_is_a_weight() -> None:
    assert added(target="1", weight="0.0").weight == "0"


@pytest.mark.parametrize(
    "definition",
    [
        {"direction": AT_LEAST, "lower_bound": "99.9"},
        {"direction": AT_MOST, "upper_bound": "0"},
        {"direction": WITHIN, "lower_bound": "5", "upper_bound": "5"},
        {"direction": AT_LEAST, "lower_bound": "1", "baseline": "1", "target": "1"},
    ],
)
def test_a_number_to_be_kept_needs_its_bounds(definition: dict[str, Any]) -> None:
    assert added(**definition).direction == definition["direction"]


@pytest.mark.parametrize(
    ("field", "definition"),
    [
        ("definition.lower_bound", {"direction": AT_LEAST}),
        ("definition.upper_bound", {"direction": AT_MOST}),
        ("definition.upper_bound", {"direction": WITHIN, "lower_bound": "5"}),
        ("definition.upper_bound", {"direction": AT_LEAST, "lower_bound": "5", "upper_bound": "6"}),
        ("definition.lower_bound", {"direction": AT_MOST, "lower_bound": "5", "upper_bound": "6"}),
        ("definition.upper_bound", {"direction": WITHIN, "lower_bound": "5", "upper_bound": "4.9"}),
        ("definition.aggregation", {"direction": AT_MOST, "upper_bound": "6", "aggregation": SUM}),
        (
            "definition.target_change_percent",
            {"direction": AT_MOST, "upper_bound": "6", "target_change_percent": "1"},
        ),
        (
            "definition.trajectory",
            {"direction": AT_MOST, "upper_bound": "6", "trajectory": ask.checkpointed(("6", "1"))},
        ),
    ],
)
def test_bounds_that_make_no_sense_are_refused(field: str, definition: dict[str, Any]) -> None:
    refused(field, **definition)


def test_a_binary_leads_from_not_done_to_done() -> None:
    definition = added(metric=BINARY)

    assert (definition.baseline, definition.target, definition.direction) == ("0", "1", UP)


def test_a_binary_may_be_done_already() -> None:
    assert added(metric=BINARY, baseline="1", target="1").baseline == "1"


@pytest.mark.parametrize(
    ("field", "definition"),
    [
        ("definition.target", {"target": "0"}),
        ("definition.target", {"target": "2"}),
        ("definition.baseline", {"baseline": "0.5"}),
        ("definition.direction", {"direction": DOWN}),
        ("definition.direction", {"direction": AT_LEAST}),
        ("definition.aggregation", {"aggregation": SUM}),
        ("definition.milestones", {"milestones": STEPS}),
        ("definition.target_change_percent", {"target_change_percent": "20"}),
        ("definition.stretch", {"stretch": "1"}),
        ("definition.commit", {"commit": "1"}),
        ("definition.upper_bound", {"upper_bound": "1"}),
        ("definition.trajectory", {"trajectory": ask.phased(("2026-08-01", "1"))}),
    ],
)
def test_a_binary_is_nothing_else(field: str, definition: dict[str, Any]) -> None:
    refused(field, metric=BINARY, **definition)


def test_milestones_weigh_the_same_unless_said() -> None:
    steps = [*STEPS, values.Milestone(id="c", title="Go", weight="+2.50")]

    definition = added(metric=MILESTONES, milestones=steps)

    assert [step.weight for step in definition.milestones] == ["1", "1", "2.5"]
    assert definition.direction == UP


@pytest.mark.parametrize(
    ("field", "definition"),
    [
        ("definition.milestones", {}),
        ("definition.milestones", {"milestones": [STEPS[0], STEPS[0]]}),
        (
            "definition.milestones[1].weight",
            {"milestones": [STEPS[0], values.Milestone(id="b", title="B", weight="0.0")]},
        ),
        ("definition.milestones[0].title", {"milestones": [values.Milestone(id="a", title=" ")]}),
        ("definition.baseline", {"milestones": STEPS, "baseline": "1"}),
        ("definition.target", {"milestones": STEPS, "target": "2"}),
        ("definition.aggregation", {"milestones": STEPS, "aggregation": SUM}),
        ("definition.stretch", {"milestones": STEPS, "stretch": "2"}),
    ],
)
def test_milestones_that_make_no_sense_are_refused(field: str, definition: dict[str, Any]) -> None:
    refused(field, metric=MILESTONES, **definition)


def test_zones_fill_in_commit_and_target() -> None:
    definition = added(metric=ZONES, baseline="100", stretch="200")

    assert (definition.commit, definition.target, definition.direction) == ("130", "170", UP)


def test_zones_may_lead_down_and_have_edges_of_their_own() -> None:
    definition = added(metric=ZONES, baseline="10", commit="8", target="5", stretch="1")

    assert definition.direction == DOWN
    assert added(
        metric=ZONES, baseline="100", stretch="200", target_change_percent="60"
    ).target == ("160")


@pytest.mark.parametrize(
    ("field", "definition"),
    [
        ("definition.stretch", {"target": "10"}),
        ("definition.stretch", {"baseline": "5", "stretch": "5"}),
        ("definition.target", {"stretch": "100", "target": "110"}),
        ("definition.target", {"stretch": "100", "commit": "80"}),
        ("definition.direction", {"stretch": "100", "direction": DOWN}),
        ("definition.direction", {"stretch": "100", "direction": WITHIN}),
        ("definition.lower_bound", {"stretch": "100", "lower_bound": "1"}),
    ],
)
def test_zones_that_make_no_sense_are_refused(field: str, definition: dict[str, Any]) -> None:
    refused(field, metric=ZONES, **definition)


@pytest.mark.parametrize(
    ("trajectory", "why"),
    [
        (ask.phased(("2026-08-01", "5"), ("2026-08-01", "10")), "order"),
        (ask.phased(("2026-09-01", "5"), ("2026-08-01", "10")), "order"),
        (ask.phased(("2026-06-30", "5"), ("2026-08-01", "10")), "within"),
        (ask.phased(("2026-08-01", "5"), ("2026-10-01", "10")), "within"),
        (ask.phased(("2026-08-01", "5"), ("2026-09-30", "9")), "ends at 9"),
        (ask.checkpointed(("5", "0.5"), ("4", "0.6")), "order"),
        (ask.checkpointed(("11", "0.5")), "order"),
        (ask.checkpointed(("5", "0.5"), ("7", "0.4")), "decrease"),
        (ask.checkpointed(("5", "1")), "worth 1 at 5"),
    ],
)
def test_a_trajectory_must_fit_the_definition(trajectory: values.Trajectory, why: str) -> None:
    scenario = refused("definition.trajectory", target="10", trajectory=trajectory)

    assert why in str(scenario.refusal)


def test_planned_numbers_are_kept_in_one_form() -> None:
    by_days = added(
        target="10", trajectory=ask.phased(("2026-08-01", "+05.0"), ("2026-09-30", "10.0"))
    )
    by_values = added(target="10", trajectory=ask.checkpointed(("05.0", "0.50"), ("10", "1.000")))

    assert by_days.trajectory == ask.phased(("2026-08-01", "5"), ("2026-09-30", "10"))
    assert by_values.trajectory == ask.checkpointed(("5", "0.5"), ("10", "1"))


def test_a_planned_day_must_be_one_of_the_calendar() -> None:
    trajectory = ask.phased(("2026-08-01", "5"), ("2026-09-30", "10"))
    trajectory.phased.points[1].day.day = 31

    refused("definition.trajectory.phased.points[1].day", target="10", trajectory=trajectory)


def test_a_trajectory_without_a_shape_is_a_straight_line() -> None:
    assert added(target="1", trajectory=values.Trajectory()).trajectory.HasField("linear")


def test_an_owner_is_given_in_the_clear() -> None:
    secret = values.PersonalText(encrypted=values.EncryptedText(key="people/x/keys/1"))

    refused("definition.owner", target="1", owner=secret)
    owner = added(target="1", owner=values.PersonalText(plain="Pe\u0301ter")).owner
    assert owner.plain == "Péter"


@pytest.mark.parametrize(
    "definition",
    [
        {"target": "10", "trajectory": ask.phased(("2026-09-30", "10"))},
        {"baseline": "1000", "target_change_percent": "20"},
        {"metric": BINARY},
        {"metric": MILESTONES, "milestones": STEPS},
        {"metric": ZONES, "stretch": "100"},
        {"direction": WITHIN, "lower_bound": "5", "upper_bound": "6"},
    ],
)
def test_a_settled_definition_settles_to_itself(definition: dict[str, Any]) -> None:
    once = added(**definition)

    assert settled(once, "definition") == once


def test_a_definition_names_the_field_at_its_path() -> None:
    with pytest.raises(FieldInvalid, match="key_results"):
        settled(KeyResultDefinition(title="x"), "key_results[0].definition")
