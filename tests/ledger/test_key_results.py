from typing import Any

import pytest
from google.protobuf.message import Message

from ledger.refusals import (
    DayOutsideCycle,
    EtagMismatch,
    Exists,
    KeyResultState,
    MeasureFixed,
    NotFound,
    NothingToChange,
    ObjectiveState,
    ReasonRequired,
    TrajectoryMisfit,
)
from okr.v1 import events_pb2 as facts
from okr.v1.values_pb2 import (
    Aggregation,
    Category,
    EncryptedText,
    KeyResultDefinition,
    Metric,
    PersonalText,
)
from okr.v1.values_pb2 import KeyResultState as State
from tests.support import ask
from tests.support.scenario import Scenario

PHASED = ask.phased(("2026-08-01", "5"), ("2026-09-30", "10"))


def planned(today: str = "2026-08-12") -> Scenario:
    """The quarter with traffic planned by days, committed."""
    return ask.drafted(today).given(ask.revise(ask.TRAFFIC, trajectory=PHASED), ask.commit())


def test_a_revision_names_each_changed_field_before_and_after() -> None:
    scenario = ask.committed().when(ask.revise(target="1150", weight="2", because=ask.WHY))

    revised = scenario.then_it_is(facts.KeyResultRevised)
    assert list(revised.changed.paths) == ["target", "target_change_percent", "weight"]
    assert revised.before == KeyResultDefinition(
        target="1200", target_change_percent="20", weight="1"
    )
    assert revised.after == KeyResultDefinition(target="1150", weight="2")
    assert (scenario.effective, scenario.metadata.reason.plain) == ("2026-08-12", ask.WHY)
    assert scenario.metadata.category == Category.CATEGORY_MARKET_CHANGE
    assert scenario.metadata.actor.plain == "people/anna"


def test_a_draft_is_revised_without_a_reason_and_a_committed_plan_is_not() -> None:
    ask.drafted().when(ask.revise(target="1150")).then_it_is(facts.KeyResultRevised)

    for request in (
        ask.revise(target="1150"),
        ask.add("more", target="1"),
        ask.drop(),
        ask.restore(),
        ask.align(ask.FOLLOWERS, ask.TRAFFIC, ask.SUPPORTS),
    ):
        ask.committed().when(request).then_refused(
            ReasonRequired, resource=ask.Q3, missing=("reason", "category")
        )


def test_a_reason_of_white_space_is_none_and_is_not_stored() -> None:
    blank = ask.revise(target="1150", because=" \n\t\u3000")

    ask.committed().when(blank).then_refused(ReasonRequired, missing=("reason",))
    assert not ask.drafted().when(blank).metadata.HasField("reason")


def test_a_relative_target_follows_its_baseline() -> None:
    revised = ask.drafted().when(ask.revise(baseline="2000")).then_it_is(facts.KeyResultRevised)

    assert revised.before == KeyResultDefinition(baseline="1000", target="1200")
    assert revised.after == KeyResultDefinition(baseline="2000", target="2400")


def test_an_absolute_target_stays_when_its_baseline_moves() -> None:
    scenario = ask.drafted().given(ask.revise(ask.TRAFFIC, baseline="5"))

    assert scenario.key_result(ask.TRAFFIC).definition.target == "10"


def test_a_new_percentage_moves_the_target() -> None:
    scenario = ask.drafted().given(ask.revise(target_change_percent="30"))

    assert scenario.key_result(ask.FOLLOWERS).definition.target == "1300"


def test_an_absolute_target_becomes_relative_and_back() -> None:
    scenario = ask.drafted().given(
        ask.revise(ask.TRAFFIC, baseline="10", target_change_percent="50")
    )
    assert scenario.key_result(ask.TRAFFIC).definition.target == "15"

    scenario.given(ask.revise(ask.TRAFFIC, mask=("target_change_percent",)))

    definition = scenario.key_result(ask.TRAFFIC).definition
    assert (definition.target, definition.HasField("target_change_percent")) == ("15", False)


def test_both_forms_given_must_agree_with_the_new_baseline() -> None:
    ask.drafted().when(ask.revise(target="1200", target_change_percent="30")).then_invalid(
        "definition.target"
    )


def test_a_mask_clears_fields_to_their_defaults() -> None:
    scenario = ask.drafted().given(ask.revise(weight="3", stretch="1500"))

    scenario.given(ask.revise(mask=("weight", "stretch", "unit")))

    definition = scenario.key_result(ask.FOLLOWERS).definition
    assert (definition.weight, definition.unit) == ("1", "")
    assert not definition.HasField("stretch")


def test_a_mask_leaves_alone_what_it_does_not_name() -> None:
    revised = ask.drafted().when(ask.revise(title="Követők", weight="5", mask=("title",)))

    assert list(revised.then_it_is(facts.KeyResultRevised).changed.paths) == ["title"]


