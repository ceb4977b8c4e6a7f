from datetime import datetime
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from ledger.check_ins import CheckIn, in_force
from ledger.recorded_check_ins import check_ins_of
from ledger.refusals import (
    CheckInRetracted,
    CycleState,
    DayInFuture,
    DayOutsideCycle,
    NotFound,
    NothingToChange,
    ReasonRequired,
)
from ledger.values import day
from okr.v1 import events_pb2 as facts
from okr.v1.values_pb2 import (
    Aggregation,
    KeyResultDefinition,
    Measurement,
    Metric,
    Milestone,
    PersonalText,
)
from tests.support import ask
from tests.support.scenario import Scenario, local

ZONE = "Europe/Budapest"


def measuring(today: str = "2026-08-12", **definition: Any) -> Scenario:
    """The quarter with one more key result, `k`, committed."""
    added = ask.add("k", **definition)
    return ask.drafted(today).given(added, ask.commit())


def at(instant: str) -> Timestamp:
    """An instant of an ISO time with its offset."""
    return ask.instant(int(datetime.fromisoformat(instant).timestamp()))


def known(scenario: Scenario, name: str = ask.FOLLOWERS) -> dict[int, CheckIn]:
    return check_ins_of(scenario.records, name)


def value_on(scenario: Scenario, iso: str, name: str = ask.FOLLOWERS) -> str:
    holding = in_force(known(scenario, name).values(), day(ask.day(iso), ""))
    return holding[-1].content.measurement.value if holding else ""


K = f"{ask.AWARENESS}/keyResults/k"


def test_a_check_in_is_recorded_with_its_day_note_and_confidence() -> None:
    scenario = ask.committed().when(ask.check_in(value="+1100.50", confidence=7, note="Jo\u0301"))

    scenario.then(
        facts.CheckInRecorded(
            key_result=ask.FOLLOWERS,
            number=1,
            measurement=Measurement(value="1100.5"),
            confidence=7,
            note=PersonalText(plain="Jó"),
        )
    )
    assert scenario.effective == "2026-08-12"


def test_a_confidence_of_nothing_is_a_confidence() -> None:
    recorded = ask.committed().when(ask.check_in(confidence=0)).then_it_is(facts.CheckInRecorded)

    assert recorded.HasField("confidence")
    assert not recorded.HasField("note")


def test_check_ins_of_a_key_result_are_numbered_without_gaps() -> None:
    scenario = ask.committed().given(
        ask.check_in(), ask.check_in(ask.TRAFFIC, "1"), ask.check_in(), ask.retract(2)
    )

    numbered = scenario.when(ask.check_in()).then_it_is(facts.CheckInRecorded)
    assert numbered.number == 3
    numbered = scenario.when(ask.check_in(ask.TRAFFIC, "2")).then_it_is(facts.CheckInRecorded)
    assert numbered.number == 2


def test_a_draft_takes_no_check_in() -> None:
    ask.drafted().when(ask.check_in()).then_refused(CycleState, resource=ask.Q3, state="DRAFT")


@pytest.mark.parametrize("on", ["2026-07-01", "2026-08-11", "2026-08-12"])
def test_a_check_in_may_be_late(on: str) -> None:
    assert ask.committed().when(ask.check_in(on=on)).effective == on


def test_a_check_in_is_neither_before_the_cycle_nor_in_the_future() -> None:
    ask.committed().when(ask.check_in(on="2026-06-30")).then_refused(
        DayOutsideCycle, day="2026-06-30", first_day="2026-07-01", last_day="2026-09-30"
    )
    ask.committed().when(ask.check_in(on="2026-08-13")).then_refused(
        DayInFuture, day="2026-08-13", today="2026-08-12"
    )
    ask.committed("2026-06-25").when(ask.check_in()).then_refused(DayOutsideCycle)


def test_a_cycle_takes_check_ins_through_its_days_of_grace() -> None:
    scenario = ask.drafted("2026-10-03").given(ask.update_cycle(grace_days=3), ask.commit())

    assert scenario.when(ask.check_in()).effective == "2026-10-03"
    scenario.on("2026-10-04").when(ask.check_in()).then_refused(
        DayOutsideCycle, last_day="2026-10-03"
    )
    scenario.when(ask.check_in(on="2026-09-30")).then_it_is(facts.CheckInRecorded)


