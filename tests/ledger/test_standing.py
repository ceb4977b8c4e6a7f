from decimal import Decimal
from typing import Any

import pytest
from google.protobuf.message import Message

from ledger.scoring.pace import Band, Status
from ledger.standing import (
    GroupStanding,
    KeyResultStanding,
    ObjectiveStanding,
    Standings,
    Three,
)
from okr.v1.ledger_service_pb2 import DropKeyResultRequest
from okr.v1.values_pb2 import (
    Aggregation,
    Direction,
    Metric,
    Milestone,
    ScoringPolicy,
)
from tests.support import ask
from tests.support.known import facts_on
from tests.support.scenario import Scenario

DEALS = "objectives/deals"
WON = f"{DEALS}/keyResults/won"
K = f"{ask.AWARENESS}/keyResults/k"


def objective(
    scenario: Scenario, on: str = "2026-08-12", name: str = ask.AWARENESS
) -> ObjectiveStanding:
    return Standings(facts_on(scenario, on)).objective(name)


def key_result(scenario: Scenario, name: str, on: str = "2026-08-12") -> KeyResultStanding:
    return Standings(facts_on(scenario, on)).key_result(name)


def whole(scenario: Scenario, on: str = "2026-08-12", *names: str) -> GroupStanding:
    facts = facts_on(scenario, on)
    cycle = facts.cycles[ask.Q3]
    return Standings(facts).group(names or facts.objectives, cycle, whole_cycle=not names)


def plainly(scores: Three) -> tuple[str, ...]:
    """Original, current, as judged."""
    three = (scores.original, scores.current, scores.as_judged)
    return tuple("–" if s is None else f"{s.normalize():f}" for s in three)


def measured() -> Scenario:
    """Followers half way on 1 August, traffic at 0.8 on the 8th."""
    return ask.committed().given(
        ask.check_in(value="1100", on="2026-08-01"),
        ask.check_in(ask.TRAFFIC, "8", on="2026-08-08"),
    )


def one(on: str = "2026-08-12", policy: str = "standard", **definition: Any) -> Scenario:
    """The quarter with one key result that counts, `k`, under a preset."""
    return Scenario(on).given(
        ask.cycle(policy=ScoringPolicy(name=policy)),
        ask.team(),
        ask.objective(),
        ask.add("k", **definition),
        ask.drop(),
        ask.drop(ask.TRAFFIC),
        ask.commit(),
    )


def test_three_scores_stand_side_by_side() -> None:
    scenario = measured().given(ask.revise(target="1100", because=ask.WHY, on="2026-08-10"))

    followers = key_result(scenario, ask.FOLLOWERS)
    assert plainly(followers.scores) == ("0.5", "1", "0.5")
    assert followers.value == Decimal(1100)
    scenario.given(ask.check_in(value="1100"))
    assert plainly(key_result(scenario, ask.FOLLOWERS).scores) == ("0.5", "1", "1")
    standing = objective(scenario)
    assert plainly(Three(standing.score, standing.original, standing.as_judged)) == (
        "0.65",
        "0.9",
        "0.9",
    )
    assert plainly(whole(scenario).scores) == ("0.65", "0.9", "0.9")


def test_a_later_addition_has_no_original() -> None:
    scenario = measured().given(ask.add("k", target="1", because=ask.WHY))

    assert plainly(key_result(scenario, K).scores) == ("–", "–", "–")
    scenario.given(ask.check_in(K, "1"))
    assert plainly(key_result(scenario, K).scores) == ("–", "1", "1")
    standing = objective(scenario)
    assert plainly(Three(standing.score, standing.original, None))[:2] == ("0.65", "0.766666666667")
    late = measured().given(ask.objective("late", because=ask.WHY))
    assert objective(late, name="objectives/late").original is None
    assert plainly(whole(late).scores) == ("0.65", "0.325", "0.325")


def test_a_dropped_key_result_leaves_the_score_and_stays_in_the_plan() -> None:
    scenario = measured().given(ask.drop(because=ask.WHY, on="2026-08-10"))

    standing = objective(scenario)
    assert (standing.score, standing.original) == (Decimal("0.8"), Decimal("0.65"))
    assert standing.shares == {ask.FOLLOWERS: 0, ask.TRAFFIC: 1}
    assert objective(scenario, "2026-08-09").score == Decimal("0.65")
    scenario.given(ask.restore(because=ask.WHY))
    assert objective(scenario).score == Decimal("0.65")


def test_weights_share_the_score() -> None:
    scenario = measured().given(ask.revise(ask.TRAFFIC, weight="3", because=ask.WHY))

    standing = objective(scenario)
    assert standing.score == Decimal("0.725")
    assert standing.shares == {ask.FOLLOWERS: Decimal("0.25"), ask.TRAFFIC: Decimal("0.75")}
    scenario.given(
        ask.revise(weight="0", because=ask.WHY),
        ask.revise(ask.TRAFFIC, weight="0", because=ask.WHY),
    )
    assert objective(scenario).score == 0
    assert set(objective(scenario).shares.values()) == {0}