@pytest.mark.parametrize("path", ["trajectory.linear", "owner.plain", "colour", "title.x"])
def test_a_mask_names_whole_fields_of_the_definition(path: str) -> None:
    ask.drafted().when(ask.revise(title="x", mask=(path,))).then_invalid("update_mask")


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (ask.revise(mask=("title",)), "definition.title"),
        (ask.revise(title="\t ".strip("\t")), "definition.title"),
        (ask.revise(unit=" "), "definition.unit"),
        (ask.revise(mask=("target", "target_change_percent")), "definition.target"),
        (ask.revise(target="1000"), "definition.target"),
        (ask.revise(target="900"), "definition.direction"),
        (ask.revise(baseline="0"), "definition.target"),
        (ask.revise(metric=Metric.METRIC_BINARY), "definition.target_change_percent"),
        (
            ask.revise(owner=PersonalText(encrypted=EncryptedText(key="k"))),
            "definition.owner",
        ),
    ],
)
def test_a_revision_that_breaks_a_rule_is_refused(request_: Message, field: str) -> None:
    ask.drafted().when(request_).then_invalid(field)


def test_a_target_turns_round_when_the_request_says_so() -> None:
    scenario = ask.drafted().given(ask.revise(target="900", mask=("target", "direction")))

    assert scenario.key_result(ask.FOLLOWERS).definition.target == "900"


def test_what_is_already_so_is_not_changed() -> None:
    for request in (
        ask.revise(target="1200.0", target_change_percent="20"),
        ask.revise(title="followers"),
        ask.revise(),
    ):
        ask.drafted().when(request).then_refused(NothingToChange, resource=ask.FOLLOWERS)


def test_a_stale_etag_is_answered_with_the_current_one() -> None:
    scenario = ask.committed().given(ask.revise(target="1150", because=ask.WHY, etag='"1"'))

    for request in (
        ask.revise(target="1100", because=ask.WHY, etag='"1"'),
        ask.drop(because=ask.WHY, etag='"1"'),
        ask.restore(because=ask.WHY, etag='"1"'),
    ):
        scenario.when(request).then_refused(EtagMismatch, resource=ask.FOLLOWERS, etag='"2"')
    scenario.given(ask.check_in())
    assert scenario.key_result(ask.FOLLOWERS).etag == '"2"'


@pytest.mark.parametrize(
    ("field", "request_"),
    [
        ("unit", ask.revise(unit="fő", because=ask.WHY)),
        ("aggregation", ask.revise(aggregation=Aggregation.AGGREGATION_SUM, because=ask.WHY)),
        (
            "metric",
            ask.revise(
                metric=Metric.METRIC_BINARY,
                because=ask.WHY,
                mask=("metric", "baseline", "target", "target_change_percent"),
            ),
        ),
    ],
)
def test_the_first_check_in_fixes_the_measure(field: str, request_: Message) -> None:
    ask.committed().when(request_).then_it_is(facts.KeyResultRevised)
    scenario = ask.committed().given(ask.check_in())

    scenario.when(request_).then_refused(MeasureFixed, resource=ask.FOLLOWERS, field=field)
    scenario.given(ask.retract())
    scenario.when(request_).then_refused(MeasureFixed)


def test_a_plan_that_no_longer_fits_is_refused_unless_it_is_planned_anew() -> None:
    scenario = planned()

    misfits: tuple[dict[str, Any], ...] = ({"target": "12"}, {"baseline": "1", "target": "9"})
    for changed in misfits:
        scenario.when(ask.revise(ask.TRAFFIC, because=ask.WHY, **changed)).then_refused(
            TrajectoryMisfit, resource=ask.TRAFFIC, field="trajectory"
        )
    scenario.when(
        ask.revise(
            ask.TRAFFIC, target="12", trajectory=ask.phased(("2026-09-30", "12")), because=ask.WHY
        )
    ).then_it_is(facts.KeyResultRevised)


def test_a_plan_may_be_given_up_in_the_same_request() -> None:
    mask = ("target", "trajectory")
    scenario = planned().given(ask.revise(ask.TRAFFIC, target="12", mask=mask, because=ask.WHY))

    assert scenario.key_result(ask.TRAFFIC).definition.trajectory.HasField("linear")


def test_a_new_plan_that_does_not_fit_is_a_wrong_field() -> None:
    request = ask.revise(ask.TRAFFIC, target="12", trajectory=PHASED, because=ask.WHY)

    planned().when(request).then_invalid("definition.trajectory")


def test_a_key_result_is_added_to_a_committed_plan_from_a_day() -> None:
    scenario = ask.committed().when(ask.add("more", target="1", because=ask.WHY, on="2026-08-01"))

    assert (
        scenario.then_it_is(facts.KeyResultAdded).key_result == f"{ask.AWARENESS}/keyResults/more"
    )
    assert scenario.effective == "2026-08-01"


def test_an_id_is_never_used_twice_even_after_dropping() -> None:
    scenario = ask.committed().given(ask.drop(because=ask.WHY))

    scenario.when(ask.add("followers", target="1", because=ask.WHY)).then_refused(
        Exists, resource=ask.FOLLOWERS
    )


