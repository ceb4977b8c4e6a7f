import pytest

from ledger.grading import computed_score
from ledger.refusals import (
    CycleState,
    DayInFuture,
    DayOutsideCycle,
    EtagMismatch,
    ObjectiveState,
    ReasonRequired,
)
from ledger.values import day
from okr.v1 import events_pb2 as facts
from okr.v1.values_pb2 import Aggregation, ScoringPolicy
from tests.support import ask
from tests.support.scenario import Scenario

DEALS = "objectives/deals"


def measured(today: str = "2026-08-12") -> Scenario:
    """Followers half way on 1 August, traffic at 0.8 on the 8th: 0.65 together."""
    return ask.committed(today).given(
        ask.check_in(value="1100", on="2026-08-01"),
        ask.check_in(ask.TRAFFIC, "8", on="2026-08-08"),
    )


def score(scenario: Scenario, on: str, name: str = ask.AWARENESS) -> str:
    found = computed_score(scenario.view(), name, day(ask.day(on), ""))
    return "" if found is None else f"{found.normalize():f}"


def test_an_objective_is_graded_with_the_score_of_today() -> None:
    scenario = measured().when(ask.grade())

    scenario.then(facts.ObjectiveGraded(objective=ask.AWARENESS, computed_score="0.65"))
    assert scenario.effective == "2026-08-12"
    objective = scenario.objective(ask.AWARENESS)
    assert (objective.computed_score, objective.final_score) == ("0.65", "0.65")


def test_the_score_is_that_of_the_effective_day() -> None:
    scenario = measured()

    assert [score(scenario, on) for on in ("2026-07-31", "2026-08-01", "2026-08-08")] == [
        "0",
        "0.25",
        "0.65",
    ]
    graded = scenario.when(ask.grade(on="2026-08-07")).then_it_is(facts.ObjectiveGraded)
    assert graded.computed_score == "0.25"


def test_definitions_are_those_of_the_effective_day() -> None:
    scenario = measured().given(
        ask.revise(target="1100", because=ask.WHY, on="2026-08-10"),
        ask.drop(ask.TRAFFIC, because=ask.WHY, on="2026-08-11"),
    )

    assert [score(scenario, on) for on in ("2026-08-09", "2026-08-10", "2026-08-11")] == [
        "0.65",
        "0.9",
        "1",
    ]


def test_the_policy_is_that_of_the_effective_day() -> None:
    scenario = measured().given(
        ask.check_in(value="1400", on="2026-08-09"),
        ask.update_cycle(policy=ScoringPolicy(name="feedback4e"), because=ask.WHY, on="2026-08-10"),
    )

    assert score(scenario, "2026-08-09") == "0.9"
    assert score(scenario, "2026-08-10") == "1.4"


def test_what_holds_only_later_does_not_count_yet() -> None:
    scenario = measured().given(ask.add("more", target="1", because=ask.WHY, on="2026-08-10"))

    assert score(scenario, "2026-08-09") == "0.65"
    assert score(scenario, "2026-08-10") == "0.433333333333"


def test_without_anything_measured_the_policy_says_what_it_is_worth() -> None:
    graded = ask.committed().when(ask.grade()).then_it_is(facts.ObjectiveGraded)
    assert graded.computed_score == "0"

    excluding = ask.drafted().given(ask.update_cycle(policy=ScoringPolicy(name="ipfs")))
    scenario = excluding.given(ask.commit()).when(ask.grade())
    assert not scenario.then_it_is(facts.ObjectiveGraded).HasField("computed_score")
    assert scenario.objective(ask.AWARENESS).final_score is None
    regraded = scenario.when(ask.regrade(override_score="0.5", because=ask.WHY))
    fact = regraded.then_it_is(facts.ObjectiveRegraded)
    assert not fact.HasField("final_score_before")


def test_an_override_stands_beside_the_computed_score_with_its_reason() -> None:
    scenario = measured().when(ask.grade(override_score="0.70", because="a late campaign"))

    scenario.then(
        facts.ObjectiveGraded(objective=ask.AWARENESS, computed_score="0.65", override_score="0.7")
    )
    assert scenario.metadata.reason.plain == "a late campaign"
    assert scenario.objective(ask.AWARENESS).final_score == "0.7"


def test_an_override_needs_a_reason() -> None:
    for because in ("", " \u2003"):
        measured().when(ask.grade(override_score="0.7", because=because)).then_refused(
            ReasonRequired, resource=ask.AWARENESS, missing=("reason",)
        )
    measured().given(ask.grade()).when(ask.regrade(override_score="0.7")).then_refused(
        ReasonRequired
    )


@pytest.mark.parametrize("override", ["-0.1", "1.000000001", "70"])
def test_an_override_lies_on_the_policys_scale(override: str) -> None:
    measured().when(ask.grade(override_score=override, because=ask.WHY)).then_invalid(
        "override_score"
    )
    unbounded = ask.drafted().given(ask.update_cycle(policy=ScoringPolicy(name="feedback4e")))
    scenario = unbounded.given(ask.commit())
    scenario.when(ask.grade(override_score=override, because=ask.WHY)).then_it_is(
        facts.ObjectiveGraded
    )


def test_an_override_of_nothing_is_an_override() -> None:
    scenario = measured().given(ask.grade(override_score="0", because=ask.WHY))

    assert scenario.objective(ask.AWARENESS).final_score == "0"


