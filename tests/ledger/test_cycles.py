from typing import Any

import pytest
from google.protobuf.message import Message

from ledger.refusals import (
    ApprovalRequired,
    CycleState,
    DayInFuture,
    DayOutsideCycle,
    EtagMismatch,
    Exists,
    NotFound,
    NothingToChange,
    ReasonRequired,
)
from okr.v1 import events_pb2 as facts
from okr.v1.values_pb2 import Cadence, CycleDefinition
from okr.v1.values_pb2 import CycleState as State
from okr.v1.values_pb2 import ScoringPolicy as Policy
from tests.support import ask
from tests.support.scenario import Scenario

OTHER_GOOGLE = Policy(name="google", clamp=Policy.CLAMP_NONE)


def test_a_cycle_is_drafted_with_every_default_filled() -> None:
    drafted = Scenario().when(ask.cycle()).then_it_is(facts.CycleDrafted)

    definition = drafted.definition
    assert drafted.cycle == ask.Q3
    assert definition.cadence == Cadence.CADENCE_WEEKLY
    assert definition.HasField("grace_days")
    assert definition.grace_days == 0
    assert (definition.policy.name, definition.policy.version) == ("standard", 1)
    assert all(value for _, value in definition.policy.ListFields())
    assert Scenario().when(ask.cycle(time_zone="")).events == [
        facts.CycleDrafted(cycle=ask.Q3, definition=_in_zone(definition, "UTC"))
    ]


def _in_zone(definition: CycleDefinition, zone: str) -> CycleDefinition:
    result = CycleDefinition()
    result.CopyFrom(definition)
    result.time_zone = zone
    return result


def test_a_fact_of_a_draft_holds_from_the_beginning() -> None:
    assert Scenario().when(ask.cycle()).effective == ""


def test_the_server_makes_an_id_where_the_caller_gives_none() -> None:
    assert Scenario().when(ask.cycle("", title="Q3")).then_it_is(facts.CycleDrafted).cycle == (
        "cycles/made-0"
    )


def test_an_id_is_never_used_twice() -> None:
    Scenario().given(ask.cycle()).when(ask.cycle()).then_refused(Exists, resource=ask.Q3)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (ask.cycle(title="\u3000 "), "definition.title"),
        (ask.cycle(first="2026-07-01", last="2026-06-30"), "definition.last_day"),
        (ask.cycle(first="2026-07-01", last="2029-07-07"), "definition.last_day"),
        (ask.cycle(first="0001-01-01", last="0001-03-31"), "definition.first_day"),
        (ask.cycle(first="9999-10-01", last="9999-12-31"), "definition.first_day"),
        (ask.cycle(time_zone="Europe/Budapes"), "definition.time_zone"),
        (ask.cycle(time_zone="localtime"), "definition.time_zone"),
        (ask.cycle(time_zone="right/Europe/Budapest"), "definition.time_zone"),
        (ask.cycle(time_zone="europe/budapest"), "definition.time_zone"),
        (
            ask.cycle(policy=Policy(name="google", clamp=Policy.CLAMP_NONE)),
            "definition.policy.name",
        ),
    ],
)
def test_a_cycle_that_breaks_a_rule_is_refused(request_: Message, field: str) -> None:
    Scenario().when(request_).then_invalid(field)


def test_a_day_must_be_one_of_the_calendar() -> None:
    request = ask.cycle()
    request.definition.last_day.day = 31

    Scenario().when(request).then_invalid("definition.last_day")
    request.definition.ClearField("last_day")
    Scenario().when(request).then_invalid("definition.last_day")


def test_a_cycle_of_one_day_is_a_cycle() -> None:
    Scenario().when(ask.cycle(first="2026-07-01", last="2026-07-01")).then_it_is(facts.CycleDrafted)


def test_a_draft_changes_freely() -> None:
    revised = (
        ask.drafted()
        .when(ask.update_cycle(title="Ősz", first_day=ask.day("2026-07-02")))
        .then_it_is(facts.CycleRevised)
    )

    assert list(revised.changed.paths) == ["title", "first_day"]
    assert revised.before == CycleDefinition(title="q3", first_day=ask.day("2026-07-01"))
    assert revised.after == CycleDefinition(title="Ősz", first_day=ask.day("2026-07-02"))