def test_nothing_holds_before_the_key_result_does() -> None:
    scenario = ask.committed().given(ask.add("more", target="1", because=ask.WHY, on="2026-08-10"))
    more = f"{ask.AWARENESS}/keyResults/more"

    for request in (
        ask.revise(more, target="2", because=ask.WHY, on="2026-08-09"),
        ask.drop(more, because=ask.WHY, on="2026-08-09"),
        ask.align(more, ask.TRAFFIC, ask.SUPPORTS, because=ask.WHY, on="2026-08-09"),
        ask.align(ask.TRAFFIC, more, ask.SUPPORTS, because=ask.WHY, on="2026-08-09"),
    ):
        scenario.when(request).then_invalid("effective_date")
    scenario.given(ask.drop(more, because=ask.WHY))
    scenario.when(ask.restore(more, because=ask.WHY, on="2026-08-09")).then_invalid(
        "effective_date"
    )


def test_a_dropped_key_result_keeps_its_history_and_takes_nothing_more() -> None:
    scenario = ask.committed().given(ask.check_in(), ask.drop(because=ask.WHY))

    assert scenario.key_result(ask.FOLLOWERS).resource().state == State.KEY_RESULT_STATE_DROPPED
    assert scenario.key_result(ask.FOLLOWERS).resource().check_in_count == 1
    for request in (
        ask.drop(because=ask.WHY),
        ask.revise(target="1150", because=ask.WHY),
        ask.check_in(),
        ask.align(ask.FOLLOWERS, ask.TRAFFIC, ask.SUPPORTS, because=ask.WHY),
        ask.align(ask.TRAFFIC, ask.FOLLOWERS, ask.SUPPORTS, because=ask.WHY),
    ):
        scenario.when(request).then_refused(KeyResultState, resource=ask.FOLLOWERS, state="DROPPED")


def test_a_dropped_key_result_is_restored_with_its_definition_and_check_ins() -> None:
    scenario = ask.committed().given(ask.check_in(), ask.drop(because=ask.WHY))

    scenario.when(ask.restore(because=ask.WHY)).then(
        facts.KeyResultRestored(key_result=ask.FOLLOWERS)
    )

    shown = scenario.key_result(ask.FOLLOWERS).resource()
    assert (shown.state, shown.check_in_count) == (State.KEY_RESULT_STATE_ACTIVE, 1)
    scenario.when(ask.restore(because=ask.WHY)).then_refused(KeyResultState, state="ACTIVE")


def test_it_is_restored_only_from_a_day_on_which_it_is_dropped() -> None:
    scenario = ask.committed().given(ask.drop(because=ask.WHY, on="2026-08-10"))

    scenario.when(ask.restore(because=ask.WHY, on="2026-08-09")).then_refused(
        KeyResultState, state="ACTIVE"
    )
    scenario.when(ask.restore(because=ask.WHY, on="2026-08-10"))
    scenario.then_it_is(facts.KeyResultRestored)


def test_it_is_dropped_only_from_a_day_on_which_it_counts() -> None:
    scenario = ask.committed().given(
        ask.drop(because=ask.WHY, on="2026-08-01"), ask.restore(because=ask.WHY, on="2026-08-10")
    )

    scenario.when(ask.drop(because=ask.WHY, on="2026-08-05")).then_refused(
        KeyResultState, state="DROPPED"
    )
    scenario.when(ask.drop(because=ask.WHY)).then_it_is(facts.KeyResultDropped)


def test_a_graded_objectives_key_results_stand_still() -> None:
    scenario = ask.committed().given(ask.grade())

    for request in (
        ask.drop(because=ask.WHY),
        ask.restore(because=ask.WHY),
        ask.revise(target="1150", because=ask.WHY),
        ask.add("more", target="1", because=ask.WHY),
    ):
        scenario.when(request).then_refused(ObjectiveState, resource=ask.AWARENESS, state="GRADED")


def test_a_plan_changes_within_its_cycle() -> None:
    for request in (
        ask.drop(because=ask.WHY, on="2026-06-30"),
        ask.revise(target="1150", because=ask.WHY, on="2026-10-01"),
    ):
        ask.committed("2026-10-05").when(request).then_refused(
            DayOutsideCycle, first_day="2026-07-01", last_day="2026-09-30"
        )


def test_what_does_not_exist_is_not_found() -> None:
    name = f"{ask.AWARENESS}/keyResults/none"
    for request in (ask.revise(name, target="1"), ask.drop(name), ask.restore(name)):
        ask.drafted().when(request).then_refused(NotFound, resource=name)


def test_the_events_name_who_depends_on_the_key_result() -> None:
    scenario = ask.committed().given(
        ask.team("sales"),
        ask.objective("deals", ask.new("won", target="5"), team="teams/sales", because=ask.WHY),
        ask.align(ask.FOLLOWERS, "objectives/deals", ask.SUPPORTS, because=ask.WHY),
    )

    revised = scenario.when(ask.revise(target="1150", because=ask.WHY))
    assert revised.then_it_is(facts.KeyResultRevised).dependants == ["objectives/deals"]
    dropped = scenario.when(ask.drop(because=ask.WHY)).then_it_is(facts.KeyResultDropped)
    assert dropped.dependants == ["objectives/deals"]
    restored = scenario.when(ask.restore(because=ask.WHY)).then_it_is(facts.KeyResultRestored)
    assert restored.dependants == ["objectives/deals"]