def test_an_abandoned_objective_leaves_team_and_cycle_but_not_the_plan() -> None:
    scenario = measured().given(
        ask.objective("deals", ask.new("won", target="1"), because=ask.WHY),
        ask.abandon(because=ask.WHY),
    )

    assert not objective(scenario).counts
    group = whole(scenario)
    assert plainly(group.scores) == ("0.65", "0", "0")
    assert group.objective_count == 1


def test_a_grade_counts_in_place_of_the_computed_score() -> None:
    scenario = measured().given(ask.grade(override_score="0.9", because=ask.WHY))

    standing = objective(scenario)
    assert (standing.score, standing.computed) == (Decimal("0.9"), Decimal("0.65"))
    assert (standing.band, standing.met) == (Band.GREEN, True)
    assert whole(scenario).scores.current == Decimal("0.9")


def test_a_contribution_counts_with_its_final_score_and_its_share() -> None:
    scenario = measured().given(
        ask.objective("deals", ask.new("won", target="10"), because=ask.WHY),
        ask.align(DEALS, ask.AWARENESS, weight="2", because=ask.WHY),
        ask.check_in(WON, "10"),
        ask.grade(DEALS, override_score="0.5", because=ask.WHY),
    )

    standing = objective(scenario)
    assert standing.score == Decimal("0.575")
    assert standing.original == Decimal("0.65")
    (child,) = standing.children
    assert (child.name, child.score, child.share) == (DEALS, Decimal("0.5"), Decimal("0.5"))


def test_the_original_plan_keeps_its_contributions() -> None:
    scenario = ask.drafted().given(
        ask.objective("deals", ask.new("won", target="10")),
        ask.align(WON, ask.AWARENESS),
        ask.commit(),
        ask.check_in(WON, "9"),
        ask.unalign(WON, ask.AWARENESS, because=ask.WHY),
    )

    standing = objective(scenario)
    assert (standing.score, standing.original) == (Decimal(0), Decimal("0.3"))
    assert standing.children == []


@pytest.mark.parametrize(
    "closing",
    [ask.drop(WON, because=ask.WHY), ask.abandon(DEALS, because=ask.WHY)],
    ids=["dropped", "abandoned"],
)
def test_the_original_plan_keeps_what_contributed_and_was_given_up(closing: Message) -> None:
    child = WON if isinstance(closing, DropKeyResultRequest) else DEALS
    scenario = ask.drafted().given(
        ask.objective("deals", ask.new("won", target="10")),
        ask.align(child, ask.AWARENESS),
        ask.commit(),
        ask.check_in(WON, "9"),
        closing,
    )

    standing = objective(scenario)
    assert (standing.score, standing.original) == (Decimal(0), Decimal("0.3"))


def test_a_key_result_may_contribute_to_what_contributes_to_its_objective() -> None:
    # Followers contribute to deals, and deals to awareness, whose followers they are.
    scenario = ask.drafted().given(
        ask.objective("deals", ask.new("won", target="10")),
        ask.align(ask.FOLLOWERS, DEALS),
        ask.align(DEALS, ask.AWARENESS),
        ask.commit(),
        ask.check_in(value="1100"),
        ask.check_in(WON, "10"),
    )
    expected = {DEALS: Decimal("0.75"), ask.AWARENESS: Decimal("0.416666666667")}

    for first, then in ((DEALS, ask.AWARENESS), (ask.AWARENESS, DEALS)):
        standings = Standings(facts_on(scenario, "2026-08-12"))
        found = {name: standings.objective(name).scores for name in (first, then)}
        assert found == {name: Three(score, score, score) for name, score in expected.items()}


def test_the_original_does_not_depend_on_what_is_aligned_now() -> None:
    # In the plan deals contribute to awareness, now awareness contributes to deals.
    scenario = ask.drafted().given(
        ask.objective("deals", ask.new("won", target="10")),
        ask.align(DEALS, ask.AWARENESS),
        ask.commit(),
        ask.check_in(WON, "9"),
        ask.unalign(DEALS, ask.AWARENESS, because=ask.WHY),
        ask.align(ask.AWARENESS, DEALS, because=ask.WHY),
    )

    for first, then in ((DEALS, ask.AWARENESS), (ask.AWARENESS, DEALS)):
        standings = Standings(facts_on(scenario, "2026-08-12"))
        found = {name: standings.objective(name) for name in (first, then)}
        assert found[ask.AWARENESS].original == Decimal("0.3")
        assert (found[DEALS].score, found[DEALS].original) == (Decimal("0.45"), Decimal("0.9"))


def test_before_commitment_there_is_no_original() -> None:
    group = whole(ask.drafted())

    assert plainly(group.scores) == ("–", "0", "0")
    assert group.status is Status.PENDING


def test_a_draft_without_objectives_stands_at_nothing() -> None:
    scenario = ask.drafted()
    facts = facts_on(scenario, "2026-08-12")

    group = Standings(facts).group([], facts.cycles[ask.Q3], whole_cycle=True)
    assert (group.scores.current, group.objective_count) == (Decimal(0), 0)