def test_a_mask_clears_what_it_names_and_the_request_does_not_give() -> None:
    scenario = Scenario().given(ask.cycle(grace_days=5))

    scenario.given(ask.update_cycle(mask=("time_zone", "grace_days")))

    assert scenario.cycle(ask.Q3).definition.time_zone == "UTC"
    assert scenario.cycle(ask.Q3).definition.grace_days == 0


@pytest.mark.parametrize("path", ["policy.clamp", "grace", "first_day.day"])
def test_a_mask_names_whole_fields_of_the_definition(path: str) -> None:
    ask.drafted().when(ask.update_cycle(title="x", mask=(path,))).then_invalid("update_mask")


def test_what_is_already_so_is_not_changed() -> None:
    ask.drafted().when(ask.update_cycle(title="q3")).then_refused(NothingToChange, resource=ask.Q3)


def test_a_stale_etag_is_answered_with_the_current_one() -> None:
    scenario = ask.drafted().given(ask.update_cycle(title="Q3 2026", etag='"1"'))

    scenario.when(ask.update_cycle(title="Third", etag='"1"'))

    scenario.then_refused(EtagMismatch, resource=ask.Q3, etag='"2"')


def test_a_draft_takes_no_other_day_than_its_first() -> None:
    ask.drafted().when(ask.update_cycle(title="x", on="2026-07-02")).then_invalid("effective_date")
    ask.drafted().when(ask.update_cycle(title="x", on="2026-07-01")).then_it_is(facts.CycleRevised)


def test_commitment_makes_the_cycle_active_from_its_first_day() -> None:
    scenario = ask.drafted("2026-06-25").when(ask.commit()).then(facts.PlanCommitted(cycle=ask.Q3))

    assert scenario.effective == "2026-07-01"
    cycle = scenario.cycle(ask.Q3)
    assert cycle.resource().state == State.CYCLE_STATE_ACTIVE
    assert cycle.resource().plan_position == len(scenario.records)
    assert cycle.resource().plan_date == ask.day("2026-07-01")


def test_a_plan_may_be_committed_from_a_later_day_but_not_from_the_future() -> None:
    assert ask.drafted().when(ask.commit(on="2026-07-06")).effective == "2026-07-06"
    ask.drafted().when(ask.commit(on="2026-08-13")).then_refused(DayInFuture, today="2026-08-12")
    ask.drafted().when(ask.commit(on="2026-10-01")).then_refused(DayOutsideCycle)


def test_a_plan_is_committed_once() -> None:
    ask.committed().when(ask.commit()).then_refused(CycleState, resource=ask.Q3, state="ACTIVE")


def test_after_commitment_a_change_of_the_cycle_needs_a_reason_and_a_category() -> None:
    policy = Policy(name="google")

    ask.committed().when(ask.update_cycle(policy=policy)).then_refused(
        ReasonRequired, resource=ask.Q3, missing=("reason", "category")
    )
    ask.committed().when(ask.update_cycle(policy=policy, because=" \n\t ")).then_refused(
        ReasonRequired, missing=("reason",)
    )
    ask.committed().when(ask.update_cycle(policy=policy, reason="why")).then_refused(
        ReasonRequired, missing=("category",)
    )
    scenario = ask.committed().when(ask.update_cycle(policy=policy, because=ask.WHY))
    assert scenario.then_it_is(facts.CycleRevised).after.policy.band_rule == Policy.BAND_RULE_TENTHS
    assert (scenario.effective, scenario.metadata.reason.plain) == ("2026-08-12", ask.WHY)


@pytest.mark.parametrize(
    "changed",
    [
        {"first_day": ask.day("2026-07-02")},
        {"last_day": ask.day("2026-10-31")},
        {"time_zone": "UTC"},
    ],
)
def test_the_plan_fixes_days_and_time_zone(changed: dict[str, Any]) -> None:
    ask.committed().when(ask.update_cycle(because=ask.WHY, **changed)).then_refused(
        CycleState, resource=ask.Q3, state="ACTIVE"
    )