def test_without_grace_the_last_day_is_the_last() -> None:
    ask.committed("2026-10-01").when(ask.check_in()).then_refused(
        DayOutsideCycle, last_day="2026-09-30"
    )


@pytest.mark.parametrize(
    ("now", "today"),
    [
        ("2026-08-12T21:59:59+00:00", "2026-08-12"),
        ("2026-08-12T22:00:00+00:00", "2026-08-13"),
        (local(ZONE, "2026-08-12T23:59:59"), "2026-08-12"),
        (local(ZONE, "2026-08-13T00:00:00"), "2026-08-13"),
    ],
)
def test_today_is_the_cycles_own(now: str, today: str) -> None:
    assert ask.committed(now).when(ask.check_in()).effective == today


@pytest.mark.parametrize(
    ("zone", "today"),
    [
        ("Pacific/Kiritimati", "2026-08-13"),
        ("UTC", "2026-08-12"),
        ("Pacific/Pago_Pago", "2026-08-11"),
    ],
)
def test_the_same_instant_has_other_days_elsewhere(zone: str, today: str) -> None:
    scenario = ask.drafted("2026-08-12T10:30:00+00:00")
    scenario.given(ask.update_cycle(time_zone=zone), ask.commit())

    assert scenario.when(ask.check_in()).effective == today


@pytest.mark.parametrize(
    ("now", "today"),
    [
        # Clocks go back on 25 October 2026 at 01:00 UTC: that day has 25 hours.
        ("2026-10-24T21:59:59+00:00", "2026-10-24"),
        ("2026-10-24T22:00:00+00:00", "2026-10-25"),
        ("2026-10-25T22:59:59+00:00", "2026-10-25"),
        ("2026-10-25T23:00:00+00:00", "2026-10-26"),
        # They go forward on 28 March 2027 at 01:00 UTC: that day has 23.
        ("2027-03-27T23:00:00+00:00", "2027-03-28"),
        ("2027-03-28T21:59:59+00:00", "2027-03-28"),
        ("2027-03-28T22:00:00+00:00", "2027-03-29"),
    ],
)
def test_days_begin_at_local_midnight_across_clock_changes(now: str, today: str) -> None:
    scenario = Scenario(now).given(
        ask.cycle(first="2026-10-01", last="2027-04-30"), ask.team(), ask.objective(), ask.commit()
    )

    assert scenario.when(ask.check_in()).effective == today


def test_an_instant_lies_on_its_day_in_the_cycles_zone() -> None:
    scenario = ask.committed()
    midnight = at("2026-08-11T22:00:00+00:00")

    recorded = scenario.when(ask.check_in(instant=midnight)).then_it_is(facts.CheckInRecorded)
    assert recorded.instant == midnight
    before = at("2026-08-11T21:59:59+00:00")
    scenario.when(ask.check_in(instant=before)).then_invalid("instant")
    scenario.when(ask.check_in(instant=before, on="2026-08-11")).then_it_is(facts.CheckInRecorded)


@pytest.mark.parametrize("zone", ["Pacific/Pago_Pago", "Pacific/Kiritimati"])
@pytest.mark.parametrize(
    "instant",
    [
        ask.instant(-62135596800),
        ask.instant(5, -7),
        ask.instant(1786406400, 2_000_000_000),
    ],
)
def test_an_instant_that_no_calendar_holds_is_refused(zone: str, instant: Timestamp) -> None:
    scenario = ask.drafted().given(ask.update_cycle(time_zone=zone), ask.commit())

    scenario.when(ask.check_in(on="2026-08-10", instant=instant)).then_invalid("instant")


def test_the_last_by_day_then_instant_then_position_is_in_force() -> None:
    evening, noon = at("2026-08-10T18:00:00+00:00"), at("2026-08-10T10:00:00+00:00")
    scenario = ask.committed().given(
        ask.check_in(value="5", on="2026-08-11"),
        ask.check_in(value="4", on="2026-08-10", instant=evening),
        ask.check_in(value="3", on="2026-08-10", instant=noon),
        ask.check_in(value="2", on="2026-08-10"),
        ask.check_in(value="1", on="2026-07-01"),
    )

    assert value_on(scenario, "2026-08-12") == "5"
    assert value_on(scenario, "2026-08-10") == "4"
    assert value_on(scenario, "2026-08-09") == "1"
    assert value_on(scenario, "2026-06-30") == ""
    scenario.given(ask.check_in(value="6", on="2026-08-10", instant=evening))
    assert value_on(scenario, "2026-08-10") == "6"