@pytest.mark.parametrize(
    ("value", "status"),
    [("1200", Status.ON_TRACK), ("1080", Status.BEHIND), ("1030", Status.AT_RISK)],
)
def test_status_compares_with_the_expected_of_the_day(value: str, status: Status) -> None:
    # On 12 August 42 of 91 days have passed: 0.46 of the way is expected.
    standing = key_result(ask.committed().given(ask.check_in(value=value)), ask.FOLLOWERS)

    assert standing.status is status
    assert standing.expected_progress == Decimal("0.461538461538")
    assert standing.expected_value == Decimal("1092.307692307692")


def test_silence_is_never_green() -> None:
    scenario = measured()

    assert key_result(scenario, ask.FOLLOWERS, "2026-07-31").status is Status.PENDING
    assert key_result(scenario, ask.FOLLOWERS, "2026-08-08").status is Status.ON_TRACK
    assert key_result(scenario, ask.FOLLOWERS, "2026-08-09").status is Status.STALE
    assert objective(scenario, "2026-08-09").status is Status.STALE


def test_days_after_the_cycle_are_no_silence() -> None:
    scenario = ask.committed("2026-09-30").given(ask.check_in(value="1200", on="2026-09-28"))

    late = key_result(scenario, ask.FOLLOWERS, "2026-12-31")
    assert (late.status, late.expected_progress) == (Status.ON_TRACK, Decimal(1))


def test_not_measured_is_ungraded_from_its_day() -> None:
    scenario = measured().given(ask.check_in(value=ask.not_measured(), on="2026-08-10"))

    standing = key_result(scenario, ask.FOLLOWERS)
    assert plainly(standing.scores) == ("–", "–", "–")
    assert (standing.status, standing.band, standing.value) == (Status.PENDING, None, None)
    assert plainly(key_result(scenario, ask.FOLLOWERS, "2026-08-09").scores)[1] == "0.5"


def test_a_sum_adds_up_and_starts_from_its_baseline() -> None:
    scenario = one(
        aggregation=Aggregation.AGGREGATION_SUM, baseline="100", target_change_percent="20"
    ).given(ask.check_in(K, "70", on="2026-08-01"), ask.check_in(K, "45", on="2026-08-08"))

    standing = key_result(scenario, K)
    assert (standing.value, standing.attainment) == (Decimal(115), Decimal("0.75"))
    assert key_result(scenario, K, "2026-08-07").attainment == Decimal("-1.5")


def test_a_number_kept_is_graded_by_the_periods_that_kept_it() -> None:
    scenario = one(
        policy="servicenow", direction=Direction.DIRECTION_MAINTAIN_AT_LEAST, lower_bound="99"
    ).given(
        ask.check_in(K, "99.5", on="2026-07-02"),
        ask.check_in(K, "98", on="2026-07-09"),
        ask.check_in(K, "99", on="2026-07-14"),
        ask.check_in(K, "99", on="2026-07-23"),
    )

    # Weeks end on 7, 14, 21 and 28 July. The third passes without a check-in, which counts against
    # it once its last day is over; the fourth counts from its first check-in.
    days = ("2026-07-01", "2026-07-09", "2026-07-21", "2026-07-22", "2026-07-23")
    shares = [plainly(key_result(scenario, K, day).scores)[1] for day in days]
    assert shares == ["–", "0.5", "1", "0.666666666667", "0.75"]


def test_milestones_zones_and_binaries_stand_too() -> None:
    steps = [Milestone(id="a", title="A", weight="3"), Milestone(id="b", title="B")]
    ticked = one(metric=Metric.METRIC_MILESTONES, milestones=steps)
    assert key_result(ticked.given(ask.check_in(K, ask.completed("a"))), K).attainment == Decimal(
        "0.75"
    )
    zoned = one(metric=Metric.METRIC_ZONES, stretch="100").given(ask.check_in(K, "50"))
    assert key_result(zoned, K).attainment == Decimal("0.5")
    done = one(metric=Metric.METRIC_BINARY).given(ask.check_in(K, "1"))
    assert key_result(done, K).attainment == 1


def test_a_team_stands_at_the_mean_of_its_objectives() -> None:
    scenario = measured().given(ask.objective("deals", ask.new("won", target="1"), because=ask.WHY))

    team = whole(scenario, "2026-08-12", ask.AWARENESS, DEALS)
    assert (team.scores.current, team.scores.original) == (Decimal("0.325"), Decimal("0.65"))
    assert (team.band, team.status) == (Band.RED, Status.STALE)


def test_a_cycle_may_be_the_mean_of_its_key_results() -> None:
    scenario = ask.drafted().given(
        ask.update_cycle(policy=ScoringPolicy(name="ipfs")),
        ask.objective("deals", ask.new("won", target="1")),
        ask.commit(),
        ask.check_in(value="1100"),
        ask.check_in(ask.TRAFFIC, "8"),
        ask.check_in(WON, "0"),
        ask.drop(because=ask.WHY),
    )

    assert plainly(whole(scenario).scores) == ("0.433333333333", "0.4", "0.4")