def test_a_graded_objective_is_graded_again_and_keeps_both() -> None:
    scenario = measured().given(ask.grade(override_score="0.7", because=ask.WHY))
    scenario.given(ask.correct(1, "1200"))

    scenario.when(ask.regrade()).then(
        facts.ObjectiveRegraded(
            objective=ask.AWARENESS, computed_score="0.9", final_score_before="0.7"
        )
    )

    assert scenario.objective(ask.AWARENESS).final_score == "0.9"
    assert len(scenario.objective(ask.AWARENESS).revisions) == 3


def test_a_grade_is_not_replaced_from_an_earlier_day() -> None:
    scenario = measured().given(ask.grade(on="2026-08-10"))

    scenario.when(ask.regrade(on="2026-08-09")).then_invalid("effective_date")
    scenario.when(ask.regrade(on="2026-08-10")).then_it_is(facts.ObjectiveRegraded)


def test_only_what_is_open_is_graded_and_only_what_is_graded_is_regraded() -> None:
    scenario = measured().given(ask.grade())

    scenario.when(ask.grade()).then_refused(ObjectiveState, state="GRADED")
    measured().when(ask.regrade()).then_refused(ObjectiveState, state="not graded")
    ask.drafted().when(ask.grade()).then_refused(CycleState, state="DRAFT")
    scenario.when(ask.check_in()).then_refused(ObjectiveState, state="GRADED")
    scenario.when(ask.retract()).then_it_is(facts.CheckInRetracted)


def test_a_stale_etag_is_refused() -> None:
    scenario = measured().given(ask.update_objective(title="x", because=ask.WHY))

    scenario.when(ask.grade(etag='"1"')).then_refused(EtagMismatch, etag='"2"')


def test_it_is_graded_within_the_cycle_and_its_grace() -> None:
    scenario = ask.drafted("2026-10-20").given(ask.update_cycle(grace_days=5), ask.commit())

    assert scenario.when(ask.grade()).effective == "2026-10-05"
    scenario.when(ask.regrade(on="2026-10-06")).then_refused(
        DayOutsideCycle, first_day="2026-07-01", last_day="2026-10-05"
    )
    measured().when(ask.grade(on="2026-08-13")).then_refused(DayInFuture, today="2026-08-12")


def test_a_contributing_child_counts_beside_the_key_results() -> None:
    scenario = measured().given(
        ask.objective("deals", ask.new("won", target="10"), because=ask.WHY, on="2026-08-01"),
        ask.align(DEALS, ask.AWARENESS, weight="2", because=ask.WHY, on="2026-08-09"),
        ask.check_in(f"{DEALS}/keyResults/won", "10", on="2026-08-01"),
    )

    assert score(scenario, "2026-08-08") == "0.65"
    # (0.5 + 0.8 + 2 · 1) ÷ 4
    assert score(scenario, "2026-08-09") == "0.825"
    scenario.given(ask.grade(DEALS, override_score="0.5", because=ask.WHY))
    assert score(scenario, "2026-08-12") == "0.575"
    scenario.given(ask.unalign(DEALS, ask.AWARENESS, because=ask.WHY))
    assert score(scenario, "2026-08-12") == "0.65"


def test_a_contributing_key_result_counts_until_it_is_dropped() -> None:
    won = f"{DEALS}/keyResults/won"
    scenario = measured().given(
        ask.objective("deals", ask.new("won", target="10"), because=ask.WHY, on="2026-08-01"),
        ask.align(won, ask.AWARENESS, because=ask.WHY, on="2026-08-09"),
        ask.check_in(won, "2", on="2026-08-01"),
    )

    assert score(scenario, "2026-08-09") == "0.5"
    scenario.given(ask.drop(won, because=ask.WHY))
    assert score(scenario, "2026-08-12") == "0.65"


def test_an_abandoned_child_no_longer_counts() -> None:
    scenario = measured().given(
        ask.objective("deals", ask.new("won", target="10"), because=ask.WHY),
        ask.align(DEALS, ask.AWARENESS, because=ask.WHY),
    )
    assert score(scenario, "2026-08-12") == "0.433333333333"

    scenario.given(ask.abandon(DEALS, because=ask.WHY))

    assert score(scenario, "2026-08-12") == "0.65"


def test_a_child_of_another_cycle_counts_under_its_own_policy() -> None:
    scenario = measured().given(
        ask.cycle("y26", "2026-01-01", "2026-12-31", policy=ScoringPolicy(name="feedback4e")),
        ask.objective("year", ask.new("revenue", target="10"), cycle="cycles/y26"),
        ask.commit("cycles/y26"),
        ask.check_in(value="2000"),
        ask.check_in("objectives/year/keyResults/revenue", "30"),
        ask.align(ask.AWARENESS, "objectives/year", because=ask.WHY),
    )

    # Its own key result is not held at 1, its child's are: (3 + (1 + 0.8) ÷ 2) ÷ 2.
    assert score(scenario, "2026-08-12", "objectives/year") == "1.95"


def test_a_sum_is_graded_by_all_its_check_ins() -> None:
    summed = ask.add("sold", target="20", aggregation=Aggregation.AGGREGATION_SUM)
    scenario = ask.drafted().given(summed, ask.drop(), ask.drop(ask.TRAFFIC), ask.commit())
    name = f"{ask.AWARENESS}/keyResults/sold"

    scenario.given(
        ask.check_in(name, "5", on="2026-08-01"),
        ask.check_in(name, "7", on="2026-08-08"),
        ask.correct(1, "6", name),
    )

    assert score(scenario, "2026-08-07") == "0.3"
    assert score(scenario, "2026-08-12") == "0.65"