@pytest.mark.parametrize("value", ["0", "1", "1.0"])
def test_a_binary_is_done_or_not(value: str) -> None:
    measuring(metric=Metric.METRIC_BINARY).when(ask.check_in(K, value)).then_it_is(
        facts.CheckInRecorded
    )


@pytest.mark.parametrize("value", ["0.5", "2", "-1"])
def test_a_binary_is_nothing_between(value: str) -> None:
    measuring(metric=Metric.METRIC_BINARY).when(ask.check_in(K, value)).then_invalid(
        "measurement.value"
    )


def test_milestones_are_ticked_off_by_id() -> None:
    steps = [Milestone(id=step, title=step) for step in ("brief", "site")]
    scenario = measuring(metric=Metric.METRIC_MILESTONES, milestones=steps)

    scenario.when(ask.check_in(K, ask.completed("site"))).then_it_is(facts.CheckInRecorded)
    scenario.when(ask.check_in(K, ask.completed())).then_it_is(facts.CheckInRecorded)
    scenario.when(ask.check_in(K, ask.completed("site", "party"))).then_invalid(
        "measurement.completed.ids[1]"
    )
    scenario.when(ask.check_in(K, "1")).then_invalid("measurement.completed")


def test_a_number_is_measured_by_a_number_or_not_at_all() -> None:
    scenario = ask.committed()

    scenario.when(ask.check_in(value=ask.completed("a"))).then_invalid("measurement.value")
    recorded = scenario.when(ask.check_in(value=ask.not_measured()))
    assert recorded.then_it_is(facts.CheckInRecorded).measurement.HasField("not_measured")


def test_a_check_in_may_lie_before_its_key_result() -> None:
    scenario = ask.committed().given(ask.add("k", target="1", because=ask.WHY, on="2026-08-10"))

    assert scenario.when(ask.check_in(K, "1", on="2026-07-15")).effective == "2026-07-15"


def test_check_ins_survive_target_changes() -> None:
    scenario = ask.committed().given(ask.check_in(), ask.revise(target="1150", because=ask.WHY))

    assert value_on(scenario, "2026-08-12") == "1100"


def test_a_correction_says_what_was_said_before() -> None:
    noon = at("2026-08-10T10:00:00+00:00")
    scenario = ask.committed().given(
        ask.check_in(value="1100", on="2026-08-10", instant=noon, confidence=3, note="first")
    )

    scenario.when(ask.correct(1, "1120.0", confidence=8, because="typo")).then(
        facts.CheckInCorrected(
            key_result=ask.FOLLOWERS,
            number=1,
            measurement=Measurement(value="1120"),
            confidence=8,
            measurement_before=Measurement(value="1100"),
            effective_date_before=ask.day("2026-08-10"),
            instant_before=noon,
            confidence_before=3,
            note_before=PersonalText(plain="first"),
        )
    )
    assert (scenario.effective, scenario.metadata.reason.plain) == ("2026-08-10", "typo")


def test_a_correction_may_move_the_day_and_the_last_one_wins() -> None:
    scenario = ask.committed().given(
        ask.check_in(value="1100", on="2026-08-10"),
        ask.check_in(value="1050", on="2026-08-05"),
        ask.correct(2, "1060", on="2026-08-11"),
    )
    assert value_on(scenario, "2026-08-12") == "1060"
    assert value_on(scenario, "2026-08-10") == "1100"

    scenario.given(ask.correct(2, "1061", on="2026-08-04"))

    assert value_on(scenario, "2026-08-12") == "1100"
    assert value_on(scenario, "2026-08-09") == "1061"
    assert scenario.when(ask.correct(2, "1062")).effective == "2026-08-04"


def test_a_corrected_old_check_in_does_not_become_the_newest() -> None:
    scenario = ask.committed().given(
        ask.check_in(value="1000", on="2026-08-01"), ask.check_in(value="1100", on="2026-08-08")
    )

    scenario.given(ask.correct(1, "1010"))

    assert value_on(scenario, "2026-08-12") == "1100"