def test_a_backdated_change_starts_from_what_held_on_its_day() -> None:
    scenario = ask.committed("2026-08-20").given(
        ask.update_cycle(policy=Policy(name="google"), because=ask.WHY)
    )
    scenario.on("2026-08-25")

    scenario.when(ask.update_cycle(policy=Policy(name="viva"), because=ask.WHY, on="2026-08-10"))

    revised = scenario.then_it_is(facts.CycleRevised)
    assert (revised.before.policy.name, revised.after.policy.name) == ("standard", "viva")
    assert scenario.cycle(ask.Q3).definition.policy.name == "google"


def test_a_backdated_return_to_the_policy_of_now_is_a_change() -> None:
    scenario = ask.committed("2026-08-20").given(
        ask.update_cycle(policy=Policy(name="google"), because=ask.WHY)
    )

    scenario.when(ask.update_cycle(policy=Policy(name="google"), because=ask.WHY, on="2026-08-10"))

    assert scenario.then_it_is(facts.CycleRevised).before.policy.name == "standard"


def test_a_change_before_a_committed_cycle_begins_holds_from_its_first_day() -> None:
    scenario = ask.committed("2026-06-25").when(ask.update_cycle(title="x", because=ask.WHY))

    assert scenario.effective == "2026-07-01"


def test_a_change_after_a_cycle_has_ended_holds_from_its_last_day() -> None:
    scenario = ask.committed("2026-10-05").when(ask.update_cycle(title="x", because=ask.WHY))

    assert scenario.effective == "2026-09-30"


def test_a_plan_changes_neither_in_the_future_nor_outside_the_cycle() -> None:
    late = ask.update_cycle(title="x", because=ask.WHY, on="2026-08-13")
    ask.committed().when(late).then_refused(DayInFuture, day="2026-08-13", today="2026-08-12")
    early = ask.update_cycle(title="x", because=ask.WHY, on="2026-06-30")
    ask.committed().when(early).then_refused(DayOutsideCycle, first_day="2026-07-01")


@pytest.mark.parametrize("sealed", [False, True])
def test_a_cycle_that_is_closed_takes_no_change(sealed: bool) -> None:
    today = "2026-08-12"
    scenario = ask.committed(today).given_fact(ask.Q3, facts.CycleClosing(cycle=ask.Q3), today)
    if sealed:
        scenario.given_fact(ask.Q3, facts.CycleSealed(cycle=ask.Q3), today)
    state = "SEALED" if sealed else "CLOSING"

    for request in (
        ask.update_cycle(title="x", because=ask.WHY),
        ask.revise(target="1150", because=ask.WHY),
        ask.objective("o", because=ask.WHY),
        ask.check_in(),
        ask.grade(),
        ask.adjust(ask.drop()),
        ask.commit(),
    ):
        scenario.when(request).then_refused(CycleState, resource=ask.Q3, state=state)


def test_a_reopened_cycle_takes_changes_again() -> None:
    scenario = ask.committed()
    for fact in (facts.CycleClosing, facts.CycleSealed, facts.CycleReopened):
        scenario.given_fact(ask.Q3, fact(cycle=ask.Q3), "2026-08-12")

    scenario.when(ask.check_in()).then_it_is(facts.CheckInRecorded)


def test_a_cycle_may_take_approved_adjustments_only() -> None:
    scenario = ask.drafted().given(ask.update_cycle(adjustments_need_approval=True), ask.commit())

    for request in (ask.revise(target="1150", because=ask.WHY), ask.adjust(ask.drop())):
        scenario.when(request).then_refused(ApprovalRequired, resource=ask.Q3)
    scenario.when(ask.check_in()).then_it_is(facts.CheckInRecorded)


def test_what_does_not_exist_is_not_found() -> None:
    Scenario().when(ask.commit()).then_refused(NotFound, resource=ask.Q3)
    Scenario().when(ask.update_cycle(title="x")).then_refused(NotFound, resource=ask.Q3)
