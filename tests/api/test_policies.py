"""Policies by name, and a cycle scored under another one: read, never written."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from ledger.scoring.policy import PRESETS
from ledger.scoring.vendors import ABOUT
from okr.v1 import score_service_pb2 as scores
from okr.v1.policy_simulation_pb2 import PolicySimulation
from okr.v1.resources_pb2 import Band
from okr.v1.values_pb2 import AsOf, ScoringPolicy
from tests.api.case import INVALID, MISSING
from tests.api.story import CUSTOMERS, REVENUE, Told, at, told
from tests.support.ask import (
    AWARENESS,
    FOLLOWERS,
    Q3,
    WHY,
    check_in,
    commit,
    cycle,
    day,
    grade,
    new,
    objective,
    team,
)
from tests.support.random_quarter import Quarter, any_policy, teams
from tests.support.serving import LoopThread
from tests.support.whole import Caller, whole_service

FIELDS = ("score", "original_score", "as_judged_score", "status", "band")


@pytest.fixture(scope="module")
def story(loop: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    with whole_service(loop, tmp_path_factory.mktemp("story")) as me:
        yield told(me)


def simulated(me: Caller, of_cycle: str = Q3, **fields: Any) -> PolicySimulation:
    answer = me.ask(scores.SimulatePolicyRequest(cycle=of_cycle, **fields))
    simulation: PolicySimulation = answer.simulation
    return simulation


def changed(**knobs: Any) -> ScoringPolicy:
    return ScoringPolicy(**knobs)


def lines(simulation: PolicySimulation) -> dict[str, tuple[str, str, str]]:
    return {
        line.name: (line.actual.score, line.simulated.score, line.difference)
        for line in simulation.scores
    }


def test_every_preset_is_listed_with_what_it_is_for(story: Told) -> None:
    listed = story.me.ask(scores.ListPoliciesRequest(page_size=1000)).policies
    assert [each.name for each in listed] == [f"policies/{name}" for name in sorted(PRESETS)]
    assert set(ABOUT) == set(PRESETS)
    assert all(each.about for each in listed)
    standard = story.me.ask(scores.GetPolicyRequest(name="policies/standard")).policy
    for each in listed:
        differing = [
            field.name
            for field, value in each.policy.ListFields()
            if getattr(standard.policy, field.name) != value
            and field.name not in ("name", "version")
        ]
        assert list(each.differs) == differing
        assert story.me.ask(scores.GetPolicyRequest(name=each.name)).policy == each
    google = story.me.ask(scores.GetPolicyRequest(name="policies/google")).policy
    assert list(google.differs) == ["band_rule"]


def test_policies_come_in_pages(story: Told) -> None:
    names: list[str] = []
    token = ""
    while True:
        answer = story.me.ask(scores.ListPoliciesRequest(page_size=10, page_token=token))
        names += [each.name for each in answer.policies]
        token = answer.next_page_token
        if not token:
            break
    assert names == [f"policies/{name}" for name in sorted(PRESETS)]


def test_another_policy_tells_both_figures_and_their_difference(story: Told) -> None:
    # Of 1150 wanted followers 1090 are there, of 10 visits 2; newsletter is not measured.
    found = lines(simulated(story.me, changes=changed(formula="FORMULA_RATIO")))
    assert found[FOLLOWERS] == ("0.6", "0.947826086957", "0.347826086957")
    assert found[AWARENESS] == ("0.266666666667", "0.382608695652", "0.115942028985")
    assert found[REVENUE] == ("0.233333333334", "0.291304347826", "0.057971014492")
    assert found[CUSTOMERS] == ("0.2", "0.2", "0")
    assert found[Q3] == ("0.25", "0.336956521739", "0.086956521739")
    assert list(found)[:3] == [Q3, "teams/marketing", "teams/sales"]


def test_the_actual_side_is_the_scorecard(story: Told) -> None:
    as_of = at(story.adjusted, "2024-08-05")
    simulation = simulated(story.me, policy=changed(name="ipfs"), as_of=as_of)
    card = story.scorecard(story.adjusted, "2024-08-05")
    assert simulation.policy == card.cycle.definition.policy
    assert simulation.simulated.name == "ipfs"
    assert figures_of(card) == [figures(line.actual) for line in simulation.scores]


def figures(line: Any) -> dict[str, Any]:
    return {f: getattr(line, f) if f in FIELDS[3:] or line.HasField(f) else None for f in FIELDS}


def figures_of(card: Any) -> list[dict[str, Any]]:
    found = [card, *card.teams]
    for each in card.objectives:
        found += [each, *each.key_results]
    return [figures(line) for line in found]


def test_the_cycles_own_policy_makes_no_difference(story: Told) -> None:
    for simulation in (
        simulated(story.me, policy=changed(name="standard")),
        simulated(story.me, changes=changed(clamp="CLAMP_UNIT")),
    ):
        for line in simulation.scores:
            assert line.actual == line.simulated
            assert (line.difference, line.original_difference) == ("0", "0")


def test_changes_keep_the_cycles_other_knobs(story: Told) -> None:
    changes = changed(ungraded="UNGRADED_EXCLUDE", yellow_from="0.1", green_from="0.2")
    simulation = simulated(story.me, changes=changes)
    assert simulation.simulated.name == "what-if"
    assert simulation.simulated.rollup == simulation.policy.rollup
    assert simulation.scores[0].simulated.band == Band.BAND_GREEN
    # Without the newsletter: followers 0.6, traffic 0.2.
    assert lines(simulation)[AWARENESS][1] == "0.4"


def test_nothing_is_written(story: Told) -> None:
    before = story.me.head(), story.scorecard()
    simulated(story.me, policy=changed(name="google"))
    assert (story.me.head(), story.scorecard()) == before


def test_a_team_is_simulated_with_its_sub_teams(story: Told) -> None:
    simulation = simulated(story.me, team="teams/sales", policy=changed(name="ipfs"))
    assert [line.name for line in simulation.scores] == ["teams/sales", REVENUE, CUSTOMERS]


def test_an_override_stays_and_a_computed_grade_is_computed_anew(me: Caller) -> None:
    me.all_of(
        *(team(), cycle(first="2024-07-01", last="2024-09-30")),
        *(objective(n, new("k", baseline="5", target="10")) for n in ("computed", "by-hand")),
        commit(),
        *(check_in(f"objectives/{n}/keyResults/k", "8", on="2024-07-08")
          for n in ("computed", "by-hand")),
        grade("objectives/computed", on="2024-09-30"),
        grade("objectives/by-hand", override_score="0.3", because=WHY, on="2024-09-30"),
    )  # fmt: skip
    found = lines(simulated(me, policy=changed(name="own", formula="FORMULA_RATIO")))
    assert found["objectives/computed"] == ("0.6", "0.8", "0.2")
    assert found["objectives/by-hand"] == ("0.3", "0.3", "0")
    assert found[Q3] == ("0.45", "0.55", "0.1")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_simulation_is_the_scorecard_of_the_same_quarter_under_that_policy(
    me: Caller, seed: int
) -> None:
    teams(me)
    policies = [any_policy(Random(seed)), any_policy(Random(seed + 100))]
    quarters = [
        Quarter(me, Random(seed), f"q-{i}", policy, closes=False)
        for i, policy in enumerate(policies)
    ]
    for quarter in quarters:
        quarter.told(60)
    for on in ("2024-08-15", "2024-09-30"):
        as_of = AsOf(effective_at=day(on))
        simulation = simulated(me, quarters[0].cycle, policy=policies[1], as_of=as_of)
        request = scores.GetScorecardRequest(cycle=quarters[1].cycle, as_of=as_of)
        card = me.ask(request).scorecard
        assert [figures(line.simulated) for line in simulation.scores] == figures_of(card)


def test_a_policy_that_cannot_be_is_refused_with_its_knob(furnished: Caller) -> None:
    for given, fields in (
        ({"policy": changed(name="own", behind_from="0.95")}, ["policy.behind_from"]),
        ({"changes": changed(yellow_from="0.9")}, ["changes.yellow_from"]),
        ({"policy": changed(name="google", band_rule="BAND_RULE_EXACT")}, ["policy.name"]),
        ({"changes": changed(name="viva", clamp="CLAMP_NONE")}, ["changes.name"]),
        ({"changes": changed(green_from="-1")}, ["changes.green_from"]),
        ({"policy": changed(clamp=9)}, ["policy.clamp"]),
        ({}, ["simulated"]),
    ):
        error = furnished.refused(scores.SimulatePolicyRequest(cycle=Q3, **given))  # type: ignore[arg-type]  # one of two fields
        assert (error.code, error.reason, error.fields) == (INVALID, "FIELD_INVALID", fields)


def test_what_is_not_there_cannot_be_simulated(furnished: Caller) -> None:
    own = changed(name="viva")
    for request in (
        scores.GetPolicyRequest(name="policies/none"),
        scores.SimulatePolicyRequest(cycle="cycles/none", policy=own),
        scores.SimulatePolicyRequest(cycle=Q3, team="teams/none", policy=own),
    ):
        error = furnished.refused(request)
        assert (error.code, error.reason) == (MISSING, "RESOURCE_NOT_FOUND"), request