def test_a_correction_that_says_the_same_changes_nothing() -> None:
    noon = at("2026-08-12T10:00:00+00:00")
    scenario = ask.committed().given(ask.check_in(confidence=3, note="n", instant=noon))
    name = f"{ask.FOLLOWERS}/checkIns/1"

    same = ask.correct(1, "1100.0", confidence=3, note="n", instant=noon, on="2026-08-12")
    scenario.when(same).then_refused(NothingToChange, resource=name)
    for other in (
        ask.correct(1, "1100", confidence=3, note="n"),
        ask.correct(1, "1100", confidence=4, note="n"),
        ask.correct(1, "1100", note="n"),
        ask.correct(1, "1100"),
        ask.correct(1, ask.not_measured()),
    ):
        scenario.when(other).then_it_is(facts.CheckInCorrected)


@pytest.mark.parametrize(
    ("on", "refusal"), [("2026-06-30", DayOutsideCycle), ("2026-08-13", DayInFuture)]
)
def test_a_correction_stays_within_the_same_days(
    on: str, refusal: type[DayOutsideCycle | DayInFuture]
) -> None:
    ask.committed().given(ask.check_in()).when(ask.correct(on=on)).then_refused(refusal)


def test_a_shorter_grace_leaves_earlier_check_ins_correctable() -> None:
    scenario = ask.drafted("2026-10-03").given(ask.update_cycle(grace_days=3), ask.commit())
    scenario.given(
        ask.check_in(), ask.update_cycle(grace_days=1, mask=("grace_days",), because=ask.WHY)
    )

    assert scenario.when(ask.correct()).effective == "2026-10-03"
    scenario.when(ask.correct(value="7", on="2026-10-03")).then_refused(DayOutsideCycle)


def test_a_correction_is_held_against_the_metric() -> None:
    scenario = ask.committed().given(ask.check_in())

    scenario.when(ask.correct(1, ask.completed("a"))).then_invalid("measurement.value")
    wrong_day = at("2026-08-10T10:00:00+00:00")
    scenario.when(ask.correct(instant=wrong_day)).then_invalid("instant")


def test_a_retraction_is_final_and_uncovers_the_one_before() -> None:
    scenario = ask.committed().given(
        ask.check_in(value="1000", on="2026-08-01"), ask.check_in(value="1100")
    )

    scenario.when(ask.retract(2)).then(facts.CheckInRetracted(key_result=ask.FOLLOWERS, number=2))

    assert scenario.effective == "2026-08-12"
    assert value_on(scenario, "2026-08-12") == "1000"
    assert scenario.key_result(ask.FOLLOWERS).places.retracted == {2}
    for request in (ask.retract(2), ask.correct(2)):
        scenario.when(request).then_refused(
            CheckInRetracted, resource=f"{ask.FOLLOWERS}/checkIns/2"
        )


def test_a_retraction_says_why() -> None:
    ask.committed().given(ask.check_in()).when(ask.retract(reason=" ")).then_refused(
        ReasonRequired, missing=("reason",)
    )


def test_a_dropped_key_results_check_ins_may_be_put_right() -> None:
    scenario = ask.committed().given(ask.check_in(), ask.drop(because=ask.WHY))

    scenario.when(ask.correct()).then_it_is(facts.CheckInCorrected)
    scenario.when(ask.retract()).then_it_is(facts.CheckInRetracted)


def test_what_does_not_exist_is_not_found() -> None:
    none = f"{ask.AWARENESS}/keyResults/none"
    ask.committed().when(ask.check_in(none)).then_refused(NotFound, resource=none)
    ask.committed().when(ask.check_in("objectives/o/keyResults/k")).then_refused(
        NotFound, resource="objectives/o"
    )
    for request in (ask.correct(), ask.retract()):
        ask.committed().when(request).then_refused(NotFound, resource=f"{ask.FOLLOWERS}/checkIns/1")


def test_a_sum_counts_every_check_in_that_stands() -> None:
    scenario = measuring(target="20", aggregation=Aggregation.AGGREGATION_SUM).given(
        ask.check_in(K, "5", on="2026-08-01"),
        ask.check_in(K, "7", on="2026-08-08"),
        ask.check_in(K, "9"),
        ask.retract(3, K),
    )

    holding = in_force(known(scenario, K).values(), day(ask.day("2026-08-12"), ""))
    assert [c.content.measurement.value for c in holding] == ["5", "7"]
    assert isinstance(scenario.key_result(K).definition, KeyResultDefinition)
